/**
 * Line framing over bytes.
 *
 * A TCP stream is cut anywhere: in the middle of a line, of a character, of a `\r\n`. This splitter finds whole lines
 * and gives each as a slice of what came in, without decoding it; only a line that spans chunks is copied, once.
 *
 * Invariant: `held` is the length of the incomplete line, and never exceeds the limit; the concatenation of all lines
 * given, with their newlines, plus what is held, is the concatenation of all chunks pushed.
 */
import { clientLimits } from "./limits.ts";

const NEWLINE = 0x0a;

/** Finds newline-terminated lines in a stream of chunks. */
export class LineSplitter {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #held = 0;

  /** @param limit most bytes of a line, its newline not counted */
  constructor(limit: number = clientLimits.lineBytes) {
    this.#limit = limit;
  }

  /** Bytes of the incomplete line. */
  get held(): number {
    return this.#held;
  }

  /**
   * Takes a chunk and gives its whole lines as one slice (each line with its `\n`), or undefined if it completes none.
   * Several lines stay together, because an edge forwards them together. The chunk must not be changed afterwards.
   * @returns `"too-long"` when a line is over the limit: the stream is beyond repair and the splitter must be dropped
   */
  push(chunk: Uint8Array): Uint8Array | "too-long" | undefined {
    const last = chunk.lastIndexOf(NEWLINE);
    if (last === -1) {
      if (this.#held + chunk.length > this.#limit) return "too-long";
      if (chunk.length > 0) this.#parts.push(chunk);
      this.#held += chunk.length;
      return undefined;
    }
    if (!this.#fits(chunk, last)) return "too-long";
    const rest = chunk.length - last - 1;
    let lines = rest === 0 ? chunk : chunk.subarray(0, last + 1);
    if (this.#held > 0) {
      const whole = new Uint8Array(this.#held + lines.length);
      let at = 0;
      for (const part of this.#parts) {
        whole.set(part, at);
        at += part.length;
      }
      whole.set(lines, at);
      lines = whole;
      this.#parts = [];
    }
    this.#held = rest;
    // A slice would keep a chunk of up to 512 KiB alive for a few bytes of a slow writer.
    if (rest > 0) this.#parts.push(chunk.slice(last + 1));
    return lines;
  }

  /** Whether every line that `chunk` completes, and the one it starts, is within the limit. */
  #fits(chunk: Uint8Array, last: number): boolean {
    if (this.#held + chunk.length <= this.#limit) return true;
    let start = -this.#held;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, at + 1)) {
      if (at - start > this.#limit) return false;
      start = at + 1;
      if (at === last) break;
    }
    return chunk.length - last - 1 <= this.#limit;
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
