/**
 * What a room shows, in order: messages, and between them what the screen itself has to say (gaps, joins, answers of
 * commands).
 *
 * Messages have absolute numbers that never change while they are kept: new ones are added at the end, pages of older ones
 * at the front, and the oldest are forgotten when there are too many. So a place in the log (where somebody scrolled to)
 * is a number that stays right whatever comes or goes.
 *
 * Invariant: messages are ascending by seq, each seq at most once; `first` ≤ every number < `end`.
 */
import type { Gap } from "../../client/events.ts";
import type { Message } from "../../protocol/messages.ts";
import { isChange } from "./changes.ts";

/** Something a room shows. */
export type Item =
  | { readonly kind: "message"; readonly message: Message }
  /** A message that changes another one and takes no row. */
  | { readonly kind: "change"; readonly message: Message }
  | { readonly kind: "gap"; readonly gap: Gap }
  /** What the screen says; `warning` is something that went wrong. `at` orders nothing, it is shown. */
  | { readonly kind: "note"; readonly text: string; readonly at: number; readonly warning: boolean };

/** The message of an item that is one. */
function messageOf(item: Item | undefined): Message | undefined {
  return item?.kind === "message" || item?.kind === "change" ? item.message : undefined;
}

/** A message as an item. */
export function itemOf(message: Message): Item {
  return { kind: isChange(message) ? "change" : "message", message };
}

export class RoomLog {
  #items: Item[] = [];
  /** Number of the first item kept. */
  #first = 0;
  #messages = 0;

  get first(): number {
    return this.#first;
  }
  /** The number that the next new item gets. */
  get end(): number {
    return this.#first + this.#items.length;
  }
  /** Messages among the items. */
  get messages(): number {
    return this.#messages;
  }

  at(number: number): Item | undefined {
    return this.#items[number - this.#first];
  }

  /** The lowest seq kept. */
  get oldestSeq(): number | undefined {
    for (const item of this.#items) {
      const message = messageOf(item);
      if (message !== undefined) return message.seq;
    }
    return undefined;
  }

  /** The highest seq kept. */
  get newestSeq(): number | undefined {
    for (let index = this.#items.length - 1; index >= 0; index -= 1) {
      const message = messageOf(this.#items[index]);
      if (message !== undefined) return message.seq;
    }
    return undefined;
  }

  add(item: Item): void {
    this.#items.push(item);
    if (messageOf(item) !== undefined) this.#messages += 1;
  }

  /**
   * A page of older messages, ascending. Those not older than what is kept are dropped.
   * @returns how many were added
   */
  prepend(messages: readonly Message[]): number {
    const oldest = this.oldestSeq ?? Number.POSITIVE_INFINITY;
    const older = messages.filter(({ seq }) => seq < oldest);
    // What the screen said before the first message, as a greeting, stays above them all.
    const at = this.#items.findIndex((item) => messageOf(item) !== undefined);
    const lead = at === -1 ? [] : this.#items.slice(0, at);
    const added = older.map((message) => itemOf(message));
    this.#items = [...lead, ...added, ...this.#items.slice(lead.length)];
    this.#first -= older.length;
    this.#messages += older.length;
    return older.length;
  }

  /** The log was started anew: what is kept has seqs of another count. */
  forgetMessages(): void {
    this.#first = this.end;
    this.#items = [];
    this.#messages = 0;
  }

  /** Forgets the oldest items until at most `most` messages are kept. */
  trim(most: number): void {
    let drop = 0;
    let left = this.#messages;
    while (left > most && drop < this.#items.length) {
      if (messageOf(this.#items[drop]) !== undefined) left -= 1;
      drop += 1;
    }
    if (drop === 0) return;
    this.#items = this.#items.slice(drop);
    this.#first += drop;
    this.#messages = left;
  }

  /** Number of the message with this seq; undefined if it is not kept. */
  find(seq: number): number | undefined {
    for (let index = this.#items.length - 1; index >= 0; index -= 1) {
      if (messageOf(this.#items[index])?.seq === seq) return this.#first + index;
    }
    return undefined;
  }

  /** The latest message that fits. */
  latest(fits: (message: Message) => boolean): Message | undefined {
    for (let index = this.#items.length - 1; index >= 0; index -= 1) {
      const item = this.#items[index];
      if (item?.kind === "message" && fits(item.message)) return item.message;
    }
    return undefined;
  }

  /** Number of the first message with a seq above `seq`; the end if there is none. */
  after(seq: number): number {
    for (let index = this.#items.length - 1; index >= 0; index -= 1) {
      const message = messageOf(this.#items[index]);
      if (message !== undefined && message.seq <= seq) {
        let found = index + 1;
        while (found < this.#items.length && this.#items[found]?.kind !== "message") found += 1;
        return this.#first + found;
      }
    }
    return this.#first;
  }
}
