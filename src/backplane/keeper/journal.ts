/**
 * The journal's batches: the entries of one commit, of any rooms, in one blob.
 *
 *   a record: u32 room | f64 seq | f64 at | u32 key hash, high | u32 key hash, low | u32 length | body
 *
 * All little-endian. `JournalTail` is what the journal holds, by room, as the keeper and every reader have it in memory:
 * the newest entries of each room, not yet in the `entries` table.
 */
import type { LogEntry } from "../backplane.ts";
import type { KeyHash } from "./key-window.ts";

const RECORD = 32;

/** Appends records to a buffer that is used again for each batch. */
export class JournalWriter {
  #buffer = Buffer.allocUnsafeSlow(64 * 1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(room: number, entry: LogEntry, key: KeyHash): void {
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
    offset = buffer.writeUInt32LE(key.high, offset);
    offset = buffer.writeUInt32LE(key.low, offset);
    offset = buffer.writeUInt32LE(body.length, offset);
    buffer.set(body, offset);
    this.#length = needed;
  }

  /** The batch so far, valid until the next `add`, which starts another. */
  take(): Uint8Array {
    const batch = this.#buffer.subarray(0, this.#length);
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
      key: { high: view.getUint32(at + 20, true), low: view.getUint32(at + 24, true) },
    };
    at = end;
  }
}

/** The entries of a journal, by room. Invariant: a room's entries are consecutive. */
export class JournalTail {
  readonly rooms = new Map<number, LogEntry[]>();
  count = 0;
  bytes = 0;

  add(room: number, entry: LogEntry): void {
    const entries = this.rooms.get(room);
    if (entries === undefined) this.rooms.set(room, [entry]);
    else entries.push(entry);
    this.count += 1;
    this.bytes += entry.body.length;
  }

  /** One entry, if it is here. */
  find(room: number, seq: number): LogEntry | undefined {
    const entries = this.rooms.get(room);
    const first = entries?.[0];
    return first === undefined ? undefined : entries?.[seq - first.seq];
  }
}
