/**
 * The idempotency keys of the newest entries, by hash, in memory.
 *
 * An index of keys in the file would dirty a page for nearly every entry, because keys are random; that would cost more
 * than the entries themselves. So the file only gets the hashes, appended in blocks when entries are moved, and the
 * keeper has them in open-addressed tables. A hash has 64 bits with a seed that is the store's secret: among a million
 * keys the chance that a new one meets another's is 5 in 10^14.
 *
 * The window is a row of generations of a sixteenth each; the oldest is forgotten as a whole. Invariant: at least the
 * newest `window` keys are found; a generation is at most half full.
 */
const GENERATIONS = 16;
const SLOT_BYTES = 16;

/** A key's hash. Both parts zero never occurs. */
export interface KeyHash {
  high: number;
  low: number;
}

class Generation {
  readonly #mask: number;
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  /** 0 for a free slot, −1 for one that was taken back. */
  readonly #seq: Float64Array;
  count = 0;

  constructor(capacity: number) {
    const slots = 2 ** Math.ceil(Math.log2(capacity * 2));
    this.#mask = slots - 1;
    this.#high = new Uint32Array(slots);
    this.#low = new Uint32Array(slots);
    this.#seq = new Float64Array(slots);
  }

  /** @returns the slot of this hash, or −1 − the free slot where it would go */
  #slot(high: number, low: number): number {
    for (let slot = low & this.#mask; ; slot = (slot + 1) & this.#mask) {
      if (this.#seq[slot] === 0) return -1 - slot;
      if (this.#low[slot] === low && this.#high[slot] === high) return slot;
    }
  }

  find(high: number, low: number): number {
    const slot = this.#slot(high, low);
    return slot < 0 ? 0 : Math.max(0, this.#seq[slot] ?? 0);
  }

  add(high: number, low: number, seq: number): void {
    const found = this.#slot(high, low);
    const slot = found < 0 ? -1 - found : found;
    this.#high[slot] = high;
    this.#low[slot] = low;
    this.#seq[slot] = seq;
    if (found < 0) this.count += 1;
  }

  takeBack(high: number, low: number): void {
    const slot = this.#slot(high, low);
    if (slot >= 0) this.#seq[slot] = -1;
  }
}

export class KeyWindow {
  readonly #capacity: number;
  readonly #seed: number;
  #generations: Generation[] = [];
  /** The last result of {@link hash}: one object, because this is asked for every publish. */
  readonly #hash: KeyHash = { high: 0, low: 0 };

  /**
   * @param window keys found at least
   * @param seed the store's secret, 31 bits
   */
  constructor(window: number, seed: number) {
    this.#capacity = Math.max(1, Math.ceil(window / GENERATIONS));
    this.#seed = seed;
  }

  /** Hashes a key of a room. The result is valid until the next call. */
  hash(room: number, key: string): KeyHash {
    const hash = this.#hash;
    hash.high = Bun.hash.xxHash32(key, (this.#seed ^ Math.imul(room, 0x9e3779b1)) >>> 0);
    hash.low = Bun.hash.murmur32v3(key, (this.#seed + Math.imul(room, 0x85ebca6b)) >>> 0);
    if (hash.high === 0 && hash.low === 0) hash.low = 1;
    return hash;
  }

  /** @returns the seq it was added with, or 0 */
  find({ high, low }: KeyHash): number {
    for (const generation of this.#generations) {
      const seq = generation.find(high, low);
      if (seq > 0) return seq;
    }
    return 0;
  }

  add(high: number, low: number, seq: number): void {
    let newest = this.#generations[0];
    if (newest === undefined || newest.count >= this.#capacity) {
      newest = new Generation(this.#capacity);
      this.#generations = [newest, ...this.#generations.slice(0, GENERATIONS)];
    }
    newest.add(high, low, seq);
  }

  /** Forgets a key that was added moments ago. */
  takeBack({ high, low }: KeyHash): void {
    for (const generation of this.#generations.slice(0, 2)) generation.takeBack(high, low);
  }

  /** Adds what {@link KeyBlock} wrote. */
  load(block: Uint8Array): void {
    const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
    for (let at = 0; at + SLOT_BYTES <= block.length; at += SLOT_BYTES) {
      this.add(view.getUint32(at, true), view.getUint32(at + 4, true), view.getFloat64(at + 8, true));
    }
  }
}

/** Collects hashes for one row of the `keys` table. */
export class KeyBlock {
  #bytes = Buffer.alloc(SLOT_BYTES * 256);
  #length = 0;

  /** How many keys a stored block holds. */
  static keysIn(blockBytes: number): number {
    return Math.floor(blockBytes / SLOT_BYTES);
  }

  add(high: number, low: number, seq: number): void {
    if (this.#length === this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#length)]);
    this.#bytes.writeUInt32LE(high, this.#length);
    this.#bytes.writeUInt32LE(low, this.#length + 4);
    this.#bytes.writeDoubleLE(seq, this.#length + 8);
    this.#length += SLOT_BYTES;
  }

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}
