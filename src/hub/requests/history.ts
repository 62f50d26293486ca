/**
 * `history`: pages of a log, both ways.
 *
 * A page never reaches beyond what the session has been brought to, so a client may put together pages and live
 * messages without comparing. A direct conversation is what is left of the inbox when everything else is taken out; how
 * much is looked through for one reply is bounded, and the reply says where to go on.
 */
import type { HistoryPage, HistoryQuery, LogEntry } from "../../backplane/backplane.ts";
import { INBOX } from "../../protocol/messages.ts";
import type { RequestOf } from "../../protocol/messages.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { nameKey, parseNick } from "../../protocol/names.ts";
import { encodeEntry } from "../../protocol/deliveries.ts";
import { bodyRoom, encodeWithMessages, withId } from "../encode.ts";
import type { Exchange } from "../exchange.ts";
import type { Group } from "../group.ts";
import type { RequestHandler } from "./handler.ts";
import { membership } from "./membership.ts";

type Request = RequestOf<"history">;

export const history: RequestHandler<"history"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, request) {
    const { session } = exchange;
    if (!request.room.startsWith(INBOX)) {
      const { room } = membership(session, request.room);
      new Scan(exchange, request, room.name, room, undefined).step();
      return;
    }
    const inbox = session.memberships.get(INBOX)?.room;
    if (inbox === undefined) throw new ProtocolError("internal", "the session has no inbox; connect again");
    const nick = request.room === INBOX ? undefined : parseNick(request.room.slice(1));
    const shown = nick === undefined ? INBOX : `@${nick}`;
    new Scan(exchange, request, shown, inbox, nick === undefined ? undefined : nameKey(nick)).step();
  },
};

/** One request's walk through a log, from the newest down, or with `after` up. */
class Scan {
  readonly #exchange: Exchange;
  readonly #shown: string;
  readonly #room: Group["room"];
  /** Key of the nick whose conversation is asked for. */
  readonly #other: string | undefined;
  readonly #upwards: boolean;
  readonly #limit: number;
  #before: number | undefined;
  #after: number | undefined;
  #scanned = 0;
  #bytes = 0;
  /** In the order met. */
  readonly #lines: Uint8Array[] = [];

  constructor(
    exchange: Exchange,
    request: Request,
    shown: string,
    room: Group["room"],
    other: string | undefined,
  ) {
    this.#exchange = exchange;
    this.#shown = shown;
    this.#room = room;
    this.#other = other;
    this.#upwards = request.after !== undefined;
    this.#limit = request.limit;
    this.#after = request.after;
    const end = room.seq + 1;
    this.#before = request.before === undefined ? end : Math.min(request.before, end);
  }

  /** Reads the next part. */
  step(): void {
    const { core } = this.#exchange;
    const { scanEntries, replyBytes } = core.limits;
    const filtered = this.#other !== undefined;
    const query: HistoryQuery = {
      room: this.#room.log,
      ...(this.#before === undefined ? {} : { before: this.#before }),
      ...(this.#after === undefined ? {} : { after: this.#after }),
      limit: filtered ? Math.min(core.limits.historyMost, scanEntries - this.#scanned) : this.#limit,
      maxBytes: replyBytes,
    };
    core.backplane.history(query, (result) => {
      if (!result.ok) this.#exchange.fail(result);
      else this.#take(result.page);
    });
  }

  #take(page: HistoryPage): void {
    const { scanEntries, replyBytes } = this.#exchange.core.limits;
    const entries = this.#upwards ? page.entries : page.entries.toReversed();
    let full = false;
    for (const entry of entries) {
      const wanted = this.#isWanted(entry);
      const line = wanted ? encodeEntry(entry) : undefined;
      const bytes = this.#bytes + (line?.length ?? 0);
      full = this.#lines.length > 0 && (this.#lines.length >= this.#limit || bytes > replyBytes);
      if (full) break;
      if (line !== undefined) this.#lines.push(line);
      this.#bytes = bytes;
      this.#scanned += 1;
      if (this.#upwards) this.#after = entry.seq;
      else this.#before = entry.seq;
    }
    const more = this.#hasMore(page);
    const enough = full || this.#lines.length >= this.#limit || this.#scanned >= scanEntries;
    if (more && !enough && entries.length > 0 && this.#other !== undefined) this.step();
    else this.#answer(page.epoch, more);
  }

  #isWanted({ body }: LogEntry): boolean {
    return this.#other === undefined || nameKey(bodyRoom(body).slice(1)) === this.#other;
  }

  /** Whether the log goes on where the scan stopped. */
  #hasMore({ first, last }: HistoryPage): boolean {
    if (!this.#upwards) return (this.#before ?? 0) > first;
    const end = Math.min(last, (this.#before ?? last + 1) - 1);
    return (this.#after ?? 0) < end;
  }

  #answer(epoch: string, more: boolean): void {
    const next = this.#upwards ? this.#after : this.#before;
    const head = {
      type: "history",
      ...withId(this.#exchange.id),
      room: this.#shown,
      epoch,
      more,
      ...(more && next !== undefined ? { next } : {}),
    };
    const lines = this.#upwards ? this.#lines : this.#lines.toReversed();
    this.#exchange.bytes(encodeWithMessages(head, lines));
  }
}
