/** `topic`: what a room is about. Everybody in the room hears it; the setter's copy is the answer. */
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
    const { core, session } = exchange;
    const { room } = membership(session, request.room);
    const text = checkTopic(request.text);
    const set = core.newName(SET_LENGTH);
    const record: TopicRecord = { text, by: session.nick, at: core.clock.now(), set };
    const value = JSON.stringify(record);
    room.expectRecord(value, session);
    core.backplane.setRecord(room.log, TOPIC, value, (result) => {
      // Without an answer, but heard of: it is set, and the setter was spared what all others got.
      const unheard = room.forgetRecord(value);
      if (!result.ok && unheard) exchange.fail(result);
      else exchange.answer({ ...topicMessage(room.name, record), ...withId(exchange.id) });
    });
  },
};
