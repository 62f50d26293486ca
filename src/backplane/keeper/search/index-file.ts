/**
 * The search index: a file of its own beside the log, made from the log, and made again whenever it does not fit it.
 *
 * Of its own, so that indexing never holds the log's write lock and its merges never wait inside a commit; whoever loses
 * it loses nothing. It holds no texts: FTS5 keeps only which tokens (protocol/search.ts) are in which message, by number.
 *
 *   number of a message: room * 2^36 + seq, so that the messages of a room lie together and in order
 *
 * Writing is by whoever is told to (the keeper's server), reading by everybody. Two writers do no harm: each step reads
 * in its own transaction how far the index is.
 */
import { Database } from "bun:sqlite";
import { chmodSync, existsSync } from "node:fs";

/** Name of the file in the data directory. */
export const indexFile = "search.sqlite";

/** Raised when the tables or the tokens change: an index of another version is made again. */
const INDEX_VERSION = 1;

const schema = `
  -- One row: of which log this is the index.
  CREATE TABLE source (id INTEGER PRIMARY KEY CHECK (id = 1), cluster TEXT NOT NULL, epoch TEXT NOT NULL);
  -- Each room is in the index from above low up to and with high.
  CREATE TABLE rooms (room INTEGER PRIMARY KEY, low INTEGER NOT NULL, high INTEGER NOT NULL);
  -- Messages that were edited (the seq of the edit that counts, else 0) or taken back.
  CREATE TABLE changes (
    room INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    edit INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    PRIMARY KEY (room, seq)
  ) WITHOUT ROWID;
  CREATE VIRTUAL TABLE messages USING fts5(
    tokens, content = '', contentless_delete = 1, detail = none, prefix = '2 3', tokenize = "ascii tokenchars '-_'"
  );
`;

const tables = ["source", "rooms", "changes", "messages"];

function version(db: Database): number {
  return db.query<{ user_version: number }, []>("PRAGMA user_version").get()?.user_version ?? 0;
}

/**
 * Opens the index for writing, making it if there is none or it is of another version.
 * @throws SQLiteError
 */
export function openIndexForWriting(file: string): Database {
  const db = new Database(file, { create: true, readwrite: true, strict: true });
  try {
    db.run("PRAGMA busy_timeout = 1000");
    chmodSync(file, 0o600);
    db.run("PRAGMA journal_mode = WAL");
    // What a crash of the machine takes away is indexed again.
    db.run("PRAGMA synchronous = NORMAL");
    db.run("PRAGMA cache_size = -4000");
    if (version(db) !== INDEX_VERSION) {
      db.transaction(() => {
        if (version(db) === INDEX_VERSION) return;
        for (const table of tables) db.run(`DROP TABLE IF EXISTS ${table}`);
        db.run(schema);
        db.run(`PRAGMA user_version = ${INDEX_VERSION}`);
      }).immediate();
    }
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Opens the index for reading; undefined while there is none of this version. @throws SQLiteError */
export function openIndexForReading(file: string): Database | undefined {
  if (!existsSync(file)) return undefined;
  const db = new Database(file, { readonly: true, strict: true });
  try {
    db.run("PRAGMA busy_timeout = 1000");
    db.run("PRAGMA cache_size = -4000");
    if (version(db) === INDEX_VERSION) return db;
  } catch (error) {
    db.close();
    throw error;
  }
  db.close();
  return undefined;
}
