/**
 * The one table of error codes.
 *
 * An error tells a client three things beside its message: what happened (`code`), whether the same request may
 * succeed later (`retry`), and whether the connection closes (`closes`) and the client should come back
 * (`comeBack`). PROTOCOL.md carries the same table for people; a test keeps the two equal.
 */

/** What a client should know of an error code. */
export interface ErrorKind {
  /** One sentence for PROTOCOL.md. */
  readonly meaning: string;
  /** The same request may succeed if repeated later (with the same id). */
  readonly retry: boolean;
  /** The server closes the connection after this error. */
  readonly closes: boolean;
  /** After a close: a client should connect again by itself, with backoff. */
  readonly comeBack: boolean;
}

const stays = (meaning: string, retry = false): ErrorKind => ({
  meaning,
  retry,
  closes: false,
  comeBack: false,
});
const closes = (meaning: string, comeBack: boolean): ErrorKind => ({
  meaning,
  retry: false,
  closes: true,
  comeBack,
});

/** Every error code of the client protocol. */
export const errorKinds = {
  "bad-json": stays("The line is not a JSON object"),
  "bad-utf8": stays("The line is not valid UTF-8"),
  "bad-message": stays("The object does not fit its type; the message names the field"),
  "unknown-type": stays("No such request type"),
  "hello-first": stays("A request before `hello`"),
  "already-hello": stays("A second `hello` on one connection"),
  "bad-nick": stays("The nick is empty, too long, or has characters other than letters, digits, `-` and `_`"),
  "nick-taken": stays("Somebody in the cluster has this nick, or one that looks like it"),
  "bad-room": stays(
    "The room name is empty, too long, or has characters other than letters, digits, `-` and `_`",
  ),
  "no-such-message": stays(
    "The message that `re` names is not in the room's log or the conversation, or is no message of its own",
  ),
  "not-yours": stays("An edit or a deletion of a message without the proof of being its author"),
  "not-in-room": stays("The request needs the session to be in the room"),
  "no-such-nick": stays("Nobody with this nick is connected"),
  "bad-text": stays("The text is empty or has control characters"),
  "text-too-long": stays("The text or topic is over its limit"),
  "too-many-rooms": stays("The session is in as many rooms as it may be"),
  "not-introduced": stays(
    "The `pass` or `pair` is damaged, too old, or somebody else's; `introduce` without brings another",
  ),
  "relay-full": stays("More bytes are under way to the other than may be; an `ack` of theirs makes room"),
  "rate-limited": stays(
    "Too many messages or requests in a short time; `afterMs` tells when to repeat it",
    true,
  ),
  forbidden: stays("Only operators may do this, or the secret is not theirs"),
  "no-such-ban": stays("No such address is banned"),
  "not-banned": stays("It is no network, too large to be banned, or has the operator's own address"),
  unavailable: stays("The log cannot be reached now; nothing was logged, or a repeat tells", true),
  internal: stays("A fault of the server, logged there", true),
  "version-mismatch": closes("The client speaks another protocol version; the message names both", false),
  "line-too-long": closes("A line over 64 KiB", false),
  "hello-timeout": closes("No `hello` in time", false),
  "not-a-client": closes("The first bytes belong to another protocol (TLS, HTTP, SSH)", false),
  "slow-consumer": closes("The client reads too slowly; its outbox was full", true),
  "too-many-connections": closes("The server or the client's address is at its connection limit", true),
  "no-backend": closes("The balancer has no usable backend", true),
  "going-away": closes("The server stops; sessions are expected elsewhere", true),
  "session-lost": closes("The session could not be carried over to another server", true),
  flooding: closes("More lines wait for their turn than one session may have", true),
  replaced: closes("The same session was resumed by a newer connection", false),
  kicked: closes("An operator ended the session", false),
  banned: closes("An operator refuses connections from this address", false),
} as const satisfies Record<string, ErrorKind>;

/** A code of {@link errorKinds}. */
export type ErrorCode = keyof typeof errorKinds;

/** True if `code` is one this version knows. */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorKinds, code);
}

/** A refusal on its way to a client: thrown or returned by the parts, encoded once at the edge of the hub. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ErrorCode;
  /** The one value that it is about (a nick, a room, a limit), for whoever says it in another language. */
  readonly value: string | undefined;
  /** With a code that may be retried: when, if that is known, ms from now. */
  readonly afterMs: number | undefined;

  /** @param message one sentence for a person: what happened, with which value, what to do next */
  constructor(code: ErrorCode, message: string, value?: string, afterMs?: number) {
    super(message);
    this.code = code;
    this.value = value;
    this.afterMs = afterMs;
  }

  /** The row of the table for this error's code. */
  get kind(): ErrorKind {
    return errorKinds[this.code];
  }
}
