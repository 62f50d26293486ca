/**
 * What is broken when: a schedule that follows from the seed alone.
 *
 * Faults come one after another, each with time to heal before the next, so that at most one process is away at a time:
 * the cluster promises to survive any one loss, not the loss of everything. The same seed gives the same list.
 */
import type { Random } from "../../src/protocol/clock.ts";
import type { FaultKind } from "./options.ts";

/** Healing time between two faults, and how far it varies. */
const CALM_MS = 2_500;
const CALM_JITTER_MS = 3_000;
/** How long something stays dead, stopped or slow. */
const AWAY_MS = 1_500;
const AWAY_JITTER_MS = 3_500;

/** One fault. `pick` in [0, 1) chooses among the processes that stand at that moment. */
export interface Fault {
  readonly atMs: number;
  readonly action: "kill" | "hang" | "drain" | "renew" | "slow" | "cut" | "delay" | "split";
  readonly target: "backend" | "keeper" | "balancer" | "redis" | "client" | "network";
  readonly pick: number;
  readonly awayMs: number;
}

/** A backend is stopped (hung) once in three; a keeper too. The others have one way to fail. */
function actionOf(kind: FaultKind, chance: number): Pick<Fault, "action" | "target"> {
  switch (kind) {
    case "backend":
    case "keeper":
      return { target: kind, action: chance < 1 / 3 ? "hang" : "kill" };
    case "balancer":
    case "redis":
      return { target: kind, action: "kill" };
    case "renew":
      return { target: "balancer", action: "renew" };
    case "hang":
      return { target: "backend", action: "hang" };
    case "drain":
      return { target: "backend", action: "drain" };
    case "slow":
      return { target: "client", action: "slow" };
    case "network":
      return { target: "network", action: chance < 1 / 3 ? "cut" : chance < 2 / 3 ? "delay" : "split" };
  }
}

/** The faults of a run of `totalMs`, in order. The last ends before the run does. */
export function schedule(kinds: readonly FaultKind[], totalMs: number, random: Random): Fault[] {
  const faults: Fault[] = [];
  if (kinds.length === 0) return faults;
  let atMs = 0;
  for (;;) {
    atMs += CALM_MS + random() * CALM_JITTER_MS;
    const awayMs = AWAY_MS + random() * AWAY_JITTER_MS;
    const kind = kinds[Math.floor(random() * kinds.length)];
    const chance = random();
    const pick = random();
    if (kind === undefined || atMs + awayMs > totalMs) return faults;
    faults.push({ ...actionOf(kind, chance), atMs, awayMs, pick });
    atMs += awayMs;
  }
}
