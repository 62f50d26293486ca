/** How far something is, as text: bars, percentages and sizes. Pure. */

const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** A size as people of `locale` write it: `3.1 MB`. */
export function formatBytes(bytes: number, locale: string): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const unit = units[power] ?? "byte";
  const maximumFractionDigits = power === 0 ? 0 : 1;
  // The short form of a byte is "byte" however many there are.
  const unitDisplay = power === 0 ? "long" : "short";
  const format = { style: "unit", unit, unitDisplay, maximumFractionDigits } as const;
  return new Intl.NumberFormat(locale, format).format(bytes / 1000 ** power);
}

/** A bar of `cells` cells. */
export function progressBar(done: number, total: number, cells: number): string {
  const full = Math.floor(fraction(done, total) * cells);
  return "▓".repeat(full) + "░".repeat(cells - full);
}

/** `43%`; 100% only when all is done. */
export function percent(done: number, total: number): string {
  return `${Math.floor(fraction(done, total) * 100)}%`;
}

function fraction(done: number, total: number): number {
  return total === 0 ? 1 : Math.min(1, done / total);
}
