/**
 * A cluster of real processes of the compiled binary, on loopback, in a folder of its own.
 *
 * Each process keeps its port for the whole run and can be killed, stopped, continued and started again. Between each
 * balancer and each backend stands a fault proxy when the network is to fail. Invariant: every process started here is
 * in `#processes` until it has exited, and `stop` leaves none behind.
 */
import { Database } from "bun:sqlite";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import type { Random } from "../../src/protocol/clock.ts";
import type { Options } from "./options.ts";
import { FaultProxy } from "./proxy.ts";

/** From spawning to answering on its port; the binary takes some 100 ms, a busy machine much more. */
const START_MS = 20_000;
const POLL_MS = 20;

/** One process of the cluster. */
export class Member {
  readonly name: string;
  readonly port: number;
  readonly #command: readonly string[];
  readonly #log: string;
  readonly #env: Record<string, string>;
  #process: Subprocess | undefined;
  #stopped = false;

  constructor(
    name: string,
    port: number,
    command: readonly string[],
    folder: string,
    env: Record<string, string>,
  ) {
    this.name = name;
    this.port = port;
    this.#command = command;
    this.#log = join(folder, `${name}.log`);
    this.#env = env;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Starts it and waits until its port answers. Does nothing after {@link stop}. */
  async start(): Promise<void> {
    if (this.#stopped) return;
    const log = openSync(this.#log, "a");
    this.#process = Bun.spawn([...this.#command], {
      stdin: "ignore",
      stdout: log,
      stderr: log,
      // Whoever waits to hear that something is ready waits for the run, and not for one of these.
      env: { ...process.env, RTCHAT_READY_FD: undefined, ...this.#env },
    });
    closeSync(log);
    const deadline = performance.now() + START_MS;
    while (!(await answers(this.port)) && !this.#stopped) {
      if (this.#process.exitCode !== null || performance.now() > deadline) {
        throw new Error(
          `${this.name} does not answer on port ${this.port}; its log ${this.#log} ends with\n${tail(this.#log)}`,
        );
      }
      await Bun.sleep(POLL_MS);
    }
  }

  signal(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGTERM" | "SIGUSR2"): void {
    if (this.#process?.exitCode === null) this.#process.kill(signal);
  }

  /** Resolves when the process has exited, with its exit code or -1 for a signal. */
  async exited(): Promise<number> {
    if (this.#process === undefined) return 0;
    await this.#process.exited;
    return this.#process.exitCode ?? -1;
  }

  /** Ends it politely; it can be started again. */
  async leave(graceMs: number): Promise<void> {
    this.signal("SIGCONT");
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), graceMs);
    await this.exited();
    clearTimeout(timer);
  }

  /** Ends it for good. */
  stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    return this.leave(graceMs);
  }
}

/** The whole cluster. */
export class Cluster {
  readonly servers: Member[] = [];
  readonly balancers: Member[] = [];
  readonly proxies: FaultProxy[] = [];
  /** The balancers' admin endpoints. */
  readonly admins: string[] = [];
  /** Where clients connect. */
  readonly doors: { host: string; port: number }[] = [];
  redis: Member | undefined;
  readonly #folder: string;
  readonly #data: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#data = join(folder, "data");
    // What an earlier run left in the same folder would be judged as this run's.
    rmSync(this.#data, { recursive: true, force: true });
    mkdirSync(this.#data, { recursive: true, mode: 0o700 });
  }

  /** Starts all processes; on failure, or when `interrupted` rejects, stops what runs and rejects. */
  static async start(
    options: Options,
    binary: string,
    folder: string,
    random: Random,
    interrupted: Promise<never>,
  ): Promise<Cluster> {
    const cluster = new Cluster(folder);
    try {
      await Promise.race([cluster.#startAll(options, binary, random), interrupted]);
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async #startAll(options: Options, binary: string, random: Random): Promise<void> {
    const env = { XDG_DATA_HOME: this.#folder, NO_COLOR: "1" };
    let backplane = "keeper";
    if (options.backplane === "redis") {
      this.redis = await this.#startRedis();
      backplane = `redis://127.0.0.1:${this.redis.port}`;
    }
    for (let n = 1; n <= options.servers; n += 1) {
      const port = freePort();
      const flags = ["--port", `${port}`, "--name", `s${n}`, "--data", this.#data, "--backplane", backplane];
      if (options.durability === "power") flags.push("--durability", "power");
      this.servers.push(new Member(`server-${n}`, port, [binary, "server", ...flags], this.#folder, env));
    }
    await Promise.all(this.servers.map((server) => server.start()));
    for (let n = 1; n <= options.balancers; n += 1) {
      const backends = this.servers.map((server) => this.#road(server, options, random)).join(",");
      const port = freePort();
      const admin = freePort();
      const flags = [
        "--backends",
        backends,
        "--port",
        `${port}`,
        "--admin",
        `${admin}`,
        "--data",
        this.#data,
      ];
      this.admins.push(`http://127.0.0.1:${admin}`);
      const balancer = new Member(`balancer-${n}`, port, [binary, "balancer", ...flags], this.#folder, env);
      this.balancers.push(balancer);
      await balancer.start();
      const door =
        options.plant === undefined
          ? undefined
          : new FaultProxy({ host: "127.0.0.1", port }, random, options.plant);
      if (door !== undefined) this.proxies.push(door);
      this.doors.push({ host: "127.0.0.1", port: door?.port ?? port });
    }
  }

  #road(server: Member, options: Options, random: Random): number {
    if (!options.faults.includes("network")) return server.port;
    const proxy = new FaultProxy({ host: "127.0.0.1", port: server.port }, random);
    this.proxies.push(proxy);
    return proxy.port;
  }

  async #startRedis(): Promise<Member> {
    const found = Bun.which("redis-server") ?? Bun.which("valkey-server");
    if (found === null)
      throw new Error(
        "no redis-server found; install the Debian package redis-server or use --backplane keeper",
      );
    const port = freePort();
    const flags = ["--bind", "127.0.0.1", "--port", `${port}`, "--dir", this.#data];
    const safe = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
    const redis = new Member("redis", port, [found, ...flags, ...safe], this.#folder, {});
    await redis.start();
    return redis;
  }

  /** The server whose process is the keeper now, as the log file says; undefined with Redis. */
  keeper(): Member | undefined {
    if (this.redis !== undefined) return undefined;
    const log = new Database(join(this.#data, "log.sqlite"), { readonly: true });
    try {
      const row = log.query<{ pid: number }, []>("SELECT pid FROM cluster").get();
      return this.servers.find((server) => server.pid === row?.pid);
    } finally {
      log.close();
    }
  }

  /** Stops everything, politely first. */
  async stop(): Promise<void> {
    await Promise.all(this.balancers.map((member) => member.stop(5_000)));
    await Promise.all(this.servers.map((member) => member.stop(10_000)));
    await this.redis?.stop(5_000);
    for (const proxy of this.proxies) proxy.stop();
  }
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

async function answers(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return false;
  }
}

function tail(file: string): string {
  return readFileSync(file, "utf8").split("\n").slice(-15).join("\n");
}
