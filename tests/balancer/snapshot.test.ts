/** Sums over workers. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { addSnapshots, countersOf } from "../../src/balancer/snapshot.ts";
import type { BackendView, Snapshot } from "../../src/balancer/view.ts";
import { snapshotSchema } from "../../src/admin/schemas.ts";
import { backendView, snapshotOf } from "../admin/fixtures.ts";

const count = fc.nat(1_000);
const states = fc.constantFrom(
  "starting",
  "up",
  "down",
  "draining",
  "ejected",
  "maintenance",
) satisfies fc.Arbitrary<BackendView["state"]>;
const backend = fc
  .record({
    port: fc.integer({ min: 1, max: 3 }),
    selected: count,
    failures: count,
    current: count,
    passed: count,
    state: states,
  })
  .map(({ port, selected, failures, current, passed, state }) =>
    backendView(port, {
      selected,
      failures,
      state,
      sessions: { current, max: current, total: selected },
      checks: { passed, failed: 0 },
      roundTrip: { bounds: [0.001, 0.01], counts: [selected, failures, current], sum: passed },
    }),
  );
const snapshot = fc
  .record({
    backends: fc.uniqueArray(backend, { selector: ({ id }) => id, maxLength: 3 }),
    current: count,
    held: count,
    rate: count,
  })
  .map(({ backends, current, held, rate }) =>
    snapshotOf(backends, {
      sessions: { current, max: current, total: current, held, refused: 0 },
      refused: { total: 0, address: 1, rate, descriptors: 0 },
    }),
  );

const sumOf = (all: readonly Snapshot[], value: (one: Snapshot) => number) =>
  all.reduce((sum, one) => sum + value(one), 0);

test("every counter of every backend is the sum of the workers', in whatever order they are added", () => {
  fc.assert(
    fc.property(fc.array(snapshot, { minLength: 1, maxLength: 4 }), (all) => {
      const [first, ...rest] = all as [Snapshot, ...Snapshot[]];
      const sum = rest.reduce((one, other) => addSnapshots(one, other), first);
      const backwards = all.toReversed().reduce((one, other) => addSnapshots(one, other));
      expect(snapshotSchema.parse(sum)).toEqual(sum as never);
      for (const result of [sum, backwards]) {
        expect(result.workers).toBe(all.length);
        expect(result.sessions.held).toBe(sumOf(all, ({ sessions }) => sessions.held));
        expect(result.refused.rate).toBe(sumOf(all, ({ refused }) => refused.rate));
        for (const { id, selected, failures, sessions, checks, roundTrip } of result.backends) {
          const views = all.flatMap(({ backends }) => backends.filter((one) => one.id === id));
          const total = (value: (one: BackendView) => number) =>
            views.reduce((added, one) => added + value(one), 0);
          expect(selected).toBe(total((one) => one.selected));
          expect(failures).toBe(total((one) => one.failures));
          expect(sessions.current).toBe(total((one) => one.sessions.current));
          expect(checks.passed).toBe(total((one) => one.checks.passed));
          expect(roundTrip.counts[1]!).toBe(total((one) => one.roundTrip.counts[1]!));
        }
      }
      expect(new Set(sum.backends.map(({ id }) => id))).toEqual(
        new Set(all.flatMap(({ backends }) => backends.map(({ id }) => id))),
      );
    }),
  );
});

test("a backend that is down for one worker is shown as down, with that worker's reason", () => {
  const well = snapshotOf([backendView(1)]);
  const ill = snapshotOf([backendView(1, { state: "down", reason: "L4TOUT", detail: "no answer" })]);
  for (const sum of [addSnapshots(well, ill), addSnapshots(ill, well)]) {
    expect(sum.backends[0]).toMatchObject({ state: "down", reason: "L4TOUT", detail: "no answer" });
  }
});

test("a drain's progress is that of all workers together", () => {
  const drain = {
    cause: "operator" as const,
    startedAt: "2026-01-31T12:00:00.000Z",
    deadlineAt: "2026-01-31T12:02:00.000Z",
  };
  const one = snapshotOf([
    backendView(1, { state: "draining", drain: { ...drain, rate: 5, total: 10, remaining: 4 } }),
  ]);
  const other = snapshotOf([
    backendView(1, { state: "draining", drain: { ...drain, rate: 5, total: 20, remaining: 0 } }),
  ]);
  expect(addSnapshots(one, other).backends[0]?.drain).toMatchObject({ rate: 10, total: 30, remaining: 4 });
  expect(addSnapshots(one, snapshotOf([backendView(1)])).backends[0]?.drain).toMatchObject({
    total: 10,
    remaining: 4,
  });
});

test("of several workers' certificates the one that ends first is shown, and none of a worker that is gone", () => {
  const until = (notAfter: string) =>
    snapshotOf([], { certificate: { notBefore: "2026-01-01T00:00:00.000Z", notAfter } });
  const [soon, late, none] = [
    until("2026-02-01T00:00:00.000Z"),
    until("2026-03-01T00:00:00.000Z"),
    snapshotOf([]),
  ];
  for (const sum of [addSnapshots(soon, late), addSnapshots(late, soon), addSnapshots(none, soon)]) {
    expect(sum.certificate).toEqual(soon.certificate);
  }
  expect(addSnapshots(late, countersOf(soon)).certificate).toEqual(late.certificate);
});
