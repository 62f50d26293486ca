/**
 * Moving entries from the journal to where each room's log lies together.
 *
 * A round takes all that the journal holds, room by room, so that many of a room's entries become one row (blocks.ts).
 * It goes in slices of about a millisecond, each a transaction of its own between two turns, so that no publish waits for
 * long. The last slice removes the journal's rows and stores the hashes of the keys. A keeper that dies in the middle
 * leaves entries in both places; the next one passes over what its first round finds there already.
 */
import type { Clock } from "../../protocol/clock.ts";
import type { keeperLimits } from "../../protocol/limits.keeper.ts";
import { BlockWriter, ENTRY_HEAD } from "./blocks.ts";
import { Record } from "./journal.ts";
import { keysIn } from "./key-window.ts";
import type { KeeperStore } from "./store.ts";
import type { Places, Tail } from "./tail.ts";

/** How a round is bounded. */
export type CompactionLimits = Pick<
  { [Name in keyof typeof keeperLimits]: number },
  "journalEntries" | "journalBytes" | "journalMs" | "sliceMs" | "blockBytes"
>;

interface Round {
  readonly tail: Tail;
  readonly rooms: (readonly [number, Places])[];
  /** An earlier keeper may have moved some of it. */
  readonly inherited: boolean;
  /** Newest journal row that it empties. */
  readonly journalId: number;
  /** Next entry to move: of which room, and which of that room's. */
  room: number;
  entry: number;
}

/** Rows between two looks at the clock. */
const STRIDE = 16;

export class Compactor {
  readonly #store: KeeperStore;
  readonly #clock: Clock;
  readonly #limits: CompactionLimits;
  readonly #keyWindow: number;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #block = new BlockWriter();
  #round: Round | undefined;
  /** What `#touch` has seen: means nothing, but has to be kept, or the engine would leave the looking out. */
  touched = 0;
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
    const { count, length } = this.#store.tail;
    const now = this.#clock.monotonic();
    if (count === 0) {
      this.#emptySince = now;
      return false;
    }
    const { journalEntries, journalBytes, journalMs } = this.#limits;
    return count >= journalEntries || length >= journalBytes || now - this.#emptySince >= journalMs;
  }

  #begin(): Round {
    const { tail, inherited, journalId } = this.#store;
    const round: Round = { tail, inherited, rooms: [...tail.rooms], journalId, room: 0, entry: 0 };
    // Empty since the last round.
    this.#store.tail = this.#store.moving;
    this.#store.moving = tail;
    this.#store.inherited = false;
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
        store.moving.clear();
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
      const [room, places] = round.rooms[round.room] ?? [0, { first: 1, at: [] }];
      if (round.entry === 0 && round.inherited) round.entry = this.#movedBefore(room, places);
      if (round.entry < places.at.length) bytes += this.#moveBlock(round, room, places);
      if (round.entry >= places.at.length) {
        round.room += 1;
        round.entry = 0;
      }
      if (count % STRIDE === 0 && this.#clock.monotonic() >= end) break;
    }
    return bytes;
  }

  /** How many of a room's entries an earlier keeper has moved. */
  #movedBefore(room: number, { first }: Places): number {
    return Math.max(0, (this.#statements.newest.get(room)?.seq ?? 0) + 1 - first);
  }

  /** Moves as many of a room's entries as make a block. @returns their bytes */
  #moveBlock(round: Round, room: number, places: Places): number {
    const { bytes } = round.tail;
    const block = this.#block;
    const from = round.entry;
    this.#touch(bytes, places.at, from);
    let last = 0;
    for (; round.entry < places.at.length; round.entry += 1) {
      const at = places.at[round.entry] ?? 0;
      const end = Record.end(bytes, at);
      const start = Record.body(at);
      if (round.entry > from && block.length + ENTRY_HEAD + end - start > this.#limits.blockBytes) break;
      block.add(Record.time(bytes, at), bytes, start, end);
      last = at;
    }
    const count = round.entry - from;
    const packed = block.take();
    // A single entry's row is its body.
    const body = count === 1 ? packed.subarray(ENTRY_HEAD) : packed;
    this.#statements.addEntries.run(
      room,
      places.first + round.entry - 1,
      Record.time(bytes, last),
      body,
      count,
    );
    return body.length;
  }

  /**
   * Looks at what the next block is made of. It lies apart, in more memory than is in the processor's cache; looked at in a
   * loop that does nothing else, it comes all at once.
   */
  #touch(bytes: Buffer, places: readonly number[], from: number): void {
    let left = this.#limits.blockBytes;
    let seen = 0;
    for (let entry = from; entry < places.length && left > 0; entry += 1) {
      const at = places[entry] ?? 0;
      seen ^= (bytes[at] ?? 0) ^ (bytes[at + 64] ?? 0) ^ (bytes[at + 128] ?? 0);
      left -= 128;
    }
    this.touched = seen;
  }

  #finish(round: Round): void {
    this.#statements.clearJournal.run(round.journalId);
    if (round.tail.count === 0) return;
    this.#statements.addKeys.run(round.tail.keys());
    let held = 0;
    for (const { id, size } of this.#statements.keySizes.iterate()) {
      if (held >= this.#keyWindow) {
        this.#statements.clearKeys.run(id);
        break;
      }
      held += keysIn(size);
    }
  }
}

function prepare({ db }: KeeperStore) {
  return {
    addEntries: db.prepare<never, [number, number, number, Uint8Array, number]>(
      "INSERT INTO entries (room, seq, at, body, count) VALUES (?, ?, ?, ?, ?)",
    ),
    newest: db.prepare<{ seq: number }, [number]>(
      "SELECT seq FROM entries WHERE room = ? ORDER BY seq DESC LIMIT 1",
    ),
    clearJournal: db.prepare<never, [number]>("DELETE FROM journal WHERE id <= ?"),
    addKeys: db.prepare<never, [Uint8Array]>("INSERT INTO keys (block) VALUES (?)"),
    keySizes: db.prepare<{ id: number; size: number }, []>(
      "SELECT id, length(block) AS size FROM keys ORDER BY id DESC",
    ),
    clearKeys: db.prepare<never, [number]>("DELETE FROM keys WHERE id <= ?"),
  };
}
