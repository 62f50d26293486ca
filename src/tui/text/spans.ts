/**
 * Styled text before it becomes escapes: spans of text with one style each, wrapped and cut by columns.
 *
 * Invariant of every row that leaves this file: its cells take at most the columns asked for, and the rows of a text,
 * put together, are the text, less the white space at which it was broken.
 */
import { cellsOf } from "./width.ts";
import type { Cell } from "./width.ts";

/** How a span looks. Absent means no. */
export interface Style {
  /** xterm colour, 0 to 255. */
  readonly colour?: number;
  readonly bold?: boolean;
  readonly dim?: boolean;
  readonly italic?: boolean;
  readonly underline?: boolean;
  readonly inverse?: boolean;
  readonly strike?: boolean;
  /** Where a click leads (OSC 8). */
  readonly link?: string;
}

/** Text in one style. Holds no control character. */
export interface Span {
  readonly text: string;
  readonly style: Style;
}

export type Row = readonly Span[];

const PLAIN: Style = {};

/** A span without style. */
export function plain(text: string): Span {
  return { text, style: PLAIN };
}

interface StyledCell extends Cell {
  readonly style: Style;
}

/** Puts neighbours of one style together. */
function rowOf(cells: readonly StyledCell[]): Row {
  const row: Span[] = [];
  let text = "";
  let style: Style | undefined;
  for (const cell of cells) {
    if (cell.style !== style && style !== undefined) {
      row.push({ text, style });
      text = "";
    }
    ({ style } = cell);
    text += cell.text;
  }
  if (style !== undefined) row.push({ text, style });
  return row;
}

function isSpace(cell: StyledCell): boolean {
  return cell.text === " ";
}

/**
 * Spans in rows of at most `columns`, broken at spaces where there are some, else between clusters. A word that no row
 * holds begins behind the last one where there is room, so that a command stays with its long argument when both are
 * copied. A `\n` in a span's text begins a new row.
 * @returns at least one row
 */
export function wrap(spans: Row, columns: number): Row[] {
  const most = Math.max(2, columns);
  const rows: Row[] = [];
  let line: StyledCell[] = [];
  const finish = () => {
    rows.push(...wrapLine(line, most));
    line = [];
  };
  for (const { text, style } of spans) {
    const [first = "", ...rest] = text.split("\n");
    for (const cell of cellsOf(first)) line.push({ ...cell, style });
    for (const part of rest) {
      finish();
      for (const cell of cellsOf(part)) line.push({ ...cell, style });
    }
  }
  finish();
  return rows;
}

function wrapLine(line: readonly StyledCell[], most: number): Row[] {
  const rows: Row[] = [];
  let start = 0;
  let width = 0;
  /** Just after the last space of this row, where it may break. */
  let breakAt = -1;
  for (let at = 0; at < line.length; at += 1) {
    const cell = line[at];
    if (cell === undefined) break;
    if (width + cell.width > most) {
      // A space that does not fit is the break itself.
      const breaks = !isSpace(cell) && breakAt > start;
      const end = breaks && !beginsHere(line, { start, at: breakAt, most }) ? breakAt : at;
      rows.push(rowOf(trimEnd(line.slice(start, end))));
      start = end;
      while (start <= at && line[start] !== undefined && isSpaceAt(line, start) && start < line.length)
        start += 1;
      width = 0;
      for (let index = start; index < at; index += 1) width += line[index]?.width ?? 0;
      breakAt = -1;
      // The same cell again: what is left of the row before it may still be too much.
      if (start <= at) at -= 1;
      continue;
    }
    width += cell.width;
    if (isSpace(cell)) breakAt = at + 1;
  }
  if (start < line.length || rows.length === 0) rows.push(rowOf(line.slice(start)));
  return rows;
}

/** True for a word at `at` that no row holds, if half of the row that begins at `start` is left for its beginning. */
function beginsHere(
  line: readonly StyledCell[],
  { start, at, most }: { readonly start: number; readonly at: number; readonly most: number },
): boolean {
  const used = line.slice(start, at).reduce((sum, { width }) => sum + width, 0);
  if (used * 2 > most) return false;
  let width = 0;
  for (let end = at; end < line.length && !isSpaceAt(line, end) && width <= most; end += 1)
    width += line[end]?.width ?? 0;
  return width > most;
}

function isSpaceAt(line: readonly StyledCell[], at: number): boolean {
  const cell = line[at];
  return cell !== undefined && isSpace(cell);
}

function trimEnd(cells: readonly StyledCell[]): readonly StyledCell[] {
  let end = cells.length;
  while (end > 0 && isSpaceAt(cells, end - 1)) end -= 1;
  return cells.slice(0, end);
}

/** Columns of a row. */
export function rowWidth(row: Row): number {
  let width = 0;
  for (const { text } of row) for (const cell of cellsOf(text)) width += cell.width;
  return width;
}

/** A row of exactly `columns`: cut with an ellipsis, or filled with spaces in the style of `fill`. */
export function fitRow(row: Row, columns: number, fill: Style = PLAIN): Row {
  if (columns <= 0) return [];
  const width = rowWidth(row);
  if (width <= columns) {
    return width === columns ? row : [...row, { text: " ".repeat(columns - width), style: fill }];
  }
  const cells: StyledCell[] = [];
  let used = 0;
  for (const { text, style } of row) {
    for (const cell of cellsOf(text)) {
      if (used + cell.width > columns - 1) {
        const rest = " ".repeat(columns - 1 - used);
        return rowOf([...cells, { text: `…${rest}`, width: 1, style }]);
      }
      used += cell.width;
      cells.push({ ...cell, style });
    }
  }
  return rowOf(cells);
}
