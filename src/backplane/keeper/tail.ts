/**
 * What the keeper has in memory of the journal: the batches' bytes one behind the other, and where in them each room's
 * entries are.
 *
 * The entries of the running transaction are written at the end, where they stay: what is there of them is the batch of
 * the commit. So a body is copied once on its way to SQLite.
 *
 * Nothing of it is an object an entry: thousands come in a turn, and each would be looked at by the garbage collector
 * until it is moved, as would the chunk of the socket that its body is a slice of.
 *
 * Invariant: a room's places are of consecutive entries, the oldest first.
 */
import type { EntryOf } from "../cluster.ts";
import { Record, recordBytes, writeRecord } from "./journal.ts";
import type { KeyHash } from "./key-window.ts";
import type { Part } from "../../protocol/frames.ts";
import { grown } from "../../protocol/grown.ts";

/** A room's entries: the seq of the first, and where in the bytes each one's record is. */
export interface Places {
  readonly first: number;
  readonly at: number[];
}

/** Memory that grew beyond this is not kept. */
const KEEP_BYTES = 4 * 1024 * 1024;

export class Tail {
  readonly rooms = new Map<number, Places>();
  /** Entries, and bytes of all their records. */
  count = 0;
  length = 0;
  #bytes: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  #view = viewOf(this.#bytes);
  /** The same without the running transaction. */
  #committed = { count: 0, length: 0 };

  /** Forgets everything but the memory it was in: the next round's entries go where the last one's have been. */
  clear(): void {
    this.rooms.clear();
    this.count = 0;
    this.length = 0;
    this.#committed = { count: 0, length: 0 };
    if (this.#bytes.length > KEEP_BYTES) this.#keep(Buffer.allocUnsafeSlow(KEEP_BYTES));
  }

  #keep(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  /** Makes room at the end. @returns where it begins */
  #grow(by: number): number {
    const { length } = this;
    const needed = length + by;
    if (needed > this.#bytes.length) this.#keep(grown(this.#bytes, length, needed));
    this.length = needed;
    return length;
  }

  #index(room: number, seq: number, at: number): void {
    const places = this.rooms.get(room);
    if (places === undefined) this.rooms.set(room, { first: seq, at: [at] });
    else places.at.push(at);
    this.count += 1;
  }

  /** Takes a copy of a batch that is committed. */
  load(batch: Uint8Array): void {
    const start = this.#grow(batch.length);
    const bytes = this.#bytes;
    bytes.set(batch, start);
    for (let at = start; at < this.length; at = Record.end(bytes, at)) {
      this.#index(Record.room(bytes, at), Record.seq(bytes, at), at);
    }
    this.commit();
  }

  /** Adds an entry of the running transaction. */
  add(room: number, entry: EntryOf<Part>, key: KeyHash): void {
    const at = this.#grow(recordBytes(entry.body.length));
    writeRecord(this.#bytes, this.#view, at, room, entry, key);
    this.#index(room, entry.seq, at);
  }

  /** The entries of the running transaction. Valid until the next `add`. */
  get batch(): Buffer {
    return this.#bytes.subarray(this.#committed.length, this.length);
  }

  /** What was added stays. */
  commit(): void {
    this.#committed.count = this.count;
    this.#committed.length = this.length;
  }

  /** What was added since `commit` was never there. */
  rollback(): void {
    const { count, length } = this.#committed;
    const bytes = this.#bytes;
    for (let at = length; at < this.length; at = Record.end(bytes, at)) {
      const room = Record.room(bytes, at);
      const places = this.rooms.get(room)?.at ?? [];
      while ((places.at(-1) ?? -1) >= length) places.pop();
      if (places.length === 0) this.rooms.delete(room);
    }
    this.count = count;
    this.length = length;
  }

  /** The records, for {@link Record}. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** When an entry was published; undefined if it is not here. */
  timeOf(room: number, seq: number): number | undefined {
    const places = this.rooms.get(room);
    const at = places?.at[seq - places.first];
    return at === undefined ? undefined : Record.time(this.#bytes, at);
  }

  /** A room's newest entry, if any is here. */
  newest(room: number): { readonly seq: number; readonly at: number } | undefined {
    const at = this.rooms.get(room)?.at.at(-1);
    return at === undefined
      ? undefined
      : { seq: Record.seq(this.#bytes, at), at: Record.time(this.#bytes, at) };
  }

  /** The hashes of all keys, as key-window.ts stores them. */
  keys(): Uint8Array {
    const block = Buffer.allocUnsafeSlow(this.count * 16);
    const bytes = this.#bytes;
    let to = 0;
    for (let at = 0; at < this.length; at = Record.end(bytes, at)) {
      to = block.writeInt32LE(Record.high(bytes, at), to);
      to = block.writeInt32LE(Record.low(bytes, at), to);
      to = block.writeDoubleLE(Record.seq(bytes, at), to);
    }
    return block;
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
