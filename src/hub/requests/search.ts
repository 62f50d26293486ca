/**
 * `search`: messages of a room that have all of some words, the newest first.
 *
 * Where the backplane has an index it is asked. Elsewhere a bounded walk down the log: one reply looks through at most
 * `searchEntries` entries and `searchBytes` bytes, in parts, so that a search costs nobody else a pause, and says how far
 * it looked and where to go on. What a match is, is the same for both (protocol/search.ts).
 */
import type { RequestOf } from "../../protocol/messages.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { parseNick } from "../../protocol/names.ts";
import { readWanted } from "../../protocol/search.ts";
import type { Wanted } from "../../protocol/search.ts";
import { Sieve } from "../../protocol/sieve.ts";
import type { LogEntry, Searcher } from "../../backplane/backplane.ts";
import { encodeEntry } from "../../protocol/deliveries.ts";
import { encodeWithMessages, withId } from "../encode.ts";
import type { Exchange } from "../exchange.ts";
import type { Room } from "../room.ts";
import type { RequestHandler } from "./handler.ts";
import { membership } from "./membership.ts";

export const search: RequestHandler<"search"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, request) {
    const { room } = membership(exchange.session, request.room);
    const from = request.from === undefined ? undefined : parseNick(request.from);
    const wanted = readWanted(request.words, from);
    if (wanted.words.length === 0 && wanted.from === undefined) {
      throw new ProtocolError("bad-message", "search: give words to look for, or from, or both");
    }
    const { searcher } = exchange.core.backplane;
    if (searcher === undefined) new Walk(exchange, request, room, wanted).begin();
    else ask(exchange, request, room, wanted, searcher);
  },
};

/** What an answer says beside the messages. */
interface Answer {
  readonly epoch: string;
  /** Ascending. */
  readonly entries: readonly LogEntry[];
  readonly looked: number;
  readonly next?: number;
}

function answer(exchange: Exchange, room: Room, { epoch, entries, looked, next }: Answer): void {
  const more = next !== undefined;
  const head = {
    type: "found",
    ...withId(exchange.id),
    room: room.name,
    epoch,
    looked,
    more,
    ...(more ? { next } : {}),
  };
  exchange.bytes(
    encodeWithMessages(
      head,
      entries.map((entry) => encodeEntry(entry)),
    ),
  );
}

/** Never above what the session has been brought to. */
function upperBound(request: RequestOf<"search">, room: Room): number {
  return Math.min(request.before ?? room.seq + 1, room.seq + 1);
}

function ask(
  exchange: Exchange,
  request: RequestOf<"search">,
  room: Room,
  wanted: Wanted,
  searcher: Searcher,
): void {
  const { limit } = request;
  const maxBytes = exchange.core.limits.replyBytes;
  const query = { room: room.log, before: upperBound(request, room), wanted, limit, maxBytes };
  searcher.search(query, (result) => {
    if (exchange.session.closed) return;
    if (result.ok) answer(exchange, room, result.found);
    else exchange.fail(result);
  });
}

/** Where a session's last search stopped, so that going on need not read again what is above. */
export interface SearchPlace {
  readonly room: Room;
  readonly next: number;
  readonly words: string;
  readonly sieve: Sieve;
}

class Walk {
  readonly #exchange: Exchange;
  readonly #room: Room;
  readonly #limit: number;
  readonly #words: string;
  #sieve: Sieve;
  #before: number;
  #looked = 0;
  /** Bytes looked through. */
  #readBytes = 0;
  #bytes = 0;
  /** The newest first. */
  readonly #found: LogEntry[] = [];

  constructor(exchange: Exchange, request: RequestOf<"search">, room: Room, wanted: Wanted) {
    this.#exchange = exchange;
    this.#room = room;
    this.#limit = request.limit;
    this.#words = JSON.stringify(wanted);
    this.#before = upperBound(request, room);
    this.#sieve = new Sieve(wanted);
  }

  /** What is above may have changed what is below: it is known from the reply before, or looked through. */
  begin(): void {
    const { searching } = this.#exchange.session;
    const room = this.#room;
    if (searching?.room === room && searching.next === this.#before && searching.words === this.#words) {
      this.#sieve = searching.sieve;
      this.#step();
    } else {
      const { searchEntries, searchBytes, searchAbove } = this.#exchange.core.limits;
      this.#above(room.seq + 1, searchEntries * searchAbove, searchBytes * searchAbove);
    }
  }

  #above(before: number, entriesLeft: number, bytesLeft: number): void {
    if (before <= this.#before || entriesLeft <= 0 || bytesLeft <= 0) {
      this.#step();
      return;
    }
    this.#read(before, Math.min(this.#exchange.core.limits.searchPart, before - this.#before), (entries) => {
      let bytes = 0;
      for (const entry of entries.toReversed()) {
        this.#sieve.note(entry);
        bytes += entry.body.length;
      }
      const reached = entries[0]?.seq ?? 0;
      if (reached <= this.#before) this.#step();
      else this.#later(() => this.#above(reached, entriesLeft - entries.length, bytesLeft - bytes));
    });
  }

  #read(
    before: number,
    limit: number,
    then: (entries: readonly LogEntry[], epoch: string, first: number) => void,
  ): void {
    const { core, session } = this.#exchange;
    const query = { room: this.#room.log, before, limit, maxBytes: core.limits.replyBytes };
    core.backplane.history(query, (result) => {
      if (session.closed) return;
      if (result.ok) then(result.page.entries, result.page.epoch, result.page.first);
      else this.#exchange.fail(result);
    });
  }

  /** Everybody else's turn comes between two parts. */
  #later(step: () => void): void {
    const { core, session } = this.#exchange;
    core.clock.after(0, () => {
      if (!session.closed) step();
    });
  }

  /** Reads the next part. */
  #step(): void {
    const { searchEntries, searchBytes, searchPart } = this.#exchange.core.limits;
    this.#read(this.#before, Math.min(searchPart, searchEntries - this.#looked), (entries, epoch, first) => {
      const full = !entries.toReversed().every((entry) => this.#take(entry));
      const more = entries.length > 0 && this.#before > first;
      const enough = full || this.#looked >= searchEntries || this.#readBytes >= searchBytes;
      if (more && !enough) this.#later(() => this.#step());
      else this.#answer(epoch, more);
    });
  }

  /** @returns false when the reply is full */
  #take(entry: LogEntry): boolean {
    this.#looked += 1;
    this.#readBytes += entry.body.length;
    this.#before = entry.seq;
    const body = this.#sieve.look(entry);
    if (body === undefined) return true;
    this.#found.push({ ...entry, body });
    this.#bytes += body.length;
    return this.#found.length < this.#limit && this.#bytes < this.#exchange.core.limits.replyBytes;
  }

  #answer(epoch: string, more: boolean): void {
    const [room, sieve, next] = [this.#room, this.#sieve, this.#before];
    // A session keeps no more of it than one reply: with more changes the next search looks at them again.
    const kept = more && sieve.bytes <= this.#exchange.core.limits.replyBytes;
    this.#exchange.session.searching = kept ? { room, sieve, next, words: this.#words } : undefined;
    const entries = this.#found.toReversed();
    answer(this.#exchange, room, { epoch, entries, looked: this.#looked, ...(more ? { next } : {}) });
  }
}
