/**
 * The idempotency keys of the newest entries, by hash, in memory.
 *
 * An index of keys in the file would dirty a page for nearly every entry, because keys are random; that would cost more
 * than the entries themselves. So the file only gets the hashes, appended in blocks when entries are moved, and the
 * keeper has them in memory. A hash has 64 bits with a seed that is the store's secret: among a million keys the chance
 * that a new one meets another's is 5 in 10^14.
 *
 * The window is a row of generations of a sixteenth each; the oldest is forgotten as a whole. Nearly every key asked for
 * is new, so what counts is finding nothing: one Bloom filter for all generations, with a bit a generation in each word,
 * says in three looks which generations may have the key. What was loaded from the file becomes a table only when the
 * filter first points at it; so a new keeper has a million keys in a few hundredths of a second.
 *
 * Invariants: at least the newest `window` keys are found; a table is at most half full.
 */
import { murmur32, xxHash32 } from "./hash.ts";
import type { Part } from "../../protocol/frames.ts";

const GENERATIONS = 16;
/** One key: u32 high, u32 low, f64 seq in blocks; u32 high, low, seq's low and high half in tables. */
const KEY_BYTES = 16;
const WORDS = 4;
/** Filter words a key: with three looks, one in 200 keys is looked for in a generation in vain. */
const FILTER_FACTOR = 16;
/** Bits of a filter word. */
const SLOTS = 32;
/** The high half of a seq that was taken back. */
const TAKEN_BACK = 0xffffffff;

/** A key's hash. Both parts zero never occurs. */
export interface KeyHash {
  high: number;
  low: number;
}

const powerOfTwo = (atLeast: number): number => 2 ** Math.ceil(Math.log2(Math.max(2, atLeast)));

/** Some keys: as blocks from the file until they are first looked into, then as an open-addressed table. */
class Generation {
  readonly #capacity: number;
  #blocks: Uint8Array[] = [];
  #table: Uint32Array | undefined;
  count = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Takes a block's keys as they are. */
  load(block: Uint8Array): void {
    this.#blocks.push(block);
    this.count += KeyBlock.keysIn(block.length);
  }

  #built(): Uint32Array {
    if (this.#table !== undefined) return this.#table;
    const table = new Uint32Array(powerOfTwo(Math.max(this.#capacity, this.count) * 2) * WORDS);
    this.#table = table;
    for (const block of this.#blocks) eachKey(block, (high, low, seq) => put(table, high, low, seq));
    this.#blocks = [];
    return table;
  }

  find(high: number, low: number): number {
    const table = this.#built();
    const at = slotOf(table, high, low);
    const upper = table[at + 3] ?? 0;
    return upper === TAKEN_BACK ? 0 : (table[at + 2] ?? 0) + upper * 4_294_967_296;
  }

  add(high: number, low: number, seq: number): void {
    put(this.#built(), high, low, seq);
    this.count += 1;
  }

  takeBack(high: number, low: number): void {
    const table = this.#built();
    const at = slotOf(table, high, low);
    if (table[at] === high && table[at + 1] === low) table[at + 3] = TAKEN_BACK;
  }
}

/** @returns where this hash is in a table, or would be */
function slotOf(table: Uint32Array, high: number, low: number): number {
  const mask = table.length - 1;
  for (let at = (low * WORDS) & mask; ; at = (at + WORDS) & mask) {
    const foundLow = table[at + 1];
    if (foundLow === low && table[at] === high) return at;
    if (foundLow === 0 && table[at] === 0) return at;
  }
}

function put(table: Uint32Array, high: number, low: number, seq: number): void {
  const at = slotOf(table, high, low);
  table[at] = high;
  table[at + 1] = low;
  table[at + 2] = seq;
  table[at + 3] = seq / 4_294_967_296;
}

function eachKey(block: Uint8Array, key: (high: number, low: number, seq: number) => void): void {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  for (let at = 0; at + KEY_BYTES <= block.length; at += KEY_BYTES) {
    key(view.getUint32(at, true), view.getUint32(at + 4, true), view.getFloat64(at + 8, true));
  }
}

export class KeyWindow {
  readonly #capacity: number;
  readonly #seed: number;
  readonly #filter: Uint32Array;
  /** Generations by their bit of the filter. */
  readonly #slots: (Generation | undefined)[] = Array.from({ length: SLOTS }, () => undefined);
  /** Bits in use, oldest first. */
  #order: number[] = [];
  /** The last result of {@link hash}: one object, because this is asked for every publish. */
  readonly #hash: KeyHash = { high: 0, low: 0 };

  /**
   * @param window keys found at least
   * @param seed the store's secret, 31 bits
   */
  constructor(window: number, seed: number) {
    this.#capacity = Math.max(1, Math.ceil(window / GENERATIONS));
    this.#seed = seed;
    this.#filter = new Uint32Array(powerOfTwo(this.#capacity * FILTER_FACTOR));
  }

  /** Hashes a key of a room. The result is valid until the next call. */
  hash(room: number, { buffer, start, length }: Part): KeyHash {
    const hash = this.#hash;
    hash.high = xxHash32(buffer, start, length, this.#seed ^ Math.imul(room, 0x9e3779b1));
    hash.low = murmur32(buffer, start, length, this.#seed + Math.imul(room, 0x85ebca6b));
    if (hash.high === 0 && hash.low === 0) hash.low = 1;
    return hash;
  }

  /** The bits of the generations that may have a key. */
  #candidates(high: number, low: number): number {
    const filter = this.#filter;
    const mask = filter.length - 1;
    const first = filter[low & mask] ?? 0;
    if (first === 0) return 0;
    return first & (filter[high & mask] ?? 0) & (filter[third(high, low) & mask] ?? 0);
  }

  #mark(bit: number, high: number, low: number): void {
    const filter = this.#filter;
    const mask = filter.length - 1;
    const flag = 1 << bit;
    filter[low & mask] = (filter[low & mask] ?? 0) | flag;
    filter[high & mask] = (filter[high & mask] ?? 0) | flag;
    const last = third(high, low) & mask;
    filter[last] = (filter[last] ?? 0) | flag;
  }

  /** @returns the seq it was added with, or 0 */
  find({ high, low }: KeyHash): number {
    let candidates = this.#candidates(high, low);
    while (candidates !== 0) {
      const bit = 31 - Math.clz32(candidates);
      const seq = this.#slots[bit]?.find(high, low) ?? 0;
      if (seq > 0) return seq;
      candidates &= ~(1 << bit);
    }
    return 0;
  }

  add(high: number, low: number, seq: number): void {
    const bit = this.#room();
    this.#slots[bit]?.add(high, low, seq);
    this.#mark(bit, high, low);
  }

  /** The bit of a generation that has room. */
  #room(): number {
    const newest = this.#order.at(-1);
    if (newest !== undefined && (this.#slots[newest]?.count ?? 0) < this.#capacity) return newest;
    const bit = newest === undefined ? 0 : (newest + 1) % SLOTS;
    this.#slots[bit] = new Generation(this.#capacity);
    this.#order.push(bit);
    if (this.#order.length > GENERATIONS + 1) this.#forget(this.#order.shift() ?? 0);
    return bit;
  }

  #forget(bit: number): void {
    this.#slots[bit] = undefined;
    const filter = this.#filter;
    const others = ~(1 << bit);
    for (let at = 0; at < filter.length; at += 1) filter[at] = (filter[at] ?? 0) & others;
  }

  /** Forgets a key that was added moments ago. */
  takeBack({ high, low }: KeyHash): void {
    for (const bit of this.#order.slice(-2)) this.#slots[bit]?.takeBack(high, low);
  }

  /** Adds what {@link KeyBlock} wrote. */
  load(block: Uint8Array): void {
    const bit = this.#room();
    this.#slots[bit]?.load(block);
    eachKey(block, (high, low) => this.#mark(bit, high, low));
  }
}

/** A third, independent enough, place in the filter. */
function third(high: number, low: number): number {
  return Math.imul(high ^ (low >>> 15) ^ (low << 11), 0x9e3779b1) >>> 7;
}

/** Collects hashes for one row of the `keys` table. */
export class KeyBlock {
  #bytes = Buffer.alloc(KEY_BYTES * 256);
  #length = 0;

  /** How many keys a stored block holds. */
  static keysIn(blockBytes: number): number {
    return Math.floor(blockBytes / KEY_BYTES);
  }

  add(high: number, low: number, seq: number): void {
    if (this.#length === this.#bytes.length) {
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#length)]);
    }
    this.#bytes.writeUInt32LE(high, this.#length);
    this.#bytes.writeUInt32LE(low, this.#length + 4);
    this.#bytes.writeDoubleLE(seq, this.#length + 8);
    this.#length += KEY_BYTES;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}
