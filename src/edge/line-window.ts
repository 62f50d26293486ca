/**
 * One session's lines on their way through a hub: kept from the moment they are read until they are finished.
 *
 * The edge may give a hub only so many unfinished lines, and must be able to give all unfinished ones to another hub.
 * So lines wait here in order: first those given and not finished, then those not yet given. Slices of whole lines stay
 * as they came in; one is cut only where the window ends.
 *
 * Invariant: slices `[0, #given)` hold the lines `done - #stale + 1` to `given`, where the first `#stale` are finished
 * already; the slices after them hold the lines from `given + 1` on.
 */
import { countLines } from "../protocol/lines.ts";

const NEWLINE = 0x0a;

/** Bounds of a window. */
export interface WindowLimits {
  readonly unackedLines: number;
  readonly unackedBytes: number;
}

/** See the head of this file. */
export class LineWindow {
  readonly #limits: WindowLimits;
  #slices: Uint8Array[] = [];
  #counts: number[] = [];
  /** How many slices are with the hub. */
  #given = 0;
  /** Finished lines at the start of the first slice. */
  #stale = 0;
  #done = 0;
  #givenLines = 0;
  #givenBytes = 0;
  #waitingBytes = 0;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** Lines finished. */
  get done(): number {
    return this.#done;
  }

  /** Lines given to a hub, finished ones included. */
  get given(): number {
    return this.#givenLines;
  }

  /** Nothing is unfinished and nothing waits. */
  get isEmpty(): boolean {
    return this.#slices.length === 0;
  }

  /** Some lines wait to be given. */
  get isWaiting(): boolean {
    return this.#waitingBytes > 0;
  }

  /** Bytes kept. */
  get bytes(): number {
    return this.#givenBytes + this.#waitingBytes;
  }

  /** True while more should be read from the client: nothing waits, and the window is at most half full. */
  get hasRoom(): boolean {
    return (
      this.#waitingBytes === 0 &&
      this.#givenLines - this.#done <= this.#limits.unackedLines / 2 &&
      this.#givenBytes <= this.#limits.unackedBytes / 2
    );
  }

  /** True when nothing more should be read from the client. */
  get isFull(): boolean {
    return (
      this.bytes >= this.#limits.unackedBytes || this.#givenLines - this.#done >= this.#limits.unackedLines
    );
  }

  /** Adds whole lines, which must not be changed afterwards. */
  add(lines: Uint8Array): void {
    this.#slices.push(lines);
    this.#counts.push(countLines(lines));
    this.#waitingBytes += lines.length;
  }

  /**
   * The next lines to give to the hub, as far as the window goes; undefined if there are none. At least one line is
   * given when none is unfinished, however long it is.
   * @param most lines
   * @param mostBytes but for a line that is longer
   */
  take(most = Infinity, mostBytes = Infinity): Uint8Array | undefined {
    const slice = this.#slices[this.#given];
    const count = this.#counts[this.#given];
    if (slice === undefined || count === undefined) return undefined;
    const lines = Math.min(most, this.#limits.unackedLines - (this.#givenLines - this.#done));
    const bytes = this.#limits.unackedBytes - this.#givenBytes;
    if (lines <= 0) return undefined;
    const isWhole = count <= lines && slice.length <= bytes && slice.length <= mostBytes;
    if (!isWhole && !this.#cut(slice, count, { lines, bytes, mostBytes })) return undefined;
    return this.#give();
  }

  /** Lines up to and with number `done` are finished. Numbers that cannot be are taken for the nearest that can. */
  finish(done: number): void {
    let more = Math.min(done, this.#givenLines) - this.#done;
    if (more <= 0) return;
    this.#done += more;
    more += this.#stale;
    let slices = 0;
    for (;;) {
      const count = this.#counts[slices];
      if (count === undefined || count > more || slices === this.#given) break;
      more -= count;
      this.#givenBytes -= this.#slices[slices]?.length ?? 0;
      slices += 1;
    }
    this.#stale = more;
    if (slices === 0) return;
    this.#given -= slices;
    if (slices === this.#slices.length) {
      this.#slices.length = 0;
      this.#counts.length = 0;
    } else {
      this.#slices.splice(0, slices);
      this.#counts.splice(0, slices);
    }
  }

  /** The hub is gone: what it has not finished is to be given again, from line `done + 1`. */
  rewind(): void {
    const first = this.#slices[0];
    if (this.#stale > 0 && first !== undefined) {
      const kept = first.subarray(endOfLine(first, this.#stale));
      this.#slices[0] = kept;
      this.#counts[0] = (this.#counts[0] ?? 0) - this.#stale;
      this.#givenBytes -= first.length - kept.length;
      this.#stale = 0;
    }
    this.#waitingBytes += this.#givenBytes;
    this.#givenBytes = 0;
    this.#givenLines = this.#done;
    this.#given = 0;
  }

  /**
   * Cuts the next slice so that it fits the window, and is no more than asked for.
   * @returns false if not one line fits and others are unfinished
   */
  #cut(
    slice: Uint8Array,
    count: number,
    { lines, bytes, mostBytes }: { lines: number; bytes: number; mostBytes: number },
  ): boolean {
    let fits = 0;
    let end = 0;
    while (fits < lines && fits < count) {
      const next = slice.indexOf(NEWLINE, end) + 1;
      if (next > bytes && (fits > 0 || this.#givenLines > this.#done)) break;
      if (next > mostBytes && fits > 0) break;
      end = next;
      fits += 1;
      if (end > bytes) break;
    }
    if (fits === 0) return false;
    if (fits < count) {
      this.#slices.splice(this.#given, 1, slice.subarray(0, end), slice.subarray(end));
      this.#counts.splice(this.#given, 1, fits, count - fits);
    }
    return true;
  }

  #give(): Uint8Array | undefined {
    const slice = this.#slices[this.#given];
    const count = this.#counts[this.#given];
    if (slice === undefined || count === undefined) return undefined;
    this.#given += 1;
    this.#givenLines += count;
    this.#givenBytes += slice.length;
    this.#waitingBytes -= slice.length;
    return slice;
  }
}

/** Where line number `count` of a slice ends. */
function endOfLine(lines: Uint8Array, count: number): number {
  let end = 0;
  for (let line = 0; line < count; line += 1) end = lines.indexOf(NEWLINE, end) + 1;
  return end;
}
