/**
 * The log's shape in memory: who wrote what after what, without the contents.
 *
 * Each author has chains (runs of sequence numbers under one chain ID), and a chain is a list of nodes, except when its
 * author signed two entries under one number. Then the list branches: a segment is a run without branches, and a later
 * branch is a segment of its own that remembers the node it grew from. So the usual case is one array a chain, and a fork
 * costs one more. Both branches are kept, on every peer: dropping one would need everybody to agree which, while others
 * may already have built on either.
 *
 * Invariants: a node's previous entry and parents are in the graph before it; clocks rise along every link, so sorting
 * by clock, then hash, never puts an entry before one it builds on; `tips` has exactly the last node of each segment.
 */
import { hash as digest } from "node:crypto";
import { peerIdOf } from "../../identity/peer-id.ts";
import { bisect } from "../../protocol/bisect.ts";
import type { EntryHash, PeerId } from "./api.ts";
import { fromHex } from "./bytes.ts";
import type { Entry } from "./entry.ts";

/** One key that has entries or that entries speak of. */
export interface Author {
  /** 64 hex digits. */
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly peerId: PeerId;
  readonly segments: Segment[];
  /** How often it has signed another entry under a number. */
  forks: number;
  /** What this author is known to hold: the last position a segment. */
  readonly holds: Map<Segment, number>;
}

/** A run of entries without branches. */
export interface Segment {
  readonly author: Author;
  readonly chain: string;
  /** Sequence of the first node. */
  readonly start: number;
  /** The node it grew from: undefined when it starts a chain. */
  readonly base: Node | undefined;
  readonly nodes: Node[];
}

/** One entry. */
export interface Node {
  readonly hash: EntryHash;
  readonly segment: Segment;
  readonly sequence: number;
  readonly clock: number;
}

/** The nodes that an entry names. */
export interface Basis {
  readonly previous: Node | undefined;
  readonly parents: readonly Node[];
}

/** Total order of a mesh: by clock, then by hash. Never 0 for two different nodes. */
export function compareNodes(a: Node, b: Node): number {
  if (a.clock !== b.clock) return a.clock - b.clock;
  return a.hash < b.hash ? -1 : Number(a.hash > b.hash);
}

/** Where `node` belongs in a list sorted by {@link compareNodes}: the index of the first node after it. */
export function insertionIndex(sorted: readonly Node[], node: Node): number {
  const isBefore = (index: number): boolean => {
    const other = sorted[index];
    return other !== undefined && compareNodes(other, node) < 0;
  };
  let high = sorted.length;
  let low = high;
  // What comes late is seldom late by much: steps back from the end, each twice as long, find where to search.
  for (let step = 1; low > 0; step *= 2) {
    low = Math.max(0, high - step);
    if (isBefore(low)) {
      low += 1;
      break;
    }
    high = low;
  }
  return bisect(low, high, isBefore);
}

/** Last node of a segment; a segment is never empty. */
export function lastOf(segment: Segment): Node {
  const last = segment.nodes.at(-1);
  if (last === undefined) throw new Error("invariant: a segment is never empty");
  return last;
}

/** The log's shape. */
export class Graph {
  readonly nodes = new Map<EntryHash, Node>();
  readonly authors = new Map<string, Author>();
  /** Entries that nobody has built on yet: the parents of the next one. */
  readonly heads = new Set<Node>();
  readonly tips = new Set<Segment>();
  /** Largest clock of all. */
  clock = 0;
  #digest: Uint8Array | undefined;

  /** The author of a key, made when new. */
  author(key: string): Author {
    let author = this.authors.get(key);
    if (author === undefined) {
      const bytes = fromHex(key);
      author = { key, bytes, peerId: peerIdOf(bytes), segments: [], forks: 0, holds: new Map() };
      this.authors.set(key, author);
    }
    return author;
  }

  /** What an entry builds on, or the first hash of it that is not here. */
  basisOf(entry: Entry): Basis | EntryHash {
    let previous: Node | undefined;
    if (entry.previous !== undefined) {
      previous = this.nodes.get(entry.previous);
      if (previous === undefined) return entry.previous;
    }
    const parents: Node[] = [];
    for (const hash of entry.parents) {
      const parent = this.nodes.get(hash);
      if (parent === undefined) return hash;
      parents.push(parent);
    }
    return { previous, parents };
  }

  /** True when the author already has another entry of the same chain and number. */
  isFork(entry: Entry, { previous }: Basis): boolean {
    if (previous !== undefined) return lastOf(previous.segment) !== previous;
    const segments = this.authors.get(entry.author)?.segments ?? [];
    return segments.some((segment) => segment.chain === entry.chain && segment.start === 1);
  }

  /** Adds an entry that log.ts has found right. */
  add(entry: Entry, basis: Basis): Node {
    const { previous, parents } = basis;
    let segment = previous?.segment;
    if (segment === undefined || lastOf(segment) !== previous) {
      const author = this.author(entry.author);
      if (this.isFork(entry, basis)) author.forks += 1;
      segment = { author, chain: entry.chain, start: entry.sequence, base: previous, nodes: [] };
      author.segments.push(segment);
      this.tips.add(segment);
    }
    const { author } = segment;
    const node: Node = { hash: entry.hash, segment, sequence: entry.sequence, clock: entry.clock };
    segment.nodes.push(node);
    this.nodes.set(node.hash, node);
    if (previous !== undefined) this.heads.delete(previous);
    for (const parent of parents) {
      this.heads.delete(parent);
      markHeld(author, parent);
    }
    markHeld(author, node);
    this.heads.add(node);
    if (node.clock > this.clock) this.clock = node.clock;
    this.#digest = undefined;
    return node;
  }

  /** SHA-256 over the sorted tip hashes: equal on two peers exactly when their logs are. */
  digest(): Uint8Array {
    if (this.#digest === undefined) {
      const tips: EntryHash[] = [];
      for (const segment of this.tips) tips.push(lastOf(segment).hash);
      tips.sort();
      this.#digest = digest("sha256", Buffer.from(tips.join(""), "hex"), "buffer");
    }
    return this.#digest;
  }

  /** Every node in total order. */
  ordered(): Node[] {
    return [...this.nodes.values()].sort(compareNodes);
  }
}

/** Notes that `author` holds `node`, and so everything before it on its chain. */
export function markHeld(author: Author, node: Node): boolean {
  let changed = false;
  let at: Node | undefined = node;
  while (at !== undefined) {
    const known = author.holds.get(at.segment) ?? 0;
    if (known >= at.sequence) break;
    author.holds.set(at.segment, at.sequence);
    changed = true;
    at = at.segment.base;
  }
  return changed;
}

/** True when `author` is known to hold `node`. */
export function isHeld(author: Author, node: Node): boolean {
  return (author.holds.get(node.segment) ?? 0) >= node.sequence;
}

/**
 * The nodes of one chain that lead to `tip`, after the last of `known` that is among them, the newest run first. Each is
 * `nodes[first]` up to and including `nodes[last]` of one segment. `steps`: how many segments were looked at.
 */
export function runsAfter(
  tip: Node,
  known: Iterable<Node>,
): { runs: { nodes: readonly Node[]; first: number; last: number }[]; steps: number } {
  const upTo = new Map<Segment, number>();
  for (let at: Node | undefined = tip; at !== undefined; at = at.segment.base)
    upTo.set(at.segment, at.sequence);
  let after = 0;
  for (const { segment, sequence } of known)
    if (sequence <= (upTo.get(segment) ?? 0)) after = Math.max(after, sequence);
  const runs: { nodes: readonly Node[]; first: number; last: number }[] = [];
  for (const [{ nodes, start }, sequence] of upTo)
    if (sequence > after) runs.push({ nodes, first: Math.max(after + 1 - start, 0), last: sequence - start });
  return { runs, steps: upTo.size };
}

/** The nodes of one chain from `tip` back to its first, one of every few: steps of 4, 16, 64, … entries. */
export function* samples(tip: Node): Generator<Node> {
  let at: Node | undefined = tip;
  for (let step = 4; at !== undefined; step *= 4) {
    const wanted: number = at.sequence - step;
    if (at.sequence > 1 && wanted < 1) at = nodeAt(at, 1);
    else at = wanted < 1 ? undefined : nodeAt(at, wanted);
    if (at !== undefined) yield at;
  }
}

/** The node with this sequence on the way back from `tip`. */
function nodeAt(tip: Node, sequence: number): Node | undefined {
  let { segment } = tip;
  while (sequence < segment.start && segment.base !== undefined) segment = segment.base.segment;
  return segment.nodes[sequence - segment.start];
}
