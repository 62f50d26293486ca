/** The bench itself, run: one short scenario through the real binary, and nothing left behind by Control-C. */
import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { family } from "../../scripts/benchmarks/process.ts";
import { rtchatBinary } from "../support/binary.ts";
import { eventually } from "../support/deadline.ts";
import { openLab } from "../support/lab.ts";

const lab = openLab();
const main = resolve(import.meta.dir, "../../scripts/benchmarks/main.ts");

/** Starts the bench; its own temporary files go to a folder that can be looked at. */
async function bench(...argv: string[]) {
  // Not in the lab's folder: the paths of the servers' sockets must be short.
  const temporary = mkdtempSync(join(tmpdir(), "rtchat-"));
  lab.onClose(() => rm(temporary, { recursive: true, force: true }));
  const env = { TMPDIR: temporary, RTCHAT_BIN: await rtchatBinary() };
  const running = await lab.startWith({ command: [process.execPath, main], env }, ...argv);
  return { running, temporary };
}

/** A process's command line; empty when it has ended. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

test("a short run measures, loses nothing, and writes table, JSON and chart", async () => {
  const out = join(await lab.folder(), "out");
  const flags = ["--only", "S5", "--against", "rtchat", "--runs", "1", "--seconds", "0.3", "--out", out];
  const { running, temporary } = await bench(...flags);
  const ended = await running.ended();
  expect(ended).toMatchObject({ code: 0, signal: null });
  expect(ended.stdout).toContain("connect, hello, welcome, close");
  const results: unknown = JSON.parse(readFileSync(join(out, "results.json"), "utf8"));
  expect(results).toMatchObject({
    sections: [{ name: "S5", failed: false, entrants: [{ entrant: "rtchat" }] }],
  });
  const [, perSecond] = /"perSecond": ([\d.]+)/.exec(JSON.stringify(results, undefined, 1)) ?? [];
  expect(Number(perSecond)).toBeGreaterThan(0);
  expect(readFileSync(join(out, "results.txt"), "utf8")).toContain("bars met");
  expect(readFileSync(join(out, "chart.svg"), "utf8")).toStartWith("<svg");
  expect(readdirSync(temporary)).toEqual([]);
});

test("Control-C leaves no process and no file behind", async () => {
  const { running, temporary } = await bench("--only", "S2", "--against", "rtchat", "--seconds", "60");
  // The bench, three servers, a balancer, and last of all a load.
  let all: number[] = [];
  await eventually(
    () => {
      all = family(running.pid);
      return all.some((pid) => commandOf(pid).includes("load.ts"));
    },
    () => "the load",
  );
  expect(all.length).toBeGreaterThanOrEqual(6);
  expect(readdirSync(temporary)).not.toEqual([]);
  const ended = await running.stop("SIGINT");
  expect(ended.code).toBe(130);
  expect(ended.stderr).toContain("interrupted by SIGINT");
  await eventually(
    () => all.every((pid) => !existsSync(`/proc/${pid}`)),
    () => "the end of all of them",
  );
  expect(readdirSync(temporary)).toEqual([]);
});

test("a wrong flag is refused with exit 2 before anything is started", async () => {
  const { running, temporary } = await bench("--only", "S99");
  const ended = await running.ended();
  expect(ended).toMatchObject({ code: 2, stdout: "" });
  expect(ended.stderr).toContain('--only does not know "S99"');
  expect(readdirSync(temporary)).toEqual([]);
});
