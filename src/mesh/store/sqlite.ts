/**
 * One mesh's log in one SQLite file.
 *
 * WAL with `synchronous=FULL`: when `append` returns, the entries survive `kill -9` and a power cut. That matters more
 * here than in a server, because what was written may be on other peers' disks a moment later: if our own last entry were
 * lost, its number would be used again, and everybody would see two different entries signed under it. Entries of others
 * can be fetched again, so they may be appended with `synchronous=NORMAL` and synced later, many at a time, before
 * anybody is told that they are here.
 *
 * The lock is exclusive for the life of the process, so two processes can never write one chain. The file has mode 0600:
 * it holds what members say to each other.
 */
import { Database, SQLiteError } from "bun:sqlite";
import { chmodSync, closeSync, fdatasyncSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import type { EntryHash, MeshStore, StoredEntry } from "../core/api.ts";
import { fromHex, toHex } from "../core/bytes.ts";
import { StoreError } from "../core/store-error.ts";

/** Marks the file as ours (`file` shows it) and names the layout below. */
const applicationId = 0x7274_6d31; // "rtm1"
const layout = 1;

const schema = `
  CREATE TABLE IF NOT EXISTS entry (
    ordinal INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    received_at INTEGER NOT NULL,
    bytes BLOB NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS note (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

interface Row {
  readonly hash: Uint8Array;
  readonly received_at: number;
  readonly bytes: Uint8Array;
}

/** A log on disk. Every method throws StoreError when SQLite refuses. */
export class SqliteStore implements MeshStore {
  readonly #path: string;
  readonly #database: Database;
  readonly #insert;
  readonly #select;
  readonly #all;
  readonly #noteGet;
  readonly #noteSet;
  readonly #noteDelete;
  /** Something was appended and not synced. */
  #isBehind = false;
  #isLax = false;
  readonly #appendAll: (entries: readonly StoredEntry[]) => void;

  /**
   * Opens the file, or makes it (and its folder) when it is not there.
   * @throws StoreError when it is in use, is another kind of file, is damaged, or is of a later version
   */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#database = openFile(path);
      this.#insert = this.#database.query(
        "INSERT INTO entry (hash, received_at, bytes) VALUES (?1, ?2, ?3) ON CONFLICT (hash) DO NOTHING",
      );
      this.#select = this.#database.query<Row, [Uint8Array]>(
        "SELECT hash, received_at, bytes FROM entry WHERE hash = ?1",
      );
      this.#all = this.#database.query<Row, []>(
        "SELECT hash, received_at, bytes FROM entry ORDER BY ordinal",
      );
      this.#noteGet = this.#database.query<{ value: string }, [string]>(
        "SELECT value FROM note WHERE key = ?1",
      );
      this.#noteSet = this.#database.query(
        "INSERT INTO note VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
      );
      this.#noteDelete = this.#database.query("DELETE FROM note WHERE key = ?1");
    } catch (error) {
      throw this.#explain("open", error);
    }
    this.#appendAll = this.#database.transaction((entries: readonly StoredEntry[]) => {
      for (const { hash, receivedAt, bytes } of entries) this.#insert.run(fromHex(hash), receivedAt, bytes);
    });
  }

  *entries(): Iterable<StoredEntry> {
    try {
      for (const row of this.#all.iterate()) yield storedOf(row);
    } catch (error) {
      throw this.#explain("read", error);
    }
  }

  append(entries: readonly StoredEntry[], isDurable = true): void {
    try {
      this.#sync(isDurable);
      if (!isDurable) this.#isBehind = true;
      this.#appendAll(entries);
    } catch (error) {
      throw this.#explain("write", error);
    }
  }

  flush(): void {
    if (!this.#isBehind) return;
    // Not tried again: after a failure a second sync may succeed without having written anything.
    this.#isBehind = false;
    try {
      // What is no longer in the WAL was synced when it was moved from there.
      const wal = openSync(`${this.#path}-wal`, "r+");
      try {
        fdatasyncSync(wal);
      } finally {
        closeSync(wal);
      }
    } catch (error) {
      throw this.#explain("write", error);
    }
  }

  /** Whether the next commit is synced before it returns. */
  #sync(isDurable: boolean): void {
    if (isDurable !== this.#isLax) return;
    this.#database.run(`PRAGMA synchronous = ${isDurable ? "FULL" : "NORMAL"}`);
    this.#isLax = !isDurable;
  }

  get(hash: EntryHash): StoredEntry | undefined {
    try {
      const row = this.#select.get(fromHex(hash));
      return row === null ? undefined : storedOf(row);
    } catch (error) {
      throw this.#explain("read", error);
    }
  }

  note(key: string): string | undefined {
    try {
      return this.#noteGet.get(key)?.value;
    } catch (error) {
      throw this.#explain("read", error);
    }
  }

  setNote(key: string, value: string | undefined): void {
    try {
      this.#sync(true);
      if (value === undefined) this.#noteDelete.run(key);
      else this.#noteSet.run(key, value);
    } catch (error) {
      throw this.#explain("write", error);
    }
  }

  close(): void {
    this.#database.close();
  }

  #explain(what: "open" | "read" | "write", error: unknown): unknown {
    if (error instanceof StoreError || !(error instanceof Error)) return error;
    return new StoreError(`cannot ${what} the log ${this.#path}: ${advice(error)}`);
  }
}

function openFile(path: string): Database {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Made before SQLite makes it, so that there is no moment in which others may read it.
  closeSync(openSync(path, "a", 0o600));
  if (process.platform !== "win32") chmodSync(path, 0o600);
  const database = new Database(path, { readwrite: true, strict: true });
  try {
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    // A first write takes the lock, which then stays.
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = FULL");
    database.run("BEGIN IMMEDIATE");
    identify(database, path);
    database.run(schema);
    database.run("COMMIT");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function identify(database: Database, path: string): void {
  const pragma = (name: string) =>
    Number(Object.values(database.query<Record<string, number>, []>(`PRAGMA ${name}`).get() ?? {})[0]);
  const tables = database.query("SELECT name FROM sqlite_schema").all().length;
  if (tables > 0 && pragma("application_id") !== applicationId)
    throw new StoreError(`${path} is a database of something else; choose another directory with --data`);
  if (tables > 0 && pragma("user_version") !== layout)
    throw new StoreError(`${path} was written by another version of rtchat; update this one`);
  database.run(`PRAGMA application_id = ${applicationId}`);
  database.run(`PRAGMA user_version = ${layout}`);
}

function storedOf(row: Row): StoredEntry {
  return { hash: toHex(row.hash), bytes: row.bytes, receivedAt: row.received_at };
}

function advice(error: Error): string {
  if (!(error instanceof SQLiteError)) return error.message;
  if (error.code?.startsWith("SQLITE_BUSY") === true)
    return "another rtchat uses it; stop that one, or choose another directory with --data";
  if (error.code === "SQLITE_FULL") return "the disk is full; make room";
  if (error.code === "SQLITE_NOTADB" || error.code?.startsWith("SQLITE_CORRUPT") === true)
    return "the file is damaged; move it away, and the others will bring the log again";
  return error.message;
}
