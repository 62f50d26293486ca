import { expect, test } from "bun:test";
import { backendView, snapshotOf } from "../admin/fixtures.ts";
import { unreconciled } from "./counters.ts";

const backend = (selected: number, failures: number, total: number, current: number) =>
  backendView(8001, {
    selected,
    failures,
    sessions: { current, max: current, total: total + 1 },
    handovers: { in: 1, out: 0 },
  });
const sums = { selected: 20, failures: 3, sessions: { current: 9, max: 9, total: 17, held: 0, refused: 0 } };

test("books that add up are fine", () => {
  expect(unreconciled(snapshotOf([backend(12, 2, 10, 4), backend(8, 1, 7, 5)], sums))).toEqual([]);
});

test("every kind of difference is found and named", () => {
  const found = (...args: Parameters<typeof snapshotOf>) => unreconciled(snapshotOf(...args)).join("\n");
  expect(found([backend(12, 2, 9, 4), backend(8, 1, 7, 5)], sums)).toContain(
    "127.0.0.1:8001: selected less failures",
  );
  expect(found([backend(12, 2, 10, 4)], sums)).toContain(
    "placed at all backends, and accepted: 10 is not 17",
  );
  expect(found([backend(12, 2, 10, 4), backend(8, 1, 7, 4)], sums)).toContain("sessions: 8 is not 9");
  expect(found([backend(12, 2, 10, 4), backend(8, 1, 7, 5)], { ...sums, selected: 21 })).toContain(
    "18 is not 17",
  );
});
