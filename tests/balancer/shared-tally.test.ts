/** Counting over several processes, with several views of one table in this one; then with real processes. */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { clearColumn, createSharedTally, SharedTally } from "../../src/balancer/shared-tally.ts";
import { doorLimits } from "../../src/protocol/limits.balancer.ts";
import { ManualClock } from "../support/manual-clock.ts";

const folder = mkdtempSync(join(tmpdir(), "rtchat-tally-"));
afterAll(() => rmSync(folder, { recursive: true }));
let tables = 0;

function table(columns: number, clocks = Array.from({ length: columns }, () => new ManualClock())) {
  const path = join(folder, `${(tables += 1)}.counts`);
  createSharedTally(path, columns, 42n);
  return { path, clocks, views: clocks.map((clock, column) => new SharedTally(path, column, clock)) };
}

describe("a shared tally", () => {
  test("counts what all have, and tells how many others there are", () => {
    const [one, two] = table(2).views;
    expect(one!.add("a", 2)).toEqual({ counted: true, others: 0 });
    expect(two!.add("a", 2)).toEqual({ counted: true, others: 1 });
    expect(one!.add("a", 2)).toEqual({ counted: false, others: 2 });
    expect(one!.add("b", 2)).toEqual({ counted: true, others: 0 });
    two!.remove("a");
    expect(one!.add("a", 2)).toEqual({ counted: true, others: 1 });
    // Nothing of it here: what somebody else has is not taken away.
    two!.remove("a");
    expect(two!.add("a", 2)).toEqual({ counted: false, others: 2 });
  });

  test("is, to each key, what one process would have counted, whatever comes in which order", () => {
    const step = fc.record({
      view: fc.nat(2),
      key: fc.constantFrom("a", "b", "2001:db8:0:1::/64"),
      adds: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { views, path } = table(3);
        const open = new Map<string, number>();
        for (const { view, key, adds } of steps) {
          const own = `${view} ${key}`;
          const all = [0, 1, 2].reduce((sum, other) => sum + (open.get(`${other} ${key}`) ?? 0), 0);
          if (adds) {
            const counted = all < 3;
            expect(views[view]?.add(key, 3)).toEqual({ counted, others: all });
            if (counted) open.set(own, (open.get(own) ?? 0) + 1);
          } else if ((open.get(own) ?? 0) > 0) {
            views[view]?.remove(key);
            open.set(own, (open.get(own) ?? 0) - 1);
          }
        }
        rmSync(path);
      }),
      { numRuns: 40 },
    );
  });

  test("forgets what a process had that is gone, and nothing else", () => {
    const { path, views } = table(2);
    const [one, two] = views;
    for (let n = 0; n < 3; n += 1) one!.add("a", 0);
    two!.add("a", 0);
    clearColumn(path, 0);
    expect(two!.add("a", 0)).toEqual({ counted: true, others: 1 });
  });

  test("fills one bucket for all, at a clock's pace, whenever each of them began", () => {
    const clocks = [new ManualClock(), new ManualClock()];
    const { views } = table(2, clocks);
    const pass = (ms: number) => clocks.forEach((clock) => clock.advance(ms));
    const taken = (tries: number) =>
      Array.from({ length: tries }, (_, n) => views[n % 2]?.spend("a", 10)).filter(Boolean).length;
    // The second one's clock began an hour before.
    clocks[1]!.advance(3_600_000);
    views[1]!.spend("somebody else", 10);
    expect(taken(100)).toBe(20);
    pass(500);
    expect(taken(100)).toBe(5);
    pass(60_000);
    expect(taken(100)).toBe(20);
    // A process that stood still while the other ran.
    clocks[0]!.advance(1_000);
    expect(taken(100)).toBe(10);
    expect(views[0]!.spend("b", 10)).toBe(true);
  });

  test("goes on counting when more addresses come than it has rows for", () => {
    const { views } = table(2);
    const [one] = views;
    const keys = Array.from({ length: doorLimits.addresses + 20_000 }, (_, n) => `k${n}`);
    for (const key of keys) expect(one!.add(key, 1).counted).toBe(true);
    for (const key of keys) expect(one!.add(key, 1).counted).toBe(false);
    for (const key of keys) one!.remove(key);
    for (const key of keys.slice(0, 1_000)) expect(one!.add(key, 1)).toEqual({ counted: true, others: 0 });
  });

  test("is no other file", () => {
    const path = join(folder, "other");
    writeFileSync(path, new Uint8Array(100_000));
    expect(() => new SharedTally(path, 0, new ManualClock())).toThrow("is no table of counts");
  });

  test("never lets several processes exceed a limit, however they collide", async () => {
    const { path } = table(4);
    const source = `
      import { SharedTally } from ${JSON.stringify(join(import.meta.dir, "../../src/balancer/shared-tally.ts"))};
      import { systemClock } from ${JSON.stringify(join(import.meta.dir, "../../src/protocol/clock.ts"))};
      const tally = new SharedTally(process.argv[1], Number(process.argv[2]), systemClock);
      let most = 0;
      for (let turn = 0; turn < 100_000; turn += 1) {
        const { counted, others } = tally.add("a", 3);
        if (counted) { most = Math.max(most, others + 1); tally.remove("a"); }
      }
      console.log(most);`;
    const outputs = [0, 1, 2, 3].map((column) =>
      Bun.spawn([process.execPath, "-e", source, path, String(column)], {
        stdout: "pipe",
        stderr: "inherit",
      }).stdout.text(),
    );
    const most = (await Promise.all(outputs)).map(Number);
    expect(Math.max(...most)).toBeLessThanOrEqual(3);
    expect(Math.max(...most)).toBeGreaterThan(0);
    expect(new SharedTally(path, 0, new ManualClock()).add("a", 3)).toEqual({ counted: true, others: 0 });
  });
});
