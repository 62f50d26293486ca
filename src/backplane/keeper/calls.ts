/**
 * Calls to the keeper that are under way.
 *
 * A call is kept until it is answered or its time is over, and is repeated to the next keeper when one takes over: every
 * call is idempotent (publishes by their key), so an answer that was lost with the old keeper is given by the new one.
 *
 * Invariant: calls are in the order made, which is also the order of their deadlines and of repetition.
 */
import type { Clock } from "../../protocol/clock.ts";
import type { FrameWriter } from "../../protocol/frames.ts";
import type { BackplaneFailure, Done, Publication, Snapshot } from "../backplane.ts";
import { unavailable } from "../failures.ts";
import { Op } from "./wire.ts";

/** One call. Exactly one of `answered` and `failed` is called, once. */
export interface Call {
  /** Writes the question; again after each takeover. */
  write(writer: FrameWriter, number: number): void;
  /** The keeper's answer; its shape is the question's. */
  answered(answer: unknown): void;
  failed(failure: BackplaneFailure): void;
  /** What it keeps in memory, bytes. */
  readonly bytes: number;
}

interface Pending {
  readonly call: Call;
  readonly deadline: number;
}

/** Bounds of a CallTable. */
export interface CallLimits {
  readonly callsUnderWay: number;
  readonly callBytesUnderWay: number;
}

export class CallTable {
  readonly #clock: Clock;
  readonly #limits: CallLimits;
  readonly #timeoutMs: number;
  readonly #pending = new Map<number, Pending>();
  #bytes = 0;
  #number = 0;

  constructor(clock: Clock, limits: CallLimits, timeoutMs: number) {
    this.#clock = clock;
    this.#limits = limits;
    this.#timeoutMs = timeoutMs;
  }

  get size(): number {
    return this.#pending.size;
  }

  /**
   * Takes a call on and sends it if there is somebody to send it to.
   * @returns false when there are too many; the caller fails it
   */
  add(call: Call, writer: FrameWriter | undefined): boolean {
    const { callsUnderWay, callBytesUnderWay } = this.#limits;
    if (this.#pending.size >= callsUnderWay || this.#bytes + call.bytes > callBytesUnderWay) return false;
    const number = this.nextNumber();
    this.#pending.set(number, { call, deadline: this.#clock.monotonic() + this.#timeoutMs });
    this.#bytes += call.bytes;
    if (writer !== undefined) call.write(writer, number);
    return true;
  }

  /** A number for a question that is not kept. */
  nextNumber(): number {
    // Numbers wrap after four thousand million; one that is still under way then is passed over.
    do this.#number = (this.#number + 1) >>> 0;
    while (this.#pending.has(this.#number));
    return this.#number;
  }

  /** Ends a call's being under way; undefined if it was not (an answer that came twice, or too late). */
  take(number: number): Call | undefined {
    const pending = this.#pending.get(number);
    if (pending === undefined) return undefined;
    this.#pending.delete(number);
    this.#bytes -= pending.call.bytes;
    return pending.call;
  }

  /** Asks everything again. */
  repeat(writer: FrameWriter): void {
    for (const [number, { call }] of this.#pending) call.write(writer, number);
  }

  /** Fails what has been under way for too long. */
  expire(): void {
    const now = this.#clock.monotonic();
    for (const [number, { deadline }] of this.#pending) {
      if (deadline > now) return;
      this.take(number)?.failed(unavailable("the log did not answer in time; try again"));
    }
  }

  /** Fails everything. */
  failAll(failure: BackplaneFailure): void {
    for (const number of this.#pending.keys()) this.take(number)?.failed(failure);
  }
}

/** The answer to a publish. */
export interface Logged {
  readonly position: Snapshot["position"];
  readonly at: number;
  readonly duplicate: boolean;
}

/** A class, not a closure: publishes are by far the most. */
export class PublishCall implements Call {
  readonly #publication: Publication;
  readonly #done: Done<Logged>;

  constructor(publication: Publication, done: Done<Logged>) {
    this.#publication = publication;
    this.#done = done;
  }

  get bytes(): number {
    return this.#publication.body.length + (this.#publication.copy?.body.length ?? 0);
  }

  write(writer: FrameWriter, number: number): void {
    const { room, key, body, copy } = this.#publication;
    writer
      .begin(Op.Publish)
      .u32(number)
      .u8(copy === undefined ? 0 : 1)
      .field(room)
      .field(key);
    if (copy !== undefined) writer.field(copy.room).u32(copy.body.length).bytes(copy.body);
    writer.bytes(body).end();
  }

  answered(answer: unknown): void {
    const { position, at, duplicate } = answer as Logged;
    this.#done({ ok: true, position, at, duplicate });
  }

  failed(failure: BackplaneFailure): void {
    this.#done(failure);
  }
}
