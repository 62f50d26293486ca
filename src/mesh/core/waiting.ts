/**
 * Entries that came before something they build on.
 *
 * They are kept, already checked for form and signature, until the missing entry arrives. Room is bounded in number and
 * bytes; when it is used up the oldest entry of the link that brought most goes, so that one flooding peer pushes out only
 * its own. Nothing is lost by that: what is not in the log is asked for again by the next sync.
 */
import { logLimits } from "../../protocol/limits.mesh.ts";
import type { EntryHash } from "./api.ts";
import type { Body } from "./bodies.ts";
import type { Entry } from "./entry.ts";

/** A checked entry and the key of the peer whose link brought it; undefined for our own. */
export interface Arrival {
  readonly entry: Entry;
  readonly body: Body;
  readonly origin: string | undefined;
}

/** The waiting room. */
export class Waiting {
  readonly #arrivals = new Map<EntryHash, { readonly arrival: Arrival; readonly missing: EntryHash }>();
  readonly #byMissing = new Map<EntryHash, Set<EntryHash>>();
  readonly #byOrigin = new Map<string, Set<EntryHash>>();
  #bytes = 0;

  get size(): number {
    return this.#arrivals.size;
  }

  /** A waiting entry and what it waits for. */
  get(hash: EntryHash): { readonly entry: Entry; readonly missing: EntryHash } | undefined {
    const found = this.#arrivals.get(hash);
    return found && { entry: found.arrival.entry, missing: found.missing };
  }

  /** True when some waiting entry needs `hash`. */
  isMissed(hash: EntryHash): boolean {
    return this.#byMissing.has(hash);
  }

  /** Keeps an arrival until `missing` is here. */
  add(arrival: Arrival, missing: EntryHash): void {
    const { hash } = arrival.entry;
    // A copy, because the bytes are a view into a whole frame, which would stay in memory with them.
    const entry = { ...arrival.entry, bytes: Uint8Array.from(arrival.entry.bytes) };
    this.#arrivals.set(hash, { arrival: { ...arrival, entry }, missing });
    this.#bytes += entry.bytes.length;
    setOf(this.#byMissing, missing).add(hash);
    setOf(this.#byOrigin, arrival.origin ?? "").add(hash);
    while (this.#arrivals.size > logLimits.waitingEntries || this.#bytes > logLimits.waitingBytes)
      this.#dropOne();
  }

  /** Takes out everything that waited for `hash`. */
  release(hash: EntryHash): Arrival[] {
    const waiters = this.#byMissing.get(hash);
    if (waiters === undefined) return [];
    return [...waiters].flatMap((waiter) => this.#remove(waiter) ?? []);
  }

  #dropOne(): void {
    let fullest: Set<EntryHash> | undefined;
    for (const set of this.#byOrigin.values()) if (set.size > (fullest?.size ?? 0)) fullest = set;
    for (const oldest of fullest ?? []) {
      this.#remove(oldest);
      return;
    }
  }

  #remove(hash: EntryHash): Arrival | undefined {
    const found = this.#arrivals.get(hash);
    if (found === undefined) return undefined;
    const { arrival, missing } = found;
    this.#arrivals.delete(hash);
    this.#bytes -= arrival.entry.bytes.length;
    unset(this.#byMissing, missing, hash);
    unset(this.#byOrigin, arrival.origin ?? "", hash);
    return arrival;
  }
}

function setOf(map: Map<string, Set<EntryHash>>, key: string): Set<EntryHash> {
  let set = map.get(key);
  if (set === undefined) {
    set = new Set();
    map.set(key, set);
  }
  return set;
}

function unset(map: Map<string, Set<EntryHash>>, key: string, hash: EntryHash): void {
  const set = map.get(key);
  if (set?.delete(hash) === true && set.size === 0) map.delete(key);
}
