/** `members`, `rooms`, `nick`, `whois`, `typing`: who is where, under which name, and about to speak. */
import type { RoomSummary } from "../../backplane/backplane.ts";
import { parseNick } from "../../protocol/names.ts";
import { botField } from "../bots.ts";
import { encodeLine, withId } from "../encode.ts";
import { membersOf } from "../joined.ts";
import { persist } from "../retry.ts";
import { readTopic, TOPIC } from "../topic.ts";
import { encodeWord } from "../words.ts";
import type { RequestHandler } from "./handler.ts";
import { membership } from "./membership.ts";

export const members: RequestHandler<"members"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, request) {
    const { core, session, id } = exchange;
    const { room } = membership(session, request.room);
    exchange.answer({ type: "members", ...withId(id), room: room.name, ...membersOf(core, room) });
  },
};

export const rooms: RequestHandler<"rooms"> = {
  order: "exclusive",
  cost: "request",
  run(exchange) {
    const { core, id } = exchange;
    core.roomLists.get((result) => {
      if (!result.ok) exchange.fail(result);
      else exchange.answer({ type: "rooms", ...withId(id), rooms: result.rooms.map(describe) });
    });
  },
};

function describe({ room, members: count, records }: RoomSummary): {
  readonly room: string;
  readonly members: number;
  readonly topic: string;
} {
  return { room, members: count, topic: readTopic(records.get(TOPIC))?.text ?? "" };
}

export const nick: RequestHandler<"nick"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, request) {
    const { core, session, id } = exchange;
    const wanted = parseNick(request.nick);
    if (wanted === session.nick) {
      exchange.answer({ type: "nick", ...withId(id), nick: wanted });
      return;
    }
    session.renaming = true;
    // A claim without an answer may have changed the nick; only another one tells.
    persist<{ readonly ok: true }>(
      core,
      session,
      (done) => core.claim(session.name, wanted, session.fence, done),
      (result) => {
        session.renaming = false;
        if (session.closed) return;
        if (!result.ok) {
          exchange.fail(result);
          return;
        }
        session.setNick(wanted);
        exchange.answer({ type: "nick", ...withId(id), nick: wanted });
      },
    );
  },
};

export const whois: RequestHandler<"whois"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, request) {
    const { core, session, id } = exchange;
    const wanted = parseNick(request.nick);
    core.backplane.lookup(wanted, (result) => {
      if (!result.ok) {
        exchange.fail(result);
        return;
      }
      const { member } = result;
      // Only rooms that the asker is in too: nobody learns of others' rooms.
      const shared = session.memberships.all.filter(
        ({ room }) => !room.isInbox && member !== undefined && room.roster.has(member.session),
      );
      exchange.answer({
        type: "whois",
        ...withId(id),
        nick: member?.nick ?? wanted,
        connected: member !== undefined,
        ...(member?.away === undefined ? {} : { away: member.away }),
        ...botField(member?.session ?? ""),
        rooms: shared.map(({ room }) => room.name).sort(),
      });
    });
  },
};

/**
 * Tells the others in the room, on this server at once and on others by a word to each. Lost words cost nothing, and who
 * says it over and over is believed for a while: each time costs the cluster as many words as there are others.
 */
export const typing: RequestHandler<"typing"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, request) {
    const { core, session, id } = exchange;
    const { room } = membership(session, request.room);
    const message = { type: "typing", room: room.name, nick: session.nick } as const;
    exchange.answer({ ...message, ...withId(id) });
    if (room.roster.size > core.limits.typingMembers || !session.typing.take(core.clock.monotonic())) return;
    room.broadcast(encodeLine(message), session);
    const word = encodeWord({ typing: { room: room.name, nick: session.nick } });
    for (const other of room.roster.sessions()) {
      if (other !== session.name && !core.sessions.has(other)) core.backplane.tell(other, word);
    }
  },
};
