/**
 * Brings pictures to the terminal with as few bytes as that takes.
 *
 * Knows what stands on the screen, compares the next picture with it cell by cell, and writes what differs, in one write
 * and between the marks of a synchronised update (DEC 2026), so that terminals which know them never show half a
 * picture. Where the messages moved up or down over the whole width, the terminal is told to scroll, and writes only
 * what is new.
 *
 * A terminal may measure a cluster otherwise than we do (an emoji of this year, a conjunct). So rows are placed by their
 * numbers, a row is written to its end from where that may have happened, and the edge of a panel is placed by its column
 * again: a wrong width disturbs one row of one message. Automatic wrapping is off for the same reason (terminal.ts).
 *
 * Invariant: after `paint` the screen shows the picture, and `#shown` is that picture; `forget` is called whenever
 * somebody else may have written there.
 */
import { Pens } from "../text/ansi.ts";
import type { Pen, TerminalAbilities } from "../text/ansi.ts";
import type { Row } from "../text/spans.ts";
import { blankRow, cellRow, isSure } from "./cells.ts";
import type { CellRow } from "./cells.ts";
import type { BareScreen } from "./bare.ts";
import type { Frame } from "./frame.ts";

const CSI = "\u001b[";
const BEGIN = `${CSI}?2026h`;
const END = `${CSI}?2026l`;
/** Equal columns that are written again rather than jumped over: a jump takes as many bytes. */
const JUMP = 6;
/** What stands between panels (frame.ts): always in its own column. */
const EDGE = "│";

/**
 * How far messages moved: the number of rows that went out at the top (positive), at the bottom (negative), or 0 if
 * writing them anew is as good. Rows are compared by identity: the view keeps those it made.
 */
function movedBy(before: readonly Row[], after: readonly Row[]): number {
  const height = after.length;
  if (before.length !== height || height < 3) return 0;
  const same = (by: number): number => {
    let count = 0;
    for (let at = Math.max(0, -by); at < Math.min(height, height - by); at += 1) {
      const row = after[at];
      if (row !== undefined && row.length > 0 && row === before[at + by]) count += 1;
    }
    return count;
  };
  const stay = same(0);
  let [best, most] = [0, Math.max(stay, Math.floor(height / 3))];
  for (let by = 1; by < height; by += 1) {
    for (const signed of [by, -by]) {
      const count = same(signed);
      if (count > most) [best, most] = [signed, count];
    }
  }
  return best;
}

export class Painter {
  readonly #write: (text: string) => void;
  readonly #pens: Pens;
  #shown: CellRow[] = [];
  #pane: Frame["pane"];
  #columns = 0;
  #cursor = "";
  /** Rows of the picture that were made into cells for this width. */
  #cells = new WeakMap<Row, CellRow>();
  /** The pen the terminal has now; undefined when nobody knows. */
  #pen: Pen | undefined;

  constructor(abilities: TerminalAbilities, write: (text: string) => void) {
    this.#pens = new Pens(abilities);
    this.#write = write;
  }

  /** Nothing is known of what stands on the screen: the next picture is written whole. */
  forget(): void {
    this.#shown = [];
    this.#pane = undefined;
    this.#cursor = "";
    this.#pen = undefined;
  }

  /** @returns the characters written */
  paint(frame: Frame): number {
    const { rows, columns, cursor, pane } = frame;
    if (columns !== this.#columns || rows.length !== this.#shown.length) {
      if (columns !== this.#columns) this.#cells = new WeakMap();
      this.#columns = columns;
      this.forget();
    }
    let out = this.#scroll(pane);
    const wasKnown = this.#shown.length > 0;
    for (const [y, row] of rows.entries()) {
      const next = this.#cellsOf(row);
      const shown = this.#shown[y];
      if (next !== shown)
        out += wasKnown && shown !== undefined ? this.#change(y, shown, next) : this.#whole(y, next);
      this.#shown[y] = next;
    }
    this.#pane = pane;
    const place = `${CSI}${cursor.y + 1};${cursor.x + 1}H`;
    if (out === "" && place === this.#cursor) return 0;
    this.#cursor = place;
    if (this.#pen !== this.#pens.plain) out += this.#use(this.#pens.plain);
    // Where updates are not synchronised, the cursor at least does not run about.
    const text = out === "" ? place : `${BEGIN}${CSI}?25l${out}${place}${CSI}?25h${END}`;
    this.#write(text);
    return text.length;
  }

  /** Paints lines that the terminal breaks itself, so that it joins them again where they are copied. */
  bare({ lines, hint, rows }: BareScreen): void {
    this.forget();
    const texts = lines.map((line) => this.#line(line));
    const body = `${texts.join(`${this.#use(this.#pens.plain)}\r\n`)}${this.#use(this.#pens.plain)}`;
    // The hint wraps nothing and is wrapped nowhere: it may be wider than the terminal.
    const foot = `${CSI}?7l${CSI}${rows};1H${this.#line(hint)}`;
    this.#write(`${BEGIN}${CSI}?25l${CSI}m${CSI}2J${CSI}H${CSI}?7h${body}${foot}${END}`);
    this.forget();
  }

  #line(row: Row): string {
    return row.map(({ text, style }) => this.#use(this.#pens.of(style)) + text).join("");
  }

  #cellsOf(row: Row): CellRow {
    let cells = this.#cells.get(row);
    if (cells === undefined) {
      cells = cellRow(row, this.#columns, this.#pens);
      this.#cells.set(row, cells);
    }
    return cells;
  }

  /** Moves what the terminal already shows, if that helps, in its scrolling region. */
  #scroll(pane: Frame["pane"]): string {
    const before = this.#pane;
    if (pane === undefined || before === undefined || before.top !== pane.top) return "";
    const by = movedBy(before.rows, pane.rows);
    if (by === 0) return "";
    const { top } = pane;
    const bottom = top + pane.rows.length;
    const away = Math.abs(by);
    const blanks = Array.from({ length: away }, () => blankRow(this.#columns, this.#pens));
    const kept = this.#shown.slice(by > 0 ? top + by : top, by > 0 ? bottom : bottom - away);
    this.#shown.splice(top, pane.rows.length, ...(by > 0 ? [...kept, ...blanks] : [...blanks, ...kept]));
    // Index and reverse index rather than SU and SD, which the Linux console does not have.
    const move =
      by > 0 ? `${CSI}${bottom};1H${"\n".repeat(away)}` : `${CSI}${top + 1};1H${"\u001bM".repeat(away)}`;
    return `${this.#use(this.#pens.plain)}${CSI}${top + 1};${bottom}r${move}${CSI}r`;
  }

  /** Switches pens. */
  #use(pen: Pen): string {
    const before = this.#pen;
    if (pen === before) return "";
    this.#pen = pen;
    const link = pen.link === (before?.link ?? "") ? "" : `\u001b]8;;${pen.link}\u001b\\`;
    return before !== undefined && pen.begin === before.begin ? link : pen.begin + link;
  }

  #whole(y: number, row: CellRow): string {
    return `${CSI}${y + 1};1H${this.#run(row, 0, this.#columns)}`;
  }

  /** What differs between two rows. */
  #change(y: number, before: CellRow, after: CellRow): string {
    const sure = Math.min(before.sure, after.sure);
    let out = "";
    let at = 0;
    while (at < this.#columns) {
      if (sameAt(before, after, at)) {
        at += 1;
        continue;
      }
      // Beyond what every terminal measures alike, columns are not where we think.
      const from = Math.min(at, Math.max(sure, 0), after.filled);
      const end =
        at >= sure || from >= after.filled ? this.#columns : Math.min(endOfChange(before, after, at), sure);
      out += `${CSI}${y + 1};${from + 1}H${this.#run(after, from, end)}`;
      at = end;
    }
    return out;
  }

  /** The cells from `from` to before `to`; what is blank up to the end of the row is erased rather than written. */
  #run(row: CellRow, from: number, to: number): string {
    const end = Math.max(from, Math.min(to, row.filled));
    let out = "";
    let sure = true;
    for (let at = from; at < end; at += 1) {
      const text = row.texts[at] ?? " ";
      if (text === "") continue;
      if (!sure && text === EDGE) out += `${CSI}${at + 1}G`;
      sure = text === EDGE || (sure && isSure(text));
      out += this.#use(row.pens[at] ?? this.#pens.plain) + text;
    }
    return to <= row.filled ? out : `${out}${this.#use(this.#pens.plain)}${CSI}K`;
  }
}

/** The column before which a change that begins at `at` ends: a few equal columns are not worth a jump. */
function endOfChange(before: CellRow, after: CellRow, at: number): number {
  let end = at + 1;
  for (let equal = 0; end < after.texts.length && equal < JUMP; end += 1) {
    equal = sameAt(before, after, end) ? equal + 1 : 0;
  }
  while (end > at + 1 && sameAt(before, after, end - 1)) end -= 1;
  return end;
}

function sameAt(before: CellRow, after: CellRow, at: number): boolean {
  return before.texts[at] === after.texts[at] && before.pens[at] === after.pens[at];
}
