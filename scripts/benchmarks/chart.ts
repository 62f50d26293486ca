/**
 * The chart for the README: one panel a figure that a bar compares with somebody else's, medians as bars, the spread of the runs as whiskers,
 * and what is asked of us as a dashed line across our bar.
 *
 * One self-contained SVG without scripts or fonts of its own. Its colours follow the reader's scheme by a media query, so
 * that it is readable on a light and on a dark page; it has no background. Meaning never hangs on colour alone: every bar
 * carries its name and its value.
 */
import { figures, withUnit } from "./figures.ts";
import type { Figure } from "./figures.ts";
import type { Machine } from "./machine.ts";
import { summary } from "./report.ts";
import type { Judged } from "./report.ts";
import { askedFor } from "./section.ts";
import type { Section } from "./section.ts";

const WIDTH = 912;
const PANEL = { width: 424, gap: 32, head: 40, row: 24, foot: 22 } as const;
const NAME = 148;
const VALUE = 74;
const BAR = { height: 14, width: PANEL.width - NAME - VALUE } as const;

/** What the short names stand for, where they are drawn. */
const legend: readonly (readonly [string, string])[] = [
  ["equal", "equal: HAProxy, three NATS with a JetStream file stream"],
  ["nats", "nats: HAProxy, one NATS, no history"],
  ["irc", "irc: HAProxy, one InspIRCd, no history"],
];

const style = `
  text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328 }
  .title { font-size: 17px; font-weight: 600 } .head { font-weight: 600 } .quiet { fill: #59636e; font-size: 11px }
  .ours { fill: #0b6bcb } .theirs { fill: #9aa4ae } .spread { stroke: #1f2328; stroke-width: 1.2 }
  .asked { stroke: #c2410c; stroke-width: 2; stroke-dasharray: 4 2 } .askedText { fill: #c2410c; font-size: 11px }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .quiet { fill: #9198a1 } .ours { fill: #4aa3ff } .theirs { fill: #656d76 }
    .spread { stroke: #e6edf3 } .asked { stroke: #ff9b52 } .askedText { fill: #ff9b52 }
  }`;

function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

const tag = (name: string, attributes: Record<string, string | number>, inner?: string): string => {
  const all = Object.entries(attributes).map(([key, value]) => ` ${key}="${escape(String(value))}"`);
  return inner === undefined ? `<${name}${all.join("")}/>` : `<${name}${all.join("")}>${inner}</${name}>`;
};

const write = (x: number, y: number, words: string, more: Record<string, string> = {}): string =>
  tag("text", { x: round(x), y: round(y), ...more }, escape(words));

const round = (value: number): number => Math.round(value * 10) / 10;

interface Panel {
  readonly section: Section;
  readonly figure: Figure;
  readonly judged: readonly Judged[];
}

interface Row {
  readonly name: string;
  readonly ours: boolean;
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Where a bar lies on the axis of its figure, by the opponent that it was judged by. */
function askedAt({ section, figure }: Panel, { bar, opponent }: Judged): number | undefined {
  const theirs = opponent === undefined ? undefined : summary(section.runs.get(opponent), figure);
  const ratio = bar.least ?? bar.most;
  return theirs === undefined || ratio === undefined ? undefined : theirs.median * ratio;
}

function rowsOf({ section, figure, judged }: Panel): Row[] {
  const shown = new Set(judged.flatMap(({ bar }) => [bar.ours ?? "rtchat", ...bar.against]));
  return [...section.runs].flatMap(([name, runs]) => {
    const sum = shown.has(name) ? summary(runs, figure) : undefined;
    return sum === undefined
      ? []
      : [{ name, ours: judged.some(({ bar }) => (bar.ours ?? "rtchat") === name), ...sum }];
  });
}

const heightOf = (panel: Panel): number => PANEL.head + rowsOf(panel).length * PANEL.row + PANEL.foot;

/** What a panel's figure counts, in a few words. */
function headOf({ section, figure }: Panel): string {
  const counted: Readonly<Record<string, string>> = { S5: "connections", S10: "publishes" };
  const what =
    figure === "perSecond" ? `${counted[section.name] ?? "deliveries"} a second` : figures[figure].label;
  return `${section.name}  ${what}, ${figures[figure].more === true ? "more" : "less"} is better`;
}

function draw(panel: Panel, left: number, top: number): string {
  const { section, figure, judged } = panel;
  const rows = rowsOf(panel);
  const asked = judged.flatMap((one) => {
    const at = askedAt(panel, one);
    return at === undefined ? [] : [{ at, one }];
  });
  const most = Math.max(...rows.map((row) => row.most), ...asked.map(({ at }) => at));
  const x = (value: number): number => left + NAME + (most <= 0 ? 0 : (value / most) * BAR.width);
  const parts = [
    write(left, top + 13, headOf(panel), { class: "head" }),
    write(left, top + 29, section.title, { class: "quiet" }),
  ];
  for (const [at, row] of rows.entries()) {
    const y = top + PANEL.head + at * PANEL.row;
    const middle = round(y + BAR.height / 2);
    const size = { width: Math.max(1, round(x(row.median) - x(0))), height: BAR.height, rx: 2 };
    parts.push(write(left + NAME - 8, y + 11, row.name, { "text-anchor": "end" }));
    parts.push(tag("rect", { class: row.ours ? "ours" : "theirs", x: round(x(0)), y: round(y), ...size }));
    const spread = {
      class: "spread",
      x1: round(x(row.least)),
      x2: round(x(row.most)),
      y1: middle,
      y2: middle,
    };
    if (row.least !== row.most) parts.push(tag("line", spread));
    parts.push(write(left + PANEL.width, y + 11, withUnit(figure, row.median), { "text-anchor": "end" }));
  }
  const bottom = top + PANEL.head + rows.length * PANEL.row - 4;
  const own =
    top +
    PANEL.head +
    Math.max(
      0,
      rows.findIndex((row) => row.ours),
    ) *
      PANEL.row;
  for (const [at, { at: value, one }] of asked.entries()) {
    const place = round(x(value));
    parts.push(tag("line", { class: "asked", x1: place, x2: place, y1: own - 4, y2: own + BAR.height + 4 }));
    const { bar, opponent } = one;
    const sign = bar.least === undefined ? "≤" : "≥";
    const words = `asked: ${sign} ${bar.least ?? bar.most} × ${opponent}`;
    const column = left + NAME + at * 142;
    parts.push(write(column, bottom + 13, words, { class: "askedText" }));
  }
  return parts.join("\n");
}

/** The SVG's text. Panels only for what was measured; without any it says so. */
export function chart(machine: Machine, sections: readonly Section[], judged: readonly Judged[]): string {
  const panels = sections.flatMap((section): Panel[] => {
    const own = judged.filter(
      (one) => one.section === section.name && one.ratio !== undefined && one.opponent !== askedFor,
    );
    const wanted = new Set(own.map((one) => one.bar.figure));
    return [...wanted].flatMap((figure) => {
      const about = own.filter((one) => one.bar.figure === figure);
      // Bars of different durabilities or sizes stand in panels of their own.
      const ours = new Set(about.map((one) => one.bar.ours ?? "rtchat"));
      return [...ours].map((name) => ({
        section,
        figure,
        judged: about.filter((one) => (one.bar.ours ?? "rtchat") === name),
      }));
    });
  });
  const parts: string[] = [];
  let top = 66;
  for (let at = 0; at < panels.length; at += 2) {
    const pair = panels.slice(at, at + 2);
    for (const [column, panel] of pair.entries())
      parts.push(draw(panel, 16 + column * (PANEL.width + PANEL.gap), top));
    top += Math.max(...pair.map(heightOf)) + 14;
  }
  if (panels.length === 0) parts.push(write(16, top - 4, "nothing was measured"));
  const where = `${machine.processor} × ${machine.cores}, Linux ${machine.kernel}, rtchat ${machine.versions["rtchat"] ?? "?"}. Bars: medians; thin lines: least to most of the runs.`;
  const head = [
    write(16, 28, "rtchat beside what people would use instead", { class: "title" }),
    write(16, 47, where, { class: "quiet" }),
  ];
  const drawn = new Set(panels.flatMap(rowsOf).map((row) => row.name));
  const names = legend.flatMap(([name, words]) => (drawn.has(name) ? [words] : [])).join("; ");
  parts.push(write(16, top + 4, names, { class: "quiet" }));
  const height = top + 18;
  const attributes = {
    xmlns: "http://www.w3.org/2000/svg",
    viewBox: `0 0 ${WIDTH} ${height}`,
    width: WIDTH,
    height,
    role: "img",
    "aria-label": "Benchmark of rtchat beside HAProxy with NATS, JetStream, InspIRCd and Redis",
  };
  const title = tag("title", {}, "Benchmark of rtchat");
  return `${tag("svg", attributes, `\n${title}\n<style>${style}</style>\n${[...head, ...parts].join("\n")}\n`)}\n`;
}
