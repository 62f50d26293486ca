/**
 * A room's log read from end to end, page by page, over whatever connections it takes.
 */
import type { ClientEvent } from "../../client/events.ts";
import { pipeLimits } from "../../protocol/limits.client.ts";
import type { History, Message } from "../../protocol/messages.ts";
import type { Answer, ChatBackend } from "../backend.ts";

/** A log that could not be read to its end. */
export class ArchiveError extends Error {
  override readonly name = "ArchiveError";
}

/** Resolves when connected and in the room; rejects when that will not happen. */
export function untilJoined(backend: ChatBackend, room: string): Promise<void> {
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

function ask(
  backend: ChatBackend,
  room: string,
  bounds: { before?: number; after?: number },
): Promise<Answer> {
  return new Promise((resolve) => {
    const limit = pipeLimits.exportPage;
    const taken = backend.session.request({ type: "history", room, limit, ...bounds }, resolve);
    if (!taken.ok) resolve(taken);
  });
}

/** One page, asked for again when the connection broke meanwhile. @throws ArchiveError */
async function page(
  backend: ChatBackend,
  room: string,
  bounds: { before?: number; after?: number },
): Promise<History> {
  let reason = "";
  for (let attempt = 0; attempt < pipeLimits.exportAttempts; attempt += 1) {
    await untilJoined(backend, room);
    const answer = await ask(backend, room, bounds);
    if (answer.ok && answer.message.type === "history") return answer.message;
    if (!answer.ok) reason = answer.message;
  }
  throw new ArchiveError(reason);
}

/**
 * The log from its beginning, ascending, a page at a time.
 * @throws ArchiveError when it cannot be read, or was started anew meanwhile
 */
export async function* pagesUp(backend: ChatBackend, room: string): AsyncGenerator<readonly Message[]> {
  let after = 0;
  let epoch: string | undefined;
  for (;;) {
    const { messages, more, epoch: current, next } = await page(backend, room, { after });
    epoch ??= current;
    if (current !== epoch) throw new ArchiveError(`the log of ${room} was started anew; begin again`);
    if (messages.length > 0) yield messages;
    after = Math.max(next ?? 0, messages.at(-1)?.seq ?? after);
    if (!more) return;
  }
}

/**
 * The newest messages, ascending: those at or after a moment, and at most `most` of them.
 * @param from ms since 1970
 * @throws ArchiveError
 */
export async function newest(
  backend: ChatBackend,
  room: string,
  from: number,
  most: number,
): Promise<readonly Message[]> {
  /** The newest page first. */
  const pages: (readonly Message[])[] = [];
  let count = 0;
  let before: number | undefined;
  for (;;) {
    const bounds = before === undefined ? {} : { before };
    const { messages, more, next } = await page(backend, room, bounds);
    pages.push(messages);
    count += messages.length;
    const enough = count >= most || (messages[0] !== undefined && messages[0].at < from);
    if (enough || !more) break;
    before = next ?? messages[0]?.seq;
    if (before === undefined) break;
  }
  return pages
    .toReversed()
    .flat()
    .filter(({ at }) => at >= from)
    .slice(-most);
}
