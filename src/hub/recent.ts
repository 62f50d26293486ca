/**
 * The newest messages of a room, encoded, so that most joins and hand-overs read no log.
 *
 * They are kept as they were delivered, in pieces of one or more lines: keeping costs nothing a line, and a piece is cut
 * into lines only when somebody reads. Whole pieces are given up, the oldest first.
 *
 * Invariant: the lines are those of the entries after `after`, all of them, in order, up to the room's position: their
 * number is the position less `after`.
 */
const NEWLINE = 0x0a;

/** How much all rooms of a hub keep together. */
export interface CacheBudget {
  bytes: number;
}

/** One room's newest messages. */
export class RecentMessages {
  readonly #messagesMost: number;
  readonly #bytesMost: number;
  readonly #budget: CacheBudget;
  #pieces: Uint8Array[] = NO_PIECES;
  /** How many lines each piece has. */
  #counts: number[] = NO_COUNTS;
  /** Pieces before this index are given up: cut off when they are as many as the others. */
  #head = 0;
  #length = 0;
  #bytes = 0;
  #after = 0;

  constructor(limits: { roomCacheMessages: number; roomCacheBytes: number }, budget: CacheBudget) {
    this.#messagesMost = limits.roomCacheMessages;
    this.#bytesMost = limits.roomCacheBytes;
    this.#budget = budget;
  }

  /** Everything after this seq is here. */
  get after(): number {
    return this.#after;
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the lines of the next entries, so many. */
  push(lines: Uint8Array, count: number): void {
    if (this.#pieces.length === 0) {
      this.#pieces = [lines];
      this.#counts = [count];
    } else {
      this.#pieces.push(lines);
      this.#counts.push(count);
    }
    this.#length += count;
    this.#count(lines.length);
    while (this.#bytes > this.#bytesMost || this.#length > this.#messagesMost) this.#shift();
  }

  /**
   * Takes older lines, the newest that fit.
   * @param lines those of the entries up to and with `last`; useless unless that is where the kept ones begin, or later
   */
  extend(lines: readonly Uint8Array[], last: number): void {
    if (last < this.#after) return;
    const usable = lines.length - (last - this.#after);
    const taken: Uint8Array[] = [];
    let bytes = this.#bytes;
    for (let at = usable - 1; at >= 0; at -= 1) {
      const line = lines[at];
      if (line === undefined || this.#length + taken.length >= this.#messagesMost) break;
      bytes += line.length;
      if (bytes > this.#bytesMost) break;
      taken.push(line);
    }
    if (taken.length === 0) return;
    this.#after -= taken.length;
    this.#length += taken.length;
    for (const line of taken) this.#count(line.length);
    this.#pieces = [...taken.reverse(), ...this.#pieces.slice(this.#head)];
    this.#counts = [...taken.map(() => 1), ...this.#counts.slice(this.#head)];
    this.#head = 0;
  }

  /** The lines of all entries after `seq`, which must not be before {@link after}. */
  since(seq: number): Uint8Array[] {
    const lines: Uint8Array[] = [];
    let skip = Math.max(0, seq - this.#after);
    for (let at = this.#head; at < this.#pieces.length; at += 1) {
      const count = this.#counts[at] ?? 0;
      const piece = this.#pieces[at] ?? EMPTY;
      if (count === 1 && skip === 0) lines.push(piece);
      else if (skip < count) cut(piece, skip, lines);
      skip = Math.max(0, skip - count);
    }
    return lines;
  }

  /** Forgets all; the next line is that of `position + 1`. */
  clear(position: number): void {
    this.#count(-this.#bytes);
    this.#pieces = NO_PIECES;
    this.#counts = NO_COUNTS;
    this.#head = 0;
    this.#length = 0;
    this.#after = position;
  }

  #shift(): void {
    const piece = this.#pieces[this.#head];
    const count = this.#counts[this.#head];
    if (piece === undefined || count === undefined) return;
    // The empty slot lets go of the bytes at once.
    this.#pieces[this.#head] = EMPTY;
    this.#head += 1;
    this.#length -= count;
    this.#after += count;
    this.#count(-piece.length);
    if (this.#head > 32 && this.#head * 2 > this.#pieces.length) {
      this.#pieces = this.#pieces.slice(this.#head);
      this.#counts = this.#counts.slice(this.#head);
      this.#head = 0;
    }
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.bytes += bytes;
  }
}

const EMPTY = new Uint8Array(0);
/** Shared by all that are empty, and so never changed. */
const NO_PIECES: Uint8Array[] = [];
const NO_COUNTS: number[] = [];

/** Appends a piece's lines but the first `skip`. */
function cut(piece: Uint8Array, skip: number, into: Uint8Array[]): void {
  let start = 0;
  let line = 0;
  for (let end = piece.indexOf(NEWLINE) + 1; end > 0; end = piece.indexOf(NEWLINE, start) + 1) {
    if (line >= skip) into.push(piece.subarray(start, end));
    line += 1;
    start = end;
  }
}
