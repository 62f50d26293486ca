/**
 * `search`: messages of a room that have all of some words, the newest first.
 *
 * A bounded walk down the log, the same with every backplane: one reply looks through at most `searchEntries` entries
 * and `searchBytes` bytes, in parts, so that a search costs nobody else a pause, and says how far it looked and where to go on. Words match
 * anywhere in a text, in whatever case or width.
 */
import type { LogEntry } from "../../backplane/backplane.ts";
import type { RequestOf } from "../../protocol/messages.ts";
import { nameKey, parseNick } from "../../protocol/names.ts";
import { encodeEntry, encodeWithMessages, readBody, withId } from "../encode.ts";
import type { Exchange } from "../exchange.ts";
import type { Room } from "../room.ts";
import type { RequestHandler } from "./handler.ts";
import { membership } from "./membership.ts";

/** Entries read at once. */
const PART = 500;

export const search: RequestHandler<"search"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, request) {
    const { room } = membership(exchange.session, request.room);
    new Search(exchange, request, room).step();
  },
};

class Search {
  readonly #exchange: Exchange;
  readonly #room: Room;
  readonly #words: readonly string[];
  readonly #from: string | undefined;
  readonly #limit: number;
  #before: number;
  #looked = 0;
  /** Bytes looked through. */
  #read = 0;
  #bytes = 0;
  /** The newest first. */
  readonly #found: Uint8Array[] = [];

  constructor(exchange: Exchange, request: RequestOf<"search">, room: Room) {
    this.#exchange = exchange;
    this.#room = room;
    this.#words = nameKey(request.words).split(/\s+/).filter(Boolean);
    this.#from = request.from === undefined ? undefined : nameKey(parseNick(request.from));
    this.#limit = request.limit;
    this.#before = Math.min(request.before ?? room.seq + 1, room.seq + 1);
  }

  /** Reads the next part. */
  step(): void {
    const { core, session } = this.#exchange;
    if (session.closed) return;
    const limit = Math.min(PART, core.limits.searchEntries - this.#looked);
    const query = {
      room: this.#room.log,
      before: this.#before,
      limit,
      maxBytes: core.limits.replyBytes,
    };
    core.backplane.history(query, (result) => {
      if (this.#exchange.session.closed) return;
      if (!result.ok) {
        this.#exchange.fail(result);
        return;
      }
      const { entries, first, epoch } = result.page;
      const full = !entries.toReversed().every((entry) => this.#take(entry));
      const more = entries.length > 0 && this.#before > first;
      const { searchEntries, searchBytes } = core.limits;
      const enough = full || this.#looked >= searchEntries || this.#read >= searchBytes;
      // Everybody else's turn comes between two parts.
      if (more && !enough) core.clock.after(0, () => this.step());
      else this.#answer(epoch, more);
    });
  }

  /** @returns false when the reply is full */
  #take(entry: LogEntry): boolean {
    this.#looked += 1;
    this.#read += entry.body.length;
    this.#before = entry.seq;
    if (!this.#matches(entry)) return true;
    const line = encodeEntry(entry);
    this.#found.push(line);
    this.#bytes += line.length;
    return this.#found.length < this.#limit && this.#bytes < this.#exchange.core.limits.replyBytes;
  }

  #matches({ body }: LogEntry): boolean {
    const stored = readBody(body);
    if (this.#from !== undefined && nameKey(stored.from) !== this.#from) return false;
    const text = nameKey(stored.text);
    return this.#words.every((word) => text.includes(word));
  }

  #answer(epoch: string, more: boolean): void {
    const head = {
      type: "found",
      ...withId(this.#exchange.id),
      room: this.#room.name,
      epoch,
      looked: this.#looked,
      more,
      ...(more ? { next: this.#before } : {}),
    };
    this.#exchange.bytes(encodeWithMessages(head, this.#found.toReversed()));
  }
}
