/** Rows of spans as the escapes that a terminal understands: the only place where the screen makes any. */
import type { Row, Style } from "./spans.ts";

/** What the terminal can show. */
export interface TerminalAbilities {
  /** 2 (none), 8, 16, 256 or 2^24 colours. */
  readonly colours: number;
  /** OSC 8 links. */
  readonly links: boolean;
}

/** Only what may stand in a link: printable ASCII, so that nothing ends the sequence early. */
function linkTarget(link: string): string | undefined {
  try {
    const { href, protocol } = new URL(link);
    const known = protocol === "http:" || protocol === "https:" || protocol === "mailto:";
    return known && /^[\u0021-\u007e]+$/.test(href) ? href : undefined;
  } catch {
    return undefined;
  }
}

/** Codes that begin a style; the style ends with a reset. */
function codesOf(style: Style, colours: number): string[] {
  const codes: string[] = [];
  if (style.bold === true) codes.push("1");
  if (style.dim === true) codes.push("2");
  if (style.italic === true) codes.push("3");
  if (style.underline === true) codes.push("4");
  if (style.inverse === true) codes.push("7");
  if (style.strike === true) codes.push("9");
  if (style.colour !== undefined && colours >= 8) {
    if (style.colour < 8) codes.push(String(30 + style.colour));
    else if (colours >= 256) codes.push(`38;5;${style.colour}`);
    else codes.push("1");
  }
  return codes;
}

/** One row as text with escapes; every style is closed at its span's end. */
export function toAnsi(row: Row, abilities: TerminalAbilities): string {
  let line = "";
  for (const { text, style } of row) {
    if (text === "") continue;
    const codes = codesOf(style, abilities.colours);
    const styled = codes.length === 0 ? text : `\u001b[${codes.join(";")}m${text}\u001b[0m`;
    const target = style.link !== undefined && abilities.links ? linkTarget(style.link) : undefined;
    line += target === undefined ? styled : `\u001b]8;;${target}\u001b\\${styled}\u001b]8;;\u001b\\`;
  }
  return line;
}
