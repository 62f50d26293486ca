/**
 * The newest messages of a room, encoded, so that most joins and hand-overs read no log.
 *
 * Invariant: the lines are those of the entries after `after`, all of them, in order, up to the room's position: their
 * number is the position less `after`.
 */

/** How much all rooms of a hub keep together. */
export interface CacheBudget {
  bytes: number;
}

/** One room's newest messages. */
export class RecentMessages {
  readonly #messagesMost: number;
  readonly #bytesMost: number;
  readonly #budget: CacheBudget;
  #lines: Uint8Array[] = [];
  /** Lines before this index are given up: cut off when they are as many as the others. */
  #head = 0;
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
    return this.#lines.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the line of the next entry. */
  push(line: Uint8Array): void {
    this.#lines.push(line);
    this.#count(line.length);
    while (this.#bytes > this.#bytesMost || this.length > this.#messagesMost) this.#shift();
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
      if (line === undefined || this.length + taken.length >= this.#messagesMost) break;
      bytes += line.length;
      if (bytes > this.#bytesMost) break;
      taken.push(line);
    }
    if (taken.length === 0) return;
    this.#after -= taken.length;
    for (const line of taken) this.#count(line.length);
    this.#lines = [...taken.reverse(), ...this.#lines.slice(this.#head)];
    this.#head = 0;
  }

  /** The lines of all entries after `seq`, which must not be before {@link after}. */
  since(seq: number): Uint8Array[] {
    return this.#lines.slice(this.#head + Math.max(0, seq - this.#after));
  }

  /** Forgets all; the next line is that of `position + 1`. */
  clear(position: number): void {
    this.#count(-this.#bytes);
    this.#lines = [];
    this.#head = 0;
    this.#after = position;
  }

  #shift(): void {
    const line = this.#lines[this.#head];
    if (line === undefined) return;
    // The empty slot lets go of the bytes at once.
    this.#lines[this.#head] = EMPTY;
    this.#head += 1;
    this.#after += 1;
    this.#count(-line.length);
    if (this.#head > 32 && this.#head * 2 > this.#lines.length) {
      this.#lines = this.#lines.slice(this.#head);
      this.#head = 0;
    }
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.bytes += bytes;
  }
}

const EMPTY = new Uint8Array(0);
