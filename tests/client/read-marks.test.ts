/** When the server is told how far was read. */
import { expect, test } from "bun:test";
import { ReadMarks } from "../../src/client/read-marks.ts";
import { chatClientLimits } from "../../src/protocol/limits.client.ts";
import { ManualClock } from "../support/manual-clock.ts";

function marks() {
  const clock = new ManualClock();
  const told: string[] = [];
  let reachable = true;
  const host = {
    clock,
    tell: (room: string, { epoch, seq }: { epoch: string; seq: number }) => {
      if (reachable) told.push(`${room} ${epoch} ${seq}`);
      return reachable;
    },
  };
  const subject = new ReadMarks(host);
  return { clock, told, subject, reach: (now: boolean) => (reachable = now) };
}
const at = (seq: number, epoch = "e") => ({ epoch, seq });

test("nothing before the server knows who it is, then what waited; later ones now and then, the last of them", () => {
  const { clock, told, subject } = marks();
  subject.mark("lobby", at(3));
  expect(told).toEqual([]);
  subject.identified();
  for (const seq of [4, 5, 6]) subject.mark("lobby", at(seq));
  subject.mark("ops", at(1));
  expect(told).toEqual(["lobby e 3", "ops e 1"]);
  clock.advance(chatClientLimits.readEveryMs);
  expect(told.slice(2)).toEqual(["lobby e 6"]);
  subject.mark("lobby", at(7));
  subject.mark("lobby", at(8), true);
  expect(told.slice(3)).toEqual(["lobby e 8"]);
  subject.mark("lobby", at(8), true);
  subject.mark("lobby", at(2));
  clock.advance(60_000);
  expect(told).toHaveLength(4);
});

test("what another device has read further need not be told, and another epoch begins anew", () => {
  const { told, subject } = marks();
  subject.mark("lobby", at(3));
  subject.heard({ lobby: at(9), ops: at(2) });
  subject.identified();
  expect(told).toEqual([]);
  subject.mark("lobby", at(1, "other"), true);
  subject.mark("ops", at(3), true);
  expect(told).toEqual(["lobby other 1", "ops e 3"]);
});

test("what could not be told is told on the next connection", () => {
  const { told, subject, reach } = marks();
  subject.identified();
  subject.mark("lobby", at(1));
  reach(false);
  subject.disconnected();
  subject.mark("lobby", at(5));
  reach(true);
  subject.identified();
  expect(told).toEqual(["lobby e 1", "lobby e 5"]);
});
