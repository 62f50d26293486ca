/**
 * The idempotency keys of the newest entries, by hash, in memory.
 *
 * An index of keys in the file would dirty a page for nearly every entry, because keys are random; that would cost more
 * than the entries themselves. So the file only gets the hashes, appended in blocks when entries are moved, and the
 * keeper has them in memory. A hash has 64 bits with a seed that is the store's secret: among a million keys the chance
 * that a new one meets another's is 5 in 10^14.
 *
 * Keys lie in a ring, in which the newest takes the place of the oldest. A table says where: its lines are as long as the
 * processor's cache lines, because what a look-up costs is the memory it has to wait for, and nearly every key asked for
 * is new. So that one line answers, a place also has some bits of the hash, and a number that tells by itself whether the
 * ring has gone past it, so that the place is free. A key whose line is full goes to the next one, and its own line keeps
 * the number of the newest such key: as long as that is in the ring, whoever looks here has to look there too.
 *
 * Invariants: the ring is longer than `window`; the table has nearly twice as many places; each line is swept at least once
 * while the ring goes round, so no number is old enough to be taken for a new one.
 */
import { murmur32, xxHash32 } from "./hash.ts";
import type { Part } from "../../protocol/frames.ts";

/** One key, in blocks and in the ring: u32 high, u32 low, f64 seq, little-endian as every processor that Bun runs on. */
const KEY_BYTES = 16;
const WORDS = 4;
/** Words of a line, 64 bytes: places, and the number of the newest key that found none. */
const LINE = 16;
const FULL = LINE - 1;
/** Numbers go round after so many times the ring. */
const ROUNDS = 4;
/** A line is swept for so many keys: the table has a line for every eight. */
const SWEEP_EACH = 4;
/** Keys of a block that are loaded together: their lines fit into the processor's first cache. */
const LOADED = 256;
/** A key's hash: two signed words. */
export interface KeyHash {
  high: number;
  low: number;
}

export class KeyWindow {
  readonly #seed: number;
  readonly #ring: Int32Array;
  /** The same memory. */
  readonly #bytes: Uint8Array;
  readonly #seqs: Float64Array;
  /** Each place 0, or a key's number below some bits of its hash. */
  readonly #table: Int32Array;
  /** Bits of a number, and of a place in the ring. */
  readonly #numbers: number;
  readonly #places: number;
  /** Number of the newest key. Never 0, which with no bits of a hash would be a free place. */
  #newest = 0;
  /** The ring has been gone round: there may be something to sweep. */
  #isRound = false;
  /** Where the next line to sweep begins. */
  #swept = 0;
  /** What {@link touch} has seen: means nothing, but has to be kept, or the engine would leave the looking out. */
  touched = 0;
  /** The last result of {@link hash}: one object, because this is asked for every publish. */
  readonly #hash: KeyHash = { high: 0, low: 0 };

  /**
   * @param window keys found at least
   * @param seed the store's secret, 31 bits
   */
  constructor(window: number, seed: number) {
    this.#seed = seed;
    const length = 2 ** Math.ceil(Math.log2(Math.max(LINE, window + 2)));
    this.#ring = new Int32Array(length * WORDS);
    this.#bytes = new Uint8Array(this.#ring.buffer);
    this.#seqs = new Float64Array(this.#ring.buffer);
    this.#table = new Int32Array(length * 2);
    this.#places = length - 1;
    this.#numbers = length * ROUNDS - 1;
  }

  /** Hashes a key of a room. The result is valid until the next call. */
  hash(room: number, { buffer, start, length }: Part): KeyHash {
    const hash = this.#hash;
    hash.high = xxHash32(buffer, start, length, this.#seed ^ Math.imul(room, 0x9e3779b1));
    hash.low = murmur32(buffer, start, length, this.#seed + Math.imul(room, 0x85ebca6b));
    // As files of earlier versions have it.
    if (hash.high === 0 && hash.low === 0) hash.low = 1;
    return hash;
  }

  /** Whether the ring has gone past a key. */
  #isPast(number: number): boolean {
    return ((this.#newest - number) & this.#numbers) > this.#places;
  }

  /** The seq of the key that begins there; 0 if it was taken back. */
  #seqAt(key: number): number {
    return this.#seqs[key / 2 + 1] ?? 0;
  }

  /** @returns where in the ring a key begins, or -1 */
  #find(high: number, low: number): number {
    const table = this.#table;
    const ring = this.#ring;
    const others = ~this.#numbers;
    const end = table.length - 1;
    let line = (low * LINE) & end;
    for (let walked = 0; walked < table.length; walked += LINE) {
      for (let at = line; at < line + FULL; at += 1) {
        const place = table[at] ?? 0;
        if (((place ^ high) & others) !== 0) continue;
        const key = (place & this.#places) * WORDS;
        if (ring[key + 1] === low && ring[key] === high && this.#seqAt(key) !== 0) return key;
      }
      const newest = table[line + FULL] ?? 0;
      if (newest === 0 || this.#isPast(newest)) break;
      line = (line + LINE) & end;
    }
    return -1;
  }

  /**
   * Looks at the lines of keys that will be asked for, without asking: all at once, where a look-up waits for its own.
   * @param hashes high and low of each
   */
  touch(hashes: Int32Array, count: number): void {
    this.#look(hashes, 1, 1 + count * 2, 2);
  }

  /** @param words with the low half of a hash at each `step` from `from` until before `to` */
  #look(words: Int32Array, from: number, to: number, step: number): void {
    const table = this.#table;
    const end = table.length - 1;
    let seen = 0;
    for (let at = from; at < to; at += step) seen ^= table[((words[at] ?? 0) * LINE) & end] ?? 0;
    this.touched = seen;
  }

  /** @returns the seq it was added with, or 0 */
  find({ high, low }: KeyHash): number {
    const key = this.#find(high, low);
    return key === -1 ? 0 : this.#seqAt(key);
  }

  /** Adds a key that is not there. */
  add(high: number, low: number, seq: number): void {
    const number = (this.#newest + 1) & this.#numbers || 1;
    const key = (number & this.#places) * WORDS;
    this.#ring[key] = high;
    this.#ring[key + 1] = low;
    this.#seqs[key / 2 + 1] = seq;
    this.#place(number, high, low);
  }

  /** Finds a place for the newest key, which is in the ring already. */
  #place(number: number, high: number, low: number): void {
    const table = this.#table;
    this.#newest = number;
    const place = (high & ~this.#numbers) | number;
    for (let line = (low * LINE) & (table.length - 1); ; line = (line + LINE) & (table.length - 1)) {
      const at = this.#freeIn(line);
      if (at !== -1) {
        table[at] = place;
        break;
      }
      table[line + FULL] = number;
    }
    if (number > this.#places) this.#isRound = true;
    if (this.#isRound && number % SWEEP_EACH === 0) this.#sweep();
  }

  /** @returns a free place of a line, or -1 */
  #freeIn(line: number): number {
    const table = this.#table;
    for (let at = line; at < line + FULL; at += 1) {
      const place = table[at] ?? 0;
      if (place === 0 || this.#isPast(place)) return at;
    }
    return -1;
  }

  /** Frees what is past in one line. */
  #sweep(): void {
    const table = this.#table;
    const line = this.#swept;
    this.#swept = (line + LINE) & (table.length - 1);
    for (let at = line; at < line + LINE; at += 1) {
      const place = table[at] ?? 0;
      if (place !== 0 && this.#isPast(place)) table[at] = 0;
    }
  }

  /** Forgets a key that was added moments ago. */
  takeBack({ high, low }: KeyHash): void {
    const key = this.#find(high, low);
    if (key !== -1) this.#seqs[key / 2 + 1] = 0;
  }

  /** Adds a row of the `keys` table: what the tail made of the keys of a round. */
  load(block: Uint8Array): void {
    const end = keysIn(block.length) * KEY_BYTES;
    for (let from = 0; from < end;) {
      const first = (this.#newest + 1) & this.#numbers || 1;
      const start = first & this.#places;
      // As many as fit into the ring before it begins again, which is also where numbers do.
      const bytes = Math.min(LOADED * KEY_BYTES, end - from, (this.#places + 1 - start) * KEY_BYTES);
      this.#bytes.set(block.subarray(from, from + bytes), start * KEY_BYTES);
      this.#loaded(first, bytes / KEY_BYTES);
      from += bytes;
    }
  }

  /** Finds places for keys that are in the ring already. */
  #loaded(first: number, count: number): void {
    const ring = this.#ring;
    const start = (first & this.#places) * WORDS;
    this.#look(ring, start + 1, start + count * WORDS, WORDS);
    for (let index = 0; index < count; index += 1) {
      const key = start + index * WORDS;
      this.#place(first + index, ring[key] ?? 0, ring[key + 1] ?? 0);
    }
  }
}

/** How many keys a row of the `keys` table holds. */
export function keysIn(blockBytes: number): number {
  return Math.floor(blockBytes / KEY_BYTES);
}
