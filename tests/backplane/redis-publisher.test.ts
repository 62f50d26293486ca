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

/** A publisher over a Redis that answers as `run` does. */
function setUp(run: (keys: readonly string[], args: readonly Argument[]) => Promise<Reply>) {
  const clock = new ManualClock();
  const positions = new Positions(10);
  const scripts = new Scripts({
    store: { run: (_, keys, args) => run(keys, args), isCluster: false },
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
    publishBytesUnderWay: 1_000,
    keepMessages: undefined,
    keepDays: undefined,
    now: () => clock.now(),
  });
  const publish = (room: string, key: string, body = "x", copy?: { room: string; body: Uint8Array }) =>
    answer<object>((done) =>
      publisher.publish({ room, key, body: bytes(body), ...(copy === undefined ? {} : { copy }) }, done),
    );
  return { publisher, publish };
}

test("a proxy that refuses scripts about several rooms gets one for each from then on", async () => {
  const called: number[] = [];
  const { publisher, publish } = setUp((keys, args) => {
    called.push(keys.length / 6);
    if (keys.length > 6)
      return Promise.reject(new ErrorReply("CROSSSLOT Keys in request don't hash to the same slot"));
    return Promise.resolve([["e", 1, 5, ...(args.includes("known") ? [1, 1, 4] : [])]]);
  });
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

test("what waits for a Redis that does not answer is bounded in bytes, and what is over is refused", async () => {
  const waiting = Promise.withResolvers<Reply>();
  const { publisher, publish } = setUp(() => waiting.promise);
  const long = "x".repeat(400);
  const first = [publish("a", "1", long), publish("b", "2", long)];
  expect(await publish("a", "3", long)).toMatchObject({ ok: false, code: "unavailable" });
  const copy = { room: "@d", body: bytes(long) };
  expect(await publish("@c", "4", "short", copy)).toMatchObject({ ok: false, code: "unavailable" });
  waiting.resolve([
    ["e", 1, 5],
    ["e", 1, 5],
  ]);
  expect(await Promise.all(first)).toMatchObject([{ ok: true }, { ok: true }]);
  expect(publisher.underWay).toBe(0);
  expect(await publish("a", "5", long)).toMatchObject({ ok: true });
});
