/** The Redis backplane on a Cluster of three: what every backplane promises, and rooms whose node changes. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { parseRedisAddress } from "../../src/backplane/redis/address.ts";
import { RedisBackplane } from "../../src/backplane/redis/redis.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { backplaneConformance } from "../conformance/backplane.ts";
import { Server } from "../conformance/backplane-support.ts";
import { findService } from "../support/services.ts";
import { newPrefix, plainClient, redisClusters, redisPlane, startCluster } from "./redis-support.ts";
import type { RedisServer } from "./redis-support.ts";

const program = findService("redis-server");

describe.skipIf(program === undefined)("a Redis Cluster", () => {
  let servers: RedisServer[] = [];
  beforeAll(async () => {
    servers = await startCluster(program ?? "");
  });
  afterAll(async () => {
    for (const server of servers) await server.remove();
  });
  backplaneConformance(
    "redis cluster",
    redisClusters(() => servers.map(({ port }) => port)),
  );

  /** Which node has a room, as an index. */
  async function nodeOf(room: string): Promise<{ slot: number; node: number }> {
    const clients = await Promise.all(servers.map(({ port }) => plainClient(port)));
    const slot = Number(await clients[0]!.sendCommand(["CLUSTER", "KEYSLOT", room]));
    const owned = await Promise.all(
      clients.map(async (client) => {
        const nodes = await client.sendCommand<string>(["CLUSTER", "NODES"]);
        const [, own = ""] = /^.*myself.*connected (.*)$/m.exec(nodes) ?? [];
        return own.split(" ").some((range) => {
          const [from = NaN, to = from] = range.split("-").map(Number);
          return slot >= from && slot <= to;
        });
      }),
    );
    for (const client of clients) client.destroy();
    return { slot, node: owned.indexOf(true) };
  }

  /** Moves a slot with its keys, as redis-cli --cluster reshard does. */
  async function move(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
    const [source, target] = [await plainClient(from.port), await plainClient(to.port)];
    const ids = await Promise.all(
      [source, target].map((client) => client.sendCommand<string>(["CLUSTER", "MYID"])),
    );
    await target.sendCommand(["CLUSTER", "SETSLOT", String(slot), "IMPORTING", ids[0]!]);
    await source.sendCommand(["CLUSTER", "SETSLOT", String(slot), "MIGRATING", ids[1]!]);
    for (;;) {
      const keys = await source.sendCommand<string[]>(["CLUSTER", "GETKEYSINSLOT", String(slot), "1"]);
      if (keys.length === 0) break;
      await source.sendCommand(["MIGRATE", "127.0.0.1", String(to.port), "", "0", "5000", "KEYS", ...keys]);
    }
    for (const client of [target, source]) {
      await client.sendCommand(["CLUSTER", "SETSLOT", String(slot), "NODE", ids[1]!]);
    }
    for (const client of [source, target]) client.destroy();
  }

  test("moves a room to another node while it is busy: nothing is lost, repeated or reset", async () => {
    const prefix = newPrefix();
    const planes = [0, 1].map((index) => redisPlane(servers[index]!.port, prefix));
    const [a, b] = await Promise.all(planes.map((plane) => new Server(plane).start()));
    const room = "moving";
    const follower = await b!.follow(room);
    await a!.claim("s1", "ana");
    await a!.enter(room, "s1");
    const { slot, node } = await nodeOf(room);
    let stop = false;
    const acked: number[] = [];
    const flood = (async () => {
      for (let i = 0; !stop; i += 1) acked.push((await a!.publish(room, `k${i}`)).position.seq);
    })();
    const progress = async (): Promise<void> => {
      const { last } = follower;
      await follower.when(() => follower.last > last + 20);
    };
    await progress();
    await move(slot, servers[node]!, servers[(node + 1) % 3]!);
    await progress();
    await move(slot, servers[(node + 1) % 3]!, servers[node]!);
    await progress();
    stop = true;
    await flood;
    await follower.when(() => follower.last === acked.at(-1)!);
    expect(acked).toEqual(acked.map((_, index) => index + 1));
    expect(follower.wrong).toEqual([]);
    expect(follower.resets).toBe(0);
    expect(follower.texts).toEqual(acked.map((_, index) => `k${index}`));
    expect(follower.presences).toEqual(["join ana"]);
    for (const plane of planes) await plane.stop(true);
  }, 60_000);

  test("has a node that is killed and restarts with its log: nothing is lost, repeated or reset", async () => {
    const prefix = newPrefix();
    const { node } = await nodeOf("restarting");
    // Not by way of the node that dies.
    const planes = [1, 2].map((step) => redisPlane(servers[(node + step) % 3]!.port, prefix));
    const [a, b] = await Promise.all(planes.map((plane) => new Server(plane).start()));
    const follower = await b!.follow("restarting");
    for (let i = 0; i < 20; i += 1) await a!.publish("restarting", `before ${i}`);
    await servers[node]!.stop("SIGKILL");
    const meanwhile = [0, 1, 2].map((i) => a!.publish("restarting", `meanwhile ${i}`));
    await servers[node]!.start();
    await Promise.all(meanwhile);
    await a!.publish("restarting", "after");
    await follower.hears("entry after");
    expect(follower.entries).toHaveLength(24);
    expect(follower.wrong).toEqual([]);
    expect(follower.resets).toBe(0);
    for (const plane of planes) await plane.stop(true);
  }, 60_000);

  test("has only one database, and says so", async () => {
    const address = parseRedisAddress(`redis://127.0.0.1:${servers[0]!.port}/3`);
    const plane = new RedisBackplane({ address, log: silentLogger });
    await expect(plane.start({ taken() {}, told() {}, health() {} })).rejects.toThrow(
      /refuses: .*SELECT is not allowed.*check user, password and database/,
    );
  });
});
