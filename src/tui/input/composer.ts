/**
 * The input line with everything that surrounds it: a draft for each room, the history of what was sent there, undo,
 * the kill ring, and Tab's round of candidates.
 *
 * Nothing typed is ever lost: a draft stays with its room, going up in the history keeps the draft to come back to, and
 * what is recalled is a copy, so that no key changes what was sent.
 */
import { screenLimits } from "../../protocol/limits.client.ts";
import type { Completion } from "../completion.ts";
import { commonPrefix } from "../completion.ts";
import type { Action } from "./bindings.ts";
import { EMPTY, deletions, insert, moveLine, movements, replaceBefore, transpose } from "./editor.ts";
import type { Editing } from "./editor.ts";
import { HistorySearch } from "./history-search.ts";

/** What is kept for a room. */
interface Desk {
  editing: Editing;
  readonly sent: string[];
  /** Index in `sent` of what is shown; its length while the draft is. */
  at: number;
  draft: Editing;
  undo: Editing[];
}

/** A round of Tab. */
interface Round {
  readonly from: number;
  readonly candidates: readonly string[];
  readonly before: Editing;
  index: number;
}

export class Composer {
  readonly #desks = new Map<string, Desk>();
  #desk: Desk;
  #kills: string[] = [];
  #killing = false;
  /** Where the last yank stands, for yank-pop. */
  #yanked: { readonly from: number; readonly index: number } | undefined;
  #round: Round | undefined;
  #typing = false;
  /** What was sent in all rooms, the latest last, each once. */
  #sent: string[] = [];
  /** Looking through it. */
  search: HistorySearch | undefined;

  constructor(room: string) {
    this.#desk = this.#deskOf(room);
  }

  get editing(): Editing {
    return this.#desk.editing;
  }

  /** What Tab goes round, and which of it is in the line; undefined when it does not. */
  get round(): { readonly candidates: readonly string[]; readonly index: number } | undefined {
    return this.#round;
  }

  /** The draft of a room that is not in front, for a mark in the list. */
  hasDraft(room: string): boolean {
    return (this.#desks.get(room)?.editing.text ?? "") !== "";
  }

  #deskOf(room: string): Desk {
    let desk = this.#desks.get(room);
    if (desk === undefined) {
      desk = { editing: EMPTY, sent: [], at: 0, draft: EMPTY, undo: [] };
      this.#desks.set(room, desk);
    }
    return desk;
  }

  /** Another room comes to the front, with its own draft. */
  switchTo(room: string): void {
    this.#rest();
    this.#desk = this.#deskOf(room);
  }

  /** What ends with any key but its own repetition. */
  #rest(): void {
    this.#killing = false;
    this.#yanked = undefined;
    this.#round = undefined;
    this.#typing = false;
  }

  #become(editing: Editing): void {
    const { undo, editing: before } = this.#desk;
    if (editing.text !== before.text) {
      undo.push(before);
      if (undo.length > screenLimits.undo) undo.shift();
    }
    this.#desk.editing = editing;
  }

  /** Characters were typed or pasted. */
  type(text: string): void {
    const running = this.#typing;
    this.#rest();
    // A run of single characters is one step of undo, a word at a time.
    if (running && text.length === 1 && text !== " ") {
      this.#desk.editing = insert(this.#desk.editing, text);
    } else this.#become(insert(this.#desk.editing, text));
    this.#typing = text.length === 1;
  }

  /** Takes the line away, to send it; it goes into the history. */
  take(): string {
    const { text } = this.#desk.editing;
    this.#rest();
    this.remember(text);
    this.#desk.editing = EMPTY;
    this.#desk.undo = [];
    return text;
  }

  /** Puts a text into the history without sending it. */
  remember(text: string): void {
    const { sent } = this.#desk;
    if (text.trim() !== "" && sent.at(-1) !== text) sent.push(text);
    if (sent.length > screenLimits.history) sent.shift();
    if (text.trim() !== "") this.#sent = [...this.#sent.filter((one) => one !== text), text];
    if (this.#sent.length > screenLimits.history) this.#sent.shift();
    this.#desk.at = sent.length;
    this.#desk.draft = EMPTY;
  }

  /** Puts the line aside: it stays in the history. */
  clear(): void {
    this.take();
  }

  /** Replaces the line, as for editing a message. */
  put(text: string): void {
    this.#rest();
    this.#become({ text, cursor: text.length });
  }

  /**
   * Does what a key says, if it is about the line.
   * @returns false if it is not
   */
  act(action: Action): boolean {
    const { editing } = this.#desk;
    if (action in movements) {
      this.#rest();
      this.#desk.editing = movements[action as keyof typeof movements](editing);
      return true;
    }
    if (action in deletions) {
      this.#delete(action as keyof typeof deletions);
      return true;
    }
    switch (action) {
      case "new-line":
        this.#rest();
        this.#become(insert(editing, "\n"));
        return true;
      case "transpose":
        this.#rest();
        this.#become(transpose(editing));
        return true;
      case "undo":
        this.#rest();
        this.#desk.editing = this.#desk.undo.pop() ?? editing;
        return true;
      case "search-history":
        this.#startSearch();
        return true;
      case "yank":
        this.#yank();
        return true;
      case "yank-pop":
        this.#yankPop();
        return true;
      case "up":
        this.#rest();
        this.#desk.editing = moveLine(editing, -1) ?? this.#recall(-1);
        return true;
      case "down":
        this.#rest();
        this.#desk.editing = moveLine(editing, 1) ?? this.#recall(1);
        return true;
      default:
        return false;
    }
  }

  #delete(action: keyof typeof deletions): void {
    const kill = action.startsWith("kill");
    const appended = kill && this.#killing;
    this.#rest();
    const { editing, killed } = deletions[action](this.#desk.editing);
    this.#become(editing);
    if (!kill || killed === "") return;
    const last = this.#kills.at(-1);
    if (appended && last !== undefined) {
      // Kills in a row make one text, in its order.
      this.#kills[this.#kills.length - 1] = action.endsWith("left") ? killed + last : last + killed;
    } else this.#kills.push(killed);
    if (this.#kills.length > screenLimits.kills) this.#kills.shift();
    this.#killing = true;
  }

  #startSearch(): void {
    this.#rest();
    const desk = this.#desk;
    const before = desk.editing;
    this.search = new HistorySearch({
      texts: this.#sent,
      show: (text) => {
        desk.editing = { text, cursor: text.length };
      },
      giveUp: () => {
        desk.editing = before;
      },
      end: () => {
        this.search = undefined;
        const found = desk.editing;
        if (found === before) return;
        // One step back is what was being written.
        desk.editing = before;
        this.#become(found);
      },
    });
  }

  #yank(): void {
    this.#rest();
    const index = this.#kills.length - 1;
    const text = this.#kills[index];
    if (text === undefined) return;
    const from = this.#desk.editing.cursor;
    this.#become(insert(this.#desk.editing, text));
    this.#yanked = { from, index };
  }

  #yankPop(): void {
    const yanked = this.#yanked;
    if (yanked === undefined) return;
    const index = (yanked.index + this.#kills.length - 1) % this.#kills.length;
    this.#become(replaceBefore(this.#desk.editing, yanked.from, this.#kills[index] ?? ""));
    this.#yanked = { from: yanked.from, index };
  }

  /** One step through what was sent. */
  #recall(by: -1 | 1): Editing {
    const desk = this.#desk;
    const to = desk.at + by;
    if (to < 0 || to > desk.sent.length) return desk.editing;
    if (desk.at === desk.sent.length) desk.draft = desk.editing;
    desk.at = to;
    const text = desk.sent[to];
    return text === undefined ? desk.draft : { text, cursor: text.length };
  }

  /**
   * Tab: the first one completes as far as all candidates agree, then each goes to the next.
   * @param look gives the candidates for the text before the cursor
   */
  complete(by: -1 | 1, look: (before: string) => Completion): void {
    const running = this.#round;
    if (running !== undefined) {
      running.index = (running.index + by + running.candidates.length) % running.candidates.length;
      this.#show(running);
      return;
    }
    const before = this.#desk.editing;
    const { from, candidates } = look(before.text.slice(0, before.cursor));
    this.#rest();
    const [only] = candidates;
    if (only === undefined) return;
    if (candidates.length === 1) {
      this.#become(replaceBefore(before, from, only));
      return;
    }
    const common = commonPrefix(candidates);
    if (common.length > before.cursor - from) {
      this.#become(replaceBefore(before, from, common));
      return;
    }
    this.#round = { from, candidates, before, index: by === 1 ? 0 : candidates.length - 1 };
    this.#show(this.#round);
  }

  #show({ before, from, candidates, index }: Round): void {
    this.#desk.editing = replaceBefore(before, from, candidates[index] ?? "");
  }
}
