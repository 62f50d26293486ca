/** The balancer as plain figures, for the admin endpoint: one function that reads, and one that sums over workers. */
import type { Backend } from "./backend.ts";
import { describe } from "./backend.ts";
import { addHistograms } from "./histogram.ts";
import type { BackendView, DrainView, Snapshot } from "./view.ts";
import type { Validity } from "../protocol/validity.ts";

const iso = (ms: number): string => new Date(ms).toISOString();

/** One backend. @param monotonic now, ms */
export function viewBackend(backend: Backend, monotonic: number): BackendView {
  const { totals, report, identity, lastCheck, drain } = backend;
  // Described anew: sentences in it count seconds and sessions.
  const { state, reason, detail } = describe(backend, monotonic);
  return {
    id: backend.id,
    name: backend.name ?? null,
    server: identity?.server ?? null,
    build: identity?.build ?? null,
    cluster: backend.cluster ?? null,
    state,
    reason,
    detail,
    since: iso(backend.since),
    weight: backend.weight,
    ramp: backend.ramp,
    sessions: {
      current: totals.sessions,
      max: backend.sessionsMax,
      total: totals.sessionsTotal + totals.handoversIn,
    },
    selected: totals.selected,
    failures: totals.failures,
    retries: totals.retries,
    handovers: { in: totals.handoversIn, out: totals.handoversOut },
    bytes: { in: totals.bytesIn, out: totals.bytesOut },
    users: backend.users,
    rooms: report?.rooms ?? 0,
    messages: report?.messages ?? 0,
    messageRates: [...backend.messageRates],
    backplane: report === undefined ? null : { state: report.backplane, ms: report.backplaneMs },
    certificate: report?.certificate ?? null,
    lastCheck:
      lastCheck === undefined
        ? null
        : { ...lastCheck, at: iso(lastCheck.at), durationMs: Number(lastCheck.durationMs.toFixed(3)) },
    checks: { passed: backend.health.passed, failed: backend.health.failed },
    ejections: backend.ejection.total,
    drain: drain === undefined ? null : viewDrain(backend, drain),
    roundTrip: backend.roundTrip.view(),
  };
}

function viewDrain(backend: Backend, drain: NonNullable<Backend["drain"]>): DrainView {
  return {
    cause: drain.cause,
    startedAt: iso(drain.startedAt),
    deadlineAt: iso(drain.deadlineAt),
    rate: drain.rate,
    total: drain.total,
    remaining: backend.sessions,
  };
}

const inOut = (one: { in: number; out: number }, other: { in: number; out: number }) => ({
  in: one.in + other.in,
  out: one.out + other.out,
});

/** How bad a state is for a person who looks: of several workers' opinions the worst is shown. */
const badness = ["up", "starting", "maintenance", "draining", "ejected", "down"] as const;

/** Two workers' views of one backend as one. What the server reports is the same for both; what workers count is summed. */
function addBackends(one: BackendView, other: BackendView): BackendView {
  const worse = badness.indexOf(other.state) > badness.indexOf(one.state) ? other : one;
  const newer = (one.lastCheck?.at ?? "") >= (other.lastCheck?.at ?? "") ? one : other;
  const drain =
    one.drain === null || other.drain === null
      ? (one.drain ?? other.drain)
      : {
          ...one.drain,
          rate: one.drain.rate + other.drain.rate,
          total: one.drain.total + other.drain.total,
          remaining: one.drain.remaining + other.drain.remaining,
        };
  return {
    ...newer,
    state: worse.state,
    reason: worse.reason,
    detail: worse.detail,
    since: worse.since,
    sessions: {
      current: one.sessions.current + other.sessions.current,
      // Workers peak at different times: the sum is an upper bound, the best that can be said.
      max: one.sessions.max + other.sessions.max,
      total: one.sessions.total + other.sessions.total,
    },
    selected: one.selected + other.selected,
    failures: one.failures + other.failures,
    retries: one.retries + other.retries,
    handovers: inOut(one.handovers, other.handovers),
    bytes: inOut(one.bytes, other.bytes),
    checks: {
      passed: one.checks.passed + other.checks.passed,
      failed: one.checks.failed + other.checks.failed,
    },
    ejections: one.ejections + other.ejections,
    drain,
    roundTrip: addHistograms(one.roundTrip, other.roundTrip),
  };
}

/** The one that ends first: workers look at the files at different moments. */
function first(one: Validity | null, other: Validity | null): Validity | null {
  if (one === null || other === null) return one ?? other;
  return one.notAfter <= other.notAfter ? one : other;
}

/** Two workers' snapshots as one. */
export function addSnapshots(one: Snapshot, other: Snapshot): Snapshot {
  const backends = new Map(one.backends.map((backend) => [backend.id, backend]));
  for (const backend of other.backends) {
    const known = backends.get(backend.id);
    backends.set(backend.id, known === undefined ? backend : addBackends(known, backend));
  }
  const sum = (key: "selected" | "failures" | "retries" | "workers" | "retiring") => one[key] + other[key];
  return {
    ...one,
    startedAt: one.startedAt < other.startedAt ? one.startedAt : other.startedAt,
    uptimeSeconds: Math.max(one.uptimeSeconds, other.uptimeSeconds),
    at: one.at > other.at ? one.at : other.at,
    workers: sum("workers"),
    stopping: one.stopping || other.stopping,
    retiring: sum("retiring"),
    certificate: first(one.certificate, other.certificate),
    sessions: addFields(one.sessions, other.sessions),
    selected: sum("selected"),
    failures: sum("failures"),
    retries: sum("retries"),
    handovers: inOut(one.handovers, other.handovers),
    bytes: inOut(one.bytes, other.bytes),
    connections: addFields(one.connections, other.connections),
    refused: addFields(one.refused, other.refused),
    handoverPause: addHistograms(one.handoverPause, other.handoverPause),
    backends: [...backends.values()],
  };
}

/**
 * What is left of a worker that is gone: what it counted. Added to others' snapshots it changes nothing but their counters:
 * it has no sessions, and no opinion of any backend.
 */
export function countersOf(snapshot: Snapshot): Snapshot {
  const { sessions, connections, backends } = snapshot;
  return {
    ...snapshot,
    workers: 0,
    stopping: false,
    retiring: 0,
    certificate: null,
    sessions: { ...sessions, current: 0, max: 0, held: 0 },
    connections: { ...connections, current: 0 },
    backends: backends.map((backend) => ({
      ...backend,
      // The best state and the oldest check: of two opinions the other one is shown.
      state: "up",
      lastCheck: null,
      drain: null,
      sessions: { ...backend.sessions, current: 0, max: 0 },
    })),
  };
}

/** Objects of numbers, field by field. */
function addFields<T extends { readonly [Key in keyof T]: number }>(one: T, other: T): T {
  const keys = Object.keys(one) as (keyof T)[];
  // Both have the keys of T, so the result does.
  return Object.fromEntries(keys.map((key) => [key, one[key] + other[key]])) as T;
}
