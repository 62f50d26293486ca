/** When a log has come to rest, so that what a person looks for can stand below it. */
import type { Clock } from "../../protocol/clock.ts";

export class Quiet {
  readonly #clock: Clock;
  #lastAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastAt = clock.monotonic();
  }

  /** A line was written. */
  broken(): void {
    this.#lastAt = this.#clock.monotonic();
  }

  /** Resolves when nothing was written for `quietMs`, and at the latest after `mostMs`. */
  comes(quietMs: number, mostMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const clock = this.#clock;
    const latest = clock.monotonic() + mostMs;
    const look = (): void => {
      const now = clock.monotonic();
      const wait = Math.min(this.#lastAt + quietMs, latest) - now;
      if (wait <= 0) resolve();
      else clock.after(wait, look);
    };
    look();
    return promise;
  }
}
