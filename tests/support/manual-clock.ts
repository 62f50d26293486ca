/** A clock that stands still until it is told to advance: a day of timers in a millisecond, always in the same order. */
import type { Clock, Timer } from "../../src/protocol/clock.ts";

interface Pending {
  at: number;
  readonly order: number;
  readonly run: () => void;
  readonly every: number | undefined;
}

/** See the head of this file. Starts at 1,000,000 ms. */
export class ManualClock implements Clock {
  #now = 1_000_000;
  #wallAhead = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  /** Timers that have yet to fire. */
  get timers(): number {
    return this.#pending.size;
  }

  now(): number {
    return this.#now + this.#wallAhead;
  }

  monotonic(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): Timer {
    return this.#schedule(ms, run, undefined);
  }

  every(ms: number, run: () => void): Timer {
    return this.#schedule(ms, run, ms);
  }

  #schedule(ms: number, run: () => void, every: number | undefined): Timer {
    this.#order += 1;
    const entry: Pending = { at: this.#now + Math.max(0, ms), order: this.#order, run, every };
    this.#pending.add(entry);
    return { stop: () => this.#pending.delete(entry) };
  }

  /** Somebody sets the wall clock, by so many ms: no time passes. */
  step(ms: number): void {
    this.#wallAhead += ms;
  }

  /** Lets `ms` pass, firing what falls due in order of time, then of scheduling. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      let next: Pending | undefined;
      for (const entry of this.#pending) {
        if (entry.at > end) continue;
        if (next === undefined || entry.at < next.at || (entry.at === next.at && entry.order < next.order))
          next = entry;
      }
      if (next === undefined) break;
      this.#now = Math.max(this.#now, next.at);
      if (next.every === undefined) this.#pending.delete(next);
      else next.at += Math.max(1, next.every);
      next.run();
    }
    this.#now = end;
  }
}
