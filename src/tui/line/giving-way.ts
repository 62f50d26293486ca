/**
 * Turns for a loop that may never have to wait.
 *
 * What reads a pipe goes on in microtasks as long as bytes are there and nothing has to be awaited of the network, and
 * microtasks come before sockets, timers and signals: `yes '' | rtchat client` would hear nothing any more, not even that
 * it shall end. So whoever loops asks between two steps. The question costs a look at the clock; the answer is a promise
 * only once a turn, so that lines that come one by one never wait for it.
 */
import type { Clock } from "../../protocol/clock.ts";

export class GivingWay {
  readonly #clock: Clock;
  readonly #turnMs: number;
  #since: number;

  /** @param turnMs how long the loop may run before others have their turn */
  constructor(clock: Clock, turnMs: number) {
    this.#clock = clock;
    this.#turnMs = turnMs;
    this.#since = clock.monotonic();
  }

  /** Undefined while the turn lasts; else a promise that resolves when sockets, timers and signals have been heard. */
  due(): Promise<void> | undefined {
    if (this.#clock.monotonic() - this.#since < this.#turnMs) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#clock.after(0, () => {
      this.#since = this.#clock.monotonic();
      resolve();
    });
    return promise;
  }
}
