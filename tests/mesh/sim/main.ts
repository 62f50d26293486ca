/**
 * Runs many seeds of the simulated mesh, on all cores, and prints every seed that broke a promise with the command that
 * repeats it. The body of scripts/mesh-sim; without --jobs 1 it starts itself once a core.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { MeshCore } from "../../../src/mesh/core/core.ts";
import { fullSize, World, WorldError, type WorldSize } from "./world.ts";

const usage = `Runs seeds of the simulated mesh; exit 1 when one broke a promise.

  --seeds N      how many (100)
  --from N       the first (1)
  --peers N      devices (${fullSize.peers})
  --messages N   messages in all (${fullSize.messages})
  --minutes N    simulated time in which they are written (${fullSize.durationMs / 60_000})
  --jobs N       processes (one a core)
  --bail         each process stops at its first failure
  --verbose      a line for each seed
  --help         this text`;

interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly jobs: number;
  readonly bail: boolean;
  readonly verbose: boolean;
  readonly size: WorldSize;
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function readOptions(args: readonly string[]): Options | "help" {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: text,
      from: text,
      peers: text,
      messages: text,
      minutes: text,
      jobs: text,
      bail: { type: "boolean" },
      verbose: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help === true) return "help";
  const number = (name: "seeds" | "from" | "peers" | "messages" | "minutes" | "jobs", otherwise: number) => {
    const given = values[name];
    const value = given === undefined ? otherwise : Number(given);
    if (!Number.isFinite(value) || value <= 0)
      throw new Error(`--${name} is "${given}"; give a number above 0`);
    return value;
  };
  return {
    seeds: number("seeds", 100),
    from: number("from", 1),
    jobs: number("jobs", availableParallelism()),
    bail: values.bail === true,
    verbose: values.verbose === true,
    size: {
      peers: number("peers", fullSize.peers),
      messages: number("messages", fullSize.messages),
      durationMs: number("minutes", fullSize.durationMs / 60_000) * 60_000,
    },
  };
}

/** Runs seeds in this process; the number of those that failed. */
function runHere({ from, seeds, bail, verbose, size }: Options): number {
  let failed = 0;
  for (let seed = from; seed < from + seeds; seed += 1) {
    const start = performance.now();
    try {
      const report = new World(seed, size, MeshCore).run();
      if (verbose) say(`seed ${seed} ${Math.round(performance.now() - start)} ms ${JSON.stringify(report)}`);
    } catch (error) {
      failed += 1;
      const what = error instanceof WorldError ? error.message : String((error as Error).stack);
      const { peers, messages, durationMs } = size;
      say(`seed ${seed} FAILED: ${what}`);
      say(
        `  repeat with scripts/mesh-sim --seeds 1 --from ${seed} --peers ${peers} --messages ${messages} --minutes ${durationMs / 60_000}`,
      );
      if (bail) break;
    }
  }
  return failed;
}

/** Shares the seeds among processes like this one; the number of processes with a failure. */
async function runSpread(options: Options): Promise<number> {
  const share = Math.ceil(options.seeds / options.jobs);
  const codes: Promise<number>[] = [];
  for (let done = 0; done < options.seeds; done += share) {
    const { peers, messages, durationMs } = options.size;
    const own = {
      "--seeds": Math.min(share, options.seeds - done),
      "--from": options.from + done,
      "--peers": peers,
      "--messages": messages,
      "--minutes": durationMs / 60_000,
      "--jobs": 1,
    };
    const args = Object.entries(own).flatMap(([name, value]) => [name, String(value)]);
    if (options.bail) args.push("--bail");
    if (options.verbose) args.push("--verbose");
    const child = Bun.spawn([process.execPath, import.meta.path, ...args], {
      stdout: "inherit",
      stderr: "inherit",
    });
    codes.push(child.exited);
  }
  return (await Promise.all(codes)).filter((code) => code !== 0).length;
}

async function main(): Promise<number> {
  let options: Options | "help";
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`mesh-sim: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  if (options === "help") {
    say(usage);
    return 0;
  }
  if (options.jobs === 1 || options.seeds === 1) return runHere(options) > 0 ? 1 : 0;
  const start = performance.now();
  const failed = await runSpread(options);
  const { peers, messages } = options.size;
  const seconds = Math.round((performance.now() - start) / 1000);
  const outcome = failed === 0 ? "all clean" : "some failed, see above";
  say(`${options.seeds} seeds of ${peers} peers and ${messages} messages in ${seconds} s: ${outcome}`);
  return failed > 0 ? 1 : 0;
}

process.exit(await main());
