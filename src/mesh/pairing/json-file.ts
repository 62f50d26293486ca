/**
 * A small JSON file that is read whole and written whole.
 *
 * Writing goes to another name in the same directory, is synced and renamed over the old file, so that a crash leaves
 * the old content or the new one. A file that does not fit its schema is refused and left alone: it may hold pins, and
 * starting without them would trust strangers silently.
 */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { codeOf, syncFolder } from "../../identity/private-file.ts";
import { dirname } from "node:path";
import type { z } from "zod";

/** The file cannot be used; the message says why and what to do. */
export class StateFileError extends Error {
  override readonly name = "StateFileError";
}

/**
 * Reads `path`.
 * @returns undefined when there is no such file
 * @throws StateFileError when it cannot be read or does not fit
 */
export function readJsonFile<Value>(path: string, schema: z.ZodType<Value>): Value | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw new StateFileError(`cannot read ${path} (${codeOf(error)}): check its owner and mode`);
  }
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const why = parsed.error.issues[0]?.message ?? "not JSON";
  throw new StateFileError(
    `${path} is damaged (${why}): repair it, or move it away and lose what it remembers`,
  );
}

/**
 * Replaces `path`, mode 0600; durable when it returns.
 * @throws StateFileError when the old content is still there
 */
export function writeJsonFile(path: string, value: unknown): void {
  const temporary = `${path}.${crypto.randomUUID()}.new`;
  try {
    const descriptor = openSync(temporary, "wx", 0o600);
    try {
      // Not `writeSync`: a disk that fills up takes the first bytes, and only then says no.
      writeFileSync(descriptor, `${JSON.stringify(value, undefined, 2)}\n`);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    removeQuietly(temporary);
    throw new StateFileError(`cannot write ${path} (${codeOf(error)}): check the disk and the folder`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was never made, or is renamed already.
  }
}
