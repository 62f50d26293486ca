/**
 * The search thread: answers searches, and if its server keeps the log, brings the index up to date between them.
 *
 * A thread of its own, because a search for a common word takes longer than clients should wait for anything else.
 */
import { join } from "node:path";
import type { Database } from "bun:sqlite";
import type { SearchPage, SearchQuery } from "../../backplane.ts";
import { LogReader } from "../reader.ts";
import { openForReading } from "../schema.ts";
import { Finder, searchStatements } from "./finder.ts";
import type { FinderLimits, Statements } from "./finder.ts";
import { indexFile, openIndexForReading, openIndexForWriting } from "./index-file.ts";
import { Indexer } from "./indexer.ts";

/** What the thread works on. */
export interface SearchSettings {
  readonly directory: string;
  /** The log. */
  readonly file: string;
  readonly limits: FinderLimits & {
    readonly indexEntries: number;
    readonly indexRest: number;
    readonly indexEveryMs: number;
  };
}

/** What the thread is told; `open` first. */
export type ToSearch =
  | { readonly kind: "open"; readonly settings: SearchSettings }
  | { readonly kind: "find"; readonly number: number; readonly query: SearchQuery }
  | { readonly kind: "index"; readonly on: boolean }
  | { readonly kind: "stop" };

/** What the thread says. */
export type FromSearch =
  | { readonly kind: "found"; readonly number: number; readonly found: SearchPage }
  | { readonly kind: "failed"; readonly number: number; readonly message: string }
  | { readonly kind: "trouble"; readonly message: string }
  | { readonly kind: "stopped" };

declare const self: Worker;

const say = (message: FromSearch): void => self.postMessage(message);
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

class SearchWorker {
  readonly #settings: SearchSettings;
  readonly #reader: LogReader;
  #index: { readonly db: Database; readonly statements: Statements } | undefined;
  #indexer: Indexer | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #trouble = "";

  constructor(settings: SearchSettings) {
    this.#settings = settings;
    this.#reader = new LogReader(settings.file);
  }

  get #indexPath(): string {
    return join(this.#settings.directory, indexFile);
  }

  find(number: number, query: SearchQuery): void {
    try {
      const now = () => performance.now();
      const finder = new Finder(query, this.#reader, this.#statements(), this.#settings.limits, now);
      say({ kind: "found", number, found: finder.run() });
    } catch (error) {
      say({ kind: "failed", number, message: messageOf(error) });
    }
  }

  #statements(): Statements | undefined {
    if (this.#index === undefined) {
      const db = openIndexForReading(this.#indexPath);
      if (db !== undefined) this.#index = { db, statements: searchStatements(db) };
    }
    return this.#index?.statements;
  }

  index(on: boolean): void {
    clearTimeout(this.#timer);
    if (on) this.#again(0);
    else this.#closeIndexer();
  }

  #again(ms: number): void {
    this.#timer = setTimeout(() => this.#step(), ms);
  }

  #step(): void {
    const { indexRest, indexEveryMs } = this.#settings.limits;
    const began = performance.now();
    try {
      const indexer = (this.#indexer ??= this.#openIndexer());
      const more = indexer?.step() === "more";
      this.#trouble = "";
      this.#again(more ? (performance.now() - began) * indexRest + 1 : indexEveryMs);
    } catch (error) {
      // A full disk, or a file that somebody damaged: searches do without it, and it is tried again.
      this.#closeIndexer();
      const message = messageOf(error);
      if (message !== this.#trouble) say({ kind: "trouble", message });
      this.#trouble = message;
      this.#again(indexEveryMs * 10);
    }
  }

  #openIndexer(): Indexer | undefined {
    const log = openForReading(this.#settings.file);
    if (log === undefined) return undefined;
    try {
      return new Indexer(log, openIndexForWriting(this.#indexPath), this.#settings.limits.indexEntries);
    } catch (error) {
      log.close();
      throw error;
    }
  }

  #closeIndexer(): void {
    this.#indexer?.close();
    this.#indexer = undefined;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#closeIndexer();
    this.#reader.close();
    this.#index?.db.close();
  }
}

let worker: SearchWorker | undefined;

self.addEventListener("message", ({ data }: MessageEvent<ToSearch>) => {
  switch (data.kind) {
    case "open":
      worker = new SearchWorker(data.settings);
      return;
    case "find":
      worker?.find(data.number, data.query);
      return;
    case "index":
      worker?.index(data.on);
      return;
    case "stop":
      worker?.close();
      worker = undefined;
      say({ kind: "stopped" });
  }
});
