/**
 * One client's connection, as the hub knows it: who it is, which rooms it is in, and its lines.
 *
 * A session of the cluster outlives its connections: each new one is a new object with the same `name`. Whatever comes
 * back from the backplane after the connection ended finds `closed` and undoes what nobody waits for any more.
 */
import type { EdgePort, Origin, SessionId } from "../edge/trunk.ts";
import { errorKinds, ProtocolError } from "../protocol/errors.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { Request } from "../protocol/messages.ts";
import { readPlainSend } from "../protocol/plain-send.ts";
import { parseRequest, RefusedRequest } from "../protocol/requests.ts";
import type { Attachment } from "./attachment.ts";
import { TokenBucket } from "./bucket.ts";
import type { Core, Fate } from "./core.ts";
import { encodeError, encodeFrom, NOTHING } from "./encode.ts";
import { Exchange } from "./exchange.ts";
import { Memberships } from "./memberships.ts";
import type { Reader } from "./readers.ts";
import { RelayDesk } from "./relay-desk.ts";
import { RequestQueue } from "./request-queue.ts";
import type { QueueOwner, Slot, Task } from "./request-queue.ts";
import { handlerOf } from "./requests/handler.ts";
import type { SearchPlace } from "./requests/search.ts";
import { fenceOf, makeToken } from "./token.ts";

/** A line that was read: a request, what was wrong with it, or nothing at all. */
export type ReadLine = Request | RefusedRequest | undefined;

const EMPTY_LINE: Task<ReadLine> = { order: "immediate", request: undefined };

/** See above. */
export class Session implements QueueOwner<ReadLine> {
  readonly id: SessionId;
  readonly edge: EdgePort;
  readonly attachment: Attachment;
  readonly origin: Origin;
  /** By what clients call the room; INBOX too. */
  readonly memberships = new Memberships();
  /** The session's name in the cluster; empty before `hello`. */
  name = "";
  nick = "";
  /** What is said to others while this person is away; undefined when not. */
  away: string | undefined;
  /** The person, if the client has said who it is (see `identify`). */
  reader: Reader | undefined;
  helloLine = 0;
  /** See ResumeClaims. */
  madeAt = 0;
  /** How often the connection was moved. */
  readonly moves: number;
  /** `hello` has been done, here or elsewhere. */
  ready = false;
  /** The room that a join, or a leave, is under way for. */
  entering = "";
  leaving = "";
  /** Where the last search stopped, if it may go on. */
  searching: SearchPlace | undefined;
  /** Has said the operators' secret, here or elsewhere. */
  operator = false;
  /** How often it has said another one. */
  wrongSecrets = 0;
  /** A change of nick is under way. */
  renaming = false;
  /** A session that a claim without an answer may have begun, and what is to become of it without this connection. */
  unsure: { readonly name: string; readonly fate: Fate } | undefined;
  readonly #core: Core;
  readonly #queue: RequestQueue<ReadLine>;
  /** Made when they are first asked: most sessions only listen. */
  #messageBucket: TokenBucket | undefined;
  #requestBucket: TokenBucket | undefined;
  #introductions: TokenBucket | undefined;
  #typing: TokenBucket | undefined;
  #relays: RelayDesk | undefined;
  #closed = false;
  #fromField: Uint8Array = NOTHING;
  #fromNick = "";

  /** @param before what another hub did for the connection */
  constructor(
    core: Core,
    attachment: Attachment,
    id: SessionId,
    origin: Origin,
    before: { readonly done: number; readonly moves: number },
  ) {
    this.#core = core;
    this.attachment = attachment;
    this.edge = attachment.edge;
    this.id = id;
    this.origin = origin;
    this.moves = before.moves;
    this.#queue = new RequestQueue<ReadLine>(this, core.limits, before.done);
  }

  /** The connection is over. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Lines finished. */
  get done(): number {
    return this.#queue.done;
  }

  /** What it may still introduce itself. Made at first use: most sessions never do. */
  get introductions(): TokenBucket {
    const { limits, clock } = this.#core;
    const { introductionsPerSecond, introductionsBurst } = limits;
    this.#introductions ??= new TokenBucket(introductionsPerSecond, introductionsBurst, clock.monotonic());
    return this.#introductions;
  }

  /** How often others may still be told that this person is typing. Made at first use. */
  get typing(): TokenBucket {
    const { limits, clock } = this.#core;
    this.#typing ??= new TokenBucket(limits.typingPerSecond, limits.typingBurst, clock.monotonic());
    return this.#typing;
  }

  /** What it relays. Made at first use; not before `hello`, which gives the session its name. */
  get relays(): RelayDesk {
    return (this.#relays ??= new RelayDesk(this.#core, this.name));
  }

  /** Closes the session if it does not say hello in time. */
  awaitHello(): void {
    this.#core.helloDeadlines.add(this);
  }

  /** For HelloDeadlines. */
  helloIsLate(): void {
    const { helloMs } = this.#core.limits;
    this.close("hello-timeout", `no hello within ${helloMs / 1_000} s; send one as the first line`);
  }

  /** The session is welcomed, or was elsewhere. */
  setReady(): void {
    this.#core.helloDeadlines.delete(this);
    this.ready = true;
  }

  /** Lines from the client. */
  take(lines: Uint8Array): void {
    if (this.#queue.push(lines)) return;
    this.#core.logger.error("an edge gave more lines than may wait", { edge: this.attachment.name });
    this.close("flooding", "too many lines wait for their turn; wait for answers before sending more");
  }

  /** Lines wait until {@link release}. */
  hold(): void {
    this.#queue.pause();
  }

  release(): void {
    this.#queue.resume();
  }

  /** Gives away finished answers at once: the connection is about to be closed. */
  flush(): void {
    this.#queue.flush();
  }

  /** See Backplane.claim. */
  get fence(): number {
    return fenceOf(this.madeAt, this.moves);
  }

  /** `"from":"…",` as what it says has it in the log. */
  get fromField(): Uint8Array {
    if (this.#fromNick !== this.nick) {
      this.#fromNick = this.nick;
      this.#fromField = encodeFrom(this.nick);
    }
    return this.#fromField;
  }

  /** Takes a nick that the cluster has given the session. */
  setNick(nick: string): void {
    this.nick = nick;
    this.edge.token(this.id, this.token);
  }

  /** The token that continues this connection's session. */
  get token(): string {
    return makeToken(this.#core.secret, {
      session: this.name,
      nick: this.nick,
      madeAt: this.madeAt,
      helloLine: this.helloLine,
      ...(this.reader === undefined ? {} : { reader: this.reader.name }),
      ...(this.operator ? { operator: true as const } : {}),
    });
  }

  /** Lets it do what operators may, also wherever it is moved. */
  setOperator(): void {
    this.operator = true;
    this.edge.token(this.id, this.token);
  }

  /** Lines that answer nothing. */
  say(lines: Uint8Array): void {
    if (!this.#closed) this.edge.send(this.id, lines, this.#queue.done);
  }

  /** Tells the client why, and closes it. */
  close(code: ErrorCode, message: string, value?: string): void {
    if (this.#closed) return;
    this.say(encodeError(code, message, undefined, { value }));
    this.hangUp(code);
  }

  /** Closes the client without another word. */
  hangUp(code: ErrorCode | "bye"): void {
    if (this.#closed) return;
    this.edge.close(this.id, code);
    if (code === "replaced") this.end("forget");
    else this.end(code !== "bye" && errorKinds[code].comeBack ? "grace" : "release");
  }

  /** The connection is over: forgets it here, and decides what becomes of the session in the cluster. */
  end(fate: Fate): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.ready) this.#core.helloDeadlines.delete(this);
    this.#queue.close();
    // Nobody comes back for the inbox of a session that is over.
    for (const group of this.memberships.all) {
      this.attachment.exit(this, group, fate !== "release" || !group.room.isInbox);
    }
    this.#core.readers.leave(this);
    this.attachment.forget(this);
    this.#core.unregister(this, fate);
    if (this.unsure !== undefined) this.#core.settle(this.unsure.name, this.unsure.fate);
  }

  /** For the queue. */
  prepare(line: Uint8Array): Task<ReadLine> {
    if (line.length === 0) return EMPTY_LINE;
    try {
      const request = readPlainSend(line) ?? parseRequest(line);
      return { order: handlerOf(this.#core.handlers, request.type).order, request };
    } catch (error) {
      if (error instanceof RefusedRequest) return { order: "immediate", request: error };
      return { order: "immediate", request: this.#fault(error, undefined) };
    }
  }

  /** For the queue. */
  start(slot: Slot<ReadLine>, request: ReadLine): void {
    if (request === undefined) {
      slot.finish();
      return;
    }
    const exchange = new Exchange(this.#core, this, slot, request.id);
    try {
      if (request instanceof RefusedRequest) throw request;
      const handler = handlerOf(this.#core.handlers, request.type);
      if (!this.ready && handler.beforeHello !== true) {
        throw new ProtocolError("hello-first", `${request.type} before hello; send hello first`);
      }
      this.spend(handler.cost);
      handler.run(exchange, request);
    } catch (error) {
      const refusal = error instanceof ProtocolError ? error : this.#fault(error, request.id);
      exchange.refuse(refusal.code, refusal.message, refusal.value, refusal.afterMs);
    }
  }

  /** Whatever is wrong in here must not cost other sessions theirs. */
  #fault(error: unknown, id: string | undefined): RefusedRequest {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#core.logger.error("a request could not be handled", { error: what });
    return new RefusedRequest(["internal", "the server could not handle this; its log tells why"], id);
  }

  /** For the queue. */
  readonly answer = (bytes: Uint8Array, done: number): void => {
    if (!this.#closed) this.edge.send(this.id, bytes, done);
  };

  /** Takes from the bucket of what something costs. @throws ProtocolError `rate-limited` */
  spend(cost: "free" | "message" | "request"): void {
    if (cost === "free") return;
    const { messagesPerSecond, messagesBurst, requestsPerSecond, requestsBurst } = this.#core.limits;
    const now = this.#core.clock.monotonic();
    const bucket =
      cost === "message"
        ? (this.#messageBucket ??= new TokenBucket(messagesPerSecond, messagesBurst, now))
        : (this.#requestBucket ??= new TokenBucket(requestsPerSecond, requestsBurst, now));
    if (bucket.take(now)) return;
    const most = cost === "message" ? `${messagesPerSecond} messages` : `${requestsPerSecond} requests`;
    const afterMs = bucket.waitMs();
    const message = `more than ${most} a second; send this again in ${afterMs / 1_000} s`;
    throw new ProtocolError("rate-limited", message, most, afterMs);
  }
}
