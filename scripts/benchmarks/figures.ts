/** What is measured: the names, units and direction of all figures. */

/** Figures of one run. Times in ms, CPU in µs, memory and traffic in bytes. */
export type Figures = Readonly<Partial<Record<Figure, number>>>;

export type Figure = keyof typeof figures;

interface Described {
  readonly label: string;
  readonly unit: string;
  readonly show: (value: number) => string;
  /** More is better; else less is. */
  readonly more?: true;
}

const described = <Name extends string>(table: Record<Name, Described>): Record<Name, Described> => table;

/** Four digits that matter: 0.42, 12.3, 1,234. */
function digits(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString("en-US");
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

const whole = (value: number): string => Math.round(value).toLocaleString("en-US");
const kibi = (value: number): string => digits(value / 1_024);
const mebi = (value: number): string => (value / 1_048_576).toFixed(1);

export const figures = described({
  perSecond: { label: "a second", unit: "/s", show: whole, more: true },
  /** Of all server-side processes together. */
  cpu: { label: "CPU each", unit: "µs", show: digits },
  /** Of the load generator: what is not the servers' but runs on the same cores. */
  loadCpu: { label: "load's CPU", unit: "µs", show: digits },
  p50: { label: "p50", unit: "ms", show: digits },
  p99: { label: "p99", unit: "ms", show: digits },
  p999: { label: "p99.9", unit: "ms", show: digits },
  /** A connection, of ours all processes, of the others the proxy alone. */
  memory: { label: "memory each", unit: "KiB", show: kibi },
  memoryAll: { label: "with servers", unit: "KiB", show: kibi },
  /** What all server-side processes together grew by. */
  growth: { label: "memory grew", unit: "MiB", show: mebi },
  connectPerSecond: { label: "connects", unit: "/s", show: whole, more: true },
  lost: { label: "lost", unit: "", show: whole },
  /** Slow readers that the server closed. */
  dropped: { label: "slow dropped", unit: "", show: whole },
  /** Others that it closed. */
  droppedFast: { label: "others dropped", unit: "", show: whole },
  seconds: { label: "takes", unit: "s", show: digits },
  ms: { label: "takes", unit: "ms", show: digits },
  /** Of one process, with the executable's own pages. */
  resident: { label: "resident", unit: "MiB", show: mebi },
  bytesEach: { label: "traffic each", unit: "B", show: whole },
  bytesPerMinute: { label: "idle traffic", unit: "KiB/min", show: kibi },
});

/** With its unit, as it stands in a sentence. */
export function withUnit(figure: Figure, value: number): string {
  const { show, unit } = figures[figure];
  return unit === "" || unit.startsWith("/") ? `${show(value)}${unit}` : `${show(value)} ${unit}`;
}
