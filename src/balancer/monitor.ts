/**
 * Keeps a trunk to every backend, and tells the pool how each is doing.
 *
 * A backend has at most one trunk, dialled again for as long as it is listed: soon at first, then in the rhythm of
 * checks. While the trunk is open a check is due every `intervalMs`: it is good if the hub has sent a report since the
 * last one. The trunk itself watches for silence much more closely and ends at once; a check also fails for a hub that
 * sends other frames but no reports.
 *
 * Dialling is a function passed in, so that a test can play network without one.
 *
 * Invariant: a backend is in `#watched` from `watch` to `forget`; each has exactly one of: a trunk (dialling or open), a
 * timer to dial, or neither in maintenance.
 */
import type { TrunkEnd } from "../edge/remote-trunk.ts";
import type { HubReport } from "../edge/trunk.ts";
import type { Clock, Random, Timer } from "../protocol/clock.ts";
import { balancerLimits } from "../protocol/limits.balancer.ts";
import type { Backend } from "./backend.ts";
import type { CheckCode } from "./health.ts";
import { checkDelay } from "./health.ts";
import type { Pool } from "./pool.ts";

/** Hears of one trunk's life: `open` at most once, then `closed` exactly once. */
export interface TrunkEvents {
  open(cluster: string): void;
  report(report: HubReport, roundTripMs: number): void;
  closed(end: TrunkEnd): void;
}

/** Begins a trunk to a backend; nothing is heard of it before this returns. `stop` ends it. */
export type OpenTrunk = (backend: Backend, events: TrunkEvents) => { stop(): void };

/** What a monitor needs. */
export interface MonitorOptions {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly random: Random;
  readonly openTrunk: OpenTrunk;
  readonly intervalMs?: number;
}

interface Watch {
  /** Dialling or open; what an earlier trunk still says is ignored. */
  trunk: { stop(): void } | undefined;
  open: boolean;
  /** To the next dial or the next check. */
  timer: Timer | undefined;
  /** Dials since the trunk was last open. */
  attempts: number;
  /** Monotonic ms. */
  dialledAt: number;
  /** Last report since the last check, with the longest round trip: a server that stutters must not look quick. */
  heard: { readonly report: HubReport; readonly roundTripMs: number } | undefined;
  /** For the message rate: count and time at the last check. */
  counted: { readonly messages: number; readonly at: number } | undefined;
}

/** See the head of this file. */
export class Monitor {
  readonly #options: MonitorOptions;
  readonly #intervalMs: number;
  readonly #watched = new Map<Backend, Watch>();

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.#intervalMs = options.intervalMs ?? balancerLimits.checkMs;
  }

  /** Begins to look after a backend. */
  watch(backend: Backend): void {
    if (this.#watched.has(backend)) return;
    const watch: Watch = {
      trunk: undefined,
      open: false,
      timer: undefined,
      attempts: 0,
      dialledAt: 0,
      heard: undefined,
      counted: undefined,
    };
    this.#watched.set(backend, watch);
    this.#dial(backend, watch);
  }

  /** Lets a backend go: its trunk ends. */
  forget(backend: Backend): void {
    this.rest(backend);
    this.#watched.delete(backend);
  }

  /** Ends the trunk and looks no more until {@link wake}: maintenance. */
  rest(backend: Backend): void {
    const watch = this.#watched.get(backend);
    if (watch === undefined) return;
    watch.timer?.stop();
    watch.timer = undefined;
    this.#hangUp(backend, watch);
  }

  /** Looks again after {@link rest}. */
  wake(backend: Backend): void {
    const watch = this.#watched.get(backend);
    if (watch === undefined || watch.trunk !== undefined) return;
    watch.timer?.stop();
    watch.attempts = 0;
    this.#dial(backend, watch);
  }

  /** Ends all. */
  stop(): void {
    for (const backend of this.#watched.keys()) this.forget(backend);
  }

  /** Ends the trunk, if there is one. For the pool it is gone at once, though it may still be saying goodbye. */
  #hangUp(backend: Backend, watch: Watch): void {
    const { trunk, open } = watch;
    watch.trunk = undefined;
    watch.open = false;
    trunk?.stop();
    if (!open) return;
    this.#rate(backend, 0);
    this.#options.pool.died(backend, undefined);
  }

  #dial(backend: Backend, watch: Watch): void {
    const { clock, pool, openTrunk } = this.#options;
    watch.attempts += 1;
    watch.dialledAt = clock.monotonic();
    watch.timer = undefined;
    const trunk = openTrunk(backend, {
      open: (cluster) => {
        if (watch.trunk === trunk) this.#opened(backend, watch, cluster);
      },
      report: (report, roundTripMs) => {
        if (watch.trunk !== trunk) return;
        watch.heard = { report, roundTripMs: Math.max(roundTripMs, watch.heard?.roundTripMs ?? 0) };
        backend.roundTrip.observe(roundTripMs / 1_000);
        pool.reported(backend, report);
      },
      closed: (end) => {
        if (watch.trunk === trunk) this.#closed(backend, watch, end);
      },
    });
    watch.trunk = trunk;
  }

  #opened(backend: Backend, watch: Watch, cluster: string): void {
    const { pool, clock } = this.#options;
    watch.open = true;
    watch.attempts = 0;
    watch.heard = undefined;
    watch.counted = undefined;
    backend.openedAt = clock.monotonic();
    pool.connected(backend, cluster);
    pool.checked(backend, { code: "L7OK", durationMs: clock.monotonic() - watch.dialledAt, detail: "" });
    this.#plan(backend, watch);
  }

  #plan(backend: Backend, watch: Watch): void {
    const delay = checkDelay(backend.health.undecided, this.#options.random, this.#intervalMs);
    watch.timer = this.#options.clock.after(delay, () => this.#check(backend, watch));
  }

  #check(backend: Backend, watch: Watch): void {
    const { pool } = this.#options;
    const { heard, trunk } = watch;
    watch.heard = undefined;
    if (heard === undefined) {
      const detail = `${backend.id} sends no reports; look at the server's log and load`;
      pool.checked(backend, { code: "L7TOUT", durationMs: this.#intervalMs, detail });
      if (backend.health.verdict === "down") {
        this.#hangUp(backend, watch);
        this.#redial(backend, watch);
        return;
      }
    } else {
      pool.checked(backend, { code: "L7OK", durationMs: heard.roundTripMs, detail: "" });
      this.#count(backend, watch, heard.report.messages);
    }
    // A listener of the pool may have ended this trunk.
    if (watch.trunk === trunk && watch.open) this.#plan(backend, watch);
  }

  #count(backend: Backend, watch: Watch, messages: number): void {
    const at = this.#options.clock.monotonic();
    const before = watch.counted;
    watch.counted = { messages, at };
    if (before === undefined || at <= before.at) return;
    this.#rate(backend, (Math.max(0, messages - before.messages) * 1_000) / (at - before.at));
  }

  #rate(backend: Backend, messagesPerSecond: number): void {
    backend.messageRates.push(messagesPerSecond);
    if (backend.messageRates.length > balancerLimits.rates) backend.messageRates.shift();
  }

  #closed(backend: Backend, watch: Watch, end: TrunkEnd): void {
    const { pool, clock } = this.#options;
    const wasOpen = watch.open;
    const took = wasOpen ? (end.silentMs ?? 0) : clock.monotonic() - watch.dialledAt;
    watch.open = false;
    watch.trunk = undefined;
    watch.timer?.stop();
    this.#rate(backend, 0);
    const result = { code: codeOf(end), durationMs: took, detail: detailOf(backend, end) };
    if (wasOpen) {
      pool.died(backend, result);
      // A trunk that does not last is a failure that checks alone, each on a fresh trunk, would never see.
      if (clock.monotonic() - backend.openedAt < balancerLimits.flapMs) pool.sessionFailed(backend);
    } else pool.checked(backend, result);
    this.#redial(backend, watch);
  }

  #redial(backend: Backend, watch: Watch): void {
    if (this.#watched.get(backend) !== watch || watch.trunk !== undefined || backend.maintenance) return;
    const soon = watch.attempts < balancerLimits.fastDials;
    const delay = checkDelay(soon, this.#options.random, this.#intervalMs);
    watch.timer = this.#options.clock.after(delay, () => this.#dial(backend, watch));
  }
}

/** The trunk's end as the code of a check. */
function codeOf({ kind, refusal }: TrunkEnd): CheckCode {
  switch (kind) {
    case "connect-timeout":
      return "L4TOUT";
    case "descriptors":
      return "SOCKERR";
    case "handshake-timeout":
    case "silent":
      return "L7TOUT";
    case "broken":
      return "L7RSP";
    case "handshake":
      return refusal === "wrong-version" || refusal === "wrong-secret" ? refusal : "L7RSP";
    case "connect":
    case "lost":
    case "closed":
      return "L4CON";
  }
}

function detailOf(backend: Backend, end: TrunkEnd): string {
  return end.message.includes(backend.id) ? end.message : `${backend.id}: ${end.message}`;
}
