/**
 * One picture of the screen: a title, the messages, what is on offer, the status, and the line being typed.
 *
 * Pure: the same model, size and moment give the same rows. Every picture has exactly as many rows as the terminal,
 * none wider than it, so that nothing after it has to wrap or cut. Messages have no frame around them and take whole rows, so
 * that selecting with the mouse copies what was said; bare.ts has what takes several rows.
 */
import { screenLimits } from "../../protocol/limits.client.ts";
import { sanitizeLine } from "../../protocol/sanitize.ts";
import { nickColour } from "../colours.ts";
import type { Theme } from "../colours.ts";
import { inputRows } from "./input-rows.ts";
import type { InputRows } from "./input-rows.ts";
import { roomPanel, roomSpans } from "./panels.ts";
import type { MemberPanel, RowMemo } from "./panels.ts";
import type { Editing } from "../input/editor.ts";
import type { Words } from "../language/words.ts";
import { percent, progressBar } from "../progress.ts";
import { fit } from "../text/width.ts";
import type { ChatModel } from "../model/chat-model.ts";
import type { RoomModel } from "../model/room-model.ts";
import { fitRow, plain, rowWidth, wrap } from "../text/spans.ts";
import type { Row, Span, Style } from "../text/spans.ts";
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
  /** Only what a key changed has to be new; the rest may be as it was in the picture before. */
  readonly echo: boolean;
  /** Rises whenever somebody may have come, gone or changed their nick. */
  readonly membersVersion: number;
}

/** A picture. */
export interface Frame {
  /** As many as the terminal has; those that are the same objects as in the picture before look the same. */
  readonly rows: readonly Row[];
  readonly columns: number;
  /** The rows that move together when messages come, where nothing stands beside them. */
  readonly pane?: { readonly top: number; readonly rows: readonly Row[] };
  /** Where the cursor stands, from 0. */
  readonly cursor: { readonly x: number; readonly y: number };
}

/** What pictures are made of and what makes them; kept from one picture to the next. */
export interface FrameParts {
  readonly model: ChatModel;
  readonly viewport: Viewport;
  readonly words: Words;
  readonly theme: Theme;
  readonly members: MemberPanel;
  readonly memo: RowMemo;
  readonly joints: Joints;
  /** How a room is written to, where that is not the usual way. */
  readonly pathTo: (name: string) => string | undefined;
  /** Why nothing that is written reaches anybody, where that is so. */
  readonly outage: () => string | undefined;
  /** The middle of the last picture. */
  held: Middle | undefined;
}

/** How the rows are shared out; the controller moves the view by it. */
export interface Layout {
  /** Where there are few rows, messages and the line being typed come first: first the title goes, then the status. */
  readonly hasTitle: boolean;
  readonly hasStatus: boolean;
  readonly left: number;
  readonly right: number;
  /** Columns and rows of the messages. */
  readonly columns: number;
  readonly height: number;
  readonly input: InputRows;
  readonly above: readonly Row[];
}

/** Shares the terminal out. */
export function layOut(parts: FrameParts, state: ScreenState): Layout {
  const wide = state.panels && state.columns >= screenLimits.panelColumns;
  const left = wide ? screenLimits.panelWidth : 0;
  const right = wide && !parts.model.active.isDirect ? screenLimits.panelWidth : 0;
  const columns = state.columns - (left > 0 ? left + 1 : 0) - (right > 0 ? right + 1 : 0);
  const hasTitle = state.rows >= screenLimits.titleRows;
  const hasStatus = state.rows >= screenLimits.statusRows;
  const bars = (hasTitle ? 1 : 0) + (hasStatus ? 1 : 0);
  const most = Math.max(1, Math.min(screenLimits.inputRows, Math.floor(state.rows / 2)));
  const input = inputRows(parts.model.me, state.editing, state.columns, most);
  const free = state.rows - bars - input.rows.length;
  const above = aboveRows(state, parts.theme).slice(0, Math.max(0, free - 1));
  return {
    hasTitle,
    hasStatus,
    left,
    right,
    columns,
    height: Math.max(1, free - above.length),
    input,
    above,
  };
}

/** Draws. */
export function drawFrame(parts: FrameParts, state: ScreenState): Frame {
  const { model, words } = parts;
  if (state.columns < screenLimits.columnsLeast || state.rows < screenLimits.rowsLeast)
    return tooSmall(words, state);
  const layout = layOut(parts, state);
  const { left, columns, height, input, above } = layout;
  const of = { room: model.active, position: state.position, pending: model.active.pending, columns, height };
  const kept = state.echo ? parts.held : undefined;
  const held = kept !== undefined && sameView(kept, of) ? kept : drawMiddle(parts, state, layout, of);
  parts.held = held;
  const title = layout.hasTitle ? [titleRow(parts, state.columns)] : [];
  const status = layout.hasStatus ? [statusRow(parts, state, left === 0)] : [];
  const rows = [...title, ...held.rows, ...above, ...status, ...input.rows];
  const cursor = { x: input.x, y: state.rows - input.rows.length + input.y };
  return { rows, columns: state.columns, cursor, ...held.pane };
}

/** What the middle of the screen shows; what others do meanwhile is not in it. */
interface View {
  readonly room: RoomModel;
  readonly position: Position | undefined;
  readonly pending: RoomModel["pending"];
  readonly columns: number;
  readonly height: number;
}

/** The middle of a picture, between title and status: the echo of a key can wait for nothing, and uses it again. */
export interface Middle extends View {
  readonly rows: readonly Row[];
  readonly pane: Pick<Frame, "pane">;
}

function sameView(a: View, b: View): boolean {
  return (
    a.room === b.room &&
    a.position === b.position &&
    a.pending === b.pending &&
    a.columns === b.columns &&
    a.height === b.height
  );
}

function drawMiddle(parts: FrameParts, state: ScreenState, layout: Layout, of: View): Middle {
  const { left, right } = layout;
  const { room, position, columns, height } = of;
  const shown = parts.viewport.show(room, position, parts.model.me, columns, height);
  const messages = [...Array.from({ length: height - shown.length }, () => EMPTY), ...shown];
  const rooms = left > 0 ? roomPanel(parts, left, height) : undefined;
  const members = right > 0 ? parts.members.rows(parts, state.membersVersion, right, height) : undefined;
  if (rooms === undefined && members === undefined) {
    return { ...of, rows: messages, pane: { pane: { top: layout.hasTitle ? 1 : 0, rows: messages } } };
  }
  const joined = messages.map((row, at) => parts.joints.join(rooms?.[at], row, members?.[at], columns));
  return { ...of, rows: joined, pane: {} };
}

const EMPTY: Row = [];
const EDGE: Span = { text: "│", style: DIM };

/** Rows of messages with the panels beside them, each made once. */
export class Joints {
  readonly #made = new WeakMap<Row, { columns: number; left?: Row; right?: Row; row: Row }>();

  join(left: Row | undefined, middle: Row, right: Row | undefined, columns: number): Row {
    const known = this.#made.get(middle);
    if (known?.columns === columns && known.left === left && known.right === right) return known.row;
    const before = left === undefined ? [] : [...left, EDGE];
    const after = right === undefined ? [] : [EDGE, ...right];
    const row = [...before, ...fitRow(middle, columns), ...after];
    const sides = { ...(left === undefined ? {} : { left }), ...(right === undefined ? {} : { right }) };
    this.#made.set(middle, { columns, row, ...sides });
    return row;
  }
}

function tooSmall(words: Words, { columns, rows }: ScreenState): Frame {
  const lines = wrap([plain(words.screen.tooSmall)], Math.max(2, columns))
    .slice(0, rows)
    .map((row) => fitRow(row, columns));
  const filled = [...lines, ...Array.from({ length: rows - lines.length }, (): Row => [])];
  return { rows: filled, columns, cursor: { x: 0, y: rows - 1 } };
}

/** Left and right in one row of the full width. */
function justify(left: Row, right: Row, columns: number, fill: Style): Row {
  const rightWidth = rowWidth(right);
  if (rightWidth + 8 > columns) return fitRow(left, columns, fill);
  return [...fitRow(left, columns - rightWidth, fill), ...right];
}

function titleRow({ model, words, pathTo }: FrameParts, columns: number): Row {
  const room = model.active;
  const view = model.view(room);
  const name = { text: ` ${sanitizeLine(room.name)} `, style: { ...BAR, bold: true } };
  if (room.isDirect) {
    const title = words.screen.directTitle(sanitizeLine(room.name.slice(1)));
    const path = pathTo(room.name);
    if (path === undefined) return fitRow([name, { text: title, style: BAR }], columns, BAR);
    const way = { text: ` ${sanitizeLine(path)} `, style: BAR };
    // Which way it goes matters more than what the name says already.
    const whole = [name, { text: title, style: BAR }, way];
    if (rowWidth(whole) > columns) return fitRow([name, way], columns, BAR);
    return justify(whole.slice(0, 2), [way], columns, BAR);
  }
  const topic = sanitizeLine(view?.topic ?? "");
  const count = view === undefined ? "" : ` ${words.people(view.memberCount)} `;
  const about = { text: ` ${topic === "" ? words.screen.noTopic : topic}`, style: BAR };
  return justify([name, about], [{ text: count, style: BAR }], columns, BAR);
}

function connectionSpans({ model, words, theme, outage }: FrameParts, retryInMs: number): Row {
  const { connection, me } = model;
  const nick = sanitizeLine(me);
  const out = outage();
  if (out !== undefined) return [{ text: `○ ${out}`, style: { colour: theme.warning } }];
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

/** How far the first of what takes a while is, and how many others there are. */
function taskSpans({ model, theme }: FrameParts): Row {
  const [first, ...others] = model.tasks;
  if (first === undefined) return [];
  const { done, total } = first;
  const name = fit(sanitizeLine(first.name), screenLimits.taskNameCells);
  const more = others.length === 0 ? "" : ` +${others.length}`;
  const bar = progressBar(done, total, screenLimits.progressCells);
  return [
    { text: `${name} `, style: DIM },
    { text: bar, style: { colour: theme.good } },
    { text: ` ${percent(done, total)}${more}  `, style: DIM },
  ];
}

function statusRow(parts: FrameParts, state: ScreenState, withRooms: boolean): Row {
  const { columns } = state;
  const right = statusSpans(parts, state).find((row) => rowWidth(row) + STATUS_LEFT <= columns) ?? [];
  const left = withRooms ? roomsInRow(parts, Math.max(0, columns - rowWidth(right) - 1)) : [];
  return justify(left, right, columns, {});
}

/** Columns that the rooms have in the status, at least. */
const STATUS_LEFT = 8;

/** What stands at the right of the status: all of it, and less and less of it where there is no room. */
function statusSpans(parts: FrameParts, state: ScreenState): readonly Row[] {
  const { model, words, theme } = parts;
  const below: Span[] = [];
  const briefly: Span[] = [];
  const style = { colour: theme.mention };
  if (state.position !== undefined) {
    const count = Math.max(0, model.active.log.end - 1 - state.position.number);
    below.push({ text: `↓ ${words.screen.below(count)}  `, style });
    briefly.push({ text: `↓ ${count}  `, style });
  } else if (model.active.loading) below.push({ text: `${words.screen.loading}  `, style: DIM });
  const typing = state.typing.length === 0 ? "" : `${sanitizeLine(state.typing.join(", "))} …  `;
  const tasks = taskSpans(parts);
  const connection = [...connectionSpans(parts, state.retryInMs), plain(" ")];
  return [
    [...below, { text: typing, style: DIM }, ...tasks, ...connection],
    [...below, ...tasks, ...connection],
    [...briefly, ...tasks, ...connection],
    [...briefly, ...connection],
    [...briefly, ...connection.slice(0, 1)],
    briefly,
  ];
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
