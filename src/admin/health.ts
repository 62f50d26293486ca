/**
 * The balancer's health, as a load balancer's operator and a probe want it.
 *
 * pass: every listed backend takes sessions and can write its log. warn: some do. fail (HTTP 503): none does. A backend
 * taken out on purpose is a warning too: it is how one notices that it was forgotten. So is a certificate that should
 * have been renewed: who has pinned it, or comes without TLS, is still served.
 */
import type { BackendView, Snapshot } from "../balancer/view.ts";
import type { Validity } from "../protocol/validity.ts";
import { certificateReport } from "./certificate.ts";
import type { Health } from "./schemas.ts";

/** Ejected ones are used when nobody else is there. */
function isOpen({ state, weight }: BackendView): boolean {
  return (state === "up" || state === "ejected") && weight > 0;
}

/** Whether a session would get in there now: without its log a server lets nobody in, and acknowledges nothing. */
function canServe(backend: BackendView): boolean {
  return isOpen(backend) && backend.backplane?.state !== "down";
}

/** pass, warn or fail for one backend. */
function statusOf(backend: BackendView): Health["status"] {
  if (backend.state === "down" || backend.backplane?.state === "down") return "fail";
  const isWell = backend.state === "up" && backend.weight > 0 && backend.backplane?.state !== "degraded";
  return isWell ? "pass" : "warn";
}

/** A certificate that is there is good, and will be for a while. */
function isRenewed(certificate: Validity | null, at: string): boolean {
  return (certificateReport(certificate, at)?.state ?? "good") === "good";
}

/** The balancer as a whole. */
export function overallStatus(snapshot: Snapshot): Health["status"] {
  if (snapshot.stopping || !snapshot.backends.some(canServe)) return "fail";
  const well =
    snapshot.unresolved.length === 0 &&
    [snapshot, ...snapshot.backends].every(({ certificate }) => isRenewed(certificate, snapshot.at)) &&
    snapshot.backends.every((backend) => statusOf(backend) === "pass");
  return well ? "pass" : "warn";
}

function describeFailure(snapshot: Snapshot): string {
  if (snapshot.stopping) return "the balancer is stopping";
  if (snapshot.backends.length === 0) return "no backends are listed; add one with POST /api/v1/backends";
  if (snapshot.backends.some(isOpen)) {
    return "the servers cannot write to their log: nobody gets in and messages wait; the servers' own logs say why";
  }
  return "no backend can take a session; see the detail of each";
}

/** Body and HTTP status of GET /health. */
export function healthReport(snapshot: Snapshot): { readonly body: Health; readonly code: 200 | 503 } {
  const status = overallStatus(snapshot);
  const failing = snapshot.backends.filter((one) => statusOf(one) !== "pass" || one.detail !== "");
  const certificate = certificateReport(snapshot.certificate, snapshot.at);
  const late = snapshot.backends.filter((one) => !isRenewed(one.certificate, snapshot.at));
  const body: Health = {
    status,
    version: snapshot.version.split(".")[0] ?? "",
    releaseId: snapshot.version,
    serviceId: snapshot.name,
    description: `rtchat balancer on ${snapshot.listen}`,
    notes: [
      ...failing.map(({ id, state, reason, detail }) => {
        const why = reason === "" || reason === state ? "" : ` (${reason})`;
        return `${id} is ${state === "maintenance" ? "in maintenance" : state}${why}: ${detail}`;
      }),
      ...snapshot.unresolved.map(({ name, detail }) => `${name} is unresolved: ${detail}`),
      ...(certificate === undefined || certificate.state === "good" ? [] : [certificate.text]),
      ...late.map(({ id, certificate: one }) => `${id}: ${certificateReport(one, snapshot.at)?.text}`),
    ],
    ...(status === "fail" ? { output: describeFailure(snapshot) } : {}),
    checks: checksOf(snapshot),
    backends: snapshot.backends.map((backend) => ({
      address: backend.id,
      state: backend.state,
      reason: backend.reason,
      detail: backend.detail,
      since: backend.since,
      sessions: { current: backend.sessions.current, total: backend.sessions.total },
      selected: backend.selected,
      failures: backend.failures,
      lastCheck: backend.lastCheck,
    })),
  };
  return { body, code: status === "fail" ? 503 : 200 };
}

const certificateStatuses = { good: "pass", ending: "warn", ended: "fail" } as const;

function checksOf(snapshot: Snapshot): Health["checks"] {
  const checks: Health["checks"] = {};
  for (const backend of snapshot.backends) {
    checks[`${backend.id}:state`] = [
      {
        componentId: backend.id,
        componentType: "component",
        observedValue: backend.state,
        observedUnit: "state",
        status: statusOf(backend),
        time: backend.lastCheck?.at ?? backend.since,
        ...(backend.detail === "" ? {} : { output: backend.detail }),
      },
    ];
  }
  checks["sessions:current"] = [
    {
      componentId: snapshot.name,
      componentType: "system",
      observedValue: snapshot.sessions.current,
      observedUnit: "sessions",
      status: snapshot.sessions.held > 0 ? "warn" : "pass",
      time: snapshot.at,
    },
  ];
  const { at } = snapshot;
  const own = certificateCheck(snapshot.certificate, at, {
    componentId: snapshot.name,
    componentType: "system",
  });
  if (own !== undefined) checks["certificate:remaining"] = [own];
  for (const { id, certificate } of snapshot.backends) {
    const check = certificateCheck(certificate, at, { componentId: id, componentType: "component" });
    if (check !== undefined) checks[`${id}:certificate`] = [check];
  }
  return checks;
}

type Check = Health["checks"][string][number];

function certificateCheck(
  certificate: Validity | null,
  at: string,
  of: Pick<Check, "componentId" | "componentType">,
): Check | undefined {
  const report = certificateReport(certificate, at);
  if (report === undefined) return undefined;
  return {
    ...of,
    observedValue: report.seconds,
    observedUnit: "s",
    status: certificateStatuses[report.state],
    time: at,
    output: report.text,
  };
}
