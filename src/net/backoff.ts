/**
 * How long to wait before the next attempt: exponential with full jitter, so that many clients that lost the same
 * server do not come back in the same moment (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
 * 2015: full jitter makes the fewest calls of the variants compared there).
 */
import type { Random } from "../protocol/clock.ts";

/** Bounds of a wait, ms. */
export interface BackoffOptions {
  /** The first wait is below this. */
  readonly firstMs: number;
  /** No wait is above this. */
  readonly mostMs: number;
}

/**
 * One wait in ms: random in [0, min(most, first × 2^failures)).
 * @param failures how many times it failed before, from 0
 */
export function backoffDelay(failures: number, { firstMs, mostMs }: BackoffOptions, random: Random): number {
  // 2^30 is beyond any sensible maximum; without the bound a long outage would overflow into Infinity × 0.
  return random() * Math.min(mostMs, firstMs * 2 ** Math.min(failures, 30));
}

/** Waits between attempts. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #attempts = 0;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** Attempts since the last success. */
  get attempts(): number {
    return this.#attempts;
  }

  /** The next wait in ms, see {@link backoffDelay}. */
  next(): number {
    const delay = backoffDelay(this.#attempts, this.#options, this.#random);
    this.#attempts += 1;
    return delay;
  }

  /** After a success: the next wait is short again. */
  reset(): void {
    this.#attempts = 0;
  }
}
