/**
 * What this device's next entry builds on.
 *
 * A device writes one chain, named by random bytes that are noted in its store before the first entry. It only ever goes
 * on with a chain that this very store began: after a lost disk the old chain comes back from the others, but the device
 * cannot know whether it came back whole, and going on from the wrong place would sign two entries under one number. So
 * it begins a new chain instead. So it does when the machine died before its last entries were synced (the store then
 * forgets the chain's name), when its own chain turns out to have branched (an old
 * backup was restored, or the key is used twice) and when it was written with a clock that was far ahead.
 */
import { entryLimits, logLimits } from "../../protocol/limits.mesh.ts";
import type { CoreRandom, EntryHash, MeshStore } from "./api.ts";
import { toHex } from "./bytes.ts";
import { compareNodes, lastOf, type Graph, type Node } from "./graph.ts";

/** Where the next entry goes. */
export interface Position {
  readonly chain: string;
  readonly sequence: number;
  readonly previous: EntryHash | undefined;
  readonly clock: number;
  readonly parents: readonly EntryHash[];
}

/**
 * The note that names the chain which the store began and holds whole, to the last entry that was ever signed. A store
 * that may have lost entries that were appended `ahead` forgets it.
 */
export const chainNote = "chain";

/** The chain this device writes. */
export class OwnChain {
  readonly #key: string;
  readonly #store: MeshStore;
  readonly #random: CoreRandom;
  /** The chain in use, as noted; undefined when there is none. */
  #chain: string | undefined;

  constructor(key: string, store: MeshStore, random: CoreRandom) {
    this.#key = key;
    this.#store = store;
    this.#random = random;
    this.#chain = store.note(chainNote);
  }

  /**
   * The position of the next entry; for a new chain its name is stored first.
   * @param admissionOf tells the entry that made this device a member; undefined only for the mesh's first entry
   * @param now wall clock, ms
   * @returns undefined when the admission itself lies too far ahead of the clock
   * @throws StoreError when a new chain's name cannot be stored
   */
  next(graph: Graph, admissionOf: () => Node | undefined, now: number): Position | undefined {
    const previous = this.#last(graph);
    const most = (now + logLimits.clockAheadMs) * 1000;
    const ahead = graph.clock >= most && !othersAreAhead(graph, this.#key, most);
    if (previous !== undefined && !ahead) {
      const heads = [...graph.heads].filter((head) => head !== previous);
      return {
        chain: previous.segment.chain,
        sequence: previous.sequence + 1,
        previous: previous.hash,
        clock: Math.max(now * 1000, graph.clock + 1),
        parents: chooseParents(heads, undefined),
      };
    }
    const admission = admissionOf();
    const heads = ahead ? lastBefore(graph, most) : [...graph.heads];
    const clock = Math.max(now * 1000, ...[...heads, admission].map((node) => (node?.clock ?? 0) + 1));
    if (ahead && clock >= most) return undefined;
    const chain = toHex(this.#random.bytes(8));
    this.#store.setNote(chainNote, chain);
    this.#chain = chain;
    const parents = chooseParents(heads, admission);
    return { chain, sequence: 1, previous: undefined, clock, parents };
  }

  /** The last entry of the chain in use; undefined when there is none to go on with. */
  #last(graph: Graph): Node | undefined {
    const chain = this.#chain;
    const own = graph.authors.get(this.#key)?.segments.filter((segment) => segment.chain === chain) ?? [];
    const [only] = own;
    return own.length === 1 && only !== undefined ? lastOf(only) : undefined;
  }
}

/** True when entries of others are ahead too: then it is our clock that is behind, and theirs are already taken. */
function othersAreAhead(graph: Graph, self: string, most: number): boolean {
  return [...graph.tips].some((tip) => tip.author.key !== self && lastOf(tip).clock >= most);
}

/** The last entry of each chain with a clock below `most`. */
function lastBefore(graph: Graph, most: number): Node[] {
  return [...graph.tips].flatMap((tip) => tip.nodes.findLast((node) => node.clock < most) ?? []);
}

/** The newest heads, at most as many as fit, with the admission when it must be named; ascending by hash. */
function chooseParents(heads: readonly Node[], admission: Node | undefined): EntryHash[] {
  const chosen = new Set<EntryHash>();
  if (admission !== undefined) chosen.add(admission.hash);
  for (const head of [...heads].sort((a, b) => compareNodes(b, a))) {
    if (chosen.size === entryLimits.parentsMost) break;
    chosen.add(head.hash);
  }
  return [...chosen].sort();
}
