/**
 * Telling the server how far the person has read, so that their other devices agree.
 *
 * Throttled: the first mark of a room goes out at once, so that a count on another screen is gone when one looks here;
 * then at most one every `readEveryMs`, always the last. What could not be told is told on the next connection.
 */
import type { Clock, Timer } from "../protocol/clock.ts";
import { chatClientLimits } from "../protocol/limits.client.ts";
import type { Position } from "../protocol/messages.ts";

/** What marks are told through. */
export interface ReadMarksHost {
  readonly clock: Clock;
  /** Tells the server. @returns false if that is not possible now */
  tell(room: string, position: Position): boolean;
}

interface Kept {
  position: Position;
  told: boolean;
  /** Runs while nothing may be told. */
  resting: Timer | undefined;
}

const isAsFar = (known: Position, { epoch, seq }: Position): boolean =>
  known.epoch === epoch && known.seq >= seq;

export class ReadMarks {
  readonly #host: ReadMarksHost;
  readonly #rooms = new Map<string, Kept>();
  /** The server knows who this is. */
  #identified = false;

  constructor(host: ReadMarksHost) {
    this.#host = host;
  }

  /**
   * The person has read a room up to here.
   * @param leaving and turns to something else: then the others should know at once
   */
  mark(room: string, position: Position, leaving = false): void {
    const kept = this.#rooms.get(room);
    if (kept === undefined) this.#rooms.set(room, { position, told: false, resting: undefined });
    else if (!isAsFar(kept.position, position)) {
      kept.position = position;
      kept.told = false;
    }
    if (leaving && kept?.told === false) {
      kept.resting?.stop();
      kept.resting = undefined;
    }
    this.#tell(room);
  }

  /** The server says how far rooms were read: what is as far need not be told again. */
  heard(positions: Readonly<Record<string, Position>>): void {
    for (const [room, position] of Object.entries(positions)) {
      const kept = this.#rooms.get(room);
      if (kept === undefined) this.#rooms.set(room, { position, told: true, resting: undefined });
      else if (isAsFar(position, kept.position)) {
        kept.position = position;
        kept.told = true;
      }
    }
  }

  /** The server knows who this is: what it was not told is told now. */
  identified(): void {
    this.#identified = true;
    for (const room of this.#rooms.keys()) this.#tell(room);
  }

  disconnected(): void {
    this.#identified = false;
    for (const kept of this.#rooms.values()) {
      kept.resting?.stop();
      kept.resting = undefined;
    }
  }

  #tell(room: string): void {
    const kept = this.#rooms.get(room);
    if (!this.#identified || kept === undefined || kept.told || kept.resting !== undefined) return;
    if (!this.#host.tell(room, kept.position)) return;
    kept.told = true;
    kept.resting = this.#host.clock.after(chatClientLimits.readEveryMs, () => {
      kept.resting = undefined;
      this.#tell(room);
    });
  }
}
