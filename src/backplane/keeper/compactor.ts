/**
 * Moving entries from the journal to where each room's log lies together.
 *
 * A round takes all that the journal holds, room by room, so that a room's page is written once for many of its entries.
 * It goes in slices of about a millisecond, each a transaction of its own between two turns, so that no publish waits for
 * long. The last slice removes the journal's rows and stores the hashes of the keys. A keeper that dies in the middle
 * leaves entries in both places; the next one moves them again, which changes nothing.
 */
import type { Clock } from "../../protocol/clock.ts";
import type { keeperLimits } from "../../protocol/limits.keeper.ts";
import type { LogEntry } from "../backplane.ts";
import { JournalTail } from "./journal.ts";
import { KeyBlock } from "./key-window.ts";
import type { KeeperStore } from "./store.ts";

/** How a round is bounded. */
export type CompactionLimits = Pick<
  { [Name in keyof typeof keeperLimits]: number },
  "journalEntries" | "journalBytes" | "journalMs" | "sliceMs"
>;

interface Round {
  readonly rooms: (readonly [number, readonly LogEntry[]])[];
  readonly keys: KeyBlock;
  /** Newest journal row that it empties. */
  readonly journalId: number;
  /** Next entry to move: of which room, and which of that room's. */
  room: number;
  entry: number;
}

/** Rows between two looks at the clock. */
const STRIDE = 32;

export class Compactor {
  readonly #store: KeeperStore;
  readonly #clock: Clock;
  readonly #limits: CompactionLimits;
  readonly #keyWindow: number;
  readonly #statements: ReturnType<typeof prepare>;
  #round: Round | undefined;
  /** When the journal was last empty, or seen empty. */
  #emptySince: number;

  constructor(store: KeeperStore, clock: Clock, limits: CompactionLimits, keyWindowEntries: number) {
    this.#store = store;
    this.#clock = clock;
    this.#limits = limits;
    this.#keyWindow = keyWindowEntries;
    this.#statements = prepare(store);
    this.#emptySince = clock.monotonic();
  }

  /** Whether a slice should run now. */
  get due(): boolean {
    if (this.#round !== undefined) return true;
    const { count, bytes } = this.#store.tail;
    const now = this.#clock.monotonic();
    if (count === 0) {
      this.#emptySince = now;
      return false;
    }
    const { journalEntries, journalBytes, journalMs } = this.#limits;
    return count >= journalEntries || bytes >= journalBytes || now - this.#emptySince >= journalMs;
  }

  #begin(): Round {
    const { tail, tailKeys, journalId } = this.#store;
    const round: Round = { rooms: [...tail.rooms], keys: tailKeys, journalId, room: 0, entry: 0 };
    this.#store.moving = tail;
    this.#store.tail = new JournalTail();
    this.#store.tailKeys = new KeyBlock();
    this.#emptySince = this.#clock.monotonic();
    return round;
  }

  /**
   * Moves some entries.
   * @returns bytes moved, and of how many rooms
   * @throws SQLiteError, TermLost; nothing has changed then, and the slice may be tried again
   */
  slice(): { readonly bytes: number; readonly rooms: number } {
    const store = this.#store;
    store.begin();
    const round = (this.#round ??= this.#begin());
    const from = { room: round.room, entry: round.entry };
    try {
      const bytes = this.#move(round);
      const finished = round.room >= round.rooms.length;
      if (finished) this.#finish(round);
      store.commit();
      if (finished) {
        this.#round = undefined;
        store.moving = new JournalTail();
      }
      return { bytes, rooms: round.room - from.room + 1 };
    } catch (error) {
      round.room = from.room;
      round.entry = from.entry;
      store.rollback();
      throw error;
    }
  }

  #move(round: Round): number {
    const end = this.#clock.monotonic() + this.#limits.sliceMs;
    let bytes = 0;
    for (let count = 1; round.room < round.rooms.length; count += 1) {
      const [room, entries] = round.rooms[round.room] ?? [0, []];
      const entry = entries[round.entry];
      if (entry === undefined) {
        round.room += 1;
        round.entry = 0;
        continue;
      }
      this.#statements.addEntry.run(room, entry.seq, entry.at, entry.body);
      bytes += entry.body.length;
      round.entry += 1;
      if (count % STRIDE === 0 && this.#clock.monotonic() >= end) break;
    }
    return bytes;
  }

  #finish(round: Round): void {
    this.#statements.clearJournal.run(round.journalId);
    if (round.keys.bytes.length === 0) return;
    this.#statements.addKeys.run(round.keys.bytes);
    let held = 0;
    for (const { id, size } of this.#statements.keySizes.iterate()) {
      if (held >= this.#keyWindow) {
        this.#statements.clearKeys.run(id);
        break;
      }
      held += KeyBlock.keysIn(size);
    }
  }
}

function prepare({ db }: KeeperStore) {
  return {
    // Ignored where a keeper that died had moved it already.
    addEntry: db.prepare<never, [number, number, number, Uint8Array]>(
      "INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?)",
    ),
    clearJournal: db.prepare<never, [number]>("DELETE FROM journal WHERE id <= ?"),
    addKeys: db.prepare<never, [Uint8Array]>("INSERT INTO keys (block) VALUES (?)"),
    keySizes: db.prepare<{ id: number; size: number }, []>(
      "SELECT id, length(block) AS size FROM keys ORDER BY id DESC",
    ),
    clearKeys: db.prepare<never, [number]>("DELETE FROM keys WHERE id <= ?"),
  };
}
