/**
 * What a screen needs of a chat, whoever carries it: a client of a server (src/client), or a mesh of peers.
 *
 * The interface is the client's own, by structure, so that a screen written against it works with both; whatever else
 * wants a screen speaks the client protocol's objects through it.
 */
import type { Position } from "../protocol/messages.ts";
import type { Answer, AnswerHandler } from "../client/answers.ts";
import type { ClientListener, ConnectionState } from "../client/events.ts";
import type { RoomView } from "../client/rooms.ts";
import type { Taken } from "../client/sender.ts";
import type { SendExtras } from "../client/sends.ts";
import type { PlainRequest } from "../client/session.ts";
import type { Command, CommandName } from "./commands/command.ts";

export type { Answer, AnswerHandler, PlainRequest, RoomView, SendExtras, Taken };

/** Rooms, messages and requests; see client/session.ts for what each promises. */
export interface ChatSession {
  readonly nick: string;
  readonly online: boolean;
  /** What others are told while this person is away, perhaps nothing; undefined when not away. */
  readonly away: string | undefined;
  readonly rooms: ReadonlyMap<string, RoomView>;
  readonly unacknowledged: number;
  join(room: string, history?: number, since?: Position): RoomView;
  leave(room: string): boolean;
  send(room: string, text: string, id?: string, extras?: SendExtras): Taken;
  /** The person has read a room up to this seq; their other devices are told. Between peers nobody is. */
  markRead?(room: string, seq: number, leaving?: boolean): void;
  request(request: PlainRequest, done?: AnswerHandler): Taken;
}

/** A chat, kept alive by itself; see client/client.ts. */
export interface ChatBackend {
  /** Commands that only this kind of chat has. */
  readonly commands?: readonly Command[];
  /** Commands that every other kind of chat has, and this one cannot do. */
  readonly lacks?: readonly CommandName[];
  /**
   * Does a JSON object of stdin of a type that only this kind of chat has.
   * @returns undefined when it is of no such type
   */
  doObject?(object: unknown): Taken | undefined;
  readonly session: ChatSession;
  readonly connection: ConnectionState;
  /** Why nothing that is written reaches anybody although this is connected, in few words; undefined if all is well. */
  readonly outage?: string | undefined;
  /** How a room or `@nick` is written to, where that is not the usual way; for a title. */
  pathTo?(name: string): string | undefined;
  on(listener: ClientListener): () => void;
  connect(): void;
  retryNow(): void;
  changeNick(nick: string, done?: AnswerHandler): void;
  close(reason?: string): void;
}
