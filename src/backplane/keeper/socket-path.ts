/**
 * Where the keeper's Unix socket lives.
 *
 * In the data directory, unless its path would not fit into a socket address (108 bytes with the ending NUL on Linux,
 * 104 elsewhere): then in a directory of the user's own under XDG_RUNTIME_DIR or the temporary directory, which must be
 * ours and closed to others, and goes with its last socket. Every term has a socket of its own, so that nobody reaches a
 * former keeper by a new path.
 */
import { createHash, randomInt } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { removeSocketFile } from "../../net/listener.ts";
import { StoreProblem } from "./problem.ts";

/** Longest path that fits everywhere. */
const PATH_BYTES = 103;
/** How often the folder of sockets may go in the moment between its making and its use. */
const TRIES = 5;
const NAME = /^keeper-(\d+)-[0-9a-z]+\.sock$/;

/**
 * Opens the socket for a term.
 * @param directory the data directory, absolute
 * @param open listens at a path
 * @throws StoreProblem when there is no safe place with a short enough path; what `open` throws
 */
export function openSocket<Door>(
  directory: string,
  term: number,
  open: (path: string) => Door,
): { readonly path: string; readonly listener: Door } {
  for (let tries = 1; ; tries += 1) {
    const path = socketPath(directory, term);
    try {
      return { path, listener: open(path) };
    } catch (error) {
      // A keeper that ended just now has taken the folder with it, which was empty.
      if (tries === TRIES || dirname(path) === directory || codeOf(error) !== "ENOENT") throw error;
    }
  }
}

/** Removes a socket that {@link openSocket} opened, and the folder that was made for such, if it is empty now. */
export function removeSocket(path: string, directory: string): void {
  removeSocketFile(path);
  if (dirname(path) === directory) return;
  try {
    rmdirSync(dirname(path));
  } catch (error) {
    // Another keeper's socket is in it, or another keeper was faster.
    if (!["ENOTEMPTY", "EEXIST", "ENOENT"].includes(codeOf(error))) throw error;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function socketPath(directory: string, term: number): string {
  // Candidates of one term must not remove each other's.
  const name = `keeper-${term}-${randomInt(2 ** 40).toString(36)}.sock`;
  const inData = join(directory, name);
  if (Buffer.byteLength(inData) <= PATH_BYTES) return inData;
  const id = createHash("sha256").update(directory).digest("hex").slice(0, 16);
  const base = process.env["XDG_RUNTIME_DIR"] ?? tmpdir();
  const own = join(base, `rtchat-${process.getuid?.() ?? 0}-${id}`);
  const path = join(own, name);
  if (Buffer.byteLength(path) > PATH_BYTES) {
    throw new StoreProblem(
      "inaccessible",
      `neither ${directory} nor ${base} leaves room for a socket's path (${PATH_BYTES} bytes); choose a shorter folder with --data`,
    );
  }
  makePrivate(own);
  return path;
}

function makePrivate(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(directory);
  const real = lstatSync(directory).isDirectory();
  if (!real || (process.getuid !== undefined && uid !== process.getuid()) || (mode & 0o077) !== 0) {
    throw new StoreProblem(
      "inaccessible",
      `${directory} is not a folder of this user alone; remove it, or choose a shorter folder with --data`,
    );
  }
}

/** Removes sockets of terms before `term` in the directory of `path`: their keepers have been superseded. */
export function removeOldSockets(path: string, term: number): void {
  const directory = join(path, "..");
  for (const name of readdirSync(directory)) {
    const match = NAME.exec(name);
    if (match?.[1] !== undefined && Number(match[1]) < term) removeSocketFile(join(directory, name));
  }
}
