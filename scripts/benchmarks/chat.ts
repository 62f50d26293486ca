/** S1 to S7: brings a scenario's load to its entrants in turns, and reads what their processes cost meanwhile. */
import { join } from "node:path";
import type { Figures } from "./figures.ts";
import { linesOf } from "./lines.ts";
import type { LoadPlan, LoadResult, LoadWord, RunTimes } from "./load.ts";
import { cpuMs, keep, memoryBytes } from "./process.ts";
import type { Entrant, Scenario } from "./scenarios.ts";
import { Collection } from "./section.ts";
import type { Bench, Pace, Section } from "./section.ts";
import { needs, start } from "./targets.ts";
import type { Target, TargetName } from "./targets.ts";

/** What idle clients are given before memory is read, so that what connecting took can be given back, ms. */
const IDLE_MS = 2_000;

/** A load generator's process. */
export class Load {
  readonly #child;
  readonly #words: AsyncGenerator<string, void>;
  connectMs = 0;

  constructor(plan: LoadPlan) {
    this.#child = keep(
      Bun.spawn([process.execPath, join(import.meta.dir, "load.ts"), JSON.stringify(plan)], {
        stdin: "pipe",
        stdout: "pipe",
        stderr: "pipe",
      }),
    );
    this.#words = linesOf(this.#child.stdout);
  }

  async #next(): Promise<LoadWord> {
    const { value } = await this.#words.next();
    if (value === undefined) throw new Error(`the load ended: ${await this.#child.stderr.text()}`);
    return JSON.parse(value) as LoadWord;
  }

  /** Waits until every client is in its room. */
  async ready(): Promise<void> {
    const said = await this.#next();
    if (said.word === "ready") this.connectMs = said.connectMs;
  }

  /** One run, and the CPU that these processes used while it measured, ms. */
  async run(times: RunTimes, pids: readonly number[]): Promise<{ result: LoadResult; cpu: number }> {
    void this.#child.stdin.write(`${JSON.stringify(times)}\n`);
    void this.#child.stdin.flush();
    let before = 0;
    let after = 0;
    for (;;) {
      const said = await this.#next();
      if (said.word === "measure") before = cpuMs(pids);
      else if (said.word === "measured") after = cpuMs(pids);
      else if (said.word === "result") return { result: said, cpu: after - before };
    }
  }

  async stop(): Promise<void> {
    void this.#child.stdin.end();
    await this.#child.exited;
  }
}

const pidsOf = (programs: Target["programs"]): number[] => programs.map((program) => program.pid);

function figuresOf({ result, cpu }: { result: LoadResult; cpu: number }, load: Entrant["load"]): Figures {
  const each = 1_000 / Math.max(1, result.deliveries);
  const figures: Figures = {
    perSecond: result.deliveries / result.seconds,
    cpu: cpu * each,
    loadCpu: result.cpuMs * each,
    lost: result.lost,
  };
  if (load.kind === "churn") return figures;
  const { p50, p99, p999, droppedSlow, droppedFast } = result;
  return { ...figures, p50, p99, p999, dropped: droppedSlow, droppedFast };
}

function paceOf({ isLong, anew }: Scenario, pace: Pace): Pace {
  const rounds = isLong === true || anew === "everything" ? pace.roundsLong : pace.rounds;
  return { ...pace, rounds, runMs: isLong === true ? pace.longMs : pace.runMs };
}

/** Measures a scenario. What cannot be measured is noted, and does not end the rest. */
export async function measureChat(scenario: Scenario, given: Bench): Promise<Section> {
  const bench = { ...given, pace: paceOf(scenario, given.pace) };
  const { pace, progress } = bench;
  const collection = new Collection();
  const entrants = scenario.entrants.filter((entrant) => {
    if (!bench.wanted(entrant.target) || (entrant.fullOnly === true && !pace.full)) return false;
    const absent = needs[entrant.target].filter((program) => Bun.which(program) === null);
    if (absent.length > 0) collection.missing(entrant.name, `${absent.join(" and ")} not installed`);
    return absent.length === 0;
  });
  const way = { kept: takeTurns, clients: connectAnew, everything: weigh }[scenario.anew];
  progress(`${scenario.name} ${entrants.map((entrant) => entrant.name).join(", ")}`);
  await way(entrants, bench, collection);
  const { name, title, figures, bars } = scenario;
  const seconds = scenario.anew === "everything" ? "" : ` of ${pace.runMs / 1_000} s`;
  const method = `${pace.rounds} ${pace.rounds === 1 ? "run" : "runs"}${seconds}`;
  const lost = [...collection.runs.values()].flat().some((run) => (run.lost ?? 0) > 0);
  const dropped = [...collection.runs.values()].flat().some((run) => (run.droppedFast ?? 0) > 0);
  if (dropped) collection.notes.push("a reader that was not meant to be slow was closed by its server");
  if (lost) collection.notes.push("something was lost: see the last column");
  const { runs, notes, failed } = collection;
  return { name, title, method, figures: [...figures, "lost"], bars, runs, notes, failed: failed || lost };
}

/** Starts the targets of these entrants, all at once; entrants whose target does not start are left out. */
async function startAll(
  entrants: readonly Entrant[],
  bench: Bench,
  collection: Collection,
): Promise<Map<TargetName, Target>> {
  const targets = new Map<TargetName, Target>();
  const names = [...new Set(entrants.map((entrant) => entrant.target))];
  await Promise.all(
    names.map(async (name) => {
      try {
        targets.set(name, await start(name, bench.binary));
      } catch (error) {
        collection.failure(name, error);
      }
    }),
  );
  return targets;
}

/** All targets run, all clients stay connected, one entrant at a time has work. */
async function takeTurns(entrants: readonly Entrant[], bench: Bench, collection: Collection): Promise<void> {
  const { pace } = bench;
  const targets = await startAll(entrants, bench, collection);
  const loads = new Map<Entrant, { load: Load; pids: number[] }>();
  const tryWith = async (entrant: Entrant, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      collection.failure(entrant.name, error);
      loads.delete(entrant);
    }
  };
  try {
    for (const entrant of entrants) {
      const target = targets.get(entrant.target);
      if (target === undefined) continue;
      const load = new Load({ ...entrant.load, dialect: target.dialect, port: target.port });
      loads.set(entrant, { load, pids: pidsOf(target.programs) });
    }
    for (const [entrant, { load }] of loads) await tryWith(entrant, () => load.ready());
    for (const [entrant, { load }] of loads)
      await tryWith(entrant, async () => void (await load.run({ warmMs: pace.warmMs, runMs: 0 }, [])));
    for (let round = 0; round < pace.rounds; round += 1) {
      for (const [entrant, { load, pids }] of loads) {
        await tryWith(entrant, async () => {
          const run = await load.run({ warmMs: pace.rampMs, runMs: pace.runMs }, pids);
          collection.add(entrant.name, figuresOf(run, entrant.load));
        });
      }
    }
  } finally {
    for (const { load } of loads.values()) await load.stop();
    await Promise.all([...targets.values()].map((target) => target.stop()));
  }
}

/** All targets run; clients connect for each run, because some of them do not survive it. */
async function connectAnew(
  entrants: readonly Entrant[],
  bench: Bench,
  collection: Collection,
): Promise<void> {
  const { pace } = bench;
  const targets = await startAll(entrants, bench, collection);
  const left = new Set(entrants.filter((entrant) => targets.has(entrant.target)));
  try {
    for (let round = 0; round < pace.rounds; round += 1) {
      for (const entrant of left) {
        const target = targets.get(entrant.target);
        if (target === undefined) continue;
        try {
          const warmMs = round === 0 ? pace.warmMs : pace.rampMs;
          collection.add(entrant.name, await runAnew(entrant, target, { warmMs, runMs: pace.runMs }));
        } catch (error) {
          collection.failure(entrant.name, error);
          left.delete(entrant);
        }
      }
    }
  } finally {
    await Promise.all([...targets.values()].map((target) => target.stop()));
  }
}

async function runAnew(entrant: Entrant, target: Target, times: RunTimes): Promise<Figures> {
  const pids = pidsOf(target.programs);
  const load = new Load({ ...entrant.load, dialect: target.dialect, port: target.port });
  try {
    await load.ready();
    const before = memoryBytes(pids);
    const run = await load.run(times, pids);
    return { ...figuresOf(run, entrant.load), growth: memoryBytes(pids) - before };
  } finally {
    await load.stop();
  }
}

/** Each run has a target of its own: what its memory grows by while clients connect. */
async function weigh(entrants: readonly Entrant[], bench: Bench, collection: Collection): Promise<void> {
  const left = new Set(entrants);
  for (let round = 0; round < bench.pace.rounds; round += 1) {
    for (const entrant of left) {
      try {
        const target = await start(entrant.target, bench.binary);
        try {
          collection.add(entrant.name, await weighOne(entrant, target));
        } finally {
          await target.stop();
        }
      } catch (error) {
        collection.failure(entrant.name, error);
        left.delete(entrant);
      }
    }
  }
}

async function weighOne(entrant: Entrant, target: Target): Promise<Figures> {
  const [all, weighed] = [pidsOf(target.programs), pidsOf(target.weighed)];
  const empty = [memoryBytes(weighed), memoryBytes(all)] as const;
  const load = new Load({ ...entrant.load, dialect: target.dialect, port: target.port });
  try {
    await load.ready();
    await Bun.sleep(IDLE_MS);
    const { clients } = entrant.load;
    return {
      memory: (memoryBytes(weighed) - empty[0]) / clients,
      memoryAll: (memoryBytes(all) - empty[1]) / clients,
      connectPerSecond: (clients * 1_000) / load.connectMs,
      lost: 0,
    };
  } finally {
    await load.stop();
  }
}
