/** The counting of scripts/test: nothing that fails may go uncounted. Reports come from real runs of `bun test`. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readTotals, type TestTotals } from "../../scripts/check/junit.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rtchat-junit-"));
  const head = `import { afterAll, expect, test } from "bun:test";\n`;
  const passing = `test("right", () => { expect(1).toBe(1); });\n`;
  await Bun.write(join(folder, "right.test.ts"), head + passing + passing);
  await Bun.write(
    join(folder, "wrong.test.ts"),
    `${head}${passing}test("<wrong>", () => { expect(1).toBe(2); });\n`,
  );
  await Bun.write(join(folder, "skip.test.ts"), `${head}test.skip("needs \\"x\\"", () => {});\n${passing}`);
  await Bun.write(join(folder, "unloadable.test.ts"), `${head}import "./none.ts";\n${passing}`);
  await Bun.write(
    join(folder, "crash.test.ts"),
    `${head}test("dies", () => { process.kill(process.pid, 9); });\n`,
  );
  await Bun.write(
    join(folder, "after.test.ts"),
    `${head}${passing}afterAll(() => { throw new Error("left over"); });\n`,
  );
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function run(...names: string[]): Promise<Omit<TestTotals, "seconds">> {
  const files = names.map((name) => `${name}.test.ts`);
  const report = join(folder, `${names.join("-")}.xml`);
  const command = `test --parallel=2 --reporter=junit --reporter-outfile=${report}`.split(" ");
  const child = Bun.spawn([process.execPath, ...command, ...files.map((file) => `./${file}`)], {
    cwd: folder,
    stdio: ["ignore", "ignore", "ignore"],
  });
  const code = await child.exited;
  const file = Bun.file(report);
  const { seconds, ...totals } = readTotals((await file.exists()) ? await file.text() : "", files, code);
  for (const [name, took] of seconds) expect([files.includes(name), took >= 0]).toEqual([true, true]);
  return totals;
}

test("passing tests are counted", async () => {
  expect(await run("right")).toEqual({ passed: 2, failed: 0, skipped: [] });
});

test("a failing test is one failure", async () => {
  expect(await run("right", "wrong")).toEqual({ passed: 3, failed: 1, skipped: [] });
});

test("skipped tests are named", async () => {
  expect(await run("skip")).toEqual({ passed: 1, failed: 0, skipped: [`skip.test.ts: needs "x"`] });
});

test("a file that cannot be loaded is a failure", async () => {
  expect(await run("right", "unloadable")).toEqual({ passed: 2, failed: 1, skipped: [] });
  expect((await run("unloadable")).failed).toBe(1);
});

test("a worker that dies is a failure", async () => {
  expect((await run("crash", "right")).failed).toBe(1);
});

test("an afterAll that throws is a failure", async () => {
  expect((await run("after")).failed).toBe(1);
});

test("an exit code that no report explains is a failure", () => {
  expect(readTotals("", [], 1)).toMatchObject({ passed: 0, failed: 1, skipped: [] });
});
