/** How a balancer's clients are sent to its successor: in slices, gently by address, and nobody twice. */
import { describe, expect, test } from "bun:test";
import { Retirement } from "../../src/balancer/retirement.ts";
import type { TrunkLink } from "../../src/edge/link.ts";
import { balancerLimits } from "../../src/protocol/limits.balancer.ts";
import { ManualClock } from "../support/manual-clock.ts";

/** Stands for being somewhere. */
const somewhere = {} as TrunkLink;

function setUp(ips: readonly string[], newPerSecond = Infinity) {
  const clock = new ManualClock();
  const sessions = new Set(ips.map((ip) => ({ ip, link: somewhere as TrunkLink | undefined })));
  const told: string[] = [];
  let accepting = true;
  const edge = {
    sessions,
    get connections() {
      return sessions.size;
    },
    stopAccepting: () => (accepting = false),
    sendAway: ({ ip }: { ip: string }) => void told.push(ip),
  };
  const retirement = new Retirement({ edge, clock, newPerSecond: () => newPerSecond });
  let isDone = false;
  void retirement.done.then(() => (isDone = true));
  return { clock, sessions, told, retirement, isDone: () => isDone, isAccepting: () => accepting };
}

const people = (count: number) => Array.from({ length: count }, (_, n) => `192.0.2.${n % 250}`);

describe("a retirement", () => {
  test("tells everybody once, in slices, and is done when the last has left", async () => {
    const { clock, sessions, told, isDone, isAccepting } = setUp(people(300));
    expect(isAccepting()).toBe(false);
    clock.advance(1_000);
    expect(told.length).toBeGreaterThan(balancerLimits.drainRate * 0.8);
    expect(told.length).toBeLessThanOrEqual(balancerLimits.drainRate);
    clock.advance(10_000);
    expect(told.length).toBe(300);
    expect(isDone()).toBe(false);
    sessions.clear();
    clock.advance(200);
    await Promise.resolve();
    expect(isDone()).toBe(true);
    expect(clock.timers).toBe(0);
  });

  test("of many takes about a minute", () => {
    const { clock, told } = setUp(people(20_000));
    clock.advance(balancerLimits.retireMs * 0.9);
    expect(told.length).toBeLessThan(20_000);
    clock.advance(balancerLimits.retireMs * 0.2);
    expect(told.length).toBe(20_000);
  });

  test("tells no more of one address than the door lets in, and lets others pass", () => {
    const { clock, told } = setUp([...people(40).map(() => "192.0.2.1"), "192.0.2.2"], 10);
    clock.advance(2_000);
    expect(told).toContain("192.0.2.2");
    const first = told.filter((ip) => ip === "192.0.2.1").length;
    expect(first).toBeGreaterThan(8);
    expect(first).toBeLessThan(12);
  });

  test("leaves alone who waits for a server, until there is one", () => {
    const { clock, sessions, told } = setUp(["192.0.2.1"]);
    const [held] = [...sessions];
    held!.link = undefined;
    clock.advance(5_000);
    expect(told).toEqual([]);
    held!.link = somewhere;
    clock.advance(200);
    expect(told).toEqual(["192.0.2.1"]);
  });

  test("of nobody is done at once", async () => {
    const { isDone } = setUp([]);
    await Promise.resolve();
    expect(isDone()).toBe(true);
  });
});
