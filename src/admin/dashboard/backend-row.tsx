/** @jsxImportSource hono/jsx */
/**
 * One backend as a row of the table (a card on a phone). All that changes with state is in classes and attributes, so
 * that the live update can change a row in place and the style sheet can animate it.
 */
import type { BackendView, DrainView, Snapshot } from "../../balancer/view.ts";
import { certificateReport } from "../certificate.ts";
import {
  formatBytes,
  formatCount,
  formatCounted,
  formatDuration,
  formatMs,
  formatRate,
  part,
  secondsBetween,
} from "./format.ts";

const SPARK_WIDTH = 120;
const SPARK_HEIGHT = 28;
const BAR_WIDTH = 100;

/** Ids may hold colons and brackets, which are fine in an id attribute, but not in a selector. */
function rowId(backend: BackendView): string {
  return `backend-${backend.id.replaceAll(/[^a-z0-9]+/gi, "-")}`;
}

/** The row. */
export function BackendRow({ backend, snapshot }: { backend: BackendView; snapshot: Snapshot }) {
  const share = part(
    backend.selected,
    snapshot.backends.reduce((sum, { selected }) => sum + selected, 0),
  );
  const certificate = certificateReport(backend.certificate, snapshot.at);
  return (
    <tr id={rowId(backend)} class={`backend state-${backend.state}`} data-backend={backend.id}>
      <th scope="row" class="cell-name">
        <span class="address">{backend.id}</span>
        <span class="sub">
          {[backend.server, backend.build && `v${backend.build}`].filter(Boolean).join(" · ") ||
            "not reached yet"}
        </span>
        {certificate?.state === "good" && <span class="sub">{certificate.text}</span>}
      </th>
      <td class="cell-state" data-label="State">
        <span class={`badge badge-${backend.state}`}>{backend.state}</span>
        {backend.reason !== "" && backend.reason !== backend.state && (
          <span class="reason">{backend.reason}</span>
        )}
        <span class="sub">for {formatDuration(secondsBetween(backend.since, snapshot.at))}</span>
      </td>
      <td class="cell-number" data-label="Sessions">
        <span class="number">{formatCount(backend.sessions.current)}</span>
        <span class="sub">
          most {formatCount(backend.sessions.max)}
          {backend.handovers.in > 0 && ` · ${formatCount(backend.handovers.in)} moved here`}
        </span>
      </td>
      <td class="cell-share" data-label="Chosen">
        <Bar value={share} label={`${Math.round(share * 100)} % of all choices`} />
        <span class="sub">
          {formatCounted(backend.selected, "time")} · weight {backend.weight}
          {backend.ramp < 1 && ` (starting slowly, ${Math.round(backend.ramp * 100)} %)`}
          {backend.failures > 0 && <span class="bad"> · {formatCount(backend.failures)} failed</span>}
        </span>
      </td>
      <td class="cell-messages" data-label="Messages">
        <Sparkline values={backend.messageRates} />
        <span class="sub">
          {formatRate(backend.messageRates.at(-1) ?? 0)}/s ·{" "}
          {formatBytes(backend.bytes.in + backend.bytes.out)}
        </span>
      </td>
      <td class="cell-check" data-label="Last check">
        <Check backend={backend} at={snapshot.at} />
      </td>
      <td class="cell-actions">
        <Actions backend={backend} />
      </td>
    </tr>
  );
}

/** What is wrong with a backend, or how its drain goes: a row of its own below it, present only if there is something to say. */
export function BackendNote({ backend, at }: { backend: BackendView; at: string }) {
  const drain = backend.drain;
  const certificate = certificateReport(backend.certificate, at);
  const isLate = certificate !== undefined && certificate.state !== "good";
  if (backend.detail === "" && drain === null && !isLate) return null;
  return (
    <tr id={`${rowId(backend)}-note`} class={`note state-${backend.state}`}>
      <td colspan={7}>
        {drain !== null && <DrainProgress drain={drain} />}
        {(drain === null || drain.remaining === 0) && <span class="detail">{backend.detail}</span>}
        {isLate && <span class="detail bad">{certificate.text}</span>}
      </td>
    </tr>
  );
}

function DrainProgress({ drain }: { drain: DrainView }) {
  const total = Math.max(drain.total, drain.remaining);
  const moved = total - drain.remaining;
  const text =
    drain.remaining === 0 ? "drained" : `${formatCount(moved)} of ${formatCount(total)} sessions moved`;
  return (
    <span class="drain">
      <progress max={Math.max(1, total)} value={total === 0 ? 1 : moved} aria-label={`drain: ${text}`} />
      <span class="detail">{text}</span>
    </span>
  );
}

function Bar({ value, label }: { value: number; label: string }) {
  return (
    <svg class="bar" viewBox={`0 0 ${BAR_WIDTH} 6`} preserveAspectRatio="none" role="img" aria-label={label}>
      <rect class="track" width={BAR_WIDTH} height="6" rx="3" />
      <rect class="fill" width={(value * BAR_WIDTH).toFixed(1)} height="6" rx="3" />
    </svg>
  );
}

function Sparkline({ values }: { values: readonly number[] }) {
  const most = Math.max(1, ...values);
  const step = SPARK_WIDTH / Math.max(1, values.length - 1);
  const points = values.map(
    (value, index) =>
      `${(index * step).toFixed(1)},${(SPARK_HEIGHT - 1 - (value / most) * (SPARK_HEIGHT - 3)).toFixed(1)}`,
  );
  const line =
    points.length > 1 ? points.join(" ") : `0,${SPARK_HEIGHT - 1} ${SPARK_WIDTH},${SPARK_HEIGHT - 1}`;
  const last = formatRate(values.at(-1) ?? 0);
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`messages a second, now ${last}`}
    >
      <polygon class="area" points={`0,${SPARK_HEIGHT} ${line} ${SPARK_WIDTH},${SPARK_HEIGHT}`} />
      <polyline class="line" points={line} />
    </svg>
  );
}

function Check({ backend, at }: { backend: BackendView; at: string }) {
  const check = backend.lastCheck;
  if (check === null) return <span class="sub">none yet</span>;
  return (
    <>
      <span class={check.code === "L7OK" ? "code" : "code bad"}>{check.code}</span>{" "}
      <span class="took">{formatMs(check.durationMs)}</span>
      <span class="sub">{formatDuration(secondsBetween(check.at, at))} ago</span>
    </>
  );
}

function Actions({ backend }: { backend: BackendView }) {
  const out = backend.state === "draining" || backend.state === "maintenance" || backend.state === "ejected";
  const [action, label] = out ? ["ready", "Set ready"] : ["drain", "Drain"];
  return (
    <button
      type="button"
      id={`${rowId(backend)}-action`}
      data-action={action}
      data-backend={backend.id}
      data-sessions={backend.sessions.current}
    >
      {label}
    </button>
  );
}
