/**
 * The pool: every backend there is, who may take sessions, and what became of each choice.
 *
 * It does no I/O. Whoever dials, pings and moves sessions reports here and is told of changes; so the pool can be driven
 * by a test with random events. After every report all states are derived anew (see describe) and each change is told
 * once.
 *
 * Invariants, for each backend and in sum, removed backends included:
 * - selected − failures − pending = sessionsTotal
 * - sessionsTotal + handoversIn − handoversOut − ended = sessions
 * So the sum of sessionsTotal is the number of sessions accepted, and the sums of handoversIn and handoversOut differ
 * by the sessions now held without a backend.
 */
import type { Clock, Timer } from "../protocol/clock.ts";
import { balancerLimits } from "../protocol/limits.balancer.ts";
import type { HubReport } from "../edge/trunk.ts";
import { quote } from "../protocol/names.ts";
import { AddressError, formatAddress } from "../protocol/address.ts";
import type { BackendSpec } from "./address.ts";

import type { Description, DrainCause } from "./backend.ts";
import { Backend, describe } from "./backend.ts";
import { Chooser, type ChooserOptions } from "./chooser.ts";
import { judgeClusters } from "./cluster.ts";
import { Ejection } from "./ejection.ts";
import type { CheckResult, HealthRules } from "./health.ts";
import { Health } from "./health.ts";
import type { Totals } from "./totals.ts";
import { addTotals, noTotals } from "./totals.ts";

/** What the pool tells. Called after the pool is consistent; may call back into it. */
export interface PoolListener {
  added(backend: Backend): void;
  changed(backend: Backend, before: Description): void;
  removed(backend: Backend): void;
}

/** How a pool behaves. */
export interface PoolOptions extends ChooserOptions {
  readonly clock: Clock;
  readonly rules?: HealthRules;
}

/** See the head of this file. */
export class Pool {
  readonly #clock: Clock;
  readonly #options: PoolOptions;
  readonly #chooser: Chooser;
  readonly #backends = new Map<string, Backend>();
  readonly #ejections = new Map<Backend, Timer>();
  readonly #retired = noTotals();
  readonly #listener: PoolListener;
  #cluster: string | undefined;

  constructor(options: PoolOptions, listener: PoolListener) {
    this.#clock = options.clock;
    this.#options = options;
    this.#chooser = new Chooser(options);
    this.#listener = listener;
  }

  /** Every backend, in list order. */
  get backends(): readonly Backend[] {
    return [...this.#backends.values()];
  }

  /** The cluster whose backends get sessions. */
  get cluster(): string | undefined {
    return this.#cluster;
  }

  /** Brings slow starts up to date, for whoever looks at the records. */
  refresh(): void {
    this.#chooser.refresh();
  }

  get(id: string): Backend | undefined {
    return this.#backends.get(id);
  }

  /** Sums over all backends, those removed included. */
  totals(): Totals {
    const sum = noTotals();
    addTotals(sum, this.#retired);
    for (const backend of this.#backends.values()) addTotals(sum, backend.totals);
    return sum;
  }

  /**
   * Adds a backend.
   * @param live the balancer is serving: the backend starts slowly
   * @throws AddressError if it is there already, or the list is full
   */
  add(spec: BackendSpec, live: boolean, name?: string): Backend {
    const id = formatAddress(spec);
    if (this.#backends.has(id)) throw new AddressError(`backend ${quote(id)} is in the list already`);
    if (this.#backends.size >= balancerLimits.backends) {
      throw new AddressError(`backend ${quote(id)} is one too many; the limit is ${balancerLimits.backends}`);
    }
    const backend = new Backend(spec, {
      health: new Health(this.#options.rules),
      ejection: new Ejection(),
      name,
      known: live,
      now: this.#clock.now(),
    });
    this.#backends.set(id, backend);
    this.#listener.added(backend);
    return backend;
  }

  /** Forgets a backend that has no sessions left. Its counters stay in the totals. */
  remove(backend: Backend): void {
    if (this.#backends.get(backend.id) !== backend) return;
    this.#backends.delete(backend.id);
    this.#chooser.forget(backend);
    this.#ejections.get(backend)?.stop();
    this.#ejections.delete(backend);
    addTotals(this.#retired, backend.totals);
    this.#listener.removed(backend);
    this.settle();
  }

  /** Backends that may take a session now (see Chooser). */
  usable(): Backend[] {
    return this.#chooser.usable(this.backends);
  }

  /**
   * Chooses for a new session and counts the choice as pending: say what became of it with {@link placed} or
   * {@link failed}.
   * @param except backends that have just failed this very session
   */
  select(except?: ReadonlySet<Backend>): Backend | undefined {
    const backend = this.#chooser.forNew(this.backends, except);
    if (backend === undefined) return undefined;
    backend.totals.selected += 1;
    backend.totals.pending += 1;
    return backend;
  }

  /** Chooses where a session that had a backend goes on. Not counted until {@link movedIn}. */
  selectForHandover(except?: ReadonlySet<Backend>): Backend | undefined {
    return this.#chooser.forMoved(this.backends, except);
  }

  /** A chosen backend took the session. @param retried another had failed it before */
  placed(backend: Backend, retried = false): void {
    const { totals } = backend;
    totals.pending -= 1;
    totals.sessionsTotal += 1;
    if (retried) totals.retries += 1;
    this.#arrived(backend);
  }

  /** A chosen backend did not take the session. */
  failed(backend: Backend): void {
    backend.totals.pending -= 1;
    backend.totals.failures += 1;
    this.sessionFailed(backend);
  }

  /** A session that was elsewhere goes on here. */
  movedIn(backend: Backend): void {
    backend.totals.handoversIn += 1;
    this.#arrived(backend);
  }

  /** A session goes on elsewhere, or is held. */
  movedOut(backend: Backend): void {
    backend.totals.handoversOut += 1;
    this.#departed(backend);
  }

  /** A session ended here. */
  ended(backend: Backend): void {
    backend.totals.ended += 1;
    this.#departed(backend);
  }

  #arrived(backend: Backend): void {
    backend.totals.sessions += 1;
    backend.sessionsMax = Math.max(backend.sessionsMax, backend.totals.sessions);
  }

  #departed(backend: Backend): void {
    backend.totals.sessions -= 1;
    if (backend.drain !== undefined) backend.drain.left += 1;
  }

  /** A session ended well: failures before it no longer count. */
  sessionWorks(backend: Backend): void {
    backend.ejection.succeeded();
  }

  /**
   * A session failed by the backend's fault. May eject it, but never the last one that serves. One that is down is
   * ejected too: so a backend that flaps is not used again as soon as it is up for a moment.
   */
  sessionFailed(backend: Backend): void {
    if (!backend.ejection.failed(this.#clock.monotonic())) return;
    if (!this.usable().some((other) => other !== backend)) return;
    const ms = backend.ejection.eject(this.#clock.monotonic());
    this.#ejections.get(backend)?.stop();
    this.#ejections.set(
      backend,
      // One ms more than the ejection, because timers may fire a fraction early and would find it still ejected.
      this.#clock.after(ms + 1, () => this.settle()),
    );
    this.settle();
  }

  /** A trunk is open and authenticated. Its first good check makes the backend usable. */
  connected(backend: Backend, cluster: string): void {
    backend.connected = true;
    backend.cluster = cluster;
    this.settle();
  }

  /** A check ended. */
  checked(backend: Backend, result: CheckResult): void {
    this.#note(backend, result);
    backend.health.check(result.code);
    this.settle();
  }

  /** What a hub says of itself, several times a second. */
  reported(backend: Backend, report: HubReport): void {
    const moved = backend.cluster !== report.cluster;
    backend.report = report;
    backend.identity = report;
    backend.cluster = report.cluster;
    backend.logDownAt = backend.log === "down" ? (backend.logDownAt ?? this.#clock.monotonic()) : undefined;
    backend.sessionsAtReport = backend.sessions;
    if (report.draining) this.drain(backend, { cause: "hub" });
    if (moved) this.settle();
  }

  /**
   * The trunk ended. Its sessions are reported one by one, before or after.
   * @param result why; undefined if we ended it ourselves
   */
  died(backend: Backend, result: CheckResult | undefined): void {
    if (result !== undefined) this.#note(backend, result);
    backend.connected = false;
    backend.report = undefined;
    backend.logDownAt = undefined;
    backend.health.died();
    if (backend.drain?.cause === "hub") backend.drain = undefined;
    this.settle();
  }

  #note(backend: Backend, { code, durationMs, detail }: CheckResult): void {
    backend.lastCheck = { code, at: this.#clock.now(), durationMs, detail };
    if (code === "wrong-version" || code === "wrong-secret" || code === "wrong-cluster") {
      backend.quarantine = { reason: code, detail };
    } else if (code === "L7OK" && backend.quarantine?.reason !== "wrong-cluster") {
      backend.quarantine = undefined;
    }
  }

  /**
   * Takes no new sessions there; whoever moves sessions looks at `backend.drain`. An operator's or a removal's drain
   * is not replaced by a hub's.
   */
  drain(backend: Backend, wish: { cause: DrainCause; rate?: number; deadlineMs?: number }): void {
    if (wish.cause === "hub" && backend.drain !== undefined) return;
    const now = this.#clock.now();
    const hub = wish.cause === "hub";
    const deadlineMs = wish.deadlineMs ?? (hub ? balancerLimits.hubDrainMs : balancerLimits.drainDeadlineMs);
    // A hub that stops does not wait: its sessions are spread over half of the time it gives.
    const least = hub ? Math.ceil((backend.sessions * 2_000) / deadlineMs) : 1;
    backend.drain = {
      cause: wish.cause,
      startedAt: now,
      deadline: this.#clock.monotonic() + deadlineMs,
      deadlineAt: now + deadlineMs,
      rate: Math.max(wish.rate ?? balancerLimits.drainRate, least),
      total: backend.sessions,
      left: 0,
    };
    this.settle();
  }

  /** Undoes drain, maintenance and ejection: the backend is judged by its checks alone. */
  ready(backend: Backend): void {
    if (backend.maintenance) backend.health.reset();
    backend.maintenance = false;
    backend.drain = undefined;
    backend.ejection.clear();
    this.settle();
  }

  /** Takes a backend out: no sessions, no checks, until {@link ready}. Whoever owns the trunk closes it. */
  maintain(backend: Backend): void {
    backend.maintenance = true;
    backend.drain = undefined;
    this.settle();
  }

  /** Sets the share of new sessions. */
  weigh(backend: Backend, weight: number): void {
    backend.weight = weight;
    this.settle();
  }

  /** Derives all states anew and tells what changed. */
  settle(): void {
    this.#cluster = judgeClusters([...this.#backends.values()], this.#cluster);
    const now = this.#clock.monotonic();
    const changes: [Backend, Description][] = [];
    for (const backend of this.#backends.values()) {
      const before = backend.description;
      const after = describe(backend, now);
      backend.description = after;
      if (before.state === after.state && before.reason === after.reason) continue;
      backend.since = this.#clock.now();
      if (after.state === "up") this.#opened(backend, before);
      changes.push([backend, before]);
    }
    for (const [backend, before] of changes) this.#listener.changed(backend, before);
  }

  #opened(backend: Backend, before: Description): void {
    // An undone drain comes back warm; a backend that was here from the start has nobody to be slower than.
    if (backend.known && before.state !== "draining") this.#chooser.startSlowly(backend);
    backend.known = true;
  }
}
