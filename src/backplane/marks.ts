/** How far somebody has read each room, as records of a log that belongs to them: `=` and their name, a record a room. */
import { z } from "zod";
import type { Mark } from "./backplane.ts";

const markSchema = z.object({ epoch: z.string(), seq: z.number().int().min(0), at: z.number() });

/** A mark as it is kept; `at` is when it was raised last, ms since 1970. */
type StoredMark = z.output<typeof markSchema>;

/** The log with the marks of a reader. No room's name begins like this. */
export function markLog(reader: string): string {
  return `=${reader}`;
}

/** Reads a record; undefined if it is no mark. */
function readMark(value: string | undefined): StoredMark | undefined {
  if (value === undefined) return undefined;
  try {
    return markSchema.safeParse(JSON.parse(value)).data;
  } catch {
    return undefined;
  }
}

/** The record of a raised mark; undefined when the one that is kept is as far already. */
export function raisedMark(known: string | undefined, { epoch, seq }: Mark, at: number): string | undefined {
  const old = readMark(known);
  if (old?.epoch === epoch && old.seq >= seq) return undefined;
  const mark: StoredMark = { epoch, seq, at };
  return JSON.stringify(mark);
}

/** The room whose mark was raised longest ago. */
export function oldestMark(records: ReadonlyMap<string, string>): string | undefined {
  let oldest: string | undefined;
  let at = Infinity;
  for (const [room, value] of records) {
    const raised = readMark(value)?.at ?? 0;
    if (raised >= at) continue;
    at = raised;
    oldest = room;
  }
  return oldest;
}
