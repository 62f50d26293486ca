/** Rows of a list with two columns, where a terminal is too narrow for them. Pure. */
import { widthOf } from "../text/width.ts";

/**
 * `line` as rows of at most `columns`: cut between words, the second column under itself. Other lines stay as they are: a
 * terminal wraps what was said by itself, so that it is copied as one line.
 */
export function hangingRows(line: string, columns: number): string[] {
  const [first = ""] = /^ {2}\S.*? {2,}(?=\S)/u.exec(line) ?? [];
  const indent = widthOf(first);
  if (first === "" || widthOf(line) <= columns || indent * 2 > columns + 2) return [line];
  const rows: string[] = [];
  let row = first;
  for (const word of line.slice(first.length).split(" ")) {
    const longer = row === first || row.trim() === "" ? row + word : `${row} ${word}`;
    if (widthOf(longer) <= columns || row.trim() === "") {
      row = longer;
      continue;
    }
    rows.push(row);
    row = " ".repeat(indent) + word;
  }
  return [...rows, row];
}
