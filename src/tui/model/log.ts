/**
 * What a room shows, in order: messages, and between them what the screen itself has to say (gaps, joins, answers of
 * commands).
 *
 * Messages have absolute numbers that never change while they are kept: new ones are added at the end, pages of older ones
 * at the front, and the oldest are forgotten when there are too many. So a place in the log (where somebody scrolled to)
 * is a number that stays right whatever comes or goes.
 *
 * The log is a list of pages; the last, and those looked at lately, are objects, all others are packed (log-page.ts).
 *
 * Invariant: messages are ascending by seq, each seq at most once; `first` ≤ every number < `end`.
 */
import type { Gap } from "../../client/events.ts";
import { bisect } from "../../protocol/bisect.ts";
import type { Message } from "../../protocol/messages.ts";
import { screenLimits } from "../../protocol/limits.client.ts";
import { itemOf, LogPage, messageOf } from "./log-page.ts";

/** Something a room shows. */
export type Item =
  | { readonly kind: "message"; readonly message: Message }
  /** A message that changes another one and takes no row. */
  | { readonly kind: "change"; readonly message: Message }
  | { readonly kind: "gap"; readonly gap: Gap }
  /** What the screen says; `warning` is something that went wrong. `at` orders nothing, it is shown. */
  | { readonly kind: "note"; readonly text: string; readonly at: number; readonly warning: boolean };

export class RoomLog {
  /** In order; none is empty but perhaps the last. */
  #pages: LogPage[] = [new LogPage()];
  /** Number of the first item of each page. */
  #starts: number[] = [0];
  /** Pages that are not packed beside the last, the one used last at the end. */
  readonly #open: LogPage[] = [];
  #messages = 0;

  get first(): number {
    return this.#starts[0] ?? 0;
  }
  /** The number that the next new item gets. */
  get end(): number {
    const last = this.#pages.length - 1;
    return (this.#starts[last] ?? 0) + (this.#pages[last]?.count ?? 0);
  }
  /** Messages among the items. */
  get messages(): number {
    return this.#messages;
  }

  /** Index of the page with this item; -1 if it is not kept. */
  #pageOf(number: number): number {
    return bisect(0, this.#pages.length, (index) => (this.#starts[index] ?? 0) <= number) - 1;
  }

  /** The items of a page, which stay unpacked for a while. */
  #items(index: number): readonly Item[] {
    const page = this.#pages[index];
    if (page === undefined) return [];
    if (index < this.#pages.length - 1) this.#keepOpen(page);
    return page.items;
  }

  /** A page that is no longer in the log may linger here until others come; nothing asks for it. */
  #keepOpen(page: LogPage): void {
    const open = this.#open;
    if (open.at(-1) === page) return;
    const at = open.indexOf(page);
    if (at !== -1) open.splice(at, 1);
    open.push(page);
    if (open.length > screenLimits.logPagesOpen) open.shift()?.pack();
  }

  at(number: number): Item | undefined {
    const index = this.#pageOf(number);
    const start = this.#starts[index];
    return start === undefined ? undefined : this.#items(index)[number - start];
  }

  /** The lowest seq kept. */
  get oldestSeq(): number | undefined {
    for (const { oldestSeq } of this.#pages) if (oldestSeq !== undefined) return oldestSeq;
    return undefined;
  }

  /** The highest seq kept. */
  get newestSeq(): number | undefined {
    for (let index = this.#pages.length - 1; index >= 0; index -= 1) {
      const seq = this.#pages[index]?.newestSeq;
      if (seq !== undefined) return seq;
    }
    return undefined;
  }

  add(item: Item): void {
    let page = this.#pages.at(-1);
    if (page === undefined || page.count >= screenLimits.logPage) {
      const start = this.end;
      if (page !== undefined) this.#keepOpen(page);
      page = new LogPage();
      this.#pages.push(page);
      this.#starts.push(start);
    }
    page.push(item);
    if (messageOf(item) !== undefined) this.#messages += 1;
  }

  /**
   * A page of older messages, ascending. Those not older than what is kept are dropped.
   * @returns how many were added
   */
  prepend(messages: readonly Message[]): number {
    const oldest = this.oldestSeq ?? Number.POSITIVE_INFINITY;
    const older = messages.filter(({ seq }) => seq < oldest).map((message) => itemOf(message));
    // What the screen said before the first message, as a greeting, stays above them all.
    let pages = this.#pages.findIndex(({ messages: count }) => count > 0);
    if (pages === -1) pages = this.#pages.length - 1;
    const before = this.#pages.slice(0, pages + 1).flatMap(({ items }) => [...items]);
    const found = before.findIndex((item) => messageOf(item) !== undefined);
    const lead = found === -1 ? before.length : found;
    const start = this.first - older.length;
    const front = [...before.slice(0, lead), ...older];
    const fresh = front.length === 0 ? [] : [new LogPage(front)];
    const rest = lead === before.length ? [] : [new LogPage(before.slice(lead))];
    this.#pages = [...fresh, ...rest, ...this.#pages.slice(pages + 1)];
    this.#number(start);
    const last = this.#pages.at(-1);
    for (const page of [...rest, ...fresh]) if (page !== last) this.#keepOpen(page);
    this.#messages += older.length;
    return older.length;
  }

  /** Numbers the pages anew from the first item's number; there is always a page. */
  #number(start: number): void {
    if (this.#pages.length === 0) this.#pages = [new LogPage()];
    let next = start;
    this.#starts = this.#pages.map(({ count }) => {
      const own = next;
      next += count;
      return own;
    });
  }

  /**
   * The log was started anew, but what was said stays to be read: its seqs become 0 and less, below all that come.
   * @returns by how much they are lower now
   */
  retire(): number {
    const by = Math.max(0, Math.ceil(this.newestSeq ?? 0));
    if (by === 0) return 0;
    this.#pages = this.#pages.map((page) => page.lowered(by));
    this.#open.splice(0);
    for (const page of this.#pages.slice(0, -1)) page.pack();
    return by;
  }

  /** The log was started anew: what is kept has seqs of another count. */
  forgetMessages(): void {
    const { end } = this;
    this.#pages = [];
    this.#open.splice(0);
    this.#messages = 0;
    this.#number(end);
  }

  /** Forgets the oldest items, whole pages of them and never the last, until at most `most` messages are kept. */
  trim(most: number): void {
    let drop = 0;
    let dropped = 0;
    while (this.#messages > most && drop < this.#pages.length - 1) {
      this.#messages -= this.#pages[drop]?.messages ?? 0;
      dropped += this.#pages[drop]?.count ?? 0;
      drop += 1;
    }
    if (drop === 0) return;
    const start = this.first + dropped;
    this.#pages = this.#pages.slice(drop);
    this.#number(start);
  }

  /** Number of the message with this seq; undefined if it is not kept. */
  find(seq: number): number | undefined {
    const index = this.#pages.findIndex(
      ({ oldestSeq = Number.POSITIVE_INFINITY, newestSeq = -1 }) => oldestSeq <= seq && seq <= newestSeq,
    );
    const start = this.#starts[index];
    if (start === undefined) return undefined;
    const at = this.#items(index).findIndex((item) => messageOf(item)?.seq === seq);
    return at === -1 ? undefined : start + at;
  }

  /** The latest message that fits. */
  latest(fits: (message: Message) => boolean): Message | undefined {
    for (let index = this.#pages.length - 1; index >= 0; index -= 1) {
      const page = this.#pages[index];
      if (page === undefined) continue;
      const wasPacked = page.isPacked;
      const item = page.items.findLast((one) => one.kind === "message" && fits(one.message));
      if (wasPacked) page.pack();
      if (item?.kind === "message") return item.message;
    }
    return undefined;
  }

  /** Number of the first message with a seq above `seq`; the end if there is none. */
  after(seq: number): number {
    for (const [index, page] of this.#pages.entries()) {
      if (page.newestSeq === undefined || page.newestSeq <= seq) continue;
      const at = this.#items(index).findIndex((item) => item.kind === "message" && item.message.seq > seq);
      if (at !== -1) return (this.#starts[index] ?? 0) + at;
    }
    return this.end;
  }
}
