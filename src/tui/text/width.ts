/**
 * How many columns text takes on a terminal, grapheme by grapheme.
 *
 * A terminal's cell holds a grapheme cluster: a letter with its accents, a family emoji of seven code points. Counting
 * code units or code points puts the cursor in the wrong place. Widths come from the runtime; they are
 * remembered, because a chat repeats itself.
 *
 * Unicode 15.1 made one cluster of an Indic conjunct; hardly a terminal draws it in one cell, so it is cut at its virama.
 *
 * A cluster may carry any number of combining marks ("zalgo"), which would paint over the neighbours' lines: beyond a
 * few they are dropped.
 */
/** One grapheme cluster and its columns: 0, 1 or 2. */
export interface Cell {
  readonly text: string;
  readonly width: number;
}

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/** Remembered widths; emptied when full, which costs a frame a few microseconds. */
const remembered = new Map<string, Cell>();
const REMEMBERED_MOST = 8_192;
/** Marks on one letter: Vietnamese has two, Tibetan and Hebrew with cantillation up to six. */
const MARKS_MOST = 8;
/** Code points of one cluster: the longest emoji sequences have ten, flags of regions seven. */
const POINTS_MOST = 24;
/** Between a virama (InCB=Linker) and the consonant it joins to. */
const VIRAMA = /(?<=[\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d]\u200d?)(?=\p{Lo})/u;
/**
 * Texts of which every code unit is a cluster of one column: Latin letters, without controls and the soft hyphen. Most of
 * what is written on most screens, and many times faster than asking for clusters.
 */
const SIMPLE = /^[\u0020-\u007e\u00a0-\u00ac\u00ae-\u02ff]*$/;

function bounded(cluster: string): string {
  if (cluster.length <= MARKS_MOST) return cluster;
  let kept = "";
  let marks = 0;
  let points = 0;
  for (const point of cluster) {
    marks += /^\p{M}$/u.test(point) ? 1 : 0;
    points += 1;
    if (points > POINTS_MOST) break;
    if (marks > MARKS_MOST && /^\p{M}$/u.test(point)) continue;
    kept += point;
  }
  return kept;
}

function cellOf(cluster: string): Cell {
  const known = remembered.get(cluster);
  if (known !== undefined) return known;
  const text = bounded(cluster);
  // A cluster is drawn in one cell or two, whatever its parts would take one by one.
  const cell = { text, width: Math.min(2, Bun.stringWidth(text)) };
  if (remembered.size >= REMEMBERED_MOST) remembered.clear();
  remembered.set(cluster, cell);
  return cell;
}

const simpleCells: readonly Cell[] = Array.from({ length: 0x300 }, (_, code) => ({
  text: String.fromCharCode(code),
  width: 1,
}));

/** Whether each code unit of the text is a cluster of one column. */
export function isSimple(text: string): boolean {
  return SIMPLE.test(text);
}

/** The clusters of a text without control characters, in order. */
export function cellsOf(text: string): readonly Cell[] {
  if (SIMPLE.test(text)) {
    const simple: Cell[] = [];
    for (let at = 0; at < text.length; at += 1) {
      // Within the range of SIMPLE every entry exists.
      simple.push(simpleCells[text.charCodeAt(at)] ?? cellOf(text.charAt(at)));
    }
    return simple;
  }
  const cells: Cell[] = [];
  for (const { segment } of segmenter.segment(text)) {
    if (segment.length > 2 && VIRAMA.test(segment)) {
      for (const part of segment.split(VIRAMA)) cells.push(cellOf(part));
    } else cells.push(cellOf(segment));
  }
  return cells;
}

/** Columns that a text without control characters takes. */
export function widthOf(text: string): number {
  if (SIMPLE.test(text)) return text.length;
  let width = 0;
  for (const cell of cellsOf(text)) width += cell.width;
  return width;
}

/** The beginning of a text that fits `columns`; a cluster is whole or not there. */
export function fit(text: string, columns: number): string {
  if (text.length <= columns && SIMPLE.test(text)) return text;
  let width = 0;
  let kept = "";
  for (const cell of cellsOf(text)) {
    width += cell.width;
    if (width > columns) break;
    kept += cell.text;
  }
  return kept;
}

/** A text in exactly `columns`: filled with spaces, or cut with an ellipsis. */
export function pad(text: string, columns: number): string {
  if (columns <= 0) return "";
  const width = widthOf(text);
  if (width <= columns) return text + " ".repeat(columns - width);
  const cut = fit(text, columns - 1);
  return `${cut}…${" ".repeat(columns - 1 - widthOf(cut))}`;
}
