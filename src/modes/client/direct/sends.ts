/**
 * What this person wrote on a direct path and the other does not have yet. A message is on its way until the other's
 * device holds it, however long that takes; when the path is given up, the rest fails, visibly, and may be sent again.
 */
import type { ClientListener } from "../../../client/events.ts";
import type { EntryHash, Holding } from "../../../mesh/core/api.ts";

interface Own {
  readonly id: string;
  readonly text: string;
  readonly at: number;
  hash: EntryHash | undefined;
}

/** What it needs. */
export interface DirectSendsOptions {
  holding(hash: EntryHash): Holding | undefined;
  /** The other has it: it can be shown at its place. @returns its number there */
  delivered(id: string, hash: EntryHash): number;
  readonly emit: ClientListener;
}

/** See above. */
export class DirectSends {
  readonly #options: DirectSendsOptions;
  readonly #waiting = new Map<string, Own>();

  constructor(options: DirectSendsOptions) {
    this.#options = options;
  }

  get pending(): number {
    return this.#waiting.size;
  }

  /** When the oldest that waits was written, monotonic ms. */
  get oldestAt(): number | undefined {
    const [first] = this.#waiting.values();
    return first?.at;
  }

  /** Whether an entry is one that waits. */
  has(hash: EntryHash): boolean {
    for (const own of this.#waiting.values()) if (own.hash === hash) return true;
    return false;
  }

  /** A message was taken. @returns what to call with each hash it gets */
  taken(id: string, text: string, at: number): (hash: EntryHash) => void {
    const own: Own = { id, text, at, hash: undefined };
    this.#waiting.set(id, own);
    return (hash) => {
      own.hash = hash;
    };
  }

  dropped(id: string): void {
    this.#waiting.delete(id);
  }

  /** Who holds what may have changed. */
  look(room: string, at: number): void {
    for (const { id, hash } of this.#waiting.values()) {
      if (hash === undefined || (this.#options.holding(hash)?.held ?? 0) < 2) continue;
      this.#waiting.delete(id);
      const seq = this.#options.delivered(id, hash);
      this.#options.emit({
        kind: "received",
        message: { type: "ack", id, room, seq, at },
        rejoined: false,
      });
      this.#options.emit({ kind: "sent", outcome: { ok: true, id, room, seq, at, duplicate: false } });
      this.#options.emit({ kind: "writable" });
    }
  }

  /** The path is given up. */
  failAll(room: string, message: string): void {
    for (const { id, text } of this.#waiting.values()) {
      this.#waiting.delete(id);
      this.#options.emit({
        kind: "sent",
        outcome: { ok: false, id, room, text, code: "not-delivered", message },
      });
    }
  }
}
