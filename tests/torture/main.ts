/** The command: options in, closing line and exit code out. */
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Checker, closingLine } from "./checker.ts";
import type { RunEvent, Verdict } from "./checker.ts";
import { parseOptions, USAGE } from "./options.ts";
import type { Options } from "./options.ts";
import { torture } from "./run.ts";

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

async function judge(file: string): Promise<Verdict> {
  const checker = new Checker();
  for (const line of (await Bun.file(file).text()).split("\n")) {
    if (line !== "") checker.take(JSON.parse(line) as RunEvent);
  }
  return checker.verdict();
}

/** A signal has ended the run. */
class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly signal: "SIGINT" | "SIGTERM";

  constructor(signal: "SIGINT" | "SIGTERM") {
    super(`interrupted by ${signal}`);
    this.signal = signal;
  }
}

/** Rejects at the first signal that asks this process to end. */
function interruption(): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => reject(new Interrupted(signal)));
  }
  return promise;
}

async function run(options: Options): Promise<{ verdict: Verdict; folder: string }> {
  const seed = options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 1;
  const folder =
    options.out === undefined ? mkdtempSync(join(tmpdir(), "rtchat-torture-")) : resolve(options.out);
  const binary = process.env["RTCHAT_BIN"] ?? join(import.meta.dir, "../../dist/rtchat");
  let verdict: Verdict;
  try {
    verdict = await torture(options, seed, binary, folder, say, interruption());
  } catch (error) {
    say(`history, seed and logs so far are kept in ${folder}`);
    throw error;
  }
  if (options.plant !== undefined && options.out === undefined) rmSync(folder, { recursive: true });
  return { verdict, folder };
}

function exitCodeOf(verdict: Verdict, folder: string): number {
  for (const violation of verdict.violations) say(`  ${violation}`);
  if (verdict.noise > 0) say(`  ${verdict.noise} leave or join events while everybody stayed`);
  const clean =
    verdict.lost + verdict.duplicated + verdict.reordered + verdict.noise + verdict.violations.length === 0;
  if (!clean && folder !== "") say(`  history, seed and logs are kept in ${folder}`);
  if (verdict.faults > 0) for (const line of verdict.pauses) say(line);
  say(closingLine(verdict));
  return clean ? 0 : 1;
}

async function main(): Promise<number> {
  let options: Options | "help";
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`torture: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  if (options === "help") {
    say(USAGE);
    return 0;
  }
  if (options.check !== undefined) return exitCodeOf(await judge(options.check), "");
  const { verdict, folder } = await run(options);
  const code = exitCodeOf(verdict, folder);
  if (code === 0 && options.out === undefined) rmSync(folder, { recursive: true, force: true });
  return code;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof Interrupted)) throw error;
  process.stderr.write(`torture: ${error.message}\n`);
  process.exit(128 + constants.signals[error.signal]);
}
