import { expect, test } from "bun:test";
import { Patience } from "../../src/edge/patience.ts";

const limits = { silenceMs: 600, silenceMostMs: 3_000, silenceHalfMs: 10_000 };

test("a hub that speaks in time is missed as soon as may be", () => {
  const patience = new Patience(limits);
  for (let now = 0; now < 100_000; now += 150) patience.silent(200, now);
  expect(patience.ms(100_000)).toBe(600);
});

test("a hub that was silent for long is given twice that, for a while", () => {
  const patience = new Patience(limits);
  patience.silent(500, 0);
  patience.silent(100, 10);
  expect(patience.ms(10)).toBeCloseTo(1_000, -1);
  // A longer one counts at once, a shorter one than what is remembered not at all.
  patience.silent(1_200, 2_000);
  patience.silent(700, 2_100);
  expect(patience.ms(2_000)).toBe(2_400);
  expect(patience.ms(12_000)).toBe(1_200);
  expect(patience.ms(32_000)).toBe(600);
});

test("however long it was, there is a most", () => {
  const patience = new Patience(limits);
  patience.silent(3_600_000, 0);
  expect(patience.ms(0)).toBe(3_000);
  expect(patience.ms(30_000)).toBe(750);
});
