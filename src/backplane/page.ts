/** Picks the entries of a page of history; common to the drivers. */
import type { LogEntry } from "./backplane.ts";

/**
 * @param candidates in reading order, the nearest to the bound first; read no further than needed
 * @param maxBytes of bodies; one entry is given whatever its size
 */
export function takePage(candidates: Iterable<LogEntry>, limit: number, maxBytes: number): LogEntry[] {
  const taken: LogEntry[] = [];
  let bytes = 0;
  if (limit <= 0) return taken;
  for (const entry of candidates) {
    bytes += entry.body.length;
    if (taken.length > 0 && bytes > maxBytes) break;
    taken.push(entry);
    if (taken.length >= limit) break;
  }
  return taken;
}
