import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Candidate } from "../../src/balancer/policy.ts";
import { LeastSessions, RoundRobin, TwoChoices } from "../../src/balancer/policy.ts";
import { seededRandom } from "../../src/protocol/clock.ts";

function candidate(id: string, more: Partial<Candidate> = {}): Candidate {
  return { id, weight: 1, ramp: 1, sessions: 0, users: 0, ...more };
}

function count(ids: readonly (string | undefined)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const id of ids) counts[id ?? "none"] = (counts[id ?? "none"] ?? 0) + 1;
  return counts;
}

const weights = fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 8 });

describe("round robin", () => {
  test("takes turns in list order", () => {
    const policy = new RoundRobin();
    const list = ["a", "b", "c"].map((id) => candidate(id));
    const chosen = Array.from({ length: 7 }, () => policy.choose(list)?.id);
    expect(chosen.join("")).toBe("abcabca");
  });

  test("spreads weights smoothly, as nginx does", () => {
    const policy = new RoundRobin();
    const list = [candidate("a", { weight: 5 }), candidate("b"), candidate("c")];
    expect(Array.from({ length: 14 }, () => policy.choose(list)?.id).join("")).toBe("aabacaaaabacaa");
  });

  test("gives each its exact weight in every run as long as the weights' sum, wherever the run starts", () => {
    fc.assert(
      fc.property(weights, fc.nat(40), (all, offset) => {
        fc.pre(all.some((weight) => weight > 0));
        const list = all.map((weight, index) => candidate(`b${index}`, { weight }));
        const sum = all.reduce((total, weight) => total + weight, 0);
        const policy = new RoundRobin();
        for (let turn = 0; turn < offset; turn += 1) policy.choose(list);
        const counts = count(Array.from({ length: sum }, () => policy.choose(list)?.id));
        // Within any window each is within one of its share; over whole rounds from the start it is exact.
        for (const [index, weight] of all.entries()) {
          expect(Math.abs((counts[`b${index}`] ?? 0) - weight)).toBeLessThanOrEqual(
            offset % sum === 0 ? 0 : 1,
          );
        }
      }),
    );
  });

  test("with equal weights names each of n once in any n choices, also right after the list changed", () => {
    const subset = fc.subarray(["a", "b", "c", "d", "e", "f"], { minLength: 1 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(subset, fc.integer({ min: 1, max: 20 })), { maxLength: 10 }),
        (phases) => {
          const policy = new RoundRobin();
          for (const [ids, turns] of phases) {
            const list = ids.map((id) => candidate(id));
            const chosen = Array.from({ length: turns }, () => policy.choose(list)?.id);
            for (let start = 0; start + ids.length <= turns; start += 1) {
              expect(new Set(chosen.slice(start, start + ids.length)).size).toBe(ids.length);
            }
          }
        },
      ),
    );
  });

  test("goes on behind the last one chosen when somebody leaves or comes", () => {
    const policy = new RoundRobin();
    const [a, b, c, d] = ["a", "b", "c", "d"].map((id) => candidate(id)) as [
      Candidate,
      Candidate,
      Candidate,
      Candidate,
    ];
    expect(policy.choose([a, b, c])?.id).toBe("a");
    expect(policy.choose([a, b, c])?.id).toBe("b");
    expect(policy.choose([a, c])?.id).toBe("c");
    expect(policy.choose([a, b, c, d])?.id).toBe("d");
    expect(policy.choose([a, b, c, d])?.id).toBe("a");
  });

  test("gives a backend in slow start a part of its turns", () => {
    const policy = new RoundRobin();
    const list = [candidate("a"), candidate("b", { ramp: 0.1 })];
    const counts = count(Array.from({ length: 110 }, () => policy.choose(list)?.id));
    expect(counts).toEqual({ a: 100, b: 10 });
  });

  test("is exact from when a slow start has ended, however far it had got", () => {
    for (let slow = 1; slow <= 40; slow += 1) {
      const policy = new RoundRobin();
      const at = (ramp: number) => [
        candidate("a", { weight: 3 }),
        candidate("b"),
        candidate("c", { weight: 4, ramp }),
      ];
      for (let turn = 0; turn < slow; turn += 1) policy.choose(at(0.1 + turn / 50));
      const chosen = Array.from({ length: 24 }, () => policy.choose(at(1))?.id);
      for (let from = 0; from <= 16; from += 1)
        expect([slow, count(chosen.slice(from, from + 8))]).toEqual([slow, { a: 3, b: 1, c: 4 }]);
    }
  });

  test("chooses nobody among none, or among weights of zero", () => {
    expect(new RoundRobin().choose([])).toBeUndefined();
    expect(new RoundRobin().choose([candidate("a", { weight: 0 })])).toBeUndefined();
  });
});

describe("least sessions", () => {
  test("keeps loads within one of each other's share", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 }), (all) => {
        const policy = new LeastSessions();
        const list = all.map((weight, index) => ({ ...candidate(`b${index}`, { weight }), sessions: 0 }));
        const sum = all.reduce((total, weight) => total + weight, 0);
        for (let turn = 0; turn < sum * 3; turn += 1) {
          const chosen = policy.choose(list);
          if (chosen !== undefined) chosen.sessions += 1;
        }
        expect(list.map(({ sessions }) => sessions)).toEqual(all.map((weight) => weight * 3));
      }),
    );
  });

  test("lets equals take turns", () => {
    const policy = new LeastSessions();
    const list = ["a", "b", "c"].map((id) => candidate(id));
    expect(Array.from({ length: 6 }, () => policy.choose(list)?.id).join("")).toBe("abcabc");
  });

  test("skips weights of zero", () => {
    const list = [candidate("a", { weight: 0 }), candidate("b", { sessions: 9 })];
    expect(new LeastSessions().choose(list)?.id).toBe("b");
    expect(new LeastSessions().choose([candidate("a", { weight: 0 })])).toBeUndefined();
  });
});

describe("two choices", () => {
  test("never takes the fullest, and takes everybody else sooner or later", () => {
    const policy = new TwoChoices(seededRandom(7));
    const list = [candidate("a", { users: 5 }), candidate("b", { users: 9 }), candidate("c", { users: 1 })];
    const counts = count(Array.from({ length: 300 }, () => policy.choose(list)?.id));
    expect(counts["b"]).toBeUndefined();
    expect(counts["a"]! + counts["c"]!).toBe(300);
    expect(counts["c"]!).toBeGreaterThan(150);
    expect(counts["a"]!).toBeGreaterThan(50);
  });

  test("always draws two different ones", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 2, max: 9 }), (seed, size) => {
        const policy = new TwoChoices(seededRandom(seed));
        const list = Array.from({ length: size }, (_, index) =>
          candidate(`b${index}`, { users: index === 0 ? 100 : 0 }),
        );
        expect(policy.choose(list)?.id).not.toBe("b0");
      }),
    );
  });

  test("does with one, and with none", () => {
    const policy = new TwoChoices(seededRandom(1));
    expect(policy.choose([candidate("a")])?.id).toBe("a");
    expect(policy.choose([])).toBeUndefined();
  });
});
