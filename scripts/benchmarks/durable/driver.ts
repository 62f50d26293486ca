/**
 * S10's driver: keeps a window of durable publishes under way over one connection and counts what is acknowledged.
 *
 *   bun scripts/benchmarks/durable/driver.ts '{"store":"keeper","window":2000,…}'
 *
 * All stores get the same: so many rooms in turn, the same body, one more publish for each that is acknowledged, all that
 * one turn of the event loop brought in one write. Ours is driven through the interface that the hub uses, by the same
 * driver, so its client's work is included; Redis and NATS are spoken to in bytes made beforehand, and of their answers
 * only the ends are looked for. One run a line on stdin, like load.ts.
 */
import { linesOf } from "../lines.ts";
import { quantile } from "../statistics.ts";
import { openBackplane } from "./backplane-store.ts";
import { openJetStream, openRedisStreams } from "./socket-stores.ts";

/** What to drive. */
export interface DrivePlan {
  readonly store: "keeper" | "redis-backplane" | "redis-streams" | "jetstream";
  readonly durability: "process" | "power";
  /** Ours: subscribes every room first, as a hub does that has members there, and hears every entry. */
  readonly follow: boolean;
  /** Of the server, unless the store is the keeper. */
  readonly port: number;
  readonly folder: string;
  readonly rooms: number;
  readonly bytes: number;
  readonly window: number;
}

/** One run. */
export interface DriveTimes {
  readonly warmMs: number;
  readonly runMs: number;
}

/** What a driver says. Times in ms. */
export type DriveWord =
  | { readonly word: "ready" }
  | { readonly word: "measure" }
  | { readonly word: "measured" }
  | {
      readonly word: "result";
      readonly seconds: number;
      readonly acknowledged: number;
      readonly failed: number;
      readonly p50: number;
      readonly p99: number;
      readonly p999: number;
    };

/** Something that can be published to. Acknowledgements come in the order of publishing. */
export interface Store {
  /** Publishes so many, and tells `acknowledged` of each. */
  publish(count: number): void;
  close(): Promise<void>;
}

/** What a store tells its driver. */
export interface Acknowledged {
  /** So many more are durable. */
  acknowledged(count: number): void;
  failed(reason: string): void;
}

/** Latency is read of one publish in so many. */
const SAMPLE_EVERY = 64;

class Drive implements Acknowledged {
  readonly #window: number;
  #store: Store | undefined;
  #running = false;
  #measuring = false;
  #published = 0;
  #acknowledged = 0;
  #failed = 0;
  /** Times of every SAMPLE_EVERYth publish that is under way. */
  readonly #times: number[] = [];
  readonly #latencies: number[] = [];
  #idle = (): void => {};

  constructor(window: number) {
    this.#window = window;
  }

  attach(store: Store): void {
    this.#store = store;
  }

  #publish(count: number): void {
    const now = performance.now();
    const next = Math.ceil(this.#published / SAMPLE_EVERY) * SAMPLE_EVERY;
    for (let number = next; number < this.#published + count; number += SAMPLE_EVERY) this.#times.push(now);
    this.#published += count;
    this.#store?.publish(count);
  }

  acknowledged(count: number): void {
    const next = Math.ceil(this.#acknowledged / SAMPLE_EVERY) * SAMPLE_EVERY;
    this.#acknowledged += count;
    for (let number = next; number < this.#acknowledged; number += SAMPLE_EVERY) {
      const at = this.#times.shift();
      if (at !== undefined && this.#measuring) this.#latencies.push(performance.now() - at);
    }
    if (this.#running) this.#publish(count);
    else if (this.#acknowledged === this.#published) this.#idle();
  }

  failed(reason: string): void {
    if (this.#failed === 0) process.stderr.write(`${reason}\n`);
    this.#failed += 1;
    this.acknowledged(1);
  }

  async run({ warmMs, runMs }: DriveTimes, say: (word: DriveWord) => void): Promise<DriveWord> {
    this.#latencies.length = 0;
    this.#running = true;
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    this.#publish(this.#window);
    await Bun.sleep(warmMs);
    say({ word: "measure" });
    this.#measuring = true;
    const [before, failed, began] = [this.#acknowledged, this.#failed, performance.now()];
    await Bun.sleep(runMs);
    const seconds = (performance.now() - began) / 1_000;
    this.#measuring = false;
    const refused = this.#failed - failed;
    const acknowledged = this.#acknowledged - before - refused;
    say({ word: "measured" });
    this.#running = false;
    await idle;
    const sorted = Float64Array.from(this.#latencies).sort();
    const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => quantile(sorted, share));
    return {
      word: "result",
      seconds,
      acknowledged,
      failed: refused,
      p50: p50 ?? 0,
      p99: p99 ?? 0,
      p999: p999 ?? 0,
    };
  }
}

function open(plan: DrivePlan, to: Acknowledged): Promise<Store> {
  switch (plan.store) {
    case "keeper":
    case "redis-backplane":
      return openBackplane(plan, to);
    case "redis-streams":
      return openRedisStreams(plan, to);
    case "jetstream":
      return openJetStream(plan, to);
  }
}

if (import.meta.main) {
  const plan = JSON.parse(process.argv[2] ?? "{}") as DrivePlan;
  const say = (word: DriveWord): void => void process.stdout.write(`${JSON.stringify(word)}\n`);
  const drive = new Drive(plan.window);
  const store = await open(plan, drive);
  drive.attach(store);
  say({ word: "ready" });
  for await (const line of linesOf(Bun.stdin.stream())) {
    say(await drive.run(JSON.parse(line) as DriveTimes, say));
  }
  await store.close();
  process.exit(0);
}
