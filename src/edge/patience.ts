/**
 * How long a hub may be silent before it is taken for dead.
 *
 * A fixed time does harm on a machine that has too much to do: hubs that answer late, but answer, are left one after the
 * other, and moving their people gives the machine more to do still. So the time is twice the longest silence that was seen of
 * late, between two bounds: a hub that answers in time is missed as soon as the lower one says, and one that was given up too
 * soon is given more time when it is there again. What was seen counts half after a while.
 *
 * It belongs to the hub's address and not to a trunk, which ends with each mistake.
 */
import { trunkLimits } from "../protocol/limits.ts";

/** Bounds of a patience, ms; trunkLimits fits. */
export type PatienceLimits = {
  readonly [Name in "silenceMs" | "silenceMostMs" | "silenceHalfMs"]: number;
};

/** See above. Times are monotonic ms. */
export class Patience {
  readonly #limits: PatienceLimits;
  #longestMs = 0;
  #at = 0;

  constructor(limits: PatienceLimits = trunkLimits) {
    this.#limits = limits;
  }

  /** The hub was silent for so long, whether it has spoken now or was given up. */
  silent(ms: number, now: number): void {
    const { silenceMs, silenceMostMs } = this.#limits;
    // Nearly always: every chunk ends a silence.
    if (2 * ms <= silenceMs || ms < this.#longest(now)) return;
    this.#longestMs = Math.min(ms, silenceMostMs);
    this.#at = now;
  }

  /** How long it may be silent now. */
  ms(now: number): number {
    const { silenceMs, silenceMostMs } = this.#limits;
    return Math.min(silenceMostMs, Math.max(silenceMs, 2 * this.#longest(now)));
  }

  #longest(now: number): number {
    return this.#longestMs * 0.5 ** ((now - this.#at) / this.#limits.silenceHalfMs);
  }
}
