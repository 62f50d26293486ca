/**
 * A table in the columns that a terminal has.
 *
 * What matters less gives way first: a table is offered in several forms, the fullest first, and the first that fits is
 * taken. Where none does, each row becomes a few lines of its own. Without a terminal there is no width to keep to.
 *
 * Invariant: no line is wider than the terminal.
 */
import { paint, type Stream, type Style } from "../../cli/output.ts";

/** Something in a column. */
export interface Cell {
  readonly text: string;
  readonly style?: Style;
  readonly right?: boolean;
}

/** A column in one form of the table. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => Cell;
}

/** Between two columns. */
const GAP = "  ";

/** Columns that may be used; Infinity where nobody looks at a screen. */
export function columnsOf(stream: Stream): number {
  return stream.columns === undefined || stream.columns < 1 ? Infinity : stream.columns;
}

/** Painted text in lines that fit, all but the first of them indented. */
export function fold(text: string, columns: number, indent = 0): string[] {
  if (columns === Infinity) return [text];
  const room = Math.max(1, columns - indent);
  const [first = "", ...rest] = Bun.wrapAnsi(text, room, { trim: true, hard: true }).split("\n");
  return [first, ...rest.map((line) => " ".repeat(indent) + line)];
}

/**
 * The title line and the lines of each row.
 * @param forms the fullest first
 */
export function layOut<Row>(
  rows: readonly Row[],
  forms: readonly (readonly Column<Row>[])[],
  stream: Stream,
): { readonly title: readonly string[]; readonly rows: readonly (readonly string[])[] } {
  const columns = columnsOf(stream);
  for (const form of forms) {
    const cells = rows.map((row) => form.map(({ cell }) => cell(row)));
    const widths = form.map(({ title }, at) =>
      Math.max(...[{ text: title }, ...cells.map((row) => row[at])].map(widthOf)),
    );
    if (widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length) > columns) continue;
    const line = (row: readonly Cell[]) =>
      row
        .map((cell, at) => pad(cell, widths[at] ?? 0, stream))
        .join(GAP)
        .trimEnd();
    const titles = form.map(({ title }, at) => ({
      text: title,
      style: "dim" as const,
      right: cells[0]?.[at]?.right ?? false,
    }));
    return { title: [line(titles)], rows: cells.map((row) => [line(row)]) };
  }
  const smallest = forms.at(-1) ?? [];
  return { title: [], rows: rows.map((row) => stack(row, smallest, columns, stream)) };
}

/** A row whose cells stand one below the other. */
function stack<Row>(row: Row, form: readonly Column<Row>[], columns: number, stream: Stream): string[] {
  return form.flatMap(({ title, cell }, at) => {
    const { text, style } = cell(row);
    const painted = style === undefined ? text : paint(stream, style, text);
    return at === 0
      ? fold(painted, columns)
      : fold(`${GAP}${paint(stream, "dim", title)} ${painted}`, columns, GAP.length);
  });
}

function widthOf(cell: Pick<Cell, "text"> | undefined): number {
  return Bun.stringWidth(cell?.text ?? "");
}

function pad(cell: Cell, width: number, stream: Stream): string {
  const { text, style, right = false } = cell;
  const space = " ".repeat(Math.max(0, width - widthOf(cell)));
  const painted = style === undefined ? text : paint(stream, style, text);
  return right ? space + painted : painted + space;
}
