/**
 * What this side wrote, from writing to the last member that holds it.
 *
 * Each message has one outcome, told once. For a person at a screen that is "it is in the log"; where a program waits
 * for the exit code it is "another member holds it", or a failure when nobody does after a while. Beside that, every
 * time more members are known to hold a message an `ack` says how many of how many: what a mesh can honestly promise.
 *
 * Bounded: of all that have their outcome the newest are remembered, with their texts gone.
 */
import type { ClientListener } from "../../client/events.ts";
import type { EntryHash, Holding } from "../../mesh/core/api.ts";
import type { Clock } from "../../protocol/clock.ts";
import { peerConsoleLimits } from "../../protocol/limits.peer.ts";

interface Own {
  readonly id: string;
  readonly room: string;
  /** Empty once it has its outcome. */
  text: string;
  readonly writtenAt: number;
  /** Undefined until it is in the log. */
  hash: EntryHash | undefined;
  /** How many members hold it, as last told. */
  held: number;
  isTold: boolean;
}

/** What it needs. */
export interface SendsOptions {
  readonly clock: Clock;
  /** The outcome waits for another member. */
  readonly untilHeld: boolean;
  holding(hash: EntryHash): Holding | undefined;
  readonly emit: ClientListener;
  /** Said of what nobody else has after a while. */
  readonly notHeld: string;
}

/** See the head of this file. */
export class MeshSends {
  readonly #options: SendsOptions;
  readonly #own = new Map<string, Own>();
  readonly #ids = new Map<EntryHash, string>();
  /** Messages without an outcome. */
  #pending = 0;

  constructor(options: SendsOptions) {
    this.#options = options;
    if (options.untilHeld) options.clock.every(peerConsoleLimits.lookMs, () => this.#giveUp());
  }

  /** Messages without an outcome. */
  get pending(): number {
    return this.#pending;
  }

  /** The id under which this side wrote an entry. */
  idOf(hash: EntryHash): string | undefined {
    return this.#ids.get(hash);
  }

  /** Messages of this run that are in the log here and, as far as is known, nowhere else. */
  get unheld(): number {
    return [...this.#own.values()].filter(({ hash, held }) => hash !== undefined && held < 2).length;
  }

  /** A message was taken. Returns what to call with its hash. */
  taken(id: string, room: string, text: string): (hash: EntryHash) => void {
    const writtenAt = this.#options.clock.monotonic();
    const own: Own = { id, room, text, writtenAt, hash: undefined, held: 1, isTold: false };
    // The same id again takes the place of what was written under it.
    this.dropped(id);
    this.#own.set(id, own);
    this.#pending += 1;
    this.#forgetOldest();
    return (hash) => {
      own.hash = hash;
      own.held = 1;
      this.#ids.set(hash, id);
    };
  }

  /** Those without an outcome are the newest, and get one in time. */
  #forgetOldest(): void {
    const { sendsRemembered } = peerConsoleLimits;
    for (const [id, { isTold }] of this.#own) {
      if (this.#own.size <= sendsRemembered || !isTold) break;
      this.#own.delete(id);
    }
    const [oldest] = this.#ids.keys();
    if (oldest !== undefined && this.#ids.size > sendsRemembered) this.#ids.delete(oldest);
  }

  /** It was refused after all. */
  dropped(id: string): void {
    const own = this.#own.get(id);
    if (own !== undefined && !own.isTold) this.#pending -= 1;
    this.#own.delete(id);
  }

  /** An entry is in the log. */
  inserted(hash: EntryHash, at: number): void {
    const own = this.#own.get(this.#ids.get(hash) ?? "");
    if (own !== undefined && !this.#options.untilHeld && !own.isTold) this.#tell(own, at);
  }

  /** Who holds what may have changed. */
  holdingsChanged(): void {
    const { clock, emit } = this.#options;
    for (const own of this.#own.values()) {
      const now = own.hash === undefined ? undefined : this.#options.holding(own.hash);
      if (now === undefined || now.held <= own.held) continue;
      own.held = now.held;
      const { id, room } = own;
      const message = { type: "ack" as const, id, room, seq: 0, at: clock.now(), held: now.held, of: now.of };
      emit({ kind: "received", message, rejoined: false });
      if (!own.isTold) this.#tell(own, clock.now());
      if (now.held === now.of) this.#own.delete(id);
    }
  }

  #settle(own: Own): void {
    own.isTold = true;
    own.text = "";
    this.#pending -= 1;
  }

  #tell(own: Own, at: number): void {
    this.#settle(own);
    const { id, room } = own;
    this.#options.emit({ kind: "sent", outcome: { ok: true, id, room, seq: 0, at, duplicate: false } });
    this.#options.emit({ kind: "writable" });
  }

  #giveUp(): void {
    const now = this.#options.clock.monotonic();
    for (const own of this.#own.values()) {
      if (own.isTold || now - own.writtenAt < peerConsoleLimits.heldMs) continue;
      const { id, room, text } = own;
      this.#settle(own);
      const message = this.#options.notHeld;
      this.#options.emit({ kind: "sent", outcome: { ok: false, id, room, text, code: "not-held", message } });
    }
  }
}
