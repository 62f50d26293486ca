/** Runs one load against one target, and reads what the target's processes cost meanwhile. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoadPlan, LoadResult } from "./load.ts";
import { cpuMs, memoryBytes } from "./process.ts";
import type { Figures, Scenario } from "./scenarios.ts";
import { start, stop } from "./targets.ts";
import type { TargetName } from "./targets.ts";

/** One measured run. Rejects when the target does not start or the load cannot be brought. */
export async function measure(
  scenario: Scenario,
  name: TargetName,
  binary: string,
  times: { readonly warmMs: number; readonly runMs: number },
): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), `rtchat-bench-${name}-`));
  const target = await start(name, folder, binary);
  try {
    const plan: LoadPlan = { ...scenario.load, ...times, dialect: target.dialect, port: target.port };
    const pids = target.programs.flatMap((program) => program.pids());
    const weighed = target.weighed.flatMap((program) => program.pids());
    const empty = memoryBytes(weighed);
    const load = Bun.spawn([process.execPath, join(import.meta.dir, "load.ts"), JSON.stringify(plan)], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    let full = empty;
    const spent = await cpuBetween(load.stderr, pids, () => {
      full = memoryBytes(weighed);
      void load.stdin.end();
    });
    const output = await new Response(load.stdout).text();
    if ((await load.exited) !== 0) throw new Error(`the load on ${name} failed: ${spent.complaint}`);
    return figuresOf(JSON.parse(output) as LoadResult, spent.ms, full - empty, plan.clients);
  } finally {
    await stop(target);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Reads the CPU time when the load says that it measures, and when it has measured. */
async function cpuBetween(
  words: ReadableStream<Uint8Array>,
  pids: readonly number[],
  ready: () => void,
): Promise<{ ms: number; complaint: string }> {
  let before = 0;
  let after = 0;
  let complaint = "";
  const decoder = new TextDecoder();
  for await (const chunk of words) {
    for (const word of decoder.decode(chunk).split("\n")) {
      if (word === "measure") before = cpuMs(pids);
      else if (word === "measured") after = cpuMs(pids);
      else if (word === "ready") ready();
      else complaint += word;
    }
  }
  return { ms: after - before, complaint };
}

function figuresOf(result: LoadResult, cpu: number, memory: number, clients: number): Figures {
  return {
    perSecond: result.perSecond,
    cpu: (cpu * 1_000) / Math.max(1, result.deliveries),
    p50: result.p50,
    p99: result.p99,
    p999: result.p999,
    memory: memory / clients,
    connectPerSecond: result.connectMs === 0 ? 0 : (clients * 1_000) / result.connectMs,
    lost: result.lost,
    dropped: result.dropped,
  };
}
