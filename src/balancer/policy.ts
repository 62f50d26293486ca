/**
 * Which of the usable backends gets the next session.
 *
 * A policy sees candidates only: who is one is the pool's affair. All three respect weights; a candidate of weight 0 is
 * never chosen.
 *
 * Invariant of round robin: while the candidates and their weights stay the same, any run of as many choices as the
 * weights' sum gives each candidate exactly its weight; with equal weights any n choices in a row name each of n once.
 */
import type { Random } from "../protocol/clock.ts";

/** A backend as a policy sees it. */
export interface Candidate {
  readonly id: string;
  /** Configured weight, a whole number. */
  readonly weight: number;
  /** Part of the weight that counts now, in (0, 1]: below 1 during a slow start. */
  readonly ramp: number;
  /** Sessions this balancer has there. */
  readonly sessions: number;
  /** Users there over all balancers, as far as known. */
  readonly users: number;
}

/** Chooses among candidates; keeps state between choices. */
export interface Policy {
  /** @returns one of `candidates`, or undefined if none has weight */
  choose<T extends Candidate>(candidates: readonly T[]): T | undefined;
}

/** The names of the policies, as flags and the admin endpoint give them. */
export const policyNames = ["round-robin", "least-sessions", "two-choices"] as const;
export type PolicyName = (typeof policyNames)[number];

/** A policy by name. `random` is used by two-choices only, `turn` by round robin only. */
export function createPolicy(name: PolicyName, random: Random, turn = 0): Policy {
  switch (name) {
    case "round-robin":
      return new RoundRobin(turn);
    case "least-sessions":
      return new LeastSessions();
    case "two-choices":
      return new TwoChoices(random);
  }
}

/**
 * Smooth weighted round robin, as in nginx (ngx_http_upstream_round_robin.c, 2012): every choice adds each candidate's
 * weight to its credit, takes the one with the most credit, and subtracts the sum of weights from it. Weights 5, 1, 1
 * give a a b a c a a, not five in a row.
 *
 * When the candidates or weights change, credits start from zero and the turn goes on behind the last one chosen;
 * otherwise old credits would let somebody be chosen twice in a round.
 */
export class RoundRobin implements Policy {
  /** Credits and order go by index in `#known`, which is the list of candidates as last seen. */
  #credits: number[] = [];
  #order: number[] = [];
  #known: { id: string; weight: number; ramping: boolean }[] = [];
  #last: string | undefined;
  readonly #turn: number;

  /** @param turn who is first: of several workers each begins with another, or few sessions would all meet in one place */
  constructor(turn = 0) {
    this.#turn = turn;
  }

  choose<T extends Candidate>(candidates: readonly T[]): T | undefined {
    if (!this.#same(candidates)) this.#restart(candidates);
    let total = 0;
    let best = -1;
    let most = -Infinity;
    for (const index of this.#order) {
      const candidate = candidates[index];
      if (candidate === undefined || candidate.weight === 0) continue;
      const weight = candidate.weight * candidate.ramp;
      const credit = (this.#credits[index] ?? 0) + weight;
      this.#credits[index] = credit;
      total += weight;
      if (credit > most) {
        most = credit;
        best = index;
      }
    }
    const chosen = candidates[best];
    if (chosen === undefined) return undefined;
    this.#credits[best] = most - total;
    this.#last = chosen.id;
    return chosen;
  }

  #same(candidates: readonly Candidate[]): boolean {
    return (
      candidates.length === this.#known.length &&
      candidates.every(({ id, weight, ramp }, index) => {
        const known = this.#known[index];
        return known?.id === id && known.weight === weight && known.ramping === ramp < 1;
      })
    );
  }

  #restart(candidates: readonly Candidate[]): void {
    const ids = candidates.map((candidate) => candidate.id);
    this.#order = rotateBehind([...ids.keys()], this.#position(ids));
    this.#known = candidates.map(({ id, weight, ramp }) => ({ id, weight, ramping: ramp < 1 }));
    this.#credits = ids.map(() => 0);
  }

  /** Where the last one chosen stands; if it is gone, the nearest before it in the old list that is still there. */
  #position(ids: readonly string[]): number {
    for (let at = this.#known.findIndex(({ id }) => id === this.#last); at >= 0; at -= 1) {
      const found = ids.indexOf(this.#known[at]?.id ?? "");
      if (found !== -1) return found;
    }
    return (this.#turn % Math.max(1, ids.length)) - 1;
  }
}

function rotateBehind<T>(items: readonly T[], index: number): T[] {
  return [...items.slice(index + 1), ...items.slice(0, index + 1)];
}

/** Fewest sessions for its weight; equals take turns. */
export class LeastSessions implements Policy {
  #last: string | undefined;

  choose<T extends Candidate>(candidates: readonly T[]): T | undefined {
    const last = candidates.findIndex((candidate) => candidate.id === this.#last);
    let best: T | undefined;
    let least = Infinity;
    for (const candidate of rotateBehind(candidates, last)) {
      const load = loadAfter(candidate, candidate.sessions);
      if (load < least) {
        least = load;
        best = candidate;
      }
    }
    this.#last = best?.id ?? this.#last;
    return best;
  }
}

/** How full a candidate would be with one more; infinite without weight. */
function loadAfter(candidate: Candidate, load: number): number {
  return candidate.weight === 0 ? Infinity : (load + 1) / (candidate.weight * candidate.ramp);
}

/**
 * The less used of two drawn at random (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001):
 * many balancers with stale numbers do not all rush to the same backend. Used means users over all balancers.
 */
export class TwoChoices implements Policy {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  choose<T extends Candidate>(candidates: readonly T[]): T | undefined {
    const eligible = candidates.filter((candidate) => candidate.weight > 0);
    if (eligible.length < 2) return eligible[0];
    const first = Math.floor(this.#random() * eligible.length);
    const step = 1 + Math.floor(this.#random() * (eligible.length - 1));
    const one = eligible[first];
    const other = eligible[(first + step) % eligible.length];
    if (one === undefined || other === undefined) return one ?? other;
    return loadAfter(other, other.users) < loadAfter(one, one.users) ? other : one;
  }
}
