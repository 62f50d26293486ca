/**
 * The client protocol's objects: what a client may say (request-schemas.ts checks it) and what a server says (types).
 *
 * Outbound objects are built by our own code and are only typed: checking them again would cost the hot path and find
 * nothing. There is no code here, so that a client that starts does not wait for a server's schemas.
 */
import type { z } from "zod";
import type { aboutSchema, requestSchemas } from "./request-schemas.ts";

/** The version that `hello` and `welcome` carry. Raised only when an old client would misunderstand. */
export const PROTOCOL_VERSION = 1;

/** The session's own log of direct messages, both sent and received; every session is in it from `welcome` on. */
export const INBOX = "@";

/** Where a reader stands in a room's log: everything up to and with `seq` has been seen. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
}

/** The name of a request type. */
export type RequestType = keyof typeof requestSchemas;
/** A checked request of type `T`. */
export type RequestOf<T extends RequestType> = z.output<(typeof requestSchemas)[T]>;
/** Any checked request. */
export type Request = { [T in RequestType]: RequestOf<T> }[RequestType];

/** Answer to `hello`. `resumed` tells whether the session of the `resume` token goes on. */
export interface Welcome {
  readonly type: "welcome";
  readonly version: number;
  /** The server's name, for people. */
  readonly server: string;
  readonly cluster: string;
  readonly session: string;
  readonly nick: string;
  /** Secret of this session: give it back in the `hello` of the next connection. */
  readonly resume: string;
  readonly resumed: boolean;
  /** The inbox's position. */
  readonly inbox: Position;
  /** The session is away, and says this. */
  readonly away?: string;
  readonly id?: string;
}

/** One message of a room's log. `room` is `@nick` of the other side for a direct message, whose seq is the inbox's. */
export interface Message {
  readonly type: "message";
  readonly room: string;
  readonly seq: number;
  /** The sender's idempotency key, if it gave one. */
  readonly id?: string;
  readonly from: string;
  /** When it was logged, ms since 1970. */
  readonly at: number;
  readonly text: string;
  /** Something done rather than said. */
  readonly action?: true;
  /** What it is about; whoever does not know that shows the text. */
  readonly re?: About;
  /** The author's mark, if it gave one. */
  readonly by?: string;
  /** Between peers: nobody on this device has checked the key behind the name. A server never says it. */
  readonly unverified?: true;
}

/** What a message is about: an earlier one of the same room, by its seq. */
export type About = z.output<typeof aboutSchema>;

/** Answer to `join`; live messages with `seq` above follow. */
export interface Joined {
  readonly type: "joined";
  readonly room: string;
  readonly epoch: string;
  /** The position that `messages` bring the client to. */
  readonly seq: number;
  /** Nicks, sorted by key, at most `membersListed`. */
  readonly members: readonly string[];
  readonly memberCount: number;
  /** See {@link Members}. */
  readonly away?: Readonly<Record<string, string>>;
  readonly bots?: readonly string[];
  readonly topic: string;
  readonly messages: readonly Message[];
  /** With `since`: nothing is missing between it and what follows. Without: true. */
  readonly recovered: boolean;
  readonly id?: string;
}

/** Somebody came, went, or changed nick. */
export interface Presence {
  readonly type: "presence";
  readonly room: string;
  readonly nick: string;
  readonly state: "join" | "leave" | "rename";
  /** The new nick of a rename. */
  readonly to?: string;
  /** A program: people need not be told. */
  readonly bot?: true;
}

/** The simple answers. */
export interface Ack {
  readonly type: "ack";
  readonly id?: string;
  readonly room: string;
  readonly seq: number;
  readonly at: number;
  readonly duplicate?: true;
  /** Of a direct message: the other side is away, and says this. */
  readonly away?: string;
}
export interface Left {
  readonly type: "left";
  readonly room: string;
  readonly id?: string;
}
export interface History {
  readonly type: "history";
  readonly room: string;
  readonly epoch: string;
  readonly messages: readonly Message[];
  /** There is more in the asked direction. */
  readonly more: boolean;
  /** With `more`: the `before` (or `after`, if that was asked) of the request that goes on here. */
  readonly next?: number;
  readonly id?: string;
}
/** Answer to `members`; also sent unasked when a hand-over may have hidden changes. */
export interface Members {
  readonly type: "members";
  readonly room: string;
  readonly members: readonly string[];
  readonly memberCount: number;
  /** Those of `members` who are away, and what they say (perhaps nothing). */
  readonly away?: Readonly<Record<string, string>>;
  /** Those of `members` that are programs. */
  readonly bots?: readonly string[];
  readonly id?: string;
}
export interface Rooms {
  readonly type: "rooms";
  readonly rooms: readonly { readonly room: string; readonly members: number; readonly topic: string }[];
  readonly id?: string;
}
export interface NickChanged {
  readonly type: "nick";
  readonly nick: string;
  readonly id?: string;
}
/** A room's topic was set: to every member, the setter too (with its `id`, as the answer). */
export interface Topic {
  readonly type: "topic";
  readonly room: string;
  readonly text: string;
  readonly by: string;
  readonly at: number;
  readonly id?: string;
}
/** Answer to `search`: as `history`, downwards. */
export interface Found {
  readonly type: "found";
  readonly room: string;
  readonly epoch: string;
  readonly messages: readonly Message[];
  /** Messages looked through for this reply. */
  readonly looked: number;
  /** There is more to look through below. */
  readonly more: boolean;
  /** With `more`: the `before` of the request that goes on here. */
  readonly next?: number;
  readonly id?: string;
}
/** Answer to `whois`. */
export interface Whois {
  readonly type: "whois";
  readonly nick: string;
  readonly connected: boolean;
  /** Away, and says this. */
  readonly away?: string;
  readonly bot?: true;
  /** Rooms that both are in. */
  readonly rooms: readonly string[];
  readonly id?: string;
}
/** Somebody is writing; forgotten after a few seconds. To a `typing` request: the answer, with its id. */
export interface Typing {
  readonly type: "typing";
  readonly room: string;
  readonly nick: string;
  readonly id?: string;
}
/** Answer to `introduce`: the other has been told, if their client is there and knows of this. */
export interface Introduce {
  readonly type: "introduce";
  /** The other's nick as it is shown. */
  readonly nick: string;
  /** Names these two sessions to each other: the same on both sides, whatever their nicks. */
  readonly pair: string;
  readonly id?: string;
}
/** Somebody asks to talk directly, agrees to (with `key`), or does not (`end`). */
export interface Introduction {
  readonly type: "introduction";
  readonly pair: string;
  readonly nick: string;
  readonly key?: string;
  readonly addresses?: readonly string[];
  /** The host that the other's connection comes from, as the cluster sees it; only with `addresses`. */
  readonly seen?: string;
  /** With `key`: what lets this session send `relay` to the other, for a while. */
  readonly pass?: string;
  readonly end?: true;
}
/** Bytes of somebody this session was introduced to, or word of bytes sent to them. */
export interface Relay {
  readonly type: "relay";
  readonly pair: string;
  readonly stream: string;
  readonly seq?: number;
  readonly data?: string;
  readonly ack?: number;
  readonly end?: true;
}
/** Somebody in a room is away or is back; without a room, the receiver is, and it may answer an `away` request. */
export interface Away {
  readonly type: "away";
  readonly room?: string;
  readonly nick: string;
  readonly away: boolean;
  readonly text?: string;
  readonly id?: string;
}
/** How far the person has read rooms, by room: answers `identify` and `read`, and comes unasked from other devices. */
export interface Read {
  readonly type: "read";
  readonly positions: Readonly<Record<string, Position>>;
  readonly id?: string;
}
/** Answer to `operator`: this session may do what operators may. */
export interface Operator {
  readonly type: "operator";
  readonly id?: string;
}
/** Answer to `kick`: whoever had the nick is put out. */
export interface Kick {
  readonly type: "kick";
  readonly nick: string;
  readonly id?: string;
}
/** Answers to `ban`, with what was meant, and to `unban`. */
export interface Banned {
  readonly type: "ban";
  readonly who: string;
  readonly id?: string;
}
export interface Unbanned {
  readonly type: "unban";
  readonly address: string;
  readonly id?: string;
}
/** Answer to `bans`: those that hold, the oldest first. */
export interface Bans {
  readonly type: "bans";
  readonly bans: readonly Ban[];
  readonly id?: string;
}
/** A network that nobody may come from. */
export interface Ban {
  /** `203.0.113.0/24`, `2001:db8::/64`. */
  readonly address: string;
  /** The operator's nick. */
  readonly by: string;
  /** When it began, and when it ends if it does, ms since 1970. */
  readonly at: number;
  readonly until?: number;
  readonly reason?: string;
}
export interface Pong {
  readonly type: "pong";
  readonly id?: string;
}
/** The server stops: reconnect after `afterMs` plus a random part of `jitterMs`. */
export interface GoingAway {
  readonly type: "going-away";
  readonly afterMs: number;
  readonly jitterMs: number;
}
/** For people: the balancer holds the session while it looks for a backend, or has found one again. */
export interface Notice {
  readonly type: "notice";
  readonly code: "holding" | "restored";
  readonly message: string;
}
export interface ErrorMessage {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
  /** The value that it is about, for clients that say it in another language. */
  readonly value?: string;
  /** When the same request may succeed, ms from now, where that is known. */
  readonly afterMs?: number;
  readonly id?: string;
}

/** Whatever a server may say. */
export type ServerMessage =
  | Welcome
  | Message
  | Joined
  | Left
  | Presence
  | Ack
  | History
  | Members
  | Rooms
  | NickChanged
  | Topic
  | Found
  | Whois
  | Typing
  | Introduce
  | Introduction
  | Relay
  | Away
  | Read
  | Operator
  | Kick
  | Banned
  | Unbanned
  | Bans
  | Pong
  | GoingAway
  | Notice
  | ErrorMessage;
