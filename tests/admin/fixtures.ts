/** A balancer that is only figures: what the admin endpoint shows, without sockets. */
import type {
  BackendView,
  BalancerControl,
  BalancerView,
  Outcome,
  SessionPage,
  Snapshot,
} from "../../src/balancer/view.ts";

const bounds = [0.001, 0.01, 0.1];

/** One backend, up and well. */
export function backendView(port: number, more: Partial<BackendView> = {}): BackendView {
  return {
    id: `127.0.0.1:${port}`,
    name: null,
    server: `s${port}`,
    build: "0.1.0",
    cluster: "c0ffee00",
    state: "up",
    reason: "",
    detail: "",
    since: "2026-01-31T12:00:00.000Z",
    weight: 1,
    ramp: 1,
    sessions: { current: 10, max: 14, total: 40 },
    selected: 41,
    failures: 1,
    retries: 2,
    handovers: { in: 3, out: 4 },
    bytes: { in: 1_000, out: 20_000 },
    users: 12,
    rooms: 5,
    messages: 900,
    messageRates: [1, 4, 2, 8],
    backplane: { state: "ok", ms: 0.4 },
    certificate: null,
    lastCheck: { code: "L7OK", at: "2026-01-31T12:09:59.000Z", durationMs: 0.8, detail: "" },
    checks: { passed: 300, failed: 1 },
    ejections: 0,
    drain: null,
    roundTrip: { bounds, counts: [200, 80, 20, 0], sum: 1.5 },
    ...more,
  };
}

/** A whole balancer with these backends. */
export function snapshotOf(backends: readonly BackendView[], more: Partial<Snapshot> = {}): Snapshot {
  return {
    version: "0.1.0",
    name: "balancer-1",
    listen: "127.0.0.1:8000",
    startedAt: "2026-01-31T11:00:00.000Z",
    at: "2026-01-31T12:10:00.000Z",
    uptimeSeconds: 4_200,
    workers: 1,
    policy: "round-robin",
    cluster: "c0ffee00",
    stopping: false,
    retiring: 0,
    certificate: null,
    sessions: { current: 30, max: 42, total: 120, held: 0, refused: 1 },
    selected: 123,
    failures: 3,
    retries: 6,
    handovers: { in: 9, out: 12 },
    bytes: { in: 3_000, out: 60_000 },
    connections: { current: 31, total: 130 },
    refused: { total: 0, address: 0, rate: 4, descriptors: 0 },
    handoverPause: { bounds, counts: [1, 2, 3, 1], sum: 0.7 },
    unresolved: [],
    backends,
    ...more,
  };
}

/** Shows `snapshot`, which a test may replace; remembers every wish and answers with `outcome`. */
export class FakeBalancer implements BalancerView, BalancerControl {
  current: Snapshot;
  outcome: Outcome = { ok: true };
  readonly wishes: unknown[][] = [];
  page: SessionPage = { sessions: [], next: null };

  constructor(snapshot: Snapshot) {
    this.current = snapshot;
  }

  snapshot = () => Promise.resolve(this.current);
  sessions = (query: unknown) => {
    this.wishes.push(["sessions", query]);
    return Promise.resolve(this.page);
  };

  #wish(...wish: unknown[]): Promise<Outcome> {
    this.wishes.push(wish);
    return Promise.resolve(this.outcome);
  }

  add = (entries: unknown) => this.#wish("add", entries);
  replace = (entries: unknown) => this.#wish("replace", entries);
  change = (id: string, wish: unknown) => this.#wish("change", id, wish);
  drain = (id: string, wish: unknown) => this.#wish("drain", id, wish);
  ready = (id: string) => this.#wish("ready", id);
  remove = (id: string) => this.#wish("remove", id);
}
