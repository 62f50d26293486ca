/** Styles as the escapes that a terminal understands: the only place where the screen makes any of colour and links. */
import type { Style } from "./spans.ts";

/** What the terminal can show. */
export interface TerminalAbilities {
  /** 2 (none), 8, 16, 256 or 2^24 colours. */
  readonly colours: number;
  /** OSC 8 links. */
  readonly links: boolean;
}

/** A style as this terminal shows it. Two styles that look the same there are the same object. */
export interface Pen {
  /** The sequence that leaves every other style and begins this one. */
  readonly begin: string;
  /** Where a click leads; "" for nowhere. */
  readonly link: string;
}

/** Pens remembered; links make new ones without end. */
const PENS_MOST = 2_048;

/** Only what may stand in a link: printable ASCII, so that nothing ends the sequence early. */
function linkTarget(link: string): string {
  try {
    const { href, protocol } = new URL(link);
    const known = protocol === "http:" || protocol === "https:" || protocol === "mailto:";
    return known && /^[\u0021-\u007e]+$/.test(href) ? href : "";
  } catch {
    return "";
  }
}

/** Codes that begin a style. */
function codesOf(style: Style, colours: number): string {
  let codes = "";
  if (style.bold === true) codes += ";1";
  if (style.dim === true) codes += ";2";
  if (style.italic === true) codes += ";3";
  if (style.underline === true) codes += ";4";
  if (style.inverse === true) codes += ";7";
  if (style.strike === true) codes += ";9";
  if (style.colour !== undefined && colours >= 8) {
    if (style.colour < 8) codes += `;${30 + style.colour}`;
    else if (colours >= 256) codes += `;38;5;${style.colour}`;
    else codes += ";1";
  }
  return codes;
}

/** The pens of one terminal. */
export class Pens {
  readonly #abilities: TerminalAbilities;
  readonly #pens = new Map<string, Pen>();
  readonly plain: Pen = { begin: "\u001b[m", link: "" };

  constructor(abilities: TerminalAbilities) {
    this.#abilities = abilities;
  }

  of(style: Style): Pen {
    const codes = codesOf(style, this.#abilities.colours);
    const link = style.link === undefined || !this.#abilities.links ? "" : linkTarget(style.link);
    if (codes === "" && link === "") return this.plain;
    const key = `${codes} ${link}`;
    const known = this.#pens.get(key);
    if (known !== undefined) return known;
    if (this.#pens.size >= PENS_MOST) this.#pens.clear();
    const pen = { begin: codes === "" ? this.plain.begin : `\u001b[0${codes}m`, link };
    this.#pens.set(key, pen);
    return pen;
  }
}
