/**
 * A snapshot as Prometheus text.
 *
 * Every figure comes from the one snapshot that the other pages show too, so they cannot disagree; prom-client formats
 * and escapes. Names follow https://prometheus.io/docs/practices/naming/: base units, `_total` for counters.
 */
import { AggregatorRegistry, type PrometheusContentType } from "prom-client";
import type { BackendView, HistogramView, Snapshot } from "../balancer/view.ts";
import type { Validity } from "../protocol/validity.ts";

type Labels = Readonly<Record<string, string | number>>;

interface Value {
  readonly value: number;
  readonly labels: Labels;
  readonly metricName?: string;
}

/** A metric as prom-client's registries exchange them between processes. */
interface MetricObject {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly aggregator: "sum";
  readonly values: readonly Value[];
}

const states = ["starting", "up", "down", "draining", "ejected", "maintenance"] as const;

/** The text of GET /metrics. */
export function metricsText(snapshot: Snapshot): Promise<string> {
  const metrics = [...balancerMetrics(snapshot), ...backendMetrics(snapshot.backends), ...processMetrics()];
  return AggregatorRegistry.aggregate<PrometheusContentType>([metrics]).metrics();
}

function metric(
  type: "counter" | "gauge",
  name: string,
  help: string,
  values: readonly Value[],
): MetricObject {
  return { name: `rtchat_${name}`, help, type, aggregator: "sum", values };
}

const one = (value: number, labels: Labels = {}): Value => ({ value, labels });

/** One series a backend. */
function each(backends: readonly BackendView[], value: (backend: BackendView) => number): Value[] {
  return backends.map((backend) => one(value(backend), { backend: backend.id }));
}

function histogram(
  name: string,
  help: string,
  series: readonly (readonly [Labels, HistogramView])[],
): MetricObject {
  const full = `rtchat_${name}`;
  const values = series.flatMap(([labels, { bounds, counts, sum }]) => {
    let total = 0;
    const buckets = counts.map((count, index) => {
      total += count;
      const le = bounds[index] ?? "+Inf";
      return { metricName: `${full}_bucket`, value: total, labels: { ...labels, le } };
    });
    return [
      ...buckets,
      { metricName: `${full}_sum`, value: sum, labels },
      { metricName: `${full}_count`, value: total, labels },
    ];
  });
  return { name: full, help, type: "histogram", aggregator: "sum", values };
}

/** Named as exporters of certificates name theirs, so that an alert by `*_not_after_*` finds it. None without TLS. */
function certificateMetrics({ certificate }: Snapshot): MetricObject[] {
  if (certificate === null) return [];
  const seconds = (time: string) => [one(Date.parse(time) / 1_000)];
  return [
    metric(
      "gauge",
      "tls_certificate_not_before_seconds",
      "When the certificate for clients begins to be good, seconds since 1970",
      seconds(certificate.notBefore),
    ),
    metric(
      "gauge",
      "tls_certificate_not_after_seconds",
      "When the certificate for clients ends, seconds since 1970",
      seconds(certificate.notAfter),
    ),
  ];
}

function balancerMetrics(snapshot: Snapshot): MetricObject[] {
  const { sessions, connections, refused, handovers, bytes } = snapshot;
  return [
    ...certificateMetrics(snapshot),
    metric("gauge", "build_info", "Always 1; the version is the label", [
      one(1, { version: snapshot.version }),
    ]),
    metric("gauge", "balancer_start_time_seconds", "When it started, seconds since 1970", [
      one(Date.parse(snapshot.startedAt) / 1_000),
    ]),
    metric("gauge", "balancer_workers", "Processes behind this endpoint", [one(snapshot.workers)]),
    metric("gauge", "balancer_connections", "Open client connections", [one(connections.current)]),
    metric("gauge", "balancer_connections_retiring", "Of these, on workers that were replaced", [
      one(snapshot.retiring),
    ]),
    metric("counter", "balancer_connections_total", "Client connections let in", [one(connections.total)]),
    metric(
      "counter",
      "balancer_connections_refused_total",
      "Client connections refused at the door, by the limit they met",
      Object.entries(refused).map(([limit, value]) => one(value, { limit })),
    ),
    metric("gauge", "balancer_sessions", "Sessions now", [one(sessions.current)]),
    metric("gauge", "balancer_sessions_held", "Sessions waiting for a backend", [one(sessions.held)]),
    metric("counter", "balancer_sessions_total", "Sessions placed", [one(sessions.total)]),
    metric("counter", "balancer_sessions_refused_total", "Sessions that found no backend in time", [
      one(sessions.refused),
    ]),
    metric("counter", "balancer_handovers_total", "Sessions moved to another backend", [one(handovers.in)]),
    metric("counter", "balancer_received_bytes_total", "Payload from clients", [one(bytes.in)]),
    metric("counter", "balancer_sent_bytes_total", "Payload to clients", [one(bytes.out)]),
    histogram("balancer_handover_pause_seconds", "From losing one backend to being placed on the next", [
      [{}, snapshot.handoverPause],
    ]),
  ];
}

/** Of the servers that take clients with TLS themselves. */
function backendCertificateMetrics(backends: readonly BackendView[]): MetricObject[] {
  const values = (key: keyof Validity) =>
    backends.flatMap(({ id, certificate }) =>
      certificate === null ? [] : [one(Date.parse(certificate[key]) / 1_000, { backend: id })],
    );
  const name = "balancer_backend_tls_certificate";
  const whose = "When the certificate that a server shows to its own clients";
  const notBefore = values("notBefore");
  if (notBefore.length === 0) return [];
  return [
    metric(
      "gauge",
      `${name}_not_before_seconds`,
      `${whose} begins to be good, seconds since 1970`,
      notBefore,
    ),
    metric("gauge", `${name}_not_after_seconds`, `${whose} ends, seconds since 1970`, values("notAfter")),
  ];
}

function backendMetrics(backends: readonly BackendView[]): MetricObject[] {
  const gauge = (name: string, help: string, value: (backend: BackendView) => number) =>
    metric("gauge", `balancer_backend_${name}`, help, each(backends, value));
  const counter = (name: string, help: string, value: (backend: BackendView) => number) =>
    metric("counter", `balancer_backend_${name}_total`, help, each(backends, value));
  return [
    ...backendCertificateMetrics(backends),
    gauge("up", "1 if it takes sessions", ({ state }) => (state === "up" ? 1 : 0)),
    metric(
      "gauge",
      "balancer_backend_state",
      "1 for the state it is in",
      backends.flatMap(({ id, state }) =>
        states.map((name) => one(state === name ? 1 : 0, { backend: id, state: name })),
      ),
    ),
    gauge("weight", "Its share of new sessions", ({ weight }) => weight),
    gauge("sessions", "Sessions of this balancer there now", ({ sessions }) => sessions.current),
    gauge("sessions_max", "Most sessions there at once", ({ sessions }) => sessions.max),
    gauge("users", "Sessions there over all balancers, as it last reported", ({ users }) => users),
    gauge("rooms", "Rooms with members there", ({ rooms }) => rooms),
    counter(
      "sessions",
      "Sessions first placed there",
      ({ sessions, handovers }) => sessions.total - handovers.in,
    ),
    counter("selected", "How often the policy chose it for a new session", ({ selected }) => selected),
    counter("failures", "Choices that came to nothing", ({ failures }) => failures),
    counter("retries", "Sessions placed there after another backend failed them", ({ retries }) => retries),
    counter("ejections", "How often it was ejected", ({ ejections }) => ejections),
    counter("messages", "Messages it took from clients since it started", ({ messages }) => messages),
    counter("received_bytes", "Payload from clients", ({ bytes }) => bytes.in),
    counter("sent_bytes", "Payload to clients", ({ bytes }) => bytes.out),
    metric(
      "counter",
      "balancer_backend_handovers_total",
      "Sessions moved there and away",
      backends.flatMap(({ id, handovers }) => [
        one(handovers.in, { backend: id, direction: "in" }),
        one(handovers.out, { backend: id, direction: "out" }),
      ]),
    ),
    metric(
      "counter",
      "balancer_backend_checks_total",
      "Health checks by result",
      backends.flatMap(({ id, checks }) => [
        one(checks.passed, { backend: id, result: "passed" }),
        one(checks.failed, { backend: id, result: "failed" }),
      ]),
    ),
    gauge(
      "check_duration_seconds",
      "How long the last check took",
      ({ lastCheck }) => (lastCheck?.durationMs ?? 0) / 1_000,
    ),
    gauge("backplane_up", "1 if it can write to its log", ({ backplane }) =>
      backplane?.state === "ok" ? 1 : 0,
    ),
    gauge(
      "backplane_round_trip_seconds",
      "Its last round trip to its log",
      ({ backplane }) => (backplane?.ms ?? 0) / 1_000,
    ),
    gauge(
      "drain_remaining_sessions",
      "Sessions a drain has yet to move",
      ({ drain }) => drain?.remaining ?? 0,
    ),
    histogram(
      "balancer_trunk_round_trip_seconds",
      "Round trips of health checks over the trunk",
      backends.map(({ id, roundTrip }) => [{ backend: id }, roundTrip] as const),
    ),
  ];
}

/** Of the process that serves the admin endpoint. */
function processMetrics(): MetricObject[] {
  const { user, system } = process.cpuUsage();
  return [
    {
      name: "process_resident_memory_bytes",
      help: "Resident memory",
      type: "gauge",
      aggregator: "sum",
      values: [one(process.memoryUsage.rss())],
    },
    {
      name: "process_cpu_seconds_total",
      help: "User and system CPU time",
      type: "counter",
      aggregator: "sum",
      values: [one((user + system) / 1e6)],
    },
  ];
}
