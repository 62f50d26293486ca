// Small secrets in files that only their owner can read: the device's key, the cluster's secret.
//
// Such a file is created atomically (written under another name, synced, then linked into place, which fails when
// somebody else was faster), so that two processes starting at once end with the same secret. Whatever is odd about an
// existing file is refused with what to do, never repaired: a secret that others could read is no longer one.
import { randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";

/** How messages speak of one kind of file, and which error carries them. */
export interface PrivateFileKind {
  /** Such as `key file`. */
  readonly what: string;
  readonly fail: (message: string) => Error;
  /** What to do when others could read it. */
  readonly whenExposed: (path: string) => string;
}

/**
 * The text of a private file, or undefined when there is none.
 * @throws the kind's error when it cannot be read, is no regular file, or others can read it
 */
export function readPrivateFile(path: string, kind: PrivateFileKind): string | undefined {
  let descriptor: number;
  try {
    // Without O_NONBLOCK the opening of a named pipe would wait for somebody who writes to it.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw kind.fail(
      `cannot read the ${kind.what} ${path} (${codeOf(error)}): check its owner, or choose another folder with --data`,
    );
  }
  try {
    // Judged by the open descriptor, so that the file checked is the file read.
    refuseWhenExposed(path, fstatSync(descriptor), kind);
    return readFileSync(descriptor, "utf8");
  } finally {
    closeSync(descriptor);
  }
}

function refuseWhenExposed(
  path: string,
  stat: { mode: number; isFile(): boolean },
  kind: PrivateFileKind,
): void {
  if (!stat.isFile()) throw kind.fail(`the ${kind.what} ${path} is not a regular file: move it away`);
  // Windows has no such bits: access there follows the folder.
  if (process.platform === "win32" || (stat.mode & 0o077) === 0) return;
  const mode = (stat.mode & 0o777).toString(8).padStart(4, "0");
  throw kind.fail(
    `others can read the ${kind.what} ${path} (mode ${mode}, wanted 0600): ${kind.whenExposed(path)}`,
  );
}

/** Writes `text` to a new file at `path`, mode 0600, whole or not at all; false when `path` already exists. */
export function createPrivateFile(path: string, text: string): boolean {
  const temporary = `${path}.${randomUUID()}.new`;
  const descriptor = openSync(temporary, "wx", 0o600);
  try {
    // Not `writeSync`: a disk that fills up takes the first bytes, and only then says no.
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
    linkSync(temporary, path);
    syncFolder(dirname(path));
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  } finally {
    closeSync(descriptor);
    unlinkSync(temporary);
  }
}

/** Makes names that were given in a folder survive a power cut, where the system can do that. */
export function syncFolder(path: string): void {
  if (process.platform === "win32") return;
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The system's code of an error, such as EACCES, for a message. */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
