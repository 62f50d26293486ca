import { expect, test } from "bun:test";
import { recent } from "../../src/mesh/node/recent.ts";
import { ManualClock } from "../support/manual-clock.ts";

test("an answer serves until it is too old", () => {
  const clock = new ManualClock();
  let asked = 0;
  const ask = recent(() => (asked += 1), clock, 1_000);
  expect([ask(), ask()]).toEqual([1, 1]);
  clock.advance(999);
  expect(ask()).toBe(1);
  clock.advance(1);
  expect(ask()).toBe(2);
});
