/**
 * Forgetting how far people had read who have not been here for long (marks.ts), a slice at a time, once in a while.
 */
import type { Clock } from "../../protocol/clock.ts";
import { backplaneLimits } from "../../protocol/limits.ts";
import type { KeeperStore } from "./store.ts";

/** Readers looked at in one slice: about a millisecond. */
const READERS = 64;

export class MarkExpiry {
  readonly #store: KeeperStore;
  readonly #clock: Clock;
  readonly #statements: ReturnType<typeof prepare>;
  /** The log that was looked at last in this round. */
  #last = "=";
  #next: number;

  constructor(store: KeeperStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.#statements = prepare(store);
    this.#next = clock.monotonic() + backplaneLimits.markRoundMs;
  }

  /** Whether a slice should run now. */
  get due(): boolean {
    return this.#clock.monotonic() >= this.#next;
  }

  /** @throws SQLiteError, TermLost; the slice may be tried again */
  slice(): void {
    const store = this.#store;
    store.begin();
    try {
      const before = this.#clock.now() - backplaneLimits.markMs;
      const logs = this.#statements.logs.all(this.#last, READERS);
      for (const { id } of logs) this.#statements.expire.run(id, before);
      store.commit();
      this.#last = logs.at(-1)?.name ?? "=";
      if (logs.length === 0) this.#next = this.#clock.monotonic() + backplaneLimits.markRoundMs;
    } catch (error) {
      store.rollback();
      throw error;
    }
  }
}

function prepare({ db }: KeeperStore) {
  return {
    logs: db.prepare<{ id: number; name: string }, [string, number]>(
      "SELECT id, name FROM rooms WHERE name > ? AND name < '>' ORDER BY name LIMIT ?",
    ),
    expire: db.prepare<never, [number, number]>(
      "DELETE FROM records WHERE room = ? AND json_extract(value, '$.at') < ?",
    ),
  };
}
