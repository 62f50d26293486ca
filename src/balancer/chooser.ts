/**
 * Who gets a session: the usable backends, their slow starts, and two policies.
 *
 * New sessions go by the operator's policy. Moved ones go where there is most room, by a policy of their own, so that
 * moving them does not disturb the rotation of the new.
 */
import type { Clock, Random } from "../protocol/clock.ts";
import { balancerLimits } from "../protocol/limits.balancer.ts";
import type { Backend } from "./backend.ts";
import type { Policy, PolicyName } from "./policy.ts";
import { createPolicy, LeastSessions } from "./policy.ts";

/** How backends are chosen. */
export interface ChooserOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly policy: PolicyName;
  /** From recovery to full weight; 0 for none. */
  readonly slowStartMs?: number;
  /** See RoundRobin. */
  readonly turn?: number;
}

/** See the head of this file. */
export class Chooser {
  readonly #clock: Clock;
  readonly #slowStartMs: number;
  readonly #newSessions: Policy;
  readonly #movedSessions: Policy = new LeastSessions();
  /** Since when (monotonic ms) a backend is in slow start. */
  readonly #ramps = new Map<Backend, number>();

  constructor(options: ChooserOptions) {
    this.#clock = options.clock;
    this.#slowStartMs = options.slowStartMs ?? 0;
    this.#newSessions = createPolicy(options.policy, options.random, options.turn);
  }

  /**
   * Backends that may take a session now. One that cannot reach its log is left out while another surely can. Ejected ones
   * are used again before nobody is: a backend that fails some sessions is better than none.
   */
  usable(backends: readonly Backend[]): Backend[] {
    const open = backends.filter(({ description, weight }) => description.state === "up" && weight > 0);
    if (open.length > 0) {
      return open.some(({ log }) => log === "ok") ? open.filter(({ log }) => log !== "down") : open;
    }
    return backends.filter(({ description, weight }) => description.state === "ejected" && weight > 0);
  }

  /** For a new session. */
  forNew(backends: readonly Backend[], except?: ReadonlySet<Backend>): Backend | undefined {
    return this.#newSessions.choose(this.#candidates(backends, except));
  }

  /** For a session that leaves another backend. */
  forMoved(backends: readonly Backend[], except?: ReadonlySet<Backend>): Backend | undefined {
    return this.#movedSessions.choose(this.#candidates(backends, except));
  }

  /** A backend that has just come up takes its share little by little. */
  startSlowly(backend: Backend): void {
    if (this.#slowStartMs > 0) this.#ramps.set(backend, this.#clock.monotonic());
  }

  forget(backend: Backend): void {
    this.#ramps.delete(backend);
  }

  /** Brings the slow starts to where they are by now. */
  refresh(): void {
    const now = this.#clock.monotonic();
    for (const [backend, start] of this.#ramps) {
      const part = (now - start) / this.#slowStartMs;
      backend.ramp = Math.min(1, Math.max(balancerLimits.slowStartLeast, part));
      if (part >= 1) this.#ramps.delete(backend);
    }
  }

  #candidates(backends: readonly Backend[], except: ReadonlySet<Backend> | undefined): Backend[] {
    this.refresh();
    const usable = this.usable(backends);
    return except === undefined || except.size === 0
      ? usable
      : usable.filter((backend) => !except.has(backend));
  }
}
