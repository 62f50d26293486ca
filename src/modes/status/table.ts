/**
 * The figures of a balancer as a table for a terminal of any width: the dashboard's, in text.
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
import { type Column, columnsOf, fold, layOut } from "./layout.ts";

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

/** The whole table, with a final newline. `stream` decides about colour and width. */
export function renderStatus(snapshot: Snapshot, stream: Stream): string {
  const columns = columnsOf(stream);
  const table = layOut(snapshot.backends, formsOf(snapshot), stream);
  const lines = [
    ...headLines(snapshot, stream).flatMap((line) => fold(line, columns)),
    "",
    ...table.title,
    ...snapshot.backends.flatMap((backend, index) => [
      ...(table.rows[index] ?? []),
      ...noteOf(backend, snapshot.at, stream).flatMap((note) => fold(`  ${note}`, columns, 2)),
    ]),
    ...snapshot.unresolved.flatMap(({ detail }) => fold(paint(stream, "red", sanitizeLine(detail)), columns)),
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
    ...(snapshot.retiring > 0
      ? [`${formatCounted(snapshot.retiring, "client")} yet to come over to new workers`]
      : []),
    ...(atDoor > 0 ? [`${formatCount(atDoor)} refused at the door`] : []),
  ];
  const certificate = certificateReport(snapshot.certificate, snapshot.at);
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

/** The table's forms, the fullest first: bars go first, then what is seldom looked at. */
function formsOf(snapshot: Snapshot): readonly (readonly Column<BackendView>[])[] {
  const chosen = snapshot.backends.reduce((sum, { selected }) => sum + selected, 0);
  const backend: Column<BackendView> = {
    title: "backend",
    cell: ({ id }) => ({ text: sanitizeLine(id), style: "bold" }),
  };
  const stateOf = (duration: boolean): Column<BackendView> => ({
    title: "state",
    cell: ({ state: name, reason, since }) => {
      const why = reason === "" || reason === name ? "" : ` ${reason}`;
      const time = duration ? ` ${formatDuration(secondsBetween(since, snapshot.at))}` : "";
      return { text: `${name}${why}${time}`, style: stateStyles[name] };
    },
  });
  const state = stateOf(true);
  const sessions = (most: boolean): Column<BackendView> => ({
    title: "sessions",
    cell: ({ sessions: { current, max } }) => ({
      text: `${formatCount(current)}${most ? ` (most ${formatCount(max)})` : ""}`,
      right: true,
    }),
  });
  const share = (bar: boolean): Column<BackendView> => ({
    title: "chosen",
    cell: (one) => {
      const filled = Math.round(part(one.selected, chosen) * BAR);
      const picture = bar ? `${"█".repeat(filled)}${"░".repeat(BAR - filled)} ` : "";
      return { text: `${picture}${formatCount(one.selected)}${shareNotes(one)}` };
    },
  });
  const messages = (title: string): Column<BackendView> => ({
    title,
    cell: ({ messageRates }) => ({ text: formatRate(messageRates.at(-1) ?? 0), right: true }),
  });
  const check: Column<BackendView> = {
    title: "last check",
    cell: ({ lastCheck }) =>
      lastCheck === null
        ? { text: "none yet", style: "dim" }
        : {
            text: `${lastCheck.code} ${formatMs(lastCheck.durationMs)}`,
            style: lastCheck.code === "L7OK" ? "dim" : "red",
          },
  };
  return [
    [backend, state, sessions(true), share(true), messages("messages/s"), check],
    [backend, state, sessions(true), share(false), messages("messages/s"), check],
    [backend, state, sessions(false), share(false), messages("msg/s"), check],
    [backend, state, sessions(false), messages("msg/s"), check],
    [backend, state, sessions(false), messages("msg/s")],
    [backend, state, sessions(false)],
    [backend, stateOf(false), sessions(false)],
  ];
}

/** What is wrong with a backend, how its drain goes, and its own certificate: what is told below it. */
function noteOf(backend: BackendView, at: string, stream: Stream): string[] {
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
  const certificate = certificateReport(backend.certificate, at);
  return [
    ...notes.map((note) => paint(stream, style, note)),
    ...(certificate === undefined
      ? []
      : [paint(stream, certificateStyles[certificate.state], certificate.text)]),
  ];
}
