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
  /** Where both halves of the key's hash are, counted from `at`. */
  keyAt: 20,
  high: (bytes: Buffer, at: number): number => bytes.readInt32LE(at + 20),
  low: (bytes: Buffer, at: number): number => bytes.readInt32LE(at + 24),
  /** Where its body begins. */
  body: (at: number): number => at + RECORD,
  /** Where its body ends, and the next record begins. */
  end: (bytes: Buffer, at: number): number => at + RECORD + bytes.readUInt32LE(at + 28),
} as const;

/** Appends records to a buffer that is used again for each batch. */
export class JournalWriter {
  #buffer = Buffer.allocUnsafeSlow(64 * 1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(room: number, entry: EntryOf<Part>, key: KeyHash): void {
    const { seq, at, body } = entry;
    const needed = this.#length + RECORD + body.length;
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    const buffer = this.#buffer;
    let offset = buffer.writeUInt32LE(room, this.#length);
    offset = buffer.writeDoubleLE(seq, offset);
    offset = buffer.writeDoubleLE(at, offset);
    offset = buffer.writeInt32LE(key.high, offset);
    offset = buffer.writeInt32LE(key.low, offset);
    offset = buffer.writeUInt32LE(body.length, offset);
    body.buffer.copy(buffer, offset, body.start, body.start + body.length);
    this.#length = needed;
  }

  /** The batch so far, valid until the next `add`. */
  get batch(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** The batch so far, valid until the next `add`, which starts another. */
  take(): Buffer {
    const { batch } = this;
    this.#length = 0;
    return batch;
  }
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
