/** A listener that says what a chat server says, as fast as it is asked to, so that only the client is measured. */
import type { Socket } from "bun";

/** People in the room. */
const PEOPLE = 40;

export class TalkingServer {
  readonly #listener: { readonly port: number; stop(closeConnections: boolean): void };
  #socket: Socket | undefined;
  #waiting: Buffer[] = [];
  readonly #joined = Promise.withResolvers<void>();
  #drained: (() => void) | undefined;
  seq = 0;

  constructor() {
    this.#listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          this.#socket = socket;
        },
        data: (_, chunk) => {
          for (const line of chunk.toString().split("\n").filter(Boolean)) this.#answer(line);
        },
        drain: () => this.#flush(),
        close: () => {
          this.#socket = undefined;
        },
        error() {},
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }
  /** The client is in the room. */
  get joined(): Promise<void> {
    return this.#joined.promise;
  }

  #answer(line: string): void {
    const { type, id, nick } = JSON.parse(line) as { type: string; id: string; nick: string };
    if (type === "hello") {
      const inbox = { epoch: "e", seq: 0 };
      const who = { session: "s", nick, resume: "r", resumed: false, inbox };
      this.#say({ type: "welcome", version: 1, server: "bench", cluster: "bench", ...who, id });
    } else if (type === "join") {
      const members = Array.from({ length: PEOPLE }, (_, n) => `person${n}`);
      const room = { room: "lobby", epoch: "e", seq: 0, members, memberCount: members.length, topic: "" };
      this.#say({ type: "joined", ...room, messages: [], recovered: true, id });
      this.#joined.resolve();
    }
  }

  #say(object: object): void {
    this.#waiting.push(Buffer.from(`${JSON.stringify(object)}\n`));
    if (this.#waiting.length === 1) this.#flush();
  }

  #flush(): void {
    while (this.#socket !== undefined && this.#waiting[0] !== undefined) {
      const taken = Math.max(0, this.#socket.write(this.#waiting[0]));
      if (taken < this.#waiting[0].length) {
        this.#waiting[0] = this.#waiting[0].subarray(taken);
        return;
      }
      this.#waiting.shift();
    }
    this.#drained?.();
    this.#drained = undefined;
  }

  /** Somebody says the next message. @param text what everybody says, if not given */
  talk(said?: string): void {
    this.seq += 1;
    const everybody = `message ${this.seq}: some words that people say, 日本 👋 and https://example.org/${this.seq}`;
    const text = said ?? everybody;
    const from = `person${this.seq % PEOPLE}`;
    this.#say({ type: "message", room: "lobby", seq: this.seq, from, at: Date.now(), text });
  }

  /** Resolves when the kernel has taken everything: a queue here would be measured as the client's. */
  taken(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.length === 0) resolve();
      else this.#drained = resolve;
    });
  }

  stop(): void {
    this.#listener.stop(true);
  }
}
