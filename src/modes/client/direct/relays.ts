/**
 * The relay of one pair: when a stream is begun, by whom, and what becomes of its end.
 *
 * The side with the lower ID begins, once the direct addresses have had their time, and again after each end, with longer
 * and longer pauses while nothing comes of it. The other side takes what comes. At most one stream is open on either side;
 * a newer one takes the place of the older, which was lost with whatever server carried it.
 */
import type { PeerId } from "../../../identity/peer-id.ts";
import type { RelayPace } from "../../../mesh/relay/pace.ts";
import { RelayStream, type RelayFrame } from "../../../mesh/relay/stream.ts";
import { tlsInPipe } from "../../../net/tls-pipe.ts";
import type { TlsIdentity } from "../../../net/tls-dial.ts";
import type { TlsSocket } from "../../../net/tls-socket.ts";
import type { Clock } from "../../../protocol/clock.ts";
import { directLimits } from "../../../protocol/limits.peer.ts";

/** What the relay of a pair needs. */
export interface RelaysOptions {
  readonly self: PeerId;
  readonly partner: PeerId;
  readonly clock: Clock;
  readonly pace: RelayPace;
  readonly tls: TlsIdentity;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Whether there is any link. */
  readonly isLinked: () => boolean;
  /** Gives a frame to the server; false when it cannot be given now. */
  readonly send: (frame: RelayFrame) => boolean;
  readonly opened: (socket: TlsSocket) => void;
}

/** See above. */
export class Relays {
  readonly #options: RelaysOptions;
  #open: RelayStream | undefined;
  /** When to begin, monotonic ms. */
  #beginAt: number;
  #failures = 0;
  /** Why the last stream came to nothing, for `/why`. */
  #lastFailure: string | undefined;
  #stopped = false;

  /** @param patienceMs how long direct addresses are tried before */
  constructor(options: RelaysOptions, patienceMs: number) {
    this.#options = options;
    this.#beginAt = options.clock.monotonic() + patienceMs;
  }

  get lastFailure(): string | undefined {
    return this.#lastFailure;
  }

  /** Begins a stream if one is due. @param isPossible the server would take it */
  tick(isPossible: boolean): void {
    const { self, partner, clock, isLinked, randomBytes } = this.#options;
    if (isLinked()) this.#failures = 0;
    if (!isPossible || self > partner || this.#open !== undefined || isLinked()) return;
    if (clock.monotonic() < this.#beginAt) return;
    this.#begin(Buffer.from(randomBytes(12)).toString("base64url"), true);
  }

  /** A link ended, or the way to the server is back: the next stream need not wait. */
  hurry(): void {
    this.#beginAt = Math.min(this.#beginAt, this.#options.clock.monotonic() + directLimits.relayAgainMs);
    this.#failures = 0;
  }

  /** A frame came from the partner. */
  receive(frame: RelayFrame): void {
    if (this.#stopped) return;
    if (frame.stream !== this.#open?.stream) {
      // Only the other side's beginning is a new stream; all else belongs to one that is over.
      const begins =
        frame.seq === 0 && frame.data !== undefined && this.#options.self > this.#options.partner;
      if (!begins) return;
      this.#open?.destroy();
      this.#begin(frame.stream, false);
    }
    this.#open?.receive(frame);
  }

  /** The server did not take a frame of this stream. */
  refused(stream: string, message: string): void {
    if (this.#open?.stream === stream) this.#open.destroy(new Error(message));
  }

  stop(): void {
    this.#stopped = true;
    this.#open?.destroy();
  }

  #begin(stream: string, dials: boolean): void {
    const { clock, pace, send, tls, opened } = this.#options;
    const pipe = new RelayStream({ stream, clock, pace, send });
    this.#open = pipe;
    pipe.on("error", (error) => {
      this.#lastFailure = error.message;
    });
    pipe.on("close", () => this.#over(pipe));
    tlsInPipe({
      pipe,
      dials,
      identity: tls,
      clock,
      name: "relay",
      opened,
      failed: ({ detail }) => {
        this.#lastFailure = detail;
      },
    });
  }

  #over(pipe: RelayStream): void {
    if (this.#open !== pipe) return;
    this.#open = undefined;
    const pauseMs = Math.min(directLimits.relayPauseMostMs, directLimits.relayAgainMs * 2 ** this.#failures);
    this.#failures += 1;
    this.#beginAt = this.#options.clock.monotonic() + pauseMs;
  }
}
