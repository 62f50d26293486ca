/** @jsxImportSource hono/jsx */
/**
 * The dashboard: one page, rendered here, readable without JavaScript. The live part is rendered by the same code for
 * the first view and for each update, so the two cannot differ; live.js puts updates in place.
 *
 * hono/jsx escapes every text and attribute; the only raw HTML here is a constant.
 */
import { html } from "hono/html";
import type { Snapshot } from "../../balancer/view.ts";
import { certificateReport } from "../certificate.ts";
import { overallStatus } from "../health.ts";
import { BackendNote, BackendRow } from "./backend-row.tsx";
import { formatBytes, formatCount, formatDuration, formatRate } from "./format.ts";

const words = { pass: "All well", warn: "Degraded", fail: "Not serving" } as const;

/** The whole page. `signedIn`: there is a token and it was given, so there is something to sign out of. */
export function DashboardPage({ snapshot, signedIn }: { snapshot: Snapshot; signedIn: boolean }) {
  return (
    <Shell title="rtchat balancer" head={refreshWithoutScript}>
      <main id="live">
        <Live snapshot={snapshot} />
      </main>
      <footer>
        <nav>
          <a href="/health">health</a>
          <a href="/metrics">metrics</a>
          <a href="/api/v1/openapi.json">API</a>
        </nav>
        <span class="version">
          {snapshot.cluster !== null && `cluster ${snapshot.cluster.slice(0, 8)} · `}
          rtchat {snapshot.version}
        </span>
        {signedIn && (
          <form method="post" action="/logout">
            <button type="submit" class="quiet">
              Sign out
            </button>
          </form>
        )}
      </footer>
      <dialog id="confirm">
        <form method="dialog">
          <h2 id="confirm-title">Drain?</h2>
          <p id="confirm-text" />
          <p id="confirm-error" class="bad" role="alert" />
          <div class="buttons">
            <button value="cancel" class="quiet">
              Cancel
            </button>
            <button value="go" id="confirm-go" type="button">
              Drain
            </button>
          </div>
        </form>
      </dialog>
      <script src="/dashboard.js" type="module" />
    </Shell>
  );
}

/** Asks for the token. Works without JavaScript. */
export function LoginPage({ message }: { message: string }) {
  return (
    <Shell title="rtchat: sign in">
      <main class="login">
        <Brand />
        <form method="post" action="/login">
          <label for="token">Admin token</label>
          <input id="token" name="token" type="password" autocomplete="current-password" required autofocus />
          {message !== "" && (
            <p class="bad" role="alert">
              {message}
            </p>
          )}
          <button type="submit">Sign in</button>
        </form>
      </main>
    </Shell>
  );
}

/** As text, because hono/jsx would lift the meta element out of its noscript. */
const refreshWithoutScript = html`<noscript><meta http-equiv="refresh" content="5" /></noscript>`;

function Shell({ title, head, children }: { title: string; head?: unknown; children?: unknown }) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{title}</title>
        <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/dashboard.css" />
        {head}
      </head>
      <body>{children}</body>
    </html>
  );
}

function Brand() {
  return (
    <span class="brand">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <path
          class="bubble"
          d="M4 6h24a2 2 0 0 1 2 2v13a2 2 0 0 1-2 2H13l-7 6v-6H4a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2z"
        />
        <path class="lines" d="M9 18v-4M14.7 18v-7M20.3 18v-5M25 18v-3" transform="translate(-1 0)" />
      </svg>
      rtchat
    </span>
  );
}

/** What changes: everything between the top of the page and its footer. */
export function Live({ snapshot }: { snapshot: Snapshot }) {
  const status = overallStatus(snapshot);
  return (
    <>
      <header>
        <Brand />
        <span class="where">
          <span>balancer on </span>
          <b>{snapshot.listen}</b>
        </span>
        <span class={`status status-${status}`} id="status">
          {snapshot.stopping ? "Stopping" : words[status]}
        </span>
      </header>
      <Tiles snapshot={snapshot} />
      <Certificate snapshot={snapshot} />
      <section class="backends">
        <h1>Backends</h1>
        <table>
          <thead>
            <tr>
              <th scope="col">Backend</th>
              <th scope="col">State</th>
              <th scope="col">Sessions</th>
              <th scope="col">Chosen</th>
              <th scope="col">Messages</th>
              <th scope="col">Last check</th>
              <th scope="col">
                <span class="hidden">Action</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {snapshot.backends.map((backend) => (
              <>
                <BackendRow backend={backend} snapshot={snapshot} />
                <BackendNote backend={backend} at={snapshot.at} />
              </>
            ))}
          </tbody>
        </table>
        {snapshot.unresolved.map(({ name, detail }) => (
          <p class="empty bad" key={name}>
            {detail}
          </p>
        ))}
        {snapshot.backends.length === 0 && snapshot.unresolved.length === 0 && (
          <p class="empty">No backends are listed. Add one with POST /api/v1/backends.</p>
        )}
      </section>
    </>
  );
}

/** A plain line, or a warning. */
function Certificate({ snapshot }: { snapshot: Snapshot }) {
  const report = certificateReport(snapshot.certificate, snapshot.at);
  if (report === undefined) return null;
  return (
    <p id="certificate" class={`certificate certificate-${report.state}`}>
      {report.text}
    </p>
  );
}

function Tiles({ snapshot }: { snapshot: Snapshot }) {
  const { sessions, connections, refused, retiring } = snapshot;
  const rate = snapshot.backends.reduce((sum, { messageRates }) => sum + (messageRates.at(-1) ?? 0), 0);
  const atDoor = refused.total + refused.address + refused.rate + refused.descriptors;
  const up = snapshot.backends.filter(({ state }) => state === "up").length;
  return (
    <dl class="tiles">
      <Tile name="Users" value={formatCount(sessions.current)} id="users">
        {sessions.held > 0 ? (
          <span class="bad">{formatCount(sessions.held)} waiting for a backend</span>
        ) : (
          `most ${formatCount(sessions.max)} · ${formatCount(connections.current)} connections` +
          (retiring > 0 ? ` · ${formatCount(retiring)} yet to come over` : "")
        )}
      </Tile>
      <Tile name="Messages a second" value={formatRate(rate)} id="rate">
        {formatBytes(snapshot.bytes.in)} in · {formatBytes(snapshot.bytes.out)} out
      </Tile>
      <Tile name="Backends up" value={`${up} of ${snapshot.backends.length}`} id="up">
        {snapshot.policy}
      </Tile>
      <Tile name="Hand-overs" value={formatCount(snapshot.handovers.in)} id="handovers">
        {snapshot.retries > 0 ? `${formatCount(snapshot.retries)} retries · ` : ""}
        {formatCount(sessions.refused)} given up
      </Tile>
      <Tile name="Uptime" value={formatDuration(snapshot.uptimeSeconds)} id="uptime">
        {atDoor > 0
          ? `${formatCount(atDoor)} refused at the door`
          : `${formatCount(sessions.total)} sessions served`}
        {snapshot.workers > 1 && ` · ${snapshot.workers} workers`}
      </Tile>
    </dl>
  );
}

function Tile({
  name,
  value,
  id,
  children,
}: {
  name: string;
  value: string;
  id: string;
  children?: unknown;
}) {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd>
        <span class="big" id={`tile-${id}`}>
          {value}
        </span>
        <span class="sub">{children}</span>
      </dd>
    </div>
  );
}
