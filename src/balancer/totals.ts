/** Counters of a backend that are summed over all, and outlive a backend that is removed. */
export interface Totals {
  /** How often the policy chose it for a new session. */
  selected: number;
  /** Choices that came to nothing. */
  failures: number;
  /** Choices not yet settled. */
  pending: number;
  /** Sessions placed here after another backend had failed them. */
  retries: number;
  /** Sessions here now. */
  sessions: number;
  /** Sessions first placed here. */
  sessionsTotal: number;
  handoversIn: number;
  handoversOut: number;
  /** Sessions that ended here. */
  ended: number;
  /** Payload from and to clients. */
  bytesIn: number;
  bytesOut: number;
}

/** The names of the counters. */
const totalNames = [
  "selected",
  "failures",
  "pending",
  "retries",
  "sessions",
  "sessionsTotal",
  "handoversIn",
  "handoversOut",
  "ended",
  "bytesIn",
  "bytesOut",
] as const satisfies readonly (keyof Totals)[];

/** All zero. */
export function noTotals(): Totals {
  return {
    selected: 0,
    failures: 0,
    pending: 0,
    retries: 0,
    sessions: 0,
    sessionsTotal: 0,
    handoversIn: 0,
    handoversOut: 0,
    ended: 0,
    bytesIn: 0,
    bytesOut: 0,
  };
}

/** Adds `from` to `to`. */
export function addTotals(to: Totals, from: Readonly<Totals>): void {
  for (const name of totalNames) to[name] += from[name];
}
