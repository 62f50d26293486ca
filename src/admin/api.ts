/**
 * The versioned interface under /api/v1. Each route is declared once: the declaration checks the request and makes the
 * OpenAPI document.
 */
import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { BackendView, Outcome, Snapshot } from "../balancer/view.ts";
import { type AdminEnv, type AdminOptions, problem, statusOf } from "./context.ts";
import {
  addSchema,
  backendListSchema,
  backendSchema,
  changeSchema,
  drainSchema,
  idSchema,
  problemSchema,
  replaceSchema,
  sessionPageSchema,
  sessionQuerySchema,
  statsSchema,
} from "./schemas.ts";

const json = <Schema>(schema: Schema) => ({ "application/json": { schema } });
const answer = <Schema>(description: string, schema: Schema) => ({ description, content: json(schema) });
const body = <Schema>(schema: Schema) => ({ body: { required: true, content: json(schema) } });
const bad = answer("What is wrong with the request", problemSchema);
const missing = answer("No such backend", problemSchema);
const conflict = answer("The present state does not allow it", problemSchema);

const routes = {
  list: createRoute({
    method: "get",
    path: "/backends",
    summary: "Every backend, in list order",
    responses: { 200: answer("The backends", backendListSchema) },
  }),
  add: createRoute({
    method: "post",
    path: "/backends",
    summary: "Add one or several backends while serving",
    request: body(addSchema),
    responses: { 201: answer("All backends", backendListSchema), 400: bad, 404: missing, 409: conflict },
  }),
  replace: createRoute({
    method: "put",
    path: "/backends",
    summary: "Replace the whole list: those not named are drained and removed",
    request: body(replaceSchema),
    responses: { 200: answer("All backends", backendListSchema), 400: bad, 404: missing, 409: conflict },
  }),
  get: createRoute({
    method: "get",
    path: "/backends/{id}",
    summary: "One backend; a bare port means 127.0.0.1",
    request: { params: idSchema },
    responses: { 200: answer("The backend", backendSchema), 404: missing },
  }),
  change: createRoute({
    method: "patch",
    path: "/backends/{id}",
    summary: "Set weight or state",
    request: { params: idSchema, ...body(changeSchema) },
    responses: { 200: answer("The backend", backendSchema), 400: bad, 404: missing, 409: conflict },
  }),
  remove: createRoute({
    method: "delete",
    path: "/backends/{id}",
    summary: "Move its sessions away, then forget it",
    request: { params: idSchema },
    responses: {
      202: answer("The backends that are left or leaving", backendListSchema),
      400: bad,
      404: missing,
      409: conflict,
    },
  }),
  drain: createRoute({
    method: "post",
    path: "/backends/{id}/drain",
    summary: "Move its sessions to the others, at a rate, until a deadline",
    request: { params: idSchema, ...body(drainSchema) },
    responses: { 200: answer("The backend", backendSchema), 400: bad, 404: missing, 409: conflict },
  }),
  ready: createRoute({
    method: "post",
    path: "/backends/{id}/ready",
    summary: "Undo a drain, maintenance or ejection",
    request: { params: idSchema },
    responses: { 200: answer("The backend", backendSchema), 400: bad, 404: missing, 409: conflict },
  }),
  stats: createRoute({
    method: "get",
    path: "/stats",
    summary: "Sums and settings of the balancer",
    responses: { 200: answer("The figures", statsSchema) },
  }),
  sessions: createRoute({
    method: "get",
    path: "/sessions",
    summary: "Sessions, a page at a time; nothing that was said",
    request: { query: sessionQuerySchema },
    responses: { 200: answer("A page", sessionPageSchema), 400: bad },
  }),
} as const;

/** An app whose refusals of unfit requests have the same form as all other errors. */
export function createOpenApiApp(): OpenAPIHono<AdminEnv> {
  return new OpenAPIHono<AdminEnv>({
    defaultHook: (result, c) => {
      if (result.success) return undefined;
      const [issue] = result.error.issues;
      const where = issue === undefined || issue.path.length === 0 ? result.target : issue.path.join(".");
      return c.json(problem("bad-request", `${where}: ${issue?.message ?? "not usable"}`), 400);
    },
  });
}

/** `8001` for `127.0.0.1:8001`: what people type. */
function find(snapshot: Snapshot, id: string): BackendView | undefined {
  const full = /^\d+$/.test(id) ? `127.0.0.1:${id}` : id;
  return snapshot.backends.find((backend) => backend.id === full);
}

/** The routes, to be mounted at /api/v1. */
export function createApi({ view, control }: AdminOptions): OpenAPIHono<AdminEnv> {
  const app = createOpenApiApp();
  type C = Context<AdminEnv>;

  const notFound = (c: C, id: string) => c.json(problem("not-found", noSuchBackend(id)), 404);
  const all = async () => {
    const { backends } = await view.snapshot();
    return { backends: [...backends] };
  };
  /** Finds the backend, acts on it, and shows it as it is then. */
  const act = async (c: C, id: string, wish: (id: string) => Promise<Outcome>) => {
    const backend = find(await view.snapshot(), id);
    if (backend === undefined) return notFound(c, id);
    const outcome = await wish(backend.id);
    if (!outcome.ok) return c.json(problem(outcome.problem, outcome.message), statusOf(outcome));
    const after = find(await view.snapshot(), backend.id);
    return c.json(after ?? backend, 200);
  };

  app.openapi(routes.list, async (c) => c.json(await all(), 200));
  app.openapi(routes.add, async (c) => {
    const wish = c.req.valid("json");
    const outcome = await control.add("backend" in wish ? [wish.backend] : wish.backends);
    if (!outcome.ok) return c.json(problem(outcome.problem, outcome.message), statusOf(outcome));
    return c.json(await all(), 201);
  });
  app.openapi(routes.replace, async (c) => {
    const outcome = await control.replace(c.req.valid("json").backends);
    if (!outcome.ok) return c.json(problem(outcome.problem, outcome.message), statusOf(outcome));
    return c.json(await all(), 200);
  });
  app.openapi(routes.get, async (c) => {
    const { id } = c.req.valid("param");
    const backend = find(await view.snapshot(), id);
    return backend === undefined ? notFound(c, id) : c.json(backend, 200);
  });
  app.openapi(routes.change, (c) =>
    act(c, c.req.valid("param").id, (id) => control.change(id, c.req.valid("json"))),
  );
  app.openapi(routes.drain, (c) =>
    act(c, c.req.valid("param").id, (id) => control.drain(id, c.req.valid("json"))),
  );
  app.openapi(routes.ready, (c) => act(c, c.req.valid("param").id, (id) => control.ready(id)));
  app.openapi(routes.remove, async (c) => {
    const { id } = c.req.valid("param");
    const backend = find(await view.snapshot(), id);
    if (backend === undefined) return notFound(c, id);
    const outcome = await control.remove(backend.id);
    if (!outcome.ok) return c.json(problem(outcome.problem, outcome.message), statusOf(outcome));
    return c.json(await all(), 202);
  });
  app.openapi(routes.stats, async (c) => {
    const { backends: _, ...stats } = await view.snapshot();
    return c.json(stats as Mutable<typeof stats>, 200);
  });
  app.openapi(routes.sessions, async (c) => {
    const page = await view.sessions(c.req.valid("query"));
    return c.json(page, 200);
  });
  return app;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

function noSuchBackend(id: string): string {
  return `no backend ${JSON.stringify(id)}; GET /api/v1/backends lists them`;
}
