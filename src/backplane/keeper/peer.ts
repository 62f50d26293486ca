/** One server's connection, as the keeper sees it. */
import { FrameDecoder, FrameWriter } from "../../protocol/frames.ts";
import { keeperLimits } from "../../protocol/limits.keeper.ts";
import type { Connection } from "../../net/connection.ts";
import type { BackplaneFailure, LogEntry } from "../backplane.ts";
import type { Published } from "../state.ts";
import { Op } from "./wire.ts";
import type { WireFailure } from "./wire.ts";

export class Peer {
  /** The server's id; empty before its hello. */
  id = "";
  readonly connection: Connection;
  readonly writer = new FrameWriter();
  readonly decoder = new FrameDecoder(keeperLimits.frameBytes);
  /** Its welcome has been sent. */
  welcomed = false;
  /** Rooms it has subscribed. */
  readonly rooms = new Set<string>();
  /** Monotonic ms when it was heard last. */
  heardAt: number;
  /** Whether it was written to since the last beat. */
  spokenTo = false;
  /** What it said cannot be understood, or it said goodbye: to be closed when this turn is committed. */
  finished = false;
  /** One frame: the answers of this turn's publishes. */
  readonly #answers = new FrameWriter();
  /** The last frame of entries: which it is, of which room, the next seq, and where it is long enough. */
  #frame = -1;
  #room = 0;
  #next = 0;
  #most = 0;

  constructor(connection: Connection, now: number) {
    this.connection = connection;
    this.heardAt = now;
  }

  /** Tells of an entry. Consecutive ones of a room become one frame, which grows as long as nothing else is said. */
  entry(room: number, { seq, at, body }: LogEntry): void {
    const { writer } = this;
    const goesOn = writer.frame === this.#frame && room === this.#room && seq === this.#next;
    if (!goesOn || writer.length > this.#most) {
      this.#most = writer.length + keeperLimits.entriesBytes;
      writer.begin(Op.Entries).u32(room).f64(seq);
      this.#frame = writer.frame;
      this.#room = room;
    }
    writer.f64(at).u32(body.length).bytes(body).end();
    this.#next = seq + 1;
  }

  /** Answers a publish: after all that is told of this turn, so that whoever asked has heard its entry by then. */
  published(number: number, { seq, at, duplicate }: Published): void {
    const answers = this.#answers;
    if (answers.length === 0) answers.begin(Op.Published);
    answers
      .u32(number)
      .u8(duplicate ? 1 : 0)
      .f64(seq)
      .f64(at)
      .end();
  }

  /** Sends what this turn wrote. */
  flush(): void {
    if (this.#answers.length > 0) this.writer.bytes(this.#answers.take());
    if (this.writer.length === 0) return;
    this.spokenTo = true;
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
