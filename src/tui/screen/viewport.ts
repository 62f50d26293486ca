/**
 * The part of a room that is on the screen, and moving it.
 *
 * A position is the item at the bottom and how many of its rows are hidden below the edge; without one the view follows
 * the end. Items have numbers that stay, so a position stays on its message while messages come at either end, and when
 * the terminal changes its size the same message stays at the bottom.
 *
 * Rows of an item are laid out when they are first needed and remembered for the width they were laid out for, so a
 * frame costs what it shows and not what was said; a few screens' worth is remembered, not all that was ever shown.
 */
import { screenLimits } from "../../protocol/limits.client.ts";
import type { Item } from "../model/log.ts";
import type { RoomModel } from "../model/room-model.ts";
import type { Row } from "../text/spans.ts";
import { UNBROKEN } from "./bare.ts";
import type { About, ItemRows } from "./items.ts";

/** Where a view stands that does not follow the end. */
export interface Position {
  /** The item at the bottom. */
  readonly number: number;
  /** Its rows below the edge. */
  readonly hidden: number;
}

/** An item's rows, and all they depend on. */
interface Remembered {
  readonly columns: number;
  readonly me: string;
  readonly about: About;
  readonly version: number;
  /** The message before it, whose day may be another one. */
  readonly before: Item | undefined;
  /** The line "new from here" stands above it. */
  readonly marked: boolean;
  readonly rows: readonly Row[];
}

const NOTHING: About = { change: undefined, original: undefined };

function aboutItem(room: RoomModel, item: Item): About {
  if (item.kind !== "message") return NOTHING;
  const { seq, re } = item.message;
  const change = room.changes.of(seq);
  if (re?.kind !== "reply") return change === undefined ? NOTHING : { change, original: undefined };
  const number = room.log.find(re.seq);
  const found = number === undefined ? undefined : room.log.at(number);
  const original = found?.kind === "message" ? found.message : undefined;
  const text = room.changes.of(re.seq)?.text;
  return {
    change,
    original: original === undefined || text === undefined ? original : { ...original, text },
  };
}

/** Whether rows that were made for one are right for the other. */
function sameAbout(a: About, b: About): boolean {
  return (
    a.change === b.change &&
    a.original?.text === b.original?.text &&
    a.original?.from === b.original?.from &&
    a.original?.seq === b.original?.seq
  );
}

export class Viewport {
  readonly #rows: ItemRows;
  /** In the order laid out; the oldest are forgotten. */
  readonly #remembered = new Map<Item, Remembered>();

  readonly #hides: (nick: string) => boolean;

  /** @param hides whether nothing of somebody is shown */
  constructor(rows: ItemRows, hides: (nick: string) => boolean) {
    this.#rows = rows;
    this.#hides = hides;
  }

  /** Rows of one item, with the line of its day and the marker above it where they belong. */
  #rowsOf(
    room: RoomModel,
    number: number,
    marker: number | undefined,
    me: string,
    columns: number,
  ): readonly Row[] {
    const item = room.log.at(number);
    if (item === undefined) return [];
    if (item.kind === "message" && this.#hides(item.message.from)) return [];
    const about = aboutItem(room, item);
    const version = about.change?.version ?? 0;
    const marked = number === marker;
    const before = item.kind === "message" ? messageBefore(room, number) : undefined;
    const known = this.#remembered.get(item);
    if (
      known !== undefined &&
      known.columns === columns &&
      known.me === me &&
      known.version === version &&
      known.marked === marked &&
      known.before === before &&
      sameAbout(known.about, about)
    ) {
      return known.rows;
    }
    const above: Row[] = [];
    if (item.kind === "message" && this.#beginsDay(before, item.message.at)) {
      above.push(this.#rows.dayRow(item.message.at, columns));
    }
    if (marked) above.push(this.#rows.markerRow(columns));
    const rows = [...above, ...this.#rows.item(item, about, me, columns)];
    this.#remembered.delete(item);
    this.#remembered.set(item, { columns, me, about, version, before, marked, rows });
    this.#forget();
    return rows;
  }

  #forget(): void {
    if (this.#remembered.size <= screenLimits.laidOut) return;
    let left = this.#remembered.size - screenLimits.laidOut / 2;
    for (const item of this.#remembered.keys()) {
      this.#remembered.delete(item);
      left -= 1;
      if (left <= 0) break;
    }
  }

  #beginsDay(before: Item | undefined, at: number): boolean {
    return before?.kind !== "message" || this.#rows.day(before.message.at) !== this.#rows.day(at);
  }

  #marker(room: RoomModel): number | undefined {
    if (room.markerSeq === undefined) return undefined;
    const number = room.log.after(room.markerSeq);
    return number < room.log.end ? number : undefined;
  }

  /** The rows on the screen, at most `height`, the last at the bottom. */
  show(room: RoomModel, at: Position | undefined, me: string, columns: number, height: number): Row[] {
    // The lowest first: most of what is put together is at the end of what is there.
    const rows: Row[] = [];
    const marker = this.#marker(room);
    if (at === undefined) {
      for (const pending of room.pending.toReversed()) {
        rows.push(...this.#rows.pending(pending, me, columns).reverse());
        if (rows.length >= height) break;
      }
    }
    let hidden = at?.hidden ?? 0;
    for (let number = at?.number ?? room.log.end - 1; number >= room.log.first; number -= 1) {
      if (rows.length >= height) break;
      const item = this.#rowsOf(room, number, marker, me, columns);
      for (let index = item.length - 1 - hidden; index >= 0; index -= 1) {
        const row = item[index];
        if (row !== undefined) rows.push(row);
      }
      hidden = 0;
    }
    return rows.slice(0, height).reverse();
  }

  /** Every line from the bottom of the view up, unbroken, the lowest first: as many as whoever asks takes. */
  *upwards(room: RoomModel, at: Position | undefined, me: string): Generator<Row> {
    if (at === undefined) {
      for (const pending of room.pending.toReversed()) {
        yield* this.#rows.pending(pending, me, UNBROKEN).reverse();
      }
    }
    for (let number = at?.number ?? room.log.end - 1; number >= room.log.first; number -= 1) {
      yield* this.#rowsOf(room, number, undefined, me, UNBROKEN).toReversed();
    }
  }

  /**
   * Moves by rows, up (negative) or down, not beyond the ends.
   * @returns the new position; undefined at the end
   */
  move(
    room: RoomModel,
    at: Position | undefined,
    by: number,
    me: string,
    columns: number,
    height: number,
  ): Position | undefined {
    const marker = this.#marker(room);
    const count = (number: number) => this.#rowsOf(room, number, marker, me, columns).length;
    let { number, hidden } = at ?? { number: room.log.end - 1, hidden: 0 };
    hidden -= by;
    while (hidden < 0) {
      number += 1;
      if (number >= room.log.end) return undefined;
      hidden += count(number);
    }
    while (number > room.log.first && hidden >= count(number)) {
      hidden -= count(number);
      number -= 1;
    }
    return this.#clamp(room, { number, hidden }, count, height);
  }

  /** Not so far up that the screen would have empty rows above the first item. */
  #clamp(
    room: RoomModel,
    at: Position,
    count: (number: number) => number,
    height: number,
  ): Position | undefined {
    let rows = -at.hidden;
    for (let number = at.number; number >= room.log.first; number -= 1) {
      rows += count(number);
      if (rows >= height) return at.number >= room.log.end ? undefined : at;
    }
    let missing = height - rows;
    let { number, hidden } = at;
    while (missing > 0) {
      if (hidden > 0) {
        const less = Math.min(hidden, missing);
        hidden -= less;
        missing -= less;
        continue;
      }
      number += 1;
      if (number >= room.log.end) return undefined;
      hidden = count(number);
    }
    return { number, hidden };
  }

  /** A position that shows a message in the middle of the screen. */
  center(room: RoomModel, number: number, me: string, columns: number, height: number): Position | undefined {
    return this.move(room, { number, hidden: 0 }, Math.floor(height / 2), me, columns, height);
  }

  /** Whether the first item that is kept is on the screen. */
  isAtTop(room: RoomModel, at: Position | undefined, me: string, columns: number, height: number): boolean {
    const marker = this.#marker(room);
    let rows = -(at?.hidden ?? 0);
    for (let number = at?.number ?? room.log.end - 1; number >= room.log.first; number -= 1) {
      rows += this.#rowsOf(room, number, marker, me, columns).length;
      if (rows > height) return false;
    }
    return true;
  }
}

/** The message shown before this number, over what the screen itself says. */
function messageBefore(room: RoomModel, number: number): Item | undefined {
  for (let before = number - 1; before >= room.log.first; before -= 1) {
    const item = room.log.at(before);
    if (item?.kind === "message") return item;
  }
  return undefined;
}
