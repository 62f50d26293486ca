/**
 * Time and chance as parameters.
 *
 * Whatever depends on time or chance takes these, so that a test can replay a day in a millisecond and the same seed
 * gives the same run. Only `modes` passes the real ones.
 */

/** A timer that can be stopped. Stopping twice, or after it fired, does nothing. */
export interface Timer {
  stop(): void;
}

/** Milliseconds and timers. */
export interface Clock {
  /** Wall clock, ms since 1970: for what people see. May jump. */
  now(): number;
  /** Monotonic ms from an arbitrary start: for measuring. */
  monotonic(): number;
  /** Calls `run` once after `ms`. */
  after(ms: number, run: () => void): Timer;
  /** Calls `run` every `ms`. */
  every(ms: number, run: () => void): Timer;
}

/** A number in [0, 1), as Math.random. */
export type Random = () => number;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const handle = setTimeout(run, ms);
    return { stop: () => clearTimeout(handle) };
  },
  every(ms, run) {
    const handle = setInterval(run, ms);
    return { stop: () => clearInterval(handle) };
  },
};

/** A small, fast, seeded generator for tests and simulations (mulberry32; not for secrets). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
