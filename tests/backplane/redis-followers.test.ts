/** The channels of followed rooms, over a Redis that the test plays. */
import { expect, test } from "bun:test";
import type { Reply } from "../../src/backplane/redis/client.ts";
import { Followers } from "../../src/backplane/redis/followers.ts";
import { Positions } from "../../src/backplane/redis/positions.ts";
import { Scripts } from "../../src/backplane/redis/room-scripts.ts";
import { redisLimits } from "../../src/protocol/limits.redis.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { answer, bytes, Follower } from "../conformance/backplane-support.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("a room that is left and entered over and over in one breath is heard once", async () => {
  const clock = new ManualClock();
  const positions = new Positions(10);
  const gate = { closed: undefined, stopped: false };
  const channels = new Map<string, Set<(message: Buffer, channel: Buffer) => void>>();
  const scripts = new Scripts({
    store: { run: (): Promise<Reply> => Promise.resolve(["e", 0, 0, [], []]), isCluster: false },
    gate,
    clock,
    positions,
    prefix: "p:0:",
    timeoutMs: 1_000,
    retryMs: 10,
    compare: () => Promise.resolve(),
  });
  const store = {
    subscribe(channel: string, listener: (message: Buffer, channel: Buffer) => void) {
      channels.set(channel, (channels.get(channel) ?? new Set()).add(listener));
      return Promise.resolve();
    },
    unsubscribe(channel: string) {
      channels.delete(channel);
      return Promise.resolve();
    },
  };
  const parts = { store, scripts, positions, gate, clock, log: silentLogger, limits: redisLimits };
  const followers = new Followers(parts);
  const calls: Promise<unknown>[] = [];
  let last = new Follower();
  for (let time = 0; time < 20; time += 1) {
    followers.unsubscribe("lobby");
    const follower = new Follower();
    const done = answer<object>((told) =>
      followers.subscribe("lobby", follower, (result) => {
        if (result.ok) follower.take(result.snapshot);
        told(result);
      }),
    );
    calls.push(done);
    last = follower;
    // Now and then the last of them is answered before it is left.
    if (time % 5 === 4) await done;
  }
  await Promise.all(calls);
  const listeners = channels.get("p:0:room:lobby");
  expect(listeners?.size).toBe(1);
  for (const listener of listeners ?? [])
    listener(Buffer.from('Ee 1 5 12\n"text":"hi!"'), Buffer.from("p:0:room:lobby"));
  expect(last.entries).toEqual([{ seq: 1, at: 5, body: Buffer.from(bytes('"text":"hi!"')) }]);
  followers.close();
});
