/**
 * A paste that waits for a decision: whoever pastes the wrong thing must not have told it to a room.
 *
 * What is one line and one message goes into the line being typed, like keys. Everything else is asked about, and the
 * question says what a yes would do: how many lines, how many messages, and that the end is missing where the paste was
 * longer than this program takes.
 */
import { screenLimits } from "../../protocol/limits.client.ts";
import { cleanOutgoing } from "../../protocol/sanitize.ts";
import type { Words } from "../language/words.ts";
import { splitText } from "../split.ts";
import type { KeyEvent } from "./keys.ts";

/** What a person decided: the text shall be sent, or go into the line being typed. */
export interface PasteDecision {
  readonly how: "send" | "edit";
  readonly text: string;
}

export class PasteQuestion {
  #text: string | undefined;
  #cut = false;

  /** True while the next key is the answer. */
  get asked(): boolean {
    return this.#text !== undefined;
  }

  /** The question in words; undefined while there is none. */
  inWords(words: Words): string | undefined {
    const text = this.#text;
    if (text === undefined) return undefined;
    const pieces = splitText(text).length;
    if (this.#cut) return words.screen.pasteCut(screenLimits.pasteCharacters, pieces);
    return words.screen.pasted(text.split("\n").length, pieces);
  }

  /** Takes a paste. @returns what can be typed at once; undefined when it is asked about */
  take(event: KeyEvent & { readonly kind: "paste" }): string | undefined {
    const clean = cleanOutgoing(event.text).replaceAll("\t", "    ").replace(/\n+$/, "");
    const before = this.#text === undefined ? "" : `${this.#text}\n`;
    const text = (before + clean).slice(0, screenLimits.pasteCharacters);
    this.#cut = event.cut || text.length < before.length + clean.length || (this.asked && this.#cut);
    const harmless = !this.asked && !this.#cut && text.split("\n").length < screenLimits.pasteLines;
    if (harmless && splitText(text).length <= 1) return text;
    this.#text = text;
    return undefined;
  }

  /** What a key decides; undefined when it forgets the paste, or answers nothing. */
  answer(event: KeyEvent): PasteDecision | undefined {
    const text = this.#text ?? "";
    const key = event.kind === "text" ? event.text : event.kind === "key" ? event.key : "";
    if (key === "escape" || key === "ctrl-c") this.#text = undefined;
    if (key !== "enter" && key !== "e") return undefined;
    this.#text = undefined;
    return { how: key === "enter" ? "send" : "edit", text };
  }
}
