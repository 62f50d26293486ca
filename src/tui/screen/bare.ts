/**
 * The screen bare (Alt+L, as in WeeChat): what was said from where one looks, each message one line without frame, panels
 * or indent, which the terminal itself breaks at its edge.
 *
 * That is what makes long things copyable: a terminal remembers of the rows that it broke itself that they are one line,
 * and joins them again in what the mouse selects (xterm, VTE, kitty, foot, iTerm2, Windows Terminal, tmux all do). Rows
 * that a program breaks and places are copied with breaks, whatever the program does; OSC 8 makes no difference, and OSC 52
 * is switched off or unknown in half of the terminals.
 *
 * Nothing is painted until a key is pressed: what comes meanwhile would push away what the mouse is about to select.
 */
import { plain } from "../text/spans.ts";
import type { Row } from "../text/spans.ts";
import { cellsOf } from "../text/width.ts";

/** Columns of a line that nobody breaks; `Number.MAX_SAFE_INTEGER` would overflow in sums. */
export const UNBROKEN = 1_000_000;

/** A bare screen: lines of any length, and how to leave it. */
export interface BareScreen {
  readonly lines: readonly Row[];
  readonly hint: Row;
  readonly rows: number;
}

/** The rows that a terminal of this width makes of a line, by wrapping wherever the next cluster does not fit. */
function rowsTaken(line: Row, columns: number): number {
  let rows = 1;
  let used = 0;
  for (const { text } of line) {
    for (const { width } of cellsOf(text)) {
      if (used + width > columns) {
        rows += 1;
        used = 0;
      }
      used += width;
    }
  }
  return rows;
}

/**
 * The last of the lines that fit a screen, the hint's row and an empty one above it left out.
 * @param upwards lines, the lowest first
 */
export function bareScreen(
  upwards: Iterable<Row>,
  hint: string,
  { columns, rows }: { readonly columns: number; readonly rows: number },
): BareScreen {
  const lines: Row[] = [];
  let left = rows - 2;
  for (const line of upwards) {
    left -= rowsTaken(line, columns);
    // One line that no screen holds is shown all the same, and its beginning scrolls away.
    if (left < 0 && lines.length > 0) break;
    lines.push(line);
    if (left <= 0) break;
  }
  return { lines: lines.reverse(), hint: [plain(hint)], rows };
}
