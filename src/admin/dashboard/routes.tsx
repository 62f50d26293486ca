/** @jsxImportSource hono/jsx */
/**
 * The dashboard's addresses: the page, its style and script (embedded in the binary), sign-in, and the event stream.
 *
 * One timer renders one picture a second for all streams, and only while somebody watches.
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { html } from "hono/html";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { Timer } from "../../protocol/clock.ts";
import { adminLimits } from "../../protocol/limits.balancer.ts";
import { type AdminEnv, type AdminOptions, problem } from "../context.ts";
import script from "./live.js" with { type: "text" };
import { DashboardPage, Live, LoginPage } from "./page.tsx";
import backends from "./style/backends.css" with { type: "text" };
import base from "./style/base.css" with { type: "text" };
import dialogs from "./style/dialogs.css" with { type: "text" };
import figures from "./style/figures.css" with { type: "text" };
import frame from "./style/frame.css" with { type: "text" };
import marks from "./style/marks.css" with { type: "text" };

/** One sheet for the browser; `base` comes first. */
const css = [base, frame, figures, backends, marks, dialogs].join("\n");

type C = Context<AdminEnv>;

/** How browsers prove themselves; app.ts owns tokens and cookies. */
export interface SignIn {
  /** @returns undefined if signed in, else what to tell the person */
  signIn(c: C, token: string): string | undefined;
  signOut(c: C): void;
}

const favicon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><path fill="#1f63d6" d="M4 6h24a2 2 0 0 1 2 2v13a2 2 0 0 1-2 2H13l-7 6v-6H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2z"/></svg>';

/** Adds the dashboard to the app. */
export function addDashboard(app: OpenAPIHono<AdminEnv>, options: AdminOptions, session: SignIn): void {
  const { view } = options;
  const file = (path: string, type: string, text: string) =>
    app.get(path, (c) => c.body(text, 200, { "content-type": type }));
  file("/dashboard.css", "text/css; charset=utf-8", css);
  file("/dashboard.js", "text/javascript; charset=utf-8", script);
  file("/favicon.svg", "image/svg+xml", favicon);

  app.get("/", async (c) => {
    const snapshot = await view.snapshot();
    return c.html(html`<!doctype html>${<DashboardPage snapshot={snapshot} signedIn={c.get("signedIn")} />}`);
  });
  app.get("/login", (c) =>
    options.token === undefined ? c.redirect("/") : c.html(html`<!doctype html>${<LoginPage message="" />}`),
  );
  app.post("/login", async (c) => {
    const { token } = await c.req.parseBody();
    const message = session.signIn(c, typeof token === "string" ? token : "");
    if (message === undefined) return c.redirect("/", 303);
    return c.html(html`<!doctype html>${<LoginPage message={message} />}`, 401);
  });
  app.post("/logout", (c) => {
    session.signOut(c);
    return c.redirect(options.token === undefined ? "/" : "/login", 303);
  });

  const pictures = new Pictures(options);
  app.get("/events", (c) => {
    if (pictures.watchers >= adminLimits.streams) {
      return c.json(
        problem("too-many-streams", `${adminLimits.streams} dashboards are open, the limit`),
        503,
      );
    }
    return streamSSE(c, (stream) => pictures.watch(stream));
  });
}

/** Sends the live part of the page to everybody who watches. */
class Pictures {
  readonly #options: AdminOptions;
  /** Who watches, and whether the last picture is still on its way there: a slow reader misses some, and holds up nobody. */
  readonly #streams = new Map<SSEStreamingApi, { busy: boolean }>();
  #timer: Timer | undefined;
  #drawing = false;

  constructor(options: AdminOptions) {
    this.#options = options;
  }

  get watchers(): number {
    return this.#streams.size;
  }

  /** Resolves when the watcher is gone. */
  watch(stream: SSEStreamingApi): Promise<void> {
    this.#streams.set(stream, { busy: false });
    this.#timer ??= this.#options.clock.every(adminLimits.streamMs, () => void this.#draw());
    void this.#draw();
    return new Promise((resolve) => {
      stream.onAbort(() => {
        this.#streams.delete(stream);
        if (this.#streams.size === 0) {
          this.#timer?.stop();
          this.#timer = undefined;
        }
        resolve();
      });
    });
  }

  /** Never rejects. */
  async #draw(): Promise<void> {
    if (this.#drawing) return;
    this.#drawing = true;
    try {
      const snapshot = await this.#options.view.snapshot();
      const data = String(await html`${<Live snapshot={snapshot} />}`);
      for (const [stream, state] of this.#streams) if (!state.busy) void send(stream, state, data);
    } catch {
      // The view could not be asked (a worker just died): the next second tries again.
    } finally {
      this.#drawing = false;
    }
  }
}

/** Never rejects: a stream that breaks is aborted by the server, which is how its watcher is forgotten. */
async function send(stream: SSEStreamingApi, state: { busy: boolean }, data: string): Promise<void> {
  state.busy = true;
  try {
    await stream.writeSSE({ event: "snapshot", data });
  } catch {
    return;
  }
  state.busy = false;
}
