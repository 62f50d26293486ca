/** One server's connection, as the keeper sees it. */
import { FrameDecoder, FrameWriter } from "../../protocol/frames.ts";
import type { Part } from "../../protocol/frames.ts";
import { keeperLimits } from "../../protocol/limits.keeper.ts";
import type { Connection } from "../../net/connection.ts";
import type { BackplaneFailure } from "../backplane.ts";
import type { Published } from "../state.ts";
import { PublicationReader } from "./publications.ts";
import { Op } from "./wire.ts";
import type { WireFailure } from "./wire.ts";

/** Bytes of a frame before its first field. */
const FRAME_HEAD = 5;
/** Where in a frame of entries their number is. */
const COUNT_AT = 12;
const BEAT = new Uint8Array([1, 0, 0, 0, Op.Beat]);

export class Peer {
  /** The server's id; empty before its hello. */
  id = "";
  readonly connection: Connection;
  readonly writer = new FrameWriter();
  readonly decoder = new FrameDecoder(keeperLimits.frameBytes);
  readonly publications = new PublicationReader();
  /** Its welcome has been sent. */
  welcomed = false;
  /** Rooms it has subscribed. */
  readonly rooms = new Set<string>();
  /** Monotonic ms when it was heard last. */
  heardAt: number;
  /** What it said cannot be understood, or it said goodbye: to be closed when this turn is committed. */
  finished = false;
  /** Whether it was written to since the last beat. */
  #spokenTo = false;
  /** One frame: the answers of this turn's publishes. */
  readonly #answers = new FrameWriter();
  /** The last run of answers: what all have in common, and where in the frame their number is. */
  readonly #run = { first: 0, count: 0, countAt: 0, at: 0, duplicate: false };
  /** The last frame of entries: which it is, of which room, the first and the next seq, and where it is long enough. */
  #frame = -1;
  #room = 0;
  #first = 0;
  #next = 0;
  #most = 0;

  constructor(connection: Connection, now: number) {
    this.connection = connection;
    this.heardAt = now;
  }

  /**
   * Tells of an entry. Consecutive ones of a room become one frame, which grows as long as nothing else is said.
   * @param line what clients get of it
   */
  entry(room: number, seq: number, line: Part): void {
    const { writer } = this;
    const goesOn = writer.frame === this.#frame && room === this.#room && seq === this.#next;
    if (!goesOn || writer.length > this.#most) {
      this.#most = writer.length + keeperLimits.entriesBytes;
      writer.begin(Op.Entries).u32(room).f64(seq).u32(0);
      this.#frame = writer.frame;
      this.#room = room;
      this.#first = seq;
    }
    this.#next = seq + 1;
    writer
      .replaceU32(COUNT_AT, this.#next - this.#first)
      .part(line)
      .end();
  }

  /** Answers a publish: after all that is told of this turn, so that whoever asked has heard its entry by then. */
  published(number: number, { seq, at, duplicate }: Published): void {
    const answers = this.#answers;
    const run = this.#run;
    if (answers.length === 0) {
      answers.begin(Op.Published);
      run.count = 0;
    }
    const goesOn =
      run.count > 0 &&
      run.at === at &&
      run.duplicate === duplicate &&
      (run.first + run.count) >>> 0 === number;
    if (goesOn) run.count += 1;
    else {
      run.first = number;
      run.at = at;
      run.duplicate = duplicate;
      run.count = 1;
      answers.u32(number);
      run.countAt = answers.length - FRAME_HEAD;
      answers
        .u32(1)
        .u8(duplicate ? 1 : 0)
        .f64(at);
    }
    answers.f64(seq).replaceU32(run.countAt, run.count).end();
  }

  /** It has said goodbye. */
  leave(): void {
    this.writer.begin(Op.Farewell).end();
    this.finished = true;
  }

  /** Says that the keeper is there, unless something was said since the last beat. */
  beat(): void {
    if (!this.#spokenTo) this.connection.writeNow(BEAT);
    this.#spokenTo = false;
  }

  /** Sends what this turn wrote. */
  flush(): void {
    if (this.#answers.length > 0) this.writer.bytes(this.#answers.take());
    if (this.writer.length === 0) return;
    this.#spokenTo = true;
    this.connection.writeNow(this.writer.take());
  }

  /** Forgets what this turn wrote. */
  discard(): void {
    this.#answers.take();
    this.writer.take();
  }

  answer(number: number, result: object): void {
    this.writer.begin(Op.Answer).u32(number).json(result).end();
  }

  fail(number: number, { code, message, value }: BackplaneFailure): void {
    this.writer
      .begin(Op.Failed)
      .u32(number)
      .json({ code, message, ...(value === undefined ? {} : { value }) } satisfies WireFailure)
      .end();
  }
}
