/** The report for programs. */
import { figures } from "./figures.ts";
import type { Machine } from "./machine.ts";
import { compared, summary } from "./report.ts";
import type { Judged } from "./report.ts";
import type { Pace, Section } from "./section.ts";

/** All runs, their medians, and the bars, as JSON with a final newline. CPU in µs, times in ms, memory in bytes. */
export function toJson(
  machine: Machine,
  pace: Pace,
  sections: readonly Section[],
  judged: readonly Judged[],
): string {
  const told = {
    machine,
    pace,
    sections: sections.map(({ name, title, method, runs, notes, failed, figures: shown }) => ({
      name,
      title,
      method,
      failed,
      notes,
      entrants: [...runs].map(([entrant, all]) => ({
        entrant,
        medians: Object.fromEntries(
          shown.flatMap((figure) => {
            const sum = summary(all, figure);
            return sum === undefined ? [] : [[figure, sum.median]];
          }),
        ),
        runs: all,
      })),
    })),
    bars: judged.map((one) => ({
      section: one.section,
      what: compared(one),
      figure: one.bar.figure,
      moreIsBetter: figures[one.bar.figure].more === true,
      ours: one.bar.ours ?? "rtchat",
      opponent: one.opponent ?? null,
      ratio: one.ratio ?? null,
      spread: one.spread ?? null,
      least: one.bar.least ?? null,
      most: one.bar.most ?? null,
      met: one.met ?? null,
      why: one.met === false ? one.bar.why : null,
    })),
  };
  return `${JSON.stringify(told, undefined, 2)}\n`;
}
