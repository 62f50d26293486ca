/**
 * Counting by address for the door: who has how many connections open, and how fast new ones come.
 *
 * The rate is a token bucket kept as one number, the time at which it will be full again (the generic cell rate algorithm
 * of ATM, ITU-T I.371): what is missing from the bucket is how far that lies ahead. So a bucket of several processes can
 * be one cell of memory that they share (shared-tally.ts).
 *
 * Invariant here: `#open` holds exactly the keys with open connections; `#fullAt` at most `addresses` of them, the least
 * recently used forgotten first (its bucket would most likely have filled up again).
 */
import type { Clock } from "../protocol/clock.ts";
import { doorLimits } from "../protocol/limits.balancer.ts";

/** Counts by key, for one process or for several. */
export interface Tally {
  /**
   * Counts one more in, unless `most` are open (0: no limit).
   * @returns whether it did, and how many others are open
   */
  add(key: string, most: number): { readonly counted: boolean; readonly others: number };
  /** One that was counted in is gone. */
  remove(key: string): void;
  /** Takes a token from the bucket of `key`, which gains `perSecond` of them. @returns false if it is empty */
  spend(key: string, perSecond: number): boolean;
}

/** Sums of intervals that are no whole milliseconds come out a little long. */
const ROUNDING_MS = 1e-6;

/**
 * Takes a token.
 * @param fullAt when the bucket will be full, ms
 * @returns when it will be full now; undefined if it is empty
 */
export function spendToken(fullAt: number, now: number, perSecond: number): number | undefined {
  const intervalMs = 1_000 / perSecond;
  const next = Math.max(fullAt, now) + intervalMs;
  return next - now > doorLimits.burstSeconds * 1_000 + ROUNDING_MS ? undefined : next;
}

/** Counts of this process alone. */
export class LocalTally implements Tally {
  readonly #clock: Clock;
  readonly #open = new Map<string, number>();
  readonly #fullAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(key: string, most: number): { counted: boolean; others: number } {
    const others = this.#open.get(key) ?? 0;
    if (most > 0 && others >= most) return { counted: false, others };
    this.#open.set(key, others + 1);
    return { counted: true, others };
  }

  remove(key: string): void {
    const open = this.#open.get(key);
    if (open === undefined) return;
    if (open === 1) this.#open.delete(key);
    else this.#open.set(key, open - 1);
  }

  spend(key: string, perSecond: number): boolean {
    const before = this.#fullAt.get(key) ?? 0;
    const after = spendToken(before, this.#clock.monotonic(), perSecond);
    this.#fullAt.delete(key);
    this.#fullAt.set(key, after ?? before);
    if (this.#fullAt.size > doorLimits.addresses) {
      const [oldest] = this.#fullAt.keys();
      if (oldest !== undefined) this.#fullAt.delete(oldest);
    }
    return after !== undefined;
  }
}
