/**
 * Removing old entries, where the operator asked for it: at most so many a room, or none older than so many days.
 *
 * A sweep visits the rooms one after the other for ever, a slice of about a millisecond at a time. The position of a
 * room outlives its last entry (`rooms.last`), so that no position is ever given twice.
 */
import type { Clock } from "../../protocol/clock.ts";
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
    const { first, last } = this.#statements.bounds.get(room, room) ?? {};
    if (first === null || first === undefined || last === null || last === undefined) return false;
    const { keepMessages, keepDays } = this.#retention;
    const batchEnd = first + BATCH - 1;
    const byCount = keepMessages === undefined ? 0 : last - keepMessages;
    const oldest = keepDays === undefined ? 0 : this.#clock.now() - keepDays * DAY_MS;
    const byAge =
      keepDays === undefined ? 0 : (this.#statements.before.get(room, batchEnd, oldest)?.seq ?? 0);
    const upTo = Math.min(batchEnd, Math.max(byCount, byAge));
    if (upTo < first) return false;
    const newest = this.#statements.entry.get(room, Math.min(upTo, last));
    if (newest !== null) this.#statements.remember.run(newest.seq, newest.at, room);
    this.#statements.remove.run(room, upTo);
    return upTo === batchEnd;
  }
}

function prepare({ db }: KeeperStore) {
  return {
    rooms: db.prepare<{ id: number }, [number, number]>(
      "SELECT id FROM rooms WHERE id > ? ORDER BY id LIMIT ?",
    ),
    bounds: db.prepare<{ first: number | null; last: number | null }, [number, number]>(
      "SELECT (SELECT min(seq) FROM entries WHERE room = ?) AS first, (SELECT max(seq) FROM entries WHERE room = ?) AS last",
    ),
    before: db.prepare<{ seq: number | null }, [number, number, number]>(
      "SELECT max(seq) AS seq FROM entries WHERE room = ? AND seq <= ? AND at < ?",
    ),
    entry: db.prepare<{ seq: number; at: number }, [number, number]>(
      "SELECT seq, at FROM entries WHERE room = ? AND seq = ?",
    ),
    remember: db.prepare<never, [number, number, number]>(
      "UPDATE rooms SET last = ?, last_at = ? WHERE id = ?",
    ),
    remove: db.prepare<never, [number, number]>("DELETE FROM entries WHERE room = ? AND seq <= ?"),
  };
}
