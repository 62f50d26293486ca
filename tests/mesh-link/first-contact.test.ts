import { afterEach, expect, test } from "bun:test";
import { Cleanup, until } from "./support.ts";
import { startPeer } from "./peers.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

test("two peers that have never met chat at once, by address alone", async () => {
  const ana = await startPeer(cleanup, { nick: "ana" });
  const ben = await startPeer(cleanup, { nick: "ben", connect: [ana] });
  ben.say("hello");
  await until(() => ana.transcript().length === 1, "ana reads it");
  ana.say("hi ben");
  await until(() => ben.transcript().length === 2, "ben reads the answer");
  expect(ana.transcript()).toEqual(["ben: hello", "ana: hi ben"]);
  expect(ben.transcript()).toEqual(ana.transcript());
});
