/**
 * S1 to S7: chat through a front, the same load for everybody.
 *
 * A scenario is a load, the entrants it is brought to, and the figures that are compared. The bars are ratios of medians
 * within one run, because the machines that run this differ and are shared.
 */
import type { Figure } from "./figures.ts";
import type { LoadPlan } from "./load.ts";
import type { Bar } from "./section.ts";
import { CONNECTIONS } from "./targets.ts";
import type { TargetName } from "./targets.ts";

/** Somebody who takes the load. */
export interface Entrant {
  readonly name: string;
  readonly target: TargetName;
  readonly load: Omit<LoadPlan, "dialect" | "port">;
  /** Left out of `--quick`. */
  readonly fullOnly?: true;
}

/** One scenario. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly entrants: readonly Entrant[];
  readonly figures: readonly Figure[];
  readonly bars: readonly Bar[];
  /**
   * `kept`: all targets are started once and take turns, their clients stay connected. `clients`: connected anew each run.
   * `everything`: the target too is started anew each run, because its memory is weighed.
   */
  readonly anew: "kept" | "clients" | "everything";
  /** Runs are long, because something has to overflow. */
  readonly isLong?: true;
}

type Load = Entrant["load"];

const base: Load = {
  kind: "talk",
  clients: 500,
  rooms: 1,
  window: 0,
  rate: 0,
  bytes: 64,
  sampleEvery: 16,
  slow: 0,
  connectBatch: 100,
};
const light = { against: ["nats", "irc"], called: "light" };
const equal = { against: ["equal"] };

function everybody(
  load: Load,
  targets: readonly TargetName[] = ["rtchat", "equal", "nats", "irc"],
): Entrant[] {
  return targets.map((target) => ({ name: target, target, load }));
}

/** S2's load for so many clients. */
const fives = (clients: number): Load => ({ ...base, clients, rooms: clients / 5, window: 4 });

export const scenarios: readonly Scenario[] = [
  {
    name: "S1",
    title: "one room of 500, one sender, window 8, 64 B",
    entrants: everybody({ ...base, window: 8, sampleEvery: 64 }),
    figures: ["perSecond", "cpu", "loadCpu", "p50", "p99", "p999"],
    anew: "kept",
    bars: [
      { figure: "perSecond", ...equal, least: 2 },
      { figure: "cpu", ...equal, most: 0.45 },
      { figure: "perSecond", ...light, least: 1.5 },
      { figure: "cpu", ...light, most: 0.5 },
    ],
  },
  {
    name: "S2",
    title: "200 rooms of 5, a sender each, window 4, 64 B",
    entrants: everybody(fives(1_000)),
    figures: ["perSecond", "cpu", "loadCpu", "p50", "p99", "p999"],
    anew: "kept",
    bars: [
      { figure: "perSecond", ...equal, least: 2 },
      { figure: "cpu", ...equal, most: 0.5 },
      { figure: "perSecond", ...light, least: 1.3 },
      { figure: "cpu", ...light, most: 0.8 },
    ],
  },
  {
    name: "S3",
    title: "50 rooms of 10, 1,000 messages/s, 64 B",
    entrants: everybody({ ...base, rooms: 50, rate: 1_000, sampleEvery: 1 }),
    figures: ["p50", "p99", "p999", "cpu", "perSecond"],
    anew: "kept",
    bars: [
      { figure: "p50", ...equal, most: 0.5 },
      { figure: "p99", ...equal, most: 0.4 },
      { figure: "p50", ...light, most: 1.2 },
      { figure: "p99", ...light, most: 1.5 },
    ],
  },
  {
    name: "S4",
    title: `${CONNECTIONS.toLocaleString("en-US")} idle connections, 10 a room`,
    entrants: everybody({ ...base, kind: "idle", clients: CONNECTIONS, rooms: CONNECTIONS / 10 }, [
      "rtchat",
      "nats",
      "nginx",
    ]).map((entrant) =>
      entrant.target === "nats"
        ? { ...entrant, name: "haproxy" }
        : entrant.target === "nginx"
          ? { ...entrant, fullOnly: true as const }
          : entrant,
    ),
    figures: ["memory", "memoryAll", "connectPerSecond"],
    anew: "everything",
    bars: [{ figure: "memory", against: ["haproxy"], called: "haproxy alone", most: 0.25 }],
  },
  {
    name: "S5",
    title: "connect, hello, welcome, close; 50 at a time",
    entrants: everybody({ ...base, kind: "churn", clients: 50 }, [
      "rtchat",
      "haproxy",
      "nginx",
      "python",
    ]).map((entrant) => (entrant.target === "nginx" ? { ...entrant, fullOnly: true as const } : entrant)),
    figures: ["perSecond", "cpu", "loadCpu"],
    anew: "kept",
    bars: [
      { figure: "perSecond", against: ["haproxy"], called: "haproxy + same servers", least: 1.3 },
      { figure: "perSecond", against: ["python"], least: 5 },
    ],
  },
  {
    name: "S6",
    title:
      "10,000 messages/s into one room of 50, 20 of them read a chunk in 3 s; figures are of the other 30",
    entrants: everybody({ ...base, clients: 50, rate: 10_000, slow: 20 }),
    figures: ["perSecond", "p50", "p99", "p999", "cpu", "growth", "dropped", "droppedFast"],
    anew: "clients",
    isLong: true,
    bars: [],
  },
  {
    name: "S7",
    title: "growth: rooms of 5, a sender each, window 4, 64 B",
    entrants: [250, 500, 1_000, 2_000].map((clients): Entrant => {
      const entrant: Entrant = { name: `${clients} clients`, target: "rtchat", load: fives(clients) };
      return clients === 500 || clients === 1_000 ? { ...entrant, fullOnly: true } : entrant;
    }),
    figures: ["perSecond", "cpu", "loadCpu", "p50", "p99"],
    anew: "clients",
    bars: [{ figure: "cpu", ours: "2000 clients", against: ["250 clients"], most: 1.3 }],
  },
];
