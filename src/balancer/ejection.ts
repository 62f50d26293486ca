/**
 * Passive health: a backend that answers every check and still fails session after session is ejected for a while.
 *
 * Failures count only in a row, each within a minute of the one before; a session that ends well clears them. The n-th
 * ejection lasts n times the first, up to a limit; every full term served well afterwards takes one off n (as Envoy's
 * outlier detection does). Whether ejecting leaves anybody to serve is the pool's question, not asked here.
 */
import { balancerLimits } from "../protocol/limits.balancer.ts";

/** One backend's failures and ejections. Times are monotonic ms. */
export class Ejection {
  #failuresInRow = 0;
  #failedAt = -Infinity;
  #level = 0;
  #until = -Infinity;
  total = 0;

  /** A session ended well. */
  succeeded(): void {
    this.#failuresInRow = 0;
  }

  /** A session failed. @returns true if that is one too many in a row */
  failed(now: number): boolean {
    if (now - this.#failedAt > balancerLimits.failuresApartMs) this.#failuresInRow = 0;
    this.#failedAt = now;
    this.#failuresInRow += 1;
    return this.#failuresInRow >= balancerLimits.ejectAfter;
  }

  /** Starts an ejection. @returns how long it lasts, ms */
  eject(now: number): number {
    const served = Math.max(0, Math.floor((now - this.#until) / balancerLimits.ejectMs));
    this.#level = Math.max(0, this.#level - served) + 1;
    const ms = Math.min(balancerLimits.ejectMs * this.#level, balancerLimits.ejectMsMost);
    this.#until = now + ms;
    this.#failuresInRow = 0;
    this.total += 1;
    return ms;
  }

  /** When the present ejection ends; undefined if there is none. */
  until(now: number): number | undefined {
    return now < this.#until ? this.#until : undefined;
  }

  /** Ends an ejection early: the operator says it is ready. */
  clear(): void {
    this.#until = -Infinity;
    this.#failuresInRow = 0;
    this.#level = 0;
  }
}
