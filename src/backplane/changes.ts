/**
 * What the last changes of a room's records are called, so that a repeat of one does nothing.
 *
 * Where records are stored by room they are a record too, with a name that no other has, which nobody is told of.
 */
import { z } from "zod";

const changesSchema = z.array(z.string());

/** The record's key. */
export const CHANGES = "\u0000changes";

/** Reads it: nothing if there is none. */
export function readChanges(value: string | undefined): readonly string[] {
  if (value === undefined) return [];
  try {
    return changesSchema.safeParse(JSON.parse(value)).data ?? [];
  } catch {
    return [];
  }
}
