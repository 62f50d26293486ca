/** Requests about a room need the session to be in it. */
import { ProtocolError } from "../../protocol/errors.ts";
import { parseRoom } from "../../protocol/names.ts";
import type { Group } from "../group.ts";
import type { Session } from "../session.ts";

/**
 * The group of a room that the session is in.
 * @throws ProtocolError `bad-room` or `not-in-room`
 */
export function membership(session: Session, room: string): Group {
  // Most requests name the room by its key.
  const group = room.startsWith("@")
    ? undefined
    : (session.memberships.get(room) ?? session.memberships.get(parseRoom(room)));
  if (group !== undefined) return group;
  const name = parseRoom(room);
  throw new ProtocolError("not-in-room", `you are not in ${name}; join it first`, name);
}
