/**
 * Taking entries into the log: every rule of PROTOCOL.md, "What makes an entry valid", in the order given there.
 *
 * Whether an entry is valid depends on the entry and on what it builds on, and on nothing else: not on who brought it, not
 * on the order of arrival, not on what else is here. So all peers that hold the same entries agree, whatever happened
 * between. The two exceptions only delay: an entry whose parent is missing waits, and one from the far future is held
 * back.
 *
 * The graph is changed at once, the disk afterwards (core.ts commits a whole frame in one go); when the disk refuses, the
 * core builds the graph again from what the disk has.
 */
import { logLimits } from "../../protocol/limits.mesh.ts";
import type { EntryHash } from "./api.ts";
import type { Body } from "./bodies.ts";
import { FormatError, fromHex } from "./bytes.ts";
import type { Codec } from "./codec.ts";
import { authorBytes, type Entry } from "./entry.ts";
import { Graph, lastOf, type Basis, type Node } from "./graph.ts";
import { meshIdOf } from "./mesh-id.ts";
import type { ReasonCode } from "./reasons.ts";
import { Waiting, type Arrival } from "./waiting.ts";

/** An entry that was taken. */
export interface Accepted extends Arrival {
  readonly node: Node;
  /** The author signed another entry under the same number, for the 1st, 2nd, 4th, … time: who cheats is not told of each time. */
  readonly fork: boolean;
}

/** Something wrong with what a link brought. `origin` is the key of its peer. */
export interface Complaint {
  readonly origin: string | undefined;
  readonly code: ReasonCode;
  readonly detail: string;
}

/** What one frame did to the log. */
export interface Batch {
  readonly accepted: Accepted[];
  readonly complaints: Complaint[];
}

/** What became of one offered entry. */
export type Verdict =
  | { readonly status: "accepted" | "refused" }
  | { readonly status: "known"; readonly node: Node }
  | { readonly status: "waiting"; readonly entry: Entry; readonly missing: EntryHash }
  | { readonly status: "held"; readonly entry: Entry }
  /** Of a chain too many: refused, but whoever brought it may have taken it, where another one was too many. */
  | { readonly status: "excess"; readonly entry: Entry };

const accepted = { status: "accepted" } as const;
const refused = { status: "refused" } as const;

/** The log of one mesh, in memory. */
export class Log {
  readonly graph = new Graph();
  readonly waiting = new Waiting();
  /** Entries that admit a key, by hash. */
  readonly admissions = new Map<EntryHash, string>();
  readonly #meshId: Buffer;
  readonly #codec: Codec;
  readonly #now: () => number;

  constructor(meshId: Uint8Array, codec: Codec, now: () => number) {
    this.#meshId = Buffer.from(meshId);
    this.#codec = codec;
    this.#now = now;
  }

  /** Offers what a link brought. Whatever it lets into the log goes to `batch`, and so do complaints. */
  offer(bytes: Uint8Array, origin: string, batch: Batch): Verdict {
    const complain = (code: ReasonCode, detail: string): typeof refused => {
      batch.complaints.push({ origin, code, detail });
      return refused;
    };
    let arrival: Arrival;
    try {
      const hash = this.#codec.hash(bytes);
      const node = this.graph.nodes.get(hash);
      if (node !== undefined) return { status: "known", node };
      const waits = this.waiting.get(hash);
      if (waits !== undefined) return { status: "waiting", ...waits };
      const entry = this.#codec.entry(bytes, hash);
      const key = this.graph.authors.get(entry.author)?.bytes ?? authorBytes(entry);
      if (!this.#codec.isSigned(entry, key, this.#meshId))
        return complain("bad-signature", `entry ${short(hash)} by ${short(entry.author)}`);
      arrival = { entry, body: this.#codec.body(entry), origin };
    } catch (error) {
      if (error instanceof FormatError) return complain("bad-entry", error.message);
      throw error;
    }
    const verdict = this.#place(arrival, batch);
    if (verdict.status === "accepted") this.#releaseWaiting(arrival.entry.hash, batch);
    return verdict;
  }

  /**
   * Adds an entry without checks: our own, or one that the store gives back.
   * @throws FormatError when something it builds on is not here
   */
  add(entry: Entry, body: Body): Accepted {
    const basis = this.graph.basisOf(entry);
    if (typeof basis === "string") throw new FormatError(`${short(basis)}, which it builds on, is missing`);
    return this.#add({ entry, body, origin: undefined }, basis);
  }

  #add(arrival: Arrival, basis: Basis): Accepted {
    const { entry, body } = arrival;
    const fork = this.graph.isFork(entry, basis);
    if (body.kind === "admit") this.admissions.set(entry.hash, body.member);
    if (body.kind === "found") this.admissions.set(entry.hash, entry.author);
    const node = this.graph.add(entry, basis);
    const { forks } = node.segment.author;
    return { ...arrival, node, fork: fork && (forks & (forks - 1)) === 0 };
  }

  #releaseWaiting(hash: EntryHash, batch: Batch): void {
    const arrived = [hash];
    for (let next = arrived.pop(); next !== undefined; next = arrived.pop()) {
      for (const arrival of this.waiting.release(next)) {
        if (this.#place(arrival, batch).status === "accepted") arrived.push(arrival.entry.hash);
      }
    }
  }

  /** Everything that needs the log. */
  #place(arrival: Arrival, batch: Batch): Verdict {
    const { entry, body, origin } = arrival;
    if (entry.clock > (this.#now() + logLimits.clockAheadMs) * 1000) {
      batch.complaints.push({
        origin,
        code: "clock-ahead",
        detail: `by ${hoursAhead(entry, this.#now())} h`,
      });
      return { status: "held", entry };
    }
    const basis = this.graph.basisOf(entry);
    if (typeof basis === "string") {
      this.waiting.add(arrival, basis);
      return { status: "waiting", entry, missing: basis };
    }
    const fault = this.#faultOf(entry, body, basis);
    if (fault !== undefined) {
      const detail = `entry ${short(entry.hash)} by ${short(entry.author)}`;
      batch.complaints.push({ origin, code: fault, detail });
      return fault === "too-many-chains" ? { status: "excess", entry } : refused;
    }
    batch.accepted.push(this.#add(arrival, basis));
    return accepted;
  }

  #faultOf(entry: Entry, body: Body, { previous, parents }: Basis): ReasonCode | undefined {
    if (previous !== undefined) {
      const { segment, sequence, clock } = previous;
      const fits = segment.author.key === entry.author && segment.chain === entry.chain;
      if (!fits || entry.sequence !== sequence + 1) return "bad-chain";
      if (entry.clock <= clock) return "clock-order";
    }
    if (parents.some((parent) => parent.clock >= entry.clock)) return "clock-order";
    if (body.kind === "found") {
      if (entry.sequence !== 1 || entry.parents.length > 0) return "bad-chain";
      const id = meshIdOf(authorBytes(entry), fromHex(body.nonce));
      if (!this.#meshId.equals(id)) return "not-admitted";
    } else if (entry.sequence === 1) {
      const admitted = entry.parents.some((parent) => this.admissions.get(parent) === entry.author);
      if (!admitted) return "not-admitted";
    }
    const goesOn = previous !== undefined && lastOf(previous.segment) === previous;
    if (!goesOn && !this.waiting.isMissed(entry.hash)) {
      const own = this.graph.author(entry.author).segments.length;
      // An author's first is always taken: one who starts too many must not keep others from joining.
      const isFull = this.graph.tips.size >= logLimits.tipsMost && own > 0;
      if (isFull || own >= logLimits.tipsPerAuthor) return "too-many-chains";
    }
    return undefined;
  }
}

/** The start of a hash or key, for messages. */
export function short(hex: string): string {
  return hex.slice(0, 12);
}

function hoursAhead(entry: Entry, now: number): number {
  return Math.round((entry.clock / 1000 - now) / 3_600_000);
}
