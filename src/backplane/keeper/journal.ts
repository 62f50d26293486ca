/**
 * The journal's batches: the entries of one commit, of any rooms, in one blob.
 *
 *   a record: u32 room | f64 seq | f64 at | u32 key hash, high | u32 key hash, low | u32 length | body
 *
 * All little-endian. What the journal holds is also in memory, by room: at readers in a `JournalTail`, at the keeper, who
 * sees much more of it, in a `Tail` (tail.ts).
 */
import type { LogEntry } from "../backplane.ts";
import type { EntryOf } from "../cluster.ts";
import type { KeyHash } from "./key-window.ts";
import type { Part } from "../../protocol/frames.ts";

const RECORD = 32;

/** The fields of a record that begins at `at`. */
export const Record = {
  room: (bytes: Buffer, at: number): number => bytes.readUInt32LE(at),
  seq: (bytes: Buffer, at: number): number => bytes.readDoubleLE(at + 4),
  time: (bytes: Buffer, at: number): number => bytes.readDoubleLE(at + 12),
  high: (bytes: Buffer, at: number): number => bytes.readInt32LE(at + 20),
  low: (bytes: Buffer, at: number): number => bytes.readInt32LE(at + 24),
  /** Where its body begins. */
  body: (at: number): number => at + RECORD,
  /** Where its body ends, and the next record begins. */
  end: (bytes: Buffer, at: number): number => at + RECORD + bytes.readUInt32LE(at + 28),
} as const;

/** Bytes of a record with a body of so many. */
export const recordBytes = (bodyBytes: number): number => RECORD + bodyBytes;

/** Writes a record into a buffer that has room for it, and over which `view` is. */
export function writeRecord(
  buffer: Buffer,
  view: DataView,
  offset: number,
  room: number,
  { seq, at, body }: EntryOf<Part>,
  { high, low }: KeyHash,
): void {
  view.setUint32(offset, room, true);
  view.setFloat64(offset + 4, seq, true);
  view.setFloat64(offset + 12, at, true);
  view.setInt32(offset + 20, high, true);
  view.setInt32(offset + 24, low, true);
  view.setUint32(offset + 28, body.length, true);
  body.buffer.copy(buffer, offset + RECORD, body.start, body.start + body.length);
}

/** One record of a batch. */
export interface JournalRecord {
  readonly room: number;
  readonly entry: LogEntry;
  readonly key: KeyHash;
}

/** The records of a batch. Bodies are slices of it. */
export function* readBatch(batch: Uint8Array): Generator<JournalRecord> {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  for (let at = 0; at + RECORD <= batch.length;) {
    const end = at + RECORD + view.getUint32(at + 28, true);
    yield {
      room: view.getUint32(at, true),
      entry: {
        seq: view.getFloat64(at + 4, true),
        at: view.getFloat64(at + 12, true),
        body: batch.subarray(at + RECORD, end),
      },
      key: { high: view.getInt32(at + 20, true), low: view.getInt32(at + 24, true) },
    };
    at = end;
  }
}

/** The entries of a journal, by room, as a reader has them. Invariant: a room's entries are consecutive. */
export class JournalTail {
  readonly rooms = new Map<number, LogEntry[]>();

  add(room: number, entry: LogEntry): void {
    const entries = this.rooms.get(room);
    if (entries === undefined) this.rooms.set(room, [entry]);
    else entries.push(entry);
  }
}
