/** The command line of the torture run, checked. */
import { parseArgs } from "node:util";
import { z } from "zod";

/** What can be done to a cluster. */
export const faultKinds = [
  "backend",
  "keeper",
  "balancer",
  "renew",
  "redis",
  "hang",
  "drain",
  "slow",
  "network",
] as const;
export type FaultKind = (typeof faultKinds)[number];

const whole = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const kinds = z
  .string()
  .transform((list) => list.split(",").filter((kind) => kind !== "" && kind !== "none"))
  .pipe(z.array(z.enum(faultKinds)));

const schema = z.object({
  minutes: z.coerce.number().positive().max(600).default(2),
  clients: whole(2, 2_000).default(50),
  rooms: whole(1, 1_000).default(10),
  servers: whole(1, 9).default(3),
  balancers: whole(1, 4).default(1),
  /** Messages a second, all clients together. */
  rate: z.coerce.number().positive().max(20_000).default(50),
  backplane: z.enum(["keeper", "redis"]).default("keeper"),
  durability: z.enum(["process", "power"]).default("process"),
  faults: kinds.default(faultKinds.slice(0, 2)),
  plant: z.enum(["drop", "duplicate", "reorder", "ack-early"]).optional(),
  seed: whole(0, 4_294_967_295).optional(),
  /** Where the history goes; a folder. */
  out: z.string().optional(),
  /** Judge a history file instead of running anything. */
  check: z.string().optional(),
});

/** Checked options. */
export type Options = z.output<typeof schema>;

export const USAGE = `Usage: scripts/torture [options]

Starts a cluster of the compiled binary, lets many clients talk, breaks things from a seeded schedule, and compares what
everybody saw with the log.

  --minutes N      how long faults go on (2)
  --clients N      people talking (50)
  --rooms N        rooms they share (10)
  --servers N      backends (3)
  --balancers N    balancers side by side (1)
  --rate N         messages a second, all together (50)
  --backplane B    keeper or redis (keeper)
  --durability D   process or power (process)
  --faults LIST    any of ${faultKinds.join(",")} or none (backend,keeper)
  --plant BUG      drop, duplicate, reorder or ack-early: the run must then fail
  --seed N         replays a schedule (random)
  --out DIR        keeps history, seed and process logs there
  --check FILE     judges a kept history again

Exit code 0 when nothing was lost, duplicated or reordered, 1 when something was, 2 for wrong options.`;

/**
 * Reads the command line.
 * @throws Error with a message for a person
 */
export function parseOptions(args: readonly string[]): Options | "help" {
  const names = Object.keys(schema.shape);
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: "boolean" },
      ...Object.fromEntries(names.map((name) => [name, { type: "string" }])),
    },
  });
  if (values["help"] === true) return "help";
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new Error(`--${issue?.path.join(".") ?? ""}: ${issue?.message ?? "not usable"}; see --help`);
}
