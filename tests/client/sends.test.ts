/** The queue of messages on their way, and the sender over it: bounds, attempts, and who waits for whom. */
import { describe, expect, test } from "bun:test";
import type { ClientEvent } from "../../src/client/events.ts";
import { Sender } from "../../src/client/sender.ts";
import { SendQueue } from "../../src/client/sends.ts";
import { chatClientLimits } from "../../src/protocol/limits.client.ts";
import { SimClock } from "./sim-clock.ts";

describe("the queue of messages on their way", () => {
  const limits = { pendingSends: 4, pendingBytes: 40, sendsInFlight: 2 };

  test("takes so many, and so many bytes, and has room again for what was answered", () => {
    const byCount = new SendQueue(limits);
    for (const id of ["a", "b", "c", "d"]) expect(byCount.add(id, "r", "")).toBeTrue();
    expect(byCount.add("e", "r", "")).toBeFalse();
    byCount.remove(byCount.get("a")!);
    expect(byCount.add("e", "r", "")).toBeTrue();

    const byBytes = new SendQueue(limits);
    // Text, id and room count: 20 bytes each.
    const eighteen = "äöüäöüäöü";
    expect([byBytes.add("a", "r", eighteen), byBytes.add("b", "r", eighteen)]).toEqual([true, true]);
    expect(byBytes.add("c", "r", "")).toBeFalse();
    byBytes.remove(byBytes.get("b")!);
    byBytes.remove({ ...byBytes.get("a")!, id: "never there" });
    expect([byBytes.add("c", "r", eighteen), byBytes.add("d", "r", "")]).toEqual([true, false]);
  });

  test("tells once, after a refusal, when half of it is free again", () => {
    const queue = new SendQueue(limits);
    for (const id of ["a", "b", "c", "d"]) queue.add(id, "r", "");
    queue.remove(queue.get("a")!);
    expect(queue.takeWritable()).toBeFalse();
    queue.add("a", "r", "");
    expect(queue.add("e", "r", "")).toBeFalse();
    queue.remove(queue.get("a")!);
    expect(queue.takeWritable()).toBeFalse();
    queue.remove(queue.get("b")!);
    expect([queue.takeWritable(), queue.takeWritable()]).toEqual([true, false]);

    const long = new SendQueue(limits);
    long.add("a", "r", "x".repeat(30));
    expect(long.add("b", "r", "x".repeat(30))).toBeFalse();
    // Few messages, but more than half of the bytes.
    expect(long.takeWritable()).toBeFalse();
    long.remove(long.get("a")!);
    expect(long.takeWritable()).toBeTrue();
  });
});

describe("a sender", () => {
  function setUp() {
    const clock = new SimClock();
    const events: ClientEvent[] = [];
    const written: unknown[] = [];
    let ids = 0;
    const sender = new Sender({
      clock,
      random: () => 0.5,
      emit: (event) => events.push(event),
      newId: () => `id${(ids += 1)}`,
      write: (object) => written.push(object),
      signed: (extras) => extras,
      ready: () => true,
      roomLost: () => {},
    });
    sender.welcomed("session", false);
    const outcomes = () => events.flatMap((event) => (event.kind === "sent" ? [event.outcome] : []));
    return { clock, sender, written, outcomes };
  }

  test("tries as often as it says, and then tells why not", () => {
    const { clock, sender, written, outcomes } = setUp();
    sender.send("lobby", "never", "a");
    for (let attempt = 1; outcomes().length === 0 && attempt < 100; attempt += 1) {
      expect(written).toHaveLength(attempt);
      sender.refused({ type: "error", code: "unavailable", message: "not now", id: "a" });
      clock.advance(chatClientLimits.backoffMostMs);
    }
    expect(written).toHaveLength(chatClientLimits.sendAttempts);
    expect(outcomes()).toMatchObject([{ ok: false, code: "unavailable", text: "never" }]);
  });

  test("waits as long as a server asks, but not for ever", () => {
    const { clock, sender, written } = setUp();
    sender.send("lobby", "slowly", "a");
    const refuse = (afterMs: number) =>
      sender.refused({ type: "error", code: "rate-limited", message: "too fast", id: "a", afterMs });
    refuse(1_000);
    clock.advance(999);
    expect(written).toHaveLength(1);
    clock.advance(1);
    expect(written).toHaveLength(2);
    refuse(Number.MAX_VALUE);
    clock.advance(chatClientLimits.backoffMostMs);
    expect(written).toHaveLength(3);
  });
});
