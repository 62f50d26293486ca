/**
 * `send`: a message to a room, or with `@nick` to one person.
 *
 * The key that makes a repeat harmless is the session's name and the request's `id` (and for a direct message whom it was
 * for, because one inbox holds all conversations), or without one the connection and the number of the line, which an
 * edge gives again after a hand-over. An `ack` follows the message itself, so whoever
 * counts on it has seen the message at its place.
 */
import { createHash } from "node:crypto";
import { INBOX } from "../../protocol/messages.ts";
import type { About, Position, RequestOf } from "../../protocol/messages.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { nameKey, parseNick } from "../../protocol/names.ts";
import { PlainSend } from "../../protocol/plain-send.ts";
import { checkText } from "../../protocol/texts.ts";
import type { Publication } from "../../backplane/backplane.ts";
import { comeBack } from "../away.ts";
import { bodyRoom, encodeAck, encodeBody, readBody, withId } from "../encode.ts";
import type { MessageExtras, StoredMessage } from "../encode.ts";
import type { Exchange } from "../exchange.ts";
import type { Room } from "../room.ts";
import { findCounterpart, isIn } from "./counterpart.ts";
import type { RequestHandler } from "./handler.ts";
import { membership } from "./membership.ts";

export const send: RequestHandler<"send"> = {
  order: "pipelined",
  cost: "message",
  run(exchange, request) {
    if (request instanceof PlainSend) {
      sendPlain(exchange, request);
      return;
    }
    const text = checkText(request.text);
    comeBack(exchange.core, exchange.session);
    if (request.room.startsWith(INBOX)) {
      sendDirect(exchange, request, text);
      return;
    }
    const { session, id } = exchange;
    const { room } = membership(session, request.room);
    const body = encodeBody(room.name, id, session.nick, text, extrasOf(request));
    const go = () => publish(exchange, room, room.name, { room: room.log, key: keyOf(exchange), body });
    const { re } = request;
    if (re === undefined) go();
    else {
      // What comes next must not be published before this.
      exchange.slot.block();
      withOriginal(exchange, room, request, re, () => {
        go();
        exchange.slot.unblock();
      });
    }
  },
};

/** Most messages, whose bytes go to the log as they came. */
function sendPlain(exchange: Exchange, request: PlainSend): void {
  const { core, session } = exchange;
  comeBack(core, session);
  const { room } = membership(session, request.room);
  const isKey = request.room === room.name;
  const body = isKey ? request.body(session.fromField) : encodePlain(request, room, session);
  core.messages += 1;
  core.backplane.publish({ room: room.log, key: keyOf(exchange), body }, (result) => {
    if (!result.ok) exchange.fail(result);
    else if (result.duplicate || !isKey) acknowledge(exchange, room, room.name, result);
    else {
      const { position, at } = result;
      room.whenReached(position, () => {
        exchange.bytes(encodeAck(body, request.envelopeLength, position.seq, at));
      });
    }
  });
}

/** The same for a room that is called by another form of its name. */
function encodePlain({ id, text, by }: PlainSend, room: Room, { nick }: Exchange["session"]): Uint8Array {
  return encodeBody(room.name, id, nick, text, by === undefined ? undefined : { by });
}

/** What a message has beside its text; nothing for most of them. */
function extrasOf({ action, re, by }: RequestOf<"send">): MessageExtras | undefined {
  if (action === undefined && re === undefined && by === undefined) return undefined;
  return {
    ...(action === undefined ? {} : { action }),
    ...(re === undefined ? {} : { re }),
    ...(by === undefined ? {} : { by }),
  };
}

/** @param to what tells messages of one log apart that may have the same id: names have no slash */
function keyOf({ session, slot, id }: Exchange, to = ""): string {
  // Lines of different connections of a session have equal numbers and must not be taken for equal.
  return id === undefined ? `${session.origin.connection}#${slot.line}` : `${session.name}/${to}${id}`;
}

/**
 * Runs `go` with the message that `re` names if it is there, and for a change of it, if the sender proves to be its author.
 * The slot must be blocked.
 * @param room the log that `re` counts in: a room's, or one's own inbox
 * @param absent what to do in place of a refusal when it is not there
 */
function withOriginal(
  exchange: Exchange,
  room: Room,
  request: RequestOf<"send">,
  re: About,
  go: (original: StoredMessage) => void,
  absent: () => void = () => refuseAbsent(exchange, request.room, re),
): void {
  const { core, session } = exchange;
  const query = { room: room.log, after: re.seq - 1, before: re.seq + 1, limit: 1, maxBytes: 1 };
  core.backplane.history(query, (result) => {
    if (session.closed) return;
    if (!result.ok) {
      exchange.fail(result);
      return;
    }
    const entry = result.page.entries.find(
      ({ seq, body }) =>
        seq === re.seq && (!request.room.startsWith(INBOX) || isIn(body, request.room.slice(1))),
    );
    const original = entry === undefined ? undefined : readBody(entry.body);
    const changes = re.kind === "edit" || re.kind === "delete";
    // A reply is a message like others; an edit of an edit would be one of the original.
    if (original === undefined || (original.re !== undefined && original.re.kind !== "reply")) {
      absent();
    } else if (changes && !isAuthor(original.by, request.proof)) {
      const what = `message ${re.seq} is somebody else's; one changes one's own`;
      exchange.refuse("not-yours", what, String(re.seq));
    } else go(original);
  });
}

/** @param where a room, or `@nick` */
function refuseAbsent(exchange: Exchange, where: string, { kind, seq }: About): void {
  const place = where.startsWith(INBOX) ? `the newest messages that you and ${where} both have` : where;
  exchange.refuse("no-such-message", `there is no message ${seq} in ${place} to ${kind}`, String(seq));
}

function isAuthor(by: string | undefined, proof: string | undefined): boolean {
  if (by === undefined || proof === undefined) return false;
  return createHash("sha256").update(proof).digest("base64url") === by;
}

function sendDirect(exchange: Exchange, request: RequestOf<"send">, text: string): void {
  const { core, session, slot, id } = exchange;
  const { re } = request;
  // An inbox is looked through for it, as for `history`.
  if (re !== undefined) session.spend("request");
  const extras = extrasOf(request);
  const nick = parseNick(request.room.slice(1));
  const inbox = session.memberships.get(INBOX)?.room;
  if (inbox === undefined) throw new ProtocolError("internal", "the session has no inbox; connect again");
  const key = keyOf(exchange, `@${nameKey(nick)}/`);
  const publishTo = (other: string): Publication => {
    return { room: inbox.log, key, body: encodeBody(`@${other}`, id, session.nick, text, extras) };
  };
  const toSelf = () => publish(exchange, inbox, `@${session.nick}`, publishTo(session.nick));
  if (nameKey(nick) === nameKey(session.nick)) {
    if (re === undefined) toSelf();
    else aboutOwn(exchange, inbox, request, re, toSelf);
    return;
  }
  // The next line may be to the same person: it must not be published before this one.
  slot.block();
  core.backplane.lookup(nick, (result) => {
    if (session.closed) return;
    if (!result.ok) exchange.fail(result);
    else if (result.member === undefined) {
      unlessSent(exchange, inbox, nick, () => {
        const what = `nobody called ${nick} is connected; check the nick with members`;
        exchange.refuse("no-such-nick", what, nick);
      });
    } else {
      const { member } = result;
      const log = `${INBOX}${member.session}`;
      const go = (theirs: MessageExtras | undefined): void => {
        const copy = { room: log, body: encodeBody(`@${session.nick}`, id, session.nick, text, theirs) };
        publish(exchange, inbox, `@${member.nick}`, { ...publishTo(member.nick), copy }, member.away);
        slot.unblock();
      };
      if (re === undefined) go(extras);
      else
        aboutShared(exchange, inbox, { ...request, re }, log, (seq) => go({ ...extras, re: { ...re, seq } }));
    }
  });
}

/** About a note to oneself, which lies in one inbox only. */
function aboutOwn(
  exchange: Exchange,
  inbox: Room,
  request: RequestOf<"send">,
  re: About,
  go: () => void,
): void {
  exchange.slot.block();
  withOriginal(exchange, inbox, request, re, () => {
    go();
    exchange.slot.unblock();
  });
}

/**
 * About a message of a conversation: runs `go` with its number in the other's inbox.
 * @param log the other's inbox
 */
function aboutShared(
  exchange: Exchange,
  inbox: Room,
  request: RequestOf<"send"> & { readonly re: About },
  log: string,
  go: (seq: number) => void,
): void {
  const { core, session } = exchange;
  const { re, room } = request;
  // A repeat of what was logged is acknowledged, also when the original is too far back by now.
  const absent = () => {
    unlessSent(exchange, inbox, parseNick(room.slice(1)), () => refuseAbsent(exchange, room, re));
  };
  const search = (original: StoredMessage): void => {
    findCounterpart(core, log, original, session.nick, (found) => {
      if (session.closed) return;
      if (!found.ok) exchange.fail(found);
      else if (found.seq === undefined) absent();
      else go(found.seq);
    });
  };
  withOriginal(exchange, inbox, request, re, search, absent);
}

/** Refuses, unless this repeats a message that could be sent when it was sent first: that is acknowledged. */
function unlessSent(exchange: Exchange, inbox: Room, nick: string, refuse: () => void): void {
  const { core, id } = exchange;
  if (id === undefined) {
    refuse();
    return;
  }
  const { historyMost, replyBytes } = core.limits;
  core.backplane.history({ room: inbox.log, limit: historyMost, maxBytes: replyBytes }, (result) => {
    if (!result.ok) {
      exchange.fail(result);
      return;
    }
    const { entries, epoch } = result.page;
    const sent = entries.findLast(({ body }) => isSentAs(body, nick, id));
    if (sent === undefined) refuse();
    else {
      const position = { epoch, seq: sent.seq };
      acknowledge(exchange, inbox, bodyRoom(sent.body), { position, at: sent.at, duplicate: true });
    }
  });
}

/** Whether an entry of an inbox is what its owner sent to a nick under an id. */
function isSentAs(body: Uint8Array, nick: string, id: string): boolean {
  if (!isIn(body, nick)) return false;
  const message = readBody(body);
  // What others sent is from the other side, and its ids are theirs.
  return message.id === id && `@${message.from}` !== message.room;
}

/** @param away what the other side of a conversation says while away */
function publish(
  exchange: Exchange,
  room: Room,
  shown: string,
  publication: Publication,
  away?: string,
): void {
  const { core } = exchange;
  core.messages += 1;
  core.backplane.publish(publication, (result) => {
    if (!result.ok) {
      exchange.fail(result);
      return;
    }
    acknowledge(exchange, room, shown, result, away);
  });
}

function acknowledge(
  exchange: Exchange,
  room: Room,
  shown: string,
  { position, at, duplicate }: { position: Position; at: number; duplicate: boolean },
  away?: string,
): void {
  room.whenReached(position, () => {
    exchange.answer({
      type: "ack",
      ...withId(exchange.id),
      room: shown,
      seq: position.seq,
      at,
      ...(duplicate ? { duplicate } : {}),
      ...(away === undefined ? {} : { away }),
    });
  });
}
