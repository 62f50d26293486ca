/**
 * Calls to the keeper that are under way.
 *
 * A call is kept until it is answered or its time is over, and is repeated to the next keeper when one takes over: every
 * call is idempotent (publishes by their key), so an answer that was lost with the old keeper is given by the new one.
 *
 * They are in a ring, by number: numbers are given in order and answered nearly in order, so a call costs a place and
 * neither a look-up nor an object of its own. One that is never answered holds the place of all that follow; so the ring is
 * bounded by itself, and further calls fail, until its time is over.
 *
 * Invariant: calls are in the order made, which is also the order of their deadlines and of repetition; `#oldest` is under
 * way, or the ring is empty.
 */
import type { Clock } from "../../protocol/clock.ts";
import type { FrameWriter } from "../../protocol/frames.ts";
import type { BackplaneFailure, Done, Publication, Snapshot } from "../backplane.ts";
import { unavailable } from "../failures.ts";
import type { PublicationWriter } from "./publications.ts";

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

/** Bounds of a CallTable. */
export interface CallLimits {
  readonly callsUnderWay: number;
  readonly callBytesUnderWay: number;
}

/** How many times as many places as calls may be under way the ring may have. */
const RING_FACTOR = 4;

/** All calls before a number were made before a time. */
interface Mark {
  readonly end: number;
  /** Monotonic ms. */
  readonly at: number;
}

export class CallTable {
  readonly #clock: Clock;
  readonly #limits: CallLimits;
  readonly #timeoutMs: number;
  /** By number, as far as it goes into the ring's length, a power of two. */
  #ring: (Call | undefined)[] = Array.from({ length: 256 });
  #oldest = 1;
  #next = 1;
  #size = 0;
  #bytes = 0;
  /** Where the numbers were at each look at the clock; a clock read for each call would be a tenth of its cost. */
  #marks: Mark[] = [];

  constructor(clock: Clock, limits: CallLimits, timeoutMs: number) {
    this.#clock = clock;
    this.#limits = limits;
    this.#timeoutMs = timeoutMs;
  }

  get size(): number {
    return this.#size;
  }

  /** Places from the oldest call to the next number. Numbers wrap after four thousand million. */
  get #span(): number {
    return (this.#next - this.#oldest) >>> 0;
  }

  /**
   * Takes a call on and sends it if there is somebody to send it to.
   * @returns false when there are too many; the caller fails it
   */
  add(call: Call, writer: FrameWriter | undefined): boolean {
    const { callsUnderWay, callBytesUnderWay } = this.#limits;
    const { bytes } = call;
    if (this.#size >= callsUnderWay || this.#bytes + bytes > callBytesUnderWay) return false;
    if (this.#span >= callsUnderWay * RING_FACTOR) return false;
    const number = this.nextNumber();
    this.#ring[number & (this.#ring.length - 1)] = call;
    if (this.#size === 0) this.#oldest = number;
    this.#size += 1;
    this.#bytes += bytes;
    if (writer !== undefined) call.write(writer, number);
    return true;
  }

  /** A number for a question that is not kept. */
  nextNumber(): number {
    if (this.#size > 0 && this.#span >= this.#ring.length) this.#grow();
    const number = this.#next;
    this.#next = (number + 1) >>> 0;
    return number;
  }

  #grow(): void {
    const before = this.#ring;
    this.#ring = Array.from({ length: before.length * 2 });
    for (let number = this.#oldest; number !== this.#next; number = (number + 1) >>> 0) {
      this.#ring[number & (this.#ring.length - 1)] = before[number & (before.length - 1)];
    }
  }

  /** Ends a call's being under way; undefined if it was not (an answer that came twice, or too late). */
  take(number: number): Call | undefined {
    if (this.#size === 0 || (number - this.#oldest) >>> 0 >= this.#span) return undefined;
    const mask = this.#ring.length - 1;
    const call = this.#ring[number & mask];
    if (call === undefined) return undefined;
    this.#ring[number & mask] = undefined;
    this.#size -= 1;
    this.#bytes -= call.bytes;
    if (this.#size === 0) this.#oldest = this.#next;
    else while (this.#ring[this.#oldest & mask] === undefined) this.#oldest = (this.#oldest + 1) >>> 0;
    return call;
  }

  /** Asks everything again. */
  repeat(writer: FrameWriter): void {
    const end = this.#next;
    if (this.#size === 0) return;
    for (let number = this.#oldest; number !== end; number = (number + 1) >>> 0) {
      this.#ring[number & (this.#ring.length - 1)]?.write(writer, number);
    }
  }

  /** Fails what has been under way for too long, to the precision of this being called. */
  expire(): void {
    const now = this.#clock.monotonic();
    this.#marks.push({ end: this.#next, at: now });
    let over: Mark | undefined;
    while (this.#marks[0] !== undefined && this.#marks[0].at + this.#timeoutMs <= now)
      over = this.#marks.shift();
    if (over !== undefined)
      this.#failUntil(over.end, unavailable("the log did not answer in time; try again"));
  }

  /** Fails everything. */
  failAll(failure: BackplaneFailure): void {
    this.#failUntil(this.#next, failure);
  }

  /** Fails what has a smaller number. */
  #failUntil(end: number, failure: BackplaneFailure): void {
    // How far it is from the oldest; more than the ring goes means that the end has been passed.
    while (this.#size > 0 && this.#oldest !== end && (end - this.#oldest) >>> 0 <= this.#span) {
      this.take(this.#oldest)?.failed(failure);
    }
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
  readonly #writer: PublicationWriter;
  readonly #done: Done<Logged>;

  constructor(publication: Publication, writer: PublicationWriter, done: Done<Logged>) {
    this.#publication = publication;
    this.#writer = writer;
    this.#done = done;
  }

  get bytes(): number {
    return this.#publication.body.length + (this.#publication.copy?.body.length ?? 0);
  }

  write(writer: FrameWriter, number: number): void {
    this.#writer.write(writer, number, this.#publication);
  }

  /** The answer to a publish has a form of its own, {@link published}. */
  answered(): void {
    this.#done(unavailable("the log gave another answer than was asked for; try again"));
  }

  published(position: Logged["position"], at: number, duplicate: boolean): void {
    this.#done({ ok: true, position, at, duplicate });
  }

  failed(failure: BackplaneFailure): void {
    this.#done(failure);
  }
}
