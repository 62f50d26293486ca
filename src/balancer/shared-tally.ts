/**
 * Counting by address over several processes: a table in a file that all of them map into their memory.
 *
 * The door answers before a byte is read, so it cannot ask another process. Here it need not: each process counts in a
 * column of its own, which nobody else writes while it lives, and the sum over a row is what all have. It adds itself
 * first and then looks at the sum, with operations that all processors see in one order; so of two that come at the same
 * moment for the last place at most one gets it (possibly none), and a limit of open connections is never exceeded. Of two
 * tokens taken in the same microsecond one may count for nothing: a rate is exceeded by at most one a process and collision.
 *
 * A row belongs to a key by its hash, salted so that nobody can choose rows. The table is cut into sets of `ways` rows; a
 * key's row is somewhere in its set. A row in which nobody is counted and whose bucket is full means nothing, and is
 * given to the next key that needs one. When a whole set is in use, which takes far more addresses than the table is made
 * for, a process counts the newcomer's address for itself alone.
 *
 * Time is the furthest clock of all processes: each goes on from where the table was when it last looked, at its own
 * monotonic clock's pace, so that steps of the wall clock and processes that stand still change nothing.
 *
 * Invariant: a process's column holds, over the table and its own tally together, exactly what it has open.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Clock } from "../protocol/clock.ts";
import { doorLimits } from "../protocol/limits.balancer.ts";
import { LocalTally, spendToken, type Tally } from "./tally.ts";

/** Rows of a set. Of 65,536 keys in a table of as many rows it is one in seven that finds its set full. */
const ways = 8;
const rows = doorLimits.addresses;
/** The clock and the salt. */
const headerBytes = 16;
const bytesOf = (columns: number): number => headerBytes + rows * (16 + 4 * columns);

/** The table, seen by one process. */
class Table {
  readonly columns: number;
  /** ms; see the head of this file. */
  readonly clock: Float64Array;
  readonly salt: bigint;
  /** Whose each row is; 0 for nobody's. */
  readonly keys: BigUint64Array;
  /** When each row's bucket is full. */
  readonly fullAt: Float64Array;
  /** Row by row, a column a process. */
  readonly counts: Uint32Array;

  constructor(path: string) {
    const { buffer, byteOffset, byteLength } = Bun.mmap(path);
    this.columns = ((byteLength - headerBytes) / rows - 16) / 4;
    if (!Number.isInteger(this.columns)) throw new Error(`${path} is no table of counts`);
    this.clock = new Float64Array(buffer, byteOffset, 1);
    this.salt = new BigUint64Array(buffer, byteOffset + 8, 1)[0] ?? 0n;
    this.keys = new BigUint64Array(buffer, byteOffset + headerBytes, rows);
    this.fullAt = new Float64Array(buffer, byteOffset + headerBytes + rows * 8, rows);
    this.counts = new Uint32Array(buffer, byteOffset + headerBytes + rows * 16, rows * this.columns);
  }

  /** What all processes together have counted in a row. */
  sum(row: number): number {
    let sum = 0;
    const end = (row + 1) * this.columns;
    for (let at = row * this.columns; at < end; at += 1) sum += Atomics.load(this.counts, at);
    return sum;
  }
}

/**
 * Makes the file. All of it is written, because a page that the disk has no room for would end whoever touches it.
 * @throws Error of the system, when there is no room
 */
export function createSharedTally(path: string, columns: number, salt: bigint): void {
  const bytes = new Uint8Array(bytesOf(columns));
  new BigUint64Array(bytes.buffer, 8, 1)[0] = salt;
  const file = openSync(path, "wx", 0o600);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
  } finally {
    closeSync(file);
  }
}

/** Forgets what a process had counted, which must be gone. */
export function clearColumn(path: string, column: number): void {
  const table = new Table(path);
  for (let row = 0; row < rows; row += 1) Atomics.store(table.counts, row * table.columns + column, 0);
}

/** See the head of this file. */
export class SharedTally implements Tally {
  readonly #table: Table;
  readonly #column: number;
  readonly #clock: Clock;
  /** For keys that found no row. */
  readonly #alone: LocalTally;
  /** The table's time is this process's and so much more. */
  #aheadMs = 0;

  /** @throws Error if the file is none of {@link createSharedTally}'s */
  constructor(path: string, column: number, clock: Clock) {
    this.#table = new Table(path);
    this.#column = column;
    this.#clock = clock;
    this.#alone = new LocalTally(clock);
  }

  add(key: string, most: number): { counted: boolean; others: number } {
    const { counts, columns, keys } = this.#table;
    const name = this.#nameOf(key);
    for (;;) {
      const row = this.#rowOf(name);
      if (row === undefined) return this.#alone.add(key, most);
      const own = row * columns + this.#column;
      Atomics.add(counts, own, 1);
      // Until it was counted here, the row could still be given to somebody else.
      if (Atomics.load(keys, row) !== name) {
        Atomics.sub(counts, own, 1);
        continue;
      }
      const others = this.#table.sum(row) - 1;
      if (most === 0 || others < most) return { counted: true, others };
      Atomics.sub(counts, own, 1);
      return { counted: false, others };
    }
  }

  remove(key: string): void {
    const { counts, columns, keys } = this.#table;
    const name = this.#nameOf(key);
    const first = firstRow(name);
    // Two processes that look for a row at the same moment may have found two.
    for (let row = first; row < first + ways; row += 1) {
      const own = row * columns + this.#column;
      if (Atomics.load(keys, row) !== name || Atomics.load(counts, own) === 0) continue;
      Atomics.sub(counts, own, 1);
      return;
    }
    this.#alone.remove(key);
  }

  spend(key: string, perSecond: number): boolean {
    const { fullAt } = this.#table;
    const row = this.#rowOf(this.#nameOf(key));
    if (row === undefined) return this.#alone.spend(key, perSecond);
    const after = spendToken(fullAt[row] ?? 0, this.#now(), perSecond);
    if (after === undefined) return false;
    fullAt[row] = after;
    return true;
  }

  #nameOf(key: string): bigint {
    const hash = Bun.hash.wyhash(key, this.#table.salt);
    return hash === 0n ? 1n : hash;
  }

  /** The row of a key, taken for it if need be; undefined when its set is full. */
  #rowOf(name: bigint): number | undefined {
    const { keys } = this.#table;
    const first = firstRow(name);
    for (let row = first; row < first + ways; row += 1) if (Atomics.load(keys, row) === name) return row;
    for (let row = first; row < first + ways; row += 1) {
      const before = Atomics.load(keys, row);
      if (before !== 0n && !this.#isIdle(row)) continue;
      const found = Atomics.compareExchange(keys, row, before, name);
      if (found === before || found === name) return row;
    }
    return undefined;
  }

  #isIdle(row: number): boolean {
    return (this.#table.fullAt[row] ?? 0) <= this.#now() && this.#table.sum(row) === 0;
  }

  #now(): number {
    const { clock } = this.#table;
    const own = this.#clock.monotonic();
    const now = Math.max(own + this.#aheadMs, clock[0] ?? 0);
    this.#aheadMs = now - own;
    clock[0] = now;
    return now;
  }
}

function firstRow(name: bigint): number {
  return Number(name % BigInt(rows / ways)) * ways;
}
