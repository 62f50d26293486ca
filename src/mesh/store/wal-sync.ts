/**
 * Syncing a write-ahead log beside SQLite: at once, or by another thread while everybody goes on.
 *
 * Syncs are coalesced: at most one runs, and one more follows it when something was committed meanwhile. After a failed
 * one nobody knows what is on the disk, and a second may succeed without having written anything; so none is tried again,
 * and whoever writes is to ask {@link WalSync.failure} first.
 */
import { closeSync, fdatasyncSync, openSync } from "node:fs";

/** Syncs a file's content off this thread. */
export type SyncFile = (descriptor: number, done: (error: Error | null) => void) => void;

/** See above. */
export class WalSync {
  readonly #path: string;
  readonly #sync: SyncFile;
  readonly #onFailure: (error: Error) => void;
  /** Commits so far, and how many of them are known to be synced. The first stands for those of an earlier process. */
  #commits = 1;
  #synced = 0;
  #descriptor: number | undefined;
  #running: "no" | "yes" | "once more" = "no";
  #failure: Error | undefined;
  #isClosed = false;

  /** @param onFailure called once */
  constructor(path: string, sync: SyncFile, onFailure: (error: Error) => void) {
    this.#path = path;
    this.#sync = sync;
    this.#onFailure = onFailure;
  }

  /** Why syncing failed, if it did. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Something was committed; `isSynced`: SQLite has synced it, and all before it. */
  committed(isSynced: boolean): void {
    this.#commits += 1;
    if (isSynced) this.#synced = this.#commits;
  }

  /** Syncs what is not. @throws the failure */
  now(): void {
    if (this.#failure === undefined && this.#synced < this.#commits) {
      try {
        fdatasyncSync(this.#open());
        this.#synced = this.#commits;
      } catch (error) {
        this.#fail(error);
      }
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Begins to sync what is not. */
  soon(): void {
    if (this.#synced === this.#commits || this.#failure !== undefined || this.#isClosed) return;
    if (this.#running !== "no") {
      this.#running = "once more";
      return;
    }
    const commits = this.#commits;
    try {
      this.#sync(this.#open(), (error) => this.#done(commits, error));
      this.#running = "yes";
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Syncs nothing any more. */
  close(): void {
    this.#isClosed = true;
    if (this.#running === "no") this.#release();
  }

  #done(commits: number, error: Error | null): void {
    const isWanted = this.#running === "once more";
    this.#running = "no";
    if (this.#isClosed) this.#release();
    else if (error !== null) this.#fail(error);
    else {
      this.#synced = Math.max(this.#synced, commits);
      if (isWanted) this.soon();
    }
  }

  /** What is no longer in the log was synced when it was moved from there; so the file stays the same one. */
  #open(): number {
    this.#descriptor ??= openSync(this.#path, "r+");
    return this.#descriptor;
  }

  #release(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #fail(error: unknown): void {
    this.#failure = error instanceof Error ? error : new Error(String(error));
    this.#onFailure(this.#failure);
  }
}
