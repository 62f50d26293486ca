/**
 * A backup: a copy of the log as it is at one moment, made while servers go on.
 *
 * `VACUUM INTO` reads in one transaction, as every reader of a WAL does: commits do not wait for it, and the WAL grows
 * by what is written meanwhile. The copy is a file that was never torn, is checked as a whole, synced, and marked as a
 * copy, so that the first server on it begins a new epoch: whoever has seen later messages than it has must be told that
 * something is missing (file-identity.ts).
 *
 * Invariant: the folder has its name only when everything in it is complete and on the disk.
 */
import type { Database } from "bun:sqlite";
import { chmodSync, closeSync, copyFileSync, existsSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { readdirSync, renameSync, rmdirSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ALWAYS_COPY } from "./file-identity.ts";
import { readBatch } from "./journal.ts";
import { logFile } from "./keeper.ts";
import { problemOf, StoreProblem } from "./problem.ts";
import { openForReading, openForWriting } from "./schema.ts";

/** What a backup holds. */
export interface BackupReport {
  readonly messages: number;
  /** Those with messages; the inboxes of people are not counted. */
  readonly rooms: number;
  readonly bytes: number;
  /** The other files of the data folder that were copied. */
  readonly secrets: readonly string[];
}

/**
 * Copies the log of a data folder, and its `secrets` as far as they are there, into a new folder that is a data folder
 * itself.
 * @param secrets names of files beside the log
 * @throws StoreProblem when the log cannot be read or the copy is damaged; system errors of the new folder
 */
export function backUp(directory: string, target: string, secrets: readonly string[]): BackupReport {
  const unfinished = `${resolve(target)}.part`;
  clear(unfinished, secrets);
  mkdirSync(unfinished, { mode: 0o700 });
  try {
    const file = join(unfinished, logFile);
    copyLog(join(directory, logFile), file);
    const copied = secrets.filter((name) => existsSync(join(directory, name)));
    for (const name of copied) {
      copyFileSync(join(directory, name), join(unfinished, name));
      chmodSync(join(unfinished, name), 0o600);
    }
    const { messages, rooms } = checkAndMark(file);
    for (const name of [logFile, ...copied]) sync(join(unfinished, name));
    sync(unfinished);
    const { size: bytes } = statSync(file);
    renameSync(unfinished, target);
    sync(dirname(resolve(target)));
    return { messages, rooms, bytes, secrets: copied };
  } catch (error) {
    clear(unfinished, secrets);
    throw error;
  }
}

/**
 * Removes what a backup that was broken off has left: our own files by name, and the folder if that was all.
 * @throws StoreProblem when it was not
 */
function clear(unfinished: string, secrets: readonly string[]): void {
  if (!existsSync(unfinished)) return;
  for (const name of secrets) rmSync(join(unfinished, name), { force: true });
  for (const suffix of ["", "-journal", "-wal", "-shm"]) {
    rmSync(join(unfinished, logFile + suffix), { force: true });
  }
  if (readdirSync(unfinished).length > 0) {
    throw new StoreProblem("inaccessible", `${unfinished} is in the way and has other files: move it away`);
  }
  rmdirSync(unfinished);
}

function copyLog(from: string, to: string): void {
  const db = openForReading(from);
  if (db === undefined) throw new StoreProblem("inaccessible", `there is no log at ${from}`);
  try {
    db.run("VACUUM INTO ?", [to]);
    chmodSync(to, 0o600);
  } catch (error) {
    throw problemOf(error, from);
  } finally {
    db.close();
  }
}

/** Makes the copy a log that servers may be started on. @throws StoreProblem when it is damaged */
function checkAndMark(file: string): { messages: number; rooms: number } {
  const db = openForWriting(file, { cluster: "", epoch: "", seed: 0 });
  try {
    const verdict = db.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get()?.quick_check;
    if (verdict !== "ok") {
      const advice = "keep the backups you have, and stop all servers before you look into it";
      throw new StoreProblem(
        "damaged",
        `the copy of the log is damaged (${verdict ?? "no answer"}): ${advice}`,
      );
    }
    db.run("UPDATE cluster SET socket = '', pid = 0, file = ?", [ALWAYS_COPY]);
    const counted = count(db);
    db.run("PRAGMA journal_mode = WAL");
    return counted;
  } catch (error) {
    throw problemOf(error, file);
  } finally {
    db.close();
  }
}

function count(db: Database): { messages: number; rooms: number } {
  const names = new Map(
    db
      .query<{ id: number; name: string }, []>("SELECT id, name FROM rooms WHERE name NOT LIKE '@%'")
      .all()
      .map(({ id, name }) => [id, name]),
  );
  const counts = new Map<number, number>();
  const add = (room: number, more: number): void => {
    if (names.has(room)) counts.set(room, (counts.get(room) ?? 0) + more);
  };
  const moved = "SELECT room, sum(count) AS entries FROM entries GROUP BY room";
  for (const row of db.query<{ room: number; entries: number }, []>(moved).all()) add(row.room, row.entries);
  for (const { batch } of db.query<{ batch: Uint8Array }, []>("SELECT batch FROM journal").iterate()) {
    for (const { room } of readBatch(batch)) add(room, 1);
  }
  let messages = 0;
  for (const one of counts.values()) messages += one;
  return { messages, rooms: counts.size };
}

/** Puts a file, or a folder's list of names, on the disk. */
function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
