/**
 * How far this person has read, on whatever device: what the server says of it, and what is left unread by that.
 *
 * Invariant: of this device and the others, the furthest counts; nobody's position ever goes back.
 */
import type { Message, Position } from "../../protocol/messages.ts";
import type { RoomModel } from "./room-model.ts";

/** How a message counts, if it is not read. */
export type Weight = "nothing" | "unread" | "spoken";

export class Reading {
  readonly #elsewhere = new Map<string, Position>();

  /** The server says how far rooms were read. */
  hear(positions: Readonly<Record<string, Position>>): void {
    for (const [room, position] of Object.entries(positions)) this.#elsewhere.set(room, position);
  }

  /** How far a room was read in this epoch, as far as another device tells. */
  of(room: string, epoch: string | undefined): number | undefined {
    const position = this.#elsewhere.get(room);
    return position?.epoch === epoch ? position?.seq : undefined;
  }
}

/** The further of two seqs, either of which may be unknown. */
export function further(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a;
}

/**
 * Another device has read a room up to a seq: what is left is counted anew, and the line "new from here" follows.
 *
 * What this device tells comes back too, and must not push the line from under the eyes of its reader. It told nothing
 * between the line and `caughtUpSeq`, so a seq there is another device's, which came after the room was shown.
 */
export function readElsewhere(room: RoomModel, seq: number, weigh: (message: Message) => Weight): void {
  const marker = room.markerSeq;
  if (marker !== undefined && seq > marker && (seq < room.caughtUpSeq || marker === room.readSeq)) {
    room.markerSeq = seq;
  }
  if (seq <= (room.readSeq ?? 0)) return;
  room.readSeq = seq;
  if (room.unread === 0) return;
  room.unread = 0;
  room.mentions = 0;
  for (let number = room.log.after(seq); number < room.log.end; number += 1) {
    const item = room.log.at(number);
    const weight = item?.kind === "message" && item.message.seq > seq ? weigh(item.message) : "nothing";
    if (weight !== "nothing") room.unread += 1;
    if (weight === "spoken") room.mentions += 1;
  }
}
