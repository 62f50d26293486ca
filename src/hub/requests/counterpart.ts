/**
 * The other side's entry of a direct message.
 *
 * A direct message lies in two inboxes, under two numbers that neither side knows of the other. Who answers, changes or
 * takes back one names it by the number in their own inbox, and each copy of what they say must name it by the number in
 * the inbox that it goes to. So the other inbox is looked through, from the newest down and not far, for the entry with
 * the same words. Who was not part of a conversation has no entry of it and can name none.
 *
 * A conversation is with a nick, as everywhere: what was said under another nick is of another conversation.
 */
import { nameKey } from "../../protocol/names.ts";
import type { BackplaneFailure } from "../../backplane/backplane.ts";
import type { Core } from "../core.ts";
import { bodyRoom, readBody } from "../encode.ts";
import type { StoredMessage } from "../encode.ts";

const encoder = new TextEncoder();

/** The entry's seq, undefined if there is none among the newest, or why that cannot be known now. */
export type Found = { readonly ok: true; readonly seq: number | undefined } | BackplaneFailure;

/**
 * Looks for a message in the other side's inbox.
 * @param log the other side's inbox
 * @param original as it is in one's own
 * @param nick one's own: the conversation that the entry must be of
 */
export function findCounterpart(
  core: Core,
  log: string,
  original: StoredMessage,
  nick: string,
  done: (found: Found) => void,
): void {
  const { historyMost, replyBytes, scanEntries, searchBytes } = core.limits;
  const words = encoder.encode(`"text":${JSON.stringify(original.text)}`);
  const isIt = (body: Uint8Array): boolean =>
    endsWith(body, words) && isIn(body, nick) && isSame(readBody(body), original);
  let looked = 0;
  let bytes = 0;
  const step = (before: number | undefined): void => {
    const query = { room: log, limit: historyMost, maxBytes: replyBytes };
    core.backplane.history(before === undefined ? query : { ...query, before }, (result) => {
      if (!result.ok) {
        done(result);
        return;
      }
      const { entries, first } = result.page;
      const found = entries.findLast(({ body }) => isIt(body));
      if (found !== undefined) {
        done({ ok: true, seq: found.seq });
        return;
      }
      looked += entries.length;
      for (const { body } of entries) bytes += body.length;
      const oldest = entries[0]?.seq;
      const isEnd = oldest === undefined || oldest <= first;
      if (isEnd || looked >= scanEntries || bytes >= searchBytes) done({ ok: true, seq: undefined });
      else step(oldest);
    });
  };
  step(undefined);
}

/** The text is the last field: most entries are told apart by it, and only the others are parsed. */
function endsWith(body: Uint8Array, end: Uint8Array): boolean {
  const from = body.length - end.length;
  return from >= 0 && Buffer.compare(body.subarray(from), end) === 0;
}

/** Two entries of one message: all is the same but the name of the other side, and by which number others are named. */
function isSame(one: StoredMessage, other: StoredMessage): boolean {
  return (
    one.id === other.id &&
    one.from === other.from &&
    one.by === other.by &&
    one.text === other.text &&
    one.action === other.action &&
    one.re?.kind === other.re?.kind
  );
}

/** Whether an entry of an inbox is of the conversation with this nick. */
export function isIn(body: Uint8Array, nick: string): boolean {
  return nameKey(bodyRoom(body).slice(1)) === nameKey(nick);
}
