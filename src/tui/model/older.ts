/** Fetching what was said in a room before what is kept of it. */
import { screenLimits } from "../../protocol/limits.client.ts";
import type { ChatSession } from "../backend.ts";
import { isChange } from "./changes.ts";
import type { RoomModel } from "./room-model.ts";

/** Who hears of it. */
interface Hears {
  /** They are there: so many more. */
  readonly came: (count: number) => void;
  /** It is over, however it went. */
  readonly changed: () => void;
}

/** Asks for messages before the oldest that is kept. Does nothing while that is under way or there are none. */
export function loadOlder(room: RoomModel, session: ChatSession, { came, changed }: Hears): void {
  if (room.loading || !room.more) return;
  const before = room.log.oldestSeq;
  if (before !== undefined && before <= 0) return;
  const bound = before === undefined ? {} : { before };
  const limit = screenLimits.pageMessages;
  room.loading = true;
  const taken = session.request({ type: "history", room: room.name, limit, ...bound }, (answer) => {
    room.loading = false;
    if (answer.ok && answer.message.type === "history") {
      const { messages, more } = answer.message;
      const count = room.log.prepend(messages);
      for (const message of messages) if (isChange(message)) room.changes.apply(message);
      room.more = more;
      came(count);
    }
    changed();
  });
  if (!taken.ok) room.loading = false;
}
