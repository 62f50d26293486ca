/**
 * A trunk's way out: frames gather in one buffer and are written once at the end of the turn, or when there are many.
 *
 * Invariant: when the writer holds frames, a flush is scheduled; after `stop`, nothing is written any more.
 */
import { FrameWriter } from "../protocol/frames.ts";
import { netLimits } from "../protocol/limits.ts";
import type { Connection } from "../net/connection.ts";
import { atEndOfTurn } from "../net/turn.ts";

/** Gathers the frames of one connection. */
export class TrunkFlush {
  readonly writer = new FrameWriter();
  /** To be called after each frame; a plain function, because encoders call it often. */
  readonly wrote: () => void;
  readonly #connection: Connection;
  #scheduled = false;
  #stopped = false;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.wrote = () => {
      if (this.writer.length > netLimits.gatherBytes) this.#write();
      if (this.#scheduled) return;
      this.#scheduled = true;
      atEndOfTurn(this);
    };
  }

  /** The end of the turn; called by turn.ts. */
  flush(): void {
    this.#scheduled = false;
    this.#write();
  }

  /** The connection is gone: what is still said goes nowhere. */
  stop(): void {
    this.#stopped = true;
    this.writer.take();
  }

  #write(): void {
    const frames = this.writer.take();
    if (!this.#stopped && frames.length > 0) this.#connection.writeNow(frames);
  }
}
