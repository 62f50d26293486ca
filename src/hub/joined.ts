/** The `joined` line: a room as it stands, with what a reader missed or the newest of it. */
import type { Members } from "../protocol/messages.ts";
import type { Core } from "./core.ts";
import { encodeWithMessages, joinLines, withId } from "./encode.ts";
import type { Room } from "./room.ts";

/**
 * `joined`, and behind it as ordinary `message` lines what is over the size of one reply. Brings a reader to exactly
 * where the room stands now.
 * @param what.lines the last messages up to the room's position
 */
export function encodeJoined(
  core: Core,
  room: Room,
  what: { readonly recovered: boolean; readonly lines: readonly Uint8Array[] },
  id?: string,
): Uint8Array {
  const { lines, recovered } = what;
  const count = countFitting(lines, core.limits);
  const head = {
    type: "joined",
    ...withId(id),
    room: room.name,
    epoch: room.epoch,
    seq: room.seq - (lines.length - count),
    ...membersOf(core, room),
    topic: room.topic?.text ?? "",
    recovered,
  };
  return joinLines([encodeWithMessages(head, lines.slice(0, count)), ...lines.slice(count)]);
}

/** Who is in a room, as answers say it. */
export function membersOf(
  { limits }: Core,
  { roster }: Room,
): Pick<Members, "members" | "memberCount" | "away" | "bots"> {
  const away = roster.away(limits.membersListed);
  const bots = roster.bots(limits.membersListed);
  return {
    members: roster.nicks(limits.membersListed),
    memberCount: roster.size,
    ...(away === undefined ? {} : { away }),
    ...(bots === undefined ? {} : { bots }),
  };
}

/** How many lines, from the first, fit one reply. */
export function countFitting(
  lines: readonly Uint8Array[],
  limits: { readonly historyMost: number; readonly replyBytes: number },
): number {
  let bytes = 0;
  let count = 0;
  for (const line of lines) {
    bytes += line.length;
    if (count >= limits.historyMost || (count > 0 && bytes > limits.replyBytes)) break;
    count += 1;
  }
  return count;
}
