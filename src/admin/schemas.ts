/**
 * Every object of the HTTP interface as a zod schema: requests are checked with them, and the OpenAPI document is made
 * from them. That they equal what the balancer really gives (balancer/view.ts) is checked by the compiler below.
 */
import { z } from "@hono/zod-openapi";
import type { BackendView, HistogramView, SessionPage, Snapshot } from "../balancer/view.ts";
import { adminLimits, balancerLimits } from "../protocol/limits.balancer.ts";

const count = z.number().int().min(0);
const time = z.iso.datetime();
const validity = z.object({ notBefore: time, notAfter: time });
const inOut = z.object({ in: count, out: count });

const histogram = z
  .object({ bounds: z.array(z.number()).readonly(), counts: z.array(count).readonly(), sum: z.number() })
  .openapi("Histogram", {
    description: "Seconds; counts[i] lie at or below bounds[i], the last count above all.",
  });

const sessions = z.object({ current: count, max: count, total: count }).openapi("SessionCounts", {
  description: "total: of a backend, placed or moved there; of the balancer, each session once",
});

const drain = z
  .object({
    cause: z.enum(["operator", "hub", "removal"]),
    startedAt: time,
    deadlineAt: time,
    rate: count.openapi({ description: "sessions a second" }),
    total: count,
    remaining: count,
  })
  .openapi("Drain");

const check = z
  .object({
    code: z.enum([
      "L7OK",
      "L4CON",
      "L4TOUT",
      "L7TOUT",
      "L7RSP",
      "SOCKERR",
      "wrong-cluster",
      "wrong-version",
      "wrong-secret",
    ]),
    at: time,
    durationMs: z.number(),
    detail: z.string(),
  })
  .openapi("Check");

/** One backend. */
export const backendSchema = z
  .object({
    id: z.string().openapi({ example: "127.0.0.1:8001" }),
    name: z.string().nullable(),
    server: z.string().nullable(),
    build: z.string().nullable(),
    cluster: z.string().nullable(),
    state: z.enum(["starting", "up", "down", "draining", "ejected", "maintenance"]),
    reason: z.enum([
      "",
      "L4CON",
      "L4TOUT",
      "L7TOUT",
      "L7RSP",
      "SOCKERR",
      "draining",
      "ejected",
      "maintenance",
      "wrong-cluster",
      "wrong-version",
      "wrong-secret",
    ]),
    detail: z.string(),
    since: time,
    weight: count.max(balancerLimits.weight),
    ramp: z.number().min(0).max(1),
    sessions,
    selected: count.openapi({ description: "how often the policy chose it for a new session" }),
    failures: count,
    retries: count,
    handovers: inOut,
    bytes: inOut,
    users: count,
    rooms: count,
    messages: count,
    messageRates: z.array(z.number()).readonly(),
    backplane: z.object({ state: z.enum(["ok", "degraded", "down"]), ms: z.number() }).nullable(),
    certificate: validity
      .nullable()
      .openapi({ description: "of the certificate for clients who come to this server directly" }),
    lastCheck: check.nullable(),
    checks: z.object({ passed: count, failed: count }),
    ejections: count,
    drain: drain.nullable(),
    roundTrip: histogram,
  })
  .openapi("Backend");

/** GET /api/v1/backends. */
export const backendListSchema = z.object({ backends: z.array(backendSchema) }).openapi("BackendList");

/** GET /api/v1/stats: a snapshot without its backends. */
export const statsSchema = z
  .object({
    version: z.string(),
    name: z.string(),
    listen: z.string(),
    startedAt: time,
    at: time,
    uptimeSeconds: z.number(),
    workers: count,
    policy: z.enum(["round-robin", "least-sessions", "two-choices"]),
    cluster: z.string().nullable(),
    stopping: z.boolean(),
    retiring: count.openapi({
      description: "connections of workers that were replaced, whose clients have yet to come over",
    }),
    certificate: validity
      .nullable()
      .openapi({ description: "of the certificate for clients; null without TLS" }),
    sessions: z.object({ current: count, max: count, total: count, held: count, refused: count }),
    selected: count,
    failures: count,
    retries: count,
    handovers: inOut,
    bytes: inOut,
    connections: z.object({ current: count, total: count }),
    refused: z.object({ total: count, address: count, rate: count, descriptors: count }),
    handoverPause: histogram,
    unresolved: z.array(z.object({ name: z.string(), detail: z.string() })).readonly(),
  })
  .openapi("Stats");

/** A whole snapshot: what processes of one balancer tell each other, and what `rtchat status` puts together. */
export const snapshotSchema = statsSchema.extend({ backends: z.array(backendSchema) });

/** GET /api/v1/sessions. */
export const sessionPageSchema = z
  .object({
    sessions: z
      .array(
        z
          .object({
            id: z.string(),
            address: z.string(),
            backend: z.string().nullable(),
            since: time,
            bytes: inOut,
          })
          .openapi("Session"),
      )
      .readonly(),
    next: z.string().nullable().openapi({ description: "give this as `after` for the next page" }),
  })
  .openapi("SessionPage");

/** Query of GET /api/v1/sessions. */
export const sessionQuerySchema = z.object({
  after: z
    .string()
    .regex(/^\d{1,16}(-\d{1,16})?$/, "is not the next of a page")
    .optional(),
  limit: z.coerce.number().int().min(1).max(adminLimits.sessionsPageMost).default(adminLimits.sessionsPage),
  backend: z.string().max(300).optional(),
});

const entry = z.string().min(1).max(300).openapi({ example: "10.0.0.5:8001*2" });

/** Body of POST /api/v1/backends: one or several to add. */
export const addSchema = z
  .union([z.strictObject({ backend: entry }), z.strictObject({ backends: z.array(entry).min(1) })])
  .openapi("BackendsToAdd");

/** Body of PUT /api/v1/backends: the whole list. */
export const replaceSchema = z.strictObject({ backends: z.array(entry) }).openapi("BackendsToHave");

/** Body of PATCH /api/v1/backends/{id}. */
export const changeSchema = z
  .strictObject({
    weight: count.max(balancerLimits.weight).optional(),
    state: z.enum(["ready", "drain", "maintenance"]).optional(),
  })
  .refine((wish) => wish.weight !== undefined || wish.state !== undefined, "name a weight, a state, or both")
  .openapi("BackendChange");

/** Body of POST /api/v1/backends/{id}/drain. */
export const drainSchema = z
  .strictObject({
    rate: z
      .number()
      .int()
      .min(1)
      .max(balancerLimits.moveRate)
      .optional()
      .openapi({ description: "sessions a second" }),
    deadlineSeconds: z.number().min(0).max(86_400).optional(),
  })
  .openapi("DrainWish");

/** `:id` of a backend. */
export const idSchema = z.object({
  id: z
    .string()
    .max(300)
    .openapi({ param: { name: "id", in: "path" }, example: "127.0.0.1:8001" }),
});

/** Whatever goes wrong. */
export const problemSchema = z
  .object({ error: z.object({ code: z.string(), message: z.string() }) })
  .openapi("Problem");

/** GET /health: application/health+json (draft-inadarei-api-health-check-06), with the backends readable beside it. */
export const healthSchema = z
  .object({
    status: z.enum(["pass", "warn", "fail"]),
    version: z.string(),
    releaseId: z.string(),
    serviceId: z.string(),
    description: z.string(),
    notes: z.array(z.string()),
    output: z.string().optional(),
    checks: z.record(
      z.string(),
      z.array(
        z.object({
          componentId: z.string(),
          componentType: z.string(),
          observedValue: z.union([z.string(), z.number()]),
          observedUnit: z.string(),
          status: z.enum(["pass", "warn", "fail"]),
          time,
          output: z.string().optional(),
        }),
      ),
    ),
    backends: z.array(
      z.object({
        address: z.string(),
        state: z.string(),
        reason: z.string(),
        detail: z.string(),
        since: time,
        sessions: z.object({ current: count, total: count }),
        selected: count,
        failures: count,
        lastCheck: check.nullable(),
      }),
    ),
  })
  .openapi("Health");

/** The health document. */
export type Health = z.infer<typeof healthSchema>;

/** Fails to compile when a schema and the balancer's type differ in either direction. */
type Same<One, Other> = [One] extends [Other] ? ([Other] extends [One] ? true : never) : never;
type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T;
type Schema<T extends z.ZodType> = DeepReadonly<z.infer<T>>;

/** Proof that the schemas describe what the balancer gives. */
export const schemasMatch: {
  readonly backend: Same<Schema<typeof backendSchema>, BackendView>;
  readonly stats: Same<Schema<typeof statsSchema>, Omit<Snapshot, "backends">>;
  readonly sessions: Same<Schema<typeof sessionPageSchema>, SessionPage>;
  readonly histogram: Same<Schema<typeof histogram>, HistogramView>;
} = { backend: true, stats: true, sessions: true, histogram: true };
