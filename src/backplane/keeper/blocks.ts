/**
 * Rows of the `entries` table: each holds consecutive entries of a room, so that SQLite is asked once for many.
 *
 * A row is named by its newest entry: `seq` and `at` are that entry's, `count` is how many there are. A single entry's
 * body is the row's body as it is. Several are
 *
 *   f64 at | u32 length | body
 *
 * each, the oldest first, little-endian. How many come together depends on how many a round of moving finds of a room: a
 * busy room has long blocks, a quiet one single entries.
 */
import { grown } from "../../protocol/grown.ts";
import type { LogEntry } from "../backplane.ts";

/** A row of the `entries` table, without its room. */
export interface EntryRow {
  readonly seq: number;
  readonly at: number;
  readonly count: number;
  readonly body: Uint8Array;
}

/** Bytes before each body in a block. */
export const ENTRY_HEAD = 12;

/** The seq of a row's oldest entry. */
export const firstOf = ({ seq, count }: Pick<EntryRow, "seq" | "count">): number => seq - count + 1;

/** The entries of a row, the oldest first. Bodies are slices of the row's. @throws RangeError for a damaged row */
export function entriesOf({ seq, at, count, body }: EntryRow): LogEntry[] {
  if (count === 1) return [{ seq, at, body }];
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const entries: LogEntry[] = [];
  let offset = 0;
  for (let next = seq - count + 1; next <= seq; next += 1) {
    const start = offset + ENTRY_HEAD;
    const end = start + view.getUint32(offset + 8, true);
    if (end > body.length) throw new RangeError(`the block of entries up to ${seq} is cut short`);
    entries.push({ seq: next, at: view.getFloat64(offset, true), body: body.subarray(start, end) });
    offset = end;
  }
  return entries;
}

/** One entry of a row that holds it. @throws RangeError for a damaged row */
export function entryIn(row: EntryRow, seq: number): LogEntry | undefined {
  return entriesOf(row)[seq - firstOf(row)];
}

/** What is left of a row that holds `seq` and more, without the entries up to that. @throws RangeError if damaged */
export function after(row: EntryRow, seq: number): EntryRow {
  const count = row.seq - seq;
  const [oldest] = entriesOf(row).slice(-count);
  if (oldest === undefined) throw new RangeError(`nothing is left of the block up to ${row.seq}`);
  const head = count === 1 ? 0 : ENTRY_HEAD;
  const start = oldest.body.byteOffset - row.body.byteOffset - head;
  return { seq: row.seq, at: row.at, count, body: row.body.subarray(start) };
}

/** Puts entries one behind the other, in memory that is used again for each block. */
export class BlockWriter {
  #buffer = Buffer.allocUnsafeSlow(16 * 1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds an entry whose body is a part of `source`. */
  add(at: number, source: Buffer, start: number, end: number): void {
    const needed = this.#length + ENTRY_HEAD + end - start;
    if (needed > this.#buffer.length) this.#buffer = grown(this.#buffer, this.#length, needed);
    const offset = this.#buffer.writeDoubleLE(at, this.#length);
    source.copy(this.#buffer, this.#buffer.writeUInt32LE(end - start, offset), start, end);
    this.#length = needed;
  }

  /** The block so far, valid until the next `add`, which starts another. */
  take(): Uint8Array {
    const block = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    return block;
  }
}
