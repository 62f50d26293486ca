/** The line being typed as rows of the screen, under the prompt and broken at the edge, and where the cursor is in them. */
import { sanitizeLine } from "../../protocol/sanitize.ts";
import { nickColour } from "../colours.ts";
import type { Editing } from "../input/editor.ts";
import { fitRow, plain } from "../text/spans.ts";
import type { Row } from "../text/spans.ts";
import { cellsOf, isSimple, widthOf } from "../text/width.ts";

/** The line being typed, wrapped. */
export interface InputRows {
  readonly rows: readonly Row[];
  readonly x: number;
  readonly y: number;
}

/** Of the line as it was last: pictures of what others do need it again and again. */
const made = new WeakMap<
  Editing,
  { readonly me: string; readonly columns: number; readonly most: number; readonly input: InputRows }
>();

/**
 * The prompt and the line being typed, cut into rows at the edge, and where the cursor is in them.
 * @param most rows, those around the cursor
 */
export function inputRows(me: string, editing: Editing, columns: number, most: number): InputRows {
  const known = made.get(editing);
  if (known?.me === me && known.columns === columns && known.most === most) return known.input;
  const input = layOutInput(me, editing, columns, most);
  made.set(editing, { me, columns, most, input });
  return input;
}

function layOutInput(me: string, { text, cursor }: Editing, columns: number, most: number): InputRows {
  const name = sanitizeLine(me);
  const prompt: Row = [
    { text: name, style: { colour: nickColour(me) } },
    { text: "> ", style: { dim: true } },
  ];
  const indent = Math.min(widthOf(name) + 2, Math.floor(columns / 2));
  const width = columns - indent - 1;
  const rows: string[] = [""];
  let used = 0;
  let at = 0;
  let [x, y] = [0, 0];
  for (const { text: cluster } of graphemesOf(text)) {
    const shown = cluster === "\n" ? "" : isSimple(cluster) ? cluster : sanitizeLine(cluster);
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
  if (isSimple(text)) return cellsOf(text);
  return Array.from(segmenter.segment(text), ({ segment }) => ({ text: segment }));
}
