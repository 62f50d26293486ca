/**
 * `topic`: what a room is about. Everybody in the room hears it; the setter's copy is the answer.
 *
 * A line that is given again after a hand-over, or by this server to a store that had done it, is the same change, and the
 * store does it once. So an old topic never comes back over a newer one; the answer tells which stands.
 */
import { checkTopic } from "../../protocol/texts.ts";
import { withId } from "../encode.ts";
import { TOPIC, topicMessage } from "../topic.ts";
import type { TopicRecord } from "../topic.ts";
import type { RequestHandler } from "./handler.ts";
import { membership } from "./membership.ts";

/** Characters that tell two settings of the same topic apart. */
const SET_LENGTH = 10;

export const topic: RequestHandler<"topic"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, request) {
    const { core, session, slot } = exchange;
    const { room } = membership(session, request.room);
    const text = checkTopic(request.text);
    const set = core.newName(SET_LENGTH);
    const record: TopicRecord = { text, by: session.nick, at: core.clock.now(), set };
    const value = JSON.stringify(record);
    room.expectRecord(value, session);
    const once = `${session.origin.connection}#${slot.line}`;
    const change = { room: room.log, key: TOPIC, value, session: session.name, once };
    core.backplane.setRecord(change, (result) => {
      // Without an answer, but heard of: it is set, and the setter was spared what all others got.
      const unheard = room.forgetRecord(value);
      if (!result.ok && unheard) exchange.fail(result);
      else exchange.answer({ ...topicMessage(room.name, room.topic ?? record), ...withId(exchange.id) });
    });
  },
};
