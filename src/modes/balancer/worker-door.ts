/**
 * How the processes of one balancer talk: each worker answers its parent over HTTP on a Unix socket in a folder that only
 * this user can open. What crosses is what the admin endpoint shows and does, as JSON, checked on arrival.
 */
import { z } from "zod";
import { sessionPageSchema, snapshotSchema } from "../../admin/schemas.ts";
import type { Balancer } from "../../balancer/balancer.ts";
import type { BalancerControl, Outcome, SessionPage, SessionQuery, Snapshot } from "../../balancer/view.ts";
import { formatAddress } from "../../protocol/address.ts";

/** The variable that makes a balancer a worker: {@link workerPlace} as JSON. */
export const workerVariable = "RTCHAT_BALANCER_WORKER";

/** Which worker it is, the port that all share, and where it answers its parent. */
export const workerPlace = z.object({ index: z.number().int().min(0), port: z.number(), socket: z.string() });

const wishSchema = z.discriminatedUnion("do", [
  z.object({ do: z.literal("add"), entries: z.array(z.string()) }),
  z.object({ do: z.literal("replace"), entries: z.array(z.string()) }),
  z.object({
    do: z.literal("change"),
    id: z.string(),
    weight: z.number().optional(),
    state: z.enum(["ready", "drain", "maintenance"]).optional(),
  }),
  z.object({
    do: z.literal("drain"),
    id: z.string(),
    rate: z.number().optional(),
    deadlineSeconds: z.number().optional(),
  }),
  z.object({ do: z.literal("ready"), id: z.string() }),
  z.object({ do: z.literal("remove"), id: z.string() }),
]);
/** One call of a {@link BalancerControl}, as it crosses. */
export type Wish = z.infer<typeof wishSchema>;

const querySchema = z.object({
  after: z.string().optional(),
  limit: z.number(),
  backend: z.string().optional(),
});
const outcomeSchema = z.union([
  z.object({ ok: z.literal(true) }),
  z.object({
    ok: z.literal(false),
    problem: z.enum(["not-found", "conflict", "invalid"]),
    message: z.string(),
  }),
]);

/** Grants a wish. */
function grant(control: BalancerControl, wish: Wish): Promise<Outcome> {
  switch (wish.do) {
    case "add":
      return control.add(wish.entries);
    case "replace":
      return control.replace(wish.entries);
    case "change":
      return control.change(wish.id, wish);
    case "drain":
      return control.drain(wish.id, wish);
    case "ready":
      return control.ready(wish.id);
    case "remove":
      return control.remove(wish.id);
  }
}

/** Answers the parent. @returns a way to stop */
export function answerParent(socket: string, balancer: Balancer): () => Promise<void> {
  const json = async (answer: Promise<unknown>) => Response.json(await answer);
  const server = Bun.serve({
    unix: socket,
    routes: {
      "/snapshot": () => json(balancer.snapshot()),
      "/list": () => Response.json(balancer.list.map((spec) => `${formatAddress(spec)}*${spec.weight}`)),
      "/sessions": {
        POST: async (request) => json(balancer.sessions(querySchema.parse(await request.json()))),
      },
      "/wish": {
        POST: async (request) => json(grant(balancer.control, wishSchema.parse(await request.json()))),
      },
    },
  });
  return () => server.stop(true);
}

/** A worker as its parent sees it. Every call rejects if the worker does not answer in time. */
export class WorkerClient {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  snapshot(): Promise<Snapshot> {
    return this.#ask("snapshot", snapshotSchema);
  }

  /** Its list of backends as entries. */
  list(): Promise<readonly string[]> {
    return this.#ask("list", z.array(z.string()));
  }

  sessions(query: SessionQuery): Promise<SessionPage> {
    return this.#ask("sessions", sessionPageSchema, query);
  }

  wish(wish: Wish): Promise<Outcome> {
    return this.#ask("wish", outcomeSchema, wish);
  }

  async #ask<T>(path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    const response = await fetch(`http://worker/${path}`, {
      unix: this.#socket,
      // A worker that is busy for this long is no part of the picture; the next look will have it.
      signal: AbortSignal.timeout(2_000),
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
    return schema.parse(await response.json());
  }
}
