/**
 * The admin endpoint as one function from request to response: guard, probes, API, metrics, dashboard. listen.ts puts a
 * socket in front of it; tests call it directly.
 */
import type { Context, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { HTTPException } from "hono/http-exception";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { adminLimits } from "../protocol/limits.balancer.ts";
import { createApi, createOpenApiApp } from "./api.ts";
import { type AdminEnv, type AdminOptions, problem } from "./context.ts";
import { addDashboard } from "./dashboard/routes.tsx";
import { FailureLimit, isForeignOrigin, isOwnHost, sameSecret, SessionCookies } from "./guard.ts";
import { healthReport, overallStatus } from "./health.ts";
import { metricsText } from "./metrics.ts";

/** The code of the error by which a view says that it cannot see anything now (see BalancerView). */
const viewUnavailable = "VIEW_UNAVAILABLE";
const COOKIE = "rtchat_admin";
/** Paths that need no token: probes, and what the sign-in page is made of. */
const OPEN = new Set(["/livez", "/readyz", "/login", "/dashboard.css", "/favicon.svg"]);

type C = Context<AdminEnv>;

/** Builds the endpoint. */
export function createAdmin(options: AdminOptions): OpenAPIHono<AdminEnv> {
  const app = createOpenApiApp();
  const cookies = new SessionCookies(options.clock);
  const failures = new FailureLimit(options.clock);

  app.use(headers);
  app.use(ownHost(options.hostNames ?? []));
  app.use(
    bodyLimit({
      maxSize: adminLimits.bodyBytes,
      onError: (c) => c.json(problem("too-large", `the body is over ${adminLimits.bodyBytes} bytes`), 413),
    }),
  );
  app.use(changesAreJson);
  app.use(authenticated(options.token, cookies, failures));
  addProbes(app, options);
  app.route("/api/v1", createApi(options));
  app.doc31("/api/v1/openapi.json", {
    openapi: "3.1.0",
    info: {
      title: "rtchat balancer",
      version: "1",
      description:
        "Changes need the content type application/json. With a token: Authorization: Bearer TOKEN.",
    },
  });
  addDashboard(app, options, {
    signIn: (c, token) => signIn(c, token, options, cookies, failures),
    signOut: (c) => {
      const value = getCookie(c, COOKIE);
      if (value !== undefined) cookies.revoke(value);
      deleteCookie(c, COOKIE, { path: "/" });
    },
  });
  app.notFound((c) => c.json(problem("not-found", `no such path; see /api/v1/openapi.json`), 404));
  app.onError((error, c) => {
    if (error instanceof HTTPException) return c.json(problem("bad-request", error.message), error.status);
    if ("code" in error && error.code === viewUnavailable)
      return c.json(problem("unavailable", error.message), 503);
    options.logger.error(`the admin endpoint failed: ${error.message}`, { path: c.req.path });
    return c.json(problem("internal", "a fault of the balancer; its log says more"), 500);
  });
  return app;
}

/** No page of ours is framed, sniffed, cached, or sends our address to anybody; nothing is loaded from elsewhere. */
const headers: MiddlewareHandler<AdminEnv> = async (c, next) => {
  await next();
  const set = (name: string, value: string) => c.res.headers.set(name, value);
  set(
    "content-security-policy",
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; " +
      "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  );
  set("x-content-type-options", "nosniff");
  // Not no-referrer: browsers then send forms with "Origin: null", which is a foreign one.
  set("referrer-policy", "same-origin");
  set("cross-origin-resource-policy", "same-origin");
  if (!c.res.headers.has("cache-control")) set("cache-control", "no-store");
};

function ownHost(names: readonly string[]): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    if (isOwnHost(c.req.header("host"), names)) return next();
    const message =
      "the Host header names somebody else; use an address, or allow the name with --admin-host";
    return c.json(problem("wrong-host", message), 421);
  };
}

/** A form on any page can send POST, but neither JSON as its type nor PUT, PATCH or DELETE without asking first. */
const changesAreJson: MiddlewareHandler<AdminEnv> = async (c, next) => {
  const { method, path } = c.req;
  if (method === "GET" || method === "HEAD") return next();
  if (isForeignOrigin(c.req.header("origin"), c.req.header("host"))) {
    return c.json(problem("foreign-origin", "pages of other origins may not change anything"), 403);
  }
  const form = path === "/login" || path === "/logout";
  const type = (c.req.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  if (!form && method !== "DELETE" && type !== "application/json") {
    return c.json(
      problem("not-json", "send changes with the content type application/json (curl: --json)"),
      415,
    );
  }
  return next();
};

function authenticated(
  token: string | undefined,
  cookies: SessionCookies,
  failures: FailureLimit,
): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    c.set("signedIn", false);
    if (token === undefined || OPEN.has(c.req.path)) return next();
    if (cookies.accepts(getCookie(c, COOKIE))) {
      c.set("signedIn", true);
      return next();
    }
    const given = /^Bearer (.+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
    const address = c.env?.address ?? "";
    const wait = failures.wait(address);
    if (given !== undefined && wait > 0) {
      c.header("retry-after", String(wait));
      return c.json(problem("too-many-failures", `too many wrong tokens; try again in ${wait} s`), 429);
    }
    if (given !== undefined && sameSecret(given, token)) return next();
    if (given !== undefined) failures.fail(address);
    if (c.req.path === "/" && c.req.method === "GET") return c.redirect("/login");
    c.header("www-authenticate", 'Bearer realm="rtchat"');
    const what = given === undefined ? "a token is needed" : "the token is wrong";
    return c.json(problem("unauthorized", `${what}; send it as Authorization: Bearer TOKEN`), 401);
  };
}

/** @returns undefined if signed in, else what to tell the person */
function signIn(
  c: C,
  given: string,
  { token }: AdminOptions,
  cookies: SessionCookies,
  failures: FailureLimit,
): string | undefined {
  if (token === undefined) return undefined;
  const address = c.env?.address ?? "";
  const wait = failures.wait(address);
  if (wait > 0) return `Too many wrong tokens. Try again in ${wait} seconds.`;
  if (!sameSecret(given, token)) {
    failures.fail(address);
    return "That is not the token.";
  }
  setCookie(c, COOKIE, cookies.issue(), {
    path: "/",
    httpOnly: true,
    sameSite: "Strict",
    maxAge: adminLimits.cookieMs / 1_000,
  });
  return undefined;
}

function addProbes(app: OpenAPIHono<AdminEnv>, { view }: AdminOptions): void {
  app.get("/livez", (c) => c.text("ok\n"));
  app.get("/readyz", async (c) => {
    const ready = overallStatus(await view.snapshot()) !== "fail";
    return c.text(ready ? "ok\n" : "no backend can take a session\n", ready ? 200 : 503);
  });
  app.get("/health", async (c) => {
    const { body, code } = healthReport(await view.snapshot());
    return c.body(`${JSON.stringify(body, undefined, 2)}\n`, code, {
      "content-type": "application/health+json",
    });
  });
  app.get("/metrics", async (c) =>
    c.body(await metricsText(await view.snapshot()), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    }),
  );
}
