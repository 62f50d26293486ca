/**
 * A room as one edge knows it: the number of a group and the sessions of that edge that are in it.
 *
 * Exists while it has a session. A frame is given to each group once, however many sessions it has.
 */
import type { EdgePort, GroupId } from "../edge/trunk.ts";
import type { Attachment } from "./attachment.ts";
import { Few } from "./few.ts";
import type { Room } from "./room.ts";
import type { Session } from "./session.ts";

/** See above. */
export class Group {
  readonly attachment: Attachment;
  readonly edge: EdgePort;
  readonly room: Room;
  readonly sessions = new Few<Session>();
  /** Changes when the room's epoch does. */
  id: GroupId;

  constructor(attachment: Attachment, room: Room) {
    this.attachment = attachment;
    this.edge = attachment.edge;
    this.room = room;
    this.id = attachment.defineGroup(room);
  }
}
