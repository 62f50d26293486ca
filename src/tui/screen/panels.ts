/**
 * The columns beside the messages of a wide terminal: rooms at the left, members at the right.
 *
 * Rows that say the same are the same object from one picture to the next, so that whoever puts pictures together and
 * compares them has nothing to do for a column that did not change.
 */
import { sanitizeLine } from "../../protocol/sanitize.ts";
import { nickColour } from "../colours.ts";
import type { Theme } from "../colours.ts";
import type { RoomModel } from "../model/room-model.ts";
import { fitRow, plain } from "../text/spans.ts";
import type { Row, Span, Style } from "../text/spans.ts";
import type { FrameParts } from "./frame.ts";

const DIM: Style = { dim: true };

/** Rows remembered by what they say; emptied when full. */
const REMEMBERED_MOST = 2_000;

/** Rows by what they say and how wide they are. */
export class RowMemo {
  readonly #rows = new Map<string, Row>();

  of(key: string, make: () => Row): Row {
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = make();
      if (this.#rows.size >= REMEMBERED_MOST) this.#rows.clear();
      this.#rows.set(key, row);
    }
    return row;
  }
}

/** How a room stands in a list: its name and what is unread in it. */
export function roomSpans(room: RoomModel, active: boolean, theme: Theme): Span[] {
  const name = sanitizeLine(room.name);
  const failed = room.pending.some(({ state }) => state === "failed");
  const style: Style = active
    ? { inverse: true }
    : room.mentions > 0
      ? { colour: theme.mention, bold: true }
      : room.unread > 0 && !room.muted
        ? { bold: true }
        : DIM;
  const count =
    room.mentions > 0 ? ` ${room.unread}!` : room.unread > 0 && !room.muted ? ` ${room.unread}` : "";
  const spans: Span[] = [{ text: `${name}${count}`, style }];
  if (failed) spans.push({ text: " ✗", style: { colour: theme.warning } });
  return spans;
}

/** A panel's rows: filled up to the height, each of the panel's width. */
function panel({ memo }: FrameParts, rows: readonly Row[], width: number, height: number): Row[] {
  const blank = memo.of(`${width} `, () => [plain(" ".repeat(width))]);
  return Array.from({ length: height }, (_, at) => {
    const row = rows[at];
    if (row === undefined) return blank;
    let key = `${width}`;
    for (const { text, style } of row) key += ` ${text}\n${JSON.stringify(style)}`;
    return memo.of(key, () => fitRow(row, width));
  });
}

/** Rooms, those around the one in front if not all fit. */
export function roomPanel(parts: FrameParts, width: number, height: number): Row[] {
  const { model, words, theme } = parts;
  const head: Row = [{ text: words.screen.rooms, style: DIM }];
  const { rooms, active } = model;
  const at = rooms.indexOf(active);
  const from = Math.max(0, Math.min(at - Math.floor(height / 2), rooms.length - height + 1));
  const shown = rooms.slice(from, from + height - 1);
  const rows = shown.map((room, index): Row => {
    // The digit that leads there with Alt.
    const place = from + index + 1;
    const digit = { text: place <= 10 ? `${place % 10} ` : "  ", style: DIM };
    return [digit, ...roomSpans(room, room === active, theme)];
  });
  return panel(parts, [head, ...rows], width, height);
}

/** Members by name, with how many there are. */
export class MemberPanel {
  #members: ReadonlyMap<string, string> | undefined;
  #version = -1;
  #keys: readonly string[] = [];

  /** @param version another one whenever somebody may have come, gone or changed their nick */
  rows(parts: FrameParts, version: number, width: number, height: number): Row[] {
    const { model, words } = parts;
    const view = model.view(model.active);
    const members = view?.members ?? new Map<string, string>();
    if (this.#members !== members || this.#version !== version || this.#keys.length !== members.size) {
      this.#members = members;
      this.#version = version;
      // By their keys, so that "Ana" stands beside "ana-2": in the order of code points, which needs no collator.
      this.#keys = [...members.keys()].sort((a, b) => (a < b ? -1 : 1));
    }
    const count = view?.memberCount ?? 0;
    const head: Row = [{ text: words.people(count), style: DIM }];
    const fits = height - 1;
    const isCut = count > Math.min(members.size, fits);
    const rows = this.#keys.slice(0, isCut ? fits - 1 : fits).map((key): Row => {
      const nick = members.get(key) ?? key;
      // What a program says of being away is for who writes to it; in the list it is a program.
      const isAway = view?.away.has(key) === true ? words.screen.away : "";
      const aside = view?.bots.has(key) === true ? words.screen.bot : isAway;
      return parts.memo.of(`nick ${nick} ${aside}`, () => nickRow(nick, aside));
    });
    if (!isCut) return panel(parts, [head, ...rows], width, height);
    const more: Row = [{ text: ` ${words.andMore(count - rows.length)}`, style: DIM }];
    return panel(parts, [head, ...rows, more], width, height);
  }
}

/** @param aside how to say that they are away, or a program; "" if they are neither */
function nickRow(nick: string, aside: string): Row {
  const name = { text: sanitizeLine(nick), style: aside === "" ? { colour: nickColour(nick) } : DIM };
  return [plain(" "), name, ...(aside === "" ? [] : [{ text: ` (${aside})`, style: DIM }])];
}
