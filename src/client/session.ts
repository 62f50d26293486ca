/**
 * The client's half of the protocol, over whatever connections come and go.
 *
 * A session outlives its connections: it keeps the resume token, the position in every room and in the inbox, and the
 * messages not yet acknowledged. On each new connection it says hello with the token, joins its rooms again from where
 * it stood, and writes again, under the same ids, what was not answered. It knows no sockets and decides nothing about
 * connecting: that is client.ts, told through {@link SessionHost}.
 *
 * Invariants: each message of a log is given to the owner at most once, in the order of the log, and what is skipped is
 * reported as a gap before what follows; each send has exactly one outcome; before `welcome` nothing is written but
 * `hello`; a message is written only when its room is joined on this connection.
 */
import type { Clock, Random } from "../protocol/clock.ts";
import { errorKinds, isErrorCode } from "../protocol/errors.ts";
import { clientLimits } from "../protocol/limits.ts";
import { PROTOCOL_VERSION } from "../protocol/messages.ts";
import type { ErrorMessage, Position, RequestOf, ServerMessage, Welcome } from "../protocol/messages.ts";
import { nameKey, parseNick, parseRoom } from "../protocol/names.ts";
import { AnswerTable } from "./answers.ts";
import type { AnswerHandler } from "./answers.ts";
import type { ClientListener, Failure } from "./events.ts";
import { ReadMarks } from "./read-marks.ts";
import { RoomSet } from "./room-set.ts";
import type { RoomView } from "./rooms.ts";
import { Sender } from "./sender.ts";
import type { Taken } from "./sender.ts";
import type { SendExtras } from "./sends.ts";

/** What a session asks of whoever owns the connection. */
export interface SessionHost {
  /** One line without its newline. Called only between `attach` and `detach`. */
  write(line: string): void;
  welcomed(welcome: Welcome, first: boolean): void;
  /** The hello was refused for its nick. `mayPass`: perhaps by a former life, of this session or of this program. */
  nickRefused(code: string, message: string, mayPass: boolean): void;
  /** The server ends the connection after this error. */
  ended(code: string, message: string, comeBack: boolean): void;
  goingAway(afterMs: number, jitterMs: number): void;
}

export interface SessionOptions {
  readonly nick: string;
  /** The client program and its version, for operators. */
  readonly client: string;
  /** Nobody sits at it: others are not to be told of its coming and going. */
  readonly bot?: boolean | undefined;
  readonly clock: Clock;
  readonly random: Random;
  /** A new id, unique over all runs of this program. */
  readonly newId: () => string;
  /** The person's secret in a cluster and the mark made of it, by which edits are known to be theirs. */
  readonly author?: ((cluster: string) => Author) | undefined;
  /** The secret in a cluster that the person's devices share, by which they agree on what was read. */
  readonly reader?: ((cluster: string) => string) | undefined;
}

/** See PROTOCOL.md, `send`. */
export interface Author {
  readonly proof: string;
  readonly by: string;
}

/** Requests that have one answer and change nothing that the session keeps. */
type Plain =
  | "history"
  | "members"
  | "rooms"
  | "nick"
  | "topic"
  | "search"
  | "whois"
  | "typing"
  | "introduce"
  | "away"
  | "identify"
  | "read"
  | "operator"
  | "kick"
  | "ban"
  | "unban"
  | "bans"
  | "ping";
/** Such a request as its owner writes it: without an id it gets one, and defaults are the server's. */
export type PlainRequest = {
  [T in Plain]: { readonly type: T } & Partial<Omit<RequestOf<T>, "type">>;
}[Plain];

const DISCONNECTED: Failure = {
  ok: false,
  code: "disconnected",
  message: "not connected; try again when the connection is back",
};

export class Session {
  readonly #options: SessionOptions;
  readonly #host: SessionHost;
  readonly #emit: ClientListener;
  readonly #rooms: RoomSet;
  readonly #sender: Sender;
  readonly #answers: AnswerTable;
  readonly #marks: ReadMarks;
  #nick: string;
  #welcome: Welcome | undefined;
  /** What this person says while away; undefined when not. Said again to a server that does not know it. */
  #away: string | undefined;
  #helloId = "";
  #attached = false;
  #online = false;

  /** @throws ProtocolError `bad-nick` */
  constructor(options: SessionOptions, host: SessionHost, emit: ClientListener) {
    const { clock, random, newId } = options;
    this.#options = options;
    this.#host = host;
    this.#emit = emit;
    this.#nick = parseNick(options.nick);
    this.#answers = new AnswerTable(clock);
    const shared = { clock, random, newId, emit, write: (object: object) => this.#write(object) };
    this.#rooms = new RoomSet({
      ...shared,
      online: () => this.#online,
      ready: () => this.#sender.pump(),
      refused: (room, error) => {
        this.#emit({ kind: "received", message: error, rejoined: false });
        this.#sender.failRoom(room, error.code, error.message);
      },
    });
    this.#marks = new ReadMarks({
      clock,
      tell: (room, position) => this.request({ type: "read", room, position }).ok,
    });
    this.#sender = new Sender({
      ...shared,
      signed: (extras) => this.#signed(extras),
      ready: (room) => this.#rooms.ready(room),
      roomLost: (room) => this.#rooms.rejoin(room),
    });
  }

  get nick(): string {
    return this.#nick;
  }
  get online(): boolean {
    return this.#online;
  }
  /** What others are told while this person is away, perhaps nothing; undefined when not away. */
  get away(): string | undefined {
    return this.#away;
  }
  /** The rooms this client wants to be in, by key. */
  get rooms(): ReadonlyMap<string, RoomView> {
    return this.#rooms.rooms;
  }
  get inbox(): RoomView {
    return this.#rooms.inbox;
  }
  /** Messages not yet acknowledged. */
  get unacknowledged(): number {
    return this.#sender.pending;
  }

  #write(object: object): void {
    if (this.#attached) this.#host.write(JSON.stringify(object));
  }

  /** A connection is open: says hello. */
  attach(): void {
    this.#attached = true;
    this.#helloId = this.#options.newId();
    const resume = this.#welcome === undefined ? {} : { resume: this.#welcome.resume };
    const bot = this.#options.bot === true ? { bot: true } : {};
    const who = { nick: this.#nick, ...resume, client: this.#options.client, ...bot };
    this.#write({ type: "hello", version: PROTOCOL_VERSION, ...who, id: this.#helloId });
  }

  /** The connection is gone. Rooms and unacknowledged messages wait for the next one. */
  detach(): void {
    if (!this.#attached) return;
    this.#attached = false;
    this.#online = false;
    this.#rooms.disconnected();
    this.#marks.disconnected();
    this.#sender.disconnected();
    this.#answers.failAll(DISCONNECTED);
  }

  /** For good: every message and request that is left gets its outcome. */
  close(code: string, message: string): void {
    this.detach();
    this.#sender.close(code, message);
  }

  /** Says goodbye, so that the server frees the nick at once. */
  bye(): void {
    if (this.#online) this.#write({ type: "bye" });
  }

  /** Makes the server say something. */
  ping(): void {
    if (this.#online) this.#write({ type: "ping" });
  }

  /**
   * Wants to be in a room, now and on every later connection. In it already: does nothing.
   * @param history messages from before now that the first join brings
   * @param since where an earlier run of the program stood
   * @throws ProtocolError `bad-room`
   */
  join(room: string, history: number = clientLimits.historyDefault, since?: Position): RoomView {
    return this.#rooms.join(parseRoom(room), history, since);
  }

  /**
   * Wants to be out of a room. Messages still on their way there fail.
   * @throws ProtocolError `bad-room`
   * @returns false if it was not in it
   */
  leave(room: string): boolean {
    const key = parseRoom(room);
    if (!this.#rooms.has(key)) return false;
    this.#rooms.leave(key, this.#options.newId());
    this.#sender.failRoom(key, "not-in-room", `left ${key} before the message was acknowledged`);
    return true;
  }

  /**
   * Sends a message to a room this client is in, or to `@nick`. The outcome is one `sent` event with the id.
   * @param id idempotency key; a new one if not given
   */
  send(room: string, text: string, id?: string, extras?: SendExtras): Taken {
    const key = room.startsWith("@") ? room : nameKey(room);
    if (!room.startsWith("@") && !this.#rooms.has(key)) {
      return { ok: false, code: "not-in-room", message: `not in ${key}; join it first` };
    }
    return this.#sender.send(key, text, id, extras);
  }

  #signed(extras: SendExtras): SendExtras {
    const { author } = this.#options;
    const cluster = this.#welcome?.cluster;
    if (author === undefined || cluster === undefined) return extras;
    const { by, proof } = author(cluster);
    const changes = extras.re?.kind === "edit" || extras.re?.kind === "delete";
    return { by, ...(changes ? { proof } : {}), ...extras };
  }

  /** Asks something; `done` is called exactly once, never before this returns. */
  request(request: PlainRequest, done: AnswerHandler = () => {}): Taken {
    const id = request.id ?? this.#options.newId();
    if (!this.#online) return DISCONNECTED;
    if (this.#answers.full || this.#answers.has(id)) {
      return { ok: false, code: "queue-full", message: "too many requests wait for their answer; wait" };
    }
    this.#answers.expect(id, done);
    this.#write({ ...request, id });
    return { ok: true, id };
  }

  /**
   * Gives bytes to the server for somebody this session was introduced to. There is no answer; an error comes as an
   * `error` message with the id.
   * @returns false when not connected: the frame is lost
   */
  relay(frame: Omit<RequestOf<"relay">, "type">): boolean {
    if (!this.#online) return false;
    this.#write({ type: "relay", ...frame });
    return true;
  }

  /** Says who the person is, where that is known; again when it has become another. */
  identify(): void {
    const cluster = this.#welcome?.cluster;
    const secret = cluster === undefined ? undefined : this.#options.reader?.(cluster);
    if (secret === undefined) return;
    this.request({ type: "identify", secret }, (answer) => {
      // A server that does not know the request does without.
      if (answer.ok) this.#marks.identified();
    });
  }

  /** The person has read a room up to this seq. @param leaving see {@link ReadMarks.mark} */
  markRead(room: string, seq: number, leaving = false): void {
    const epoch = this.#rooms.rooms.get(room)?.position?.epoch;
    if (epoch !== undefined) this.#marks.mark(room, { epoch, seq }, leaving);
  }

  /** The nick to say hello with next, when the last one was refused. @throws ProtocolError `bad-nick` */
  useNick(nick: string): void {
    this.#nick = parseNick(nick);
  }

  /** Something the server said. */
  receive(message: ServerMessage): void {
    switch (message.type) {
      case "welcome":
        this.#welcomed(message);
        return;
      case "error":
        this.#failed(message);
        return;
      case "ack":
        this.#emit({ kind: "received", message, rejoined: false });
        this.#sender.acknowledged(message);
        return;
      case "nick":
        this.#nick = message.nick;
        break;
      case "away":
        if (message.room === undefined) this.#away = message.away ? (message.text ?? "") : undefined;
        break;
      case "read":
        this.#marks.heard(message.positions);
        break;
      case "going-away":
        this.#emit({ kind: "received", message, rejoined: false });
        this.#host.goingAway(message.afterMs, message.jitterMs);
        return;
      case "pong":
        // Answers to our own keep-alive are nobody's news.
        if (message.id !== undefined) this.#emit({ kind: "received", message, rejoined: false });
        this.#settle(message, message.id);
        return;
      default:
    }
    this.#rooms.receive(message);
    if ("id" in message && message.type !== "message") this.#settle(message, message.id);
  }

  #settle(message: ServerMessage, id: string | undefined): void {
    if (id !== undefined) this.#answers.settle(id, { ok: true, message });
  }

  #welcomed(welcome: Welcome): void {
    if (this.#online) return;
    const first = this.#welcome === undefined;
    const inbox = this.#rooms.inbox.position;
    const freshInbox = !first && (!welcome.resumed || inbox?.epoch !== welcome.inbox.epoch);
    this.#welcome = welcome;
    this.#nick = welcome.nick;
    this.#online = true;
    this.#host.welcomed(welcome, first);
    this.#emit({ kind: "received", message: welcome, rejoined: !first });
    // Before the rooms: when they are joined it is known how far they were read.
    this.identify();
    this.#rooms.welcomed(welcome);
    // A session that was given up meanwhile, and begun anew, is not away by itself.
    if (welcome.away !== undefined) this.#away = welcome.away;
    else if (this.#away !== undefined) this.request({ type: "away", away: true, text: this.#away });
    this.#sender.welcomed(welcome.session, freshInbox);
  }

  /** An error that answers a message or a request is told where that was asked, and nowhere else. */
  #failed(error: ErrorMessage): void {
    const kind = isErrorCode(error.code) ? errorKinds[error.code] : undefined;
    if (kind?.closes === true) {
      this.#emit({ kind: "received", message: error, rejoined: false });
      this.#host.ended(error.code, error.message, kind.comeBack);
    } else if (!this.#online && error.id === this.#helloId) {
      this.#helloFailed(error);
    } else if (error.id !== undefined && this.#answers.has(error.id)) {
      const { code, message, value, afterMs } = error;
      this.#answers.settle(error.id, { ok: false, code, message, value, afterMs });
    } else if (!this.#sender.refused(error) && !this.#rooms.failed(error)) {
      this.#emit({ kind: "received", message: error, rejoined: false });
    }
  }

  #helloFailed({ code, message }: ErrorMessage): void {
    if (code === "nick-taken" || code === "bad-nick") {
      this.#host.nickRefused(code, message, code === "nick-taken");
      return;
    }
    const retry = isErrorCode(code) && errorKinds[code].retry;
    this.#host.ended(code, message, retry);
  }
}
