/**
 * One client of the load: its socket, what it has heard, and how many of its messages are under way.
 *
 * It is on the path of every delivery of every system under test, on the cores that the system needs. So a line costs
 * a search for its end and a look at a few bytes; one in `sampleEvery` deliveries has its time read.
 */
import type { Socket } from "bun";
import { Kind } from "./dialect.ts";
import type { Dialect } from "./dialect.ts";

/** What a client needs of the load that it belongs to. */
export interface Crew {
  readonly dialect: Dialect;
  /** Time is read for one delivery of so many; a power of two. */
  readonly sampleEvery: number;
  readonly port: number;
  /** More may be sent. */
  refill(client: Client): void;
  /** A delivery whose line (in NATS: whose text's line) ends at `end` is to be timed. */
  stamp(bytes: Uint8Array, end: number): void;
}

/** Reading of a slow reader: one chunk, then nothing for so long. */
const SLOW_MS = 3_000;
/** How long a server may take to hang up after the goodbye. */
const LEAVE_MS = 2_000;
/** Before a client that was hung up on before it was in its room tries again. */
const AGAIN_MS = 200;
const NEWLINE = 10;

/** One connection. Clients are dealt to rooms in turn; the first of each room sends. */
export class Client {
  readonly number: number;
  readonly room: number;
  readonly sender: boolean;
  readonly slow: boolean;
  ready = false;
  gone = false;
  inFlight = 0;
  received = 0;
  readonly #crew: Crew;
  readonly #nick: string;
  #socket: Socket | undefined;
  #held: Buffer | undefined;
  #unsent: Buffer | undefined;
  #closed = (): void => {};
  #leaving = false;
  /** NATS: the next line is the text of a delivery that is to be timed. */
  #textNext = false;

  constructor(
    crew: Crew,
    part: { number: number; room: number; sender: boolean; slow: boolean; nick: string },
  ) {
    this.#crew = crew;
    this.number = part.number;
    this.room = part.room;
    this.sender = part.sender;
    this.slow = part.slow;
    this.#nick = part.nick;
  }

  async dial(): Promise<void> {
    await Bun.connect({
      hostname: "127.0.0.1",
      port: this.#crew.port,
      socket: {
        open: (socket) => {
          this.#socket = socket;
          this.say(this.#crew.dialect.hello(this.#nick));
        },
        data: (_, chunk) => this.#data(chunk),
        drain: () => this.#drain(),
        close: () => {
          // A proxy gives up a connection that its server, busy with thousands of others, has not accepted in time.
          if (this.ready || this.#leaving) this.gone = true;
          else setTimeout(() => void this.#dialAgain(), AGAIN_MS);
          this.#closed();
        },
        error: () => {},
      },
    });
  }

  #dialAgain(): Promise<void> {
    this.#held = undefined;
    this.#unsent = undefined;
    this.#socket = undefined;
    return this.dial();
  }

  /** Writes, and keeps what the kernel did not take for the next drain. */
  say(words: string): void {
    const bytes = Buffer.from(words, "latin1");
    this.#unsent = this.#unsent === undefined ? bytes : Buffer.concat([this.#unsent, bytes]);
    this.#drain();
  }

  /** Says goodbye, so that the next run's clients do not find a session that may come back; resolves when closed. */
  end(): Promise<void> {
    if (this.gone || this.#socket === undefined) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = resolve;
    this.#leaving = true;
    // A server that does not hang up is left all the same.
    setTimeout(() => this.#socket?.terminate(), LEAVE_MS).unref();
    this.#socket.resume();
    this.say(this.#crew.dialect.bye);
    this.#socket.end();
    return promise;
  }

  #drain(): void {
    if (this.#unsent === undefined || this.#socket === undefined) return;
    const written = this.#socket.write(this.#unsent);
    this.#unsent = written >= 0 && written < this.#unsent.length ? this.#unsent.subarray(written) : undefined;
  }

  #data(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#held !== undefined) {
      bytes = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
    }
    let start = 0;
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, start)) {
      this.#line(bytes, start, at);
      start = at + 1;
    }
    if (start < bytes.length) this.#held = bytes.subarray(start);
    if (this.sender) this.#crew.refill(this);
    if (this.slow && this.ready && !this.#leaving) this.#rest();
  }

  #line(bytes: Buffer, start: number, end: number): void {
    const { dialect, sampleEvery } = this.#crew;
    switch (dialect.kind(bytes, start, end)) {
      case Kind.Delivery:
        this.received += 1;
        if (this.sender) this.inFlight -= 1;
        if ((this.received & (sampleEvery - 1)) !== 0 || this.slow) return;
        if (dialect.textFollows) this.#textNext = true;
        else this.#crew.stamp(bytes, end);
        return;
      case Kind.Welcome:
        this.say(dialect.join(this.room));
        return;
      case Kind.Ready:
        this.ready = true;
        return;
      case Kind.Ping:
        this.say(dialect.pong(bytes.toString("latin1", start, end).trim()));
        return;
      case Kind.Ack:
      case Kind.Other:
        if (!this.#textNext) return;
        this.#textNext = false;
        this.#crew.stamp(bytes, end);
    }
  }

  #rest(): void {
    this.#socket?.pause();
    setTimeout(() => {
      if (!this.gone) this.#socket?.resume();
    }, SLOW_MS).unref();
  }
}
