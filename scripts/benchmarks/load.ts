/**
 * A load generator: one process, many clients, told what to do by one JSON line a run on stdin.
 *
 *   bun scripts/benchmarks/load.ts '{"kind":"talk","dialect":"rtchat","port":8000,…}'
 *
 * It shares no code with rtchat, so that it costs every server under test the same. When everybody is in a room it says
 * `ready`; each run answers `measure`, `measured` and its result, one JSON object a line. Clients stay connected from run
 * to run, so that runs of several systems can take turns. Its end of stdin is its end.
 *
 * Deliveries are counted by line. For latency the text carries the time of sending, read from the same clock, since
 * senders and receivers share the process. After each run: received + lost = sent × members of the room who stayed.
 */
import { churn } from "./load-churn.ts";
import { Client } from "./load-client.ts";
import type { Crew } from "./load-client.ts";
import { linesOf } from "./lines.ts";
import { dialects } from "./dialect.ts";
import type { Dialect, DialectName } from "./dialect.ts";
import { quantile } from "./statistics.ts";

/** What clients do, and how many. Client c is in room c modulo rooms. */
export interface LoadPlan {
  /** `talk` sends and receives, `idle` only joins and stays, `churn` connects, says hello and leaves, over and over. */
  readonly kind: "talk" | "idle" | "churn";
  readonly dialect: DialectName;
  readonly port: number;
  readonly clients: number;
  readonly rooms: number;
  /** Messages each sender keeps under way; 0 when paced. One sender a room. */
  readonly window: number;
  /** Messages a second, all rooms together, when window is 0. */
  readonly rate: number;
  readonly bytes: number;
  /** Latency is read of one delivery in so many; a power of two. */
  readonly sampleEvery: number;
  /** The last so many clients read one chunk in 3 s. */
  readonly slow: number;
  /** New connections a turn while connecting. */
  readonly connectBatch: number;
}

/** One run: what is not counted at its start, then what is. */
export interface RunTimes {
  readonly warmMs: number;
  readonly runMs: number;
}

/** What a load says. Times in ms. */
export type LoadWord =
  | { readonly word: "ready"; readonly connectMs: number }
  | { readonly word: "measure" }
  | { readonly word: "measured" }
  | ({ readonly word: "result" } & LoadResult);

/** One run's result. */
export interface LoadResult {
  readonly seconds: number;
  readonly deliveries: number;
  /** Of this process while it measured. */
  readonly cpuMs: number;
  readonly lost: number;
  /** Slow readers, and others, that the server has closed. */
  readonly droppedSlow: number;
  readonly droppedFast: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

const STAMP_DIGITS = 10;
const T = 0x54;
const ZERO = 0x30;
/** How long nothing may come before what is missing counts as lost. */
const SETTLE_MS = 3_000;
const CONNECT_MS = 60_000;
const PACE_MS = 1;

class Load implements Crew {
  readonly plan: LoadPlan;
  readonly dialect: Dialect;
  readonly clients: Client[] = [];
  readonly #latencies: number[] = [];
  readonly #padding: string;
  readonly #sent: number[];
  #sending = false;
  #measuring = false;
  #sequence = 0;

  constructor(plan: LoadPlan) {
    this.plan = plan;
    this.dialect = dialects[plan.dialect];
    this.#padding = "x".repeat(Math.max(0, plan.bytes - STAMP_DIGITS - 1));
    this.#sent = Array.from({ length: plan.rooms }, () => 0);
  }

  get port(): number {
    return this.plan.port;
  }

  get sampleEvery(): number {
    return this.plan.sampleEvery;
  }

  /** Reads `T` and ten digits: microseconds since this process began. */
  stamp(bytes: Uint8Array, end: number): void {
    if (!this.#measuring) return;
    const at = bytes.lastIndexOf(T, end);
    if (at === -1) return;
    let micros = 0;
    for (let digit = at + 1; digit <= at + STAMP_DIGITS; digit += 1)
      micros = micros * 10 + ((bytes[digit] ?? ZERO) - ZERO);
    this.#latencies.push(performance.now() - micros / 1_000);
  }

  refill(client: Client): void {
    if (!this.#sending || this.plan.window === 0) return;
    let words = "";
    while (client.inFlight < this.plan.window) words += this.#next(client);
    if (words !== "") client.say(words);
  }

  #next(client: Client): string {
    client.inFlight += 1;
    this.#sequence += 1;
    this.#sent[client.room] = (this.#sent[client.room] ?? 0) + 1;
    const micros = Math.round(performance.now() * 1_000);
    const text = `${this.#padding}T${String(micros).padStart(STAMP_DIGITS, "0")}`;
    return this.dialect.send(client.room, this.#sequence, text);
  }

  /** Connects everybody and waits until all are in their rooms; ms. */
  async connect(): Promise<number> {
    const { clients, rooms, slow, connectBatch } = this.plan;
    const began = performance.now();
    for (let number = 0; number < clients; number += 1) {
      const nick = `n${process.pid}-${number}`;
      const part = { number, nick, room: number % rooms, sender: number < rooms };
      const client = new Client(this, { ...part, slow: number >= clients - slow });
      this.clients.push(client);
      void client.dial();
      if (number % connectBatch === 0) await Bun.sleep(0);
    }
    await until(() => this.clients.every((client) => client.ready), CONNECT_MS, "everybody in a room");
    return performance.now() - began;
  }

  /** One run; `say` hears when measuring begins and ends. */
  async run({ warmMs, runMs }: RunTimes, say: (word: LoadWord) => void): Promise<LoadResult> {
    const senders = this.clients.filter((client) => client.sender);
    this.#latencies.length = 0;
    this.#sending = true;
    const pacer = this.#pace(senders);
    for (const sender of senders) this.refill(sender);
    await Bun.sleep(warmMs);
    say({ word: "measure" });
    this.#measuring = true;
    const [before, cpu, began] = [this.#received(), process.cpuUsage(), performance.now()];
    await Bun.sleep(runMs);
    const seconds = (performance.now() - began) / 1_000;
    const [deliveries, used] = [this.#received() - before, process.cpuUsage(cpu)];
    this.#measuring = false;
    say({ word: "measured" });
    this.#sending = false;
    clearInterval(pacer);
    await this.#settle();
    return this.#result(seconds, deliveries, (used.user + used.system) / 1_000);
  }

  /** Sends what is due, all that one client has to say in one write. */
  #pace(senders: readonly Client[]): ReturnType<typeof setInterval> | undefined {
    if (this.plan.window > 0) return undefined;
    const began = performance.now();
    let done = 0;
    return setInterval(() => {
      const due = Math.floor(((performance.now() - began) * this.plan.rate) / 1_000);
      const words = new Map<Client, string>();
      for (; done < due; done += 1) {
        const sender = senders[done % senders.length];
        if (sender !== undefined) words.set(sender, (words.get(sender) ?? "") + this.#next(sender));
      }
      for (const [sender, said] of words) sender.say(said);
    }, PACE_MS);
  }

  /** Waits until what was sent has arrived, or nothing more comes. */
  async #settle(): Promise<void> {
    let last = -1;
    let since = performance.now();
    while (performance.now() - since < SETTLE_MS && this.#lost() > 0) {
      await Bun.sleep(20);
      const now = this.#received();
      if (now !== last) since = performance.now();
      last = now;
    }
  }

  #received(): number {
    let sum = 0;
    for (const client of this.clients) if (!client.slow) sum += client.received;
    return sum;
  }

  #lost(): number {
    let lost = 0;
    for (const client of this.clients) {
      if (!client.slow && !client.gone) lost += (this.#sent[client.room] ?? 0) - client.received;
    }
    return lost;
  }

  #result(seconds: number, deliveries: number, cpuMs: number): LoadResult {
    const sorted = Float64Array.from(this.#latencies).sort();
    const gone = this.clients.filter((client) => client.gone);
    const droppedSlow = gone.filter((client) => client.slow).length;
    return {
      seconds,
      deliveries,
      cpuMs,
      lost: this.#lost(),
      droppedSlow,
      droppedFast: gone.length - droppedSlow,
      p50: quantile(sorted, 0.5),
      p99: quantile(sorted, 0.99),
      p999: quantile(sorted, 0.999),
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
  const say = (word: LoadWord): void => void process.stdout.write(`${JSON.stringify(word)}\n`);
  const load = new Load(plan);
  const connectMs = plan.kind === "churn" ? 0 : await load.connect();
  say({ word: "ready", connectMs });
  for await (const line of linesOf(Bun.stdin.stream())) {
    const times = JSON.parse(line) as RunTimes;
    const result = plan.kind === "churn" ? await churn(plan, times, say) : await load.run(times, say);
    say({ word: "result", ...result });
  }
  await Promise.all(load.clients.map((client) => client.end()));
  process.exit(0);
}
