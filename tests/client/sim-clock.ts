/** A clock that stands still until it is told to go on: a day of a client's life in a millisecond. */
import type { Clock, Timer } from "../../src/protocol/clock.ts";

export class SimClock implements Clock {
  #now = 0;
  #order = 0;
  #timers: { at: number; order: number; run: () => void; every: number | undefined }[] = [];

  now(): number {
    return 1_700_000_000_000 + this.#now;
  }
  monotonic(): number {
    return this.#now;
  }
  after(ms: number, run: () => void): Timer {
    return this.#add(ms, run, undefined);
  }
  every(ms: number, run: () => void): Timer {
    return this.#add(ms, run, ms);
  }

  #add(ms: number, run: () => void, every: number | undefined): Timer {
    this.#order += 1;
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order, run, every };
    this.#timers.push(timer);
    return {
      stop: () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
      },
    };
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#timers.length;
  }

  /** Runs whatever is due in the next `ms`, in order of time, then of setting. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((one) => one.at <= end);
      const next = due.sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      if (next.every === undefined) this.#timers = this.#timers.filter((one) => one !== next);
      else next.at += next.every;
      next.run();
    }
    this.#now = end;
  }

  /** Advances in small steps until `done`, for at most `ms`. @returns whether it was done in time */
  until(done: () => boolean, ms: number, step = 10): boolean {
    for (let passed = 0; passed <= ms; passed += step) {
      if (done()) return true;
      this.advance(step);
    }
    return done();
  }
}
