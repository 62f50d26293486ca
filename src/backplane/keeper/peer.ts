/** One server's connection, as the keeper sees it. */
import { FrameDecoder, FrameWriter } from "../../protocol/frames.ts";
import { keeperLimits } from "../../protocol/limits.keeper.ts";
import type { Connection } from "../../net/connection.ts";
import type { BackplaneFailure } from "../backplane.ts";
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

  constructor(connection: Connection, now: number) {
    this.connection = connection;
    this.heardAt = now;
  }

  /** Sends what this turn wrote. */
  flush(): void {
    if (this.writer.length === 0) return;
    this.spokenTo = true;
    this.connection.writeNow(this.writer.take());
  }

  answer(number: number, result: object): void {
    this.writer.begin(Op.Answer).u32(number).json(result).end();
  }

  fail(number: number, { code, message }: BackplaneFailure): void {
    this.writer
      .begin(Op.Failed)
      .u32(number)
      .json({ code, message } satisfies WireFailure)
      .end();
  }
}
