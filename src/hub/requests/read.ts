/** `identify` and `read`: how far a person has read each room, whatever device it was on. */
import { createHash } from "node:crypto";
import { ProtocolError } from "../../protocol/errors.ts";
import { withId } from "../encode.ts";
import type { RequestHandler } from "./handler.ts";
import { membership } from "./membership.ts";

export const identify: RequestHandler<"identify"> = {
  order: "exclusive",
  cost: "request",
  run(exchange, request) {
    const { core, session, id } = exchange;
    // The secret stays with the person: whoever sees what is stored cannot read or move the positions.
    const reader = createHash("sha256").update(request.secret).digest("base64url");
    core.readers.enter(session, reader, (result) => {
      if (session.closed) return;
      if (!result.ok) {
        exchange.fail(result);
        return;
      }
      // The edge may have to bring the session to another hub, which must know whose it is.
      session.setNick(session.nick);
      exchange.answer({ type: "read", ...withId(id), positions: result.reader.marks });
    });
  },
};

export const read: RequestHandler<"read"> = {
  order: "immediate",
  cost: "request",
  run(exchange, request) {
    const { session, id } = exchange;
    const { room } = membership(session, request.room);
    const { reader } = session;
    if (reader === undefined) {
      throw new ProtocolError("bad-message", "read: say identify first, so that it is known who has read it");
    }
    const { epoch, seq } = request.position;
    // Of another epoch: the room was started anew since, and what was read of the former one says nothing.
    const further =
      epoch === room.epoch ? { room: room.name, epoch, seq: Math.min(seq, room.seq) } : undefined;
    const now = further === undefined ? reader.mark(room.name) : reader.raise(further);
    const positions = now === undefined ? {} : { [room.name]: now };
    exchange.answer({ type: "read", ...withId(id), positions });
  },
};
