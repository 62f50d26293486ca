/** What a subscriber is told when its server has been away from the store. */
import { describe, expect, test } from "bun:test";
import type { HistoryPage, RoomSubscriber, Snapshot } from "../../src/backplane/backplane.ts";
import { RoomView } from "../../src/backplane/room-view.ts";

const snapshot = (seq: number): Snapshot => ({
  position: { epoch: "e1", seq },
  members: [],
  records: new Map(),
});

function page(...seqs: number[]): HistoryPage {
  const entries = seqs.map((seq) => ({ seq, at: 1, body: Buffer.from(`"text":"${seq}"`) }));
  return { epoch: "e1", first: 1, last: seqs.at(-1) ?? 0, entries };
}

function begun(at: number) {
  const told: string[] = [];
  const subscriber: RoomSubscriber = {
    appended: ({ first, count }) => told.push(`${first} to ${first + count - 1}`),
    presence: () => {},
    record: () => {},
    reset: ({ position }) => told.push(`reset at ${position.seq}`),
  };
  const view = new RoomView("lobby", subscriber);
  view.begin(snapshot(at));
  return { view, told };
}

describe("a page of what was missed", () => {
  test("is told as it is when it goes on where the subscriber stands", () => {
    const { view, told } = begun(4);
    expect(view.continueWith(page(5, 6, 7))).toBe(true);
    expect(told).toEqual(["5 to 7"]);
    expect(view.last).toBe(7);
  });

  test("with a hole in it, wherever, is not told at all: the log cannot be continued", () => {
    for (const holey of [page(6, 7), page(5, 7), page(5, 6, 8, 9), page(5, 5, 6)]) {
      const { view, told } = begun(4);
      expect(view.continueWith(holey)).toBe(false);
      expect(told).toEqual([]);
      expect(view.last).toBe(4);
    }
  });
});
