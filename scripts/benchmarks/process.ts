/**
 * Processes under test: started with their own folder, measured through /proc, and always stopped.
 *
 * Invariant: whatever this module started is known to it until it has ended, and every folder until it is removed, so
 * that {@link abandon} leaves neither processes nor files behind when the bench is interrupted.
 */
import { mkdtempSync, openSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";

/** Linux's USER_HZ, fixed at 100 on every supported platform. */
const TICK_MS = 10;
const START_MS = 20_000;
const STOP_MS = 10_000;
/** Least time between two looks at a port that does not answer yet. */
const ASK_AGAIN_MS = 20;

const alive = new Set<number>();
const folders = new Set<string>();

/** A folder of its own, removed by {@link removeFolder} or when the bench is interrupted. */
export function makeFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `rtchat-bench-${name}-`));
  folders.add(folder);
  return folder;
}

/** Removes a folder of {@link makeFolder}. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/** The environment without the caller's settings of rtchat. */
export function cleanEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || name.startsWith("RTCHAT_") ? [] : [[name, value]],
    ),
  );
}

/** Counts a process as one of ours until it has ended. */
export function keep<Process extends Subprocess>(child: Process): Process {
  alive.add(child.pid);
  void child.exited.then(() => alive.delete(child.pid));
  return child;
}

/** Kills everything that was started and removes every folder, at once. */
export function abandon(): void {
  for (const pid of alive) for (const member of family(pid)) tryKill(member);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** A started server program. */
export class Program {
  readonly name: string;
  readonly #process: Subprocess;
  readonly #log: string;

  constructor(name: string, command: readonly string[], folder: string) {
    this.name = name;
    this.#log = join(folder, `${name}.log`);
    const log = openSync(this.#log, "a");
    this.#process = keep(
      Bun.spawn([...command], {
        cwd: folder,
        stdin: "ignore",
        stdout: log,
        stderr: log,
        env: cleanEnvironment(),
      }),
    );
  }

  get pid(): number {
    return this.#process.pid;
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
        if (this.#process.exitCode !== null)
          throw new Error(`${this.name} ended before it listened: ${this.#lastWords()}`);
        if (performance.now() > deadline) throw new Error(`${this.name} does not answer on port ${port}`);
        await Bun.sleep(ASK_AGAIN_MS);
      }
    }
  }

  #lastWords(): string {
    return readFileSync(this.#log, "utf8").trim().split("\n").slice(-3).join(" | ");
  }

  async stop(): Promise<void> {
    const all = family(this.pid);
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

/** The fields of /proc/PID/stat from the third on, or none when the process has ended. */
function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

/** A process and all that descend from it (HAProxy's worker, nginx's, Redis rewriting its log). */
export function family(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = Number(statOf(Number(entry))[1] ?? 0);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const pids = [root];
  for (const pid of pids) pids.push(...(children.get(pid) ?? []));
  return pids;
}

/** CPU time used so far by these processes, their descendants, and what of those has ended; user and system, in ms. */
export function cpuMs(roots: readonly number[]): number {
  let ticks = 0;
  for (const root of roots) {
    for (const pid of family(root)) {
      const fields = statOf(pid);
      for (const field of [11, 12, 13, 14]) ticks += Number(fields[field] ?? 0);
    }
  }
  return ticks * TICK_MS;
}

/** Proportional memory of these processes and their descendants, bytes: shared pages are divided among the sharers. */
export function memoryBytes(roots: readonly number[]): number {
  let kilobytes = 0;
  for (const root of roots) {
    for (const pid of family(root)) {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      kilobytes += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
    }
  }
  return kilobytes * 1_024;
}

const given = new Set<number>();
/** How many ports below those that the kernel gives to outgoing connections are tried from. */
const PORTS = 10_000;

/**
 * A loopback port that nobody listens on, not given before, and below those that the kernel takes for outgoing
 * connections: thousands of them are made between this call and the moment somebody listens.
 */
export function freePort(): number {
  const range = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8");
  const top = Number(range.split(/\s+/)[0]);
  for (;;) {
    const port = top - 1 - Math.floor(Math.random() * PORTS);
    if (given.has(port)) continue;
    given.add(port);
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
      return port;
    } catch {
      // Somebody has it: the next one.
    }
  }
}
