/** From the figures of many runs to medians, ratios against the bars, and a table a person can read. */
import type { Bar, Figure, Figures, Scenario } from "./scenarios.ts";
import type { TargetName } from "./targets.ts";

/** All runs of one scenario, by target, in the order run. */
export type Runs = ReadonlyMap<TargetName, readonly Figures[]>;

const units: Record<Figure, (value: number) => string> = {
  perSecond: (value) => (value < 10_000 ? `${Math.round(value)}/s` : `${Math.round(value / 1_000)}k/s`),
  cpu: (value) => `${value.toFixed(2)} µs`,
  p50: (value) => `${value.toFixed(2)} ms`,
  p99: (value) => `${value.toFixed(2)} ms`,
  p999: (value) => `${value.toFixed(2)} ms`,
  memory: (value) => `${(value / 1_024).toFixed(1)} KiB`,
  connectPerSecond: (value) => `${Math.round(value)}/s`,
  lost: String,
  dropped: String,
};

/** Figures for which more is better; for the others the light opponent with the least is the better one. */
const moreIsBetter: ReadonlySet<Figure> = new Set(["perSecond", "connectPerSecond"]);

/** The middle value; the mean of the two middle ones for an even count. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? 0) + high) / 2;
}

function medianOf(runs: Runs, target: TargetName, figure: Figure): number | undefined {
  const figures = runs.get(target);
  return figures === undefined || figures.length === 0
    ? undefined
    : median(figures.map((run) => run[figure]));
}

function opponent(runs: Runs, bar: Bar, smallest: Runs | undefined): number | undefined {
  if (bar.against === "self")
    return smallest === undefined ? undefined : medianOf(smallest, "rtchat", bar.figure);
  if (bar.against !== "light") return medianOf(runs, bar.against, bar.figure);
  const light = (["nats", "irc"] as const).flatMap((name) => medianOf(runs, name, bar.figure) ?? []);
  if (light.length === 0) return undefined;
  return moreIsBetter.has(bar.figure) ? Math.max(...light) : Math.min(...light);
}

/** One bar, judged. */
export interface Judged {
  readonly scenario: string;
  readonly bar: Bar;
  readonly ratio: number | undefined;
  readonly met: boolean | undefined;
}

/** Judges a scenario's bars. @param smallest the runs that growth is compared with */
export function judge(scenario: Scenario, runs: Runs, smallest: Runs | undefined): Judged[] {
  return scenario.bars.map((bar) => {
    const ours = medianOf(runs, "rtchat", bar.figure);
    const theirs = opponent(runs, bar, smallest);
    const ratio = ours === undefined || theirs === undefined || theirs === 0 ? undefined : ours / theirs;
    const met =
      ratio === undefined ? undefined : ratio >= (bar.least ?? 0) && ratio <= (bar.most ?? Infinity);
    return { scenario: scenario.name, bar, ratio, met };
  });
}

/** A table of medians with their spread, then each bar with our ratio beside it. */
export function table(scenario: Scenario, runs: Runs, judged: readonly Judged[]): string {
  const lines = [`${scenario.name}  ${scenario.title}`];
  for (const [target, figures] of runs) {
    const cells = scenario.figures.map((figure) => {
      const values = figures.map((run) => run[figure]);
      const show = units[figure];
      const spread =
        values.length > 1 ? ` (${show(Math.min(...values))} to ${show(Math.max(...values))})` : "";
      return `${figure} ${show(median(values))}${spread}`;
    });
    const lost = figures.reduce((sum, run) => sum + run.lost, 0);
    lines.push(`  ${target.padEnd(7)} ${cells.join("   ")}   lost ${lost}`);
  }
  for (const { bar, ratio, met } of judged) {
    const asked = bar.least === undefined ? `≤ ${bar.most}` : `≥ ${bar.least}`;
    const verdict = met === undefined ? "not measured" : met ? "met" : "NOT MET";
    lines.push(
      `  ${bar.figure} against ${bar.against}: ${ratio?.toFixed(2) ?? "–"} × (bar ${asked} ×) ${verdict}`,
    );
  }
  return lines.join("\n");
}
