/**
 * Looking through what was sent, in whatever room, for a part of it: Ctrl+R, as shells have it.
 *
 * What is found stands in the line at once. Any key that is not about the search ends it and does what it always does, so
 * that Enter sends; Escape puts back what was being written.
 */
import { foldText } from "../../protocol/search.ts";
import type { Words } from "../language/words.ts";
import type { KeyEvent } from "./keys.ts";

/** What it looks through, and who shows it. */
export interface HistorySearchOptions {
  /** The latest last. */
  readonly texts: readonly string[];
  readonly show: (text: string) => void;
  /** Puts back what stood there before. */
  readonly giveUp: () => void;
  readonly end: () => void;
}

export class HistorySearch {
  readonly #options: HistorySearchOptions;
  #query = "";
  #at: number;
  #isFound = true;

  constructor(options: HistorySearchOptions) {
    this.#options = options;
    this.#at = options.texts.length;
  }

  /** What a screen says of it. */
  inWords({ screen }: Words): string {
    return this.#isFound ? screen.searching(this.#query) : screen.notInHistory(this.#query);
  }

  /** @returns false for a key that is about something else: the search is over, what was found stays */
  take(event: KeyEvent): boolean {
    if (event.kind === "text") this.#look(this.#query + event.text, Math.min(this.#at, this.#last));
    else if (event.kind !== "key") return this.#over();
    else if (event.key === "ctrl-r") this.#look(this.#query, this.#at - 1);
    else if (event.key === "backspace" || event.key === "ctrl-h") {
      this.#look([...this.#query].slice(0, -1).join(""), this.#last);
    } else if (["escape", "ctrl-c", "ctrl-g"].includes(event.key)) {
      this.#options.giveUp();
      this.#over();
    } else return this.#over();
    return true;
  }

  get #last(): number {
    return this.#options.texts.length - 1;
  }

  /** From a place on to what is older. */
  #look(query: string, from: number): void {
    this.#query = query;
    this.#isFound = true;
    if (query === "") return;
    const folded = foldText(query);
    for (let at = from; at >= 0; at -= 1) {
      const text = this.#options.texts[at] ?? "";
      if (!foldText(text).includes(folded)) continue;
      this.#at = at;
      this.#options.show(text);
      return;
    }
    this.#isFound = false;
  }

  #over(): false {
    this.#options.end();
    return false;
  }
}
