/**
 * S10: durable publishes, acknowledged, of our keeper and of what could stand in its place, each driven bare.
 *
 * Durabilities are compared with their like: `process` (an acknowledged entry survives the death of any process) with
 * Redis's `appendfsync everysec` and JetStream as it is, which both write to the file before they answer (Redis not while
 * it syncs, so it promises a little less) and leave syncing to later; `power` (it survives the machine's) with
 * `appendfsync always` and JetStream's `sync_interval: always`.
 */
import { join } from "node:path";
import { configure } from "./configs.ts";
import type { DrivePlan, DriveTimes, DriveWord } from "./durable/driver.ts";
import type { Figures } from "./figures.ts";
import { linesOf } from "./lines.ts";
import { cpuMs, freePort, keep, makeFolder, Program, removeFolder } from "./process.ts";
import { Collection } from "./section.ts";
import type { Bar, Bench, Section } from "./section.ts";

const ROOMS = 200;
const BYTES = 120;
const WINDOW = 2_000;

interface Entrant {
  readonly name: string;
  readonly store: DrivePlan["store"];
  readonly durability: DrivePlan["durability"];
  readonly follow?: boolean;
  /** How `--against` calls it. */
  readonly belongs: string;
  readonly fullOnly?: true;
}

const entrants: readonly Entrant[] = [
  { name: "keeper process", store: "keeper", durability: "process", belongs: "rtchat" },
  { name: "redis streams everysec", store: "redis-streams", durability: "process", belongs: "redis" },
  { name: "jetstream", store: "jetstream", durability: "process", belongs: "jetstream" },
  { name: "keeper power", store: "keeper", durability: "power", belongs: "rtchat" },
  { name: "redis streams always", store: "redis-streams", durability: "power", belongs: "redis" },
  { name: "jetstream always", store: "jetstream", durability: "power", belongs: "jetstream" },
  {
    name: "keeper process, rooms followed",
    store: "keeper",
    durability: "process",
    follow: true,
    belongs: "rtchat",
    fullOnly: true,
  },
  {
    name: "our redis backplane everysec",
    store: "redis-backplane",
    durability: "process",
    belongs: "rtchat",
    fullOnly: true,
  },
  {
    name: "our redis backplane always",
    store: "redis-backplane",
    durability: "power",
    belongs: "rtchat",
    fullOnly: true,
  },
];

const bars: readonly Bar[] = [
  {
    figure: "perSecond",
    ours: "keeper process",
    against: ["redis streams everysec", "jetstream"],
    called: "the better",
    least: 1.5,
    why: "the keeper writes each entry twice, to its journal and then to its room's log, through SQLite's WAL, and copies both into the file with an fsync, where Redis appends once: which is half of the keeper's CPU; with two cores to itself it has made 1.5 times Redis's rate, with others beside it less, because three threads (server, keeper, checkpoints) have to find a core where Redis and its driver are two",
  },
  {
    figure: "perSecond",
    ours: "keeper power",
    against: ["redis streams always", "jetstream always"],
    called: "the better",
    least: 1.5,
    why: "both wait for one sync for all that is under way, so the disk decides: the keeper has more bytes to sync (whole pages, and again when entries are moved to their rooms) than a file that is only appended to",
  },
];

/** The first version of NATS whose file streams can sync before they acknowledge. */
const syncSince = [2, 10] as const;

/** Why an entrant cannot take part here, if it cannot. */
function absent({ store, durability }: Entrant): string | undefined {
  if (store === "keeper") return undefined;
  const program = store === "jetstream" ? "nats-server" : "redis-server";
  if (Bun.which(program) === null) return `${program} not installed`;
  if (store !== "jetstream" || durability !== "power") return undefined;
  const version = Bun.spawnSync([program, "--version"]).stdout.toString();
  const [, major = 0, minor = 0] = /v(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  const can = major > syncSince[0] || (major === syncSince[0] && minor >= syncSince[1]);
  return can
    ? undefined
    : `${version.trim()} has no sync_interval: always (it came with ${syncSince.join(".")})`;
}

/** A store with its driver. */
class Driven {
  readonly #folder: string;
  #server: Program | undefined;
  #child: Bun.Subprocess<"pipe", "pipe", "pipe"> | undefined;
  #words: AsyncGenerator<string, void> | undefined;

  constructor() {
    this.#folder = makeFolder("durable");
  }

  async start({ store, durability, follow = false }: Entrant): Promise<void> {
    const port = freePort();
    const folder = this.#folder;
    const power = durability === "power";
    if (store === "jetstream") {
      const file = configure(folder, "jetstream.conf", {
        port,
        sync: power ? ", sync_interval: always" : "",
      });
      this.#server = await new Program("nats", ["nats-server", "-c", file], folder).listening(port);
    } else if (store !== "keeper") {
      const file = configure(folder, "redis.conf", { port, fsync: power ? "always" : "everysec" });
      this.#server = await new Program("redis", ["redis-server", file], folder).listening(port);
    }
    const load = { rooms: ROOMS, bytes: BYTES, window: WINDOW };
    const plan: DrivePlan = { store, durability, follow, port, folder, ...load };
    const driver = join(import.meta.dir, "durable/driver.ts");
    this.#child = keep(
      Bun.spawn([process.execPath, driver, JSON.stringify(plan)], {
        stdin: "pipe",
        stdout: "pipe",
        stderr: "pipe",
      }),
    );
    this.#words = linesOf(this.#child.stdout);
    await this.#next();
  }

  async #next(): Promise<DriveWord> {
    const said = await this.#words?.next();
    if (said?.value === undefined) throw new Error(`the driver ended: ${await this.#child?.stderr.text()}`);
    return JSON.parse(said.value) as DriveWord;
  }

  async run(times: DriveTimes): Promise<Figures> {
    void this.#child?.stdin.write(`${JSON.stringify(times)}\n`);
    void this.#child?.stdin.flush();
    const pids = [this.#child?.pid, this.#server?.pid].filter((pid) => pid !== undefined);
    let [before, after] = [0, 0];
    for (;;) {
      const said = await this.#next();
      if (said.word === "measure") before = cpuMs(pids);
      else if (said.word === "measured") after = cpuMs(pids);
      else if (said.word === "result") {
        const { acknowledged, seconds, failed, p50, p99, p999 } = said;
        const cpu = ((after - before) * 1_000) / Math.max(1, acknowledged);
        return { perSecond: acknowledged / seconds, cpu, p50, p99, p999, lost: failed };
      }
    }
  }

  async stop(): Promise<void> {
    void this.#child?.stdin.end();
    await this.#child?.exited;
    await this.#server?.stop();
    removeFolder(this.#folder);
  }
}

/** Measures all stores, in turns. */
export async function measureDurable(bench: Bench): Promise<Section> {
  const { pace, progress } = bench;
  const collection = new Collection();
  const running = new Map<Entrant, Driven>();
  progress("S10 keeper, redis, jetstream");
  try {
    for (const entrant of entrants) {
      if (!bench.wanted(entrant.belongs) || (entrant.fullOnly === true && !pace.full)) continue;
      const why = absent(entrant);
      if (why !== undefined) collection.missing(entrant.name, why);
      else await attempt(entrant, running, collection, (driven) => driven.start(entrant));
    }
    for (let round = 0; round <= pace.rounds; round += 1) {
      for (const entrant of running.keys()) {
        await attempt(entrant, running, collection, async (driven) => {
          // Round 0 warms up and is not counted.
          const times =
            round === 0 ? { warmMs: pace.warmMs, runMs: 0 } : { warmMs: pace.rampMs, runMs: pace.runMs };
          const figures = await driven.run(times);
          if (round > 0) collection.add(entrant.name, figures);
        });
      }
    }
  } finally {
    for (const driven of running.values()) await driven.stop();
  }
  const { runs, notes, failed } = collection;
  return {
    name: "S10",
    title: `durable publish, acknowledged; ${ROOMS} rooms, ${BYTES} B`,
    method: `${pace.rounds} runs of ${pace.runMs / 1_000} s; one connection, ${WINDOW} under way; CPU of store and driver together`,
    figures: ["perSecond", "cpu", "p50", "p99", "p999", "lost"],
    bars,
    runs,
    notes,
    failed,
  };
}

/** Works with an entrant's store; what fails is noted and stopped, and the others go on. */
async function attempt(
  entrant: Entrant,
  running: Map<Entrant, Driven>,
  collection: Collection,
  work: (driven: Driven) => Promise<void>,
): Promise<void> {
  const driven = running.get(entrant) ?? new Driven();
  running.set(entrant, driven);
  try {
    await work(driven);
  } catch (error) {
    collection.failure(entrant.name, error);
    running.delete(entrant);
    await driven.stop();
  }
}
