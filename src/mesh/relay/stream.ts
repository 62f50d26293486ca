/**
 * One stream over the relay: bytes in order both ways, or an end. PROTOCOL.md, "Directly", is normative.
 *
 * The server that carries it may lose frames (a hand-over) and keeps nothing, so nothing here is repaired: a frame out of
 * turn, or silence where an ack is owed, breaks the stream, and whoever needs one begins another; what was under way in
 * it the mesh's log brings again. A stream that has not broken has delivered every byte in order.
 *
 * Bounded: at most a window of bytes is under way, no more is taken from the writer than one chunk, and what is received
 * is bounded by the other side's window, because it is acknowledged only when it has been handed on.
 */
import { Duplex } from "node:stream";
import type { Clock, Timer } from "../../protocol/clock.ts";
import { relayLimits } from "../../protocol/limits.peer.ts";
import type { RelayPace } from "./pace.ts";

/** What goes over the relay, but for whom it is for. */
export interface RelayFrame {
  readonly stream: string;
  readonly seq?: number | undefined;
  /** base64. */
  readonly data?: string | undefined;
  /** Bytes received in this stream. */
  readonly ack?: number | undefined;
  readonly end?: true | undefined;
}

/** What a stream needs. */
export interface RelayStreamOptions {
  readonly stream: string;
  readonly clock: Clock;
  /** Shared by all streams of this client. */
  readonly pace: RelayPace;
  /** Gives a frame to the server. False when there is no connection to it. */
  readonly send: (frame: RelayFrame) => boolean;
}

/** See above. */
export class RelayStream extends Duplex {
  readonly stream: string;
  readonly #options: RelayStreamOptions;
  /** What the writer gave and is not sent yet, and whom to tell when it is. */
  #rest: Uint8Array = new Uint8Array(0);
  #taken: ((error?: Error) => void) | undefined;
  #seqOut = 0;
  #sent = 0;
  #ackedByThem = 0;
  #seqIn = 0;
  #received = 0;
  #ackedByUs = 0;
  #ackTimer: Timer | undefined;
  #silence: Timer | undefined;
  #paced: Timer | undefined;
  /** Both sides know that it is over. */
  #ended = false;

  constructor(options: RelayStreamOptions) {
    super({ allowHalfOpen: false, highWaterMark: relayLimits.windowBytes });
    this.stream = options.stream;
    this.#options = options;
  }

  /** A frame of this stream came. */
  receive({ seq, data, ack, end }: RelayFrame): void {
    if (this.destroyed) return;
    if (ack !== undefined) this.#acknowledged(ack);
    if (data !== undefined) this.#arrived(seq, data);
    if (end !== true || this.destroyed) return;
    this.#ended = true;
    this.push(null);
    // Whoever reads gets what came before the end, and then the end.
    queueMicrotask(() => this.destroy());
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#rest = chunk;
    this.#taken = done;
    this.#pump();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#sendEnd();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#ackTimer?.stop();
    this.#silence?.stop();
    this.#paced?.stop();
    this.#sendEnd();
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.(error ?? new Error("the stream is over"));
    done(error);
  }

  #sendEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.send({ stream: this.stream, end: true });
  }

  #pump(): void {
    const { pace, clock, send } = this.#options;
    this.#paced?.stop();
    this.#paced = undefined;
    while (this.#rest.length > 0) {
      const room = relayLimits.windowBytes - (this.#sent - this.#ackedByThem);
      if (room <= 0) return;
      const bytes = this.#rest.subarray(0, Math.min(room, relayLimits.frameBytes));
      const data = Buffer.from(bytes).toString("base64");
      const waitMs = pace.take(data.length);
      if (waitMs > 0) {
        this.#paced = clock.after(waitMs, () => this.#pump());
        return;
      }
      const ack = this.#owedAck();
      if (!send({ stream: this.stream, seq: this.#seqOut, data, ...(ack === undefined ? {} : { ack }) })) {
        this.destroy(new Error("no connection to the server that relays"));
        return;
      }
      this.#seqOut += 1;
      this.#sent += bytes.length;
      this.#rest = this.#rest.subarray(bytes.length);
      this.#watch();
    }
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }

  /** Somebody owes us an ack: not for ever. */
  #watch(): void {
    this.#silence ??= this.#options.clock.after(relayLimits.silenceMs, () =>
      this.destroy(new Error("what was sent through the relay is not acknowledged")),
    );
  }

  #acknowledged(ack: number): void {
    if (ack > this.#sent) {
      this.destroy(new Error("they acknowledge what was not sent"));
      return;
    }
    if (ack <= this.#ackedByThem) return;
    this.#ackedByThem = ack;
    this.#silence?.stop();
    this.#silence = undefined;
    if (ack < this.#sent) this.#watch();
    if (this.#paced === undefined) this.#pump();
  }

  #arrived(seq: number | undefined, data: string): void {
    if (seq !== this.#seqIn) {
      this.destroy(new Error("a frame was lost on its way through the relay"));
      return;
    }
    const bytes = Buffer.from(data, "base64");
    if (bytes.length === 0 || bytes.length > relayLimits.frameBytes) {
      this.destroy(new Error("a frame of the relay holds no data, or too much"));
      return;
    }
    this.#seqIn += 1;
    this.#received += bytes.length;
    this.push(bytes);
    if (this.destroyed) return;
    if (this.#received - this.#ackedByUs >= relayLimits.ackBytes) this.#acknowledge();
    else this.#ackTimer ??= this.#options.clock.after(relayLimits.ackMs, () => this.#acknowledge());
  }

  #owedAck(): number | undefined {
    if (this.#received === this.#ackedByUs) return undefined;
    this.#ackTimer?.stop();
    this.#ackTimer = undefined;
    this.#ackedByUs = this.#received;
    return this.#received;
  }

  #acknowledge(): void {
    const ack = this.#owedAck();
    if (ack === undefined) return;
    this.#options.pace.spend();
    this.#options.send({ stream: this.stream, ack });
  }
}
