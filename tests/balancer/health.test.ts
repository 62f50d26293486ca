import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { winningCluster } from "../../src/balancer/cluster.ts";
import { Ejection } from "../../src/balancer/ejection.ts";
import { checkDelay, Health } from "../../src/balancer/health.ts";
import { seededRandom } from "../../src/protocol/clock.ts";

describe("health", () => {
  test("believes the first check, then wants two good ones to rise and three bad ones to fall", () => {
    const health = new Health();
    expect(health.verdict).toBe("unknown");
    health.check("L7OK");
    expect(health.verdict).toBe("up");
    health.check("L7TOUT");
    health.check("L7TOUT");
    expect(health.verdict).toBe("up");
    health.check("L7OK");
    health.check("L7TOUT");
    health.check("L7TOUT");
    expect(health.verdict).toBe("up");
    health.check("L7TOUT");
    expect(health.verdict).toBe("down");
    health.check("L7OK");
    expect(health.verdict).toBe("down");
    health.check("L7OK");
    expect(health.verdict).toBe("up");
  });

  test("goes down at once when the trunk dies", () => {
    const health = new Health();
    health.check("L7OK");
    health.died();
    expect(health.verdict).toBe("down");
  });

  test("does not blame a backend for our own lack of descriptors", () => {
    const health = new Health();
    health.check("L7OK");
    for (let turn = 0; turn < 10; turn += 1) health.check("SOCKERR");
    expect(health.verdict).toBe("up");
    expect([health.passed, health.failed]).toEqual([1, 0]);
  });

  test("never rises on fewer than `rise`, never falls on fewer than `fall`, for any rules and any checks", () => {
    const rule = fc.integer({ min: 1, max: 5 });
    fc.assert(
      fc.property(rule, rule, fc.array(fc.boolean(), { maxLength: 60 }), (rise, fall, outcomes) => {
        const health = new Health({ rise, fall });
        health.check("L7OK");
        let streak = 0;
        let last = true;
        for (const good of outcomes) {
          const before = health.verdict;
          streak = good === last ? streak + 1 : 1;
          last = good;
          health.check(good ? "L7OK" : "L4CON");
          if (before === "up" && !good && streak >= fall) expect(health.verdict).toBe("down");
          else if (before === "down" && good && streak >= rise) expect(health.verdict).toBe("up");
          else expect(health.verdict).toBe(before);
        }
      }),
    );
  });

  test("is checked every two seconds give or take a fifth, sooner while undecided", () => {
    const random = seededRandom(3);
    const slow = Array.from({ length: 500 }, () => checkDelay(false, random, 2_000));
    expect(Math.min(...slow)).toBeGreaterThanOrEqual(1_600);
    expect(Math.max(...slow)).toBeLessThanOrEqual(2_400);
    expect(Math.max(...slow) - Math.min(...slow)).toBeGreaterThan(600);
    expect(checkDelay(true, random, 2_000)).toBeLessThanOrEqual(600);
  });
});

describe("ejection", () => {
  test("comes after five failures in a row, which one success clears", () => {
    const ejection = new Ejection();
    expect([1, 2, 3, 4].map(() => ejection.failed(0))).toEqual([false, false, false, false]);
    ejection.succeeded();
    expect([1, 2, 3, 4, 5].map(() => ejection.failed(0))).toEqual([false, false, false, false, true]);
  });

  test("forgets failures that are more than a minute apart", () => {
    const ejection = new Ejection();
    for (let turn = 0; turn < 20; turn += 1) expect(ejection.failed(turn * 60_001)).toBe(false);
  });

  test("grows by 30 s each time up to 300 s, and shrinks by good service", () => {
    const ejection = new Ejection();
    let now = 0;
    const lengths: number[] = [];
    for (let turn = 0; turn < 12; turn += 1) {
      const ms = ejection.eject(now);
      lengths.push(ms / 1_000);
      expect(ejection.until(now)).toBe(now + ms);
      now += ms;
      expect(ejection.until(now)).toBeUndefined();
    }
    expect(lengths).toEqual([30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]);
    expect(ejection.eject(now + 1_000_000)).toBe(30_000);
  });
});

describe("the cluster that wins", () => {
  const of = (...clusters: (string | undefined)[]) => clusters.map((cluster) => ({ cluster }));

  test("is the one of most backends, the present one between equals, the first at first", () => {
    expect(winningCluster(of(), undefined)).toBeUndefined();
    expect(winningCluster(of(undefined, "b", "a"), undefined)).toBe("b");
    expect(winningCluster(of("a", "b"), "b")).toBe("b");
    expect(winningCluster(of("a", "b", "a"), "b")).toBe("a");
  });

  test("stays while no backend says otherwise", () => {
    expect(winningCluster(of(undefined), "a")).toBe("a");
    expect(winningCluster(of("b"), "a")).toBe("b");
  });
});
