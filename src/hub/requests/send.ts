/**
 * `send`: a message to a room, or with `@nick` to one person.
 *
 * The key that makes a repeat harmless is the session's name and the request's `id`, or without one the connection and
 * the number of the line, which an edge gives again after a hand-over. An `ack` follows the message itself, so whoever
 * counts on it has seen the message at its place.
 */
import { INBOX } from "../../protocol/messages.ts";
import type { RequestOf } from "../../protocol/messages.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { nameKey, parseNick } from "../../protocol/names.ts";
import { checkText } from "../../protocol/requests.ts";
import type { Publication } from "../../backplane/backplane.ts";
import { encodeBody, withId } from "../encode.ts";
import type { Exchange } from "../exchange.ts";
import type { Room } from "../room.ts";
import type { RequestHandler } from "./handler.ts";
import { membership } from "./membership.ts";

export const send: RequestHandler<"send"> = {
  order: "pipelined",
  cost: "message",
  run(exchange, request) {
    const text = checkText(request.text);
    if (request.room.startsWith(INBOX)) {
      sendDirect(exchange, request, text);
      return;
    }
    const { session, id } = exchange;
    const { room } = membership(session, request.room);
    const body = encodeBody(room.name, id, session.nick, text);
    publish(exchange, room, room.name, { room: room.log, key: keyOf(exchange), body });
  },
};

function keyOf({ session, slot, id }: Exchange): string {
  // Lines of different connections of a session have equal numbers and must not be taken for equal.
  return id === undefined ? `${session.origin.connection}#${slot.line}` : `${session.name}/${id}`;
}

function sendDirect(exchange: Exchange, request: RequestOf<"send">, text: string): void {
  const { core, session, slot, id } = exchange;
  const nick = parseNick(request.room.slice(1));
  const inbox = session.memberships.get(INBOX)?.room;
  if (inbox === undefined) throw new ProtocolError("internal", "the session has no inbox; connect again");
  const key = keyOf(exchange);
  const publishTo = (other: string): Publication => {
    return { room: inbox.log, key, body: encodeBody(`@${other}`, id, session.nick, text) };
  };
  if (nameKey(nick) === nameKey(session.nick)) {
    publish(exchange, inbox, `@${session.nick}`, publishTo(session.nick));
    return;
  }
  // The next line may be to the same person: it must not be published before this one.
  slot.block();
  core.backplane.lookup(nick, (result) => {
    if (session.closed) return;
    if (!result.ok) exchange.fail(result);
    else if (result.member === undefined) {
      exchange.refuse("no-such-nick", `nobody called ${nick} is connected; check the nick with members`);
    } else {
      const { member } = result;
      const copy = {
        room: `${INBOX}${member.session}`,
        body: encodeBody(`@${session.nick}`, id, session.nick, text),
      };
      publish(exchange, inbox, `@${member.nick}`, { ...publishTo(member.nick), copy });
      slot.unblock();
    }
  });
}

function publish(exchange: Exchange, room: Room, shown: string, publication: Publication): void {
  const { core } = exchange;
  core.messages += 1;
  core.backplane.publish(publication, (result) => {
    if (!result.ok) {
      exchange.fail(result);
      return;
    }
    const { position, at, duplicate } = result;
    room.whenReached(position, () => {
      exchange.answer({
        type: "ack",
        ...withId(exchange.id),
        room: shown,
        seq: position.seq,
        at,
        ...(duplicate ? { duplicate } : {}),
      });
    });
  });
}
