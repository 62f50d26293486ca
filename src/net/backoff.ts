/**
 * How long to wait before the next attempt: exponential with full jitter, so that many clients that lost the same
 * server do not come back in the same moment (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
 * 2015: full jitter makes the fewest calls of the variants compared there).
 */
import type { Random } from "../protocol/clock.ts";

/** Bounds of a {@link Backoff}, ms. */
export interface BackoffOptions {
  /** The first wait is below this. */
  readonly firstMs: number;
  /** No wait is above this. */
  readonly mostMs: number;
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

  /** The next wait in ms: random in [0, min(most, first × 2^attempts)). */
  next(): number {
    const { firstMs, mostMs } = this.#options;
    const ceiling = Math.min(mostMs, firstMs * 2 ** Math.min(this.#attempts, 30));
    this.#attempts += 1;
    return this.#random() * ceiling;
  }

  /** After a success: the next wait is short again. */
  reset(): void {
    this.#attempts = 0;
  }
}
