/**
 * A stretch of a room's log, packed when it has not been looked at for a while.
 *
 * A hundred thousand messages as objects are half a million things that the garbage collector has to visit, and twice
 * the memory of what was said. Packed, a page is one array of bytes outside of its reach: the items as JSON, which is
 * exact, and needs no format of our own. What is asked of all pages (where is seq 4711, how many messages) is kept
 * beside the bytes, so that a search unpacks one page and not all.
 *
 * Invariant: whether a page is packed changes nothing of what it answers.
 */
import type { Message } from "../../protocol/messages.ts";
import { isChange } from "./changes.ts";
import type { Item } from "./log.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A message as an item. */
export function itemOf(message: Message): Item {
  return { kind: isChange(message) ? "change" : "message", message };
}

function lowered({ seq, re }: Message, by: number): Pick<Message, "seq" | "re"> {
  return re === undefined ? { seq: seq - by } : { seq: seq - by, re: { ...re, seq: re.seq - by } };
}

/** The message of an item that is one. */
export function messageOf(item: Item | undefined): Message | undefined {
  return item?.kind === "message" || item?.kind === "change" ? item.message : undefined;
}

export class LogPage {
  #items: Item[] | undefined;
  #bytes: Uint8Array | undefined;
  #count = 0;
  #messages = 0;
  #oldestSeq: number | undefined;
  #newestSeq: number | undefined;

  /** @param items ascending */
  constructor(items: readonly Item[] = []) {
    this.#items = [];
    for (const item of items) this.push(item);
  }

  get count(): number {
    return this.#count;
  }
  /** Messages among the items. */
  get messages(): number {
    return this.#messages;
  }
  get oldestSeq(): number | undefined {
    return this.#oldestSeq;
  }
  get newestSeq(): number | undefined {
    return this.#newestSeq;
  }
  get isPacked(): boolean {
    return this.#items === undefined;
  }

  /** The items; unpacks them. */
  get items(): readonly Item[] {
    return this.#unpacked;
  }

  get #unpacked(): Item[] {
    // Written by `pack` and by nothing else.
    this.#items ??= JSON.parse(decoder.decode(this.#bytes)) as Item[];
    this.#bytes = undefined;
    return this.#items;
  }

  push(item: Item): void {
    this.#unpacked.push(item);
    this.#count += 1;
    const message = messageOf(item);
    if (message === undefined) return;
    this.#messages += 1;
    this.#oldestSeq ??= message.seq;
    this.#newestSeq = message.seq;
  }

  /** The same items, with seqs lower by so much. */
  lowered(by: number): LogPage {
    return new LogPage(
      this.items.map((item) => {
        const message = messageOf(item);
        return message === undefined ? item : itemOf({ ...message, ...lowered(message, by) });
      }),
    );
  }

  pack(): void {
    if (this.#items === undefined) return;
    this.#bytes = encoder.encode(JSON.stringify(this.#items));
    this.#items = undefined;
  }
}
