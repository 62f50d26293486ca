/** The command: which scenarios, how long, and the report. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measure } from "./measure.ts";
import { judge, table } from "./report.ts";
import type { Judged, Runs } from "./report.ts";
import { startTimes } from "./starts.ts";
import { scenarios } from "./scenarios.ts";
import type { Figures, Scenario } from "./scenarios.ts";
import { needs } from "./targets.ts";
import type { TargetName } from "./targets.ts";

const USAGE = `Usage: scripts/bench [--quick | --full] [--only S1,S2] [--against rtchat,equal,nats,irc] [--runs N] [--out DIR]

Loads rtchat and what people would use instead with the same words, interleaved, and prints medians, spread, and our
ratio beside each bar. Opponents that are not installed are left out and named.

  --quick   2 runs of 2 s (default)
  --full    5 runs of 5 s`;

const { values } = parseArgs({
  options: {
    quick: { type: "boolean" },
    full: { type: "boolean" },
    help: { type: "boolean" },
    only: { type: "string" },
    against: { type: "string" },
    runs: { type: "string" },
    out: { type: "string" },
  },
});

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

function installed(name: TargetName): boolean {
  return needs[name].every((program) => Bun.which(program) !== null);
}

async function runScenario(scenario: Scenario, binary: string, rounds: number, runMs: number): Promise<Runs> {
  const wanted = values.against?.split(",");
  const targets = scenario.targets.filter((name) => installed(name) && (wanted?.includes(name) ?? true));
  const runs = new Map<TargetName, Figures[]>(targets.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const name of targets) {
      runs.get(name)?.push(await measure(scenario, name, binary, { warmMs: 1_000, runMs }));
    }
  }
  return runs;
}

async function main(): Promise<number> {
  if (values.help === true) {
    say(USAGE);
    return 0;
  }
  const full = values.full === true;
  const rounds = Number(values.runs ?? (full ? 5 : 2));
  const binary = process.env["RTCHAT_BIN"] ?? join(import.meta.dir, "../../dist/rtchat");
  const only = values.only?.split(",");
  const missing = Object.entries(needs).flatMap(([, programs]) =>
    programs.filter((name) => Bun.which(name) === null),
  );
  say(
    `${cpus()[0]?.model ?? "unknown processor"} × ${cpus().length}, Linux ${release()}, Bun ${Bun.version}`,
  );
  if (missing.length > 0) say(`not installed, so left out: ${[...new Set(missing)].join(", ")}`);
  const judged: Judged[] = [];
  const results: Record<string, Record<string, readonly Figures[]>> = {};
  let smallest: Runs | undefined;
  for (const scenario of scenarios) {
    if (only !== undefined && !only.some((name) => scenario.name.startsWith(name))) continue;
    const runs = await runScenario(scenario, binary, rounds, full ? 5_000 : 2_000);
    if (scenario.name.startsWith("S7")) smallest ??= runs;
    const bars = judge(scenario, runs, smallest);
    judged.push(...bars);
    results[scenario.name] = Object.fromEntries(runs);
    say(`\n${table(scenario, runs, bars)}`);
  }
  if (only === undefined || only.includes("S9")) {
    const { versionMs, upToFirstMessageMs, clientToFirstScreenMs } = await startTimes(binary, rounds);
    say("\nS9  start");
    say(
      `  --version ${versionMs.toFixed(1)} ms, up to first acknowledged message ${upToFirstMessageMs.toFixed(0)} ms,`,
    );
    say(`  client to first screen ${clientToFirstScreenMs.toFixed(0)} ms`);
  }
  if (values.out !== undefined) {
    mkdirSync(values.out, { recursive: true });
    writeFileSync(join(values.out, "results.json"), `${JSON.stringify({ judged, results }, undefined, 2)}\n`);
  }
  const notMet = judged.filter((bar) => bar.met === false);
  say(`\n${judged.filter((bar) => bar.met === true).length} bars met, ${notMet.length} not met`);
  return 0;
}

process.exitCode = await main();
