/** What the bench makes of its runs: statistics, judgement, table, JSON and chart. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { chart } from "../../scripts/benchmarks/chart.ts";
import type { Figures } from "../../scripts/benchmarks/figures.ts";
import type { Machine } from "../../scripts/benchmarks/machine.ts";
import { bars, judge, table } from "../../scripts/benchmarks/report.ts";
import { toJson } from "../../scripts/benchmarks/results.ts";
import type { Section } from "../../scripts/benchmarks/section.ts";
import { median, quantile } from "../../scripts/benchmarks/statistics.ts";

const machine: Machine = {
  processor: 'Ex<ample> & "Sons"',
  cores: 2,
  memoryGiB: 8,
  kernel: "6.1",
  loadBefore: 0.5,
  versions: { rtchat: "0.1.0", haproxy: "not installed" },
};
const pace = { full: false, rounds: 3, roundsLong: 3, longMs: 1_000, warmMs: 0, rampMs: 0, runMs: 1_000 };

function section(runs: Record<string, readonly Figures[]>): Section {
  return {
    name: "S1",
    title: "a room of 5 < 10",
    method: "3 runs of 1 s",
    figures: ["perSecond", "cpu", "lost"],
    bars: [
      { figure: "perSecond", against: ["equal"], least: 2, why: "because of the sun" },
      { figure: "cpu", against: ["nats", "irc"], called: "light", most: 0.5, why: "because of the moon" },
      { figure: "p99", against: ["equal"], most: 1, why: "because of the tide" },
    ],
    runs: new Map(Object.entries(runs)),
    notes: ["nginx: not installed"],
    failed: false,
  };
}

const each = (perSecond: readonly number[], cpu: readonly number[]): Figures[] =>
  perSecond.map((rate, at) => ({ perSecond: rate, cpu: cpu[at] ?? 0, lost: 0 }));

const measured = section({
  rtchat: each([200_000, 100_000, 300_000], [2, 2, 3]),
  equal: each([90_000, 100_000, 110_000], [6, 6, 6]),
  nats: each([1, 1, 1], [5, 5, 5]),
  irc: each([1, 1, 1], [3, 4, 2]),
});

describe("statistics", () => {
  test("the median has as many values below it as above", () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const middle = median(values);
        const below = values.filter((value) => value < middle).length;
        const above = values.filter((value) => value > middle).length;
        expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });

  test("a quantile is the smallest value that the share does not exceed", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer(), { minLength: 1 }),
        fc.double({ min: 0.001, max: 1, noNaN: true }),
        (values, share) => {
          const sorted = values.toSorted((a, b) => a - b);
          const found = quantile(sorted, share);
          const upTo = sorted.filter((value) => value <= found).length;
          const under = sorted.filter((value) => value < found).length;
          expect(upTo).toBeGreaterThanOrEqual(sorted.length * share);
          expect(under).toBeLessThan(sorted.length * share);
        },
      ),
    );
  });

  test("of nothing there is no median, and a quantile is 0", () => {
    expect(median([])).toBeNaN();
    expect(quantile([], 0.5)).toBe(0);
  });
});

describe("judging", () => {
  const [rate, cpu, p99] = judge(measured);

  test("takes the ratio of medians, and shows how far single runs lie apart", () => {
    expect(rate).toMatchObject({ opponent: "equal", ratio: 2, met: true, spread: [1, 300 / 110] });
  });

  test("judges by the best of several opponents, by the direction of the figure", () => {
    expect(cpu).toMatchObject({ opponent: "irc", met: false });
    expect(cpu?.ratio).toBeCloseTo(2 / 3);
  });

  test("does not call met what was not measured", () => {
    expect(p99).toMatchObject({ ratio: undefined, met: undefined });
    const alone = judge(section({ rtchat: each([1], [1]) }));
    expect(alone.map((one) => one.met)).toEqual([undefined, undefined, undefined]);
    const nothing = judge(section({ rtchat: each([0], [1]), equal: each([0], [1]) }));
    expect(nothing[0]).toMatchObject({ ratio: undefined, met: undefined });
  });
});

describe("the table", () => {
  const text = table(measured, judge(measured));

  test("shows medians with their spread, and says what is missing", () => {
    expect(text).toContain("rtchat  200,000/s (100,000–300,000)");
    expect(text).toContain("2.00 µs (2.00–3.00)");
    expect(text).toContain("note: nginx: not installed");
  });

  test("puts our ratio beside each bar", () => {
    expect(text).toContain("✓ rtchat, a second against equal: 2.00 × (1.00–2.73), bar ≥ 2 ×, met");
    expect(text).toContain(
      "✗ rtchat, CPU each against light (irc): 0.67 × (0.50–1.50), bar ≤ 0.5 ×, NOT MET",
    );
  });

  test("of all bars tells why those that are not met are not", () => {
    const all = bars(judge(measured));
    expect(all).toContain("S1 rtchat, CPU each against light (irc):\n    because of the moon");
    expect(all).toContain("S1 rtchat, p99 against equal:\n    not measured in this run");
    expect(all).toEndWith("1 bars met, 1 not met, 1 not measured");
  });
});

describe("JSON", () => {
  test("keeps every run, the medians, and the bars with their reasons", () => {
    const told: unknown = JSON.parse(toJson(machine, pace, [measured], judge(measured)));
    expect(told).toMatchObject({
      machine: { cores: 2, versions: { haproxy: "not installed" } },
      sections: [
        {
          name: "S1",
          notes: ["nginx: not installed"],
          entrants: [
            {
              entrant: "rtchat",
              medians: { perSecond: 200_000, cpu: 2 },
              runs: [{ cpu: 2 }, { cpu: 2 }, { cpu: 3 }],
            },
            { entrant: "equal" },
            { entrant: "nats" },
            { entrant: "irc" },
          ],
        },
      ],
      bars: [
        { figure: "perSecond", ratio: 2, least: 2, most: null, met: true, why: null },
        { figure: "cpu", opponent: "irc", met: false, why: "because of the moon" },
        { figure: "p99", ratio: null, met: null },
      ],
    });
  });
});

describe("the chart", () => {
  const svg = chart(machine, [measured], judge(measured));

  test("is well-formed, and nothing in it is markup that came from a name", () => {
    const open: string[] = [];
    for (const [, slash, name, self] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
      if (slash === "/") expect(open.pop()).toBe(name);
      else if (self !== "/" && name !== undefined) open.push(name);
    }
    expect(open).toEqual([]);
    expect(svg).toContain("Ex&lt;ample&gt; &amp; &quot;Sons&quot;");
    expect(svg.replaceAll(/<\/?[a-z]+[^<>]*>/g, "").includes("<")).toBe(false);
  });

  test("draws a bar for each entrant as long as its median, with its unit", () => {
    const widths = [...svg.matchAll(/<rect class="(\w+)"[^>]* width="([\d.]+)"/g)].map((found) => [
      found[1],
      Number(found[2]),
    ]);
    // Deliveries: rtchat and equal; CPU: rtchat, nats, irc.
    expect(widths.map(([kind]) => kind)).toEqual(["ours", "theirs", "ours", "theirs", "theirs"]);
    const [ours = 0, theirs = 0] = widths.map(([, width]) => Number(width));
    expect(ours / theirs).toBeCloseTo(2, 1);
    expect(svg).toContain(">200,000/s</text>");
    expect(svg).toContain(">2.00 µs</text>");
  });

  test("draws what is asked, and follows the reader's colour scheme", () => {
    expect(svg).toContain(">asked: ≥ 2 × equal</text>");
    expect(svg).toContain(">asked: ≤ 0.5 × irc</text>");
    expect(svg.match(/<line class="asked"/g)).toHaveLength(2);
    expect(svg).toContain("prefers-color-scheme: dark");
  });

  test("says so when nothing was measured", () => {
    expect(chart(machine, [], [])).toContain("nothing was measured");
  });
});
