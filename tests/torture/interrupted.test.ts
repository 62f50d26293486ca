/** A torture run that is ended half-way ends what it has started, whoever is told to end. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { family } from "../../scripts/benchmarks/process.ts";
import { rtchatBinary } from "../support/binary.ts";
import { eventually } from "../support/deadline.ts";
import { openLab } from "../support/lab.ts";

const lab = openLab();

test("no process outlives it, and what has happened so far is kept", async () => {
  const out = join(await lab.folder(), "out");
  const command = [process.execPath, join(import.meta.dir, "main.ts")];
  const small = "--servers 2 --clients 4 --rooms 2 --faults none".split(" ");
  const env = { RTCHAT_BIN: await rtchatBinary() };
  const running = await lab.startWith({ command, env }, ...small, "--out", out);
  await running.line(/4 clients in 2 rooms/);
  const all = family(running.pid);
  // Itself, two servers and a balancer.
  expect(all.length).toBeGreaterThanOrEqual(4);
  const ended = await running.stop("SIGTERM");
  expect(ended).toMatchObject({ code: 143, stderr: "torture: interrupted by SIGTERM\n" });
  await eventually(
    () => all.every((pid) => !existsSync(`/proc/${pid}`)),
    () => `the end of ${all.join()}`,
  );
  expect(existsSync(join(out, "history.jsonl"))).toBe(true);
});
