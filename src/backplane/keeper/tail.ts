/**
 * What the keeper has in memory of the journal: the batches' bytes one behind the other, and where in them each room's
 * entries are.
 *
 * Nothing of it is an object an entry: thousands come in a turn, and each would be looked at by the garbage collector
 * until it is moved, as would the chunk of the socket that its body is a slice of.
 *
 * Invariant: a room's places are of consecutive entries, the oldest first.
 */
import { Record } from "./journal.ts";

/** A room's entries: the seq of the first, and where in the bytes each one's record is. */
export interface Places {
  readonly first: number;
  readonly at: number[];
}

/** Memory that grew beyond this is not kept. */
const KEEP_BYTES = 4 * 1024 * 1024;

export class Tail {
  readonly rooms = new Map<number, Places>();
  count = 0;
  #bytes = Buffer.allocUnsafeSlow(64 * 1024);
  #length = 0;

  /** Bytes of all records. */
  get length(): number {
    return this.#length;
  }

  /** Forgets everything but the memory it was in: the next round's entries go where the last one's have been. */
  clear(): void {
    this.rooms.clear();
    this.count = 0;
    this.#length = 0;
    if (this.#bytes.length > KEEP_BYTES) this.#bytes = Buffer.allocUnsafeSlow(KEEP_BYTES);
  }

  /** Takes a copy of a batch. */
  add(batch: Uint8Array): void {
    const needed = this.#length + batch.length;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(batch, this.#length);
    const bytes = this.#bytes;
    for (let at = this.#length; at < needed; at = Record.end(bytes, at)) {
      const room = Record.room(bytes, at);
      const places = this.rooms.get(room);
      if (places === undefined) this.rooms.set(room, { first: Record.seq(bytes, at), at: [at] });
      else places.at.push(at);
      this.count += 1;
    }
    this.#length = needed;
  }

  /** The records, for {@link Record}. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** When an entry was committed; undefined if it is not here. */
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
    for (let at = 0; at < this.#length; at = Record.end(bytes, at)) {
      // Two halves of a hash, in both in the same order.
      bytes.copy(block, to, at + Record.keyAt, at + Record.keyAt + 8);
      to = block.writeDoubleLE(Record.seq(bytes, at), to + 8);
    }
    return block;
  }
}
