/**
 * `join` and `leave`.
 *
 * A join subscribes the room, enters it, and then answers in a turn in which what it tells is exactly where the room
 * stands, and joins the group in that same turn: nothing falls between the answer and what follows it.
 */
import { ProtocolError } from "../../protocol/errors.ts";
import { INBOX } from "../../protocol/messages.ts";
import type { RequestOf } from "../../protocol/messages.ts";
import { parseRoom } from "../../protocol/names.ts";
import { withId } from "../encode.ts";
import type { Exchange } from "../exchange.ts";
import type { Gathered } from "../gather.ts";
import { encodeJoined } from "../joined.ts";
import type { Room } from "../room.ts";
import type { RequestHandler } from "./handler.ts";
import { membership } from "./membership.ts";

export const join: RequestHandler<"join"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, request) {
    const { core, session } = exchange;
    const name = request.room === INBOX ? INBOX : parseRoom(request.room);
    const group = session.memberships.get(name);
    if (group !== undefined) {
      gather(group.room, request, (result) => {
        if (result.ok) exchange.bytes(encodeJoined(core, group.room, result, exchange.id));
        else exchange.fail(result);
      });
      return;
    }
    // The inbox is not a room one chose to be in.
    if (session.memberships.size - 1 >= core.limits.rooms) {
      throw new ProtocolError(
        "too-many-rooms",
        `the session is in ${core.limits.rooms} rooms already; leave one before joining ${name}`,
        String(core.limits.rooms),
      );
    }
    session.entering = name;
    core.rooms.acquire(name, name, (result) => {
      if (!result.ok) {
        session.entering = "";
        exchange.fail(result);
      } else if (session.closed) core.rooms.release(result.room);
      else enter(exchange, request, result.room);
    });
  },
};

function enter(exchange: Exchange, request: RequestOf<"join">, room: Room): void {
  const { core, session } = exchange;
  const giveUp = (): void => {
    session.entering = "";
    core.rooms.release(room);
    core.leaveStrays(session, [room.name]);
  };
  core.backplane.enter(room.log, session.name, (entered) => {
    if (!entered.ok || session.closed) {
      giveUp();
      if (!entered.ok) exchange.fail(entered);
      return;
    }
    gather(room, request, (result) => {
      if (!result.ok || session.closed) {
        giveUp();
        if (!result.ok) exchange.fail(result);
        return;
      }
      session.entering = "";
      exchange.bytes(encodeJoined(core, room, result, exchange.id), (bytes, done) => {
        session.attachment.enter(session, room, bytes, done);
      });
    });
  });
}

function gather(room: Room, request: RequestOf<"join">, done: (result: Gathered) => void): void {
  if (request.since === undefined) room.gatherer.newest(request.history, "live", done);
  else room.gatherer.since(request.since, request.history, done);
}

export const leave: RequestHandler<"leave"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, request) {
    const { core, session } = exchange;
    const group = membership(session, request.room);
    const { room } = group;
    session.leaving = room.name;
    core.backplane.leave(room.log, session.name, (result) => {
      session.leaving = "";
      if (session.closed) return;
      // Without an answer, but heard of: it is done.
      if (!result.ok && room.roster.has(session.name)) {
        exchange.fail(result);
        return;
      }
      session.attachment.leave(session, group);
      exchange.answer({ type: "left", ...withId(exchange.id), room: room.name });
    });
  },
};
