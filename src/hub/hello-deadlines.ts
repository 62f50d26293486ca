/**
 * Sessions that have not said hello: all may take equally long, so they are kept in the order in which they came, and one
 * timer, for the first of them, serves all.
 *
 * Invariant: while anybody waits a timer runs that ends no later than the first deadline.
 */
import type { Clock, Timer } from "../protocol/clock.ts";

/** What waits. */
interface Late {
  /** It has not said hello in time. It is forgotten already. */
  helloIsLate(): void;
}

/** See above. */
export class HelloDeadlines {
  readonly #clock: Clock;
  readonly #helloMs: number;
  /** Deadlines, monotonic ms. */
  readonly #waiting = new Map<Late, number>();
  #timer: Timer | undefined;

  constructor(clock: Clock, helloMs: number) {
    this.#clock = clock;
    this.#helloMs = helloMs;
  }

  add(session: Late): void {
    this.#waiting.set(session, this.#clock.monotonic() + this.#helloMs);
    this.#timer ??= this.#clock.after(this.#helloMs, () => this.#look());
  }

  delete(session: Late): void {
    this.#waiting.delete(session);
  }

  stop(): void {
    this.#timer?.stop();
    this.#timer = undefined;
    this.#waiting.clear();
  }

  #look(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const [session, deadline] of this.#waiting) {
      // A timer may fire a fraction early.
      if (deadline - now >= 1) {
        this.#timer = this.#clock.after(deadline - now, () => this.#look());
        return;
      }
      this.#waiting.delete(session);
      session.helloIsLate();
    }
  }
}
