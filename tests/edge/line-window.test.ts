import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LineWindow } from "../../src/edge/line-window.ts";
import { Deadlines } from "../../src/edge/deadlines.ts";

type Step =
  | { readonly kind: "add"; readonly lines: readonly number[] }
  | { readonly kind: "take" }
  | { readonly kind: "finish"; readonly part: number }
  | { readonly kind: "rewind" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("add" as const),
    lines: fc.array(fc.nat(60), { minLength: 1, maxLength: 12 }),
  }),
  fc.constant({ kind: "take" as const }),
  fc.constant({ kind: "take" as const }),
  fc.record({ kind: fc.constant("finish" as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.constant({ kind: "rewind" as const }),
);

describe("a window of lines", () => {
  test("gives every line in order, never more than its limits, and all unfinished ones again after a rewind", () => {
    const limits = { unackedLines: 8, unackedBytes: 200 };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const window = new LineWindow(limits);
        let made = 0;
        let given = 0;
        let done = 0;
        const lengths: number[] = [];
        for (const one of steps) {
          if (one.kind === "add") {
            let text = "";
            for (const extra of one.lines) {
              const line = `${made}${"x".repeat(extra)}\n`;
              lengths.push(line.length);
              text += line;
              made += 1;
            }
            window.add(Buffer.from(text));
          } else if (one.kind === "take") {
            const unfinished = given > done;
            const bytes = window.take();
            if (bytes === undefined) {
              // Nothing there, or not one line more fits.
              const next = lengths[given];
              const used = lengths.slice(done, given).reduce((sum, length) => sum + length, 0);
              if (next !== undefined && unfinished) {
                const fits = given - done < limits.unackedLines && used + next <= limits.unackedBytes;
                // A stale line at the head of a slice may still count: never more than one slice of lines.
                if (fits) expect(used + next + 61 * 12).toBeGreaterThan(limits.unackedBytes);
              } else expect(next).toBeUndefined();
            } else {
              for (const line of Buffer.from(bytes).toString().split("\n").slice(0, -1)) {
                expect(Number.parseInt(line, 10)).toBe(given);
                given += 1;
              }
              expect(given - done).toBeLessThanOrEqual(limits.unackedLines);
            }
          } else if (one.kind === "finish") {
            done += Math.floor((given - done) * one.part);
            window.finish(done);
          } else {
            window.rewind();
            given = done;
          }
          if (one.kind === "rewind") {
            // What is finished is gone for good.
            expect(window.bytes).toBe(lengths.slice(done).reduce((sum, length) => sum + length, 0));
          }
          const kept = lengths.slice(done).reduce((sum, length) => sum + length, 0);
          expect([window.done, window.given]).toEqual([done, given]);
          expect(window.isEmpty).toBe(done === made);
          expect(window.isWaiting).toBe(given < made);
          expect(window.bytes).toBeGreaterThanOrEqual(kept);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("gives a line longer than the window when it is the only one", () => {
    const window = new LineWindow({ unackedLines: 8, unackedBytes: 10 });
    window.add(Buffer.from(`${"x".repeat(50)}\nsecond\n`));
    expect(window.take()?.length).toBe(51);
    expect(window.take()).toBeUndefined();
    expect(window.isFull).toBe(true);
    window.finish(1);
    expect(Buffer.from(window.take() ?? []).toString()).toBe("second\n");
  });

  test("is not confused by a hub that finishes what it was not given, or goes back", () => {
    const window = new LineWindow({ unackedLines: 8, unackedBytes: 1_000 });
    window.add(Buffer.from("a\nb\nc\n"));
    window.finish(2);
    expect(window.done).toBe(0);
    window.take();
    window.finish(99);
    expect([window.done, window.isEmpty]).toEqual([3, true]);
    window.finish(1);
    expect(window.done).toBe(3);
  });

  test("is full at its last byte, and gives up a slice once all of its lines are finished, however that came", () => {
    const window = new LineWindow({ unackedLines: 100, unackedBytes: 6 });
    window.add(Buffer.from("a\nb\nc\n"));
    expect(window.isFull).toBe(true);
    window.take();
    for (const done of [1, 2]) {
      window.finish(done);
      // A slice of which lines are unfinished is kept whole.
      expect([window.bytes, window.isFull]).toEqual([6, true]);
    }
    window.finish(3);
    expect([window.bytes, window.isFull, window.isEmpty]).toEqual([0, false, true]);
  });

  test("has no room while it is full, and room again at half", () => {
    const window = new LineWindow({ unackedLines: 4, unackedBytes: 1_000 });
    window.add(Buffer.from("1\n2\n3\n4\n5\n"));
    expect(window.take()?.length).toBe(8);
    expect([window.isFull, window.isWaiting, window.hasRoom]).toEqual([true, true, false]);
    window.finish(1);
    expect(window.take()?.length).toBe(2);
    window.finish(2);
    expect([window.isFull, window.isWaiting, window.hasRoom]).toEqual([false, false, false]);
    window.finish(3);
    expect(window.hasRoom).toBe(true);
  });
});

test("deadlines are due in the order in which they began, and may be changed while they are read", () => {
  const waiting = new Deadlines<string>();
  for (const [index, member] of ["a", "b", "c", "d"].entries()) waiting.add(member, index * 10);
  waiting.add("a", 35);
  expect(waiting.since("a")).toBe(0);
  const due: string[] = [];
  for (const member of waiting.due(20)) {
    due.push(member);
    waiting.delete(member);
    if (member === "a") waiting.delete("b");
  }
  expect(due).toEqual(["a", "c"]);
  expect(waiting.all()).toEqual(["d"]);
  expect([waiting.has("d"), waiting.delete("d"), waiting.delete("d"), waiting.size]).toEqual([
    true,
    true,
    false,
    0,
  ]);
});
