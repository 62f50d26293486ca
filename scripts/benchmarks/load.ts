/**
 * A load generator: one process, many clients, one JSON object with what it measured on stdout.
 *
 *   bun scripts/benchmarks/load.ts '{"dialect":"rtchat","port":8000,…}'
 *
 * It shares no code with rtchat, so that it costs every server under test the same. Deliveries are counted by line; for
 * latency the text carries the time of sending, read from the same clock, since senders and receivers share the process.
 * Invariant at the end: deliveries received + lost = messages sent × members of their room.
 */
import type { Socket } from "bun";
import { dialects, Kind } from "./dialect.ts";
import type { Dialect, DialectName } from "./dialect.ts";

/** `talk` sends and receives, `idle` only joins and stays, `churn` connects, says hello and leaves, again and again. */
export type LoadKind = "talk" | "idle" | "churn";

/** What to do. Clients 0…n−1 are dealt to rooms in turn: client c is in room c modulo rooms. */
export interface LoadPlan {
  readonly kind: LoadKind;
  readonly dialect: DialectName;
  readonly port: number;
  readonly clients: number;
  readonly rooms: number;
  /** Messages each sender keeps under way; 0 when paced. One sender a room. */
  readonly window: number;
  /** Messages a second, all rooms together, when window is 0. */
  readonly rate: number;
  readonly bytes: number;
  readonly warmMs: number;
  readonly runMs: number;
  readonly latency: boolean;
  /** The last so many clients read one small piece every 100 ms. */
  readonly slow: number;
  /** New connections a turn while connecting. */
  readonly connectBatch: number;
}

/** What was measured. Times in ms. */
export interface LoadResult {
  readonly connectMs: number;
  readonly seconds: number;
  readonly sent: number;
  readonly deliveries: number;
  readonly perSecond: number;
  readonly lost: number;
  readonly dropped: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

const STAMP_DIGITS = 10;
const SETTLE_MS = 3_000;
const CONNECT_MS = 60_000;

class Client {
  socket: Socket | undefined;
  ready = false;
  gone = false;
  inFlight = 0;
  received = 0;
  #held: Buffer | undefined;
  #unsent: Buffer | undefined;
  readonly number: number;
  readonly room: number;
  readonly sender: boolean;
  readonly slow: boolean;
  readonly #load: Load;

  constructor(load: Load, number: number) {
    const { plan } = load;
    this.#load = load;
    this.number = number;
    this.room = number % plan.rooms;
    this.sender = number < plan.rooms;
    this.slow = number >= plan.clients - plan.slow;
  }

  /** Writes, and keeps what the kernel did not take for the next drain. */
  say(words: string): void {
    this.#unsent =
      this.#unsent === undefined ? Buffer.from(words) : Buffer.concat([this.#unsent, Buffer.from(words)]);
    this.drain();
  }

  drain(): void {
    if (this.#unsent === undefined || this.socket === undefined) return;
    const written = this.socket.write(this.#unsent);
    this.#unsent = written >= 0 && written < this.#unsent.length ? this.#unsent.subarray(written) : undefined;
  }

  data(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#held !== undefined) {
      bytes = Buffer.concat([this.#held, chunk]);
      this.#held = undefined;
    }
    let start = 0;
    for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, start)) {
      this.#line(bytes, start, at);
      start = at + 1;
    }
    if (start < bytes.length) this.#held = bytes.subarray(start);
    this.#load.refill(this);
  }

  #line(bytes: Buffer, start: number, end: number): void {
    const load = this.#load;
    switch (load.dialect.kind(bytes, start, end)) {
      case Kind.Delivery:
        this.received += 1;
        if (this.sender) this.inFlight -= 1;
        // In NATS the text is on the next line, which is counted as Other and looked at there.
        if (load.plan.latency && load.plan.dialect !== "nats") load.stamp(bytes, end);
        return;
      case Kind.Welcome:
        this.say(load.dialect.join(this.room));
        return;
      case Kind.Ready:
        this.ready = true;
        return;
      case Kind.Ping:
        this.say(load.dialect.pong(bytes.toString("latin1", start, end).trim()));
        return;
      default:
        if (load.plan.latency && load.plan.dialect === "nats") load.stamp(bytes, end);
    }
  }
}

class Load {
  readonly plan: LoadPlan;
  readonly dialect: Dialect;
  readonly clients: Client[] = [];
  readonly #latencies: number[] = [];
  readonly #padding: string;
  #sending = false;
  #measuring = false;
  #sequence = 0;
  #sent: number[];

  constructor(plan: LoadPlan) {
    this.plan = plan;
    this.dialect = dialects[plan.dialect];
    this.#padding = "x".repeat(Math.max(0, plan.bytes - STAMP_DIGITS - 1));
    this.#sent = Array.from({ length: plan.rooms }, () => 0);
  }

  /** Reads `T` and ten digits: microseconds since this process began. */
  stamp(bytes: Uint8Array, end: number): void {
    if (!this.#measuring) return;
    const at = bytes.lastIndexOf(0x54, end);
    if (at === -1) return;
    let value = 0;
    for (let digit = at + 1; digit <= at + STAMP_DIGITS; digit += 1)
      value = value * 10 + ((bytes[digit] ?? 48) - 48);
    this.#latencies.push(performance.now() - value / 1_000);
  }

  #text(): string {
    const micros = Math.round(performance.now() * 1_000);
    return `${this.#padding}T${String(micros).padStart(STAMP_DIGITS, "0")}`;
  }

  refill(client: Client): void {
    if (!client.sender || !this.#sending || this.plan.window === 0) return;
    let words = "";
    while (client.inFlight < this.plan.window) words += this.#next(client);
    if (words !== "") client.say(words);
  }

  #next(client: Client): string {
    client.inFlight += 1;
    this.#sequence += 1;
    this.#sent[client.room] = (this.#sent[client.room] ?? 0) + 1;
    return this.dialect.send(client.room, this.#sequence, this.#text());
  }

  async connect(): Promise<number> {
    const began = performance.now();
    for (let number = 0; number < this.plan.clients; number += 1) {
      const client = new Client(this, number);
      this.clients.push(client);
      void this.#dial(client);
      if (number % this.plan.connectBatch === 0) await Bun.sleep(0);
    }
    await until(() => this.clients.every((client) => client.ready), CONNECT_MS, "everybody in a room");
    return performance.now() - began;
  }

  async #dial(client: Client): Promise<void> {
    client.socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: this.plan.port,
      socket: {
        open: (socket) => {
          client.socket = socket;
          client.say(this.dialect.hello(client.number));
        },
        data: (_, chunk) => client.data(chunk),
        drain: () => client.drain(),
        close: () => {
          client.gone = true;
        },
        error: () => {},
      },
    });
  }

  async run(): Promise<LoadResult> {
    const connectMs = await this.connect();
    process.stderr.write("ready\n");
    if (this.plan.kind === "idle") return this.#result(connectMs, 0, 0, 0);
    const senders = this.clients.filter((client) => client.sender);
    this.#slowDown();
    this.#sending = true;
    const pacer = this.#pace(senders);
    for (const sender of senders) this.refill(sender);
    await Bun.sleep(this.plan.warmMs);
    process.stderr.write("measure\n");
    this.#measuring = true;
    const [before, sentBefore] = [this.#received(), this.#sequence];
    const began = performance.now();
    await Bun.sleep(this.plan.runMs);
    const seconds = (performance.now() - began) / 1_000;
    const deliveries = this.#received() - before;
    const sent = this.#sequence - sentBefore;
    this.#measuring = false;
    process.stderr.write("measured\n");
    this.#sending = false;
    clearInterval(pacer);
    await this.#settle();
    return this.#result(connectMs, seconds, deliveries, sent);
  }

  #pace(senders: readonly Client[]): ReturnType<typeof setInterval> | undefined {
    if (this.plan.window > 0) return undefined;
    const began = performance.now();
    let done = 0;
    return setInterval(() => {
      const due = ((performance.now() - began) * this.plan.rate) / 1_000;
      for (; done < due; done += 1) {
        const sender = senders[done % senders.length];
        sender?.say(this.#next(sender));
      }
    }, 1);
  }

  #slowDown(): void {
    const slow = this.clients.filter((client) => client.slow);
    for (const client of slow) client.socket?.pause();
    if (slow.length === 0) return;
    setInterval(() => {
      for (const client of slow) {
        if (client.gone) continue;
        client.socket?.resume();
        setTimeout(() => client.socket?.pause(), 1);
      }
    }, 500).unref();
  }

  /** Waits until what was sent has arrived, or nothing more comes. */
  async #settle(): Promise<void> {
    let last = -1;
    let since = performance.now();
    while (performance.now() - since < SETTLE_MS && this.#lost() > 0) {
      await Bun.sleep(50);
      const now = this.#received();
      if (now !== last) since = performance.now();
      last = now;
    }
  }

  /** Greets and leaves over and over, `clients` at a time. A delivery is one welcome here. */
  async churn(): Promise<LoadResult> {
    let greeted = 0;
    let running = true;
    const one = async (first: number): Promise<void> => {
      const visit = async (number: number): Promise<void> => {
        const { promise, resolve } = Promise.withResolvers<void>();
        const socket = await Bun.connect({
          hostname: "127.0.0.1",
          port: this.plan.port,
          socket: {
            open: (opened) => void opened.write(this.dialect.hello(number)),
            data: (opened) => {
              greeted += 1;
              opened.write(this.dialect.bye);
              opened.end();
            },
            close: () => resolve(),
            error: () => {},
          },
        });
        await promise;
        socket.terminate();
      };
      // The nick differs each time: the one before may still be on its way out.
      for (let number = first; running; number += this.plan.clients) await visit(number);
    };
    const visitors = Array.from({ length: this.plan.clients }, (_, number) => one(number));
    await Bun.sleep(this.plan.warmMs);
    process.stderr.write("measure\n");
    const before = greeted;
    const began = performance.now();
    await Bun.sleep(this.plan.runMs);
    const seconds = (performance.now() - began) / 1_000;
    const deliveries = greeted - before;
    process.stderr.write("measured\n");
    running = false;
    await Promise.all(visitors);
    return this.#result(0, seconds, deliveries, deliveries);
  }

  #received(): number {
    let sum = 0;
    for (const client of this.clients) sum += client.received;
    return sum;
  }

  #lost(): number {
    let lost = 0;
    for (const client of this.clients) {
      if (!client.slow) lost += (this.#sent[client.room] ?? 0) - client.received;
    }
    return lost;
  }

  #result(connectMs: number, seconds: number, deliveries: number, sent: number): LoadResult {
    const sorted = Float64Array.from(this.#latencies).sort();
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return {
      connectMs,
      seconds,
      sent,
      deliveries,
      perSecond: seconds === 0 ? 0 : deliveries / seconds,
      lost: this.#lost(),
      dropped: this.clients.filter((client) => client.gone).length,
      p50: at(0.5),
      p99: at(0.99),
      p999: at(0.999),
    };
  }
}

async function until(done: () => boolean, ms: number, what: string): Promise<void> {
  const deadline = performance.now() + ms;
  while (!done()) {
    if (performance.now() > deadline) throw new Error(`not reached in ${ms / 1_000} s: ${what}`);
    await Bun.sleep(5);
  }
}

if (import.meta.main) {
  const plan = JSON.parse(process.argv[2] ?? "{}") as LoadPlan;
  const load = new Load(plan);
  const result = await (plan.kind === "churn" ? load.churn() : load.run());
  process.stdout.write(`${JSON.stringify(result)}\n`);
  // Idle clients stay until told to go, so that memory can be read meanwhile.
  if (plan.kind === "idle") await Bun.stdin.text();
  process.exit(0);
}
