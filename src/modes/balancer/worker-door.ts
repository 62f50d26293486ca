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

/** What a worker is told by its parent. */
export const workerPlace = z.object({
  /** Which worker it is, of all that there ever were. */
  number: z.number().int().min(0),
  /** Where it answers its parent. */
  socket: z.string(),
  /** The sockets that it inherited, and takes clients from once it is told to. */
  doors: z.array(z.object({ descriptor: z.number().int(), address: z.string() })).min(1),
  /** The table in which workers count connections together, and its column there. */
  counts: z.object({ path: z.string(), column: z.number().int().min(0) }),
});

/** See {@link workerPlace}. */
export type WorkerPlace = z.infer<typeof workerPlace>;

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
export function grant(control: BalancerControl, wish: Wish): Promise<Outcome> {
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

/** A worker as it stands behind its socket. */
interface Answering {
  readonly balancer: Balancer;
  /** Takes clients from now on. */
  readonly open: () => void;
  /** Has a successor: goes when its clients have gone over. */
  readonly retire: () => void;
}

/** Answers the parent. @returns a way to stop */
export function answerParent(socket: string, { balancer, open, retire }: Answering): () => Promise<void> {
  const json = async (answer: Promise<unknown>) => Response.json(await answer);
  const done = (act: () => void) => {
    act();
    return Response.json(true);
  };
  const server = Bun.serve({
    unix: socket,
    routes: {
      "/snapshot": () => json(balancer.snapshot()),
      "/list": () => Response.json(entriesOf(balancer)),
      "/sessions": {
        POST: async (request) => json(balancer.sessions(querySchema.parse(await request.json()))),
      },
      "/wish": {
        POST: async (request) => json(grant(balancer.control, wishSchema.parse(await request.json()))),
      },
      "/open": { POST: () => done(open) },
      "/retire": { POST: () => done(retire) },
    },
  });
  return () => server.stop(true);
}

/** Its list of backends as entries. */
export function entriesOf(balancer: Balancer): string[] {
  return balancer.list.map((spec) => `${formatAddress(spec)}*${spec.weight}`);
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

  /** From now on it takes clients. */
  async open(): Promise<void> {
    await this.#ask("open", z.literal(true), {});
  }

  /** It has a successor: it sends its clients over, and then ends. */
  async retire(): Promise<void> {
    await this.#ask("retire", z.literal(true), {});
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
