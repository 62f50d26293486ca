/**
 * Line framing over bytes.
 *
 * A TCP stream is cut anywhere: in the middle of a line, of a character, of a `\r\n`. This splitter finds whole lines
 * and gives each as a slice of what came in, without decoding it; only a line that spans chunks is copied: its beginning
 * is held in one block that grows, because a stranger who sends a byte at a time must not cost an object a byte.
 *
 * Invariant: `held` is the length of the incomplete line, and never exceeds the limit; the concatenation of all lines
 * given, with their newlines, plus what is held, is the concatenation of all chunks pushed. A line over the limit ends
 * that: every line before it is given, nothing after it is looked at, however the stream was cut.
 */
import { clientLimits } from "./limits.ts";

const NEWLINE = 0x0a;
const NOTHING = new Uint8Array(0);

/** Finds newline-terminated lines in a stream of chunks. */
export class LineSplitter {
  /** Below zero once a line was over it: nothing fits any more, and no chunk is checked for that beside its length. */
  #limit: number;
  /** Begins with the `#held` bytes of the incomplete line. */
  #block: Uint8Array = NOTHING;
  #held = 0;

  /** @param limit most bytes of a line, its newline not counted */
  constructor(limit: number = clientLimits.lineBytes) {
    this.#limit = limit;
  }

  /** Bytes of the incomplete line. */
  get held(): number {
    return this.#held;
  }

  /** A line was over the limit: the stream is beyond repair, and further chunks are ignored. */
  get isBroken(): boolean {
    return this.#limit < 0;
  }

  /**
   * Takes a chunk and gives its whole lines as one slice (each line with its `\n`), or undefined if it completes none.
   * Several lines stay together, because an edge forwards them together. The chunk must not be changed afterwards.
   * Look at {@link isBroken} after each: lines that came before one over the limit are given all the same.
   */
  push(chunk: Uint8Array): Uint8Array | undefined {
    const last = chunk.lastIndexOf(NEWLINE);
    if (last === -1) {
      if (this.#held + chunk.length > this.#limit) return this.#break(chunk, 0);
      this.#hold(chunk);
      return undefined;
    }
    if (this.#held + chunk.length > this.#limit) {
      const good = this.#goodUntil(chunk, last);
      if (good !== undefined) return this.#break(chunk, good);
    }
    const rest = chunk.length - last - 1;
    const lines = this.#join(rest === 0 ? chunk : chunk.subarray(0, last + 1));
    if (rest > 0) this.#hold(chunk.subarray(last + 1));
    return lines;
  }

  /** Copied: a slice would keep a chunk of up to 512 KiB alive for a few bytes of a slow writer. */
  #hold(bytes: Uint8Array): void {
    const held = this.#held + bytes.length;
    if (held > this.#block.length) {
      // A plain array, see grown.ts.
      const longer = new Uint8Array(Math.max(held, Math.min(this.#held * 2, this.#limit)));
      longer.set(this.#block.subarray(0, this.#held));
      this.#block = longer;
    }
    this.#block.set(bytes, this.#held);
    this.#held = held;
  }

  /** Puts what is held before the lines that complete it, and holds it no more. */
  #join(lines: Uint8Array): Uint8Array {
    if (this.#held === 0) return lines;
    const whole = new Uint8Array(this.#held + lines.length);
    whole.set(this.#block.subarray(0, this.#held));
    whole.set(lines, this.#held);
    this.#block = NOTHING;
    this.#held = 0;
    return whole;
  }

  /** Gives the lines up to `end`, and lets go of everything else. */
  #break(chunk: Uint8Array, end: number): Uint8Array | undefined {
    if (this.isBroken) return undefined;
    const lines = end === 0 ? undefined : this.#join(chunk.subarray(0, end));
    this.#limit = -1;
    this.#block = NOTHING;
    this.#held = 0;
    return lines;
  }

  /** Where the lines before the first over the limit end; undefined if the beginning of the next fits as well. */
  #goodUntil(chunk: Uint8Array, last: number): number | undefined {
    let start = -this.#held;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) {
      if (at - start > this.#limit) return Math.max(0, start);
      start = at + 1;
      if (at === last) break;
    }
    return chunk.length - start > this.#limit ? start : undefined;
  }
}

/** How many lines a slice of whole lines holds. */
export function countLines(lines: Uint8Array): number {
  let count = 0;
  for (let at = lines.indexOf(NEWLINE); at !== -1; at = lines.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

/** Calls `line` for each line of a slice of whole lines, without its `\n` or `\r\n`. */
export function eachLine(lines: Uint8Array, line: (bytes: Uint8Array) => void): void {
  let start = 0;
  for (let at = lines.indexOf(NEWLINE); at !== -1; at = lines.indexOf(NEWLINE, start)) {
    const end = at > start && lines[at - 1] === 0x0d ? at - 1 : at;
    line(lines.subarray(start, end));
    start = at + 1;
  }
}
