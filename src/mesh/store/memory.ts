/** A store that lasts as long as the process: for tests, simulations and meshes that should leave no trace. */
import type { EntryHash, MeshStore, StoredEntry } from "../core/api.ts";

/** Keeps entries and notes in memory. */
export class MemoryStore implements MeshStore {
  readonly #entries = new Map<EntryHash, StoredEntry>();
  readonly #notes = new Map<string, string>();

  entries(): Iterable<StoredEntry> {
    return this.#entries.values();
  }

  append(entries: readonly StoredEntry[]): void {
    for (const entry of entries) if (!this.#entries.has(entry.hash)) this.#entries.set(entry.hash, entry);
  }

  flush(): boolean {
    return true;
  }

  syncSoon(): void {}

  settle(): void {}

  get(hash: EntryHash): StoredEntry | undefined {
    return this.#entries.get(hash);
  }

  note(key: string): string | undefined {
    return this.#notes.get(key);
  }

  setNote(key: string, value: string | undefined): void {
    if (value === undefined) this.#notes.delete(key);
    else this.#notes.set(key, value);
  }

  close(): void {}
}
