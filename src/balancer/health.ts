/**
 * Is a backend well? Counts checks, nothing else.
 *
 * A verdict changes slowly on checks (`rise` good ones in a row, `fall` bad ones) and at once on the trunk's death,
 * because without a trunk no session can be placed, whatever the checks said before. The first good check of a backend
 * nobody has judged yet is enough: at start, waiting helps nobody.
 *
 * Codes are HAProxy's where it has one: L4 is the connection, L7 what is said on it, TOUT a time-out, CON a refusal,
 * RSP a wrong answer, SOCKERR a fault on our own side (no descriptors), which counts for nothing.
 *
 * Invariant: `down` never turns `up` with fewer than `rise` consecutive good checks.
 */
import { balancerLimits } from "../protocol/limits.balancer.ts";

/** How a check ended. The last three say that the backend is well but not one of ours. */
export type CheckCode =
  | "L7OK"
  | "L4CON"
  | "L4TOUT"
  | "L7TOUT"
  | "L7RSP"
  | "SOCKERR"
  | "wrong-cluster"
  | "wrong-version"
  | "wrong-secret";

/** One check, or the end of a trunk. */
export interface CheckResult {
  readonly code: CheckCode;
  /** How long it took, ms. */
  readonly durationMs: number;
  /** One sentence for the operator: what happened and what to do. Empty when well. */
  readonly detail: string;
}

/** When a verdict changes. */
export interface HealthRules {
  readonly rise: number;
  readonly fall: number;
}

/** What the checks so far amount to. */
export type Verdict = "unknown" | "up" | "down";

/** Counts one backend's checks. */
export class Health {
  readonly #rules: HealthRules;
  #verdict: Verdict = "unknown";
  #streak = 0;
  passed = 0;
  failed = 0;

  constructor(rules: HealthRules = balancerLimits) {
    this.#rules = rules;
  }

  get verdict(): Verdict {
    return this.#verdict;
  }

  /** On the way to another verdict: the next check should come soon. */
  get undecided(): boolean {
    return this.#verdict === "unknown" || this.#streak > 0;
  }

  /** Counts a check. */
  check(code: CheckCode): void {
    if (code === "SOCKERR") return;
    const good = code === "L7OK";
    if (good) this.passed += 1;
    else this.failed += 1;
    if (this.#verdict === "unknown") {
      // One refusal is enough to say "down" instead of "starting": the operator should see the reason.
      this.#verdict = good ? "up" : "down";
      return;
    }
    if (good === (this.#verdict === "up")) {
      this.#streak = 0;
      return;
    }
    this.#streak += 1;
    if (this.#streak < (good ? this.#rules.rise : this.#rules.fall)) return;
    this.#streak = 0;
    this.#verdict = good ? "up" : "down";
  }

  /** The trunk is gone: no session can be there. */
  died(): void {
    this.failed += 1;
    this.#verdict = "down";
    this.#streak = 0;
  }

  /** Forgets everything but the totals, as for a backend just added (after maintenance). */
  reset(): void {
    this.#verdict = "unknown";
    this.#streak = 0;
  }
}

/** The jittered time to the next check. */
export function checkDelay(undecided: boolean, random: () => number, intervalMs: number): number {
  const base = undecided ? Math.min(balancerLimits.fastCheckMs, intervalMs) : intervalMs;
  return base * (1 + balancerLimits.checkJitter * (2 * random() - 1));
}
