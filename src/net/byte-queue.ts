/**
 * Bytes that wait for a kernel: a first-in-first-out queue of bytes in blocks of its own.
 *
 * What waits is copied in, because a slice of 64 bytes can keep a chunk of 512 KiB alive, and a reader that is slow for
 * a minute would then hold everything the process received in that minute. So a queue's memory is what it holds plus at
 * most one block.
 *
 * Invariant: `length` is the sum of the blocks' used parts; `peek` is empty only if the queue is.
 */
const SMALLEST_BLOCK = 4 * 1024;
const LARGEST_BLOCK = 64 * 1024;
const NEWLINE = 0x0a;
const NOTHING = new Uint8Array(0);

/** A queue of bytes. */
export class ByteQueue {
  #blocks: Uint8Array[] = [];
  /** Bytes of the first block that are gone. */
  #head = 0;
  /** Used bytes of the last block. */
  #tail = 0;
  #length = 0;

  /** Bytes in the queue. */
  get length(): number {
    return this.#length;
  }

  /** Copies `bytes` to the end. */
  append(bytes: Uint8Array): void {
    let from = 0;
    const last = this.#blocks.at(-1);
    if (last !== undefined && this.#tail < last.length) {
      const fits = Math.min(last.length - this.#tail, bytes.length);
      last.set(fits === bytes.length ? bytes : bytes.subarray(0, fits), this.#tail);
      this.#tail += fits;
      from = fits;
    }
    if (from < bytes.length) {
      const rest = from === 0 ? bytes : bytes.subarray(from);
      const size = Math.max(rest.length, Math.min(LARGEST_BLOCK, Math.max(SMALLEST_BLOCK, this.#length)));
      const block = Buffer.allocUnsafeSlow(size);
      block.set(rest);
      this.#blocks.push(block);
      this.#tail = rest.length;
    }
    this.#length += bytes.length;
  }

  /** The longest piece at the front that lies in one block; empty if the queue is. Valid until the next call. */
  peek(): Uint8Array {
    const first = this.#blocks[0];
    if (first === undefined) return NOTHING;
    return first.subarray(this.#head, this.#blocks.length === 1 ? this.#tail : first.length);
  }

  /** Drops `count` bytes from the front; `count` is at most the length of {@link peek}. */
  skip(count: number): void {
    this.#head += count;
    this.#length -= count;
    const first = this.#blocks[0];
    if (first === undefined) return;
    if (this.#length === 0) this.clear();
    else if (this.#head === first.length) {
      this.#blocks.shift();
      this.#head = 0;
    }
  }

  /** Drops everything after the first newline. A queue that holds no newline is left as it is. */
  keepFirstLine(): void {
    let kept = 0;
    for (const [index, block] of this.#blocks.entries()) {
      const start = index === 0 ? this.#head : 0;
      const end = index === this.#blocks.length - 1 ? this.#tail : block.length;
      const at = block.subarray(start, end).indexOf(NEWLINE);
      if (at !== -1) {
        this.#blocks.length = index + 1;
        this.#tail = start + at + 1;
        this.#length = kept + at + 1;
        return;
      }
      kept += end - start;
    }
  }

  /** Drops everything. */
  clear(): void {
    this.#blocks = [];
    this.#head = 0;
    this.#tail = 0;
    this.#length = 0;
  }
}
