/**
 * From what a terminal sends to keys: the xterm sequences that every terminal of today speaks, the kitty protocol's and
 * xterm's forms of modified keys where a terminal has them on, bracketed paste and focus reports.
 *
 * The bytes may be cut anywhere. What begins a sequence and does not end is kept; since a bare Escape looks like the
 * beginning of one, whoever feeds the decoder calls {@link KeyDecoder.flush} when nothing followed for a moment.
 *
 * Invariant: nothing that is typed is lost and nothing is made up: text comes out as it went in, sequences nobody knows
 * are dropped whole and never appear as text; of a paste that is too long the event says that its end is missing.
 */

import { screenLimits } from "../../protocol/limits.client.ts";

/** What was typed. */
export type KeyEvent =
  /** Characters, no control characters among them. */
  | { readonly kind: "text"; readonly text: string }
  /** `cut`: it was longer than is taken, and this is its beginning. */
  | { readonly kind: "paste"; readonly text: string; readonly cut: boolean }
  | { readonly kind: "focus"; readonly focused: boolean }
  /** Any other key, by its name: `enter`, `ctrl-a`, `alt-left`, `f1`; `wheel-up` and `wheel-down` for a row each. */
  | { readonly kind: "key"; readonly key: string };

const PASTE_START = "\u001b[200~";
const PASTE_END = "\u001b[201~";
/** No sequence is longer; beyond it an Escape was just an Escape. */
const SEQUENCE_MOST = 64;
/** Arrows that a notch of the wheel makes, at least. */
const WHEEL_ROWS = 3;

const finals: Readonly<Record<string, string>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  E: "begin",
  F: "end",
  H: "home",
  P: "f1",
  Q: "f2",
  R: "f3",
  S: "f4",
  Z: "shift-tab",
};
const tildes: Readonly<Record<string, string>> = {
  1: "home",
  2: "insert",
  3: "delete",
  4: "end",
  5: "page-up",
  6: "page-down",
  7: "home",
  8: "end",
  11: "f1",
  12: "f2",
  13: "f3",
  14: "f4",
  15: "f5",
  17: "f6",
  18: "f7",
  19: "f8",
  20: "f9",
  21: "f10",
  23: "f11",
  24: "f12",
};
const points: Readonly<Record<number, string>> = {
  9: "tab",
  13: "enter",
  27: "escape",
  32: "space",
  127: "backspace",
};
const controls: Readonly<Record<number, string>> = {
  0: "ctrl-space",
  8: "ctrl-h",
  9: "tab",
  10: "ctrl-j",
  13: "enter",
  27: "escape",
  28: "ctrl-\\",
  29: "ctrl-]",
  30: "ctrl-^",
  31: "ctrl-_",
  127: "backspace",
};

/** `base` with the modifiers of xterm's parameter (1 + shift 1, alt 2, ctrl 4), in the order ctrl, alt, shift. */
function modified(base: string, parameter: string | undefined): string {
  const bits = Math.max(0, Number.parseInt(parameter ?? "1", 10) - 1);
  return `${bits & 4 ? "ctrl-" : ""}${bits & 2 ? "alt-" : ""}${bits & 1 ? "shift-" : ""}${base}`;
}

function controlKey(code: number): string {
  return controls[code] ?? `ctrl-${String.fromCharCode(code + 96)}`;
}

/** The key of a kitty or modifyOtherKeys report: a code point with modifiers. */
function pointKey(code: number, modifiers: string | undefined): KeyEvent | undefined {
  const named = points[code];
  if (named !== undefined) return { kind: "key", key: modified(named, modifiers) };
  if (!Number.isInteger(code) || code < 33 || code > 0x10_ff_ff) return undefined;
  // The code point is the key's without shift; with shift alone terminals send text instead.
  const key = modified(String.fromCodePoint(code), modifiers);
  return { kind: "key", key };
}

function csiKey(parameters: string, final: string): KeyEvent | undefined {
  if (parameters === "" && (final === "I" || final === "O")) return { kind: "focus", focused: final === "I" };
  const [first = "", second, third] = parameters.split(";");
  if (final === "u") return pointKey(Number.parseInt(first, 10), second?.split(":")[0]);
  if (final === "~") {
    if (first === "27") return pointKey(Number.parseInt(third ?? "", 10), second);
    const named = tildes[first];
    return named === undefined ? undefined : { kind: "key", key: modified(named, second) };
  }
  const named = finals[final];
  if (named === undefined || !/^[\d;]*$/.test(parameters)) return undefined;
  return { kind: "key", key: final === "Z" ? named : modified(named, second) };
}

export class KeyDecoder {
  readonly #decoder = new TextDecoder();
  #held = "";
  #paste: string | undefined;
  #pasteCut = false;

  /** True while an unfinished sequence is held: flush it if nothing follows. */
  get pending(): boolean {
    return this.#held !== "" && this.#paste === undefined;
  }

  push(bytes: Uint8Array): KeyEvent[] {
    this.#held += this.#decoder.decode(bytes, { stream: true });
    return withWheel(this.#decode(false));
  }

  /** Nothing followed: what is held is taken for what it is. */
  flush(): KeyEvent[] {
    return this.#paste === undefined ? this.#decode(true) : [];
  }

  #decode(final: boolean): KeyEvent[] {
    const events: KeyEvent[] = [];
    while (this.#held !== "") {
      if (this.#paste !== undefined) {
        if (!this.#takePaste(events)) break;
        continue;
      }
      if (this.#held.startsWith("\u001b")) {
        const length = this.#takeEscape(events, final);
        if (length === 0) break;
        this.#held = this.#held.slice(length);
        continue;
      }
      this.#takePlain(events);
    }
    return events;
  }

  /** @returns whether the paste is over */
  #takePaste(events: KeyEvent[]): boolean {
    const end = this.#held.indexOf(PASTE_END);
    // The end may be cut: its beginning is not part of the paste.
    const kept = end === -1 ? this.#held.length - overlap(this.#held, PASTE_END) : end;
    const paste = (this.#paste ?? "") + this.#held.slice(0, kept);
    this.#pasteCut ||= paste.length > screenLimits.pasteCharacters;
    this.#paste = paste.slice(0, screenLimits.pasteCharacters);
    this.#held = this.#held.slice(end === -1 ? kept : end + PASTE_END.length);
    if (end === -1) return false;
    events.push({ kind: "paste", text: this.#paste.replaceAll(/\r\n?/g, "\n"), cut: this.#pasteCut });
    this.#paste = undefined;
    this.#pasteCut = false;
    return true;
  }

  /** @returns how much of what is held was a sequence; 0 to wait for more */
  #takeEscape(events: KeyEvent[], final: boolean): number {
    const held = this.#held;
    if (held.startsWith(PASTE_START)) {
      this.#paste = "";
      return PASTE_START.length;
    }
    const csi = /^\u001b\[([\u0030-\u003f]*)[\u0020-\u002f]*([\u0040-\u007e])/.exec(held);
    if (csi !== null) {
      const event = csiKey(csi[1] ?? "", csi[2] ?? "");
      if (event !== undefined) events.push(event);
      return csi[0].length;
    }
    const unfinished = /^\u001b(?:\[[\u0020-\u003f]*|O)?$/.test(held) && held.length < SEQUENCE_MOST;
    if (unfinished && !final) return 0;
    if (held.startsWith("\u001bO") && held.length > 2) {
      const named = finals[held[2] ?? ""];
      if (named !== undefined) events.push({ kind: "key", key: named });
      return 3;
    }
    const next = held.slice(1).match(/^[^]/u)?.[0];
    if (next === undefined || next === "\u001b") {
      events.push({ kind: "key", key: "escape" });
      return 1;
    }
    const code = next.codePointAt(0) ?? 0;
    const base = code < 32 || code === 127 ? controlKey(code) : next === " " ? "space" : next;
    events.push({ kind: "key", key: base.startsWith("ctrl-") ? `ctrl-alt-${base.slice(5)}` : `alt-${base}` });
    return 1 + next.length;
  }

  #takePlain(events: KeyEvent[]): void {
    // C1 controls are nobody's keys.
    const text = /^[^\u0000-\u001f\u007f]+/u.exec(this.#held)?.[0];
    if (text !== undefined) {
      const clean = text.replaceAll(/[\u0080-\u009f]/g, "");
      if (clean !== "") events.push({ kind: "text", text: clean });
      this.#held = this.#held.slice(text.length);
      return;
    }
    events.push({ kind: "key", key: controlKey(this.#held.charCodeAt(0)) });
    this.#held = this.#held.slice(1);
  }
}

/**
 * Where nobody asks for the mouse, terminals make arrow keys of its wheel on an alternate screen: three or more a notch, in
 * one piece, which no fingers do. So such a piece is the wheel, and selecting with the mouse stays the terminal's.
 */
function withWheel(events: KeyEvent[]): KeyEvent[] {
  const [first] = events;
  if (events.length < WHEEL_ROWS || first?.kind !== "key") return events;
  const { key } = first;
  if (key !== "up" && key !== "down") return events;
  if (!events.every((event) => event.kind === "key" && event.key === key)) return events;
  return events.map(() => ({ kind: "key", key: `wheel-${key}` }));
}

/** How many characters at the end of `text` begin `sequence`. */
function overlap(text: string, sequence: string): number {
  for (let length = Math.min(text.length, sequence.length - 1); length > 0; length -= 1) {
    if (text.endsWith(sequence.slice(0, length))) return length;
  }
  return 0;
}
