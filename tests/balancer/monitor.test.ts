/** The monitor over trunks that the test plays, on a clock that the test moves. */
import { describe, expect, test } from "bun:test";
import { balancerLimits } from "../../src/protocol/limits.balancer.ts";
import type { Backend } from "../../src/balancer/backend.ts";
import { Monitor, type TrunkEvents } from "../../src/balancer/monitor.ts";
import { Pool } from "../../src/balancer/pool.ts";
import type { TrunkEnd } from "../../src/edge/remote-trunk.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { hubReport } from "./report.ts";

const report = hubReport();
const refused: TrunkEnd = { kind: "connect", message: "nobody listens there" };

interface Played {
  readonly events: TrunkEvents;
  stopped: boolean;
}

function setUp() {
  const clock = new ManualClock();
  const dials: Played[] = [];
  const monitor: Monitor = new Monitor({
    get pool() {
      return pool;
    },
    clock,
    random: () => 0.5,
    openTrunk: (_backend, events) => {
      const trunk: Played = { events, stopped: false };
      dials.push(trunk);
      return { stop: () => (trunk.stopped = true) };
    },
  });
  const pool: Pool = new Pool(
    { clock, random: () => 0.5, policy: "round-robin" },
    {
      added: (backend) => monitor.watch(backend),
      changed: (backend, before) => {
        if (backend.description.state === "maintenance") monitor.rest(backend);
        else if (before.state === "maintenance") monitor.wake(backend);
      },
      removed: (backend) => monitor.forget(backend),
    },
  );
  const backend: Backend = pool.add({ host: "127.0.0.1", port: 8001, weight: 1 }, false);
  const last = (): Played => dials.at(-1)!;
  return { clock, dials, monitor, pool, backend, last };
}

/** Lets time pass in which the hub reports as usual. */
function passReporting(clock: ManualClock, trunk: Played, ms: number, messages = () => 0): void {
  for (let at = 0; at < ms; at += 200) {
    trunk.events.report({ ...report, messages: messages() }, 1);
    clock.advance(200);
  }
}

describe("the monitor", () => {
  test("dials at once, and a backend is up with its first handshake", () => {
    const { backend, dials, last } = setUp();
    expect(dials).toHaveLength(1);
    last().events.open("c");
    expect(backend.description.state).toBe("up");
    expect(backend.lastCheck).toMatchObject({ code: "L7OK", detail: "" });
  });

  test("dials again soon ten times, then in the rhythm of checks, and never twice at once", () => {
    const { backend, clock, dials, last } = setUp();
    const times: number[] = [];
    for (let turn = 0; turn < 14; turn += 1) {
      last().events.closed(refused);
      const count = dials.length;
      const from = clock.monotonic();
      while (dials.length === count) clock.advance(10);
      expect(dials).toHaveLength(count + 1);
      times.push(clock.monotonic() - from);
    }
    expect(times).toEqual([...Array<number>(9).fill(500), ...Array<number>(5).fill(2_000)]);
    expect(backend.description).toMatchObject({ state: "down", reason: "L4CON" });
    expect(clock.timers).toBe(0);
  });

  test("tells the longest round trip since the last check, and that a server answers slowly", () => {
    const { backend, clock, last } = setUp();
    last().events.open("c");
    passReporting(clock, last(), balancerLimits.checkMs);
    expect([backend.lastCheck?.durationMs, backend.description.detail]).toEqual([1, ""]);
    last().events.report(report, 410);
    passReporting(clock, last(), balancerLimits.checkMs);
    expect(backend.lastCheck?.durationMs).toBe(410);
    expect(backend.description).toEqual({
      state: "up",
      reason: "",
      detail: "answers slowly, within 410 ms; look at its load",
    });
    passReporting(clock, last(), balancerLimits.checkMs);
    expect(backend.description.detail).toBe("");
  });

  test.each([
    ["connect", "L4CON"],
    ["connect-timeout", "L4TOUT"],
    ["handshake-timeout", "L7TOUT"],
    ["broken", "L7RSP"],
  ] as const)("tells %s as %s", (kind, code) => {
    const { backend, last } = setUp();
    last().events.closed({ kind, message: "words" });
    expect(backend.description).toEqual({ state: "down", reason: code, detail: "127.0.0.1:8001: words" });
  });

  test.each(["wrong-version", "wrong-secret"] as const)("tells a refusal by %s as that", (refusal) => {
    const { backend, last } = setUp();
    last().events.closed({ kind: "handshake", refusal, message: "words" });
    expect(backend.description.reason).toBe(refusal);
  });

  test("does not blame a backend for our own lack of descriptors", () => {
    const { backend, last } = setUp();
    last().events.closed({ kind: "descriptors", message: "none left" });
    expect(backend.health.failed).toBe(0);
    expect(backend.description.state).toBe("starting");
    expect(backend.lastCheck?.code).toBe("SOCKERR");
  });

  test("checks every two seconds, and counts what the hub reports", () => {
    const { backend, clock, last } = setUp();
    last().events.open("c");
    let messages = 0;
    passReporting(clock, last(), 20_000, () => (messages += 10));
    expect(backend.health.passed).toBe(11);
    expect(backend.messageRates.length).toBeGreaterThan(7);
    for (const rate of backend.messageRates) expect(rate).toBeCloseTo(50, 0);
    expect(backend.roundTrip.view().counts.reduce((sum, count) => sum + count, 0)).toBe(100);
  });

  test("keeps rates for two minutes and no longer", () => {
    const { backend, clock, last } = setUp();
    last().events.open("c");
    passReporting(clock, last(), 600_000);
    expect(backend.messageRates).toHaveLength(60);
  });

  test("gives up on a trunk that is open but brings no reports, after three checks, and dials anew", () => {
    const { backend, clock, dials, last } = setUp();
    last().events.open("c");
    passReporting(clock, last(), 4_000);
    const trunk = last();
    clock.advance(2_400);
    expect(backend.description.state).toBe("up");
    clock.advance(2_000);
    expect(backend.description).toMatchObject({ state: "down", reason: "L7TOUT" });
    expect(trunk.stopped).toBe(true);
    clock.advance(1_000);
    expect(dials).toHaveLength(2);
    // What the old one still says is nobody's any more.
    trunk.events.report(report, 1);
    trunk.events.closed({ kind: "closed", message: "" });
    expect(dials).toHaveLength(2);
  });

  test("counts a lost trunk at once, and two good checks bring the backend back", () => {
    const { backend, clock, last } = setUp();
    last().events.open("c");
    passReporting(clock, last(), 10_000);
    last().events.closed({ kind: "silent", message: "said nothing for 700 ms" });
    expect(backend.description).toMatchObject({ state: "down", reason: "L7TOUT" });
    clock.advance(500);
    last().events.open("c");
    expect(backend.description.state).toBe("starting");
    passReporting(clock, last(), 600);
    expect(backend.description.state).toBe("up");
  });

  test("ejects a backend whose trunks do not last, if another serves", () => {
    const { backend, clock, dials, last, pool } = setUp();
    const other = pool.add({ host: "127.0.0.1", port: 8002, weight: 1 }, false);
    const steady = last();
    steady.events.open("c");
    let trunk = dials[0]!;
    for (let turn = 0; turn < 6; turn += 1) {
      trunk.events.open("c");
      const count = dials.length;
      trunk.events.closed({ kind: "lost", message: "the server closed the connection" });
      while (dials.length === count) {
        steady.events.report(report, 1);
        clock.advance(10);
      }
      trunk = last();
    }
    trunk.events.open("c");
    passReporting(clock, trunk, 1_000);
    expect(backend.description).toMatchObject({ state: "ejected", reason: "ejected" });
    expect(other.description.state).toBe("up");
  });

  test("leaves a backend in maintenance alone, and looks again when it is set ready", () => {
    const { backend, clock, dials, last, pool } = setUp();
    last().events.open("c");
    pool.maintain(backend);
    expect(last().stopped).toBe(true);
    expect(backend.connected).toBe(false);
    clock.advance(60_000);
    expect(dials).toHaveLength(1);
    pool.ready(backend);
    expect(dials).toHaveLength(2);
    last().events.open("c");
    expect(backend.description.state).toBe("up");
  });

  test("forgets a removed backend, timers and all", () => {
    const { backend, clock, last, pool } = setUp();
    last().events.open("c");
    pool.remove(backend);
    expect(last().stopped).toBe(true);
    expect(clock.timers).toBe(0);
    last().events.closed(refused);
    expect(clock.timers).toBe(0);
  });
});
