/**
 * One search: first the log's tail, which is not indexed yet, message by message; then the index.
 *
 * The index gives candidates from the newest down. Each is read from the log and looked at (protocol/sieve.ts), so what
 * is found is what is there: an index that is behind, or wrong, hides at most what it lacks, and invents nothing.
 *
 * Bounded: by the number and the bytes of what was found, by the messages of the tail, and by time. The answer says how
 * far it has come.
 */
import type { Database } from "bun:sqlite";
import type { LogEntry, SearchPage, SearchQuery } from "../../backplane.ts";
import { indexExpression } from "../../../protocol/search.ts";
import { readFields, Sieve } from "../../../protocol/sieve.ts";
import type { LastChange } from "../../../protocol/sieve.ts";
import type { LogReader } from "../reader.ts";

/** Entries read at once. */
const PART = 500;
const PART_BYTES = 1024 * 1024;

/** How far one search may go. */
export interface FinderLimits {
  /** Messages that are looked at without the help of the index. */
  readonly searchEntries: number;
  readonly searchMs: number;
}

export class Finder {
  readonly #query: SearchQuery;
  readonly #reader: LogReader;
  readonly #index: Statements | undefined;
  readonly #limits: FinderLimits;
  readonly #now: () => number;
  readonly #sieve: Sieve;
  readonly #found: LogEntry[] = [];
  #bytes = 0;
  /** Everything from here up has been looked at. */
  #from: number;
  #epoch = "";
  #first = 1;
  /** Up to this seq the index has the room, and what has changed in it. */
  #indexed = 0;
  #changeOf: (seq: number) => LastChange | undefined = () => undefined;

  /** @param now monotonic ms */
  constructor(
    query: SearchQuery,
    reader: LogReader,
    index: Statements | undefined,
    limits: FinderLimits,
    now: () => number,
  ) {
    this.#query = query;
    this.#reader = reader;
    this.#index = index;
    this.#limits = limits;
    this.#now = now;
    this.#sieve = new Sieve(query.wanted);
    this.#from = query.before;
  }

  /** @throws StoreProblem, SQLiteError */
  run(): SearchPage {
    // One view of the index, however much is indexed meanwhile.
    this.#index?.begin.run();
    try {
      return this.#run();
    } finally {
      this.#index?.end.run();
    }
  }

  #run(): SearchPage {
    const deadline = this.#now() + this.#limits.searchMs;
    const newest = this.#reader.page({ room: this.#query.room, limit: 0, maxBytes: 0 });
    this.#epoch = newest.epoch;
    this.#first = newest.first;
    const start = Math.min(this.#query.before, newest.last + 1);
    this.#from = start;
    const expression = indexExpression(this.#query.wanted);
    const room = this.#reader.roomNumber(this.#query.room);
    const index = this.#index?.source.get()?.epoch === newest.epoch ? this.#index : undefined;
    if (index !== undefined && room !== undefined) {
      this.#indexed = index.high.get(room)?.high ?? 0;
      this.#changeOf = (seq) => this.#changeIn(index, room, seq);
    }
    this.#noteAbove(start, newest.last);
    const floor = expression === undefined ? 0 : this.#indexed;
    this.#scan(floor, deadline);
    const candidatesFollow = index !== undefined && room !== undefined && expression !== undefined;
    if (candidatesFollow && this.#from <= floor + 1 && !this.#full) {
      this.#ask(index, room, expression, deadline);
    }
    const more = this.#from > this.#first;
    return {
      epoch: this.#epoch,
      entries: this.#found.sort((a, b) => a.seq - b.seq),
      looked: Math.max(0, start - Math.max(this.#from, this.#first)),
      ...(more ? { next: this.#from } : {}),
    };
  }

  get #full(): boolean {
    const { limit, maxBytes } = this.#query;
    return this.#found.length >= limit || (this.#bytes >= maxBytes && this.#found.length > 0);
  }

  /** What the part of the tail above says of messages below. */
  #noteAbove(start: number, last: number): void {
    let before = last + 1;
    const end = Math.max(start, this.#indexed + 1);
    while (before > end) {
      const { entries } = this.#read(before);
      for (const entry of entries.toReversed()) {
        if (entry.seq >= end) this.#sieve.note(entry);
        before = entry.seq;
      }
      if (entries.length === 0) return;
    }
  }

  #read(before: number) {
    return this.#reader.page({ room: this.#query.room, before, limit: PART, maxBytes: PART_BYTES });
  }

  /** Looks at messages down to above `floor`. */
  #scan(floor: number, deadline: number): void {
    let looked = 0;
    while (this.#from > Math.max(floor + 1, this.#first)) {
      if (looked >= this.#limits.searchEntries || this.#now() > deadline) return;
      const { entries } = this.#read(this.#from);
      if (entries.length === 0) {
        this.#from = this.#first;
        return;
      }
      for (const entry of entries.toReversed()) {
        if (entry.seq <= floor) break;
        looked += 1;
        this.#from = entry.seq;
        this.#take(entry);
        if (this.#full) return;
      }
    }
  }

  #take(entry: LogEntry): void {
    const known = entry.seq <= this.#indexed ? this.#changeOf(entry.seq) : undefined;
    const body = this.#sieve.look(entry, known);
    if (body === undefined) return;
    // A copy: it may be a part of a batch of the journal, and goes to another thread.
    this.#found.push({ seq: entry.seq, at: entry.at, body: body.slice() });
    this.#bytes += body.length;
  }

  /** Looks at what the index gives, and at what the tail has changed below itself. */
  #ask(index: Statements, room: number, expression: string, deadline: number): void {
    const changed = [...this.#sieve.changes.keys()].filter((seq) => seq < this.#from).sort((a, b) => b - a);
    const candidates = index.candidates.iterate(expression, room, this.#from);
    for (const seq of descending(candidates, changed)) {
      this.#from = seq + 1;
      if (this.#full || this.#now() > deadline) {
        // An unfinished statement would keep the index's snapshot.
        candidates.return?.();
        return;
      }
      const entry = this.#entry(seq);
      if (entry !== undefined) this.#take(entry);
    }
    this.#from = this.#first;
  }

  #entry(seq: number): LogEntry | undefined {
    const { room } = this.#query;
    return this.#reader.page({ room, after: seq - 1, before: seq + 1, limit: 1, maxBytes: 1 }).entries[0];
  }

  #changeIn(index: Statements, room: number, seq: number): LastChange | undefined {
    const change = index.change.get(room, seq);
    if (change === null) return undefined;
    const { edit, deleted } = change;
    const entry = edit === 0 ? undefined : this.#entry(edit);
    return {
      deleted: deleted === 1,
      by: edit,
      text: entry === undefined ? undefined : readFields(entry.body).text,
    };
  }
}

/** Two descending lists as one, without repeats. */
function* descending(rows: Iterable<{ readonly seq: number }>, others: readonly number[]): Generator<number> {
  let at = 0;
  for (const { seq } of rows) {
    for (let other = others[at]; other !== undefined && other >= seq; other = others[at]) {
      if (other > seq) yield other;
      at += 1;
    }
    yield seq;
  }
  yield* others.slice(at);
}

/** The statements of a search on an index. */
export type Statements = ReturnType<typeof searchStatements>;

export function searchStatements(index: Database) {
  return {
    begin: index.prepare<never, []>("BEGIN"),
    end: index.prepare<never, []>("COMMIT"),
    source: index.prepare<{ epoch: string }, []>("SELECT epoch FROM source"),
    high: index.prepare<{ high: number }, [number]>("SELECT high FROM rooms WHERE room = ?"),
    change: index.prepare<{ edit: number; deleted: number }, [number, number]>(
      "SELECT edit, deleted FROM changes WHERE room = ? AND seq = ?",
    ),
    candidates: index.prepare<{ seq: number }, [string, number, number]>(
      `SELECT rowid & 68719476735 AS seq FROM messages
       WHERE messages MATCH ?1 AND rowid >= (?2 << 36) AND rowid < ((?2 << 36) | ?3) ORDER BY rowid DESC`,
    ),
  };
}
