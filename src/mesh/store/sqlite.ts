/**
 * One mesh's log in one SQLite file.
 *
 * When `append` returns, the entries are in the write-ahead log and survive `kill -9`. Whether they survive a power cut is
 * a matter of `synchronous`, FULL or NORMAL, and of syncing the write-ahead log afterwards, which may be done by another
 * thread while the entry is on its way. That matters more here than in a server, because what was written may be on other
 * peers' disks a moment later: if our own last entry were lost and we did not know, its number would be used again, and
 * everybody would see two different entries signed under it.
 *
 * So before the first entry goes ahead of the disk, a synced note says that from now on some may be missing, and in which
 * run of the machine (machine-run.ts). It is deleted when all has been synced and nothing was written for a while. Who
 * opens the file and finds the note of the same run has lost nothing; of another one, it forgets the chain's name, and the
 * device begins a new chain. SQLite's write-ahead log is read up to the first frame that was not written whole, so a
 * power cut takes commits from the end only: the note cannot be lost while entries after it are there, nor be seen deleted
 * while entries before that are missing. Where the machine's run has no name, nothing goes ahead of the disk.
 *
 * What need not be synced at once waits in a file beside (tail.ts) to be moved here with others, at the latest by the next
 * `syncSoon`. Whatever is synced, moves the tail first.
 *
 * The lock is exclusive for the life of the process, so two processes can never write one chain. The file has mode 0600:
 * it holds what members say to each other.
 */
import { Database, SQLiteError } from "bun:sqlite";
import { hash as digest, randomBytes } from "node:crypto";
import { chmodSync, closeSync, fdatasync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { storeLimits } from "../../protocol/limits.mesh.ts";
import type { Durability, EntryHash, MeshStore, StoredEntry } from "../core/api.ts";
import { fromHex, toHex } from "../core/bytes.ts";
import { chainNote } from "../core/own-chain.ts";
import { StoreError } from "../core/store-error.ts";
import { machineRun } from "./machine-run.ts";
import { readTail, Tail } from "./tail.ts";
import { WalSync, type SyncFile } from "./wal-sync.ts";

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

/** The note that entries went ahead of the disk; its value is the run of the machine in which they did. */
const aheadNote = "ahead";

/** The tag of the tail that belongs to this log, and the run of the machine in which it was begun. */
const tailNote = "tail";
/** What the tail's path has more than the log's. */
export const tailSuffix = "-tail";

/** What the store needs of the system; tests bring their own. */
export interface StoreSystem {
  /** See machine-run.ts. */
  machineRun(path: string): string | undefined;
  readonly sync: SyncFile;
}

const system: StoreSystem = { machineRun, sync: fdatasync };

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
  readonly #appendAll: (entries: Iterable<StoredEntry>, run: string | undefined) => void;
  readonly #wal: WalSync;
  /** Undefined where nobody could tell after a crash whether it is whole. */
  readonly #tail: Tail | undefined;
  /** What is in the tail, by hash, in order. */
  readonly #inTail = new Map<EntryHash, StoredEntry>();
  /** What is in the tail could not be moved: the disk is full. */
  #isStuck = false;
  /** The present run of the machine. */
  readonly #run: string | undefined;
  /** The file says that entries went ahead of the disk. */
  #isAhead = false;
  #isLax = false;
  #isClosed = false;

  /**
   * Opens the file, or makes it (and its folder) when it is not there.
   * @throws StoreError when it is in use, is another kind of file, is damaged, or is of a later version
   */
  constructor(path: string, parts: Partial<StoreSystem> = {}) {
    this.#path = path;
    const { machineRun: nameRun, sync } = { ...system, ...parts };
    this.#wal = new WalSync(`${path}-wal`, sync, () => this.#distrust());
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
      this.#appendAll = this.#database.transaction(
        (entries: Iterable<StoredEntry>, run: string | undefined) => {
          for (const { hash, receivedAt, bytes } of entries)
            this.#insert.run(fromHex(hash), receivedAt, bytes);
          if (run !== undefined) this.#noteSet.run(aheadNote, run);
        },
      );
      this.#run = nameRun(path);
      this.#lookBack();
      this.#tail = this.#beginTail(`${path}${tailSuffix}`);
    } catch (error) {
      throw this.#explain("open", error);
    }
  }

  /** Takes in what an earlier process of the same run of the machine left in the tail, and begins another one. */
  #beginTail(path: string): Tail | undefined {
    if (this.#run === undefined) return undefined;
    const run = digest("sha256", this.#run, "hex");
    const [tag, runOfTail] = this.#noteGet.get(tailNote)?.value.split(" ", 2) ?? [];
    if (tag !== undefined && runOfTail === run) this.#appendAll(readTail(path, tag), undefined);
    const next = randomBytes(8).toString("hex");
    this.#noteSet.run(tailNote, `${next} ${run}`);
    return new Tail(path, next);
  }

  /** Finds out whether the last run may have lost entries that it had signed; then the chain must not go on. */
  #lookBack(): void {
    const run = this.#noteGet.get(aheadNote)?.value;
    this.#isAhead = run !== undefined && run === this.#run;
    if (run === undefined || this.#isAhead) return;
    this.#database.transaction(() => {
      this.#noteDelete.run(chainNote);
      this.#noteDelete.run(aheadNote);
    })();
  }

  *entries(): Iterable<StoredEntry> {
    try {
      for (const row of this.#all.iterate()) yield storedOf(row);
      for (const entry of this.#inTail.values()) if (this.#selectOne(entry.hash) === undefined) yield entry;
    } catch (error) {
      throw this.#explain("read", error);
    }
  }

  append(entries: readonly StoredEntry[], durability: Durability = "synced"): void {
    const goesAhead = durability === "ahead" && this.#run !== undefined;
    if (durability === "lax" || (goesAhead && this.#isAhead)) {
      if (!this.#appendToTail(entries)) this.#append(entries, false, undefined);
      return;
    }
    this.#append(entries, true, goesAhead ? this.#run : undefined);
    this.#isAhead ||= goesAhead;
  }

  flush(): boolean {
    if (!this.#moveTail()) return false;
    try {
      this.#wal.now();
      return true;
    } catch (error) {
      throw this.#explain("sync", error);
    }
  }

  syncSoon(): void {
    if (this.#wal.failure === undefined && this.#moveTail()) this.#wal.soon();
  }

  /** False when they have to go into the log itself. */
  #appendToTail(entries: readonly StoredEntry[]): boolean {
    if (this.#tail === undefined || this.#isStuck || this.#wal.failure !== undefined) return false;
    try {
      let bytes = 0;
      for (const entry of entries) bytes += entry.bytes.length;
      if (bytes > storeLimits.tailAppendBytes || !this.#tail.append(entries)) return false;
    } catch {
      return false; // The log itself will say what is wrong.
    }
    for (const entry of entries) if (!this.#inTail.has(entry.hash)) this.#inTail.set(entry.hash, entry);
    return true;
  }

  /** Puts the tail and these into the log. @param run that of the note, when it is to be set */
  #append(entries: readonly StoredEntry[], isSynced: boolean, run: string | undefined): void {
    this.#commit(isSynced, () => this.#appendAll([...this.#inTail.values(), ...entries], run));
    this.#inTail.clear();
    this.#tail?.clear();
    this.#isStuck = false;
  }

  /** Puts the tail into the log; false when that is not possible now. */
  #moveTail(): boolean {
    if (this.#inTail.size === 0) return true;
    try {
      this.#append([], false, undefined);
      return true;
    } catch (error) {
      if (this.#wal.failure !== undefined || !(error instanceof StoreError)) throw error;
      this.#isStuck = true;
      return false;
    }
  }

  settle(): void {
    if (!this.#isAhead || !this.#moveTail()) return;
    this.#commit(false, () => this.#noteDelete.run(aheadNote));
    this.#isAhead = false;
    this.#wal.soon();
  }

  /** Writes in one commit, which is synced before it returns or not. */
  #commit(isSynced: boolean, write: () => void): void {
    if (this.#wal.failure !== undefined) throw this.#explain("sync", this.#wal.failure);
    try {
      if (isSynced === this.#isLax) {
        this.#database.run(`PRAGMA synchronous = ${isSynced ? "FULL" : "NORMAL"}`);
        this.#isLax = !isSynced;
      }
      write();
    } catch (error) {
      throw this.#explain("write", error);
    }
    this.#wal.committed(isSynced);
  }

  /** A sync has failed: the next opening must not take what the system remembers of the file for the file. */
  #distrust(): void {
    try {
      this.#noteSet.run(aheadNote, "a sync failed");
    } catch {
      // The disk takes nothing any more.
    }
  }

  get(hash: EntryHash): StoredEntry | undefined {
    try {
      return this.#selectOne(hash) ?? this.#inTail.get(hash);
    } catch (error) {
      throw this.#explain("read", error);
    }
  }

  #selectOne(hash: EntryHash): StoredEntry | undefined {
    const row = this.#select.get(fromHex(hash));
    return row === null ? undefined : storedOf(row);
  }

  note(key: string): string | undefined {
    try {
      return this.#noteGet.get(key)?.value;
    } catch (error) {
      throw this.#explain("read", error);
    }
  }

  setNote(key: string, value: string | undefined): void {
    this.#commit(true, () => {
      if (value === undefined) this.#noteDelete.run(key);
      else this.#noteSet.run(key, value);
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    let isMoved = false;
    try {
      isMoved = this.#moveTail();
      if (isMoved && this.#isAhead) this.setNote(aheadNote, undefined);
    } catch {
      // The next opening finds the note, and plays safe.
    }
    this.#tail?.close(isMoved);
    this.#wal.close();
    this.#database.close();
  }

  #explain(what: "open" | "read" | "write" | "sync", error: unknown): unknown {
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
    throw new StoreError(`${path} is a database of something else; choose another folder with --data`);
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
    return "another rtchat uses it; stop that one, or choose another folder with --data";
  if (error.code === "SQLITE_FULL") return "the disk is full; make room";
  if (error.code === "SQLITE_NOTADB" || error.code?.startsWith("SQLITE_CORRUPT") === true)
    return "the file is damaged; move it away, and the others will bring the log again";
  return error.message;
}
