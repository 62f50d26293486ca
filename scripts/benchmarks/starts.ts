/** S9: how long a person waits for the first answer, the first message, and the first screen. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./process.ts";
import { median } from "./report.ts";

const GIVE_UP_MS = 30_000;

/** Medians in ms. */
export interface StartTimes {
  readonly versionMs: number;
  readonly upToFirstMessageMs: number;
  readonly clientToFirstScreenMs: number;
}

/** Measures all three, `rounds` times. */
export async function startTimes(binary: string, rounds: number): Promise<StartTimes> {
  const version: number[] = [];
  const up: number[] = [];
  const screen: number[] = [];
  // Many more of the cheap ones: a single exec is at the mercy of the scheduler.
  for (let round = 0; round < rounds * 10; round += 1)
    version.push(await timed(() => run([binary, "--version"])));
  for (let round = 0; round < rounds; round += 1) {
    up.push(await firstMessage(binary));
    screen.push(await firstScreen(binary));
  }
  return {
    versionMs: median(version),
    upToFirstMessageMs: median(up),
    clientToFirstScreenMs: median(screen),
  };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

async function run(command: readonly string[], input = ""): Promise<void> {
  const child = Bun.spawn([...command], { stdin: Buffer.from(input), stdout: "ignore", stderr: "ignore" });
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")} failed`);
}

/** From typing `rtchat up` to the acknowledgement of a message that was typed right behind it. */
async function firstMessage(binary: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "rtchat-bench-up-"));
  const port = freePort();
  const began = performance.now();
  const up = Bun.spawn([binary, "up", "--port", `${port}`, "--no-admin", "--data", folder], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  try {
    while (performance.now() - began < GIVE_UP_MS) {
      const child = Bun.spawn([binary, "client", "--connect", `127.0.0.1:${port}`, "--nick", "bench"], {
        stdin: Buffer.from("hello\n"),
        stdout: "ignore",
        stderr: "ignore",
      });
      if ((await child.exited) === 0) return performance.now() - began;
    }
    throw new Error(`rtchat up took no message in ${GIVE_UP_MS / 1_000} s`);
  } finally {
    up.kill("SIGTERM");
    await up.exited;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** From starting the client on a terminal, with nothing to connect to, to the first thing it shows. */
async function firstScreen(binary: string): Promise<number> {
  const shown = Promise.withResolvers<number>();
  const began = performance.now();
  const child = Bun.spawn([binary, "client", "--connect", `127.0.0.1:${freePort()}`, "--nick", "bench"], {
    terminal: { cols: 80, rows: 24, data: () => shown.resolve(performance.now() - began) },
  });
  try {
    return await shown.promise;
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}
