/** Redis servers for tests: real ones, on loopback ports that were free, in folders of their own. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "redis";
import { parseRedisAddress } from "../../src/backplane/redis/address.ts";
import { RedisBackplane } from "../../src/backplane/redis/redis.ts";
import type { RedisOptions } from "../../src/backplane/redis/redis.ts";
import { redisLimits } from "../../src/protocol/limits.redis.ts";
import type { ClusterFactory, ClusterSettings, TestCluster } from "../conformance/backplane-support.ts";
import { eventually } from "../support/deadline.ts";
import { testLogger } from "./keeper-support.ts";

/** Fast enough for tests, by the same rules. */
export const testLimits = {
  ...redisLimits,
  beatMs: 100,
  leaseMs: 500,
  checkMs: 150,
  behindMs: 50,
  deafMs: 600,
  commandMs: 1_000,
  endingMs: 500,
  reconnectMostMs: 100,
};

/** A port nobody listens on at present. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/**
 * A log that has what was acknowledged, whenever the process is killed. With Redis's default, `everysec`, that is not so,
 * and not only in a power cut: while a sync is under way, which a busy disk makes long, Redis answers up to two seconds
 * before it writes to the file at all.
 */
export const logged = ["--appendonly", "yes", "--appendfsync", "always"] as const;

/** One redis-server process, which can be killed and started again. */
export class RedisServer {
  readonly folder = mkdtempSync(join(tmpdir(), "rtchat-redis-"));
  readonly #program: string;
  readonly options: string[];
  /** Without TLS. */
  plain = true;
  #process: Bun.Subprocess<"ignore", "pipe", "pipe"> | undefined;
  port = 0;

  constructor(program: string, ...options: string[]) {
    this.#program = program;
    this.options = options;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  /** Starts it, on its former port if it had one, and waits until it answers. */
  async start(): Promise<this> {
    for (let attempt = 0; ; attempt += 1) {
      if (this.port === 0) this.port = await freePort();
      const child = Bun.spawn(
        [
          this.#program,
          ...`--port ${this.plain ? this.port : 0} --bind 127.0.0.1 --dir ${this.folder} --logfile redis.log`.split(
            " ",
          ),
          "--save",
          "",
          ...this.options.map((option) => option.replace("$PORT", String(this.port))),
        ],
        { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
      );
      this.#process = child;
      if (await this.#answers(child)) return this;
      if (attempt > 5)
        throw new Error(
          `redis-server does not start: ${await Bun.file(join(this.folder, "redis.log")).text()}`,
        );
      // Somebody else was faster to take the port.
      if (!this.#started) this.port = 0;
    }
  }

  #started = false;

  async #answers(child: Bun.Subprocess): Promise<boolean> {
    const state = { over: false };
    void child.exited.then(() => (state.over = true));
    await eventually(
      async () => state.over || (await this.#ping()),
      () => "redis-server to answer",
    );
    if (!state.over) this.#started = true;
    return !state.over;
  }

  async #ping(): Promise<boolean> {
    try {
      const socket = await Bun.connect({ hostname: "127.0.0.1", port: this.port, socket: { data() {} } });
      socket.end();
      return true;
    } catch {
      return false;
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  /** Ends the process and waits for it. */
  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    this.#process?.kill(signal);
    await this.#process?.exited;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A plain client of a database, for what tests do behind the backplane's back. */
export async function plainClient(port: number, database = 0) {
  const client = createClient({ socket: { host: "127.0.0.1", port }, database });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Takes the newest entry away from every room of a store, as a replica that lagged would lack it. */
async function loseTails(client: Awaited<ReturnType<typeof plainClient>>, prefix: string): Promise<void> {
  for await (const keys of client.scanIterator({ MATCH: `${prefix}*:meta` })) {
    for (const key of keys) {
      const seq = Number(await client.hGet(key, "seq"));
      if (!(seq > 0)) continue;
      const base = key.slice(0, -":meta".length);
      await client.xDel(`${base}:log`, `${seq}-0`);
      await client.sendCommand(["XSETID", `${base}:log`, `${seq - 1}-0`]);
      await client.zRemRangeByScore(`${base}:keys`, seq, seq);
      await client.hSet(key, "seq", seq - 1);
    }
  }
}

/** Three servers as one Redis Cluster, each with a third of the slots. */
export async function startCluster(program: string): Promise<RedisServer[]> {
  const servers = Array.from(
    { length: 3 },
    () => new RedisServer(program, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", ...logged),
  );
  for (const server of servers) await server.start();
  const clients = await Promise.all(servers.map((server) => plainClient(server.port)));
  const bounds = [0, 5_461, 10_923, 16_384];
  for (const [index, client] of clients.entries()) {
    const [from, to] = [bounds[index] ?? 0, (bounds[index + 1] ?? 0) - 1];
    await client.sendCommand(["CLUSTER", "ADDSLOTSRANGE", String(from), String(to)]);
    await client.sendCommand(["CLUSTER", "SET-CONFIG-EPOCH", String(index + 1)]);
  }
  for (const server of servers.slice(1)) {
    await clients[0]?.sendCommand(["CLUSTER", "MEET", "127.0.0.1", String(server.port)]);
  }
  for (const client of clients) {
    await eventually(
      async () => {
        const info = await client.sendCommand<string>(["CLUSTER", "INFO"]);
        return info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:3");
      },
      () => "the Redis Cluster to be whole",
    );
    client.destroy();
  }
  return servers;
}

let databases = 0;

/** A new name that no other test uses. */
export function newPrefix(): string {
  databases += 1;
  return `test${databases}`;
}

/** A backplane of a store under a prefix. */
export function redisPlane(
  port: number,
  prefix: string,
  options: Partial<RedisOptions> = {},
): RedisBackplane {
  const address = parseRedisAddress(`redis://127.0.0.1:${port}/?prefix=${prefix}`);
  return new RedisBackplane({ address, log: testLogger, limits: testLimits, ...options });
}

/** Clusters on servers that are running; `ports` are all nodes that hold keys. */
export function redisClusters(ports: () => readonly number[]): ClusterFactory {
  return (settings: ClusterSettings): Promise<TestCluster> => {
    const prefix = newPrefix();
    const planes: RedisBackplane[] = [];
    return Promise.resolve({
      server() {
        const plane = redisPlane(ports()[0] ?? 0, prefix, settings);
        planes.push(plane);
        return plane;
      },
      vanish(plane) {
        if (plane instanceof RedisBackplane) plane.abort();
        return Promise.resolve();
      },
      async changeEpoch() {
        for (const port of ports()) {
          const client = await plainClient(port);
          await loseTails(client, prefix);
          client.destroy();
        }
      },
      async close() {
        for (const plane of planes) await plane.stop(true);
      },
    });
  };
}
