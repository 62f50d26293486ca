/** Numbers and times as the dashboard and `rtchat status` show them: short, with a unit, never wrapping. */

const whole = new Intl.NumberFormat("en-US");

/** 1234567 → `1,234,567`. */
export function formatCount(value: number): string {
  return whole.format(Math.round(value));
}

/** `1 user`, `2 users`. */
export function formatCounted(count: number, what: string): string {
  return `${formatCount(count)} ${what}${count === 1 ? "" : "s"}`;
}

/** A rate with one digit after the point while it is small: 0, 0.4, 9.5, 120. */
export function formatRate(value: number): string {
  if (value === 0) return "0";
  return value < 10 ? value.toFixed(1) : formatCount(value);
}

/** 1536 → `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** The two largest units of a time: 42 s, 3 min 5 s, 2 h 7 min, 9 d 4 h. */
export function formatDuration(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(total / 86_400), "d"],
    [Math.floor(total / 3_600) % 24, "h"],
    [Math.floor(total / 60) % 60, "min"],
    [total % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first === -1) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}

/** Seconds between two ISO times. */
export function secondsBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / 1_000;
}

/** Milliseconds with as many digits as tell something: 0.4 ms, 12 ms, 1.2 s. */
export function formatMs(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** The part of `value` in `total`, 0 where there is no total. */
export function part(value: number, total: number): number {
  return total === 0 ? 0 : value / total;
}
