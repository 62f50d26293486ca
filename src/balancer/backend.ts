/**
 * One backend's record: what was asked of it, what the checks say, what it counts, and the state that follows.
 *
 * The state is never stored by hand. It is derived from independent facts (the operator's wish, the trunk, the verdict,
 * quarantine, ejection) in one place, {@link describe}, so that no order of events can leave a contradiction behind.
 * Only the pool writes to a record.
 */
import { Patience } from "../edge/patience.ts";
import type { HubReport } from "../edge/trunk.ts";
import type { BackendSpec } from "./address.ts";
import { formatAddress } from "../protocol/address.ts";
import { balancerLimits } from "../protocol/limits.balancer.ts";
import type { Ejection } from "./ejection.ts";
import type { CheckResult, Health } from "./health.ts";
import type { Candidate } from "./policy.ts";
import type { Totals } from "./totals.ts";
import { noTotals } from "./totals.ts";
import { Histogram } from "./histogram.ts";

/** What a backend is to the balancer now. Only `up` takes sessions. */
export type BackendState = "starting" | "up" | "down" | "draining" | "ejected" | "maintenance";

/** Why it is not simply `up`; empty when it is. */
export type Reason =
  | ""
  | "L4CON"
  | "L4TOUT"
  | "L7TOUT"
  | "L7RSP"
  | "SOCKERR"
  | "draining"
  | "ejected"
  | "maintenance"
  | "wrong-cluster"
  | "wrong-version"
  | "wrong-secret";

/** State, why, and a sentence for the operator. */
export interface Description {
  readonly state: BackendState;
  readonly reason: Reason;
  readonly detail: string;
}

/** Whose wish a drain is: `operator` until undone, `hub` until its trunk ends, `removal` until it is gone. */
export type DrainCause = "operator" | "hub" | "removal";

/** A drain in progress, or done when nothing remains. */
export interface Drain {
  readonly cause: DrainCause;
  /** Wall clock, ms. */
  readonly startedAt: number;
  /** From then on everything left is moved at once: monotonic ms, which nobody sets, and wall clock, for people. */
  readonly deadline: number;
  readonly deadlineAt: number;
  /** Sessions a second. */
  readonly rate: number;
  /** Sessions when it started. */
  readonly total: number;
  /** Sessions that left since, moved or ended. */
  left: number;
}

/** Well, but not one of ours. */
export interface Quarantine {
  readonly reason: "wrong-cluster" | "wrong-version" | "wrong-secret";
  /** What differs and what to do. */
  readonly detail: string;
}

/** A check as remembered for display. */
export interface LastCheck {
  readonly code: CheckResult["code"];
  /** Wall clock, ms. */
  readonly at: number;
  readonly durationMs: number;
  readonly detail: string;
}

/** The record. */
export class Backend implements Candidate {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** The host name it was resolved from, if the list gave a name. */
  readonly name: string | undefined;
  readonly health: Health;
  readonly ejection: Ejection;
  weight: number;
  /** The weight in the list; an operator may have set another since. */
  listedWeight: number;
  ramp = 1;

  connected = false;
  maintenance = false;
  drain: Drain | undefined;
  quarantine: Quarantine | undefined;
  /** Was usable before, or was added while others served: its next start is a slow one. */
  known: boolean;
  cluster: string | undefined;
  /** What the hub says of itself, while there is a trunk; and who it is, also afterwards. */
  report: HubReport | undefined;
  identity: { readonly server: string; readonly build: string } | undefined;
  /** Since when it has said that it cannot reach its log: monotonic ms; undefined while it can. */
  logDownAt: number | undefined;
  lastCheck: LastCheck | undefined;
  description: Description = { state: "starting", reason: "", detail: "not checked yet" };
  /** When the state began: wall clock, ms. */
  since: number;

  readonly totals: Totals = noTotals();
  sessionsMax = 0;
  /** What the present link's own byte counters said when `totals` took them over. */
  counted: { readonly in: number; readonly out: number } = { in: 0, out: 0 };
  /** Monotonic ms at which the present or last trunk came up. */
  openedAt = -Infinity;
  readonly roundTrip = new Histogram();
  /** How long its trunks may be silent. */
  readonly patience = new Patience();
  /** Messages a second, oldest first, one a check. */
  readonly messageRates: number[] = [];
  /** `report.users` is as old as the last check; this is what this balancer did since. */
  sessionsAtReport = 0;

  constructor(
    spec: BackendSpec,
    parts: { health: Health; ejection: Ejection; name: string | undefined; known: boolean; now: number },
  ) {
    this.id = formatAddress(spec);
    this.host = spec.host;
    this.port = spec.port;
    this.weight = spec.weight;
    this.listedWeight = spec.weight;
    this.health = parts.health;
    this.ejection = parts.ejection;
    this.name = parts.name;
    this.known = parts.known;
    this.since = parts.now;
  }

  get sessions(): number {
    return this.totals.sessions;
  }

  /** How it reaches its log, as it last said. */
  get log(): HubReport["backplane"] {
    return this.report?.backplane ?? "ok";
  }

  /** Users of the backend over all balancers: its own count, corrected by what happened here since it gave it. */
  get users(): number {
    if (this.report === undefined) return this.sessions;
    return Math.max(this.sessions, this.report.sessions + this.sessions - this.sessionsAtReport);
  }
}

/** The state that follows from a record's facts. The operator's wish comes first: it is why nothing else is tried. */
export function describe(backend: Backend, now: number): Description {
  const { drain, quarantine, health, ejection, lastCheck } = backend;
  if (backend.maintenance) {
    return {
      state: "maintenance",
      reason: "maintenance",
      detail: "taken out by an operator; set it ready to use it again",
    };
  }
  if (drain !== undefined)
    return { state: "draining", reason: "draining", detail: drainDetail(drain, backend) };
  if (quarantine !== undefined) return { state: "down", ...quarantine };
  if (health.verdict === "unknown") return { state: "starting", reason: "", detail: "not checked yet" };
  if (health.verdict === "down" || !backend.connected) {
    const code = lastCheck?.code ?? "L4CON";
    if (code !== "L7OK") return { state: "down", reason: code, detail: lastCheck?.detail ?? "" };
    // What it went down for is past, so say what is being waited for.
    const detail = backend.connected ? "answers again; waiting for the next good check" : "connecting";
    return { state: "starting", reason: "", detail };
  }
  const until = ejection.until(now);
  if (until !== undefined) {
    const seconds = Math.ceil((until - now) / 1_000);
    return {
      state: "ejected",
      reason: "ejected",
      detail: `sessions failed repeatedly; tried again in ${seconds} s`,
    };
  }
  return { state: "up", reason: "", detail: upDetail(backend) };
}

/** What is not as it should be with a backend that is up. */
function upDetail({ log, weight, lastCheck }: Backend): string {
  if (log === "down")
    return "its log is down: nobody gets in and messages wait; the server's own log says why";
  if (log === "degraded") return "its log is degraded: messages wait; the server's own log says why";
  if (weight === 0) return "of weight 0: gets nobody new";
  const ms = Math.round(lastCheck?.durationMs ?? 0);
  return ms < balancerLimits.slowMs ? "" : `answers slowly, within ${ms} ms; look at its load`;
}

function sessionsText(count: number): string {
  return count === 1 ? "1 session" : `${count} sessions`;
}

function drainDetail(drain: Drain, backend: Backend): string {
  const who = { operator: "by an operator", hub: "at the server's own wish", removal: "to be removed" }[
    drain.cause
  ];
  return backend.sessions === 0
    ? `drained ${who}`
    : `draining ${who}, ${sessionsText(backend.sessions)} left`;
}
