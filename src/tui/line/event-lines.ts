/** What is said in a room as lines, for `--follow` into a file or a pager: messages, comings and goings, gaps. */
import type { ClientEvent } from "../../client/events.ts";
import type { LineFormat } from "./format.ts";

/** @param me this person's nick */
export function eventLines(
  event: ClientEvent,
  format: LineFormat,
  me: string,
  room: string,
): readonly string[] {
  if (event.kind === "gap") return [format.gap(event.gap)];
  if (event.kind === "told") {
    return event.lines.map((line) => (event.warning ? format.warning(line) : format.info(line)));
  }
  if (event.kind !== "received") return [];
  const { message } = event;
  switch (message.type) {
    case "message":
      return format.message(message, me, room);
    case "joined":
      return message.messages.flatMap((one) => format.message(one, me, room));
    case "presence":
      return message.bot === true ? [] : [format.presence(message)];
    case "topic":
      return [format.topic(message)];
    default:
      return [];
  }
}
