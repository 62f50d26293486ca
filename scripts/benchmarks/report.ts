/** From the figures of many runs to medians, ratios against the bars, and tables a person can read. */
import { figures, withUnit } from "./figures.ts";
import type { Figure, Figures } from "./figures.ts";
import type { Bar, Section } from "./section.ts";
import { median } from "./statistics.ts";

/** A figure of one entrant over all its runs. */
export interface Summary {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** One bar, judged. */
export interface Judged {
  readonly section: string;
  readonly bar: Bar;
  /** The opponent it was judged by: the best of those named. */
  readonly opponent: string | undefined;
  /** Ours / theirs, of medians; undefined when one of them was not measured. */
  readonly ratio: number | undefined;
  /** The same, run by run: how far the single runs lie apart. */
  readonly spread: readonly [number, number] | undefined;
  readonly met: boolean | undefined;
}

/** Sums an entrant's runs up; undefined where the figure was not measured. */
export function summary(runs: readonly Figures[] | undefined, figure: Figure): Summary | undefined {
  const values = (runs ?? []).flatMap((run) => run[figure] ?? []);
  if (values.length === 0) return undefined;
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) };
}

/** The best of the opponents that a bar names, by the median. */
function bestOf({ runs }: Section, { against, figure }: Bar): string | undefined {
  const sign = figures[figure].more === true ? 1 : -1;
  let best: { name: string; value: number } | undefined;
  for (const name of against) {
    const theirs = summary(runs.get(name), figure);
    if (theirs === undefined) continue;
    const value = theirs.median * sign;
    if (best === undefined || value > best.value) best = { name, value };
  }
  return best?.name;
}

/** Judges a section's bars. */
export function judge(section: Section): Judged[] {
  return section.bars.map((bar) => {
    const opponent = bestOf(section, bar);
    const ours = section.runs.get(bar.ours ?? "rtchat");
    const theirs = opponent === undefined ? undefined : section.runs.get(opponent);
    const [mine, other] = [summary(ours, bar.figure), summary(theirs, bar.figure)];
    const ratio = mine === undefined || other === undefined ? undefined : mine.median / other.median;
    const known = ratio !== undefined && Number.isFinite(ratio);
    const each = (ours ?? []).flatMap((run, at) => {
      const [a, b] = [run[bar.figure], theirs?.[at]?.[bar.figure]];
      return a === undefined || b === undefined || b === 0 ? [] : [a / b];
    });
    return {
      section: section.name,
      bar,
      opponent,
      ratio: known ? ratio : undefined,
      spread: each.length === 0 ? undefined : [Math.min(...each), Math.max(...each)],
      met: known ? ratio >= (bar.least ?? 0) && ratio <= (bar.most ?? Infinity) : undefined,
    };
  });
}

const asked = ({ least, most }: Bar): string => (least === undefined ? `≤ ${most} ×` : `≥ ${least} ×`);

/** What a bar compares: "cpu against light (irc)". */
export function compared({ bar, opponent }: Judged): string {
  const called = bar.called ?? bar.against.join("/");
  const which = opponent === undefined || bar.against.length < 2 ? called : `${called} (${opponent})`;
  return `${bar.ours ?? "rtchat"}, ${figures[bar.figure].label} against ${which}`;
}

function verdict({ met }: Judged): string {
  if (met === undefined) return "not measured";
  return met ? "met" : "NOT MET";
}

/** Columns as wide as their widest cell: the first to the left, the others to the right. */
function aligned(rows: readonly (readonly string[])[], indent: string): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, Bun.stringWidth(cell));
  return rows.map((row) => {
    const cells = row.map((cell, at) => {
      const gap = " ".repeat((widths[at] ?? 0) - Bun.stringWidth(cell));
      return at === 0 ? cell + gap : gap + cell;
    });
    return (indent + cells.join("  ")).trimEnd();
  });
}

/** Medians, and where there were several runs the least and the most of them. */
function shownRuns(runs: readonly Figures[], figure: Figure): string {
  const sum = summary(runs, figure);
  if (sum === undefined) return "–";
  const { show } = figures[figure];
  const shown = withUnit(figure, sum.median);
  return runs.length < 2 || sum.least === sum.most
    ? shown
    : `${shown} (${show(sum.least)}–${show(sum.most)})`;
}

/** A section as a table of medians with their spread, then each bar with our ratio beside it, then what to know. */
export function table(section: Section, judged: readonly Judged[]): string {
  const { runs } = section;
  const lines = [`${section.name}  ${section.title}`, `    ${section.method}`];
  if (runs.size > 0) {
    const head = ["", ...section.figures.map((figure) => figures[figure].label)];
    const rows = [...runs].map(([name, all]) => [
      name,
      ...section.figures.map((figure) => shownRuns(all, figure)),
    ]);
    lines.push(...aligned([head, ...rows], "    "));
  }
  for (const one of judged) lines.push(`    ${barLine(one)}`);
  for (const note of section.notes) lines.push(`    note: ${note}`);
  return lines.join("\n");
}

function barLine(one: Judged): string {
  const spread =
    one.spread === undefined || one.spread[0] === one.spread[1]
      ? ""
      : ` (${one.spread[0].toFixed(2)}–${one.spread[1].toFixed(2)})`;
  return `${verdict(one) === "met" ? "✓" : "✗"} ${compared(one)}: ${one.ratio?.toFixed(2) ?? "–"} ×${spread}, bar ${asked(one.bar)}, ${verdict(one)}`;
}

/** All bars below each other, and why those that are not met are not. */
export function bars(judged: readonly Judged[]): string {
  const rows = judged.map((one) => [
    `${one.section} ${compared(one)}`,
    `${one.ratio?.toFixed(2) ?? "–"} ×`,
    asked(one.bar),
    verdict(one),
  ]);
  const lines = aligned([["", "ratio", "bar", ""], ...rows], "  ");
  const reasons = new Map<string, string[]>();
  for (const one of judged) {
    if (one.met === true) continue;
    const why = one.met === undefined ? "not measured in this run" : one.bar.why;
    reasons.set(why, [...(reasons.get(why) ?? []), `${one.section} ${compared(one)}`]);
  }
  if (reasons.size > 0) lines.push("", "Why bars are not met:");
  for (const [why, which] of reasons) lines.push(`  ${which.join("; ")}:`, `    ${why}`);
  const count = (met: boolean | undefined): number => judged.filter((one) => one.met === met).length;
  lines.push("", `${count(true)} bars met, ${count(false)} not met, ${count(undefined)} not measured`);
  return lines.join("\n");
}
