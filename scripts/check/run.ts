/**
 * The body of scripts/test: first the checks of the source, two at a time, then the tests, one worker process a core,
 * a fresh global object for each file. Every check counts as one; the last line is the sum, alone.
 *
 * Files named *.alone.test.ts measure time or load the whole machine: they run one after the other when all others
 * are done. Output is kept short: checks that pass take one line, and of the tests only failures are shown.
 *
 * Tests have a temporary folder of this run. What is left in it at the end is a failure, and it goes with the run, also
 * when that is interrupted.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, constants, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { readTotals, type TestTotals } from "./junit.ts";

const repository = resolve(import.meta.dir, "../..");
/** A test that says nothing else and takes longer than this has hung. */
const testTimeoutMs = 30_000;
/** Files that take longer are named at the end, so that the run stays as short as it is meant to be. */
const slowSeconds = 15;
/** The whole run is meant to take less than ten minutes; after this many it is stopped, so that CI sees why. */
const runTimeoutMs = 15 * 60_000;

/** Runs a tool of node_modules under this very Bun, so that no Node.js is needed. */
const tool = (name: string, ...rest: string[]) => [process.execPath, `node_modules/.bin/${name}`, ...rest];
const build = ["build", ["./scripts/build", "--if-needed"]] as const;
const checks: readonly (readonly [string, readonly string[]])[] = [
  build,
  ["format", tool("oxfmt", "--check", ".")],
  ["lint and import rule", tool("oxlint")],
  ["types", tool("tsc", "-p", ".")],
  ["unused files, exports and dependencies", tool("knip", "--no-progress")],
];

/** The signal that ended this run, if one did. */
let interruptedBy: "SIGINT" | "SIGTERM" | undefined;
const running = new Set<Bun.Subprocess>();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    interruptedBy = signal;
    for (const child of running) child.kill(signal);
  });
}

/** Ends with this run. */
function started<Child extends Bun.Subprocess>(child: Child): Child {
  running.add(child);
  void child.exited.then(() => running.delete(child));
  return child;
}

async function runCheck(name: string, command: readonly string[]): Promise<boolean> {
  const start = performance.now();
  const child = started(Bun.spawn([...command], { cwd: repository, stdout: "pipe", stderr: "pipe" }));
  const [output, errors, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (interruptedBy !== undefined) return false;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  if (code !== 0) console.log(`${command.join(" ")}\n${output}${errors}`);
  return code === 0;
}

/** Runs all checks, two at a time. */
async function runChecks(): Promise<TestTotals> {
  const waiting = [...checks];
  let passed = 0;
  const lane = async (): Promise<void> => {
    for (
      let next = waiting.shift();
      next !== undefined && interruptedBy === undefined;
      next = waiting.shift()
    ) {
      if (await runCheck(...next)) passed += 1;
    }
  };
  await Promise.all([lane(), lane()]);
  return { passed, failed: checks.length - passed, skipped: [], seconds: new Map() };
}

/**
 * Runs test files with `lanes` worker processes and adds up the report.
 * @param folder for the report
 * @param temporary for what the tests make
 */
async function runTests(
  files: readonly string[],
  lanes: number,
  folder: string,
  temporary: string,
): Promise<TestTotals> {
  const nothing = { passed: 0, failed: 0, skipped: [], seconds: new Map() };
  if (files.length === 0 || interruptedBy !== undefined) return nothing;
  const report = join(folder, `${lanes}.xml`);
  const options = `--parallel=${lanes} --no-orphans --timeout=${testTimeoutMs} --only-failures --reporter=junit`;
  const paths = files.map((file) => `./${file}`);
  const child = started(
    Bun.spawn([process.execPath, "test", ...options.split(" "), `--reporter-outfile=${report}`, ...paths], {
      cwd: repository,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, RTCHAT_BIN: join(repository, "dist/rtchat"), TMPDIR: temporary },
      timeout: runTimeoutMs,
    }),
  );
  const code = await child.exited;
  if (interruptedBy !== undefined) return nothing;
  const file = Bun.file(report);
  const totals = readTotals((await file.exists()) ? await file.text() : "", files, code);
  const left = readdirSync(temporary);
  if (left.length === 0) return totals;
  console.log(`FAILED tests left in their temporary folder: ${left.join(" ")}`);
  return { ...totals, failed: totals.failed + 1 };
}

/** Test files whose path contains one of the patterns (all without patterns), the slow kind first. */
function findTests(patterns: readonly string[]): string[] {
  const rank = (path: string) => (path.startsWith("tests/cli/") ? 0 : 1);
  return [...new Bun.Glob("tests/**/*.test.{ts,tsx}").scanSync({ cwd: repository })]
    .filter((path) => patterns.length === 0 || patterns.some((pattern) => path.includes(pattern)))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

const patterns = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "rtchat-test-"));
// A short name, because the paths of sockets in it must be.
const temporary = mkdtempSync(join(tmpdir(), "rtchat-"));
const results: TestTotals[] = [];
try {
  if (patterns.length === 0) results.push(await runChecks());
  else
    results.push({ passed: 0, failed: (await runCheck(...build)) ? 0 : 1, skipped: [], seconds: new Map() });
  const files = findTests(patterns);
  const alone = files.filter((file) => file.includes(".alone.test."));
  const together = files.filter((file) => !alone.includes(file));
  results.push(await runTests(together, Math.max(2, availableParallelism()), folder, temporary));
  results.push(await runTests(alone, 1, folder, temporary));
  if (files.length === 0) {
    console.log(`no test file has ${patterns.join(" or ")} in its path`);
    results.push({ passed: 0, failed: 1, skipped: [], seconds: new Map() });
  }
} finally {
  for (const one of [folder, temporary]) rmSync(one, { recursive: true, force: true, maxRetries: 3 });
}
if (interruptedBy !== undefined) process.exit(128 + constants.signals[interruptedBy]);

const skipped = results.flatMap((result) => result.skipped);
if (skipped.length > 0) console.log(`\nskipped:\n${skipped.map((name) => `  ${name}`).join("\n")}`);
const slowest = results
  .flatMap((result) => [...result.seconds])
  .filter(([, seconds]) => seconds >= slowSeconds)
  .sort(([, a], [, b]) => b - a);
if (slowest.length > 0) {
  console.log(
    `\nslowest:\n${slowest.map(([file, seconds]) => `  ${seconds.toFixed(1)} s ${file}`).join("\n")}`,
  );
}
const sum = (of: "passed" | "failed") => results.reduce((total, result) => total + result[of], 0);
console.log(`\n${sum("passed")} passed, ${sum("failed")} failed`);
process.exit(sum("failed") === 0 ? 0 : 1);
