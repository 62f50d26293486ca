/** Rates, deadlines and shares, on a clock that the test moves. */
import { describe, expect, test } from "bun:test";
import { type Backend, describe as describeBackend } from "../../src/balancer/backend.ts";
import { Mover } from "../../src/balancer/mover.ts";
import { Pool } from "../../src/balancer/pool.ts";
import type { HubReport } from "../../src/edge/trunk.ts";
import { balancerLimits } from "../../src/protocol/limits.balancer.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { hubReport } from "./report.ts";

function setUp(counts: readonly number[], rebalanceRate = 0) {
  const clock = new ManualClock();
  const emptied: Backend[] = [];
  const drained: string[] = [];
  const pool = new Pool(
    { clock, random: () => 0.5, policy: "round-robin" },
    { added: () => {}, changed: () => {}, removed: () => {} },
  );
  const join = (port: number, sessions: number, weight = 1): Backend => {
    const backend = pool.add({ host: "127.0.0.1", port, weight }, true);
    pool.connected(backend, "c");
    pool.checked(backend, { code: "L7OK", durationMs: 1, detail: "" });
    for (let at = 0; at < sessions; at += 1) pool.movedIn(backend);
    return backend;
  };
  const mover = new Mover({
    pool,
    clock,
    rebalanceRate,
    emptied: (backend) => emptied.push(backend),
    drained: (backend) => drained.push(backend.id),
    move: (from, count) => {
      let moved = 0;
      for (; moved < count && from.sessions > 0; moved += 1) {
        const to = pool.selectForHandover(new Set([from]));
        if (to === undefined) break;
        pool.movedOut(from);
        pool.movedIn(to);
      }
      return moved;
    },
  });
  const backends = counts.map((sessions, index) => join(index + 1, sessions));
  return { clock, pool, mover, emptied, drained, backends, join };
}

describe("a drain", () => {
  test("moves as many a second as asked for", () => {
    const { clock, pool, backends } = setUp([100, 0, 0]);
    const [one, two, three] = backends as [Backend, Backend, Backend];
    pool.drain(one, { cause: "operator", rate: 15 });
    const left: number[] = [];
    for (let second = 0; second < 7; second += 1) {
      clock.advance(1_000);
      left.push(one.sessions);
    }
    expect(left).toEqual([85, 70, 55, 40, 25, 10, 0]);
    expect([two.sessions, three.sessions]).toEqual([50, 50]);
    expect(one.drain).toMatchObject({ total: 100, left: 100 });
  });

  test("is told to be done, once", () => {
    const { clock, pool, drained, backends } = setUp([3, 0]);
    const [one] = backends as [Backend];
    pool.drain(one, { cause: "operator", rate: 1 });
    clock.advance(2_000);
    expect(drained).toEqual([]);
    clock.advance(5_000);
    expect(drained).toEqual([one.id]);
    pool.ready(one);
    pool.drain(one, { cause: "operator" });
    clock.advance(1_000);
    expect(drained).toEqual([one.id, one.id]);
  });

  test("moves all that is left at its deadline", () => {
    const { clock, pool, backends } = setUp([100, 0]);
    const [one] = backends as [Backend];
    pool.drain(one, { cause: "operator", rate: 1, deadlineMs: 5_000 });
    clock.advance(4_900);
    expect(one.sessions).toBe(96);
    clock.advance(200);
    expect(one.sessions).toBe(0);
  });

  test("keeps its deadline when somebody sets the clock", () => {
    for (const step of [-3_600_000, 3_600_000]) {
      const { clock, pool, backends } = setUp([100, 0]);
      const [one] = backends as [Backend];
      pool.drain(one, { cause: "operator", rate: 1, deadlineMs: 5_000 });
      clock.step(step);
      clock.advance(4_900);
      expect(one.sessions).toBe(96);
      clock.advance(200);
      expect(one.sessions).toBe(0);
    }
  });

  test("goes at least fast enough to be done in half of the time a stopping server gives", () => {
    const { clock, pool, backends } = setUp([1_000, 0]);
    const [one] = backends as [Backend];
    pool.drain(one, { cause: "hub" });
    clock.advance(2_600);
    expect(one.sessions).toBe(0);
  });

  test("leaves sessions where they are while nobody else serves, and does not make up for it in one go", () => {
    const { clock, pool, backends } = setUp([50, 0]);
    const [one, two] = backends as [Backend, Backend];
    pool.maintain(two);
    pool.drain(one, { cause: "operator", rate: 10 });
    clock.advance(20_000);
    expect(one.sessions).toBe(50);
    pool.ready(two);
    pool.checked(two, { code: "L7OK", durationMs: 1, detail: "" });
    clock.advance(100);
    expect(one.sessions).toBeGreaterThanOrEqual(40);
  });

  test("does not make up in one go for the time that the machine slept", () => {
    const { clock, pool, backends } = setUp([100, 0]);
    const [one] = backends as [Backend];
    pool.drain(one, { cause: "operator", rate: 10, deadlineMs: 3_600_000 });
    clock.advance(1_000);
    expect(one.sessions).toBe(90);
    const monotonic = clock.monotonic.bind(clock);
    clock.monotonic = () => monotonic() + 600_000;
    clock.advance(100);
    expect(one.sessions).toBe(80);
  });

  test("ends where it is when it is undone", () => {
    const { clock, pool, backends } = setUp([50, 0]);
    const [one] = backends as [Backend];
    pool.drain(one, { cause: "operator", rate: 10 });
    clock.advance(2_000);
    pool.ready(one);
    const left = one.sessions;
    clock.advance(10_000);
    expect(one.sessions).toBe(left);
  });

  test("before a removal ends with the removal", () => {
    const { clock, pool, backends, emptied } = setUp([20, 0]);
    const [one] = backends as [Backend];
    pool.drain(one, { cause: "removal", rate: 10 });
    clock.advance(1_900);
    expect(emptied).toEqual([]);
    clock.advance(200);
    expect(emptied[0]).toBe(one);
  });

  test("before a removal waits for a session that is on its way there", () => {
    const { clock, pool, backends, emptied } = setUp([0, 0]);
    const chosen = pool.select(new Set(backends.slice(1)));
    expect(chosen).toBe(backends[0]);
    pool.drain(backends[0]!, { cause: "removal" });
    clock.advance(1_000);
    expect(emptied).toEqual([]);
    pool.failed(backends[0]!);
    clock.advance(100);
    expect(emptied[0]).toBe(backends[0]);
  });
});

describe("a backend that cannot reach its log", () => {
  const report = (backplane: HubReport["backplane"]) => hubReport({ backplane });

  test("is left, at a rate, and gets nobody, while others can reach theirs", () => {
    const { clock, pool, backends } = setUp([300, 0, 0]);
    const [one, two, three] = backends as [Backend, Backend, Backend];
    for (const backend of backends) pool.reported(backend, report("ok"));
    pool.reported(one, report("degraded"));
    clock.advance(5_000);
    expect(one.sessions).toBe(300);
    pool.reported(one, report("down"));
    expect(pool.usable()).toEqual([two, three]);
    clock.advance(balancerLimits.noLogMs - balancerLimits.moveTickMs);
    expect(one.sessions).toBe(300);
    clock.advance(1_000);
    expect(one.sessions).toBe(300 - balancerLimits.drainRate);
    clock.advance(10_000);
    expect([one.sessions, two.sessions, three.sessions]).toEqual([0, 150, 150]);
    pool.reported(one, report("ok"));
    expect(pool.usable()).toEqual(backends);
  });

  test("keeps its people while nobody else can, and is used as the others are", () => {
    const { clock, pool, backends } = setUp([10, 5]);
    const [one, two] = backends as [Backend, Backend];
    pool.reported(one, report("down"));
    clock.advance(2_000);
    pool.reported(two, report("down"));
    clock.advance(10_000);
    expect([one.sessions, two.sessions]).toEqual([10, 5]);
    expect(pool.usable()).toEqual(backends);
    expect(describeBackend(one, 0)).toMatchObject({
      state: "up",
      detail: expect.stringContaining("its log is down"),
    });
    pool.weigh(one, 0);
    clock.advance(10_000);
    expect(one.sessions).toBe(10);
  });
});

describe("a rebalance", () => {
  test("moves a newcomer's share to it, at its rate, from the fullest, and then no more", () => {
    const { clock, mover, backends, join } = setUp([60, 30], 10);
    const fresh = join(3, 0);
    mover.joined(fresh);
    clock.advance(1_000);
    expect(fresh.sessions).toBe(10);
    expect(backends.map(({ sessions }) => sessions)).toEqual([50, 30]);
    clock.advance(60_000);
    expect([...backends, fresh].map(({ sessions }) => sessions)).toEqual([30, 30, 30]);
  });

  test("respects weights", () => {
    const { clock, mover, backends, join } = setUp([60, 60], 100);
    const fresh = join(3, 0, 2);
    mover.joined(fresh);
    clock.advance(10_000);
    expect(fresh.sessions).toBe(60);
    expect(backends.map(({ sessions }) => sessions)).toEqual([30, 30]);
  });

  test("takes from who has most for its weight", () => {
    const { clock, mover, backends, pool, join } = setUp([40, 60], 10);
    pool.weigh(backends[1]!, 3);
    mover.joined(join(3, 0));
    clock.advance(1_000);
    expect(backends.map(({ sessions }) => sessions)).toEqual([30, 60]);
  });

  test("does nothing unless asked for", () => {
    const { clock, mover, backends, join } = setUp([60, 60], 0);
    mover.joined(join(3, 0));
    clock.advance(10_000);
    expect(backends.map(({ sessions }) => sessions)).toEqual([60, 60]);
  });
});
