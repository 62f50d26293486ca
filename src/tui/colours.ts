/**
 * A colour for each nick: the same on every screen and every day, readable on light and on dark.
 *
 * Colours come from the xterm 256-colour cube (codes 16 to 231). Taken are those whose contrast (WCAG 2, relative
 * luminance) is at least 3:1 against both black and white, without the greys, so that neither background is assumed.
 */
import { nameKey } from "../protocol/names.ts";

const levels = [0, 95, 135, 175, 215, 255];

function luminance(red: number, green: number, blue: number): number {
  const linear = (value: number) => {
    const share = value / 255;
    return share <= 0.040_45 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function readable(): number[] {
  const codes: number[] = [];
  for (let code = 16; code <= 231; code += 1) {
    const cube = code - 16;
    const [red = 0, green = 0, blue = 0] = [36, 6, 1].map((step) => levels[Math.floor(cube / step) % 6]);
    const bright = luminance(red, green, blue);
    const grey = Math.max(red, green, blue) - Math.min(red, green, blue) < 80;
    if (!grey && (bright + 0.05) / 0.05 >= 3 && 1.05 / (bright + 0.05) >= 3) codes.push(code);
  }
  return codes;
}

/** The codes used, in order. */
export const nickPalette: readonly number[] = readable();

/** What a person may colour differently, by name: xterm codes, 0 to 255. */
export const colourNames = ["mention", "warning", "good"] as const;

/** Colours with a meaning. */
export type Theme = Readonly<Record<(typeof colourNames)[number], number>>;

/**
 * What they are where nobody says otherwise: an orange, a red and a green with a contrast of 4:1 or more against black and
 * against white. The terminal's own yellow and green are made for black: on a light background hints could not be read.
 */
export const defaultTheme: Theme = { mention: 130, warning: 196, good: 28 };

/** The default theme with the colours of a settings' table; what is no colour there is left out. */
export function themeFrom(table: ReadonlyMap<string, string>): Theme {
  const chosen = colourNames.flatMap((name) => {
    const text = table.get(name) ?? "";
    return /^\d{1,3}$/.test(text) && Number(text) <= 255 ? [[name, Number(text)] as const] : [];
  });
  return { ...defaultTheme, ...Object.fromEntries(chosen) };
}

/** The xterm colour of a nick (FNV-1a over its key, so that `Ana` and `ana` agree). */
export function nickColour(nick: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(nameKey(nick))) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  // FNV's low bits mix poorly for short words.
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 0;
  return nickPalette[mixed % nickPalette.length] ?? 31;
}

/** How a line is coloured; every function gives its text back with or without escapes around it. */
export interface Paint {
  nick(nick: string, text: string): string;
  dim(text: string): string;
  bold(text: string): string;
  warn(text: string): string;
}

const plain = (text: string): string => text;

/** No colour at all: for pipes, dumb terminals and NO_COLOR. */
export const noPaint: Paint = { nick: (_, text) => text, dim: plain, bold: plain, warn: plain };

const sgr = (open: string, close: string) => (text: string) => `\u001b[${open}m${text}\u001b[${close}m`;

/** @param colours how many the terminal has; nicks need 256 */
export function paintFor(colours: number): Paint {
  if (colours < 8) return noPaint;
  const nick = (name: string, text: string) =>
    colours >= 256 ? sgr(`38;5;${nickColour(name)}`, "39")(text) : sgr("1", "22")(text);
  return { nick, dim: sgr("2", "22"), bold: sgr("1", "22"), warn: sgr("33", "39") };
}
