import { describe, expect, test } from "bun:test";
import { createAdmin } from "../../src/admin/app.ts";
import type { AdminOptions } from "../../src/admin/context.ts";
import { AdminConfigError, checkExposure, FailureLimit, SessionCookies } from "../../src/admin/guard.ts";
import { adminLimits } from "../../src/protocol/limits.balancer.ts";
import { backendSchema, schemasMatch } from "../../src/admin/schemas.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { backendView, FakeBalancer, snapshotOf } from "./fixtures.ts";

const TOKEN = "0123456789abcdef0123456789abcdef";
const down = (port: number) =>
  backendView(port, { state: "down", reason: "L4CON", detail: "nobody listens there (ECONNREFUSED)" });

function setUp(
  options: Partial<AdminOptions> = {},
  balancer = new FakeBalancer(snapshotOf([backendView(8001)])),
) {
  const clock = new ManualClock();
  const app = createAdmin({ view: balancer, control: balancer, clock, logger: silentLogger, ...options });
  const call = (path: string, init: RequestInit & { host?: string; address?: string } = {}) => {
    const headers = new Headers(init.headers);
    headers.set("host", init.host ?? "127.0.0.1:8080");
    return app.request(
      `http://127.0.0.1:8080${path}`,
      { ...init, headers },
      { address: init.address ?? "127.0.0.1" },
    );
  };
  const change = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    call(path, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const bearer = (token: string, address = "192.0.2.1") =>
    call("/api/v1/stats", { headers: { authorization: `Bearer ${token}` }, address });
  return { clock, balancer, call, change, bearer };
}

interface OpenApi {
  openapi: string;
  paths: Record<string, object>;
  components: { schemas: Record<string, { required?: string[] }> };
}

async function errorOf(response: Response): Promise<{ code: string; message: string }> {
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  expect(error.message).not.toBe("");
  return error;
}

describe("the certificate for clients", () => {
  const notBefore = "2025-12-01T00:00:00.000Z";
  const until = (notAfter: string) =>
    snapshotOf([backendView(8001)], { certificate: { notBefore, notAfter } });
  const late = until("2026-03-01T00:10:00.000Z");
  const soon = until("2026-02-09T16:10:00.000Z");
  const ended = until("2026-01-30T16:10:00.000Z");

  test("is part of the health, and one that should have been renewed is a warning, but nobody is refused", async () => {
    const { call, balancer } = setUp();
    const health = async (snapshot: typeof late) => {
      balancer.current = snapshot;
      const response = await call("/health");
      return { code: response.status, ...((await response.json()) as { checks: object }) };
    };
    expect(Object.keys((await health(snapshotOf([backendView(8001)]))).checks)).not.toContain(
      "certificate:remaining",
    );
    expect(await health(late)).toMatchObject({
      code: 200,
      status: "pass",
      notes: [],
      checks: {
        "certificate:remaining": [{ observedValue: 2_462_400, observedUnit: "s", status: "pass" }],
      },
    });
    expect(await health(soon)).toMatchObject({
      code: 200,
      status: "warn",
      notes: ["the certificate ends on 2026-02-09, in 9 d 4 h; renew it"],
      checks: { "certificate:remaining": [{ status: "warn" }] },
    });
    expect(await health(ended)).toMatchObject({
      code: 200,
      status: "warn",
      checks: { "certificate:remaining": [{ observedValue: -72_000, status: "fail" }] },
    });
    expect((await call("/readyz")).status).toBe(200);
  });

  test("is a metric where there is one, and in the API", async () => {
    const { call, balancer } = setUp();
    expect(await (await call("/metrics")).text()).not.toContain("certificate");
    balancer.current = soon;
    expect((await (await call("/metrics")).text()).split("\n")).toContain(
      "rtchat_tls_certificate_not_after_seconds 1770653400",
    );
    expect(await (await call("/api/v1/stats")).json()).toMatchObject({
      certificate: { notBefore, notAfter: "2026-02-09T16:10:00.000Z" },
    });
  });

  test("is a plain line of the page, and then a warning", async () => {
    const { call, balancer } = setUp();
    expect(await (await call("/")).text()).not.toContain("certificate");
    for (const [snapshot, state] of [
      [late, "good"],
      [soon, "ending"],
      [ended, "ended"],
    ] as const) {
      balancer.current = snapshot;
      expect(await (await call("/")).text()).toMatch(
        new RegExp(`<p id="certificate" class="certificate certificate-${state}">[^<]*certificate [^<]+</p>`),
      );
    }
  });
});

describe("a server's own certificate", () => {
  const notBefore = "2025-12-01T00:00:00.000Z";
  const until = (notAfter: string) =>
    snapshotOf([backendView(8001, { certificate: { notBefore, notAfter } }), backendView(8002)]);
  const late = until("2026-03-01T00:10:00.000Z");
  const soon = until("2026-02-09T16:10:00.000Z");
  const words = "the certificate ends on 2026-02-09, in 9 d 4 h; renew it";

  test("is shown wherever the balancer's is, and warned of like that", async () => {
    const { call, balancer } = setUp();
    const read = async (path: string) => (await call(path)).text();
    balancer.current = late;
    expect(JSON.parse(await read("/health"))).toMatchObject({
      status: "pass",
      notes: [],
      checks: { "127.0.0.1:8001:certificate": [{ observedValue: 2_462_400, status: "pass" }] },
    });
    expect(await read("/")).toContain("certificate until 2026-03-01, 28 d 12 h from now");
    expect(await read("/")).not.toContain('id="certificate"');
    balancer.current = soon;
    const health = JSON.parse(await read("/health")) as { checks: object };
    expect(health).toMatchObject({ status: "warn", notes: [`127.0.0.1:8001: ${words}`] });
    expect(Object.keys(health.checks)).not.toContain("127.0.0.1:8002:certificate");
    expect(await read("/")).toContain(`<span class="detail bad">${words}</span>`);
    const metrics = (await read("/metrics")).split("\n").filter((line) => line.includes("_tls_"));
    expect(metrics.filter((line) => !line.startsWith("#"))).toEqual([
      'rtchat_balancer_backend_tls_certificate_not_before_seconds{backend="127.0.0.1:8001"} 1764547200',
      'rtchat_balancer_backend_tls_certificate_not_after_seconds{backend="127.0.0.1:8001"} 1770653400',
    ]);
  });
});

test("clients that have yet to come over to new workers are counted", async () => {
  const { call, balancer } = setUp();
  const read = async (path: string) => (await call(path)).text();
  expect(await read("/")).not.toContain("yet to come over");
  balancer.current = snapshotOf([backendView(8001)], { retiring: 1_234 });
  expect(await read("/")).toContain("1,234 yet to come over");
  expect(await read("/metrics")).toContain("\nrtchat_balancer_connections_retiring 1234\n");
  expect(JSON.parse(await read("/api/v1/stats"))).toMatchObject({ retiring: 1_234 });
});

describe("probes", () => {
  test("/livez answers while the process does, /readyz while somebody can be served", async () => {
    const { call, balancer } = setUp();
    expect(await (await call("/livez")).text()).toBe("ok\n");
    expect((await call("/readyz")).status).toBe(200);
    balancer.current = snapshotOf([down(8001)]);
    expect((await call("/livez")).status).toBe(200);
    const unready = await call("/readyz");
    expect([unready.status, await unready.text()]).toEqual([503, "no backend can take a session\n"]);
  });

  test("/health passes, warns and fails, each with the backends and their reasons", async () => {
    const { call, balancer } = setUp();
    const health = async () => {
      const response = await call("/health");
      expect(response.headers.get("content-type")).toBe("application/health+json");
      return { code: response.status, ...((await response.json()) as object) };
    };
    expect(await health()).toMatchObject({
      code: 200,
      status: "pass",
      releaseId: "0.1.0",
      backends: [
        {
          address: "127.0.0.1:8001",
          state: "up",
          reason: "",
          sessions: { current: 10, total: 40 },
          selected: 41,
          failures: 1,
          lastCheck: { code: "L7OK", durationMs: 0.8 },
        },
      ],
    });
    balancer.current = snapshotOf([backendView(8001), down(8002)]);
    expect(await health()).toMatchObject({
      code: 200,
      status: "warn",
      notes: ["127.0.0.1:8002 is down (L4CON): nobody listens there (ECONNREFUSED)"],
      checks: { "127.0.0.1:8002:state": [{ status: "fail", observedValue: "down" }] },
    });
    balancer.current = snapshotOf([down(8001), backendView(8002, { state: "draining", reason: "draining" })]);
    expect(await health()).toMatchObject({
      code: 503,
      status: "fail",
      output: expect.stringContaining("no backend"),
    });
    balancer.current = snapshotOf([]);
    expect(await health()).toMatchObject({
      code: 503,
      output: expect.stringContaining("POST /api/v1/backends"),
    });
    balancer.current = snapshotOf([backendView(8001)], { stopping: true });
    expect(await health()).toMatchObject({ code: 503, output: "the balancer is stopping" });
    // Nobody gets in at a server that cannot reach its log, though it answers.
    const noLog = (port: number, state: "degraded" | "down") =>
      backendView(port, { backplane: { state, ms: 0 }, detail: "its log is ill" });
    balancer.current = snapshotOf([backendView(8001), noLog(8002, "degraded"), noLog(8003, "down")]);
    expect(await health()).toMatchObject({
      code: 200,
      status: "warn",
      notes: ["127.0.0.1:8002 is up: its log is ill", "127.0.0.1:8003 is up: its log is ill"],
      checks: { "127.0.0.1:8002:state": [{ status: "warn" }], "127.0.0.1:8003:state": [{ status: "fail" }] },
    });
    balancer.current = snapshotOf([noLog(8001, "down"), noLog(8002, "down")]);
    expect(await health()).toMatchObject({
      code: 503,
      status: "fail",
      output: expect.stringContaining("cannot write to their log"),
    });
    balancer.current = snapshotOf([backendView(8001), backendView(8002, { weight: 0 })]);
    expect(await health()).toMatchObject({ code: 200, status: "warn" });
    // The last that serves, though ejected, is better than none.
    balancer.current = snapshotOf([backendView(8001, { state: "ejected", reason: "ejected" })]);
    expect(await health()).toMatchObject({ code: 200, status: "warn" });
  });
});

describe("the interface", () => {
  test("lists backends, one by one too, also by bare port", async () => {
    const { call } = setUp({}, new FakeBalancer(snapshotOf([backendView(8001), backendView(8002)])));
    const list = await (await call("/api/v1/backends")).json();
    expect(list).toEqual({ backends: [backendView(8001), backendView(8002)] });
    for (const id of ["127.0.0.1:8002", "8002", encodeURIComponent("127.0.0.1:8002")]) {
      expect(await (await call(`/api/v1/backends/${id}`)).json()).toEqual(backendView(8002));
    }
    const missing = await call("/api/v1/backends/8009");
    expect([missing.status, (await errorOf(missing)).message]).toEqual([
      404,
      `no backend "8009"; GET /api/v1/backends lists them`,
    ]);
  });

  test("passes wishes on by full id", async () => {
    const { change, balancer } = setUp();
    expect((await change("POST", "/api/v1/backends", { backend: "8009*2" })).status).toBe(201);
    expect((await change("POST", "/api/v1/backends", { backends: ["a:1", "b:2"] })).status).toBe(201);
    expect((await change("PUT", "/api/v1/backends", { backends: ["8001"] })).status).toBe(200);
    expect((await change("PATCH", "/api/v1/backends/8001", { weight: 0, state: "maintenance" })).status).toBe(
      200,
    );
    const drained = await change("POST", "/api/v1/backends/8001/drain", { rate: 5, deadlineSeconds: 60 });
    expect([drained.status, await drained.json()]).toMatchObject([200, { id: "127.0.0.1:8001" }]);
    expect((await change("POST", "/api/v1/backends/8001/ready", {})).status).toBe(200);
    expect((await change("DELETE", "/api/v1/backends/8001")).status).toBe(202);
    expect(balancer.wishes).toEqual([
      ["add", ["8009*2"]],
      ["add", ["a:1", "b:2"]],
      ["replace", ["8001"]],
      ["change", "127.0.0.1:8001", { weight: 0, state: "maintenance" }],
      ["drain", "127.0.0.1:8001", { rate: 5, deadlineSeconds: 60 }],
      ["ready", "127.0.0.1:8001"],
      ["remove", "127.0.0.1:8001"],
    ]);
  });

  test.each([
    ["PATCH", "/api/v1/backends/8001", {}, "name a weight, a state, or both"],
    ["PATCH", "/api/v1/backends/8001", { weight: 257 }, "weight"],
    ["PATCH", "/api/v1/backends/8001", { state: "up" }, "state"],
    ["PATCH", "/api/v1/backends/8001", { wieght: 2 }, "wieght"],
    ["POST", "/api/v1/backends/8001/drain", { rate: 0 }, "rate"],
    ["POST", "/api/v1/backends", { backends: [] }, "backends"],
    ["PUT", "/api/v1/backends", [], "json"],
    ["PUT", "/api/v1/backends", undefined, "JSON"],
  ])("refuses %s %s with %j", async (method, path, body, says) => {
    const { change, balancer } = setUp();
    const response = await change(method, path, body);
    expect(response.status).toBe(400);
    expect((await errorOf(response)).message).toContain(says);
    expect(balancer.wishes).toEqual([]);
  });

  test("tells why the balancer would not", async () => {
    const { change, balancer } = setUp();
    for (const [problem, status] of [
      ["not-found", 404],
      ["conflict", 409],
      ["invalid", 400],
    ] as const) {
      balancer.outcome = { ok: false, problem, message: "because" };
      const response = await change("POST", "/api/v1/backends/8001/ready", {});
      expect([response.status, await errorOf(response)]).toEqual([
        status,
        { code: problem, message: "because" },
      ]);
    }
  });

  test("pages through sessions", async () => {
    const { call, balancer } = setUp();
    const session = {
      id: "17",
      address: "192.0.2.7:1234",
      backend: "127.0.0.1:8001",
      since: "2026-01-31T12:00:00.000Z",
      bytes: { in: 1, out: 2 },
    };
    balancer.page = { sessions: [session], next: "17" };
    expect(await (await call("/api/v1/sessions?limit=1&after=16&backend=127.0.0.1:8001")).json()).toEqual(
      balancer.page,
    );
    expect(balancer.wishes).toEqual([["sessions", { limit: 1, after: "16", backend: "127.0.0.1:8001" }]]);
    expect((await call("/api/v1/sessions?limit=0")).status).toBe(400);
    expect((await call("/api/v1/sessions?limit=1001")).status).toBe(400);
    expect((await call("/api/v1/sessions?after=__proto__")).status).toBe(400);
  });

  test("gives the sums without the backends", async () => {
    const { call, balancer } = setUp();
    const { backends: _, ...stats } = balancer.current;
    expect(await (await call("/api/v1/stats")).json()).toEqual(stats as never);
  });

  test("describes itself, every path and answer", async () => {
    const { call } = setUp();
    const document = (await (await call("/api/v1/openapi.json")).json()) as OpenApi;
    expect(document.openapi).toBe("3.1.0");
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(operations.sort()).toEqual([
      "delete /api/v1/backends/{id}",
      "get /api/v1/backends",
      "get /api/v1/backends/{id}",
      "get /api/v1/sessions",
      "get /api/v1/stats",
      "patch /api/v1/backends/{id}",
      "post /api/v1/backends",
      "post /api/v1/backends/{id}/drain",
      "post /api/v1/backends/{id}/ready",
      "put /api/v1/backends",
    ]);
    expect(document.components.schemas["Backend"]?.required).toContain("selected");
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
      (match) => match[1]!,
    );
    expect(references.length).toBeGreaterThan(20);
    for (const name of references) expect(document.components.schemas).toHaveProperty(name);
  });

  test("gives what its schemas say, also to the compiler", () => {
    expect(Object.values(schemasMatch)).toEqual([true, true, true, true]);
    expect(backendSchema.parse(backendView(8001))).toEqual(backendView(8001) as never);
  });

  test("says when the balancer cannot be asked now, and owns up to faults, which go to the log", async () => {
    const faults: string[] = [];
    const logger = { ...silentLogger, error: (message: string) => void faults.push(message) };
    const { call, balancer } = setUp({ logger });
    const fail = (error: Error) => {
      balancer.snapshot = async () => {
        throw error;
      };
    };
    fail(Object.assign(new Error("no worker answers now"), { code: "VIEW_UNAVAILABLE" }));
    const away = await call("/api/v1/stats");
    expect([away.status, await errorOf(away)]).toEqual([
      503,
      { code: "unavailable", message: "no worker answers now" },
    ]);
    fail(new Error("secret details"));
    const broken = await call("/health");
    expect([broken.status, (await errorOf(broken)).message]).toEqual([
      500,
      "a fault of the balancer; its log says more",
    ]);
    expect(faults).toEqual(["the admin endpoint failed: secret details"]);
  });

  test("says what is not there", async () => {
    const response = await setUp().call("/api/v2/backends");
    expect([response.status, (await errorOf(response)).code]).toEqual([404, "not-found"]);
  });
});

describe("a browser on the same machine", () => {
  test("cannot be used through a rebound name, only through addresses and names of ours", async () => {
    const { call } = setUp({ hostNames: ["chat.example.org"] });
    for (const host of [
      "127.0.0.1:8080",
      "localhost:8080",
      "[::1]:8080",
      "LOCALHOST",
      "192.0.2.1",
      "chat.example.org:8080",
    ]) {
      expect((await call("/health", { host })).status).toBe(200);
    }
    for (const host of [
      "evil.example.org",
      "127.0.0.1.evil.example.org:8080",
      "localhost.evil.example",
      "",
      "a b",
      "[::1",
    ]) {
      expect((await call("/health", { host })).status).toBe(421);
    }
  });

  test("cannot be made to change anything by a form or a script of another page", async () => {
    const { call, change, balancer } = setUp();
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "",
    ]) {
      const response = await call("/api/v1/backends/8001/ready", {
        method: "POST",
        body: "{}",
        headers: { "content-type": type },
      });
      expect(response.status).toBe(415);
    }
    for (const origin of ["https://evil.example.org", "null", "http://127.0.0.1:9999", "http://127.0.0.1"]) {
      expect((await change("POST", "/api/v1/backends/8001/ready", {}, { origin })).status).toBe(403);
    }
    expect(balancer.wishes).toEqual([]);
    expect(
      (await change("POST", "/api/v1/backends/8001/ready", {}, { origin: "http://127.0.0.1:8080" })).status,
    ).toBe(200);
  });

  test("gets no CORS header, whatever it asks", async () => {
    const { call } = setUp();
    const asked = await call("/api/v1/backends", {
      method: "OPTIONS",
      headers: { origin: "https://evil.example.org", "access-control-request-method": "PUT" },
    });
    expect(asked.ok).toBe(false);
    for (const response of [
      asked,
      await call("/health", { headers: { origin: "https://evil.example.org" } }),
    ]) {
      expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
  });

  test("loads nothing from elsewhere, frames nothing, keeps nothing", async () => {
    const response = await setUp().call("/");
    const policy = response.headers.get("content-security-policy");
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ]) {
      expect(policy).toContain(part);
    }
    expect(policy).not.toContain("unsafe");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  test("cannot send a body without end", async () => {
    const { call, balancer } = setUp();
    const body = JSON.stringify({ backends: ["8".repeat(70_000)] });
    const response = await call("/api/v1/backends", {
      method: "PUT",
      body,
      headers: { "content-type": "application/json" },
    });
    expect(response.status).toBe(413);
    expect(balancer.wishes).toEqual([]);
  });
});

describe("with a token", () => {
  test("everything but the probes asks for it", async () => {
    const { call, bearer } = setUp({ token: TOKEN });
    for (const path of ["/livez", "/readyz"]) expect((await call(path)).status).toBe(200);
    for (const path of [
      "/health",
      "/metrics",
      "/api/v1/backends",
      "/api/v1/openapi.json",
      "/events",
      "/dashboard.js",
    ]) {
      const response = await call(path);
      expect([path, response.status, response.headers.get("www-authenticate")]).toEqual([
        path,
        401,
        'Bearer realm="rtchat"',
      ]);
    }
    expect((await bearer(TOKEN)).status).toBe(200);
    expect((await bearer(`${TOKEN}x`)).status).toBe(401);
    expect((await bearer(TOKEN.slice(1))).status).toBe(401);
  });

  test("wrong ones are counted by address, and then none is looked at for a while", async () => {
    const { bearer, clock } = setUp({ token: TOKEN });
    for (let turn = 0; turn < 10; turn += 1) expect((await bearer("wrong")).status).toBe(401);
    const limited = await bearer(TOKEN);
    expect(limited.status).toBe(429);
    expect(Number(limited.headers.get("retry-after"))).toBe(60);
    expect((await bearer(TOKEN, "192.0.2.2")).status).toBe(200);
    clock.advance(60_001);
    expect((await bearer(TOKEN)).status).toBe(200);
  });

  test("wrong ones are counted by what one customer has of IPv6, and IPv4 by one spelling", async () => {
    for (const [guesses, owner] of [
      [(turn: number) => `2001:db8:1:2::${turn + 1}`, "2001:db8:1:2:ffff::1"],
      [() => "::ffff:192.0.2.9", "192.0.2.9"],
    ] as const) {
      const { bearer } = setUp({ token: TOKEN });
      for (let turn = 0; turn < 10; turn += 1) {
        expect((await bearer("wrong", guesses(turn))).status).toBe(401);
      }
      expect((await bearer(TOKEN, owner)).status).toBe(429);
      expect((await bearer(TOKEN, "2001:db8:1:3::1")).status).toBe(200);
    }
  });

  test("a browser signs in with a form, and out again", async () => {
    const { call } = setUp({ token: TOKEN });
    expect((await call("/")).headers.get("location")).toBe("/login");
    expect(await (await call("/login")).text()).toContain('name="token"');
    const sign = (token: string) =>
      call("/login", {
        method: "POST",
        body: new URLSearchParams({ token }).toString(),
        headers: { "content-type": "application/x-www-form-urlencoded" },
      });
    const wrong = await sign("guess");
    expect([wrong.status, wrong.headers.get("set-cookie")]).toEqual([401, null]);
    const right = await sign(TOKEN);
    expect([right.status, right.headers.get("location")]).toEqual([303, "/"]);
    const cookie = right.headers.get("set-cookie")!;
    for (const part of ["HttpOnly", "SameSite=Strict", "Path=/"]) expect(cookie).toContain(part);
    expect(cookie).not.toContain(TOKEN);
    const headers = { cookie: cookie.split(";")[0]! };
    expect(await (await call("/", { headers })).text()).toContain("Sign out");
    expect((await call("/api/v1/backends", { headers })).status).toBe(200);
    await call("/logout", { method: "POST", headers });
    expect((await call("/api/v1/backends", { headers })).status).toBe(401);
  });

  test("signing in counts wrong tokens as everything else does", async () => {
    const { call, bearer } = setUp({ token: TOKEN });
    const sign = (token: string) =>
      call("/login", {
        method: "POST",
        body: new URLSearchParams({ token }).toString(),
        headers: { "content-type": "application/x-www-form-urlencoded" },
        address: "192.0.2.1",
      });
    for (let turn = 0; turn < 10; turn += 1) expect((await sign("wrong")).status).toBe(401);
    const right = await sign(TOKEN);
    expect([right.status, right.headers.get("set-cookie")]).toEqual([401, null]);
    expect(await right.text()).toContain("Too many wrong tokens");
    expect((await bearer(TOKEN)).status).toBe(429);
  });

  test("of cookies and of addresses with wrong tokens only so many are known, the newest", () => {
    const clock = new ManualClock();
    const cookies = new SessionCookies(clock);
    const issued = Array.from({ length: adminLimits.cookies + 1 }, () => cookies.issue());
    expect(issued.map((value) => cookies.accepts(value))).toEqual([
      false,
      ...Array.from({ length: adminLimits.cookies }, () => true),
    ]);
    const failures = new FailureLimit(clock);
    const fail = (n: number) => failures.fail(`10.0.${n >> 8}.${n & 255}`);
    for (let turn = 0; turn < adminLimits.failuresPerWindow; turn += 1) fail(0);
    expect(failures.wait("10.0.0.0")).toBe(60);
    for (let n = 1; n < adminLimits.failureAddresses; n += 1) fail(n);
    expect(failures.wait("10.0.0.0")).toBe(60);
    fail(adminLimits.failureAddresses);
    expect(failures.wait("10.0.0.0")).toBe(0);
  });

  test("a cookie ends after twelve hours", async () => {
    const { call, clock } = setUp({ token: TOKEN });
    const right = await call("/login", {
      method: "POST",
      body: new URLSearchParams({ token: TOKEN }).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    const headers = { cookie: right.headers.get("set-cookie")!.split(";")[0]! };
    clock.advance(12 * 3_600_000 - 1);
    expect((await call("/health", { headers })).status).toBe(200);
    clock.advance(2);
    expect((await call("/health", { headers })).status).toBe(401);
  });

  test("no answer ever holds it", async () => {
    const { call } = setUp({ token: TOKEN });
    const headers = { authorization: `Bearer ${TOKEN}` };
    for (const path of [
      "/",
      "/health",
      "/metrics",
      "/api/v1/stats",
      "/api/v1/backends",
      "/api/v1/sessions",
      "/api/v1/openapi.json",
    ]) {
      const response = await call(path, { headers });
      expect(response.status).toBe(200);
      expect(await response.text()).not.toContain(TOKEN);
    }
  });

  test("must be there and long beyond loopback", () => {
    expect(() => checkExposure("0.0.0.0", undefined)).toThrow(AdminConfigError);
    expect(() => checkExposure("0.0.0.0", undefined)).toThrow(
      /would be open to the network; give --admin-token/,
    );
    expect(() => checkExposure("chat.example.org", undefined)).toThrow(AdminConfigError);
    expect(() => checkExposure("127.0.0.1", "short")).toThrow(/has 5 characters; use at least 16/);
    for (const host of ["127.0.0.1", "::1", "localhost"])
      expect(() => checkExposure(host, undefined)).not.toThrow();
    expect(() => checkExposure("0.0.0.0", TOKEN)).not.toThrow();
  });
});

describe("metrics", () => {
  test("are Prometheus text with the figures of the snapshot", async () => {
    const { call } = setUp({}, new FakeBalancer(snapshotOf([backendView(8001), down(8002)])));
    const response = await call("/metrics");
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = await response.text();
    for (const line of [
      'rtchat_build_info{version="0.1.0"} 1',
      'rtchat_balancer_backend_selected_total{backend="127.0.0.1:8001"} 41',
      'rtchat_balancer_backend_up{backend="127.0.0.1:8002"} 0',
      'rtchat_balancer_backend_backplane_up{backend="127.0.0.1:8001"} 1',
      'rtchat_balancer_backend_state{backend="127.0.0.1:8002",state="down"} 1',
      'rtchat_balancer_backend_handovers_total{backend="127.0.0.1:8001",direction="in"} 3',
      'rtchat_balancer_trunk_round_trip_seconds_bucket{backend="127.0.0.1:8001",le="0.01"} 280',
      'rtchat_balancer_trunk_round_trip_seconds_bucket{backend="127.0.0.1:8001",le="+Inf"} 300',
      "rtchat_balancer_handover_pause_seconds_count 7",
      'rtchat_balancer_connections_refused_total{limit="rate"} 4',
    ]) {
      expect(text.split("\n")).toContain(line);
    }
    const names = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)];
    expect(names.length).toBeGreaterThan(30);
    for (const [, name, type] of names) {
      expect([name, type === "counter"]).toEqual([name, name!.endsWith("_total")]);
      expect(text).toMatch(new RegExp(`^# HELP ${name} [A-Z1]`, "m"));
    }
  });

  test("escape whatever a label holds", async () => {
    const odd = backendView(8001, { id: 'x"\\\n' });
    const text = await (await setUp({}, new FakeBalancer(snapshotOf([odd]))).call("/metrics")).text();
    expect(text).toContain('rtchat_balancer_backend_up{backend="x\\"\\\\\\n"} 1');
  });
});

describe("the page", () => {
  test("reads without scripts, refreshing itself, and escapes everything foreign", async () => {
    const evil = backendView(8001, {
      server: "<script>alert(1)</script>",
      state: "down",
      reason: "L7RSP",
      detail: '"><img src=x>',
    });
    const { call } = setUp({}, new FakeBalancer(snapshotOf([evil], { listen: "<b>here</b>" })));
    const response = await call("/");
    const text = await response.text();
    expect(text).toStartWith("<!doctype html>");
    expect(text).toContain('<noscript><meta http-equiv="refresh"');
    expect(text).toContain("L7RSP");
    for (const raw of ["<script>alert", "<img", "<b>here"]) expect(text).not.toContain(raw);
    expect(text).not.toContain("style=");
    expect(text).not.toMatch(/(src|href|action)="(https?:)?\/\//);
  });

  test("says what to do when the list is empty", async () => {
    const { call } = setUp({}, new FakeBalancer(snapshotOf([])));
    expect(await (await call("/")).text()).toContain("Add one with POST /api/v1/backends");
  });
});
