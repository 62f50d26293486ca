/**
 * The keeper's hand on the log file: one transaction a turn, fenced by the term.
 *
 * `begin` takes the write lock and checks, inside the transaction, that this keeper's term is still the file's; so a
 * keeper that was paused and superseded cannot commit anything, whatever it still believes. Entries of a turn are
 * gathered and become one journal row in `commit`; changes of sessions, members and records go to their tables at once.
 *
 * Invariant: outside a transaction, memory (tail, key window, known rooms) equals the file. `rollback` restores that for
 * what it holds; the caller rebuilds its ClusterState.
 */
import type { Database } from "bun:sqlite";
import type { LogEntry } from "../backplane.ts";
import type { ClusterStore, EntryOf, Room, Session, StoredRoom } from "../cluster.ts";
import type { StoredSession } from "../cluster.ts";
import { entryIn } from "./blocks.ts";
import type { EntryRow } from "./blocks.ts";
import { Record } from "./journal.ts";
import { KeysAhead } from "./keys-ahead.ts";
import { keysIn, KeyWindow } from "./key-window.ts";
import { TermLost } from "./problem.ts";
import type { Part } from "../../protocol/frames.ts";
import { Tail } from "./tail.ts";

/** A server, as the store needs to know it. */
export interface StoredServer {
  readonly id: string;
}

/** Journal rows that one keeper may write: a thousand a second for fifty days; two million terms fit into a double. */
const ROWS_A_TERM = 2 ** 32;

/** What a transaction writes. */
export interface Written {
  readonly bytes: number;
  readonly rows: number;
}

/** Settings of a KeeperStore. */
export interface StoreOptions {
  readonly term: number;
  readonly seed: number;
  readonly keyWindowEntries: number;
}

export class KeeperStore implements ClusterStore<StoredServer, Part, Part> {
  readonly db: Database;
  readonly keys: KeyWindow;
  /** To be told of keys that will be appended. */
  readonly ahead: KeysAhead;
  /** What is in the journal, or comes into it with this transaction, and not being moved. */
  tail = new Tail();
  /** What is being moved: in the journal still, and partly in `entries` already. */
  moving = new Tail();
  /** The tail has entries of an earlier keeper, who may have moved some of them. */
  inherited = false;
  /** Number of the newest journal row. Rises from keeper to keeper, also past an empty journal: readers count on it. */
  journalId: number;
  readonly #term: number;
  #rows = 0;
  /** Rooms that have a number but no row yet, because nothing of them was stored. */
  readonly #unsaved = new Map<string, number>();
  #savedNow: Room<StoredServer>[] = [];
  #nextRoom: number;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(db: Database, options: StoreOptions) {
    this.db = db;
    this.#term = options.term;
    this.journalId = options.term * ROWS_A_TERM;
    this.keys = new KeyWindow(options.keyWindowEntries, options.seed);
    this.ahead = new KeysAhead(this.keys);
    this.#statements = prepare(db);
    this.#nextRoom =
      db.query<{ id: number }, []>("SELECT coalesce(max(id), 0) + 1 AS id FROM rooms").get()?.id ?? 1;
    this.#loadKeys(options.keyWindowEntries);
    this.#loadJournal();
  }

  #loadKeys(window: number): void {
    const sizes = this.db.query<{ id: number; size: number }, []>(
      "SELECT id, length(block) AS size FROM keys ORDER BY id DESC",
    );
    let from = 0;
    let held = 0;
    for (const { id, size } of sizes.iterate()) {
      from = id;
      held += keysIn(size);
      if (held >= window) break;
    }
    const blocks = this.db.query<{ block: Uint8Array }, [number]>(
      "SELECT block FROM keys WHERE id >= ? ORDER BY id",
    );
    for (const { block } of blocks.iterate(from)) this.keys.load(block);
  }

  #loadJournal(): void {
    const rows = this.db.query<{ id: number; batch: Uint8Array }, []>(
      "SELECT id, batch FROM journal ORDER BY id",
    );
    for (const { id, batch } of rows.iterate()) {
      this.journalId = Math.max(this.journalId, id);
      this.tail.load(batch);
      const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.byteLength);
      for (let at = 0; at < bytes.length; at = Record.end(bytes, at)) {
        this.keys.add(Record.high(bytes, at), Record.low(bytes, at), Record.seq(bytes, at));
      }
    }
    this.inherited = this.tail.count > 0;
  }

  /**
   * Starts a transaction.
   * @throws SQLiteError (busy: nothing has happened), TermLost
   */
  begin(): void {
    this.#statements.begin.run();
    this.#rows = 0;
    if (this.#statements.term.get()?.term !== this.#term) {
      this.db.run("ROLLBACK");
      throw new TermLost("another keeper has been elected");
    }
  }

  /** Commits; what was added is in the tail then. @throws SQLiteError: call rollback */
  commit(): void {
    const { batch } = this.tail;
    if (batch.length > 0) this.#statements.addBatch.run(this.journalId + 1, batch);
    this.#statements.commit.run();
    if (batch.length > 0) {
      this.journalId += 1;
      this.tail.commit();
    }
    this.#savedNow = [];
  }

  rollback(): void {
    // Some failures have rolled back by themselves.
    if (this.db.inTransaction) this.db.run("ROLLBACK");
    const { batch } = this.tail;
    for (let at = 0; at < batch.length; at = Record.end(batch, at)) {
      this.keys.takeBack({ high: Record.high(batch, at), low: Record.low(batch, at) });
    }
    this.tail.rollback();
    for (const room of this.#savedNow) this.#unsaved.set(room.name, room.id);
    this.#savedNow = [];
  }

  /** What this transaction has to write: bytes of entries, and rows elsewhere. */
  get written(): Written {
    return { bytes: this.tail.batch.length, rows: this.#rows };
  }

  load(name: string): StoredRoom {
    const stored = this.#statements.room.get(name);
    if (stored === null) return { id: this.#number(name), last: 0, lastAt: 0, records: [] };
    const { id } = stored;
    const newest = this.tail.newest(id) ?? this.moving.newest(id) ?? this.#statements.newest.get(id);
    const { seq: last, at: lastAt } = newest ?? { seq: stored.last, at: stored.last_at };
    const records = this.#statements.records.all(id).map(({ key, value }) => [key, value] as const);
    return { id, last, lastAt, records };
  }

  #number(name: string): number {
    let id = this.#unsaved.get(name);
    if (id === undefined) {
      id = this.#nextRoom;
      this.#nextRoom += 1;
      this.#unsaved.set(name, id);
    }
    return id;
  }

  #save(room: Room<StoredServer>): void {
    if (this.#unsaved.size === 0 || !this.#unsaved.delete(room.name)) return;
    this.#savedNow.push(room);
    this.#rows += 1;
    this.#statements.addRoom.run(room.id, room.name);
  }

  /** Forgets the number of a room that has nothing stored and is no longer in use. */
  forget(name: string): void {
    this.#unsaved.delete(name);
  }

  append(
    room: Room<StoredServer>,
    key: Part,
    entry: EntryOf<Part>,
  ): Pick<LogEntry, "seq" | "at"> | undefined {
    const hash = this.ahead.of(room.id, key);
    const seq = this.keys.find(hash);
    if (seq > 0) return { seq, at: this.#timeOf(room, seq) };
    this.#save(room);
    this.keys.add(hash.high, hash.low, entry.seq);
    this.tail.add(room.id, entry, hash);
    return undefined;
  }

  #timeOf(room: Room<StoredServer>, seq: number): number {
    const journalled = this.tail.timeOf(room.id, seq) ?? this.moving.timeOf(room.id, seq);
    // Retention may have removed it: then all we know is that it was not after the newest.
    return journalled ?? this.#timeMoved(room.id, seq) ?? room.lastAt;
  }

  #timeMoved(room: number, seq: number): number | undefined {
    const row = this.#statements.block.get(room, seq);
    return row === null ? undefined : entryIn(row, seq)?.at;
  }

  putRecord(room: Room<StoredServer>, key: string, value: string): void {
    this.#save(room);
    this.#rows += 1;
    this.#statements.putRecord.run(room.id, key, value);
  }

  dropRecord(room: Room<StoredServer>, key: string): void {
    this.#rows += 1;
    this.#statements.dropRecord.run(room.id, key);
  }

  putSession({ session, nick, owner, fence, away }: Session<StoredServer>): void {
    this.#rows += 1;
    this.#statements.putSession.run(session, nick, owner, fence, away ?? null);
  }

  dropSession({ session, rooms }: Session<StoredServer>): void {
    this.#rows += 1;
    this.#statements.dropSession.run(session);
    if (rooms.length > 0) this.#statements.dropPlaces.run(session);
  }

  putMember(room: Room<StoredServer>, { session }: Session<StoredServer>): void {
    this.#save(room);
    this.#rows += 1;
    this.#statements.putMember.run(session, room.id);
  }

  dropMember(room: Room<StoredServer>, { session }: Session<StoredServer>): void {
    this.#rows += 1;
    this.#statements.dropMember.run(session, room.id);
  }

  /** All sessions with the rooms they are in. */
  *sessions(): Generator<StoredSession> {
    const rooms = new Map<string, string[]>();
    const places = this.db.query<{ session: string; name: string }, []>(
      "SELECT session, name FROM members JOIN rooms ON rooms.id = members.room",
    );
    for (const { session, name } of places.iterate()) {
      const list = rooms.get(session);
      if (list === undefined) rooms.set(session, [name]);
      else list.push(name);
    }
    const sessions = this.db.query<StoredRow, []>("SELECT session, nick, server, fence, away FROM sessions");
    for (const { session, nick, server, fence, away } of sessions.all()) {
      const stored = { session, nick, owner: server, fence, away: away ?? undefined };
      yield { ...stored, rooms: rooms.get(session) ?? [] };
    }
  }
}

interface StoredRow {
  readonly session: string;
  readonly nick: string;
  readonly server: string;
  readonly fence: number;
  readonly away: string | null;
}

function prepare(db: Database) {
  const statement = <Row, Parameters extends (string | number | Uint8Array | null)[]>(sql: string) =>
    db.prepare<Row, Parameters>(sql);
  return {
    begin: statement<never, []>("BEGIN IMMEDIATE"),
    commit: statement<never, []>("COMMIT"),
    term: statement<{ term: number }, []>("SELECT term FROM cluster"),
    addBatch: statement<never, [number, Uint8Array]>("INSERT INTO journal VALUES (?, ?)"),
    room: statement<{ id: number; last: number; last_at: number }, [string]>(
      "SELECT id, last, last_at FROM rooms WHERE name = ?",
    ),
    addRoom: statement<never, [number, string]>("INSERT INTO rooms (id, name) VALUES (?, ?)"),
    newest: statement<{ seq: number; at: number }, [number]>(
      "SELECT seq, at FROM entries WHERE room = ? ORDER BY seq DESC LIMIT 1",
    ),
    block: statement<EntryRow, [number, number]>(
      "SELECT seq, at, count, body FROM entries WHERE room = ? AND seq >= ? ORDER BY seq LIMIT 1",
    ),
    records: statement<{ key: string; value: string }, [number]>(
      "SELECT key, value FROM records WHERE room = ?",
    ),
    putRecord: statement<never, [number, string, string]>("REPLACE INTO records VALUES (?, ?, ?)"),
    dropRecord: statement<never, [number, string]>("DELETE FROM records WHERE room = ? AND key = ?"),
    putSession: statement<never, [string, string, string, number, string | null]>(
      "REPLACE INTO sessions (session, nick, server, fence, away) VALUES (?, ?, ?, ?, ?)",
    ),
    dropSession: statement<never, [string]>("DELETE FROM sessions WHERE session = ?"),
    putMember: statement<never, [string, number]>("REPLACE INTO members VALUES (?, ?)"),
    dropMember: statement<never, [string, number]>("DELETE FROM members WHERE session = ? AND room = ?"),
    dropPlaces: statement<never, [string]>("DELETE FROM members WHERE session = ?"),
  };
}
