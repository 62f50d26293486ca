/** From a written list to backends, with names that change their addresses. */
import { describe, expect, test } from "bun:test";
import { BackendsList } from "../../src/balancer/list.ts";
import { Pool } from "../../src/balancer/pool.ts";
import { parseWeightedList } from "../../src/protocol/address.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { ManualClock } from "../support/manual-clock.ts";

function setUp() {
  const clock = new ManualClock();
  const names = new Map<string, readonly string[]>();
  let lookups = 0;
  const pool = new Pool(
    { clock, random: () => 0.5, policy: "round-robin" },
    { added: () => {}, changed: () => {}, removed: () => {} },
  );
  const list = new BackendsList({
    pool,
    clock,
    logger: silentLogger,
    resolve: (name) => {
      lookups += 1;
      const found = names.get(name);
      return found === undefined
        ? Promise.reject(Object.assign(new Error("nope"), { code: "ENOTFOUND" }))
        : Promise.resolve(found);
    },
  });
  return {
    clock,
    pool,
    list,
    names,
    lookups: () => lookups,
    set: (text: string) => list.set(parseWeightedList(text)),
    ids: () => pool.backends.map(({ id, drain }) => (drain === undefined ? id : `${id} ${drain.cause}`)),
    /** Thirty seconds later, when all lookups of then have been answered. */
    later: async () => {
      clock.advance(30_000);
      // The lookups' answers are microtasks: all of them are done before the next turn of the loop.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

describe("a list of backends", () => {
  test("is one backend an address, with its weight", async () => {
    const { set, ids, pool, list } = setUp();
    await set("8001,10.0.0.1:9*3,[::1]:7");
    expect(ids()).toEqual(["127.0.0.1:8001", "10.0.0.1:9", "[::1]:7"]);
    expect(pool.backends.map(({ weight }) => weight)).toEqual([1, 3, 1]);
    expect(list.unresolved).toEqual([]);
  });

  test("is replaced as a whole: what stays stays, what is new comes, what is gone is drained and removed", async () => {
    const { set, ids, pool } = setUp();
    await set("8001,8002,8003");
    const [one, two] = pool.backends;
    pool.movedIn(one!);
    await set("8002*5,8004");
    expect(ids()).toEqual(["127.0.0.1:8001 removal", "127.0.0.1:8002", "127.0.0.1:8004"]);
    expect(pool.get("127.0.0.1:8002")).toBe(two);
    expect(two!.weight).toBe(5);
    await set("8001,8002");
    expect(ids()).toEqual(["127.0.0.1:8001", "127.0.0.1:8002"]);
  });

  test("does not undo a weight that an operator set, unless the list changes it", async () => {
    const { set, pool } = setUp();
    await set("8001*2,8002");
    const [one] = pool.backends;
    pool.weigh(one!, 0);
    await set("8001*2,8002,8003");
    expect(one!.weight).toBe(0);
    await set("8001*4");
    expect(one!.weight).toBe(4);
  });

  test("changes nothing when it is wrong", async () => {
    const { set, ids, list } = setUp();
    await set("8001");
    const twice = ["::1", "0::1"].map((host) => ({ host, port: 8002, weight: 1 }));
    expect(list.set(twice)).rejects.toThrow(/"\[::1\]:8002" is named twice/);
    expect(ids()).toEqual(["127.0.0.1:8001"]);
  });
});

describe("a name in it", () => {
  test("is as many backends as it has addresses, IPv4 before IPv6", async () => {
    const { set, ids, names, pool } = setUp();
    names.set("chat.lan", ["10.0.0.2", "10.0.0.1", "fd00::1", "10.0.0.1"]);
    names.set("six.lan", ["fd00::2"]);
    await set("chat.lan:8001*2,six.lan:8001");
    expect(ids()).toEqual(["10.0.0.1:8001", "10.0.0.2:8001", "[fd00::2]:8001"]);
    expect(pool.backends.map(({ name, weight }) => [name, weight])).toEqual([
      ["chat.lan", 2],
      ["chat.lan", 2],
      ["six.lan", 1],
    ]);
  });

  test("is looked up again, and followed", async () => {
    const { set, ids, names, pool, later } = setUp();
    names.set("chat.lan", ["10.0.0.1", "10.0.0.2"]);
    await set("chat.lan:8001");
    pool.movedIn(pool.get("10.0.0.1:8001")!);
    names.set("chat.lan", ["10.0.0.2", "10.0.0.3"]);
    await later();
    expect(ids()).toEqual(["10.0.0.1:8001 removal", "10.0.0.2:8001", "10.0.0.3:8001"]);
    names.set("chat.lan", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    await later();
    expect(ids()).toEqual(["10.0.0.1:8001", "10.0.0.2:8001", "10.0.0.3:8001"]);
  });

  test("keeps its addresses while the name server is down", async () => {
    const { set, ids, names, later, lookups, list } = setUp();
    names.set("chat.lan", ["10.0.0.1"]);
    await set("chat.lan:8001");
    names.delete("chat.lan");
    const before = lookups();
    await later();
    await later();
    expect(lookups()).toBe(before + 2);
    expect(ids()).toEqual(["10.0.0.1:8001"]);
    expect(list.unresolved).toEqual([]);
  });

  test("that does not resolve is told with its reason until it does", async () => {
    const { set, ids, names, later, list } = setUp();
    await set("chat.lan:8001,8002");
    expect(ids()).toEqual(["127.0.0.1:8002"]);
    expect(list.unresolved).toEqual([
      {
        name: "chat.lan:8001",
        detail: "chat.lan does not resolve (ENOTFOUND); check the name and the name server",
      },
    ]);
    names.set("chat.lan", ["10.0.0.1"]);
    await later();
    expect(ids()).toEqual(["127.0.0.1:8002", "10.0.0.1:8001"]);
    expect(list.unresolved).toEqual([]);
  });

  test("and its address in the list too is one backend, with the weight of the address", async () => {
    const { set, ids, names, pool } = setUp();
    names.set("chat.lan", ["127.0.0.1"]);
    await set("chat.lan:8001*9,8001*2");
    expect(ids()).toEqual(["127.0.0.1:8001"]);
    expect(pool.backends[0]?.weight).toBe(2);
  });
});
