/**
 * How fast one client relays, over all its streams: a token bucket somewhat smaller than the server's, so that the server
 * never has to refuse a frame, which would break a stream.
 */
import type { Clock } from "../../protocol/clock.ts";
import { introductionLimits } from "../../protocol/limits.ts";
import { relayLimits } from "../../protocol/limits.peer.ts";

/** See above. Counts characters of base64. */
export class RelayPace {
  readonly #clock: Pick<Clock, "monotonic">;
  #tokens: number = relayLimits.paceBurst;
  #at: number;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
    this.#at = clock.monotonic();
  }

  /** Takes what a frame costs. @returns 0, or how many ms to wait before asking again; then nothing was taken */
  take(characters: number): number {
    const cost = Math.max(characters, introductionLimits.relayLeast);
    this.#earn();
    if (this.#tokens < cost) return Math.ceil(((cost - this.#tokens) * 1_000) / relayLimits.paceCharacters);
    this.#tokens -= cost;
    return 0;
  }

  /** Counts a frame that cannot wait, such as an ack. */
  spend(): void {
    this.#earn();
    this.#tokens -= introductionLimits.relayLeast;
  }

  #earn(): void {
    const now = this.#clock.monotonic();
    const earned = ((now - this.#at) * relayLimits.paceCharacters) / 1_000;
    this.#tokens = Math.min(relayLimits.paceBurst, this.#tokens + earned);
    this.#at = now;
  }
}
