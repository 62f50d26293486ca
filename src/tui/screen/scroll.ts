/**
 * Moving through a room: by rows and pages, to the end, to one message; fetching older messages before they are needed.
 */
import { screenLimits } from "../../protocol/limits.client.ts";
import type { ChatModel } from "../model/chat-model.ts";
import type { RoomModel } from "../model/room-model.ts";
import type { Position, Viewport } from "./viewport.ts";

/** The part of the screen that shows messages, and whose. */
export interface ScrollPlace {
  readonly room: RoomModel;
  readonly me: string;
  readonly columns: number;
  readonly height: number;
}

export class Scroll {
  readonly #model: ChatModel;
  readonly #viewport: Viewport;
  #position: Position | undefined;
  /** Rows to go on upwards when the older messages that were asked for are here. */
  #wanted = 0;

  constructor(model: ChatModel, viewport: Viewport) {
    this.#model = model;
    this.#viewport = viewport;
  }

  /** Undefined while the view follows the end. */
  get position(): Position | undefined {
    return this.#position;
  }
  /** It goes on when older messages are here. */
  get waits(): boolean {
    return this.#wanted < 0;
  }

  /** To the end, and follow it. */
  end(): void {
    this.#position = undefined;
    this.#wanted = 0;
  }

  goOn(place: ScrollPlace): void {
    const wanted = this.#wanted;
    this.#wanted = 0;
    this.by(place, wanted);
  }

  page(place: ScrollPlace, by: 1 | -1): void {
    this.by(place, by * Math.max(1, place.height - 2));
  }

  /** By rows, up (negative) or down. */
  by(place: ScrollPlace, rows: number): void {
    const { room, me, columns, height } = place;
    const wasAtTop = this.#viewport.isAtTop(room, this.#position, me, columns, height);
    this.#position = this.#viewport.move(room, this.#position, rows, me, columns, height);
    if (rows > 0) this.#wanted = 0;
    else if (this.#viewport.isAtTop(room, this.#position, me, columns, height * 2)) {
      this.#model.loadOlder(room);
      // At the very top there is nothing to show yet: go on as soon as there is.
      if (wasAtTop && room.loading) this.#wanted = rows;
    }
  }

  /**
   * To a message, loading older pages until it is there.
   * @param place asked each time: the screen may change while pages are loaded
   * @param done told whether the message was found
   */
  jump(place: () => ScrollPlace, seq: number, done: (found: boolean) => void): void {
    this.#jump(place, place().room, seq, screenLimits.jumpPages, done);
  }

  #jump(
    place: () => ScrollPlace,
    room: RoomModel,
    seq: number,
    pages: number,
    done: (found: boolean) => void,
  ): void {
    const current = place();
    // The person has gone elsewhere meanwhile.
    if (current.room !== room) return;
    const number = room.log.find(seq);
    if (number !== undefined) {
      this.#wanted = 0;
      this.#position = this.#viewport.center(room, number, current.me, current.columns, current.height);
      done(true);
    } else if (pages > 0 && room.more && (room.log.oldestSeq ?? 0) > seq) {
      this.#model.loadOlder(room, () => this.#jump(place, room, seq, pages - 1, done));
    } else done(false);
  }
}
