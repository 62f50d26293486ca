/**
 * What a headless client tells its owner.
 *
 * Events are called synchronously, in the order in which things happened: a `gap` comes before the messages that follow
 * it, `received` of a message exactly once whatever connections broke in between. Nothing here is sanitised: whoever
 * shows a string on a terminal passes it through protocol/sanitize.ts.
 */
import type { ErrorCode } from "../protocol/errors.ts";
import type { ServerMessage } from "../protocol/messages.ts";

/** Where the connection stands. */
export type ConnectionState =
  /** Before `connect`. */
  | { readonly state: "idle" }
  | { readonly state: "connecting"; readonly address: string; readonly attempt: number }
  /** Welcomed. `first` is false after a reconnect; `resumed` tells whether the same session goes on. */
  | {
      readonly state: "online";
      readonly address: string;
      readonly server: string;
      readonly nick: string;
      readonly first: boolean;
      readonly resumed: boolean;
    }
  /** Every address failed, or the connection broke: the next attempt starts in `retryInMs`. */
  | {
      readonly state: "waiting";
      readonly address: string;
      readonly attempt: number;
      readonly retryInMs: number;
      readonly reason: string;
      /** For programs: the system's code, `ENDED`, `RESET`, `TIMEOUT`, `SILENT`, or the server's error code. */
      readonly code: string;
    }
  /** The server refused the nick: `changeNick` with another one goes on. */
  | { readonly state: "needs-nick"; readonly nick: string; readonly code: string; readonly message: string }
  /** For good. `code` is the server's reason, if it gave one; `closed` is the owner's own wish. */
  | { readonly state: "closed"; readonly code: string; readonly message: string };

/** Codes of this client's own refusals, beside the protocol's. */
export type LocalCode =
  /** The queue of unacknowledged sends is full: nothing was taken. */
  | "queue-full"
  /** The client is closed: nothing was sent. */
  | "closed"
  /** The connection broke before the answer; for a send: before it was ever written. */
  | "disconnected"
  /** No answer in time. */
  | "timeout"
  /** The session was lost after the message was sent: it may or may not be in the log. */
  | "fate-unknown";

/** Why something failed. `message` is for a person. */
export interface Failure {
  readonly ok: false;
  readonly code: ErrorCode | LocalCode | (string & {});
  readonly message: string;
  /** The value that it is about, where there is one: to say it in another language. */
  readonly value?: string | undefined;
  /** When the same may succeed, ms from now, where the server knows. */
  readonly afterMs?: number | undefined;
  /** Of the request that failed, where there was one. */
  readonly id?: string;
}

/** What became of one `send`: told exactly once for each that was taken. */
export type SendOutcome =
  | {
      readonly ok: true;
      readonly id: string;
      readonly room: string;
      readonly seq: number;
      readonly at: number;
      readonly duplicate: boolean;
    }
  | (Failure & { readonly id: string; readonly room: string; readonly text: string });

/** Messages of a room that this client will not get by itself. */
export interface Gap {
  readonly room: string;
  /** The last seq seen before it; undefined when the log was started anew (another epoch). */
  readonly after: number | undefined;
  /** The first seq seen after it; undefined if nothing came yet. */
  readonly before: number | undefined;
}

/** Something that takes a while. `done` of `total`, in bytes. */
export interface Task {
  /** Names it among others; of this run only. */
  readonly key: string;
  /** Not sanitised. */
  readonly name: string;
  readonly done: number;
  readonly total: number;
}

/** Whatever a client tells. */
export type ClientEvent =
  | { readonly kind: "connection"; readonly connection: ConnectionState }
  /** Something a server said, without what was seen before. `rejoined`: a `joined` that continues a known room. */
  | { readonly kind: "received"; readonly message: ServerMessage; readonly rejoined: boolean }
  /** Of a type that this version does not know. */
  | { readonly kind: "unknown"; readonly object: Readonly<Record<string, unknown>> }
  | { readonly kind: "gap"; readonly gap: Gap }
  | { readonly kind: "sent"; readonly outcome: SendOutcome }
  /** Whole lines that say what happened, of a kind of chat that has more to say than the protocol. Not sanitised.
   * `from`: whose doing it is, for those who read nothing of them. */
  | {
      readonly kind: "told";
      readonly lines: readonly string[];
      readonly warning: boolean;
      readonly from?: string;
    }
  /** What takes a while and how far it is: all of it each time; empty when nothing does any more. */
  | { readonly kind: "progress"; readonly tasks: readonly Task[] }
  /** After `queue-full`: there is room again. */
  | { readonly kind: "writable" };

export type ClientListener = (event: ClientEvent) => void;
