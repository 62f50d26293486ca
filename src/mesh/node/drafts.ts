/**
 * What a person writes, on its way into the log of whatever mesh the node is in.
 *
 * Usually that is at once. Before a new mesh's log is here it waits in a bounded list, in order; and what was written
 * into a mesh that is then given up is written again into the next one. Whoever wrote it hears of each hash it gets, so
 * that a message can be followed whatever became of the mesh under it.
 */
import { peerNodeLimits } from "../../protocol/limits.peer.ts";
import type { Draft, EntryHash, MeshCoreApi, Refused } from "../core/api.ts";

/** Hears of the entry that something written became. */
export type WrittenHandler = (hash: EntryHash) => void;

/** What became of something written. `queued`: it is written as soon as the mesh's log is here. */
export type Written =
  | { readonly ok: true; readonly hash: EntryHash | undefined; readonly queued: boolean }
  | Refused;

interface PendingDraft {
  readonly draft: Draft;
  readonly written: WrittenHandler;
}

const nobody: WrittenHandler = () => {};

function asPending(drafts: readonly Draft[]): PendingDraft[] {
  return drafts.map((draft) => ({ draft, written: nobody }));
}

/** See the head of this file. */
export class Drafts {
  #waiting: PendingDraft[];
  /** The disk has refused: when to try again, monotonic ms. */
  #pausedUntil = Number.NEGATIVE_INFINITY;
  /** Who asked to hear of what was written in this mesh, by hash. */
  readonly #written = new Map<EntryHash, WrittenHandler>();

  /** @param unsent what an earlier run could not write */
  constructor(unsent: readonly Draft[]) {
    this.#waiting = asPending(unsent);
  }

  /** What an earlier run wrote for the mesh that was joined now: it comes first. */
  precede(unsent: readonly Draft[]): void {
    this.#waiting = [...asPending(unsent), ...this.#waiting].slice(-peerNodeLimits.draftsMost);
  }

  /** What still waits, to be kept for the next run. Names and addresses are announced anew anyway. */
  get unsent(): readonly Draft[] {
    return this.#waiting.map(({ draft }) => draft).filter(({ kind }) => kind !== "addresses");
  }

  /** Writes into `core`'s log, now or later. */
  publish(core: MeshCoreApi, draft: Draft, written: WrittenHandler = nobody): Written {
    if (this.#waiting.length === 0) {
      const published = core.publish(draft);
      if (published.ok) {
        this.#note(published.hash, written);
        return { ...published, queued: false };
      }
      if (published.code !== "no-previous") return published;
    }
    if (this.#waiting.length >= peerNodeLimits.draftsMost) {
      const message = "too much is waiting for the mesh's log: try again when it is here";
      return { ok: false, code: "no-previous", message };
    }
    this.#waiting.push({ draft, written });
    return { ok: true, hash: undefined, queued: true };
  }

  /** The log is here: writes what waits. @param now monotonic ms */
  flush(core: MeshCoreApi, now: number): void {
    while (this.#waiting[0] !== undefined && now >= this.#pausedUntil) {
      const { draft, written } = this.#waiting[0];
      const published = core.publish(draft);
      if (!published.ok && published.code === "no-previous") return;
      if (!published.ok && published.code === "store-failed") {
        this.#pausedUntil = now + peerNodeLimits.draftsPauseMs;
        return;
      }
      // What the core does not take now it will never take; it was checked when it was written.
      this.#waiting.shift();
      if (published.ok) this.#note(published.hash, written);
    }
  }

  /** `core`'s mesh is about to be given up: what we wrote in its rooms waits for the next one. */
  carry(core: MeshCoreApi): void {
    const lines = core.rooms().flatMap(({ room }) => core.timeline({ room }, peerNodeLimits.draftsMost));
    const own = lines.filter(({ author }) => author === core.self).toSorted((a, b) => a.at - b.at);
    const carried = own.flatMap(({ hash, kind, place, text }): PendingDraft[] => {
      if (!("room" in place) || kind === "direct") return [];
      return [{ draft: { kind, room: place.room, text }, written: this.#written.get(hash) ?? nobody }];
    });
    this.#written.clear();
    this.#waiting = [...carried, ...this.#waiting].slice(-peerNodeLimits.draftsMost);
  }

  #note(hash: EntryHash, written: WrittenHandler): void {
    written(hash);
    this.#written.set(hash, written);
    const [oldest] = this.#written.keys();
    if (this.#written.size > peerNodeLimits.draftsMost && oldest !== undefined) this.#written.delete(oldest);
  }
}
