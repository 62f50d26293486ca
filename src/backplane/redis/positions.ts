/**
 * The highest position this server has seen of each room, to find out whether the store has lost its tail.
 *
 * Redis answers before its replicas have a write. If the primary dies then and a replica takes its place, acknowledged
 * entries are gone, and their positions would be given again. Whoever has seen a position proves the loss: every room
 * script is told what this server has seen, and begins a new epoch if the store has less.
 */

/** A position seen. */
export interface Seen {
  readonly epoch: string;
  readonly seq: number;
}

const NOTHING: Seen = { epoch: "", seq: 0 };

export class Positions {
  readonly #most: number;
  /** The most recently raised last. */
  readonly #seen = new Map<string, Seen>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The highest position seen of a room. */
  of(room: string): Seen {
    return this.#seen.get(room) ?? NOTHING;
  }

  saw(room: string, epoch: string, seq: number): void {
    const before = this.#seen.get(room);
    if (before !== undefined && before.epoch === epoch && before.seq >= seq) return;
    this.#seen.delete(room);
    this.#seen.set(room, { epoch, seq });
    if (this.#seen.size <= this.#most) return;
    for (const oldest of this.#seen.keys()) {
      this.#seen.delete(oldest);
      return;
    }
  }

  /** Rooms of which something was seen. */
  get rooms(): string[] {
    return [...this.#seen.keys()];
  }
}
