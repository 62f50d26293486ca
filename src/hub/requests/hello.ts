/**
 * `hello`: who somebody is.
 *
 * A new session, or with a `resume` token the one of an earlier connection. The nick is claimed for the whole cluster;
 * if it is taken, the client may say hello again with another. The inbox is subscribed before `welcome`, so that no
 * direct message falls between the position it tells and what follows.
 */
import type { Core } from "../core.ts";
import { withId } from "../encode.ts";
import type { Exchange } from "../exchange.ts";
import { INBOX, PROTOCOL_VERSION } from "../../protocol/messages.ts";
import type { RequestOf, Welcome } from "../../protocol/messages.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { parseNick } from "../../protocol/names.ts";
import type { Room } from "../room.ts";
import type { Session } from "../session.ts";
import { makeToken, readToken } from "../token.ts";
import type { RequestHandler } from "./handler.ts";

/** Characters of a session's name: 100 bits, so that no two servers ever make the same. */
const SESSION_LENGTH = 20;
/** Characters that tell a session's connections apart. */
const CONNECTION_LENGTH = 8;

/** The token that continues this connection's session. */
export function tokenOf(core: Core, session: Session): string {
  return makeToken(core.secret, {
    session: session.name,
    nick: session.nick,
    issued: session.welcomedAt,
    connection: session.connection,
    helloLine: session.helloLine,
  });
}

export const hello: RequestHandler<"hello"> = {
  order: "exclusive",
  cost: "request",
  beforeHello: true,
  run(exchange, request) {
    const { core, session, slot } = exchange;
    if (session.awaitsWelcome && slot.line === session.helloLine) {
      repeatWelcome(exchange, request);
      return;
    }
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
    const resumed = resumedSession(core, request);
    const name = resumed ?? (session.name || core.newName(SESSION_LENGTH));
    core.backplane.claim(name, nick, (result) => {
      if (!result.ok) exchange.fail(result);
      else if (session.closed) core.settle(name, resumed === undefined ? "release" : "grace");
      else {
        if (session.name !== name) core.unregister(session, "grace");
        session.name = name;
        session.nick = nick;
        core.register(session);
        openInbox(exchange, resumed !== undefined, result.rooms);
      }
    });
  },
};

/** The session that a valid token names. */
function resumedSession(core: Core, request: RequestOf<"hello">): string | undefined {
  if (request.resume === undefined) return undefined;
  const claims = readToken(core.secret, request.resume);
  if (claims === undefined || core.clock.now() - claims.issued > core.limits.tokenMs) return undefined;
  return claims.session;
}

function openInbox(exchange: Exchange, resumed: boolean, rooms: readonly string[]): void {
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
    session.connection = core.newName(CONNECTION_LENGTH);
    session.helloLine = slot.line;
    session.welcomedAt = core.clock.now();
    session.setReady();
    // Before the answer: an edge that knows that hello was answered can always prove the session.
    session.edge.token(session.id, tokenOf(core, session));
    welcome(exchange, resumed, result.room, () => {
      if (session.closed) core.rooms.release(result.room);
      else session.attachment.enter(session, result.room);
      core.leaveStrays(session, rooms);
    });
  });
}

/** The session came over before the answer to its hello had: it is given again. */
function repeatWelcome(exchange: Exchange, request: RequestOf<"hello">): void {
  const { core, session } = exchange;
  session.awaitsWelcome = false;
  const inbox = session.memberships.get(INBOX)?.room;
  if (inbox === undefined) throw new ProtocolError("internal", "the session has no inbox; connect again");
  welcome(exchange, resumedSession(core, request) === session.name, inbox);
}

function welcome(exchange: Exchange, resumed: boolean, inbox: Room, then?: () => void): void {
  const { core, session, id } = exchange;
  const message: Welcome = {
    type: "welcome",
    ...withId(id),
    version: PROTOCOL_VERSION,
    server: core.server,
    cluster: core.backplane.cluster,
    session: session.name,
    nick: session.nick,
    resume: tokenOf(core, session),
    resumed,
    inbox: inbox.position,
  };
  exchange.answer(message, then);
}
