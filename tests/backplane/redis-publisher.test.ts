/** Batches of several rooms, where something in between lets no script reach rooms of different slots. */
import { expect, test } from "bun:test";
import { ErrorReply } from "redis";
import type { Argument, Reply } from "../../src/backplane/redis/client.ts";
import { Positions } from "../../src/backplane/redis/positions.ts";
import { Publisher } from "../../src/backplane/redis/publisher.ts";
import { Scripts } from "../../src/backplane/redis/room-scripts.ts";
import { redisLimits } from "../../src/protocol/limits.redis.ts";
import { answer, bytes } from "../conformance/backplane-support.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("a proxy that refuses scripts about several rooms gets one for each from then on", async () => {
  const called: number[] = [];
  const clock = new ManualClock();
  const positions = new Positions(10);
  const run = (_: string, keys: readonly string[], args: readonly Argument[]): Promise<Reply> => {
    called.push(keys.length / 6);
    if (keys.length > 6)
      return Promise.reject(new ErrorReply("CROSSSLOT Keys in request don't hash to the same slot"));
    return Promise.resolve([["e", 1, 5, ...(args.includes("known") ? [1, 1, 4] : [])]]);
  };
  const scripts = new Scripts({
    store: { run, isCluster: false },
    gate: { closed: undefined, stopped: false },
    clock,
    positions,
    prefix: "p:",
    timeoutMs: 1_000,
    retryMs: 10,
    compare: () => Promise.resolve(),
  });
  const publisher = new Publisher(scripts, positions, {
    ...redisLimits,
    keepMessages: undefined,
    keepDays: undefined,
    now: () => clock.now(),
  });
  const publish = (room: string, key: string) =>
    answer<object>((done) => publisher.publish({ room, key, body: bytes("x") }, done));
  const all = (key: string) => Promise.all(["a", "b", "c"].map((room) => publish(room, key)));
  expect(await all("new")).toMatchObject(
    Array.from({ length: 3 }, () => ({ ok: true, duplicate: false, at: 5 })),
  );
  expect(called).toEqual([3, 1, 1, 1]);
  expect(await all("known")).toMatchObject(
    Array.from({ length: 3 }, () => ({ ok: true, duplicate: true, at: 4 })),
  );
  expect(called).toEqual([3, 1, 1, 1, 1, 1, 1]);
  expect(publisher.underWay).toBe(0);
});
