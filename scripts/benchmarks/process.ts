/** Processes under test: started with their own folder, measured through /proc, and always stopped. */
import { openSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";

/** Linux's USER_HZ, fixed at 100 on every supported platform. */
const TICK_MS = 10;
const START_MS = 20_000;
const STOP_MS = 10_000;

/** A started server program. */
export class Program {
  readonly name: string;
  readonly #process: Subprocess;

  constructor(name: string, command: readonly string[], folder: string, env: Record<string, string> = {}) {
    this.name = name;
    const log = openSync(join(folder, `${name}.log`), "a");
    this.#process = Bun.spawn([...command], {
      cwd: folder,
      stdin: "ignore",
      stdout: log,
      stderr: log,
      env: { ...process.env, ...env },
    });
  }

  /** This process and the ones it started (HAProxy's worker, nginx's). */
  pids(): number[] {
    return family(this.#process.pid);
  }

  /** Waits until a loopback port answers. */
  async listening(port: number): Promise<this> {
    const deadline = performance.now() + START_MS;
    for (;;) {
      try {
        const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
        socket.end();
        return this;
      } catch {
        if (this.#process.exitCode !== null || performance.now() > deadline) {
          throw new Error(`${this.name} does not answer on port ${port}`);
        }
        await Bun.sleep(20);
      }
    }
  }

  async stop(): Promise<void> {
    const all = this.pids();
    this.#process.kill("SIGTERM");
    const timer = setTimeout(() => {
      for (const pid of all) tryKill(pid);
    }, STOP_MS);
    await this.#process.exited;
    clearTimeout(timer);
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already, which is what was wanted.
  }
}

function family(pid: number): number[] {
  const pids = [pid];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
      if (parent === pid) pids.push(Number(entry));
    } catch {
      // Processes end while the list is read.
    }
  }
  return pids;
}

/** CPU time used so far by all threads of these processes, user and system, in ms. */
export function cpuMs(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * TICK_MS;
}

/** Proportional memory of these processes, bytes: shared pages are divided among those who share them. */
export function memoryBytes(pids: readonly number[]): number {
  let kilobytes = 0;
  for (const pid of pids) {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    kilobytes += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
  }
  return kilobytes * 1_024;
}

/** A loopback port that nobody listened on a moment ago. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}
