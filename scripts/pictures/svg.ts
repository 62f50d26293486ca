/**
 * The cells of a terminal as an SVG picture.
 *
 * Every run of one look is a text of its own, placed by column and stretched to exactly its cells, so the grid holds
 * whatever font the reader's machine has. Rules and edges are drawn as lines, because glyphs of two rows or of another
 * font leave gaps between them. The picture says in words what stands on it (`desc`), for people who do not see it.
 */
import type { ShownCell } from "../../tests/support/terminal.ts";

/** What a terminal shows, and what it is called. */
export interface Shot {
  readonly title: string;
  readonly cells: readonly (readonly ShownCell[])[];
  readonly cursor: readonly [column: number, row: number];
  /** The screen as text. */
  readonly text: string;
}

/** The colours of a terminal. */
export interface Palette {
  readonly back: string;
  readonly front: string;
  readonly frame: string;
  /** The first eight colours of the terminal. */
  readonly colours: readonly string[];
}

export const dark: Palette = {
  back: "#15181e",
  front: "#d5d9e0",
  frame: "#2a2f39",
  colours: ["#15181e", "#ef6b73", "#7fc77f", "#e3b75f", "#6ea8f2", "#c58af0", "#5fc6cf", "#d5d9e0"],
};

export const light: Palette = {
  back: "#fdfdfb",
  front: "#24292f",
  frame: "#d5d8dc",
  colours: ["#24292f", "#c4262e", "#2c7d32", "#97650a", "#1f5fbf", "#8436b5", "#0c7481", "#fdfdfb"],
};

const CELL = { width: 8.4, height: 19 } as const;
const MARGIN = 14;
const BAR = 34;
const FONT = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace";
const DIM = 0.62;

function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

const round = (value: number): string => String(Math.round(value * 100) / 100);

function colourOf(code: number | undefined, { colours, front }: Palette): string {
  if (code === undefined) return front;
  if (code < 8) return colours[code] ?? front;
  if (code >= 232) return grey(8 + (code - 232) * 10);
  const levels = [0, 95, 135, 175, 215, 255];
  const parts = [36, 6, 1].map((step) => levels[Math.floor((code - 16) / step) % 6] ?? 0);
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

const grey = (level: number): string => `#${level.toString(16).padStart(2, "0").repeat(3)}`;

/** Neighbours of one look. */
interface Run {
  readonly x: number;
  text: string;
  columns: number;
  readonly look: ShownCell;
}

function sameLook(a: ShownCell, b: ShownCell): boolean {
  return (
    a.colour === b.colour &&
    a.bold === b.bold &&
    a.dim === b.dim &&
    a.italic === b.italic &&
    a.underline === b.underline &&
    a.inverse === b.inverse
  );
}

/** Whether a font may draw it wider or narrower than its cells: placed alone, so that it moves nothing. */
const isAlone = ({ text, width }: ShownCell): boolean => width === 2 || text > "\u2fff" || text.length > 1;

function runsOf(row: readonly ShownCell[]): Run[] {
  const runs: Run[] = [];
  let x = 0;
  let alone = false;
  for (const cell of row) {
    const last = runs.at(-1);
    if (
      last !== undefined &&
      !alone &&
      !isAlone(cell) &&
      sameLook(last.look, cell) &&
      ruleOf(last.text) === ruleOf(cell.text)
    ) {
      last.text += cell.text;
      last.columns += cell.width;
    } else runs.push({ x, text: cell.text, columns: cell.width, look: cell });
    alone = isAlone(cell);
    x += cell.width;
  }
  return runs;
}

/** The line that a text is drawn as; "" if it is drawn as text. */
function ruleOf(text: string): string {
  const first = text.charAt(0);
  return first === "─" || first === "│" ? first : "";
}

function drawRun(run: Run, y: number, palette: Palette): string {
  const { look, text, columns } = run;
  const left = MARGIN + run.x * CELL.width;
  const top = BAR + MARGIN / 2 + y * CELL.height;
  const width = columns * CELL.width;
  const fill = look.inverse ? palette.back : colourOf(look.colour, palette);
  const behind = look.inverse
    ? `<rect x="${round(left)}" y="${round(top)}" width="${round(width)}" height="${CELL.height}" fill="${palette.front}" shape-rendering="crispEdges"/>`
    : "";
  const faint = look.dim ? ` opacity="${DIM}"` : "";
  const rule = ruleOf(text);
  if (rule !== "") {
    const middle = top + CELL.height / 2;
    const path =
      rule === "─"
        ? `M${round(left)} ${round(middle)}h${round(width)}`
        : `M${round(left + CELL.width / 2)} ${round(top)}v${CELL.height}`;
    return `<path d="${path}" stroke="${fill}"${faint}/>`;
  }
  const styles = [
    look.bold ? ' font-weight="bold"' : "",
    look.italic ? ' font-style="italic"' : "",
    look.underline ? ' text-decoration="underline"' : "",
  ].join("");
  const base = `y="${round(top + CELL.height * 0.74)}" fill="${fill}"${faint}${styles}`;
  // Wider gaps are places of their own: spaces beside each other are one in most renderers.
  const words = isAlone(look) ? [{ index: 0, 0: text }] : text.matchAll(/\S+(?: \S+)*/g);
  let drawn = behind;
  for (const { index, 0: part } of words) {
    const fit = isAlone(look) ? "" : ` textLength="${round(part.length * CELL.width)}"`;
    if (part.trim() !== "") {
      drawn += `<text x="${round(left + index * CELL.width)}"${fit} ${base}>${escape(part)}</text>`;
    }
  }
  return drawn;
}

/** The picture, in a window with a title. */
export function toSvg(shot: Shot, palette: Palette): string {
  const [row = []] = shot.cells;
  const columns = row.reduce((sum, cell) => sum + cell.width, 0);
  const width = Math.ceil(columns * CELL.width + MARGIN * 2);
  const height = BAR + MARGIN * 1.5 + shot.cells.length * CELL.height;
  const dots = palette.colours
    .slice(1, 4)
    .map((colour, at) => `<circle cx="${20 + at * 18}" cy="${BAR / 2}" r="5.5" fill="${colour}"/>`);
  const [x, y] = shot.cursor;
  const cursor = `<rect x="${round(MARGIN + x * CELL.width)}" y="${round(BAR + MARGIN / 2 + y * CELL.height + 2)}" width="${CELL.width}" height="${CELL.height - 3}" fill="${palette.front}" opacity="0.75"/>`;
  const rows = shot.cells.flatMap((cells, at) => {
    const drawn = runsOf(cells)
      .map((run) => drawRun(run, at, palette))
      .join("");
    return drawn === "" ? [] : [drawn];
  });
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title desc">`,
    `<title id="title">${escape(shot.title)}</title>`,
    `<desc id="desc">${escape(shot.text.replaceAll(/ +$/gm, ""))}</desc>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="9" fill="${palette.back}" stroke="${palette.frame}"/>`,
    `<path d="M0.5 ${BAR}h${width - 1}" stroke="${palette.frame}"/>`,
    ...dots,
    `<g font-family="${FONT}" font-size="14">`,
    `<text x="${width / 2}" y="${BAR / 2 + 5}" text-anchor="middle" fill="${palette.front}" opacity="${DIM}" font-size="13">${escape(shot.title)}</text>`,
    ...rows,
    cursor,
    "</g>",
    "</svg>",
  ].join("\n")}\n`;
}
