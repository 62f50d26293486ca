/**
 * One connection from a server to a keeper: dial, hello, welcome, frames, beats, and its end.
 *
 * Silence is counted in beats that this server was awake for: a server that was itself stopped for a minute must not
 * take the keeper for dead because of that. Neither is it silent while this server does not read it.
 */
import type { Clock, Timer } from "../../protocol/clock.ts";
import { FrameDecoder, FrameWriter } from "../../protocol/frames.ts";
import type { FrameReader } from "../../protocol/frames.ts";
import type { Connection } from "../../net/connection.ts";
import { dial, DialError } from "../../net/dial.ts";
import { atEndOfTurn, flushSoFar } from "../../net/turn.ts";
import { StoreProblem } from "./problem.ts";
import type { KeeperLimits } from "./tenure.ts";
import { Op } from "./wire.ts";
import type { Hello, Welcome } from "./wire.ts";

/** How it ended: cut by either side, or the keeper fell silent. */
export type ConversationEnd = "cut" | "silent";

/** What the server's side is told, synchronously. */
export interface ConversationHandlers {
  /** The first answer. Frames may be written from now on, also in here. */
  welcomed(welcome: Welcome, conversation: Conversation): void;
  frame(reader: FrameReader): void;
  measured(roundTripMs: number): void;
  /** Whether the keeper's process is seen to run, and only slow. */
  running(): boolean;
}

export class Conversation {
  readonly #clock: Clock;
  readonly #limits: KeeperLimits;
  readonly #handlers: ConversationHandlers;
  readonly #connection: Connection;
  readonly #decoder: FrameDecoder;
  readonly #writer = new FrameWriter();
  readonly #timers: Timer[] = [];
  readonly #welcome = Promise.withResolvers<boolean>();
  readonly #end = Promise.withResolvers<ConversationEnd>();
  #open = false;
  #flushing = false;
  #heard = true;
  #silentBeats = 0;
  #beatAt: number;
  #ping = { number: 0, at: 0 };

  private constructor(
    connection: Connection,
    clock: Clock,
    limits: KeeperLimits,
    handlers: ConversationHandlers,
  ) {
    this.#connection = connection;
    this.#clock = clock;
    this.#limits = limits;
    this.#handlers = handlers;
    this.#decoder = new FrameDecoder(limits.frameBytes);
    this.#beatAt = clock.monotonic();
  }

  /**
   * Dials a keeper's socket and introduces this server.
   * @returns undefined when nobody is there, or whoever is there does not answer in time
   * @throws StoreProblem (as a rejection) when this server is refused, or has no descriptors left
   */
  static async open(
    path: string,
    hello: () => Hello,
    clock: Clock,
    limits: KeeperLimits,
    handlers: ConversationHandlers,
  ): Promise<Conversation | undefined> {
    const { outboxBytes, helloMs, lingerMs } = limits;
    let conversation: Conversation | undefined;
    try {
      await dial({
        to: { path },
        timeoutMs: helloMs,
        settings: { clock, limits: { outboxBytes, highWaterBytes: outboxBytes / 2, lingerMs } },
        opened: (connection) => {
          conversation = new Conversation(connection, clock, limits, handlers);
          return conversation.#begin(hello());
        },
      });
    } catch (error) {
      if (error instanceof DialError && error.code === "EMFILE")
        throw new StoreProblem("failing", error.message);
      if (!(error instanceof DialError)) throw error;
    }
    if (conversation === undefined) return undefined;
    return (await conversation.#welcome.promise) ? conversation : undefined;
  }

  #begin(hello: Hello) {
    this.#writer.begin(Op.Hello).json(hello).end();
    this.flush();
    this.#timers.push(this.#clock.after(this.#limits.helloMs, () => this.#late()));
    return {
      data: (chunk: Uint8Array) => {
        this.#heard = true;
        this.#decoder.push(chunk, this.#frame);
        flushSoFar();
      },
      close: () => this.#settle("cut"),
    };
  }

  #late(): void {
    if (!this.#open) this.close("silent");
  }

  readonly #frame = (reader: FrameReader): void => {
    switch (reader.op) {
      case Op.Beat:
        return;
      case Op.Welcome:
        this.#open = true;
        this.#handlers.welcomed(reader.json() as Welcome, this);
        this.#watch();
        this.#welcome.resolve(true);
        return;
      case Op.Refuse:
        this.#welcome.reject(new StoreProblem("foreign", reader.text()));
        return;
      case Op.Pong:
        if (reader.u32() === this.#ping.number) {
          this.#handlers.measured(this.#clock.monotonic() - this.#ping.at);
        }
        return;
      default:
        this.#handlers.frame(reader);
    }
  };

  #watch(): void {
    const { beatMs, pingMs } = this.#limits;
    this.#beatAt = this.#clock.monotonic();
    this.#timers.push(this.#clock.every(beatMs, () => this.#listen()));
    this.#timers.push(this.#clock.every(pingMs, () => this.#measure()));
    this.#measure();
  }

  #measure(): void {
    this.#ping = { number: (this.#ping.number + 1) >>> 0, at: this.#clock.monotonic() };
    this.writer.begin(Op.Ping).u32(this.#ping.number).end();
  }

  #listen(): void {
    const { beatMs, silentBeats, patientBeats } = this.#limits;
    const now = this.#clock.monotonic();
    const asleep = now - this.#beatAt > 2 * beatMs;
    this.#beatAt = now;
    const deaf = asleep || this.#connection.isPaused;
    this.#silentBeats = this.#heard || deaf ? 0 : this.#silentBeats + 1;
    this.#heard = false;
    const hangs = this.#silentBeats >= silentBeats && !this.#handlers.running();
    if (hangs || this.#silentBeats >= patientBeats) this.close("silent");
  }

  /** Reads nothing more until {@link resume}, which must follow: the end of a connection that is not read is not seen. */
  pause(): void {
    this.#connection.pause();
  }

  /** Reads on. What came meanwhile comes now, and only then can the keeper be silent. */
  resume(): void {
    this.#heard = true;
    this.#connection.resume();
  }

  /** Whether the keeper missed its last beat. */
  get doubtful(): boolean {
    return this.#silentBeats > 0;
  }

  /** Frames written here go out at the end of this turn, in one write. */
  get writer(): FrameWriter {
    if (!this.#flushing) {
      this.#flushing = true;
      atEndOfTurn(this);
    }
    return this.#writer;
  }

  /** The end of the turn. */
  flush(): void {
    this.#flushing = false;
    if (this.#writer.length > 0) this.#connection.writeNow(this.#writer.take());
  }

  /** How it ended, once it has. */
  get end(): Promise<ConversationEnd> {
    return this.#end.promise;
  }

  close(end: ConversationEnd): void {
    this.#settle(end);
    this.#connection.terminate();
  }

  #settle(end: ConversationEnd): void {
    for (const timer of this.#timers.splice(0)) timer.stop();
    this.#welcome.resolve(false);
    this.#end.resolve(end);
  }
}
