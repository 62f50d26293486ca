/** A room by itself and the map of all rooms: who waits for a position, and what becomes of a room that nobody needs. */
import { describe, expect, test } from "bun:test";
import type { Backplane, Snapshot } from "../../src/backplane/backplane.ts";
import { Core } from "../../src/hub/core.ts";
import { defaultHubLimits } from "../../src/hub/options.ts";
import { requestHandlers } from "../../src/hub/requests/table.ts";
import type { CacheBudget } from "../../src/hub/recent.ts";
import type { Rooms } from "../../src/hub/rooms.ts";
import type { Room } from "../../src/hub/room.ts";
import { deliveriesOf } from "../../src/protocol/deliveries.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { ManualClock } from "../support/manual-clock.ts";

type Answer = Parameters<Backplane["subscribe"]>[2];

/** Rooms over a backplane that answers when it is told to. */
class Site {
  readonly clock = new ManualClock();
  /** What was asked of the backplane. */
  readonly calls: string[] = [];
  readonly #answers: Answer[] = [];
  readonly limits: typeof defaultHubLimits;
  readonly rooms: Rooms;
  readonly cacheBudget: CacheBudget;

  constructor(limits: Partial<typeof defaultHubLimits> = {}) {
    this.limits = { ...defaultHubLimits, ...limits };
    const backplane: Partial<Backplane> = {
      subscribe: (log, _, done) => {
        this.calls.push(`subscribe ${log}`);
        this.#answers.push(done);
      },
      unsubscribe: (log) => void this.calls.push(`unsubscribe ${log}`),
    };
    const options = {
      backplane: backplane as Backplane,
      server: "s",
      build: "b",
      secret: new Uint8Array(32),
      clock: this.clock,
      random: Math.random,
      logger: silentLogger,
      limits,
    };
    const core = new Core(options, requestHandlers);
    this.rooms = core.rooms;
    this.cacheBudget = core.cacheBudget;
  }

  /** The backplane answers the oldest subscription. */
  answer(epoch = "e1"): void {
    const snapshot: Snapshot = { position: { epoch, seq: 0 }, members: [], records: new Map() };
    this.#answers.shift()?.({ ok: true, snapshot });
  }

  open(name: string): Room {
    let got: Room | undefined;
    this.rooms.acquire(name, name, (result) => {
      if (result.ok) got = result.room;
    });
    this.answer();
    if (got === undefined) throw new Error(`${name} did not open`);
    return got;
  }
}

function append(room: Room, first: number, last: number, text = "x"): void {
  const body = new TextEncoder().encode(`"room":"r","from":"a","text":"${text}"`);
  const entries = Array.from({ length: last - first + 1 }, (_, n) => ({ seq: first + n, at: 1, body }));
  room.appended(deliveriesOf(entries));
}

describe("who waits for a position of a room", () => {
  function waiting() {
    const room = new Site().open("r");
    const ran: number[] = [];
    const wait = (seq: number, epoch = "e1") => room.whenReached({ epoch, seq }, () => ran.push(seq));
    return { room, ran, wait };
  }

  test("is run when the room gets there, whatever order they came in", () => {
    const { room, ran, wait } = waiting();
    for (const seq of [5, 3, 4, 0]) wait(seq);
    expect(ran).toEqual([0]);
    append(room, 1, 3);
    expect(ran).toEqual([0, 3]);
    append(room, 4, 9);
    expect(ran).toEqual([0, 3, 4, 5]);
  });

  test("does not wait for what will never be: another epoch, or a room that is over", () => {
    const { room, ran, wait } = waiting();
    wait(7, "another");
    expect(ran).toEqual([7]);
    wait(8);
    room.close();
    expect(ran).toEqual([7, 8]);
    wait(9);
    expect(ran).toEqual([7, 8, 9]);
  });
});

describe("a room that nobody needs", () => {
  test("is unsubscribed at once, or after a while if somebody may come back", () => {
    const site = new Site();
    site.rooms.release(site.open("r"), false);
    expect(site.calls).toEqual(["subscribe r", "unsubscribe r"]);
    site.rooms.release(site.open("s"));
    site.clock.advance(site.limits.roomLingerMs - 1);
    expect(site.rooms.count).toBe(1);
    site.rooms.acquire("s", "s", () => {});
    site.clock.advance(site.limits.roomLingerMs);
    expect(site.calls.slice(2)).toEqual(["subscribe s"]);
  });

  test("stays while its subscription is being renewed, and is unsubscribed once", () => {
    const site = new Site();
    const room = site.open("r");
    // A gap: it is subscribed anew.
    append(room, 5, 6);
    expect(site.calls).toEqual(["subscribe r", "unsubscribe r", "subscribe r"]);
    site.rooms.release(room, false);
    site.clock.advance(site.limits.roomLingerMs * 2);
    expect(site.rooms.count).toBe(1);
    site.answer("e2");
    site.clock.advance(site.limits.roomLingerMs);
    expect(site.rooms.count).toBe(0);
    expect(site.calls.slice(3)).toEqual(["unsubscribe r"]);
  });
});

describe("the caches of all rooms together", () => {
  test("are bounded also where every room is active, and taken from quiet ones first", () => {
    const site = new Site({ cacheBytes: 4_000 });
    const quiet = site.open("quiet");
    const busy = site.open("busy");
    append(quiet, 1, 1, "q".repeat(2_500));
    append(busy, 1, 1, "b".repeat(1_000));
    expect(site.cacheBudget.bytes).toBeLessThan(4_000);
    // Both have been active since they began: somebody must give way all the same.
    append(busy, 2, 2, "b".repeat(1_000));
    expect(site.cacheBudget.bytes).toBeLessThanOrEqual(4_000);
    expect(site.cacheBudget.bytes).toBe(quiet.recent.bytes + busy.recent.bytes);
  });

  test("of rooms that were active since the last look are kept", () => {
    const site = new Site({ cacheBytes: 4_000 });
    const busy = site.open("busy");
    const quiet = site.open("quiet");
    append(quiet, 1, 1, "q".repeat(2_500));
    append(busy, 1, 1, "b".repeat(1_000));
    quiet.active = false;
    append(busy, 2, 2, "b".repeat(1_000));
    expect([quiet.recent.length, busy.recent.length]).toEqual([0, 2]);
  });
});
