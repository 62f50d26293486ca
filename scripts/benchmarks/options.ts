/** The command's flags: strict, because a misspelt flag would measure something else for half an hour. */
import { parseArgs } from "node:util";
import type { Pace } from "./section.ts";

export const sectionNames = ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11"] as const;
export type SectionName = (typeof sectionNames)[number];
const targetNames = ["rtchat", "equal", "nats", "irc", "haproxy", "nginx", "python", "redis", "jetstream"];

export const usage = `Usage: scripts/bench [--quick | --full] [--only S1,S2] [--against rtchat,equal] [--runs N]
                     [--seconds S] [--out DIR]

Brings the same load to rtchat and to what people would use instead, in turns, and prints medians, the spread of the
runs, and our ratio beside each bar. Everything runs on this machine's loopback, in processes of their own.

  --quick           2 runs of 1 s each after 1 s of warming up (the default), one where a run takes long; under 3
                    minutes, for a first look: the median of two is their mean, and JIT compilers have not settled
  --full            5 runs of 3 s each after 20 s of warming up: about 27 minutes
  --only LIST       only these scenarios, S1 to S11
  --against LIST    only these: ${targetNames.slice(0, 5).join(", ")},
                    ${targetNames.slice(5).join(", ")}
  --runs N          so many runs instead
  --seconds S       runs so long instead, 0.1 to 600
  --out DIR         write results.json, results.txt and chart.svg there (default with --full: dist/bench)
  --help            show this help

Scenarios
  S1   one room of 500, one sender          S6   slow readers in a fast room
  S2   200 rooms of 5, a sender each        S7   S2's load from 250 to 2,000 clients
  S3   1,000 messages/s: latency            S8   peers: latency of two, a mesh of many
  S4   idle connections: memory             S9   from starting to the first answer
  S5   connect, hello, welcome, close       S10  durable publish, acknowledged
                                            S11  the client's screen: keys, memory, start

Entrants of S1 to S7 (configurations: scripts/benchmarks/configs)
  rtchat   balancer, three servers, keeper, durability process: history, order, names, hand-over
  equal    HAProxy before a NATS cluster of three with a JetStream file stream: history
  nats     HAProxy before one NATS: no history           irc      HAProxy before one InspIRCd: no history
  haproxy  HAProxy before the same three rtchat servers  nginx    nginx's stream module, likewise (--full only)
  python   a balancer of two threads a connection, likewise
Opponents are used where they are installed (haproxy, inspircd, nats-server, redis-server, nginx with stream, python3);
what is missing is said. A bar that names several opponents is judged by the best of them.

RTCHAT_BIN names another executable to measure than dist/rtchat. Exit 0 when everything was measured and nothing was
lost, whether or not the bars are met; 1 when something failed or was lost; 2 for a wrong flag.`;

/** What the person asked for. */
export interface Options {
  readonly help: boolean;
  readonly pace: Pace;
  readonly only: ReadonlySet<SectionName> | undefined;
  readonly against: ReadonlySet<string> | undefined;
  readonly out: string | undefined;
}

/** A flag that cannot be meant. */
export class OptionError extends Error {}

const RUNS_MAX = 1_000;
const SECONDS = { least: 0.1, most: 600 } as const;

function listOf<Name extends string>(
  flag: string,
  text: string | undefined,
  known: readonly Name[],
): ReadonlySet<Name> | undefined {
  if (text === undefined) return undefined;
  const names = text.split(",").map((name) => name.trim());
  const wrong = names.find((name) => !known.some((one) => one === name));
  if (wrong !== undefined)
    throw new OptionError(`${flag} does not know "${wrong}"; it takes ${known.join(", ")}`);
  return new Set(known.filter((name) => names.includes(name)));
}

function parse(argv: readonly string[]) {
  try {
    const flag = { type: "boolean" } as const;
    const text = { type: "string" } as const;
    const options = {
      quick: flag,
      full: flag,
      help: flag,
      only: text,
      against: text,
      runs: text,
      seconds: text,
      out: text,
    };
    return parseArgs({ args: [...argv], options }).values;
  } catch (error) {
    throw new OptionError(error instanceof Error ? error.message : String(error));
  }
}

/** Reads the flags. @throws OptionError with what is wrong and what would be right */
export function readOptions(argv: readonly string[]): Options {
  const values = parse(argv);
  const full = values.full === true;
  if (full && values.quick === true) throw new OptionError("--quick and --full exclude each other");
  const runs = values.runs;
  if (runs !== undefined && (!/^[1-9]\d*$/.test(runs) || Number(runs) > RUNS_MAX))
    throw new OptionError(`--runs takes a number from 1 to ${RUNS_MAX}, not "${runs}"`);
  const { seconds } = values;
  const runMs = seconds === undefined ? undefined : Number(seconds) * 1_000;
  if (runMs !== undefined && !(runMs >= SECONDS.least * 1_000 && runMs <= SECONDS.most * 1_000))
    throw new OptionError(`--seconds takes ${SECONDS.least} to ${SECONDS.most}, not "${seconds}"`);
  const times = full
    ? { rounds: 5, roundsLong: 5, warmMs: 20_000, rampMs: 500, runMs: 3_000, longMs: 6_000 }
    : { rounds: 2, roundsLong: 1, warmMs: 1_000, rampMs: 200, runMs: 1_000, longMs: 3_500 };
  return {
    help: values.help === true,
    pace: {
      full,
      ...times,
      ...(runs === undefined ? {} : { rounds: Number(runs), roundsLong: Number(runs) }),
      ...(runMs === undefined ? {} : { runMs, longMs: runMs, warmMs: Math.min(times.warmMs, runMs) }),
    },
    only: listOf("--only", values.only, sectionNames),
    against: listOf("--against", values.against, targetNames),
    out: values.out ?? (full ? "dist/bench" : undefined),
  };
}
