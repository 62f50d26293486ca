/**
 * One picture of the screen: a title, the messages, what is on offer, the status, and the line being typed.
 *
 * Pure: the same model, size and moment give the same rows. Every picture has exactly as many rows as the terminal,
 * none wider than it, so that Ink never has to wrap or cut. Messages have no frame around them and take whole rows, so
 * that selecting with the mouse copies what was said; the panels of a wide terminal can be put away for that (Alt+L).
 */
import { screenLimits } from "../../protocol/limits.client.ts";
import { nameKey } from "../../protocol/names.ts";
import { sanitizeLine } from "../../protocol/sanitize.ts";
import { nickColour } from "../colours.ts";
import type { Theme } from "../colours.ts";
import type { Editing } from "../input/editor.ts";
import type { Words } from "../language/words.ts";
import type { ChatModel } from "../model/chat-model.ts";
import type { RoomModel } from "../model/room-model.ts";
import { fitRow, plain, rowWidth, wrap } from "../text/spans.ts";
import type { Row, Span, Style } from "../text/spans.ts";
import { cellsOf, pad, widthOf } from "../text/width.ts";
import type { Position, Viewport } from "./viewport.ts";

const DIM: Style = { dim: true };
const BAR: Style = { inverse: true };

/** What is on the screen beside the model. */
export interface ScreenState {
  readonly columns: number;
  readonly rows: number;
  readonly position: Position | undefined;
  readonly editing: Editing;
  readonly round: { readonly candidates: readonly string[]; readonly index: number } | undefined;
  /** A question or a hint above the status; takes precedence over candidates. */
  readonly question: string | undefined;
  /** The person wants to see the panels, where there is room. */
  readonly panels: boolean;
  /** Until the next attempt to connect, ms. */
  readonly retryInMs: number;
  /** Who is typing in the room in front. */
  readonly typing: readonly string[];
}

/** A picture. */
export interface Frame {
  readonly rows: readonly Row[];
  /** Where the cursor stands, from 0. */
  readonly cursor: { readonly x: number; readonly y: number };
}

export interface FrameParts {
  readonly model: ChatModel;
  readonly viewport: Viewport;
  readonly words: Words;
  readonly theme: Theme;
}

/** How the rows are shared out; the controller moves the view by it. */
export interface Layout {
  readonly left: number;
  readonly right: number;
  /** Columns and rows of the messages. */
  readonly columns: number;
  readonly height: number;
  readonly input: InputRows;
  readonly above: readonly Row[];
}

/** The line being typed, wrapped. */
interface InputRows {
  readonly rows: readonly Row[];
  readonly x: number;
  readonly y: number;
}

/** Shares the terminal out. */
export function layOut(parts: FrameParts, state: ScreenState): Layout {
  const wide = state.panels && state.columns >= screenLimits.panelColumns;
  const left = wide ? screenLimits.panelWidth : 0;
  const right = wide && !parts.model.active.isDirect ? screenLimits.panelWidth : 0;
  const columns = state.columns - (left > 0 ? left + 1 : 0) - (right > 0 ? right + 1 : 0);
  const input = inputRows(parts.model.me, state.editing, state.columns);
  const above = aboveRows(state, parts.theme);
  const height = Math.max(1, state.rows - 2 - input.rows.length - above.length);
  return { left, right, columns, height, input, above };
}

/** Draws. */
export function drawFrame(parts: FrameParts, state: ScreenState): Frame {
  const { model, viewport, words } = parts;
  if (state.columns < 30 || state.rows < 8) return tooSmall(words, state);
  const layout = layOut(parts, state);
  const { left, right, columns, height, input, above } = layout;
  const shown = viewport.show(model.active, state.position, model.me, columns, height);
  const empty = height - shown.length;
  const messages = [...Array.from({ length: empty }, (): Row => []), ...shown];
  const rooms = left > 0 ? roomPanel(parts, left, height) : undefined;
  const members = right > 0 ? memberPanel(parts, right, height) : undefined;
  const middle = messages.map((row, index) => {
    if (rooms === undefined && members === undefined) return row;
    const before = rooms === undefined ? [] : [...(rooms[index] ?? []), { text: "│", style: DIM }];
    const after = members === undefined ? [] : [{ text: "│", style: DIM }, ...(members[index] ?? [])];
    return [...before, ...fitRow(row, columns), ...after];
  });
  const status = statusRow(parts, state, left === 0);
  const rows = [titleRow(parts, state.columns), ...middle, ...above, status, ...input.rows];
  return { rows, cursor: { x: input.x, y: state.rows - input.rows.length + input.y } };
}

function tooSmall(words: Words, { columns, rows }: ScreenState): Frame {
  const lines = wrap([plain(words.screen.tooSmall)], Math.max(2, columns)).slice(0, rows);
  const filled = [...lines, ...Array.from({ length: rows - lines.length }, (): Row => [])];
  return { rows: filled, cursor: { x: 0, y: rows - 1 } };
}

/** Left and right in one row of the full width. */
function justify(left: Row, right: Row, columns: number, fill: Style): Row {
  const rightWidth = rowWidth(right);
  if (rightWidth + 8 > columns) return fitRow(left, columns, fill);
  return [...fitRow(left, columns - rightWidth, fill), ...right];
}

function titleRow({ model, words }: FrameParts, columns: number): Row {
  const room = model.active;
  const view = model.view(room);
  const name = { text: ` ${sanitizeLine(room.name)} `, style: { ...BAR, bold: true } };
  if (room.isDirect) {
    const title = words.screen.directTitle(sanitizeLine(room.name.slice(1)));
    return fitRow([name, { text: title, style: BAR }], columns, BAR);
  }
  const topic = sanitizeLine(view?.topic ?? "");
  const count = view === undefined ? "" : ` ${words.people(view.memberCount)} `;
  const about = { text: ` ${topic === "" ? words.screen.noTopic : topic}`, style: BAR };
  return justify([name, about], [{ text: count, style: BAR }], columns, BAR);
}

function connectionSpans({ model, words, theme }: FrameParts, retryInMs: number): Row {
  const { connection, me } = model;
  const nick = sanitizeLine(me);
  switch (connection.state) {
    case "online":
      return [
        { text: model.away ? "◐ " : "● ", style: { colour: model.away ? theme.mention : theme.good } },
        { text: nick, style: { colour: nickColour(me) } },
        ...(model.away ? [{ text: ` (${words.screen.away})`, style: DIM }] : []),
      ];
    case "waiting": {
      const seconds = words.seconds(String(Math.max(1, Math.ceil(retryInMs / 1_000))));
      return [{ text: `○ ${words.screen.reconnecting(seconds)}`, style: { colour: theme.mention } }];
    }
    case "idle":
    case "connecting":
      return [{ text: `◌ ${words.screen.connecting}`, style: { colour: theme.mention } }];
    case "needs-nick":
    case "closed":
      return [{ text: `○ ${words.screen.offline}`, style: { colour: theme.warning } }];
  }
}

/** How a room stands in a list: its name and what is unread in it. */
function roomSpans(room: RoomModel, active: boolean, theme: Theme): Span[] {
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

/** Rooms in one row, those around the one in front if not all fit. */
function roomsInRow({ model, theme }: FrameParts, columns: number): Row {
  const { rooms, active } = model;
  const entries = rooms.map((room) => roomSpans(room, room === active, theme));
  const widths = entries.map((entry) => rowWidth(entry) + 2);
  const at = Math.max(0, rooms.indexOf(active));
  let from = at;
  let to = at + 1;
  let used = widths[at] ?? 0;
  for (;;) {
    const after = widths[to];
    const before = widths[from - 1];
    if (after !== undefined && used + after <= columns - 2) {
      used += after;
      to += 1;
    } else if (before !== undefined && used + before <= columns - 2) {
      used += before;
      from -= 1;
    } else break;
  }
  const row: Span[] = [];
  if (from > 0) row.push({ text: "‹ ", style: DIM });
  for (const entry of entries.slice(from, to)) row.push(...entry, plain("  "));
  if (to < entries.length) row.push({ text: "›", style: DIM });
  return row;
}

function statusRow(parts: FrameParts, state: ScreenState, withRooms: boolean): Row {
  const { model, words, theme } = parts;
  const right: Span[] = [];
  if (state.position !== undefined) {
    const below = Math.max(0, model.active.log.end - 1 - state.position.number);
    right.push({ text: `↓ ${words.screen.below(below)}  `, style: { colour: theme.mention } });
  } else if (model.active.loading) right.push({ text: `${words.screen.loading}  `, style: DIM });
  if (state.typing.length > 0) {
    right.push({ text: `${sanitizeLine(state.typing.join(", "))} …  `, style: DIM });
  }
  right.push(...connectionSpans(parts, state.retryInMs), plain(" "));
  const room = Math.max(0, state.columns - rowWidth(right) - 1);
  const left = withRooms ? roomsInRow(parts, room) : [];
  return justify(left, right, state.columns, {});
}

function aboveRows(state: ScreenState, theme: Theme): readonly Row[] {
  if (state.question !== undefined) {
    const rows = wrap(
      [{ text: sanitizeLine(state.question), style: { colour: theme.mention } }],
      state.columns,
    );
    return rows.slice(0, 3);
  }
  if (state.round === undefined) return [];
  const { candidates, index } = state.round;
  const row: Span[] = [];
  // The one that is in the line comes first, so that it is always to be seen.
  for (let step = 0; step < candidates.length; step += 1) {
    const at = (index + step) % candidates.length;
    const text = sanitizeLine(candidates[at] ?? "").trim();
    row.push({ text, style: step === 0 ? BAR : DIM }, plain("  "));
    if (rowWidth(row) > state.columns) break;
  }
  return [fitRow(row, state.columns)];
}

/** A panel's rows: filled up to the height, each of the panel's width. */
function panel(rows: readonly Row[], width: number, height: number): Row[] {
  const shown = rows.slice(0, height).map((row) => fitRow(row, width));
  return [...shown, ...Array.from({ length: height - shown.length }, () => [plain(pad("", width))])];
}

function roomPanel({ model, words, theme }: FrameParts, width: number, height: number): Row[] {
  const head: Row = [{ text: words.screen.rooms, style: DIM }];
  const { rooms, active } = model;
  const rows = rooms.map((room): Row => [plain(" "), ...roomSpans(room, room === active, theme)]);
  const at = rooms.indexOf(active);
  const from = Math.max(0, Math.min(at - Math.floor(height / 2), rows.length - height + 1));
  return panel([head, ...rows.slice(from)], width, height);
}

function memberPanel({ model, words }: FrameParts, width: number, height: number): Row[] {
  const view = model.view(model.active);
  const nicks = [...(view?.members.values() ?? [])];
  const count = view?.memberCount ?? 0;
  const rows = nicks.map((nick): Row => {
    const away = view?.away.has(nameKey(nick)) === true;
    return [
      plain(" "),
      { text: sanitizeLine(nick), style: away ? DIM : { colour: nickColour(nick) } },
      ...(away ? [{ text: ` (${words.screen.away})`, style: DIM }] : []),
    ];
  });
  const head: Row = [{ text: words.people(count), style: DIM }];
  const fits = height - 1;
  const hidden = count - Math.min(rows.length, fits);
  if (hidden <= 0) return panel([head, ...rows], width, height);
  const more: Row = [{ text: ` ${words.andMore(hidden + 1)}`, style: DIM }];
  return panel([head, ...rows.slice(0, fits - 1), more], width, height);
}

/** The prompt and the line being typed, cut into rows at the edge, and where the cursor is in them. */
function inputRows(me: string, { text, cursor }: Editing, columns: number): InputRows {
  const name = sanitizeLine(me);
  const prompt: Row = [
    { text: name, style: { colour: nickColour(me) } },
    { text: "> ", style: DIM },
  ];
  const indent = Math.min(widthOf(name) + 2, Math.floor(columns / 2));
  const width = columns - indent - 1;
  const rows: string[] = [""];
  let used = 0;
  let at = 0;
  let [x, y] = [0, 0];
  for (const { text: cluster } of graphemesOf(text)) {
    const shown = cluster === "\n" ? "" : sanitizeLine(cluster);
    const cells = widthOf(shown);
    if (used + cells > width) {
      rows.push("");
      used = 0;
    }
    if (at === cursor) [x, y] = [used, rows.length - 1];
    at += cluster.length;
    if (cluster === "\n") {
      rows.push("");
      used = 0;
    } else {
      rows[rows.length - 1] += shown;
      used += cells;
    }
  }
  if (at === cursor) [x, y] = [used, rows.length - 1];
  const most = screenLimits.inputRows;
  const from = Math.max(0, Math.min(y - most + 1, rows.length - most));
  const shown = rows.slice(from, from + most).map((row, index): Row => {
    const lead = from + index === 0 ? fitRow(prompt, indent) : [plain(" ".repeat(indent))];
    return [...lead, plain(row)];
  });
  return { rows: shown, x: indent + x, y: y - from };
}

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Clusters as they stand in the text: unlike {@link cellsOf} nothing is dropped, so that lengths add up. */
function graphemesOf(text: string): readonly { readonly text: string }[] {
  if (/^[\u0020-\u007e]*$/.test(text)) return cellsOf(text);
  return Array.from(segmenter.segment(text), ({ segment }) => ({ text: segment }));
}
