/** What a hub keeps and tries is bounded: recent messages, lines that wait, reads of a log that does not answer. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { RecentMessages } from "../../src/hub/recent.ts";
import { RequestQueue } from "../../src/hub/request-queue.ts";
import type { QueueOwner, Slot } from "../../src/hub/request-queue.ts";
import { fenceOf } from "../../src/hub/token.ts";
import { World } from "./support/world.ts";

describe("the newest messages of a room", () => {
  const limits = { roomCacheMessages: 12, roomCacheBytes: 120 };
  /** The lines of entries `from` to `to`, each of its own length. */
  const linesOf = (from: number, to: number): Buffer[] =>
    Array.from({ length: Math.max(0, to - from + 1) }, (_, at) =>
      Buffer.from(`${from + at}${"x".repeat((from + at) % 7)}\n`),
    );
  const step = fc.oneof(
    fc.record({ kind: fc.constant("push" as const), count: fc.integer({ min: 1, max: 5 }) }),
    fc.record({
      kind: fc.constant("extend" as const),
      back: fc.nat(20),
      count: fc.integer({ min: 1, max: 20 }),
    }),
    fc.constant({ kind: "clear" as const }),
  );

  test("are the last of the log, in order, within both bounds, whatever is read from the log and forgotten", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const budget = { bytes: 0 };
        const recent = new RecentMessages(limits, budget);
        let last = 0;
        for (const one of steps) {
          if (one.kind === "push") {
            recent.push(Buffer.concat(linesOf(last + 1, last + one.count)), one.count);
            last += one.count;
          } else if (one.kind === "clear") recent.clear(last);
          else {
            // A page of the log that ends somewhere, also where nothing of it can be used.
            const end = Math.max(0, last - one.back);
            recent.extend(linesOf(Math.max(1, end - one.count + 1), end), end);
          }
          const kept = linesOf(recent.after + 1, last);
          expect(recent.since(0).map(String)).toEqual(kept.map(String));
          expect([recent.length, recent.bytes, budget.bytes]).toEqual([
            kept.length,
            Buffer.concat(kept).length,
            Buffer.concat(kept).length,
          ]);
          expect(recent.length).toBeLessThanOrEqual(limits.roomCacheMessages);
          expect(recent.bytes).toBeLessThanOrEqual(limits.roomCacheBytes);
          const seq = recent.after + Math.floor(recent.length / 2);
          expect(recent.since(seq).map(String)).toEqual(linesOf(seq + 1, last).map(String));
        }
      }),
    );
  });
});

describe("lines that wait for their turn", () => {
  const limits = { waitingLines: 4, waitingBytes: 40, publishesInFlight: 2 };
  function blocked() {
    const slots: Slot<string>[] = [];
    const owner: QueueOwner<string> = {
      prepare: (line) => ({ order: "exclusive", request: line.toString() }),
      start: (slot) => void slots.push(slot),
      answer: () => {},
    };
    const queue = new RequestQueue(owner, limits);
    expect(queue.push(Buffer.from("first\n"))).toBeTrue();
    return { queue, slots };
  }

  test("are so many, not counting those that have started", () => {
    const { queue, slots } = blocked();
    // The one whose turn is next has been read already.
    expect(queue.push(Buffer.from("a\nb\nc\nd\n"))).toBeTrue();
    expect(queue.push(Buffer.from("e\n"))).toBeFalse();
    for (let line = 0; line < 6; line += 1) slots[line]?.finish();
    expect([slots.length, queue.done]).toEqual([6, 6]);
    expect(queue.push(Buffer.from("a\nb\nc\nd\ne\n"))).toBeTrue();
  });

  test("are of so many bytes, however few they are", () => {
    const { queue, slots } = blocked();
    expect(queue.push(Buffer.from(`${"x".repeat(40)}\n`))).toBeTrue();
    expect(queue.push(Buffer.from("x\n"))).toBeFalse();
    for (let line = 0; line < 3; line += 1) slots[line]?.finish();
    expect(queue.push(Buffer.from(`${"x".repeat(40)}\n`))).toBeTrue();
  });
});

test("a log that never gives what a reader misses is given up, with a word", () => {
  const world = new World({ roomCacheMessages: 1 });
  const site = world.site();
  const ana = world.person(site, "ana", "lobby");
  for (const text of ["1", "2", "3", "4"]) world.ask(ana, { type: "send", room: "lobby", text });
  let reads = 0;
  site.backplane.history = (_, done) => {
    reads += 1;
    done({ ok: true, page: { epoch: "e1", first: 1, last: 4, entries: [] } });
  };
  const ben = world.person(site, "ben");
  const answer = world.ask(ben, { type: "join", room: "lobby", id: "j", since: { epoch: "e1", seq: 1 } });
  expect(answer).toMatchObject([{ type: "error", code: "unavailable", id: "j" }]);
  expect(reads).toBeLessThan(20);
});

test("a connection that is moved without end stays behind the next connection of its session", () => {
  const moved = [0, 1, 2, 2_046, 2_047, 1_000_000].map((moves) => fenceOf(1_700_000_000_000, moves));
  expect(moved).toEqual(moved.toSorted((a, b) => a - b));
  expect(fenceOf(1_700_000_000_001, 0)).toBeGreaterThan(moved.at(-1) ?? 0);
  expect(Number.isSafeInteger(moved.at(-1))).toBeTrue();
});

test("looking for what a direct message is about is paid for as a request", () => {
  // One for hello.
  const world = new World({ requestsBurst: 3, requestsPerSecond: 1 });
  const site = world.site();
  const ana = world.person(site, "ana");
  world.person(site, "ben");
  world.ask(ana, { type: "send", room: "@ben", text: "hi" });
  const about = (id: string) =>
    world.ask(ana, { type: "send", room: "@ben", id, text: "again", re: { kind: "reply", seq: 1 } }).at(-1);
  expect([about("1"), about("2"), about("3")]).toMatchObject([
    { type: "ack" },
    { type: "ack" },
    { type: "error", code: "rate-limited" },
  ]);
});
