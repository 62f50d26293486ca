/**
 * The logs and records of a `MemoryStore`: arrays, one a room.
 *
 * Who is where lives in `ClusterState` alone; nothing here survives the process, so there is nothing to store of it.
 * Invariant: a log's entries are consecutive and end with its last seq; its keys are in the order of their entries.
 */
import type { HistoryPage, HistoryQuery, LogEntry } from "./backplane.ts";
import { takePage } from "./page.ts";
import type { ClusterStore, Room, StoredRoom } from "./cluster.ts";

interface Log {
  readonly id: number;
  entries: LogEntry[];
  readonly keys: Map<string, LogEntry>;
  readonly records: Map<string, string>;
}

export class MemoryLogs implements ClusterStore<{ readonly id: string }> {
  readonly #logs = new Map<string, Log>();
  readonly #keyWindow: number;
  readonly #keep: number;

  constructor(keyWindowEntries: number, keepMessages: number) {
    this.#keyWindow = keyWindowEntries;
    this.#keep = keepMessages;
  }

  clear(): void {
    this.#logs.clear();
  }

  #log(name: string): Log {
    let log = this.#logs.get(name);
    if (log === undefined) {
      log = { id: this.#logs.size + 1, entries: [], keys: new Map(), records: new Map() };
      this.#logs.set(name, log);
    }
    return log;
  }

  load(name: string): StoredRoom {
    const { id, entries, records } = this.#log(name);
    const last = entries.at(-1);
    return { id, last: last?.seq ?? 0, lastAt: last?.at ?? 0, records };
  }

  append(room: Room<{ readonly id: string }>, key: string, entry: LogEntry): LogEntry | undefined {
    const log = this.#log(room.name);
    const known = log.keys.get(key);
    if (known !== undefined) return known;
    log.entries.push(entry);
    log.keys.set(key, entry);
    for (const [old, { seq }] of log.keys) {
      if (seq > entry.seq - this.#keyWindow) break;
      log.keys.delete(old);
    }
    // Twice the bound before it is cut, so that a cut is paid for by as many appends.
    if (log.entries.length >= this.#keep * 2) log.entries = log.entries.slice(-this.#keep);
    return undefined;
  }

  /** Part of a log, by the rules of {@link HistoryQuery}. */
  page(query: HistoryQuery, epoch: string, last: number): HistoryPage {
    const { entries } = this.#log(query.room);
    const kept = Math.max(0, entries.length - this.#keep);
    const first = entries[kept]?.seq ?? last + 1;
    const { before = Infinity, after = 0, limit, maxBytes } = query;
    const from = kept + Math.max(0, after + 1 - first);
    const end = kept + Math.max(0, Math.min(before, last + 1) - first);
    const page =
      query.after === undefined
        ? takePage(downwards(entries, from, end), limit, maxBytes).reverse()
        : takePage(upwards(entries, from, end), limit, maxBytes);
    return { epoch, first, last, entries: page };
  }

  putRecord(room: Room<{ readonly id: string }>, key: string, value: string): void {
    this.#log(room.name).records.set(key, value);
  }

  dropRecord(room: Room<{ readonly id: string }>, key: string): void {
    this.#log(room.name).records.delete(key);
  }

  forget(): void {}
  putSession(): void {}
  dropSession(): void {}
  putMember(): void {}
  dropMember(): void {}
}

// A page reads as far as it needs, and copies nothing of a log that may have a million entries.

function* upwards(entries: readonly LogEntry[], from: number, end: number): Generator<LogEntry> {
  for (let index = from; index < end; index += 1) {
    const entry = entries[index];
    if (entry === undefined) return;
    yield entry;
  }
}

function* downwards(entries: readonly LogEntry[], from: number, end: number): Generator<LogEntry> {
  for (let index = end - 1; index >= from; index -= 1) {
    const entry = entries[index];
    if (entry === undefined) return;
    yield entry;
  }
}
