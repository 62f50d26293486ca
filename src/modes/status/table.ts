/**
 * The figures of a balancer as a table for a terminal: the dashboard's, in text.
 *
 * Colour says nothing that words do not say too. Whatever comes from elsewhere (names, reasons) is sanitized.
 */
import {
  formatCount,
  formatCounted,
  formatDuration,
  formatMs,
  formatRate,
  part,
  secondsBetween,
} from "../../admin/dashboard/format.ts";
import { certificateReport } from "../../admin/certificate.ts";
import { overallStatus } from "../../admin/health.ts";
import type { BackendView, Snapshot } from "../../balancer/view.ts";
import { paint, type Stream, type Style } from "../../cli/output.ts";
import { sanitizeLine } from "../../protocol/sanitize.ts";

const BAR = 10;

const stateStyles: Readonly<Record<BackendView["state"], Style>> = {
  starting: "blue",
  up: "green",
  down: "red",
  draining: "yellow",
  ejected: "magenta",
  maintenance: "dim",
};
const statusStyles = { pass: "green", warn: "yellow", fail: "red" } as const;
const certificateStyles = { good: "dim", ending: "yellow", ended: "red" } as const;
const statusWords = { pass: "all well", warn: "degraded", fail: "not serving" } as const;

interface Cell {
  readonly text: string;
  readonly style?: Style;
  readonly right?: boolean;
}

/** The whole table, with a final newline. `stream` decides about colour. */
export function renderStatus(snapshot: Snapshot, stream: Stream): string {
  const head = headLines(snapshot, stream);
  const chosen = snapshot.backends.reduce((sum, { selected }) => sum + selected, 0);
  const titles = ["backend", "state", "sessions", "chosen", "messages/s", "last check"];
  const rows = snapshot.backends.map((backend) => cellsOf(backend, snapshot, chosen));
  const widths = titles.map((title, column) =>
    Math.max(Bun.stringWidth(title), ...rows.map((cells) => Bun.stringWidth(cells[column]?.text ?? ""))),
  );
  const line = (cells: readonly Cell[]) =>
    cells
      .map((cell, column) => pad(cell, widths[column] ?? 0, stream))
      .join("  ")
      .trimEnd();
  const lines = [
    ...head,
    "",
    line(
      titles.map((text, column) => ({
        text,
        style: "dim" as const,
        right: rows[0]?.[column]?.right ?? false,
      })),
    ),
    ...snapshot.backends.flatMap((backend, index) => [line(rows[index] ?? []), ...noteOf(backend, stream)]),
    ...snapshot.unresolved.map(({ detail }) => paint(stream, "red", sanitizeLine(detail))),
  ];
  return `${lines.join("\n")}\n`;
}

/** What there is to say of a backend's share beside how often it was chosen; most have the same. */
function shareNotes({ weight, failures }: BackendView): string {
  const notes = [
    ...(weight === 1 ? [] : [`weight ${weight}`]),
    ...(failures > 0 ? [`${formatCount(failures)} failed`] : []),
  ];
  return notes.length === 0 ? "" : ` (${notes.join(", ")})`;
}

function headLines(snapshot: Snapshot, stream: Stream): string[] {
  const status = overallStatus(snapshot);
  const { sessions, connections, handovers, refused } = snapshot;
  const word = snapshot.stopping ? "stopping" : statusWords[status];
  const atDoor = refused.total + refused.address + refused.rate + refused.descriptors;
  const rate = snapshot.backends.reduce((sum, { messageRates }) => sum + (messageRates.at(-1) ?? 0), 0);
  const facts = [
    `${formatCounted(sessions.current, "user")} (most ${formatCount(sessions.max)})`,
    `${formatRate(rate)} messages/s`,
    formatCounted(connections.current, "connection"),
    formatCounted(handovers.in, "hand-over"),
    ...(sessions.held > 0 ? [`${formatCount(sessions.held)} waiting for a server`] : []),
    ...(sessions.refused > 0 ? [`${formatCount(sessions.refused)} given up`] : []),
    ...(atDoor > 0 ? [`${formatCount(atDoor)} refused at the door`] : []),
  ];
  const certificate = certificateReport(snapshot);
  const workers = snapshot.workers > 1 ? `, ${snapshot.workers} workers` : "";
  return [
    `${paint(stream, "bold", "rtchat balancer")} on ${sanitizeLine(snapshot.listen)}: ` +
      `${paint(stream, statusStyles[status], word)} ` +
      paint(stream, "dim", `(up ${formatDuration(snapshot.uptimeSeconds)}, ${snapshot.policy}${workers})`),
    facts.join(", "),
    ...(certificate === undefined
      ? []
      : [paint(stream, certificateStyles[certificate.state], certificate.text)]),
  ];
}

function cellsOf(backend: BackendView, snapshot: Snapshot, chosen: number): Cell[] {
  const share = part(backend.selected, chosen);
  const reason = backend.reason === "" || backend.reason === backend.state ? "" : ` ${backend.reason}`;
  const since = formatDuration(secondsBetween(backend.since, snapshot.at));
  const filled = Math.round(share * BAR);
  const check = backend.lastCheck;
  return [
    { text: sanitizeLine(backend.id), style: "bold" },
    { text: `${backend.state}${reason} ${since}`, style: stateStyles[backend.state] },
    {
      text: `${formatCount(backend.sessions.current)} (most ${formatCount(backend.sessions.max)})`,
      right: true,
    },
    {
      text: `${"█".repeat(filled)}${"░".repeat(BAR - filled)} ${formatCount(backend.selected)}${shareNotes(backend)}`,
    },
    { text: formatRate(backend.messageRates.at(-1) ?? 0), right: true },
    check === null
      ? { text: "none yet", style: "dim" }
      : {
          text: `${check.code} ${formatMs(check.durationMs)}`,
          style: check.code === "L7OK" ? "dim" : "red",
        },
  ];
}

/** What is wrong with a backend, or how its drain goes, indented below it. */
function noteOf(backend: BackendView, stream: Stream): string[] {
  const { drain, detail, ramp } = backend;
  const notes: string[] = [];
  if (drain !== null && drain.remaining > 0) {
    const total = Math.max(drain.total, drain.remaining);
    const moved = total - drain.remaining;
    const filled = Math.round((moved / total) * BAR * 2);
    const bar = "█".repeat(filled) + "░".repeat(BAR * 2 - filled);
    notes.push(`${bar} ${formatCount(moved)} of ${formatCount(total)} moved`);
  } else if (detail !== "") notes.push(sanitizeLine(detail));
  else if (ramp < 1) notes.push(`starting slowly, with ${Math.round(ramp * 100)} % of its share`);
  // What is said of one that is up is a warning.
  const style = backend.state === "up" ? "yellow" : stateStyles[backend.state];
  return notes.map((note) => `  ${paint(stream, style, note)}`);
}

function pad({ text, style, right = false }: Cell, width: number, stream: Stream): string {
  const space = " ".repeat(Math.max(0, width - Bun.stringWidth(text)));
  const painted = style === undefined ? text : paint(stream, style, text);
  return right ? space + painted : painted + space;
}
