/**
 * Removing old entries, where the operator asked for it: at most so many a room, or none older than so many days.
 *
 * A sweep visits the rooms one after the other for ever, a slice of about a millisecond at a time. The position of a
 * room outlives its last entry (`rooms.last`), so that no position is ever given twice.
 */
import type { Clock } from "../../protocol/clock.ts";
import { after, entriesOf, entryIn, firstOf } from "./blocks.ts";
import type { EntryRow } from "./blocks.ts";
import type { KeeperStore } from "./store.ts";

/** What to keep; undefined for everything. */
export interface Retention {
  readonly keepMessages: number | undefined;
  readonly keepDays: number | undefined;
}

const DAY_MS = 24 * 3_600_000;
/** Rows removed in one statement. */
const BATCH = 500;
/** Rooms looked at in one slice, if there is nothing to remove. */
const ROOMS = 64;

export class Sweeper {
  readonly #store: KeeperStore;
  readonly #clock: Clock;
  readonly #retention: Retention;
  readonly #statements: ReturnType<typeof prepare>;
  #room = 0;

  constructor(store: KeeperStore, clock: Clock, retention: Retention) {
    this.#store = store;
    this.#clock = clock;
    this.#retention = retention;
    this.#statements = prepare(store);
  }

  /** Whether there is anything to do at all. */
  get wanted(): boolean {
    return this.#retention.keepMessages !== undefined || this.#retention.keepDays !== undefined;
  }

  /**
   * Visits some rooms.
   * @throws SQLiteError, TermLost; the slice may be tried again
   */
  slice(sliceMs: number): void {
    const store = this.#store;
    const end = this.#clock.monotonic() + sliceMs;
    store.begin();
    try {
      const rooms = this.#statements.rooms.all(this.#room, ROOMS);
      if (rooms.length === 0) this.#room = 0;
      for (const { id } of rooms) {
        if (!this.#trim(id)) this.#room = id;
        if (this.#clock.monotonic() >= end) break;
      }
      store.commit();
    } catch (error) {
      store.rollback();
      throw error;
    }
  }

  /** @returns whether there may be more to remove in this room */
  #trim(room: number): boolean {
    const statements = this.#statements;
    const oldest = statements.oldest.get(room);
    const last = statements.last.get(room)?.last ?? null;
    if (oldest === null || last === null) return false;
    const first = firstOf(oldest);
    const { keepMessages } = this.#retention;
    const batchEnd = first + BATCH - 1;
    const byCount = keepMessages === undefined ? 0 : last - keepMessages;
    const upTo = Math.min(batchEnd, last, Math.max(byCount, this.#agedUpTo(room, batchEnd)));
    if (upTo < first) return false;
    const row = statements.block.get(room, upTo);
    const newest = row === null ? undefined : entryIn(row, upTo);
    if (newest !== undefined) statements.remember.run(newest.seq, newest.at, room);
    statements.remove.run(room, upTo);
    // A block of which some stay.
    if (row !== null && row.seq > upTo) {
      const { count, body } = after(row, upTo);
      statements.shorten.run(count, body, room, row.seq);
    }
    return upTo === batchEnd;
  }

  /** The newest entry that is too old, not looking much further than `batchEnd`; 0 if none is. */
  #agedUpTo(room: number, batchEnd: number): number {
    const { keepDays } = this.#retention;
    if (keepDays === undefined) return 0;
    const before = this.#clock.now() - keepDays * DAY_MS;
    const whole = this.#statements.before.get(room, batchEnd, before)?.seq ?? 0;
    const next = this.#statements.block.get(room, whole + 1);
    const aged = next === null ? [] : entriesOf(next).filter(({ at }) => at < before);
    return aged.at(-1)?.seq ?? whole;
  }
}

function prepare({ db }: KeeperStore) {
  return {
    rooms: db.prepare<{ id: number }, [number, number]>(
      "SELECT id FROM rooms WHERE id > ? ORDER BY id LIMIT ?",
    ),
    oldest: db.prepare<{ seq: number; count: number }, [number]>(
      "SELECT seq, count FROM entries WHERE room = ? ORDER BY seq LIMIT 1",
    ),
    last: db.prepare<{ last: number | null }, [number]>(
      "SELECT max(seq) AS last FROM entries WHERE room = ?",
    ),
    before: db.prepare<{ seq: number | null }, [number, number, number]>(
      "SELECT max(seq) AS seq FROM entries WHERE room = ? AND seq <= ? AND at < ?",
    ),
    block: db.prepare<EntryRow, [number, number]>(
      "SELECT seq, at, count, body FROM entries WHERE room = ? AND seq >= ? ORDER BY seq LIMIT 1",
    ),
    remember: db.prepare<never, [number, number, number]>(
      "UPDATE rooms SET last = ?, last_at = ? WHERE id = ?",
    ),
    remove: db.prepare<never, [number, number]>("DELETE FROM entries WHERE room = ? AND seq <= ?"),
    shorten: db.prepare<never, [number, Uint8Array, number, number]>(
      "UPDATE entries SET count = ?, body = ? WHERE room = ? AND seq = ?",
    ),
  };
}
