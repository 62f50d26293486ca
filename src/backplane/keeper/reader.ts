/**
 * Reading the log file in the server itself: history, and who keeps the file.
 *
 * WAL readers wait for nobody, so a page of history costs a few B-tree look-ups here and nothing at the keeper. The
 * newest entries are still in the journal; each call reads the journal's new rows once and keeps them by room until the
 * keeper has moved them.
 *
 * Invariant: after `#readJournal`, the tails hold every entry of the journal as of this read transaction, and nothing
 * that was moved before the rows they came from were seen.
 */
import type { Database } from "bun:sqlite";
import type { HistoryPage, HistoryQuery, LogEntry } from "../backplane.ts";
import { entriesOf, firstOf } from "./blocks.ts";
import type { EntryRow } from "./blocks.ts";
import { fileIdentity, isCopy } from "./file-identity.ts";
import { JournalTail, readBatch } from "./journal.ts";
import type { JournalRecord } from "./journal.ts";
import { takePage } from "../page.ts";
import { problemOf } from "./problem.ts";
import { openForReading, versionOf, WITH_FILE } from "./schema.ts";

/** The row of the cluster table. */
export interface Holder {
  readonly cluster: string;
  readonly epoch: string;
  readonly seed: number;
  readonly term: number;
  readonly socket: string;
  readonly pid: number;
  readonly started: string;
  readonly boot: string;
  readonly namespace: string;
  readonly durable: number;
  /** Which file this was written in (file-identity.ts). */
  readonly file: string;
}

interface Batch {
  readonly id: number;
  readonly records: readonly JournalRecord[];
}

export class LogReader {
  readonly #file: string;
  #open: Database | undefined;
  #prepared: ReturnType<typeof prepare> | undefined;
  #whoKeeps: ReturnType<typeof prepareHolder> | undefined;
  readonly #rooms = new Map<string, number>();
  /** The journal's rows as last seen, oldest first, and their entries by room. */
  #batches: Batch[] = [];
  #tail = new JournalTail();

  constructor(file: string) {
    this.#file = file;
  }

  #db(): Database | undefined {
    this.#open ??= openForReading(this.#file);
    return this.#open;
  }

  #statements(): ReturnType<typeof prepare> | undefined {
    if (this.#prepared === undefined) {
      const db = this.#db();
      if (db !== undefined) this.#prepared = prepare(db);
    }
    return this.#prepared;
  }

  /**
   * Who keeps the file, or undefined when nobody ever did. Also of a file that a keeper of an earlier version has not
   * been relieved of yet: whoever speaks with that one is told so. What a copy of a file says of its original's keeper
   * is not repeated: nobody keeps it, and `socket` is empty.
   * @throws StoreProblem
   */
  holder(): Holder | undefined {
    try {
      if (this.#whoKeeps === undefined) {
        const db = this.#db();
        if (db === undefined) return undefined;
        this.#whoKeeps = prepareHolder(db);
      }
      const holder = this.#whoKeeps.get() ?? undefined;
      if (holder === undefined || !isCopy(holder.file, fileIdentity(this.#file))) return holder;
      return { ...holder, socket: "", pid: 0 };
    } catch (error) {
      throw problemOf(error, this.#file);
    }
  }

  /**
   * A page of a log.
   * @throws StoreProblem
   */
  page(query: HistoryQuery): HistoryPage {
    try {
      const statements = this.#statements();
      if (statements === undefined) return { epoch: "", first: 1, last: 0, entries: [] };
      statements.begin.run();
      try {
        return this.#page(statements, query);
      } finally {
        statements.end.run();
      }
    } catch (error) {
      throw problemOf(error, this.#file);
    }
  }

  #page(statements: ReturnType<typeof prepare>, query: HistoryQuery): HistoryPage {
    const epoch = statements.epoch.get()?.epoch ?? "";
    this.#readJournal(statements);
    const room = this.#room(statements, query.room);
    if (room === undefined) return { epoch, first: 1, last: 0, entries: [] };
    const moved = statements.newest.get(room)?.seq ?? 0;
    // What is being moved is in both places.
    const newest = this.#tail.rooms.get(room) ?? [];
    const tail = newest.slice(Math.max(0, moved + 1 - (newest[0]?.seq ?? 0)));
    const last = tail.at(-1)?.seq ?? (moved || (statements.floor.get(room)?.last ?? 0));
    const oldest = statements.oldest.get(room);
    const first = oldest === null ? (tail[0]?.seq ?? last + 1) : firstOf(oldest);
    const { before = Number.MAX_SAFE_INTEGER, after, limit, maxBytes } = query;
    const entries =
      after === undefined
        ? takePage(newestFirst(statements, room, tail, before, limit), limit, maxBytes).reverse()
        : takePage(oldestFirst(statements, room, tail, after, before, limit), limit, maxBytes);
    return { epoch, first, last, entries };
  }

  /** The number of a room in the file; undefined if nothing of it is stored. @throws StoreProblem */
  roomNumber(name: string): number | undefined {
    try {
      const statements = this.#statements();
      return statements === undefined ? undefined : this.#room(statements, name);
    } catch (error) {
      throw problemOf(error, this.#file);
    }
  }

  #room(statements: ReturnType<typeof prepare>, name: string): number | undefined {
    let id = this.#rooms.get(name);
    if (id === undefined) {
      id = statements.room.get(name)?.id;
      if (id === undefined) return undefined;
      // Names and numbers never change; a bound on the number of them is all that is needed.
      if (this.#rooms.size >= 10_000) this.#rooms.clear();
      this.#rooms.set(name, id);
    }
    return id;
  }

  #readJournal(statements: ReturnType<typeof prepare>): void {
    const oldest = statements.oldestBatch.get()?.id ?? Infinity;
    if (this.#batches[0] !== undefined && this.#batches[0].id < oldest) {
      // A round has been moved: what is left of the journal is little.
      this.#batches = this.#batches.filter((batch) => batch.id >= oldest);
      this.#tail = new JournalTail();
      for (const { records } of this.#batches) this.#index(records);
    }
    for (const { id, batch } of statements.batches.iterate(this.#batches.at(-1)?.id ?? 0)) {
      const records = [...readBatch(batch)];
      this.#batches.push({ id, records });
      this.#index(records);
    }
  }

  #index(records: readonly JournalRecord[]): void {
    for (const { room, entry } of records) this.#tail.add(room, entry);
  }

  close(): void {
    this.#open?.close();
    this.#open = undefined;
    this.#prepared = undefined;
    this.#whoKeeps = undefined;
  }
}

function* newestFirst(
  statements: ReturnType<typeof prepare>,
  room: number,
  tail: readonly LogEntry[],
  before: number,
  limit: number,
): Generator<LogEntry> {
  for (let index = tail.length - 1; index >= 0; index -= 1) {
    const entry = tail[index];
    if (entry !== undefined && entry.seq < before) yield entry;
  }
  for (const row of statements.before.iterate(room, before, limit)) {
    for (const entry of entriesOf(row).reverse()) if (entry.seq < before) yield entry;
  }
}

function* oldestFirst(
  statements: ReturnType<typeof prepare>,
  room: number,
  tail: readonly LogEntry[],
  after: number,
  before: number,
  limit: number,
): Generator<LogEntry> {
  for (const row of statements.after.iterate(room, after, limit)) {
    for (const entry of entriesOf(row)) {
      if (entry.seq >= before) return;
      if (entry.seq > after) yield entry;
    }
  }
  for (const entry of tail) if (entry.seq > after && entry.seq < before) yield entry;
}

function prepareHolder(db: Database) {
  const file = versionOf(db) < WITH_FILE ? "'' AS file" : "file";
  return db.prepare<Holder, []>(
    `SELECT cluster, epoch, seed, term, socket, pid, started, boot, namespace, durable, ${file} FROM cluster`,
  );
}

function prepare(db: Database) {
  const statement = <Row, Parameters extends (string | number)[]>(sql: string) =>
    db.prepare<Row, Parameters>(sql);
  return {
    begin: statement<never, []>("BEGIN"),
    end: statement<never, []>("COMMIT"),
    epoch: statement<{ epoch: string }, []>("SELECT epoch FROM cluster"),
    room: statement<{ id: number }, [string]>("SELECT id FROM rooms WHERE name = ?"),
    floor: statement<{ last: number }, [number]>("SELECT last FROM rooms WHERE id = ?"),
    oldest: statement<{ seq: number; count: number }, [number]>(
      "SELECT seq, count FROM entries WHERE room = ? ORDER BY seq LIMIT 1",
    ),
    newest: statement<{ seq: number }, [number]>(
      "SELECT seq FROM entries WHERE room = ? ORDER BY seq DESC LIMIT 1",
    ),
    // From the block down that holds the entry before ?2, if there is one.
    before: statement<EntryRow, [number, number, number]>(
      `SELECT seq, at, count, body FROM entries
       WHERE room = ?1 AND seq <= coalesce((SELECT min(seq) FROM entries WHERE room = ?1 AND seq >= ?2 - 1), ?2)
       ORDER BY seq DESC LIMIT ?3`,
    ),
    after: statement<EntryRow, [number, number, number]>(
      "SELECT seq, at, count, body FROM entries WHERE room = ? AND seq > ? ORDER BY seq LIMIT ?",
    ),
    oldestBatch: statement<{ id: number | null }, []>("SELECT min(id) AS id FROM journal"),
    batches: statement<{ id: number; batch: Uint8Array }, [number]>(
      "SELECT id, batch FROM journal WHERE id > ? ORDER BY id",
    ),
  };
}
