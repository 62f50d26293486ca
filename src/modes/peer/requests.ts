/** Answers to what a screen asks: from this device's own log, at once. */
import type { Failure } from "../../client/events.ts";
import type { PlainRequest } from "../../client/session.ts";
import type { Draft } from "../../mesh/core/api.ts";
import type { MeshNode } from "../../mesh/node/node.ts";
import { clientLimits } from "../../protocol/limits.ts";
import type { ServerMessage } from "../../protocol/messages.ts";
import { parseNick, parseRoom } from "../../protocol/names.ts";
import type { MeshRooms } from "./rooms.ts";
import { searchLog } from "./search.ts";

/** What answers are made of. */
export interface Sources {
  readonly node: MeshNode;
  readonly rooms: MeshRooms;
}

/** Does what is asked. @throws ProtocolError for names that cannot be */
export function answerRequest(sources: Sources, request: PlainRequest, id: string): ServerMessage | Failure {
  const { node, rooms } = sources;
  switch (request.type) {
    case "ping":
      return { type: "pong", id };
    case "rooms": {
      const members = rooms.present.size;
      const list = node.core.rooms().map(({ room, topic = "" }) => ({ room, members, topic }));
      return { type: "rooms", rooms: list, id };
    }
    case "members": {
      const members = [...rooms.present.values()];
      return { type: "members", room: request.room ?? "", members, memberCount: members.length, id };
    }
    case "nick": {
      const nick = parseNick(request.nick ?? "");
      return write(node, { kind: "profile", nick }) ?? { type: "nick", nick, id };
    }
    case "topic": {
      const { room = "", text = "" } = request;
      // The topic itself is told to everybody, this side too, when it is in the log.
      return write(node, { kind: "topic", room: parseRoom(room), text }) ?? { type: "pong", id };
    }
    case "history":
      return history(sources, request, id);
    case "search":
      return searchLog(sources, request, id);
    default:
      return { ok: false, code: "unknown-type", message: "this cannot be asked between peers" };
  }
}

/** Undefined when it was written. */
function write(node: MeshNode, draft: Draft): Failure | undefined {
  const written = node.publish(draft);
  return written.ok ? undefined : { ok: false, code: written.code, message: written.message };
}

function history(
  { node, rooms }: Sources,
  request: Extract<PlainRequest, { type: "history" }>,
  id: string,
): ServerMessage {
  const { room = "", before, limit = clientLimits.historyDefault } = request;
  const place = rooms.placeOf(room);
  const last = before === undefined ? rooms.count(place) : Math.max(0, before - 1);
  const items = last === 0 ? [] : node.core.timeline(place, limit, last);
  const more = last > items.length;
  return {
    type: "history",
    room: rooms.roomOf(place),
    epoch: rooms.epoch,
    messages: rooms.page(items, last),
    more,
    ...(more ? { next: last - items.length + 1 } : {}),
    id,
  };
}
