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

/**
 * Why bars are not met, as far as profiles tell (NOTES.md). Each stands for the figure that it explains, whoever the
 * opponent is, and is printed only when the bar is missed.
 */
const why = {
  s1: "missed in short or disturbed runs only: two thirds of a delivery is the kernel's part of a write, which all pay alike",
  s2: "a delivery costs one balancer's write for every four (2.4 of 6.7 µs, nearly all of it the kernel's), a commit (1.4) and three hubs in JavaScript (0.9 each); the opponents deliver before, or without, storing anything",
  s3: "a message that goes alone passes five turns of processes (balancer, hub, keeper with its commit, hub, balancer), each a wake-up; the opponents deliver after four (the light ones three) and do not wait for the log",
  s4: "HAProxy gives an idle connection's buffers back and keeps 3 KiB; a socket of Bun alone is 2.1 KiB, and ours has the session, its place in each room and its name on top. With the servers counted on both sides we have the least",
  s5: "a visit costs the balancer 102 µs (HAProxy 114) and the servers 89 (behind HAProxy 163), so that by CPU, the load's 73 µs included, it is 1.3 × HAProxy and 5 × Python; but fifty visits at a time do not keep two cores busy, because a hello waits for balancer, server and keeper, which commits the nick, one after the other",
  s7: "in short runs the first seconds of compiling fall upon the larger size more than upon the smaller; longer ones gave 0.8 to 1.0 ×",
} as const;

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
      { figure: "perSecond", ...equal, least: 2, why: why.s1 },
      { figure: "cpu", ...equal, most: 0.45, why: why.s1 },
      { figure: "perSecond", ...light, least: 1.5, why: why.s1 },
      { figure: "cpu", ...light, most: 0.5, why: why.s1 },
    ],
  },
  {
    name: "S2",
    title: "200 rooms of 5, a sender each, window 4, 64 B",
    entrants: everybody(fives(1_000)),
    figures: ["perSecond", "cpu", "loadCpu", "p50", "p99", "p999"],
    anew: "kept",
    bars: [
      { figure: "perSecond", ...equal, least: 2, why: why.s2 },
      { figure: "cpu", ...equal, most: 0.5, why: why.s2 },
      { figure: "perSecond", ...light, least: 1.3, why: why.s2 },
      { figure: "cpu", ...light, most: 0.8, why: why.s2 },
    ],
  },
  {
    name: "S3",
    title: "50 rooms of 10, 1,000 messages/s, 64 B",
    entrants: everybody({ ...base, rooms: 50, rate: 1_000, sampleEvery: 1 }),
    figures: ["p50", "p99", "p999", "cpu", "perSecond"],
    anew: "kept",
    bars: [
      { figure: "p50", ...equal, most: 0.5, why: why.s3 },
      { figure: "p99", ...equal, most: 0.4, why: why.s3 },
      { figure: "p50", ...light, most: 1.2, why: why.s3 },
      { figure: "p99", ...light, most: 1.5, why: why.s3 },
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
    bars: [{ figure: "memory", against: ["haproxy"], called: "haproxy alone", most: 0.25, why: why.s4 }],
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
      {
        figure: "perSecond",
        against: ["haproxy"],
        called: "haproxy + same servers",
        least: 1.3,
        why: why.s5,
      },
      { figure: "perSecond", against: ["python"], least: 5, why: why.s5 },
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
    bars: [{ figure: "cpu", ours: "2000 clients", against: ["250 clients"], most: 1.3, why: why.s7 }],
  },
];
