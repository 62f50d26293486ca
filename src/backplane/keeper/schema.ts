/**
 * The log file: one SQLite database in the data directory, in WAL mode.
 *
 * Writing is in two steps. A commit appends one row to `journal`: all that one turn of the loop brought, at the end of
 * the file, whatever rooms it was for (a page written a room and commit cost five times as much). Soon after, many such
 * rows are moved to `entries`, where many of a room's entries are one row (blocks.ts). Readers look at both.
 * scripts/benchmarks/NOTES.md has the figures.
 *
 * Only SQLite may open this file while servers run: closing any other descriptor of it drops the process's locks.
 */
import { Database } from "bun:sqlite";
import { chmodSync, existsSync } from "node:fs";
import { problemOf, StoreProblem } from "./problem.ts";

/** `rtch`: tells the file from other programs' databases. */
const APPLICATION_ID = 0x72746368;
/**
 * Of a new file; another has what it was made with. What is written are batches and blocks of some pages each, and each page
 * costs two system calls and an entry in the WAL's index; with larger ones single messages would cost more.
 */
const PAGE_BYTES = 8_192;
/** Raised when tables change; an older rtchat refuses a newer file by name. */
const SCHEMA_VERSION = 4;
/** The first version whose cluster row names its file. */
export const WITH_FILE = 4;

const schema = `
  -- One row: who keeps the file now, and what must not change with the keeper. file: which file that was written in, as
  -- file-identity.ts names it, or '' before anybody kept it.
  CREATE TABLE cluster (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    cluster TEXT NOT NULL,
    epoch TEXT NOT NULL,
    seed INTEGER NOT NULL,
    term INTEGER NOT NULL,
    socket TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started TEXT NOT NULL,
    boot TEXT NOT NULL,
    namespace TEXT NOT NULL,
    durable INTEGER NOT NULL,
    file TEXT NOT NULL
  );
  -- last, last_at: the newest entry that retention removed.
  CREATE TABLE rooms (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last INTEGER NOT NULL DEFAULT 0,
    last_at INTEGER NOT NULL DEFAULT 0
  );
  -- count: how many consecutive entries, of which this is the newest, are in the body (blocks.ts). Rows lie in the order
  -- in which they were moved, so that moving only appends; the index, small as it is, has them in the order of rooms.
  CREATE TABLE entries (
    room INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL,
    count INTEGER NOT NULL,
    UNIQUE (room, seq)
  );
  -- Entries not yet moved to the table above, a commit a row (journal.ts).
  CREATE TABLE journal (id INTEGER PRIMARY KEY, batch BLOB NOT NULL);
  -- Hashes of idempotency keys, a compaction a row (key-window.ts).
  CREATE TABLE keys (id INTEGER PRIMARY KEY, block BLOB NOT NULL);
  CREATE TABLE sessions (
    session TEXT PRIMARY KEY,
    nick TEXT NOT NULL,
    server TEXT NOT NULL,
    fence INTEGER NOT NULL,
    away TEXT
  ) WITHOUT ROWID;
  CREATE TABLE members (session TEXT NOT NULL, room INTEGER NOT NULL, PRIMARY KEY (session, room)) WITHOUT ROWID;
  CREATE TABLE records (
    room INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (room, key)
  ) WITHOUT ROWID;
`;

/** What brings a file of version n to version n + 1; n counts from 1. */
const migrations: readonly string[] = [
  "ALTER TABLE sessions ADD COLUMN away TEXT",
  // Some seconds a million entries, in which nobody is served: it happens once, when servers of this version start.
  `ALTER TABLE entries RENAME TO rows;
   CREATE TABLE entries (
     room INTEGER NOT NULL,
     seq INTEGER NOT NULL,
     at INTEGER NOT NULL,
     body BLOB NOT NULL,
     count INTEGER NOT NULL,
     UNIQUE (room, seq)
   );
   INSERT INTO entries SELECT room, seq, at, body, 1 FROM rows ORDER BY room, seq;
   DROP TABLE rows;`,
  "ALTER TABLE cluster ADD COLUMN file TEXT NOT NULL DEFAULT ''",
];

/** What a new file begins with. */
export interface Beginning {
  readonly cluster: string;
  readonly epoch: string;
  /** 31 bits. */
  readonly seed: number;
}

function number(db: Database, pragma: string): number {
  const row = db.query<Record<string, number>, []>(`PRAGMA ${pragma}`).get();
  return row === null ? 0 : Number(Object.values(row)[0]);
}

function check(db: Database, file: string): number {
  const version = versionOf(db);
  const application = number(db, "application_id");
  if (application !== APPLICATION_ID && (application !== 0 || version !== 0)) {
    throw new StoreProblem(
      "foreign",
      `${file} belongs to another program; choose another folder with --data, or move the file away`,
    );
  }
  if (version > SCHEMA_VERSION) {
    throw new StoreProblem(
      "foreign",
      `${file} has schema version ${version}, and this rtchat knows ${SCHEMA_VERSION}; use the newer rtchat that wrote it, or another folder with --data`,
    );
  }
  return version;
}

/** Makes the tables, or brings them to this version. */
function create(db: Database, file: string, beginning: Beginning): void {
  // Before WAL: its files take the mode of this one.
  chmodSync(file, 0o600);
  // Before WAL, too, or it would stay as it is.
  db.run(`PRAGMA page_size = ${PAGE_BYTES}`);
  db.run("PRAGMA journal_mode = WAL");
  db.run("BEGIN IMMEDIATE");
  try {
    const version = check(db, file);
    if (version > 0) {
      for (const migration of migrations.slice(version - 1)) db.run(migration);
      db.run(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    } else {
      db.run(schema);
      db.run(`INSERT INTO cluster VALUES (1, ?, ?, ?, 0, '', 0, '', '', '', 1, '')`, [
        beginning.cluster,
        beginning.epoch,
        beginning.seed,
      ]);
      db.run(`PRAGMA application_id = ${APPLICATION_ID}`);
      db.run(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    }
    db.run("COMMIT");
  } catch (error) {
    if (db.inTransaction) db.run("ROLLBACK");
    throw error;
  }
}

/** The schema's version; 0 of a file that is not made yet. */
export const versionOf = (db: Database): number => number(db, "user_version");

/** Bytes of a page of the file. */
export const pageBytesOf = (db: Database): number => number(db, "page_size");

/**
 * Opens the file for writing, making it if there is none.
 * @throws StoreProblem; `busy` when another process is making it just now
 */
export function openForWriting(file: string, beginning: Beginning): Database {
  return guarded(
    file,
    () => new Database(file, { create: true, readwrite: true, strict: true }),
    (db) => {
      if (check(db, file) < SCHEMA_VERSION) create(db, file, beginning);
      // A checkpoint belongs to its own thread, never to a commit.
      db.run("PRAGMA wal_autocheckpoint = 0");
      db.run("PRAGMA synchronous = NORMAL");
      db.run("PRAGMA cache_size = -16000");
      db.run("PRAGMA temp_store = MEMORY");
    },
  );
}

/**
 * Opens the file for reading.
 * @returns undefined when there is none yet, or it is just being made
 * @throws StoreProblem
 */
export function openForReading(file: string): Database | undefined {
  // Asked before: it may be made between an attempt that fails for want of it and a look after that.
  const wasThere = existsSync(file);
  try {
    return guarded(
      file,
      () => new Database(file, { readonly: true, strict: true }),
      (db) => {
        if (check(db, file) === 0) throw new StoreProblem("busy", `${file} is being made`);
        db.run("PRAGMA cache_size = -8000");
      },
    );
  } catch (error) {
    if (error instanceof StoreProblem && error.kind === "busy") return undefined;
    const isThere = wasThere && existsSync(file);
    if (error instanceof StoreProblem && error.kind === "inaccessible" && !isThere) return undefined;
    throw error;
  }
}

function guarded(file: string, open: () => Database, prepare: (db: Database) => void): Database {
  let db: Database | undefined;
  try {
    db = open();
    // Waiting for a lock inside SQLite would block the thread: those who can wait do so with timers.
    db.run("PRAGMA busy_timeout = 0");
    prepare(db);
    return db;
  } catch (error) {
    db?.close();
    throw problemOf(error, file);
  }
}
