/**
 * What is measured, and what is asked of it.
 *
 * A scenario is a load, the targets it runs against, and the figures that are compared. The bars are ratios of medians
 * within one run, because the machines that run this differ and are shared.
 */
import type { LoadPlan } from "./load.ts";
import type { TargetName } from "./targets.ts";

/** Figures of one run of one target. Times in ms, CPU in µs a delivery, memory in bytes a connection. */
export interface Figures {
  readonly perSecond: number;
  readonly cpu: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly memory: number;
  readonly connectPerSecond: number;
  readonly lost: number;
  readonly dropped: number;
}

export type Figure = keyof Figures;

/** `ours / theirs` must be at least or at most `ratio`. `light` is the best of the light opponents. */
export interface Bar {
  readonly figure: Figure;
  readonly against: "equal" | "light" | "self" | "front" | "python";
  readonly least?: number;
  readonly most?: number;
}

/** One scenario. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly targets: readonly TargetName[];
  readonly load: Omit<LoadPlan, "dialect" | "port" | "warmMs" | "runMs">;
  /** Figures shown in the table. */
  readonly figures: readonly Figure[];
  readonly bars: readonly Bar[];
}

const all: readonly TargetName[] = ["rtchat", "equal", "nats", "irc"];
const base = { kind: "talk" as const, rate: 0, bytes: 64, latency: false, slow: 0, connectBatch: 100 };
const busy = { ...base, clients: 1_000, rooms: 200, window: 4 };

/** Growth is judged against its own smallest run. */
const growth = [250, 500, 1_000, 2_000].map((clients): Scenario => ({
  name: `S7-${clients}`,
  title: `${clients / 5} rooms of 5, a sender each, window 4`,
  targets: ["rtchat"],
  load: { ...busy, clients, rooms: clients / 5 },
  figures: ["perSecond", "cpu"],
  bars: clients === 2_000 ? [{ figure: "cpu", against: "self", most: 1.3 }] : [],
}));

export const scenarios: readonly Scenario[] = [
  {
    name: "S1",
    title: "one room of 500, one sender, window 8, 64 B",
    targets: all,
    load: { ...base, clients: 500, rooms: 1, window: 8 },
    figures: ["perSecond", "cpu"],
    bars: [
      { figure: "perSecond", against: "equal", least: 2 },
      { figure: "cpu", against: "equal", most: 0.45 },
      { figure: "perSecond", against: "light", least: 1.5 },
      { figure: "cpu", against: "light", most: 0.5 },
    ],
  },
  {
    name: "S2",
    title: "200 rooms of 5, a sender each, window 4, 64 B",
    targets: all,
    load: busy,
    figures: ["perSecond", "cpu"],
    bars: [
      { figure: "perSecond", against: "equal", least: 2 },
      { figure: "cpu", against: "equal", most: 0.5 },
      { figure: "perSecond", against: "light", least: 1.3 },
      { figure: "cpu", against: "light", most: 0.8 },
    ],
  },
  {
    name: "S3",
    title: "50 rooms of 10, 1,000 messages a second",
    targets: all,
    load: { ...base, clients: 500, rooms: 50, window: 0, rate: 1_000, latency: true },
    figures: ["p50", "p99", "p999", "cpu"],
    bars: [
      { figure: "p50", against: "equal", most: 0.5 },
      { figure: "p99", against: "equal", most: 0.4 },
      { figure: "p50", against: "light", most: 1.2 },
      { figure: "p99", against: "light", most: 1.5 },
    ],
  },
  {
    name: "S4",
    title: "9,000 idle connections in 900 rooms",
    targets: ["rtchat", "nats"],
    load: { ...base, kind: "idle", clients: 9_000, rooms: 900, window: 0 },
    figures: ["memory", "connectPerSecond"],
    bars: [{ figure: "memory", against: "light", most: 0.25 }],
  },
  {
    name: "S5",
    title: "connect, hello, welcome, close, 50 at a time",
    targets: ["rtchat", "front", "python"],
    load: { ...base, kind: "churn", clients: 50, rooms: 1, window: 0 },
    figures: ["perSecond", "cpu"],
    bars: [
      { figure: "perSecond", against: "front", least: 1.3 },
      { figure: "perSecond", against: "python", least: 5 },
    ],
  },
  {
    name: "S6",
    title: "10,000 messages a second into one room of 50, 20 slow readers",
    targets: all,
    load: { ...base, clients: 50, rooms: 1, window: 0, rate: 10_000, latency: true, slow: 20 },
    figures: ["perSecond", "p50", "p99", "dropped"],
    bars: [],
  },
  ...growth,
];
