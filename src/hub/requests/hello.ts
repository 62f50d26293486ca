/**
 * `hello`: who somebody is.
 *
 * A new session, or with a `resume` token the one of an earlier connection. The nick is claimed for the whole cluster;
 * if it is taken, the client may say hello again with another. The inbox is subscribed before `welcome`, so that no
 * direct message falls between the position it tells and what follows.
 */
import type { Claimed, Done } from "../../backplane/backplane.ts";
import type { Core } from "../core.ts";
import { withId } from "../encode.ts";
import type { Exchange } from "../exchange.ts";
import { INBOX, PROTOCOL_VERSION } from "../../protocol/messages.ts";
import type { RequestOf, Welcome } from "../../protocol/messages.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { parseNick } from "../../protocol/names.ts";
import type { Give } from "../request-queue.ts";
import type { Room } from "../room.ts";
import type { Session } from "../session.ts";
import { readToken } from "../token.ts";
import type { ResumeClaims } from "../token.ts";
import type { RequestHandler } from "./handler.ts";

export const hello: RequestHandler<"hello"> = {
  order: "exclusive",
  cost: "request",
  beforeHello: true,
  run(exchange, request) {
    const { core, session } = exchange;
    if (session.ready) {
      throw new ProtocolError("already-hello", `this connection is ${session.nick}; use nick to change that`);
    }
    if (request.version !== PROTOCOL_VERSION) {
      throw new ProtocolError(
        "version-mismatch",
        `the client speaks version ${request.version} and this server ${PROTOCOL_VERSION}; use a client of that version`,
      );
    }
    const nick = parseNick(request.nick);
    const earlier = resumedFrom(core, request);
    // A session has the name of its first connection: a hello that is said again elsewhere begins the same one.
    const name = earlier?.session ?? session.origin.connection;
    giveUpOther(core, session, name);
    const fate = earlier === undefined ? "release" : "grace";
    session.unsure = { name, fate };
    // Not the time of now: a server that was paused must not find a late hello newer than what came after it.
    session.madeAt = Math.max(session.origin.acceptedAt, (earlier?.madeAt ?? 0) + 1);
    const claimed: Done<Claimed> = (result) => {
      // Without an answer it may have been claimed all the same.
      if (session.closed) {
        core.settle(name, fate);
      } else if (!result.ok) {
        if (result.code !== "unavailable") session.unsure = undefined;
        // By clocks that differ an older connection may look newer: coming back a little later helps.
        if (result.code === "stale")
          exchange.refuse("session-lost", "the session goes on elsewhere; connect again");
        else exchange.fail(result);
      } else {
        session.unsure = undefined;
        session.name = name;
        session.nick = nick;
        session.away = result.away;
        core.register(session);
        openInbox(exchange, request.client, earlier !== undefined, result.rooms);
      }
    };
    core.claim(name, nick, session.fence, claimed);
  },
};

/** An earlier hello on this connection, which was not welcomed, may have claimed another session. */
function giveUpOther(core: Core, session: Session, name: string): void {
  const { unsure } = session;
  if (session.name !== "" && session.name !== name) core.unregister(session, "grace");
  if (unsure !== undefined && unsure.name !== name) core.settle(unsure.name, unsure.fate);
}

/** What a token says that is honoured. */
function resumedFrom(core: Core, request: RequestOf<"hello">): ResumeClaims | undefined {
  if (request.resume === undefined) return undefined;
  const claims = readToken(core.secret, request.resume);
  if (claims === undefined || core.clock.now() - claims.madeAt > core.limits.tokenMs) return undefined;
  return claims;
}

function openInbox(
  exchange: Exchange,
  client: string | undefined,
  resumed: boolean,
  rooms: readonly string[],
): void {
  const { core, session, slot } = exchange;
  core.rooms.acquire(`${INBOX}${session.name}`, INBOX, (result) => {
    if (!result.ok) {
      exchange.fail(result);
      return;
    }
    if (session.closed) {
      core.rooms.release(result.room);
      return;
    }
    session.helloLine = slot.line;
    session.setReady();
    // Before the answer: an edge that knows that hello was answered can always prove the session.
    const { token } = session;
    session.edge.token(session.id, token);
    welcome(exchange, token, resumed, result.room, (bytes, done) => {
      session.attachment.enter(session, result.room, bytes, done);
    });
    core.leaveStrays(session, rooms);
    const { address, edge } = session.origin;
    core.logger.debug("welcomed", { session: session.name, resumed, client, address, edge });
  });
}

function welcome(exchange: Exchange, resume: string, resumed: boolean, inbox: Room, give: Give): void {
  const { core, session, id } = exchange;
  const message: Welcome = {
    type: "welcome",
    ...withId(id),
    version: PROTOCOL_VERSION,
    server: core.server,
    cluster: core.backplane.cluster,
    session: session.name,
    nick: session.nick,
    resume,
    resumed,
    inbox: inbox.position,
    ...(session.away === undefined ? {} : { away: session.away }),
  };
  exchange.answer(message, give);
}
