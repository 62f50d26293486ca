/**
 * `hello`: who somebody is.
 *
 * A new session, or with a `resume` token the one of an earlier connection. The nick is claimed for the whole cluster;
 * if it is taken, the client may say hello again with another. The inbox is subscribed before `welcome`, so that no
 * direct message falls between the position it tells and what follows.
 */
import type { BackplaneFailure, Claimed } from "../../backplane/backplane.ts";
import { sessionNameOf } from "../bots.ts";
import type { Core, Fate } from "../core.ts";
import { withId } from "../encode.ts";
import type { Exchange } from "../exchange.ts";
import { INBOX, PROTOCOL_VERSION } from "../../protocol/messages.ts";
import type { RequestOf, Welcome } from "../../protocol/messages.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { parseNick } from "../../protocol/names.ts";
import type { Give } from "../request-queue.ts";
import { Room } from "../room.ts";
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
    if (core.bans.refuse(session)) return;
    const earlier = resumedFrom(core, request);
    // A session has the name of its first connection: a hello that is said again elsewhere begins the same one.
    const name = earlier?.session ?? sessionNameOf(session.origin.connection, request.bot === true);
    giveUpOther(core, session, name);
    const fate = earlier === undefined ? "release" : "grace";
    session.unsure = { name, fate };
    // Not the time of now: a server that was paused must not find a late hello newer than what came after it.
    session.madeAt = Math.max(session.origin.acceptedAt, (earlier?.madeAt ?? 0) + 1);
    new Arrival(exchange, {
      name,
      nick,
      fate,
      client: request.client,
      resumed: earlier !== undefined,
    }).begin();
  },
};

/** Who says hello, as it was understood. */
interface Arriving {
  readonly name: string;
  readonly nick: string;
  /** What becomes of the session if its connection is lost before it is welcomed. */
  readonly fate: Fate;
  readonly client: string | undefined;
  readonly resumed: boolean;
}

/**
 * A hello on its way: the claim, and the subscription of the inbox, which go to the backplane together, because each
 * way there and back is a good part of what a short connection costs. Who has both is welcomed.
 *
 * Invariant: the hold on the inbox is given to the session's group, or released, exactly once.
 */
class Arrival {
  readonly #exchange: Exchange;
  readonly #who: Arriving;
  /** The claim's answer: the rooms the session is in. */
  #rooms: readonly string[] | undefined;
  #inbox: Room | BackplaneFailure | undefined;
  /** Refused, or nobody waits for it any more. */
  #over = false;

  constructor(exchange: Exchange, who: Arriving) {
    this.#exchange = exchange;
    this.#who = who;
  }

  begin(): void {
    const { core, session } = this.#exchange;
    const { name, nick } = this.#who;
    core.claim(name, nick, session.fence, (result) => this.#claimed(result));
    core.rooms.acquire(`${INBOX}${name}`, INBOX, (result) => {
      if (result.ok) this.#subscribed(result.room);
      else if (!this.#over) this.#settle(result);
    });
  }

  #claimed(result: ({ readonly ok: true } & Claimed) | BackplaneFailure): void {
    const { core, session } = this.#exchange;
    const { name, nick, fate } = this.#who;
    // Without an answer it may have been claimed all the same.
    if (session.closed) {
      this.#giveUp();
      core.settle(name, fate);
    } else if (!result.ok) {
      this.#giveUp();
      if (result.code !== "unavailable") session.unsure = undefined;
      // By clocks that differ an older connection may look newer: coming back a little later helps.
      if (result.code === "stale") {
        this.#exchange.refuse("session-lost", "the session goes on elsewhere; connect again");
      } else this.#exchange.fail(result);
    } else {
      session.unsure = undefined;
      session.name = name;
      session.nick = nick;
      session.away = result.away;
      core.register(session);
      this.#rooms = result.rooms;
      if (this.#inbox !== undefined) this.#settle(this.#inbox);
    }
  }

  #subscribed(inbox: Room): void {
    const { core, session } = this.#exchange;
    if (this.#over || session.closed) core.rooms.release(inbox, false);
    else this.#settle(inbox);
  }

  #giveUp(): void {
    this.#over = true;
    if (this.#inbox instanceof Room) this.#exchange.core.rooms.release(this.#inbox, false);
  }

  /** The inbox has been answered for: goes on if the claim has been too. */
  #settle(inbox: Room | BackplaneFailure): void {
    const rooms = this.#rooms;
    if (rooms === undefined) this.#inbox = inbox;
    else if (inbox instanceof Room) this.#enter(inbox, rooms);
    else this.#exchange.fail(inbox);
  }

  #enter(inbox: Room, rooms: readonly string[]): void {
    const { core, session, slot } = this.#exchange;
    const { client, resumed } = this.#who;
    session.helloLine = slot.line;
    session.setReady();
    // It may have been banned while its claim was under way.
    if (core.bans.refuse(session)) {
      core.rooms.release(inbox, false);
      return;
    }
    // Before the answer: an edge that knows that hello was answered can always prove the session.
    const { token } = session;
    session.edge.token(session.id, token);
    welcome(this.#exchange, token, resumed, inbox, (bytes, done) => {
      session.attachment.enter(session, inbox, bytes, done);
    });
    core.leaveStrays(session, rooms);
    const { address, edge } = session.origin;
    core.logger.debug("welcomed", { session: session.name, resumed, client, address, edge });
  }
}

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
