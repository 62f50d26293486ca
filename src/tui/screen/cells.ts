/**
 * A row of spans as the cells of a terminal: what stands in each column, and with which pen.
 *
 * Invariant: `texts` and `pens` have one entry for each column of the screen. A cluster that is two columns wide has ""
 * in its second, so a row is written by putting its texts together, and two rows are compared column by column.
 */
import type { Pen, Pens } from "../text/ansi.ts";
import type { Row } from "../text/spans.ts";
import { cellsOf, isSimple } from "../text/width.ts";

/** One row of the screen. */
export interface CellRow {
  readonly texts: readonly string[];
  readonly pens: readonly Pen[];
  /** The columns before this one hold what every terminal measures alike. */
  readonly sure: number;
  /** From this column on there is nothing. */
  readonly filled: number;
}

/** Characters below are one column wide on every terminal. */
const SURE_BELOW = 0x300;
/** Box drawing and block elements: not sure where East Asian widths are set, but there is no use in caring. */
const isBox = (text: string) => text >= "\u2500" && text <= "\u259f" && text.length === 1;

/** One whose width every terminal agrees on. */
export function isSure(text: string): boolean {
  return (text.length === 1 && text.charCodeAt(0) < SURE_BELOW) || isBox(text);
}

/** The cells of a row; what does not fit `columns` is cut. */
export function cellRow(row: Row, columns: number, pens: Pens): CellRow {
  const texts: string[] = [];
  const drawn: Pen[] = [];
  for (const { text, style } of row) {
    const pen = pens.of(style);
    if (isSimple(text)) {
      const fits = Math.min(text.length, columns - texts.length);
      for (let at = 0; at < fits; at += 1) {
        texts.push(text.charAt(at));
        drawn.push(pen);
      }
      continue;
    }
    for (const cell of cellsOf(text)) {
      const last = texts.length - 1;
      if (cell.width === 0) {
        // What takes no column belongs to the cluster before it; a second half has its text one to the left.
        const at = texts[last] === "" ? last - 1 : last;
        if (texts[at] !== undefined) texts[at] += cell.text;
      } else if (texts.length + cell.width <= columns) {
        texts.push(cell.text);
        drawn.push(pen);
        if (cell.width === 2) {
          texts.push("");
          drawn.push(pen);
        }
      }
    }
  }
  let filled = texts.length;
  while (filled > 0 && texts[filled - 1] === " " && drawn[filled - 1] === pens.plain) filled -= 1;
  let sure = texts.findIndex((text) => !isSure(text));
  if (sure === -1) sure = columns;
  while (texts.length < columns) {
    texts.push(" ");
    drawn.push(pens.plain);
  }
  return { texts, pens: drawn, sure, filled };
}

/** A row with nothing on it. */
export function blankRow(columns: number, pens: Pens): CellRow {
  return cellRow([], columns, pens);
}
