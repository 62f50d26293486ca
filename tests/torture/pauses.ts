/**
 * How long people waited in a torture run, and how much of that was the fault itself.
 *
 * A pause lasts from sending until the acknowledgement, or until anybody sees the message. When nothing is left that could
 * take over (Redis is away, the only balancer or server is, or the client itself reads nothing), nobody can answer sooner than
 * that is over: this part of a pause says how long the schedule broke something, not how rtchat mends it. So both are
 * kept, the whole and what lies beyond the fault, and each by the fault that came last before the answer.
 */

/** The longest pauses of a kind, ms. */
export interface Longest {
  pauseMs: number;
  /** Without the time in which nothing could have answered. */
  beyondMs: number;
}

interface Interval {
  readonly from: number;
  to: number;
}

/** Feed it what happens, in order. */
export class Pauses {
  readonly all: Longest = { pauseMs: 0, beyondMs: 0 };
  /** By what was done: `kill server`, `hang server (keeper)`. */
  readonly byFault = new Map<string, Longest>();
  /** By client; of everybody under undefined. */
  readonly #away = new Map<number | undefined, Interval[]>();
  #kind = "before any fault";

  /** Something was broken. @param what as in `kill server-2` */
  fault(what: string): void {
    this.#kind = what.replace(/[- ]\d+/, "");
  }

  /** From now on nothing can answer a client, or anybody. */
  away(t: number, client: number | undefined): void {
    let intervals = this.#away.get(client);
    if (intervals === undefined) this.#away.set(client, (intervals = []));
    intervals.push({ from: t, to: Infinity });
  }

  /** That is over. */
  back(t: number, client: number | undefined): void {
    const last = this.#away.get(client)?.at(-1);
    if (last !== undefined) last.to = Math.min(last.to, t);
  }

  /** Somebody waited. @param client whose reading was waited for, if it was one client's */
  took(from: number, to: number, client?: number): void {
    const pauseMs = to - from;
    const beyondMs = pauseMs - this.#awayWithin(from, to, client);
    let longest = this.byFault.get(this.#kind);
    if (longest === undefined) this.byFault.set(this.#kind, (longest = { pauseMs: 0, beyondMs: 0 }));
    for (const one of [this.all, longest]) {
      one.pauseMs = Math.max(one.pauseMs, pauseMs);
      one.beyondMs = Math.max(one.beyondMs, beyondMs);
    }
  }

  /** How much of an interval is covered by times in which nothing could answer. */
  #awayWithin(from: number, to: number, client: number | undefined): number {
    const everybody = this.#near(undefined, from);
    const intervals = client === undefined ? everybody : [...everybody, ...this.#near(client, from)];
    let [covered, at] = [0, from];
    for (const one of intervals.toSorted((a, b) => a.from - b.from)) {
      const end = Math.min(one.to, to);
      covered += Math.max(0, end - Math.max(one.from, at));
      at = Math.max(at, end);
    }
    return covered;
  }

  /** Those that end after a time. They begin one after another, so the last few are all there can be. */
  #near(client: number | undefined, from: number): Interval[] {
    const intervals = this.#away.get(client) ?? [];
    const before = intervals.findLastIndex((one) => one.to <= from);
    return intervals.slice(before + 1);
  }
}

/** The table by fault, for a person. */
export function pauseLines({ byFault }: Pauses): string[] {
  const width = Math.max(0, ...[...byFault.keys()].map((kind) => kind.length));
  return [...byFault].map(([kind, { pauseMs, beyondMs }]) => {
    const beyond = beyondMs === pauseMs ? "" : `, and ${beyondMs} ms longer than the fault itself`;
    return `  ${kind.padEnd(width)}  longest pause ${pauseMs} ms${beyond}`;
  });
}
