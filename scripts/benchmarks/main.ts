/** The command: which sections, in which order, and the report. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { chart } from "./chart.ts";
import { measureChat } from "./chat.ts";
import { measureDurable } from "./durable.ts";
import { describeMachine, machineText } from "./machine.ts";
import { OptionError, readOptions, usage } from "./options.ts";
import type { Options } from "./options.ts";
import { measurePeers } from "./peers.ts";
import { abandon } from "./process.ts";
import { bars, judge, table } from "./report.ts";
import type { Judged } from "./report.ts";
import { toJson } from "./results.ts";
import { scenarios } from "./scenarios.ts";
import { measureScreen } from "./screen.ts";
import type { Bench, Section } from "./section.ts";
import { measureStarts } from "./starts.ts";

type Part = readonly [name: string, measure: (bench: Bench) => Promise<Section>];

const parts: readonly Part[] = [
  ...scenarios.map((scenario): Part => [scenario.name, (bench) => measureChat(scenario, bench)]),
  ["S8", measurePeers],
  ["S9", measureStarts],
  ["S10", measureDurable],
  ["S11", measureScreen],
];

/** Of the usual pace, on a quiet machine like the reference (two cores). */
function expected(full: boolean): string {
  return full ? "about 27 minutes" : "just under 3 minutes";
}

async function run(options: Options): Promise<number> {
  const began = performance.now();
  const binary = resolve(process.env["RTCHAT_BIN"] ?? join(import.meta.dir, "../../dist/rtchat"));
  const machine = describeMachine(binary);
  const text: string[] = [];
  const say = (words: string): void => {
    text.push(words);
    process.stdout.write(`${words}\n`);
  };
  say(machineText(machine));
  if (options.only === undefined) say(`everything takes ${expected(options.pace.full)}`);
  const bench: Bench = {
    binary,
    pace: options.pace,
    wanted: (entrant) => options.against?.has(entrant) ?? true,
    progress: (what) => void process.stderr.write(`· ${what}\n`),
  };
  const sections: Section[] = [];
  const judged: Judged[] = [];
  for (const [name, measure] of parts) {
    if (options.only !== undefined && ![...options.only].some((wanted) => wanted === name)) continue;
    const section = await measure(bench);
    const verdicts = judge(section);
    sections.push(section);
    judged.push(...verdicts);
    say(`\n${table(section, verdicts)}`);
  }
  if (judged.length > 0) say(`\n${bars(judged)}`);
  say(`took ${Math.round((performance.now() - began) / 1_000)} s`);
  if (options.out !== undefined) {
    mkdirSync(options.out, { recursive: true });
    writeFileSync(join(options.out, "results.txt"), `${text.join("\n")}\n`);
    writeFileSync(join(options.out, "results.json"), toJson(machine, options.pace, sections, judged));
    writeFileSync(join(options.out, "chart.svg"), chart(machine, sections, judged));
    process.stdout.write(`wrote ${options.out}/results.txt, results.json and chart.svg\n`);
  }
  return sections.some((section) => section.failed) ? 1 : 0;
}

async function main(): Promise<number> {
  try {
    const options = readOptions(process.argv.slice(2));
    if (options.help) process.stdout.write(`${usage}\n`);
    return options.help ? 0 : await run(options);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    process.stderr.write(`${error.message}; scripts/bench --help tells more\n`);
    return 2;
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    abandon();
    process.stderr.write(`interrupted by ${signal}: everything that was started is stopped\n`);
    process.exit(130);
  });
}
process.on("exit", abandon);
process.exitCode = await main();
