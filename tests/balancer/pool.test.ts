import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { BackendSpec } from "../../src/balancer/address.ts";
import type { Backend } from "../../src/balancer/backend.ts";
import type { CheckCode, CheckResult } from "../../src/balancer/health.ts";
import type { PoolOptions } from "../../src/balancer/pool.ts";
import { Pool } from "../../src/balancer/pool.ts";
import type { HubReport } from "../../src/edge/trunk.ts";
import { seededRandom } from "../../src/protocol/clock.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { hubReport } from "./report.ts";

const spec = (port: number, weight = 1): BackendSpec => ({ host: "127.0.0.1", port, weight });
const result = (code: CheckCode): CheckResult => ({
  code,
  durationMs: 1,
  detail: code === "L7OK" ? "" : `${code} happened`,
});

const reportOf = (cluster: string, more: Partial<HubReport> = {}): HubReport =>
  hubReport({ cluster, ...more });

function setUp(options: Partial<PoolOptions> = {}) {
  const clock = new ManualClock();
  const changes: string[] = [];
  const pool = new Pool(
    { clock, random: seededRandom(1), policy: "round-robin", ...options },
    {
      added: (backend) => changes.push(`added ${backend.id}`),
      removed: (backend) => changes.push(`removed ${backend.id}`),
      changed: (backend, before) =>
        changes.push(`${backend.port} ${before.state}>${backend.description.state}`),
    },
  );
  const up = (backend: Backend, cluster = "c") => {
    pool.connected(backend, cluster);
    pool.checked(backend, result("L7OK"));
    if (backend.health.verdict !== "up") pool.checked(backend, result("L7OK"));
    return backend;
  };
  const place = (n: number) =>
    Array.from({ length: n }, () => {
      const backend = pool.select();
      if (backend !== undefined) pool.placed(backend);
      return backend?.port;
    });
  return { clock, changes, pool, up, place };
}

describe("the pool", () => {
  test("starts a backend, brings it up on its first good check, and rotates exactly", () => {
    const { pool, up, place, changes } = setUp();
    const all = [1, 2, 3].map((port) => pool.add(spec(port), false));
    expect(all.map(({ description }) => description.state)).toEqual(["starting", "starting", "starting"]);
    expect(pool.select()).toBeUndefined();
    all.forEach((backend) => up(backend));
    expect(place(6)).toEqual([1, 2, 3, 1, 2, 3]);
    expect(all.map(({ totals }) => totals.selected)).toEqual([2, 2, 2]);
    expect(changes.filter((line) => line.includes(">"))).toEqual([
      "1 starting>up",
      "2 starting>up",
      "3 starting>up",
    ]);
  });

  test("keeps reasons apart", () => {
    const { pool } = setUp();
    const codes: CheckCode[] = ["L4CON", "L4TOUT", "L7TOUT", "L7RSP", "wrong-version", "wrong-secret"];
    for (const [index, code] of codes.entries()) {
      const backend = pool.add(spec(index + 1), false);
      pool.checked(backend, result(code));
      expect(backend.description).toEqual({
        state: "down",
        reason: code,
        detail: `${code} happened`,
      } as never);
    }
  });

  test("takes a backend out at once when its trunk dies, and back after two good checks", () => {
    const { pool, up, place } = setUp();
    const [one, two] = [up(pool.add(spec(1), false)), up(pool.add(spec(2), false))];
    pool.died(one, result("L4CON"));
    expect(one.description.state).toBe("down");
    expect(place(2)).toEqual([2, 2]);
    pool.connected(one, "c");
    pool.checked(one, result("L7OK"));
    expect(one.description).toMatchObject({
      state: "starting",
      detail: expect.stringContaining("next good check"),
    });
    expect(place(1)).toEqual([2]);
    pool.checked(one, result("L7OK"));
    expect(one.description.state).toBe("up");
    expect(two.description.state).toBe("up");
  });

  test("starts a recovered backend slowly, but not one that was listed from the beginning", () => {
    const { pool, up, place, clock } = setUp({ slowStartMs: 10_000 });
    const one = up(pool.add(spec(1), false));
    up(pool.add(spec(2), false));
    expect(place(4)).toEqual([1, 2, 1, 2]);
    pool.died(one, result("L4CON"));
    up(one);
    expect(place(22).filter((port) => port === 1)).toHaveLength(2);
    clock.advance(5_000);
    const half = place(30).filter((port) => port === 1).length;
    expect(half).toBeGreaterThanOrEqual(9);
    expect(half).toBeLessThanOrEqual(11);
    clock.advance(5_000);
    expect(place(10).filter((port) => port === 1)).toHaveLength(5);
  });

  test("quarantines the minority's cluster and says what to do", () => {
    const { pool, up, place } = setUp();
    const one = up(pool.add(spec(1), false), "ours");
    const two = up(pool.add(spec(2), false), "other");
    expect(two.description).toMatchObject({ state: "down", reason: "wrong-cluster" });
    expect(two.description.detail).toContain('"other"');
    expect(two.description.detail).toContain("--data");
    expect(place(2)).toEqual([1, 1]);
    // A third turns the majority.
    up(pool.add(spec(3), false), "other");
    expect(one.description.reason).toBe("wrong-cluster");
    expect(two.description.state).toBe("up");
    // Being dead does not make the right cluster wrong.
    pool.died(two, result("L4CON"));
    expect(pool.cluster).toBe("other");
    expect(one.description.reason).toBe("wrong-cluster");
    // Coming back with the right data directory does.
    pool.died(one, result("L4CON"));
    pool.connected(one, "other");
    pool.checked(one, result("L7OK"));
    pool.checked(one, result("L7OK"));
    expect(one.description.state).toBe("up");
  });

  test("ejects after failures in a row, never the last one, and longer each time", () => {
    const { pool, up, clock } = setUp();
    const [one, two] = [up(pool.add(spec(1), false)), up(pool.add(spec(2), false))];
    for (let turn = 0; turn < 5; turn += 1) pool.sessionFailed(one);
    expect(one.description).toMatchObject({ state: "ejected", reason: "ejected" });
    for (let turn = 0; turn < 50; turn += 1) pool.sessionFailed(two);
    expect(two.description.state).toBe("up");
    clock.advance(30_010);
    expect(one.description.state).toBe("up");
    for (let turn = 0; turn < 5; turn += 1) pool.sessionFailed(one);
    clock.advance(30_010);
    expect(one.description.state).toBe("ejected");
    clock.advance(30_010);
    expect(one.description.state).toBe("up");
  });

  test("uses an ejected backend again before nobody serves", () => {
    const { pool, up, place } = setUp();
    const [one, two] = [up(pool.add(spec(1), false)), up(pool.add(spec(2), false))];
    for (let turn = 0; turn < 5; turn += 1) pool.sessionFailed(one);
    pool.died(two, result("L4CON"));
    expect(place(2)).toEqual([1, 1]);
  });

  test("drains for an operator until undone, and for a hub until its trunk ends", () => {
    const { pool, up, place } = setUp();
    const [one, two] = [up(pool.add(spec(1), false)), up(pool.add(spec(2), false))];
    place(4);
    pool.drain(one, { cause: "operator", rate: 5 });
    expect(one.description).toMatchObject({ state: "draining", reason: "draining" });
    expect(one.drain).toMatchObject({ rate: 5, total: 2, left: 0 });
    pool.movedOut(one);
    pool.movedIn(two);
    expect(one.drain?.left).toBe(1);
    expect(place(2)).toEqual([2, 2]);
    pool.ready(one);
    expect(one.description.state).toBe("up");
    pool.reported(two, reportOf("c", { draining: true }));
    expect(two.description.state).toBe("draining");
    pool.died(two, result("L4CON"));
    expect(two.description.state).toBe("down");
    expect(two.drain).toBeUndefined();
  });

  test("does not let a hub's notice undo or shorten an operator's drain", () => {
    const { pool, up } = setUp();
    const one = up(pool.add(spec(1), false));
    pool.drain(one, { cause: "operator", rate: 5 });
    pool.drain(one, { cause: "hub" });
    expect(one.drain?.cause).toBe("operator");
  });

  test("maintenance hides a backend from sessions until it is set ready and judged anew", () => {
    const { pool, up, place } = setUp();
    const one = up(pool.add(spec(1), false));
    pool.maintain(one);
    expect(one.description.state).toBe("maintenance");
    expect(place(1)).toEqual([undefined]);
    pool.ready(one);
    expect(one.description.state).toBe("starting");
    up(one);
    expect(place(1)).toEqual([1]);
  });

  test("refuses a backend that is there already, and keeps the counts of one that left", () => {
    const { pool, up, place } = setUp();
    const one = up(pool.add(spec(1), false));
    expect(() => pool.add(spec(1), true)).toThrow(/in the list already/);
    place(3);
    for (let turn = 0; turn < 3; turn += 1) pool.ended(one);
    pool.remove(one);
    expect(pool.backends).toEqual([]);
    expect(pool.totals()).toMatchObject({ selected: 3, sessionsTotal: 3, ended: 3, sessions: 0 });
  });

  test("estimates users over all balancers from the last report and what happened since", () => {
    const { pool, up, place } = setUp();
    const one = up(pool.add(spec(1), false));
    place(2);
    pool.reported(one, reportOf("c", { sessions: 10 }));
    expect(one.users).toBe(10);
    place(3);
    expect(one.users).toBe(13);
  });
});

test("a backend of weight 0 says that it gets nobody new, and one session is one", () => {
  const { pool, up } = setUp();
  const backend = up(pool.add(spec(1), false));
  pool.weigh(backend, 0);
  expect(backend.description).toMatchObject({ state: "up", detail: "of weight 0: gets nobody new" });
  pool.movedIn(backend);
  pool.drain(backend, { cause: "operator" });
  expect(backend.description.detail).toBe("draining by an operator, 1 session left");
});

describe("under any events", () => {
  type Event =
    | { kind: "check"; at: number; code: CheckCode; cluster: string }
    | {
        kind: "connect" | "die" | "drain" | "ready" | "maintain" | "remove" | "end" | "move" | "works";
        at: number;
        cluster: string;
      }
    | { kind: "add"; port: number; weight: number }
    | { kind: "weigh"; at: number; weight: number }
    | { kind: "session"; outcome: "placed" | "failed" | "pending" }
    | { kind: "pass"; ms: number };
  const at = fc.nat(7);
  const cluster = fc.constantFrom("c", "c", "c", "d");
  const code = fc.constantFrom<CheckCode>(
    "L7OK",
    "L7OK",
    "L7OK",
    "L4CON",
    "L7TOUT",
    "SOCKERR",
    "wrong-version",
  );
  const event: fc.Arbitrary<Event> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("check" as const), at, code, cluster }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constantFrom(
          "connect",
          "connect",
          "die",
          "drain",
          "ready",
          "ready",
          "maintain",
          "remove",
          "end",
          "move",
          "works",
        ),
        at,
        cluster,
      }) as fc.Arbitrary<Event>,
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("add" as const),
        port: fc.integer({ min: 1, max: 8 }),
        weight: fc.integer({ min: 0, max: 3 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("weigh" as const),
        at,
        weight: fc.integer({ min: 0, max: 3 }),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant("session" as const),
        outcome: fc.constantFrom("placed" as const, "placed" as const, "placed" as const, "failed" as const),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
    },
  );

  function run(pool: Pool, clock: ManualClock, all: Event[]): { accepted: number; refused: number } {
    let accepted = 0;
    let refused = 0;
    for (const one of all) {
      const backends = pool.backends;
      const backend = "at" in one ? backends[one.at % Math.max(1, backends.length)] : undefined;
      switch (one.kind) {
        case "add":
          if (pool.get(`127.0.0.1:${one.port}`) === undefined) pool.add(spec(one.port, one.weight), true);
          break;
        case "pass":
          clock.advance(one.ms);
          break;
        case "session": {
          const usable = pool.usable();
          const chosen = pool.select();
          if (chosen === undefined) {
            expect(usable).toEqual([]);
            refused += 1;
          } else {
            expect(usable).toContain(chosen);
            expect(chosen.connected && chosen.health.verdict === "up" && !chosen.maintenance).toBe(true);
            expect(chosen.quarantine).toBeUndefined();
            expect(chosen.drain).toBeUndefined();
            if (one.outcome === "placed") {
              accepted += 1;
              pool.placed(chosen);
            } else pool.failed(chosen);
          }
          break;
        }
        default:
          if (backend !== undefined) apply(pool, backend, one);
      }
      check(pool, accepted);
    }
    return { accepted, refused };
  }

  function apply(pool: Pool, backend: Backend, one: Event): void {
    switch (one.kind) {
      case "check":
        pool.checked(backend, result(one.code));
        pool.reported(backend, reportOf(one.cluster, { sessions: backend.sessions }));
        break;
      case "connect":
        if (!backend.maintenance) pool.connected(backend, one.cluster);
        break;
      case "die":
        if (!backend.connected) break;
        pool.died(backend, result("L4CON"));
        break;
      case "drain":
        pool.drain(backend, { cause: one.cluster === "c" ? "operator" : "hub" });
        break;
      case "ready":
        pool.ready(backend);
        break;
      case "maintain":
        pool.maintain(backend);
        break;
      case "remove":
        while (backend.sessions > 0) pool.ended(backend);
        pool.remove(backend);
        break;
      case "weigh":
        pool.weigh(backend, one.weight);
        break;
      case "end":
        if (backend.sessions > 0) pool.ended(backend);
        break;
      case "move": {
        if (backend.sessions === 0) break;
        const to = pool.selectForHandover(new Set([backend]));
        if (to === undefined) break;
        expect(to).not.toBe(backend);
        pool.movedOut(backend);
        pool.movedIn(to);
        break;
      }
      case "works":
        pool.sessionWorks(backend);
        break;
      default:
    }
  }

  function check(pool: Pool, accepted: number): void {
    const sum = pool.totals();
    expect(sum.selected - sum.failures - sum.pending).toBe(sum.sessionsTotal);
    expect(sum.sessionsTotal).toBe(accepted);
    expect(sum.handoversIn).toBe(sum.handoversOut);
    expect(sum.sessionsTotal - sum.ended).toBe(sum.sessions);
    for (const { totals, sessionsMax, drain } of pool.backends) {
      expect(totals.selected - totals.failures - totals.pending).toBe(totals.sessionsTotal);
      expect(totals.sessionsTotal + totals.handoversIn - totals.handoversOut - totals.ended).toBe(
        totals.sessions,
      );
      expect(totals.sessions).toBeGreaterThanOrEqual(0);
      expect(sessionsMax).toBeGreaterThanOrEqual(totals.sessions);
      if (drain !== undefined) expect(drain.left).toBeGreaterThanOrEqual(drain.total - totals.sessions);
    }
    const clusters = new Set(pool.usable().map((backend) => backend.cluster));
    expect(clusters.size).toBeLessThanOrEqual(1);
  }

  test.each(["round-robin", "least-sessions", "two-choices"] as const)(
    "with %s the counters reconcile, and only those who may take sessions are chosen",
    (policy) => {
      let placed = 0;
      fc.assert(
        fc.property(fc.array(event, { maxLength: 200, size: "max" }), (all) => {
          const { pool, clock, up } = setUp({ policy, slowStartMs: 5_000 });
          for (const port of [1, 2, 3]) up(pool.add(spec(port), false));
          placed += run(pool, clock, all).accepted;
        }),
        { numRuns: 150 },
      );
      // The property would hold of a pool that never placed anybody.
      expect(placed).toBeGreaterThan(1_000);
    },
  );

  test("round robin stays exactly even among those up, however they got there", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200, size: "max" }), (all) => {
        const { pool, clock, up } = setUp();
        for (const port of [1, 2, 3, 4]) up(pool.add(spec(port), false));
        run(pool, clock, all);
        for (const backend of pool.backends) pool.weigh(backend, 1);
        const usable = pool.usable();
        fc.pre(usable.length > 0);
        const before = usable.map(({ totals }) => totals.selected);
        for (let turn = 0; turn < usable.length * 5; turn += 1) pool.placed(pool.select()!);
        expect(usable.map(({ totals }, index) => totals.selected - before[index]!)).toEqual(
          usable.map(() => 5),
        );
      }),
    );
  });
});
