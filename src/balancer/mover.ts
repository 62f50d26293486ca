/**
 * Moves sessions from backend to backend on purpose: away from one that drains, or that cannot reach its log while others
 * can, and towards one that has just joined (rebalance, off unless asked for).
 *
 * Both go at a rate, because each move costs the next hub a few reads; an allowance grows with time and is spent in
 * whole sessions. A drain's deadline overrides its rate. With nobody to go to, sessions stay where they are: a draining
 * server still serves them.
 *
 * Invariant: in any second at most `rate` sessions leave a draining backend before its deadline, give or take one tick.
 */
import type { Clock, Timer } from "../protocol/clock.ts";
import { balancerLimits } from "../protocol/limits.balancer.ts";
import type { Backend } from "./backend.ts";
import type { Pool } from "./pool.ts";

/** Moves up to `count` sessions off a backend, to wherever the router sends them. @returns how many it moved */
export type MoveSessions = (from: Backend, count: number) => number;

/** What a mover needs. */
export interface MoverOptions {
  readonly pool: Pool;
  readonly clock: Clock;
  readonly move: MoveSessions;
  /** Sessions a second that move to a backend that joined; 0 for none. */
  readonly rebalanceRate: number;
  /** A backend that was to be removed is empty. */
  readonly emptied: (backend: Backend) => void;
  /** A drain is done, for now: nobody is left there. */
  readonly drained: (backend: Backend) => void;
}

/** See the head of this file. */
export class Mover {
  readonly #options: MoverOptions;
  readonly #timer: Timer;
  /** Sessions that may move now, by the backend they leave; fractions are kept. */
  readonly #allowance = new Map<Backend, number>();
  /** Backends that joined and have less than their share. */
  readonly #joined = new Set<Backend>();
  /** Drains that were told to be done. */
  readonly #done = new WeakSet<NonNullable<Backend["drain"]>>();
  #rebalance = 0;
  #tickedAt: number;

  constructor(options: MoverOptions) {
    this.#options = options;
    this.#tickedAt = options.clock.monotonic();
    this.#timer = options.clock.every(balancerLimits.moveTickMs, () => this.#tick());
  }

  /** A backend has become usable: sessions of the others may move there. */
  joined(backend: Backend): void {
    if (this.#options.rebalanceRate > 0) this.#joined.add(backend);
  }

  /** A backend is gone from the pool. */
  forget(backend: Backend): void {
    this.#allowance.delete(backend);
    this.#joined.delete(backend);
  }

  stop(): void {
    this.#timer.stop();
  }

  #tick(): void {
    const { pool, clock } = this.#options;
    const now = clock.monotonic();
    const seconds = (now - this.#tickedAt) / 1_000;
    this.#tickedAt = now;
    for (const backend of pool.backends) {
      if (backend.drain !== undefined) this.#drain(backend, backend.drain, seconds);
      else if (this.#isCutOff(backend, now)) this.#leave(backend, balancerLimits.drainRate, seconds);
      else this.#allowance.delete(backend);
    }
    if (this.#joined.size > 0) this.#level(seconds);
  }

  #drain(backend: Backend, drain: NonNullable<Backend["drain"]>, seconds: number): void {
    if (backend.sessions > 0 && this.#anywhereElse(backend)) {
      const late = this.#options.clock.monotonic() >= drain.deadline;
      this.#leave(backend, drain.rate, seconds, late ? backend.sessions : 0);
    }
    if (drain.cause === "removal" && backend.sessions === 0 && backend.totals.pending === 0) {
      this.#options.emptied(backend);
    } else if (drain.cause !== "removal" && backend.sessions === 0 && !this.#done.has(drain)) {
      this.#done.add(drain);
      this.#options.drained(backend);
    }
  }

  /** Moves what the rate allows by now, and at least so many. */
  #leave(backend: Backend, rate: number, seconds: number, least = 0): void {
    // Never more than a second's worth saved up: a machine that slept must not wake up to a stampede.
    const allowance = Math.min(rate, (this.#allowance.get(backend) ?? 0) + rate * seconds);
    const count = Math.max(least, Math.floor(allowance));
    const moved = count > 0 ? this.#options.move(backend, count) : 0;
    this.#allowance.set(backend, Math.max(0, allowance - moved));
  }

  /** It alone cannot reach its log. */
  #isCutOff(backend: Backend, now: number): boolean {
    const { logDownAt } = backend;
    if (logDownAt === undefined || now - logDownAt < balancerLimits.noLogMs) return false;
    return this.#options.pool.usable().some((other) => other !== backend && other.log === "ok");
  }

  #anywhereElse(backend: Backend): boolean {
    return this.#options.pool.usable().some((other) => other !== backend);
  }

  #level(seconds: number): void {
    const { pool, rebalanceRate } = this.#options;
    this.#rebalance = Math.min(rebalanceRate, this.#rebalance + rebalanceRate * seconds);
    const usable = pool.usable();
    const weights = usable.reduce((sum, { weight }) => sum + weight, 0);
    const sessions = usable.reduce((sum, backend) => sum + backend.sessions, 0);
    for (const backend of this.#joined) {
      const share = usable.includes(backend) ? Math.floor((sessions * backend.weight) / weights) : 0;
      const missing = share - backend.sessions;
      const fullest = fullestOf(usable, backend);
      if (missing <= 0 || fullest === undefined) {
        this.#joined.delete(backend);
        continue;
      }
      const count = Math.min(missing, Math.floor(this.#rebalance));
      if (count > 0) this.#rebalance -= this.#options.move(fullest, count);
    }
  }
}

/** The backend with the most sessions for its weight, but `except`. */
function fullestOf(backends: readonly Backend[], except: Backend): Backend | undefined {
  let fullest: Backend | undefined;
  for (const backend of backends) {
    if (backend === except || backend.sessions === 0) continue;
    if (fullest === undefined || backend.sessions * fullest.weight > fullest.sessions * backend.weight)
      fullest = backend;
  }
  return fullest;
}
