/**
 * The transfers of a device by number, peer and ID; what has ended is kept a while, so that people can look it up and a
 * sender who missed the end can be told.
 */
import type { Clock } from "../../protocol/clock.ts";
import { transferLimits } from "../../protocol/limits.peer.ts";
import type { Incoming } from "./incoming.ts";
import type { Outgoing } from "./outgoing.ts";
import type { TransferView } from "./transfer.ts";

/** A transfer and whose it is. */
export type Transfer =
  | { readonly direction: "in"; readonly peer: string; readonly transfer: Incoming }
  | { readonly direction: "out"; readonly peer: string; readonly transfer: Outgoing };

/** A row. */
export type Entry = Transfer & {
  readonly number: number;
  /** When it began, or ended; ms since 1970. */
  at: number;
};

/** See above. */
export class TransferTable {
  readonly #clock: Clock;
  readonly #show: (view: TransferView) => void;
  readonly #entries = new Map<string, Entry>();
  /** When the progress of each was last shown, monotonic ms. */
  readonly #shownAt = new Map<Entry, number>();
  #number = 0;

  constructor(clock: Clock, show: (view: TransferView) => void) {
    this.#clock = clock;
    this.#show = show;
  }

  /** Adds one that begins, and shows it. `at`: when it was begun by an earlier run; it is then not news. */
  add(transfer: Transfer, at?: number): Entry {
    this.#number += 1;
    const entry: Entry = { ...transfer, number: this.#number, at: at ?? this.#clock.now() };
    this.#entries.set(keyOf(entry.peer, entry.direction, entry.transfer.id), entry);
    if (at === undefined) this.#show(viewOf(entry));
    return entry;
  }

  find(peer: string, direction: "in" | "out", id: string): Entry | undefined {
    return this.#entries.get(keyOf(peer, direction, id));
  }

  incoming(peer: string, id: string): Incoming | undefined {
    const entry = this.find(peer, "in", id);
    return entry?.direction === "in" ? entry.transfer : undefined;
  }

  outgoing(peer: string, id: string): Outgoing | undefined {
    const entry = this.find(peer, "out", id);
    return entry?.direction === "out" ? entry.transfer : undefined;
  }

  byNumber(number: number): Entry | undefined {
    return this.all().find((entry) => entry.number === number);
  }

  /** The oldest first. */
  all(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  /** All of one peer that have not ended. */
  of(peer: string): readonly Entry[] {
    return this.all().filter((entry) => entry.peer === peer && !entry.transfer.isEnded);
  }

  /** How many of a peer have not ended. */
  pending(peer: string, direction: "in" | "out"): number {
    return this.of(peer).filter((entry) => entry.direction === direction).length;
  }

  /** How many from anybody have not ended. */
  get pendingIn(): number {
    return this.all().filter(({ direction, transfer }) => direction === "in" && !transfer.isEnded).length;
  }

  /** Shows a change; mere progress only now and then. */
  changed(entry: Entry, isProgress: boolean): void {
    const now = this.#clock.monotonic();
    if (isProgress) {
      const shownAt = this.#shownAt.get(entry) ?? Number.NEGATIVE_INFINITY;
      if (entry.transfer.isEnded || now - shownAt < transferLimits.progressMs) return;
    }
    this.#shownAt.set(entry, now);
    if (entry.transfer.isEnded) {
      entry.at = this.#clock.now();
      this.#shownAt.delete(entry);
      this.#forgetEnded();
    }
    this.#show(viewOf(entry));
  }

  /** Everything under way, and the last that ended in this run. */
  views(): readonly TransferView[] {
    const open = this.all().filter(({ transfer }) => !transfer.isEnded);
    const ended = this.all().filter(({ transfer }) => transfer.isEnded);
    return [...ended.slice(-transferLimits.endedListed), ...open].map(viewOf);
  }

  #forgetEnded(): void {
    const ended = this.all().filter(({ transfer }) => transfer.isEnded);
    const tooMany = ended.toSorted((a, b) => a.at - b.at).slice(0, -transferLimits.finishedMost);
    for (const { peer, direction, transfer } of tooMany)
      this.#entries.delete(keyOf(peer, direction, transfer.id));
  }
}

function keyOf(peer: string, direction: "in" | "out", id: string): string {
  return `${direction} ${id} ${peer}`;
}

function viewOf({ number, peer, direction, transfer }: Entry): TransferView {
  const { id, name, size, done, state, stopped } = transfer;
  const path = direction === "in" ? transfer.path : undefined;
  return { number, id, peer, direction, name, size, done, state, stopped, path };
}
