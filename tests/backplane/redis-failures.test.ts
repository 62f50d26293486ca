/** Redis that restarts, fails over, hangs, refuses, is full or empty: what the backplane makes of it. */
import { afterEach, describe, expect, test } from "bun:test";
import type { BackplaneHealth } from "../../src/backplane/backplane.ts";
import { parseRedisAddress, RedisAddressError } from "../../src/backplane/redis/address.ts";
import type { RedisBackplane, RedisLimits } from "../../src/backplane/redis/redis.ts";
import { RedisBackplane as Backplane } from "../../src/backplane/redis/redis.ts";
import { answer, bytes, Server, text } from "../conformance/backplane-support.ts";
import type { Follower } from "../conformance/backplane-support.ts";
import { eventually } from "../support/deadline.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { findService } from "../support/services.ts";
import { testLogger } from "./keeper-support.ts";
import { Proxy } from "./redis-proxy.ts";
import { logged, newPrefix, plainClient, redisPlane, RedisServer, testLimits } from "./redis-support.ts";

const program = findService("redis-server");
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function redis(...options: string[]): Promise<RedisServer> {
  const server = await new RedisServer(program ?? "", ...options).start();
  cleanups.push(() => server.remove());
  return server;
}

function proxy(target: number): Proxy {
  const made = new Proxy(target);
  cleanups.push(() => made.stop());
  return made;
}

async function join(port: number, prefix: string, limits: RedisLimits = testLimits): Promise<Server> {
  const plane = redisPlane(port, prefix, { limits });
  cleanups.push(() => plane.stop(true));
  return new Server(plane).start();
}

/** Publishes without pause until told to stop. */
class Flood {
  readonly acked = new Map<string, { readonly epoch: string; readonly seq: number }>();
  readonly failed: string[] = [];
  #over = false;
  readonly #loops: Promise<void>[];

  constructor(servers: readonly Server[], room: string) {
    this.#loops = servers.flatMap((one, s) =>
      [0, 1, 2, 3].map((lane) => this.#run(one, room, `${s}-${lane}`)),
    );
  }

  async #run(one: Server, room: string, name: string): Promise<void> {
    for (let i = 0; !this.#over; i += 1) {
      const key = `${name}-${i}`;
      const result = await answer<{ position: { epoch: string; seq: number } }>((done) =>
        one.plane.publish({ room, key, body: bytes(key) }, done),
      );
      if (result.ok) this.acked.set(key, result.position);
      else this.failed.push(`${key}: ${result.message}`);
    }
  }

  more(count: number): Promise<void> {
    const from = this.acked.size;
    return eventually(
      () => this.acked.size >= from + count,
      () => `${count} more acknowledgements; ${this.failed.length} failed`,
    );
  }

  async stop(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#loops);
  }
}

/** Waits until a follower has heard all that is in the log, and checks both against what was acknowledged. */
async function check(one: Server, follower: Follower, flood: Flood): Promise<void> {
  expect(flood.failed).toEqual([]);
  const { position } = await one.publish("lobby", "the-end");
  await follower.when(() => follower.last >= position.seq);
  expect(follower.wrong).toEqual([]);
  const log = new Map<number, string>();
  for (let after = 0; after < position.seq;) {
    const page = await one.page({ room: "lobby", after, limit: 500 });
    for (const { seq, body } of page.entries) log.set(seq, text(body));
    after = page.entries.at(-1)!.seq;
  }
  for (const [key, { seq }] of flood.acked) expect(log.get(seq)).toBe(key);
  expect(new Set(log.values()).size).toBe(log.size);
  for (const { seq, body } of follower.entries) expect(text(body)).toBe(log.get(seq)!);
}

describe.skipIf(program === undefined)("a Redis that", () => {
  test("is killed and restarts with its log: nothing is lost, repeated or reset, and nobody seems to leave", async () => {
    const store = await redis(...logged);
    const prefix = newPrefix();
    const servers = [await join(store.port, prefix), await join(store.port, prefix)];
    const [a, b] = servers as [Server, Server];
    await a.claim("s1", "ana");
    await a.enter("lobby", "s1");
    const follower = await b.follow("lobby");
    const flood = new Flood(servers, "lobby");
    for (let round = 0; round < 2; round += 1) {
      await flood.more(200);
      await store.stop("SIGKILL");
      await store.start();
    }
    await flood.more(200);
    await flood.stop();
    await check(b, follower, flood);
    expect(follower.resets).toBe(0);
    expect(follower.presences).toEqual([]);
    expect([...follower.members.values()]).toEqual(["ana"]);
    expect(new Set([...flood.acked.values()].map(({ epoch }) => epoch)).size).toBe(1);
  }, 30_000);

  test("fails over to a replica that lags: no position is given twice under one epoch, and everybody is told", async () => {
    const [primary, replica] = [await redis("--repl-diskless-sync-delay", "0"), await redis()];
    const entry = proxy(primary.port);
    const prefix = newPrefix();
    const [a, b] = [await join(entry.port, prefix), await join(entry.port, prefix)] as [Server, Server];
    const behind = await plainClient(replica.port);
    await behind.sendCommand(["REPLICAOF", "127.0.0.1", String(primary.port)]);
    const follower = await a.follow("lobby");
    for (let i = 0; i < 10; i += 1) await a.publish("lobby", `kept ${i}`);
    await eventually(
      async () =>
        (await behind.sendCommand<string>(["INFO", "replication"])).includes("master_link_status:up"),
      () => "the replica to be in step",
    );
    await eventually(
      async () => Number(await behind.hGet(`${prefix}:0:{lobby}:meta`, "seq")) === 10,
      () => "the replica to have everything",
    );
    // From here on the replica hears nothing more.
    await behind.sendCommand(["REPLICAOF", "NO", "ONE"]);
    const seen = new Map<string, string>();
    const note = ({ position }: { position: { epoch: string; seq: number } }, what: string): void => {
      const name = `${position.epoch} ${position.seq}`;
      expect(seen.get(name)).toBeUndefined();
      seen.set(name, what);
    };
    for (let i = 0; i < 5; i += 1) note(await a.publish("lobby", `lost ${i}`), `lost ${i}`);
    // Room by room: what only one of the servers has seen counts as well.
    for (let i = 0; i < 3; i += 1) note(await a.publish("other", `gone ${i}`), `gone ${i}`);
    entry.target = replica.port;
    entry.cut();
    // The other server knows nothing of the lost ones, and is the first to publish.
    const [first, second] = [b.publish("lobby", "new"), b.publish("other", "new")];
    note(await first, "new");
    const other = await second;
    expect(other.position.epoch).not.toBe(
      [...seen.keys()].find((name) => seen.get(name) === "gone 0")!.split(" ")[0],
    );
    await follower.when(() => follower.resets === 1 && follower.last === 11);
    expect(follower.epoch).toBe((await first).position.epoch);
    expect((await b.page({ room: "lobby" })).entries.map(({ body }) => text(body)).slice(9)).toEqual([
      "kept 9",
      "new",
    ]);
    behind.destroy();
  }, 30_000);

  test("fails over and back to a process that was there before: what it lost since is noticed again", async () => {
    const [first, second] = [
      await redis("--repl-diskless-sync-delay", "0"),
      await redis("--repl-diskless-sync-delay", "0"),
    ];
    const entry = proxy(first.port);
    const prefix = newPrefix();
    const [a, b] = [await join(entry.port, prefix), await join(entry.port, prefix)] as [Server, Server];
    const [one, two] = [await plainClient(first.port), await plainClient(second.port)];
    cleanups.push(() => one.destroy());
    cleanups.push(() => two.destroy());
    const inStep = (client: typeof one, seq: number) =>
      eventually(
        async () =>
          (await client.sendCommand<string>(["INFO", "replication"])).includes("master_link_status:up") &&
          Number(await client.hGet(`${prefix}:0:{lobby}:meta`, "seq")) === seq,
        () => `the replica to have ${seq}`,
      );
    await two.sendCommand(["REPLICAOF", "127.0.0.1", String(first.port)]);
    await a.publish("lobby", "one");
    await inStep(two, 1);
    const fail = async (to: RedisServer, client: typeof one): Promise<void> => {
      await client.sendCommand(["REPLICAOF", "NO", "ONE"]);
      entry.target = to.port;
      entry.cut();
    };
    await fail(second, two);
    await b.publish("lobby", "two");
    await one.sendCommand(["REPLICAOF", "127.0.0.1", String(second.port)]);
    await inStep(one, 2);
    // From here on it hears nothing more; what follows only one of the servers has seen.
    await one.sendCommand(["REPLICAOF", "NO", "ONE"]);
    const lost = await a.publish("lobby", "lost");
    await fail(first, one);
    const after = await b.publish("lobby", "new");
    expect([lost.position.seq, after.position.seq]).toEqual([3, 3]);
    expect(after.position.epoch).not.toBe(lost.position.epoch);
  });

  test("drops its subscribers, over and over: nothing is missed", async () => {
    const store = await redis();
    const prefix = newPrefix();
    const [a, b] = [await join(store.port, prefix), await join(store.port, prefix)] as [Server, Server];
    const follower = await b.follow("lobby");
    const flood = new Flood([a], "lobby");
    const client = await plainClient(store.port);
    for (let round = 0; round < 10; round += 1) {
      await flood.more(50);
      await client.sendCommand(["CLIENT", "KILL", "TYPE", "pubsub"]);
    }
    await flood.more(50);
    await flood.stop();
    await check(a, follower, flood);
    expect(follower.resets).toBe(0);
    client.destroy();
  }, 30_000);

  test("drops a subscriber that is just subscribing: it subscribes again, and hears everything once", async () => {
    const store = await redis();
    const entry = proxy(store.port);
    const server = await join(entry.port, newPrefix());
    for (const room of ["lobby", "garden"]) {
      entry.cutAt = new RegExp(`\\bsubscribe\r[^]*room:${room}`, "i");
      const follower = await server.follow(room);
      expect(entry.cutAt).toBeUndefined();
      await server.publish(room, "one");
      await server.publish(room, "two");
      await follower.hears("entry two");
      expect(follower.texts).toEqual(["one", "two"]);
      expect(follower.wrong).toEqual([]);
    }
  }, 30_000);

  test("keeps a subscription's socket and says nothing on it: what is missed is found, and the subscription renewed", async () => {
    const store = await redis();
    const entry = proxy(store.port);
    const prefix = newPrefix();
    const [a, b] = [await join(store.port, prefix), await join(entry.port, prefix)] as [Server, Server];
    const follower = await b.follow("lobby");
    await b.claim("s1", "bob");
    await a.publish("lobby", "before");
    await follower.hears("entry before");
    const { subscribers } = entry;
    entry.deafen();
    await a.publish("lobby", "unheard");
    await a.claim("s2", "ana");
    await a.enter("lobby", "s2");
    await follower.hears("entry unheard");
    await follower.hears("join ana");
    await eventually(
      () => entry.subscribers > subscribers,
      () => "another subscription",
    );
    await eventually(
      async () => {
        a.plane.tell("s1", "again");
        await a.owner("ana");
        return b.words.length > 0;
      },
      () => "the server's own channel",
    );
    await a.publish("lobby", "after");
    await follower.hears("entry after");
    expect(follower.texts).toEqual(["before", "unheard", "after"]);
    expect(follower.wrong).toEqual([]);
  }, 30_000);

  test("is cut off while a room is left: the room's channel is not subscribed for ever", async () => {
    const store = await redis();
    const entry = proxy(store.port);
    const prefix = newPrefix();
    const b = await join(entry.port, prefix);
    const client = await plainClient(store.port);
    cleanups.push(() => client.destroy());
    const listeners = async (room: string): Promise<number> => {
      const channel = `${prefix}:0:room:${room}`;
      return Number((await client.sendCommand<(string | number)[]>(["PUBSUB", "NUMSUB", channel]))[1]);
    };
    await b.follow("lobby");
    await b.follow("other");
    entry.deafen();
    b.plane.unsubscribe("lobby");
    await eventually(
      async () => (await listeners("lobby")) === 0,
      () => "the channel to be left",
    );
    // The answer to that is lost, and the client subscribes again what it had.
    entry.cut();
    await eventually(
      async () => (await listeners("other")) === 1 && (await listeners("lobby")) === 0,
      () => "only the other room to be followed",
    );
    await b.follow("lobby");
    expect(await listeners("lobby")).toBe(1);
  }, 30_000);

  test("hangs for a while: calls wait and are answered", async () => {
    const store = await redis();
    const prefix = newPrefix();
    const [a, b] = [await join(store.port, prefix), await join(store.port, prefix)] as [Server, Server];
    const follower = await b.follow("lobby");
    const flood = new Flood([a, b], "lobby");
    await flood.more(100);
    store.kill("SIGSTOP");
    await a.when(() => a.healths.some(({ state }) => state === "down"));
    store.kill("SIGCONT");
    await flood.more(100);
    await flood.stop();
    await check(a, follower, flood);
    expect(a.plane.health().state).toBe("ok");
  }, 30_000);

  test("has never seen a script, or has forgotten all: what is called first is done first", async () => {
    const store = await redis(...logged);
    const one = await join(store.port, newPrefix());
    for (const [session, next] of [
      ["s1", "s2"],
      ["s2", "s3"],
    ] as const) {
      await one.claim(session, "ana");
      one.plane.release(session);
      expect(await answer((done) => one.plane.claim(next, "ana", 1, done))).toMatchObject({ ok: true });
      await store.stop("SIGKILL");
      await one.when(() => one.healths.at(-1)?.state === "down");
      await store.start();
      await one.when(() => one.healths.at(-1)?.state === "ok");
    }
  }, 30_000);

  test("is away for long: calls fail with a retryable error, and a repeat tells", async () => {
    const store = await redis(...logged);
    const prefix = newPrefix();
    const a = await join(store.port, prefix, { ...testLimits, callMs: 400 });
    await a.publish("lobby", "before");
    await store.stop("SIGKILL");
    const attempt = (key: string) =>
      answer<{ duplicate: boolean }>((done) =>
        a.plane.publish({ room: "lobby", key, body: bytes(key) }, done),
      );
    const failed = await attempt("away");
    expect(failed).toMatchObject({ ok: false, code: "unavailable" });
    expect(failed.ok ? "" : failed.message).toMatch(/Redis cannot be reached now .*try again/);
    expect(await answer((done) => a.plane.claim("s", "n", 1, done))).toMatchObject({ code: "unavailable" });
    expect(a.plane.health().state).toBe("down");
    await store.start();
    await a.when(() => a.healths.at(-1)?.state === "ok");
    expect(await attempt("before")).toMatchObject({ ok: true, duplicate: true });
    expect(await attempt("away")).toMatchObject({ ok: true });
  }, 30_000);

  test("is away while sessions end: they end when it is there again, and their nicks are free", async () => {
    const store = await redis(...logged);
    const prefix = newPrefix();
    const limits = { ...testLimits, callMs: 300 };
    const [a, b] = [await join(store.port, prefix, limits), await join(store.port, prefix, limits)];
    const follower = await b.follow("lobby");
    for (const [session, nick] of [
      ["s1", "ana"],
      ["s2", "bob"],
    ] as const) {
      await a.claim(session, nick);
      await a.enter("lobby", session);
    }
    await store.stop("SIGKILL");
    a.plane.release("s1");
    a.plane.release("s2");
    // Answered after the releases before it, which are given up by then.
    expect(await answer((done) => a.plane.claim("s2", "bob", 2, done))).toMatchObject({ ok: false });
    await store.start();
    await a.when(() => a.healths.at(-1)?.state === "ok");
    await a.claim("s2", "bob", 3);
    await a.enter("lobby", "s2");
    await follower.hears("leave ana");
    expect(await b.claim("s3", "ana")).toEqual([]);
    await a.enter("end", "s2");
    expect(await b.owner("bob")).toBe("s2");
    await follower.when(() => [...follower.members.values()].join() === "bob");
  }, 30_000);

  test("takes a while to load its log after a restart: it is used as soon as it has", async () => {
    const store = await redis(...logged);
    const a = await join(store.port, newPrefix());
    await a.publish("lobby", "before");
    const client = await plainClient(store.port);
    // Some hundred milliseconds of loading, in which Redis accepts connections and refuses scripts.
    const fill = "for i = 1, 600000 do redis.call('SET', 'fill' .. i, 'something that fills the log') end";
    await client.eval(fill);
    client.destroy();
    const loading = (): boolean => a.healths.some(({ detail }) => detail.startsWith("LOADING"));
    for (let round = 0; round < 10 && !loading(); round += 1) {
      const heard = a.healths.length;
      await store.stop("SIGKILL");
      await store.start();
      await a.when(() => a.healths.slice(heard).some(({ state }) => state === "ok"));
    }
    expect(loading()).toBe(true);
    expect(await a.publish("lobby", "after")).toMatchObject({ duplicate: false });
  }, 60_000);

  test("loses everything: a new epoch begins, and who is here is here again", async () => {
    const store = await redis();
    const prefix = newPrefix();
    const [a, b] = [await join(store.port, prefix), await join(store.port, prefix)] as [Server, Server];
    const follower = await b.follow("lobby");
    await a.claim("s1", "ana");
    await a.enter("lobby", "s1");
    const { position } = await a.publish("lobby", "one");
    await follower.hears("entry one");
    await store.stop("SIGKILL");
    await store.start();
    await follower.hears("reset");
    expect((await a.publish("lobby", "two")).position).toMatchObject({ seq: 1 });
    await follower.hears("entry two");
    expect(follower.epoch).not.toBe(position.epoch);
    await follower.when(() => [...follower.members.values()].includes("ana"));
    expect(await b.owner("ana")).toBe("s1");
    expect(a.takenSessions).toEqual([]);
    expect(follower.wrong).toEqual([]);
  }, 30_000);

  test("is full: publishing fails with its words, and goes on when there is room", async () => {
    const store = await redis("--maxmemory", "3mb", "--maxmemory-policy", "noeviction");
    const prefix = newPrefix();
    const a = await join(store.port, prefix, { ...testLimits, callMs: 300 });
    const body = new Uint8Array(60_000);
    const attempt = (key: string) => answer((done) => a.plane.publish({ room: "lobby", key, body }, done));
    let count = 0;
    let result = await attempt("k0");
    for (; result.ok; result = await attempt(`k${count}`)) count += 1;
    expect(result).toMatchObject({ code: "unavailable" });
    expect(result.message).toContain("maxmemory");
    expect((await a.page({ room: "lobby", limit: 1 })).last).toBe(count);
    const client = await plainClient(store.port);
    await client.sendCommand(["CONFIG", "SET", "maxmemory", "0"]);
    expect(await attempt(`k${count}`)).toMatchObject({ ok: true });
    client.destroy();
  }, 30_000);

  test("cannot write one room's log: others that go along are logged, and the room when it can be", async () => {
    const server = await redis();
    const prefix = newPrefix();
    const one = await join(server.port, prefix);
    const client = await plainClient(server.port);
    cleanups.push(() => client.destroy());
    const rooms = ["a", "b", "c", "d"];
    const follower = await one.follow("b");
    const publish = (key: string) => rooms.map((room) => one.publish(room, key));
    await Promise.all(publish("k1"));
    const log = `${prefix}:0:{b}:log`;
    await client.rename(log, `${log}-kept`);
    await client.set(log, "no stream");
    const [a, b, c, d] = publish("k2");
    const told = await Promise.all([a, c, d]);
    expect(told.map((found) => found?.position.seq)).toEqual([2, 2, 2]);
    const more = publish("k3");
    expect((await more[3])?.position.seq).toBe(3);
    await client.rename(`${log}-kept`, log);
    expect((await b)?.position.seq).toBe(2);
    expect((await more[1])?.position.seq).toBe(3);
    await follower.hears("entry k3");
    expect(follower.texts).toEqual(["k1", "k2", "k3"]);
    expect(follower.wrong).toEqual([]);
  });

  test("stops in the middle of a direct message: it is completed for whom it was meant, not for who has the nick now", async () => {
    const server = await redis();
    const prefix = newPrefix();
    const one = await join(server.port, prefix, { ...testLimits, callMs: 300 });
    const client = await plainClient(server.port);
    cleanups.push(() => client.destroy());
    const send = (copy: string) =>
      answer<{ duplicate: boolean }>((done) =>
        one.plane.publish(
          { room: "@ana", key: "k", body: bytes("out"), copy: { room: copy, body: bytes("in") } },
          done,
        ),
      );
    // Ana's own log cannot be written: the copy is there, the message is not.
    const log = `${prefix}:0:{@ana}:log`;
    await client.set(log, "no stream");
    expect(await send("@bob")).toMatchObject({ ok: false, code: "unavailable" });
    await client.del(log);
    expect(await send("@eve")).toMatchObject({ ok: true, duplicate: false });
    const logs = ["@ana", "@bob", "@eve"].map(async (room) =>
      (await one.page({ room })).entries.map(({ body }) => text(body)),
    );
    expect(await Promise.all(logs)).toEqual([["out"], ["in"], []]);
    // What is done is not remembered.
    expect(await client.exists(`${prefix}:0:{@ana}:copies`)).toBe(0);
  });

  test("forgets a server that was away: it takes its sessions back, unless somebody else has them", async () => {
    const store = await redis();
    const entry = proxy(store.port);
    const prefix = newPrefix();
    const [a, b] = [await join(entry.port, prefix), await join(store.port, prefix)] as [Server, Server];
    const follower = await b.follow("lobby");
    await a.claim("s1", "ana");
    await a.enter("lobby", "s1");
    await a.claim("s2", "bob");
    await a.enter("lobby", "s2");
    entry.closed = true;
    entry.cut();
    const client = await plainClient(store.port);
    await eventually(
      async () => (await client.zCard(`${prefix}:0:{people}:grace`)) === 2,
      () => "the server to be taken for dead",
    );
    expect(await b.claim("s2", "bob", 2)).toEqual(["lobby"]);
    entry.closed = false;
    await a.when(() => a.takenSessions.length > 0);
    expect(a.takenSessions).toEqual(["s2"]);
    await eventually(
      async () => (await client.zCard(`${prefix}:0:{people}:grace`)) === 0,
      () => "the session to be out of grace",
    );
    await a.leave("lobby", "s1");
    await follower.hears("leave ana");
    expect(follower.presences).toEqual(["join ana", "join bob", "leave ana"]);
    client.destroy();
  }, 30_000);
});

describe.skipIf(program === undefined)("the log says that a Redis may lose what it has acknowledged", () => {
  /** What a server warns of when it starts. */
  async function warnings(port: number): Promise<string[]> {
    const said: string[] = [];
    const log = {
      ...testLogger,
      warn: (message: string, fields?: object) => said.push(`${message} ${JSON.stringify(fields)}`),
    };
    const plane = redisPlane(port, newPrefix(), { log });
    await plane.start({ taken() {}, told() {}, health() {} });
    await plane.stop(true);
    return said;
  }
  const loses = "Redis can lose messages that it has acknowledged";

  test("if it keeps no append-only file, or answers before it writes to it; not if it writes first", async () => {
    const server = await redis();
    const client = await plainClient(server.port);
    cleanups.push(() => client.destroy());
    expect(await warnings(server.port)).toEqual([
      `${loses} {"has":"appendonly no","needs":"appendonly yes"}`,
    ]);
    await client.sendCommand(["CONFIG", "SET", "appendonly", "yes"]);
    expect(await warnings(server.port)).toEqual([
      `${loses} {"has":"appendfsync everysec","needs":"appendfsync always"}`,
    ]);
    await client.sendCommand(["CONFIG", "SET", "appendfsync", "always"]);
    expect(await warnings(server.port)).toEqual([]);
  });

  test("not if it does not say how it is set up", async () => {
    const server = await redis();
    const client = await plainClient(server.port);
    cleanups.push(() => client.destroy());
    await client.sendCommand(["ACL", "SETUSER", "default", "-config"]);
    expect(await warnings(server.port)).toEqual([]);
  });
});

describe.skipIf(program === undefined)("a server that ends", () => {
  test("says goodbye for good: its beats bring nobody back", async () => {
    const store = await redis();
    const prefix = newPrefix();
    const other = await join(store.port, prefix);
    for (let round = 0; round < 10; round += 1) {
      // Beats all the time, so one falls between the goodbye and the end.
      const one = await join(store.port, prefix, { ...testLimits, beatMs: 1 });
      await one.claim("s1", "ana");
      for (let room = 0; room < 20; room += 1) await one.enter(`room${room}`, "s1");
      await one.plane.stop(true);
      expect(await other.owner("ana")).toBeUndefined();
    }
  });

  test("a session that ends while it is claimed is not announced again", async () => {
    const store = await redis();
    const prefix = newPrefix();
    const [one, other] = [await join(store.port, prefix), await join(store.port, prefix)];
    const claimed = one.claim("s1", "ana");
    one.plane.release("s1");
    await claimed;
    const client = await plainClient(store.port);
    cleanups.push(() => client.destroy());
    const servers = `${prefix}:0:{people}:servers`;
    await one.claim("s2", "bob");
    // All servers are forgotten, and announce what they have.
    await client.del([servers, `${prefix}:0:{people}:sessions`, `${prefix}:0:{people}:nicks`]);
    await eventually(
      async () => (await other.owner("bob")) === "s2",
      () => "the sessions to be announced",
    );
    expect(await other.owner("ana")).toBeUndefined();
  });
});

describe("an address of Redis", () => {
  test("is read whole", () => {
    expect(parseRedisAddress("redis://127.0.0.1")).toMatchObject({
      hosts: [{ host: "127.0.0.1", port: 6379 }],
      tls: false,
      database: 0,
      prefix: "rtchat",
      username: undefined,
      password: undefined,
    });
    expect(parseRedisAddress("rediss://ana:p%40ss@[::1]:7000,b.example:7001/3?prefix=chat")).toMatchObject({
      hosts: [
        { host: "::1", port: 7000 },
        { host: "b.example", port: 7001 },
      ],
      tls: true,
      username: "ana",
      password: "p@ss",
      database: 3,
      prefix: "chat",
      shown: "rediss://[::1]:7000,b.example:7001/3",
    });
    expect(parseRedisAddress("redis://:secret@h:1").password).toBe("secret");
  });

  test("is refused with what to do, and without the password", () => {
    for (const [address, what] of [
      ["http://x", "write redis://host:6379"],
      ["redis://", "write redis://host:6379"],
      ["redis://u:secret@h:99999", '"h:99999" in the redis:// address is no host and port'],
      ["redis://u:secret", "a host in the redis:// address is no host and port"],
      ["redis://u:sec%ret@h", 'write it as "%25"'],
      ["redis://u:secret@h?x=1", '"x" in the redis:// address is not known'],
      ["redis://u:secret@h?ca=/x", "write rediss:// for it"],
      ["rediss://u:secret@h?ca=/does/not/exist", "cannot read the certificate authority"],
      ["redis://u:secret@h?prefix=a{b", "is not usable"],
    ] as const) {
      let message = "";
      try {
        parseRedisAddress(address);
      } catch (error) {
        expect(error).toBeInstanceOf(RedisAddressError);
        message = (error as Error).message;
      }
      expect(message).toContain(what);
      expect(message).not.toMatch(/secret|sec%ret/);
    }
  });
});

describe.skipIf(program === undefined)("a server does not start with", () => {
  async function refusal(address: string): Promise<string> {
    const clock = new ManualClock();
    const plane: RedisBackplane = new Backplane({
      address: parseRedisAddress(address),
      log: testLogger,
      limits: testLimits,
      clock,
    });
    // Its patience ends when it knows why, however long that takes on a busy machine.
    const health = ({ state }: BackplaneHealth): void => {
      if (state === "down") clock.advance(testLimits.startMs);
    };
    try {
      await plane.start({ taken() {}, told() {}, health });
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    await plane.stop(true);
    return "it started";
  }

  test("a Redis that is not there", async () => {
    const store = await redis();
    await store.stop();
    const why = await refusal(`redis://:secret@127.0.0.1:${store.port}`);
    expect(why).toMatch(/^cannot reach redis:\/\/127\.0\.0\.1:\d+ .*check that it runs/);
  });

  test("a wrong password, or none where one is needed; with it, and a database, it does", async () => {
    const store = await redis("--requirepass", "secret");
    const wrong = await refusal(`redis://:guess@127.0.0.1:${store.port}`);
    expect(wrong).toMatch(
      /^redis:\/\/127\.0\.0\.1:\d+ refuses: WRONGPASS.*; check user, password and database$/,
    );
    expect(wrong).not.toContain("guess");
    expect(await refusal(`redis://127.0.0.1:${store.port}`)).toMatch(/NOAUTH/);
    expect(await refusal(`redis://:secret@127.0.0.1:${store.port}/99`)).toMatch(/index is out of range/);
    expect(await refusal(`redis://:secret@127.0.0.1:${store.port}/7`)).toBe("it started");
  });
});
