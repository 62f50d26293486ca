/**
 * A headless chat client: one session, kept alive over a list of addresses.
 *
 * Addresses are tried in turn; when a whole round failed, exponential backoff with full jitter. A connection that was
 * welcomed and then broke begins a new round at the next address after a jittered delay, because everybody else lost
 * theirs at the same moment. Keep-alive pings find half-open connections. `going-away` is obeyed: the connection is
 * replaced after the time the server asked for plus a random part of its jitter, or, if it asked for none, by the successor
 * that stands at the same address already, as soon as the server has answered and closed it.
 *
 * Invariant: at most one link exists; every state but `closed` and `needs-nick` has a timer or a link that leads out
 * of it, so a client that is wanted comes back without being asked.
 */
import { formatServer } from "../protocol/address.ts";
import type { ServerAddress } from "../protocol/address.ts";
import type { Clock, Random, Timer } from "../protocol/clock.ts";
import { chatClientLimits } from "../protocol/limits.client.ts";
import { LineSplitter, eachLine } from "../protocol/lines.ts";
import type { Logger } from "../protocol/logger.ts";
import { silentLogger } from "../protocol/logger.ts";
import type { AnswerHandler } from "./answers.ts";
import type { ClientEvent, ClientListener, ConnectionState } from "./events.ts";
import { parseServerLine } from "./inbound.ts";
import type { Dial, Link } from "./link.ts";
import { retryDelay } from "./retry.ts";
import { Session } from "./session.ts";
import type { SessionOptions } from "./session.ts";

export interface ClientOptions {
  /** Tried in this order; at least one. */
  readonly addresses: readonly ServerAddress[];
  readonly nick: string;
  /** The program and its version, for operators. */
  readonly client: string;
  readonly bot?: SessionOptions["bot"];
  readonly dial: Dial;
  readonly clock: Clock;
  readonly random: Random;
  /** A new id, unique over all runs of this program. */
  readonly newId: () => string;
  readonly author?: SessionOptions["author"];
  readonly reader?: SessionOptions["reader"];
  readonly logger?: Logger;
}

export class Client {
  readonly #options: ClientOptions;
  readonly #logger: Logger;
  readonly #listeners = new Set<ClientListener>();
  readonly #session: Session;
  #connection: ConnectionState = { state: "idle" };
  #link: Link | undefined;
  #splitter = new LineSplitter(chatClientLimits.lineBytes);
  /** The address in use or tried next. */
  #next = 0;
  /** Addresses left to try before waiting. */
  #left = 0;
  /** Rounds that failed since the last good connection. */
  #failures = 0;
  #attempt = 0;
  #timers: { retry?: Timer; deadline?: Timer; keepAlive?: Timer; leave?: Timer } = {};
  #heard = 0;
  #pinged = false;
  #onlineSince: number | undefined;
  /** While `nick-taken` may be the work of a former life: until when it is retried (monotonic). */
  #nickRetryUntil = 0;
  /** When a `going-away` server may be replaced (monotonic), and whether its successor is where it was. */
  #comeBack: { readonly at: number; readonly isHere: boolean } | undefined;

  /** @throws ProtocolError `bad-nick`, RangeError without an address */
  constructor(options: ClientOptions) {
    this.#options = options;
    if (options.addresses.length === 0) throw new RangeError("a client needs at least one address");
    this.#logger = options.logger ?? silentLogger;
    this.#session = new Session(
      options,
      {
        write: (line) => this.#link?.write(`${line}\n`),
        welcomed: (welcome, first) => this.#welcomed(welcome.server, welcome.resumed, first),
        nickRefused: (code, message, mayPass) => this.#nickRefused(code, message, mayPass),
        ended: (code, message, comeBack) => this.#ended(code, message, comeBack),
        goingAway: (afterMs, jitterMs) => this.#goingAway(afterMs, jitterMs),
      },
      (event) => this.#emit(event),
    );
  }

  /** Rooms, sends and requests. */
  get session(): Session {
    return this.#session;
  }
  get connection(): ConnectionState {
    return this.#connection;
  }

  /** Hears every event from now on. @returns a function that ends it */
  on(listener: ClientListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #emit(event: ClientEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #become(connection: ConnectionState): void {
    this.#connection = connection;
    this.#emit({ kind: "connection", connection });
  }

  get #address(): ServerAddress {
    const address = this.#options.addresses[this.#next];
    if (address === undefined) throw new RangeError("a client needs at least one address");
    return address;
  }

  /** Starts. Called twice: does nothing. */
  connect(): void {
    if (this.#connection.state !== "idle") return;
    this.#beginRound();
  }

  /** Tries now instead of waiting for the timer. */
  retryNow(): void {
    if (this.#connection.state === "waiting") this.#beginRound();
  }

  /**
   * Another nick: asked for at once if connected, else said with the next hello.
   * @throws ProtocolError `bad-nick`
   */
  changeNick(nick: string, done?: AnswerHandler): void {
    if (this.#session.online) {
      this.#session.request({ type: "nick", nick }, done);
      return;
    }
    this.#session.useNick(nick);
    this.#nickRetryUntil = 0;
    const { state } = this.#connection;
    const refused = state === "waiting" && this.#connection.code === "nick-taken";
    if (state === "needs-nick" || refused) this.#beginRound();
  }

  /**
   * Ends: says bye, flushes, and closes. Sends without an acknowledgement fail; who cares waits for their outcomes first.
   */
  close(reason = "the client was closed"): void {
    if (this.#connection.state === "closed") return;
    const link = this.#link;
    this.#session.bye();
    this.#link = undefined;
    this.#finish("closed", reason);
    link?.end();
  }

  #finish(code: string, message: string): void {
    this.#stopTimers();
    this.#drop();
    this.#session.close(code, message);
    this.#become({ state: "closed", code, message });
  }

  #stopTimers(): void {
    for (const timer of Object.values(this.#timers)) timer.stop();
    this.#timers = {};
  }

  /** Forgets the link, telling it to close if it has not. */
  #drop(): void {
    const link = this.#link;
    this.#link = undefined;
    link?.destroy();
    this.#session.detach();
    this.#stopTimers();
  }

  #beginRound(): void {
    this.#stopTimers();
    this.#left = this.#options.addresses.length;
    this.#dial();
  }

  #dial(): void {
    const address = this.#address;
    this.#left -= 1;
    this.#attempt += 1;
    this.#splitter = new LineSplitter(chatClientLimits.lineBytes);
    this.#become({ state: "connecting", address: formatServer(address), attempt: this.#attempt });
    // A listener may have closed the client.
    if (this.#connection.state !== "connecting") return;
    const link = this.#options.dial(address, {
      open: () => {
        if (this.#link === link) this.#opened();
      },
      data: (chunk) => {
        if (this.#link === link) this.#data(chunk);
      },
      closed: (reason, code) => {
        if (this.#link === link) this.#lost(reason, code);
      },
    });
    this.#link = link;
    this.#deadline(chatClientLimits.dialMs, "no answer");
  }

  #deadline(ms: number, what: string): void {
    this.#timers.deadline?.stop();
    this.#timers.deadline = this.#options.clock.after(ms, () =>
      this.#lost(`${what} within ${ms / 1000} s`, "TIMEOUT"),
    );
  }

  #opened(): void {
    this.#deadline(chatClientLimits.welcomeMs, "no welcome");
    this.#heard = this.#options.clock.monotonic();
    this.#session.attach();
  }

  #data(chunk: Uint8Array): void {
    this.#heard = this.#options.clock.monotonic();
    this.#pinged = false;
    const link = this.#link;
    const splitter = this.#splitter;
    const lines = splitter.push(chunk);
    if (lines !== undefined) this.#lines(lines);
    if (splitter.isBroken && this.#link === link) {
      this.#lost(`a line from the server is over ${chatClientLimits.lineBytes} bytes`, "line-too-long");
    }
  }

  #lines(lines: Uint8Array): void {
    const link = this.#link;
    eachLine(lines, (line) => {
      // An earlier line of this chunk may have ended the connection.
      if (this.#link !== link || line.length === 0) return;
      const inbound = parseServerLine(line);
      if (inbound.kind === "message") {
        const { message } = inbound;
        // Connecting again would only lose the place.
        if (message.type === "notice" && message.code === "holding" && this.#onlineSince === undefined)
          this.#deadline(chatClientLimits.heldMs, "no server");
        this.#session.receive(message);
      } else if (inbound.kind === "unknown") this.#emit(inbound);
      // A server's first line is an object; a web server's or an SSH daemon's is not, and waiting for more is in vain.
      else if (!this.#session.online) this.#lost("something else than rtchat answers there", "NOT_RTCHAT");
      else this.#logger.warn("ignored a line from the server", { reason: inbound.reason });
    });
  }

  #welcomed(server: string, resumed: boolean, first: boolean): void {
    const { clock } = this.#options;
    this.#timers.deadline?.stop();
    this.#onlineSince = clock.monotonic();
    this.#nickRetryUntil = 0;
    this.#attempt = 0;
    this.#pinged = false;
    this.#timers.keepAlive = clock.every(chatClientLimits.pingMs / 4, () => this.#keepAlive());
    const { nick } = this.#session;
    const address = formatServer(this.#address);
    this.#become({ state: "online", address, server, nick, first, resumed });
  }

  #keepAlive(): void {
    const silent = this.#options.clock.monotonic() - this.#heard;
    // Pinged first, however long the machine slept: a suspended laptop's connection may still be good.
    if (this.#pinged && silent >= chatClientLimits.silenceMs) {
      this.#lost(`nothing heard for ${Math.round(silent / 1000)} s`, "SILENT");
    } else if (!this.#pinged && silent >= chatClientLimits.pingMs) {
      this.#pinged = true;
      this.#session.ping();
    }
  }

  /** The link failed or is given up: the next address, or wait. */
  #lost(reason: string, code: string, mostMs: number = chatClientLimits.backoffMostMs): void {
    const { clock, random, addresses } = this.#options;
    const address = formatServer(this.#address);
    const wasOnline = this.#onlineSince !== undefined;
    const onlineMs = clock.monotonic() - (this.#onlineSince ?? Infinity);
    if (onlineMs >= chatClientLimits.stableMs) this.#failures = 0;
    this.#onlineSince = undefined;
    this.#drop();
    const comeBack = this.#comeBack;
    this.#comeBack = undefined;
    // Once in a while at most: a server that sends everybody to itself must not be asked without pause.
    if (comeBack?.isHere === true && onlineMs >= chatClientLimits.lastAnswersMs) {
      this.#beginRound();
      return;
    }
    this.#next = (this.#next + 1) % addresses.length;
    if (!wasOnline && this.#left > 0) {
      this.#dial();
      return;
    }
    const asked = comeBack?.isHere === false ? Math.max(0, comeBack.at - clock.monotonic()) : undefined;
    const retryInMs = Math.round(asked ?? retryDelay(this.#failures, random, mostMs));
    this.#failures += 1;
    this.#timers.retry = clock.after(retryInMs, () => this.#beginRound());
    this.#become({ state: "waiting", address, attempt: this.#failures, retryInMs, reason, code });
  }

  #nickRefused(code: string, message: string, mayPass: boolean): void {
    const now = this.#options.clock.monotonic();
    if (mayPass) {
      if (this.#nickRetryUntil === 0) this.#nickRetryUntil = now + chatClientLimits.nickRetryMs;
      if (now < this.#nickRetryUntil) {
        this.#left = 0;
        this.#lost(message, code, chatClientLimits.nickBackoffMostMs);
        return;
      }
    }
    this.#drop();
    this.#become({ state: "needs-nick", nick: this.#session.nick, code, message });
  }

  #ended(code: string, message: string, comeBack: boolean): void {
    if (comeBack) this.#lost(message, code);
    else this.#finish(code, message);
  }

  #goingAway(afterMs: number, jitterMs: number): void {
    const { clock, random } = this.#options;
    const delay = Math.min(afterMs + random() * jitterMs, chatClientLimits.goingAwayMostMs);
    const isHere = delay === 0;
    this.#comeBack = { at: clock.monotonic() + delay, isHere };
    this.#timers.leave?.stop();
    // Nothing is waited for at the successor's; but the last answers come from here, and then the connection ends.
    const leaveInMs = isHere ? chatClientLimits.lastAnswersMs : delay;
    this.#timers.leave = clock.after(leaveInMs, () => this.#lost("the server is going away", "going-away"));
  }
}
