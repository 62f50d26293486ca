/**
 * The hashes of the keys of a frame's publishes, before the first of them is served.
 *
 * Whether a key is known costs one look at memory that is in no cache (key-window.ts), a tenth of a microsecond each. The
 * processor waits for several at the same time, if nothing between them depends on what it finds; so all lines that a
 * frame's publishes need are looked at first, in a loop that does nothing else.
 *
 * Nothing depends on a hash being here: what was not foreseen is hashed when it is asked for.
 */
import type { KeyHash, KeyWindow } from "./key-window.ts";
import type { Part } from "../../protocol/frames.ts";

/** Keys of one frame: more than a usual one has (keeperLimits.publishesBytes). */
const MOST = 512;

export class KeysAhead {
  readonly #keys: KeyWindow;
  #buffer: Buffer | undefined;
  readonly #rooms = new Float64Array(MOST);
  readonly #starts = new Int32Array(MOST);
  /** High and low of each. */
  readonly #hashes = new Int32Array(MOST * 2);
  #count = 0;
  #next = 0;
  /** The last result of {@link of}. */
  readonly #hash: KeyHash = { high: 0, low: 0 };

  constructor(keys: KeyWindow) {
    this.#keys = keys;
  }

  /** Another frame, in this buffer. */
  begin(buffer: Buffer): void {
    this.#buffer = buffer;
    this.#count = 0;
    this.#next = 0;
  }

  /** There is no room for another key. */
  get isFull(): boolean {
    return this.#count >= MOST;
  }

  /** A key that will be asked for, after those before it. */
  add(room: number, key: Part): void {
    const count = this.#count;
    if (count >= MOST) return;
    const { high, low } = this.#keys.hash(room, key);
    this.#rooms[count] = room;
    this.#starts[count] = key.start;
    this.#hashes[count * 2] = high;
    this.#hashes[count * 2 + 1] = low;
    this.#count = count + 1;
  }

  /** All have been added. */
  look(): void {
    this.#keys.touch(this.#hashes, this.#count);
  }

  /** A key's hash. Valid until the next call. */
  of(room: number, key: Part): KeyHash {
    const next = this.#next;
    const foreseen =
      next < this.#count &&
      this.#starts[next] === key.start &&
      this.#rooms[next] === room &&
      this.#buffer === key.buffer;
    if (!foreseen) return this.#keys.hash(room, key);
    this.#next = next + 1;
    const hash = this.#hash;
    hash.high = this.#hashes[next * 2] ?? 0;
    hash.low = this.#hashes[next * 2 + 1] ?? 0;
    return hash;
  }
}
