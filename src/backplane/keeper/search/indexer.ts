/**
 * Brings the index up to date with the log, a bounded step at a time.
 *
 * Only what has been moved to `entries` is indexed; the tail in the journal is small and is looked at by whoever searches.
 * So publishing, the keeper's commits and an election cost nothing more: this runs in a thread of its own, and rests
 * longer than it works. A log that was there before the index is indexed in the same steps.
 *
 * Invariant, after every transaction: of each room, all messages up to `high` are in the index with the text that the
 * changes up to `high` have given them, unless retention had removed them.
 */
import type { Database } from "bun:sqlite";
import type { LogEntry } from "../../backplane.ts";
import { entriesOf, entryIn } from "../blocks.ts";
import type { EntryRow } from "../blocks.ts";
import { foldText, indexedTokens } from "../../../protocol/search.ts";
import { mayBeChange, readFields } from "../../../protocol/sieve.ts";
import type { StoredFields } from "../../../protocol/sieve.ts";

/** Rooms that are compared with the index in one step. */
const ROOMS = 64;
/** Index rows of removed messages that are dropped in one step. */
const DROPPED = 2_000;
/** Seqs that retention may have removed before their index rows are dropped. */
const STALE = 5_000;

type Entry = Pick<LogEntry, "seq" | "body">;

export class Indexer {
  readonly #log: Database;
  readonly #index: Database;
  readonly #entries: number;
  readonly #read: ReturnType<typeof readStatements>;
  readonly #write: ReturnType<typeof writeStatements>;
  /** The room that was looked at last in this round. */
  #room = 0;
  /** Whether this round has found anything to do. */
  #found = false;

  /** @param entries indexed in one step, at most */
  constructor(log: Database, index: Database, entries: number) {
    this.#log = log;
    this.#index = index;
    this.#entries = entries;
    this.#read = readStatements(log);
    this.#write = writeStatements(index);
  }

  /**
   * Does one step.
   * @returns `more` when there may be more to do, `done` after a round in which there was nothing
   * @throws SQLiteError; the step may be tried again
   */
  step(): "more" | "done" {
    this.#sameSource();
    const room = this.#next();
    if (room !== undefined) {
      this.#found = true;
      this.#index.transaction(() => this.#take(room)).immediate();
      return "more";
    }
    if (this.#room !== 0) return "more";
    const again = this.#found;
    this.#found = false;
    return again ? "more" : "done";
  }

  /** The index of another log, or of another epoch of this one, whose tail may be gone: it starts over. */
  #sameSource(): void {
    const source = this.#read.source.get();
    if (source === null) return;
    const known = this.#write.source.get();
    if (known?.cluster === source.cluster && known.epoch === source.epoch) return;
    this.#index
      .transaction(() => {
        this.#index.run("INSERT INTO messages (messages) VALUES ('delete-all')");
        this.#index.run("DELETE FROM rooms");
        this.#index.run("DELETE FROM changes");
        this.#write.setSource.run(source.cluster, source.epoch);
      })
      .immediate();
    this.#room = 0;
  }

  /** The next room with something to do; undefined after some that had nothing. */
  #next(): number | undefined {
    const rooms = this.#read.rooms.all(this.#room, ROOMS);
    for (const { id, first, last } of rooms) {
      const { low, high } = this.#write.room.get(id) ?? { low: 0, high: 0 };
      if ((last ?? 0) > high || (first !== null && first - low > STALE)) return id;
      this.#room = id;
    }
    if (rooms.length < ROOMS) this.#room = 0;
    return undefined;
  }

  #take(room: number): void {
    const { low, high } = this.#write.room.get(room) ?? { low: 0, high: 0 };
    const first = this.#read.first.get(room)?.seq ?? 0;
    if (first - low > STALE) {
      const dropped = this.#drop(room, low, first);
      this.#write.setRoom.run(room, dropped, Math.max(high, dropped));
      return;
    }
    let last = high;
    for (const entry of this.#after(room, high)) {
      this.#add(room, entry);
      last = entry.seq;
    }
    this.#write.setRoom.run(room, low, last);
  }

  /** As many of a room's entries as one step takes. */
  *#after(room: number, high: number): Generator<Entry> {
    let left = this.#entries;
    for (const row of this.#read.after.iterate(room, high)) {
      for (const entry of entriesOf(row)) {
        if (entry.seq <= high) continue;
        yield entry;
        left -= 1;
        if (left <= 0) return;
      }
    }
  }

  /** Drops what retention has removed. @returns up to where */
  #drop(room: number, low: number, first: number): number {
    const end = Math.min(first - 1, low + DROPPED);
    for (let seq = low + 1; seq <= end; seq += 1) this.#write.remove.run(room, seq);
    this.#write.removeChanges.run(room, end);
    return end;
  }

  #add(room: number, { seq, body }: Entry): void {
    const fields = readFields(body);
    const { re } = fields;
    if (re === undefined || re.kind === "reply") this.#put(room, seq, fields.text, fields);
    else if (re.kind === "delete") {
      this.#write.setDeleted.run(room, re.seq);
      this.#write.remove.run(room, re.seq);
    } else if (re.kind === "edit" && mayBeChange(body)) this.#edit(room, seq, re.seq, fields.text);
  }

  #edit(room: number, by: number, seq: number, text: string): void {
    this.#write.setEdit.run(room, seq, by);
    const row = this.#read.block.get(room, seq);
    const original = row === null ? undefined : entryIn(row, seq);
    const deleted = this.#write.change.get(room, seq)?.deleted === 1;
    // The author's nick is that of the message, whatever it is by now.
    if (original !== undefined && !deleted) this.#put(room, seq, text, readFields(original.body));
  }

  #put(room: number, seq: number, text: string, { from }: StoredFields): void {
    this.#write.put.run(room, seq, indexedTokens(foldText(text), from));
  }

  close(): void {
    this.#index.close();
    this.#log.close();
  }
}

function readStatements(log: Database) {
  return {
    source: log.prepare<{ cluster: string; epoch: string }, []>("SELECT cluster, epoch FROM cluster"),
    // Inboxes belong to one person each, and are not searched.
    rooms: log.prepare<{ id: number; first: number | null; last: number | null }, [number, number]>(
      `SELECT id, (SELECT seq - count + 1 FROM entries WHERE room = id ORDER BY seq LIMIT 1) AS first,
         (SELECT max(seq) FROM entries WHERE room = id) AS last
       FROM rooms WHERE id > ? AND name NOT LIKE '@%' ORDER BY id LIMIT ?`,
    ),
    first: log.prepare<{ seq: number | null }, [number]>(
      "SELECT seq - count + 1 AS seq FROM entries WHERE room = ? ORDER BY seq LIMIT 1",
    ),
    after: log.prepare<EntryRow, [number, number]>(
      "SELECT seq, at, count, body FROM entries WHERE room = ? AND seq > ? ORDER BY seq",
    ),
    block: log.prepare<EntryRow, [number, number]>(
      "SELECT seq, at, count, body FROM entries WHERE room = ? AND seq >= ? ORDER BY seq LIMIT 1",
    ),
  };
}

function writeStatements(index: Database) {
  return {
    source: index.prepare<{ cluster: string; epoch: string }, []>("SELECT cluster, epoch FROM source"),
    setSource: index.prepare<never, [string, string]>("REPLACE INTO source VALUES (1, ?, ?)"),
    room: index.prepare<{ low: number; high: number }, [number]>(
      "SELECT low, high FROM rooms WHERE room = ?",
    ),
    setRoom: index.prepare<never, [number, number, number]>("REPLACE INTO rooms VALUES (?, ?, ?)"),
    put: index.prepare<never, [number, number, string]>(
      "REPLACE INTO messages (rowid, tokens) VALUES ((?1 << 36) | ?2, ?3)",
    ),
    remove: index.prepare<never, [number, number]>("DELETE FROM messages WHERE rowid = ((?1 << 36) | ?2)"),
    change: index.prepare<{ deleted: number }, [number, number]>(
      "SELECT deleted FROM changes WHERE room = ? AND seq = ?",
    ),
    setEdit: index.prepare<never, [number, number, number]>(
      "INSERT INTO changes VALUES (?, ?, ?, 0) ON CONFLICT DO UPDATE SET edit = max(edit, excluded.edit)",
    ),
    setDeleted: index.prepare<never, [number, number]>(
      "INSERT INTO changes VALUES (?, ?, 0, 1) ON CONFLICT DO UPDATE SET deleted = 1",
    ),
    removeChanges: index.prepare<never, [number, number]>("DELETE FROM changes WHERE room = ? AND seq <= ?"),
  };
}
