/**
 * A room's log read from end to end, page by page, over whatever connections it takes.
 */
import type { ClientEvent } from "../../client/events.ts";
import { pipeLimits } from "../../protocol/limits.client.ts";
import type { History, Message } from "../../protocol/messages.ts";
import type { Answer, ChatBackend, ChatSession, RoomView } from "../backend.ts";

/** What of a chat is needed to read a log. */
export interface LogSource extends Pick<ChatBackend, "connection" | "on"> {
  readonly session: Pick<ChatSession, "request"> & {
    readonly rooms: ReadonlyMap<string, Pick<RoomView, "state">>;
  };
}

/** A log that could not be read to its end. */
export class ArchiveError extends Error {
  override readonly name = "ArchiveError";
}

/** Resolves when connected and in the room; rejects when that will not happen. */
export function untilJoined(backend: LogSource, room: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const joined = () => backend.session.rooms.get(room)?.state === "joined";
    if (joined()) {
      resolve();
      return;
    }
    const stop = backend.on((event: ClientEvent) => {
      const { connection } = backend;
      if (joined()) resolve();
      else if (connection.state === "closed" || connection.state === "needs-nick") {
        reject(new ArchiveError(connection.message));
      } else if (event.kind === "received" && event.message.type === "error") {
        reject(new ArchiveError(event.message.message));
      } else return;
      stop();
    });
  });
}

/** Both exclusive. */
interface Bounds {
  readonly before?: number;
  readonly after?: number;
}

function ask(backend: LogSource, room: string, bounds: Bounds, limit: number): Promise<Answer> {
  return new Promise((resolve) => {
    const taken = backend.session.request({ type: "history", room, limit, ...bounds }, resolve);
    if (!taken.ok) resolve(taken);
  });
}

/** One page, asked for again when the connection broke meanwhile. @throws ArchiveError */
async function page(
  backend: LogSource,
  room: string,
  bounds: Bounds,
  limit: number = pipeLimits.exportPage,
): Promise<History> {
  let reason = "";
  for (let attempt = 0; attempt < pipeLimits.exportAttempts; attempt += 1) {
    await untilJoined(backend, room);
    const answer = await ask(backend, room, bounds, limit);
    if (answer.ok && answer.message.type === "history") return answer.message;
    if (answer.ok) continue;
    reason = answer.message;
    // A long log takes more pages than a server gives at once: it says when there are more.
    if (answer.afterMs !== undefined) await Bun.sleep(Math.min(answer.afterMs, pipeLimits.exportWaitMostMs));
  }
  throw new ArchiveError(reason);
}

/** A part of a log, ascending, and whether more of it follows. */
export interface Page {
  readonly messages: readonly Message[];
  readonly more: boolean;
}

/** Which part of a log to read. */
export interface Range {
  /** Only what is above this seq. */
  readonly after?: number;
  /** Nothing above this seq, and no page once it was reached. */
  readonly until?: number;
  /** The log's epoch; any if not given. */
  readonly epoch?: string | undefined;
  /** Called before each page is asked for. */
  readonly asking?: () => void;
}

/**
 * The log ascending, a page at a time: nothing is asked for before the last page was taken.
 * @throws ArchiveError when it cannot be read, or was started anew meanwhile
 */
export async function* pagesUp(backend: LogSource, room: string, range: Range = {}): AsyncGenerator<Page> {
  const { until = Number.POSITIVE_INFINITY, asking } = range;
  let { after = 0, epoch } = range;
  while (after < until) {
    asking?.();
    const { messages, more, epoch: current, next } = await page(backend, room, { after });
    epoch ??= current;
    if (current !== epoch) throw new ArchiveError(`the log of ${room} was started anew; begin again`);
    after = Math.max(next ?? 0, messages.at(-1)?.seq ?? after);
    const wanted = after > until ? messages.filter(({ seq }) => seq <= until) : messages;
    if (wanted.length > 0 || !more) yield { messages: wanted, more: more && after < until };
    if (!more) return;
  }
}

/**
 * Where the newest messages begin: those at or after a moment, and at most `most` of them. Found by halving, because a
 * log's times never go back: a million messages take some twenty requests of one message, and none of them is kept.
 * @param from ms since 1970
 * @throws ArchiveError
 * @returns what {@link pagesUp} needs to read them
 */
export async function rangeOfNewest(
  backend: LogSource,
  room: string,
  from: number,
  most: number,
): Promise<Required<Pick<Range, "after" | "until" | "epoch">>> {
  const { messages, epoch } = await page(backend, room, {}, 1);
  const until = messages[0]?.seq ?? 0;
  /** All up to `after` are too old or too many; what is wanted begins at `first` or below. */
  let after = Math.max(0, until - most);
  if (from <= 0) return { after, until, epoch };
  let first = until + 1;
  while (first - after > 1) {
    // Nothing may be kept at the seq asked for: what comes is the next that is.
    const middle = Math.floor((after + first) / 2);
    const probe = (await page(backend, room, { after: middle - 1, before: first }, 1)).messages[0];
    if (probe === undefined || probe.at >= from) first = middle;
    else after = probe.seq;
  }
  return { after, until, epoch };
}
