/**
 * What can be wrong with the log file, in words for the person who runs the server.
 *
 * SQLite's codes are many; what an operator can do is little: wait, free space, restore, mend permissions. Every
 * failure of the store becomes one of these kinds, once, where it leaves the SQLite calls.
 */
import { SQLiteError } from "bun:sqlite";

/**
 * - `busy`: somebody holds the lock; try again soon
 * - `full`: no space; try again when there is
 * - `damaged`: not a database, or a broken one
 * - `foreign`: another program's file, or another version's
 * - `inaccessible`: cannot be opened or written
 * - `failing`: the disk, or we, made an error
 */
export type ProblemKind = "busy" | "full" | "damaged" | "foreign" | "inaccessible" | "failing";

/** A failure of the store. The message says what happened, with which file, and what to do. */
export class StoreProblem extends Error {
  override readonly name = "StoreProblem";
  readonly kind: ProblemKind;

  constructor(kind: ProblemKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Another keeper has a higher term: whatever this one was about to write must not be. */
export class TermLost extends Error {
  override readonly name = "TermLost";
}

const prefixes: readonly (readonly [string, ProblemKind])[] = [
  ["SQLITE_BUSY", "busy"],
  ["SQLITE_LOCKED", "busy"],
  ["SQLITE_FULL", "full"],
  ["SQLITE_NOTADB", "damaged"],
  ["SQLITE_CORRUPT", "damaged"],
  ["SQLITE_CANTOPEN", "inaccessible"],
  ["SQLITE_READONLY", "inaccessible"],
  ["SQLITE_PERM", "inaccessible"],
  ["SQLITE_AUTH", "inaccessible"],
  ["EACCES", "inaccessible"],
  ["EPERM", "inaccessible"],
  ["EROFS", "inaccessible"],
  ["ENOTDIR", "inaccessible"],
  ["EEXIST", "inaccessible"],
  ["ENOENT", "inaccessible"],
  ["ENOSPC", "full"],
  ["EDQUOT", "full"],
];

function words(kind: ProblemKind, file: string, code: string): string {
  switch (kind) {
    case "busy":
      return `${file} is locked by another program (${code}); close whatever has it open, such as a sqlite3 shell or a backup`;
    case "full":
      return `the disk that holds ${file} is full (${code}); free some space, and publishing goes on by itself`;
    case "damaged":
      return `${file} is damaged or no database (${code}); stop all servers, then restore it from a backup, or move it away to start empty`;
    case "inaccessible":
      return `cannot use ${file} (${code}); check the owner and permissions of it and its folder, or choose another folder with --data`;
    case "foreign":
    case "failing":
      return `using ${file} failed (${code}); check the disk and the system's log`;
  }
}

/** Any error of a store operation on `file` as a {@link StoreProblem}; one that is one already stays itself. */
export function problemOf(error: unknown, file: string): StoreProblem {
  if (error instanceof StoreProblem) return error;
  const code = codeOf(error);
  const kind = prefixes.find(([prefix]) => code.startsWith(prefix))?.[1] ?? "failing";
  return new StoreProblem(kind, words(kind, file, code));
}

function codeOf(error: unknown): string {
  if (error instanceof SQLiteError) return error.code ?? `SQLite error ${error.errno}`;
  if (error instanceof Error && "code" in error) return String(error.code);
  return error instanceof Error ? error.message : String(error);
}
