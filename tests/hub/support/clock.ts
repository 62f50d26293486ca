/** A clock that stands still until it is told to go on. */
import type { Clock, Timer } from "../../../src/protocol/clock.ts";

interface Due {
  readonly at: number;
  readonly run: () => void;
}

export class TestClock implements Clock {
  #now = 1_000_000;
  readonly #timers = new Set<Due>();

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): Timer {
    const due = { at: this.#now + ms, run };
    this.#timers.add(due);
    return { stop: () => this.#timers.delete(due) };
  }

  every(ms: number, run: () => void): Timer {
    let current: Timer;
    const again = (): void => {
      current = this.after(ms, again);
      run();
    };
    current = this.after(ms, again);
    return { stop: () => current.stop() };
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets time pass, firing what is due in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      let first: Due | undefined;
      for (const due of this.#timers)
        if (due.at <= end && (first === undefined || due.at < first.at)) first = due;
      if (first === undefined) break;
      this.#timers.delete(first);
      this.#now = first.at;
      first.run();
    }
    this.#now = end;
  }
}
