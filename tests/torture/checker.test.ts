/** The judge itself: each kind of violation is seen, and a clean history is not accused. */
import { describe, expect, test } from "bun:test";
import { Checker, closingLine } from "./checker.ts";
import type { RunEvent, Verdict } from "./checker.ts";

const joined = (c: number): RunEvent => ({
  e: "joined",
  t: 0,
  c,
  room: "r",
  epoch: "e",
  next: 1,
  recovered: true,
});
const send = (id: string): RunEvent => ({ e: "send", t: 1, c: 1, room: "r", id });
const ack = (id: string, seq: number): RunEvent => ({ e: "ack", t: 2, c: 1, room: "r", id, seq });
const got = (c: number, seq: number, id: string): RunEvent => ({
  e: "message",
  t: 3,
  c,
  room: "r",
  seq,
  id,
  text: id,
});
const log = (seq: number, id: string): RunEvent => ({ e: "log", room: "r", seq, id, text: id });

function judge(...events: RunEvent[]): Verdict {
  const checker = new Checker();
  for (const event of [joined(1), joined(2), ...events]) checker.take(event);
  return checker.verdict();
}

const sums = (verdict: Verdict): number[] => [verdict.lost, verdict.duplicated, verdict.reordered];

describe("the judge", () => {
  test("passes a clean history", () => {
    const verdict = judge(send("a"), got(1, 1, "a"), got(2, 1, "a"), ack("a", 1), log(1, "a"));
    expect(sums(verdict)).toEqual([0, 0, 0]);
    expect(verdict.violations).toEqual([]);
    expect(closingLine(verdict)).toBe(
      "sent=1 acked=1 lost=0 duplicated=0 reordered=0 disconnects=0 longest_pause_ms=2 beyond_fault_ms=2 faults=0",
    );
  });

  test("sees an acknowledged message that is not in the log", () => {
    expect(judge(send("a"), ack("a", 1)).lost).toBe(1);
  });

  test("sees a member that missed the end of the log", () => {
    expect(judge(send("a"), got(1, 1, "a"), ack("a", 1), log(1, "a")).lost).toBe(1);
  });

  test("sees a hole in what a member got", () => {
    const verdict = judge(
      send("a"),
      send("b"),
      got(1, 2, "b"),
      got(2, 1, "a"),
      got(2, 2, "b"),
      log(1, "a"),
      log(2, "b"),
    );
    expect(sums(verdict)).toEqual([1, 0, 0]);
  });

  test("sees a message delivered twice", () => {
    const verdict = judge(send("a"), got(1, 1, "a"), got(1, 1, "a"), got(2, 1, "a"), log(1, "a"));
    expect(sums(verdict)).toEqual([0, 1, 0]);
  });

  test("sees a message logged twice", () => {
    const twice = [got(1, 1, "a"), got(2, 1, "a"), got(1, 2, "a"), got(2, 2, "a"), log(1, "a"), log(2, "a")];
    expect(judge(send("a"), ...twice).duplicated).toBe(1);
  });

  test("sees one position that carries two messages", () => {
    expect(judge(send("a"), send("b"), got(1, 1, "a"), got(2, 1, "b"), log(1, "a")).reordered).toBe(1);
  });

  test("sees a delivered message that was never logged", () => {
    expect(judge(send("a"), got(1, 1, "a"), got(2, 1, "a")).lost).toBe(1);
  });

  test("sees an announced gap", () => {
    const gap: RunEvent = { e: "joined", t: 9, c: 1, room: "r", epoch: "f", next: 3, recovered: false };
    expect(judge(gap).lost).toBe(2);
  });

  test("sees presence noise once everybody is there", () => {
    const presence: RunEvent = { e: "presence", t: 1, c: 1, room: "r", nick: "n", state: "leave" };
    expect(judge(presence).noise).toBe(0);
    expect(judge({ e: "steady", t: 0 }, presence).noise).toBe(1);
  });

  test("tells how much of a pause was the fault itself, and after which fault it was", () => {
    const sendAt = (id: string, t: number): RunEvent => ({ e: "send", t, c: 1, room: "r", id });
    const answerAt = (id: string, seq: number, t: number): RunEvent[] => [
      { ...got(1, seq, id), t } as RunEvent,
      { ...got(2, seq, id), t } as RunEvent,
      { e: "ack", t, c: 1, room: "r", id, seq },
      log(seq, id),
    ];
    const verdict = judge(
      { e: "fault", t: 100, what: "hang server-2 (keeper)" },
      sendAt("a", 110),
      ...answerAt("a", 1, 800),
      { e: "fault", t: 1_000, what: "kill redis" },
      { e: "away", t: 1_000 },
      sendAt("b", 990),
      // Whoever does not read meanwhile waits no longer for it.
      { e: "away", t: 2_000, c: 1 },
      { e: "back", t: 5_000 },
      { e: "back", t: 5_100, c: 1 },
      ...answerAt("b", 2, 5_200),
    );
    expect(sums(verdict)).toEqual([0, 0, 0]);
    expect(closingLine(verdict)).toContain("longest_pause_ms=4210 beyond_fault_ms=690 faults=2");
    expect(verdict.pauses).toEqual([
      "  hang server (keeper)  longest pause 690 ms",
      "  kill redis            longest pause 4210 ms, and 210 ms longer than the fault itself",
    ]);
  });
});
