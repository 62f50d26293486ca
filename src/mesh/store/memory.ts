/** A store that lasts as long as the process: for tests, simulations and meshes that should leave no trace. */
import type { EntryHash, MeshStore, StoredEntry } from "../core/api.ts";
import { StoreError } from "../core/store-error.ts";

/** Keeps entries and notes in memory. */
export class MemoryStore implements MeshStore {
  readonly #entries = new Map<EntryHash, StoredEntry>();
  readonly #notes = new Map<string, string>();
  readonly #bytesMost: number | undefined;
  #bytes = 0;

  /** @param bytesMost of entries, after which it is full as a disk may be; undefined: as many as there are */
  constructor(bytesMost?: number) {
    this.#bytesMost = bytesMost;
  }

  entries(): Iterable<StoredEntry> {
    return this.#entries.values();
  }

  append(entries: readonly StoredEntry[]): void {
    const fresh = entries.filter(({ hash }) => !this.#entries.has(hash));
    if (this.#bytesMost === undefined) {
      for (const entry of fresh) this.#entries.set(entry.hash, entry);
      return;
    }
    for (const { bytes } of fresh) this.#bytes += bytes.length;
    if (this.#bytes > this.#bytesMost) {
      for (const { bytes } of fresh) this.#bytes -= bytes.length;
      throw new StoreError(
        "what the two have said no longer fits the memory it may take: end it, and begin anew",
      );
    }
    // A copy, because the bytes are a view into whatever they came in, which would stay in memory with them.
    for (const entry of fresh)
      this.#entries.set(entry.hash, { ...entry, bytes: Uint8Array.from(entry.bytes) });
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
