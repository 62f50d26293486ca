/**
 * What a balancer shows of itself, and what it lets an operator do: the boundary to the admin endpoint.
 *
 * Everything here is plain JSON, because with several workers it crosses processes and is summed (see snapshot.ts). Times
 * are ISO 8601; durations are in the unit their name says.
 */
import type { BackendState, DrainCause, Reason } from "./backend.ts";
import type { CheckCode } from "./health.ts";
import type { PolicyName } from "./policy.ts";
import type { Validity } from "../protocol/validity.ts";

/** A number of observations by upper bound, as Prometheus counts them (not cumulative here). */
export interface HistogramView {
  /** Upper bounds, seconds, ascending; one more count for what lies above the last. */
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

/** Sessions of a backend or of all. */
export interface SessionCounts {
  readonly current: number;
  readonly max: number;
  /** Of a backend: placed here or moved here. Of the balancer: each session once. */
  readonly total: number;
}

/** A drain in progress or done. */
export interface DrainView {
  readonly cause: DrainCause;
  readonly startedAt: string;
  readonly deadlineAt: string;
  /** Sessions a second. */
  readonly rate: number;
  /** Sessions when it began. */
  readonly total: number;
  readonly remaining: number;
}

/** The last check of a backend. */
export interface CheckView {
  readonly code: CheckCode;
  readonly at: string;
  readonly durationMs: number;
  readonly detail: string;
}

/** One backend. */
export interface BackendView {
  /** `ip:port` or `[v6]:port`. */
  readonly id: string;
  /** The host name it was resolved from. */
  readonly name: string | null;
  /** What the server calls itself, once it has been reached. */
  readonly server: string | null;
  readonly build: string | null;
  readonly cluster: string | null;
  readonly state: BackendState;
  readonly reason: Reason;
  /** One sentence: what is wrong and what to do. */
  readonly detail: string;
  /** When the state began. */
  readonly since: string;
  readonly weight: number;
  /** Part of the weight in use: below 1 during a slow start. */
  readonly ramp: number;
  readonly sessions: SessionCounts;
  /** How often the policy chose it for a new session. */
  readonly selected: number;
  /** Choices that came to nothing: selected − failures = sessions.total − handovers.in, but for choices not yet settled. */
  readonly failures: number;
  /** Sessions placed here after another backend had failed them. */
  readonly retries: number;
  readonly handovers: { readonly in: number; readonly out: number };
  /** Payload from and to clients. */
  readonly bytes: { readonly in: number; readonly out: number };
  /** Sessions of the server over all balancers, as it last reported. */
  readonly users: number;
  readonly rooms: number;
  /** Messages the server took from clients since it started. */
  readonly messages: number;
  /** Messages a second, oldest first, one value a check. */
  readonly messageRates: readonly number[];
  readonly backplane: { readonly state: "ok" | "degraded" | "down"; readonly ms: number } | null;
  /** Of the certificate that it shows to clients who come to it directly; null without TLS, or while it is not reached. */
  readonly certificate: Validity | null;
  readonly lastCheck: CheckView | null;
  readonly checks: { readonly passed: number; readonly failed: number };
  readonly ejections: number;
  readonly drain: DrainView | null;
  readonly roundTrip: HistogramView;
}

/** The whole balancer at one moment. */
export interface Snapshot {
  readonly version: string;
  /** How this balancer names itself to servers. */
  readonly name: string;
  /** Where clients connect. */
  readonly listen: string;
  readonly startedAt: string;
  readonly at: string;
  readonly uptimeSeconds: number;
  readonly workers: number;
  readonly policy: PolicyName;
  readonly cluster: string | null;
  readonly stopping: boolean;
  /** Connections of workers that were replaced: their clients have yet to come over. */
  readonly retiring: number;
  /** Of the certificate for clients; null without TLS. Of several workers the one that ends first. */
  readonly certificate: Validity | null;
  /** Sums over all backends ever listed. `held` sessions wait for a backend; `refused` found none in time. */
  readonly sessions: SessionCounts & { readonly held: number; readonly refused: number };
  readonly selected: number;
  readonly failures: number;
  readonly retries: number;
  readonly handovers: { readonly in: number; readonly out: number };
  readonly bytes: { readonly in: number; readonly out: number };
  /** Open client connections, those that have not yet said anything included. */
  readonly connections: { readonly current: number; readonly total: number };
  readonly refused: {
    readonly total: number;
    readonly address: number;
    readonly rate: number;
    readonly descriptors: number;
  };
  readonly handoverPause: HistogramView;
  /** Names in the list that have no address, and so no backend yet. */
  readonly unresolved: readonly { readonly name: string; readonly detail: string }[];
  readonly backends: readonly BackendView[];
}

/** One client's session. Nothing that was said. */
export interface SessionView {
  readonly id: string;
  /** The client's address. */
  readonly address: string;
  /** The backend's id; null while held. */
  readonly backend: string | null;
  readonly since: string;
  readonly bytes: { readonly in: number; readonly out: number };
}

/** A page of sessions, in order of id. */
export interface SessionPage {
  readonly sessions: readonly SessionView[];
  /** Give this as `after` for the next page; null at the end. */
  readonly next: string | null;
}

/** What may be asked for a page. */
export interface SessionQuery {
  readonly after?: string | undefined;
  readonly limit: number;
  readonly backend?: string | undefined;
}

/** The reading side. Rejects with an error of code `VIEW_UNAVAILABLE` while there is nothing to be seen. */
export interface BalancerView {
  snapshot(): Promise<Snapshot>;
  sessions(query: SessionQuery): Promise<SessionPage>;
}

/** What became of a wish. `message` says what is wrong with it and what would do. */
export type Outcome =
  | { readonly ok: true }
  | { readonly ok: false; readonly problem: "not-found" | "conflict" | "invalid"; readonly message: string };

/** Entries of a list as written: `8001`, `host:8001*3`. */
export type BackendList = readonly string[];

/** How a drain should go. */
export interface DrainWish {
  /** Sessions a second. */
  readonly rate?: number | undefined;
  readonly deadlineSeconds?: number | undefined;
}

/** The acting side. Wishes name backends by id. */
export interface BalancerControl {
  add(entries: BackendList): Promise<Outcome>;
  /** The list is to be exactly this: others are drained and removed. */
  replace(entries: BackendList): Promise<Outcome>;
  change(
    id: string,
    wish: { weight?: number | undefined; state?: "ready" | "drain" | "maintenance" | undefined },
  ): Promise<Outcome>;
  drain(id: string, wish: DrainWish): Promise<Outcome>;
  ready(id: string): Promise<Outcome>;
  remove(id: string): Promise<Outcome>;
}
