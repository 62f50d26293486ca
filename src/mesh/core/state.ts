/**
 * One mesh's log with everything computed from it: graph, members, timelines. Made from the store at start, and made again
 * from it when the store refused a write, because then the graph is ahead of the disk.
 */
import { logLimits } from "../../protocol/limits.mesh.ts";
import type { EntryHash, Holding, MeshSecret, MeshStore, StoredEntry } from "./api.ts";
import { FormatError } from "./bytes.ts";
import type { Codec } from "./codec.ts";
import { isHeld } from "./graph.ts";
import { Log, short, type Accepted } from "./log.ts";
import { Membership } from "./membership.ts";
import type { MeshSeals } from "./secrets.ts";
import { StoreError } from "./store-error.ts";
import { Timelines, type Change, type StoredLine } from "./timelines.ts";

/** What a state is made of. */
export interface StateParts {
  readonly meshId: Uint8Array;
  /** This device's key, hex. */
  readonly self: string;
  readonly codec: Codec;
  readonly seals: MeshSeals;
  readonly store: MeshStore;
  /** Wall clock, ms. */
  now(): number;
}

/** What people would notice of some new entries. */
export interface Noticed {
  readonly changes: readonly Change[];
  /** Keys whose membership changed. */
  readonly members: readonly string[];
  /** Set when the current secret is another one now. */
  readonly secret: MeshSecret | undefined;
}

/** The state of one mesh. */
export class MeshState {
  readonly log: Log;
  readonly membership: Membership;
  readonly timelines: Timelines;
  readonly #parts: StateParts;
  /** When to settle the store, monotonic ms: at first what an earlier process may have left. */
  #settleAt = Number.NEGATIVE_INFINITY;

  /** @throws StoreError when the store cannot be read or holds something that is no log of this mesh */
  constructor(parts: StateParts) {
    this.#parts = parts;
    const { seals, self } = parts;
    this.log = new Log(parts.meshId, parts.codec, () => parts.now());
    this.membership = new Membership(this.log.graph, self, (author, sealed) =>
      seals.openSecret(author.bytes, sealed),
    );
    this.timelines = new Timelines({
      self,
      graph: () => this.log.graph,
      read: (hash) => this.read(hash),
      open: (author, other, sealed) => seals.openText(author.bytes, other.bytes, sealed),
      removedAt: (key) => this.membership.records.get(key)?.removedAt,
    });
    this.#load();
  }

  /** An entry of the log, or undefined. @throws StoreError */
  read(hash: EntryHash): StoredLine | undefined {
    const stored = this.#parts.store.get(hash);
    if (stored === undefined) return undefined;
    const { codec } = this.#parts;
    const entry = codec.entry(stored.bytes, hash);
    return { entry, body: codec.body(entry), receivedAt: stored.receivedAt };
  }

  /** Which of the members have an entry, as far as is known here; undefined for one that is not here. */
  holding(hash: EntryHash): Holding | undefined {
    const { graph } = this.log;
    const node = graph.nodes.get(hash);
    if (node === undefined) return undefined;
    const active = this.membership.active();
    const held = active.filter((key) => key === this.#parts.self || isHeld(graph.author(key), node));
    return { held: held.length, of: active.length };
  }

  /**
   * Puts entries that are in the graph into the store. What this device has just written goes ahead of the disk if
   * somebody is there to get it: if the machine dies before it is synced, its number cannot be used again, because the
   * store then forgets the chain. What others wrote can be fetched again; it is synced before anybody is told that we
   * have it.
   * @throws StoreError when none of them is there
   */
  save(accepted: readonly Accepted[], receivedAt: number, isLinked: boolean): void {
    const { store, self } = this.#parts;
    const entries = accepted.map(({ entry }): StoredEntry => ({
      hash: entry.hash,
      bytes: entry.bytes,
      receivedAt,
    }));
    const isOwn = accepted.some(({ entry }) => entry.author === self);
    // One that others bring back may be of a chain that goes on.
    const isWritten = isOwn && accepted.every(({ origin }) => origin === undefined);
    if (isWritten && isLinked) store.append(entries, "ahead");
    else store.append(entries, isOwn ? "synced" : "lax");
  }

  /** An own entry is on its way. `now`: monotonic ms. */
  wrote(now: number): void {
    this.#settleAt = now + logLimits.settleMs;
  }

  /** Syncs what came since the last tick, without keeping anybody waiting. @throws StoreError */
  tick(now: number): void {
    const { store } = this.#parts;
    if (now >= this.#settleAt) {
      this.#settleAt = Number.POSITIVE_INFINITY;
      store.settle();
    }
    store.syncSoon();
  }

  /** To be called before peers are told what is here: receipts, digests, tips. See api.ts. @throws StoreError */
  flush(): boolean {
    return this.#parts.store.flush();
  }

  /** Takes note of entries that are in the graph and on the disk. */
  note(accepted: readonly Accepted[], receivedAt: number): Noticed {
    const { membership, timelines } = this;
    let members: readonly string[] = [];
    let secret: MeshSecret | undefined;
    let isGoverning = false;
    for (const { node, body } of accepted) if (membership.note(node, body)) isGoverning = true;
    if (isGoverning) {
      const before = membership.summary();
      const secretBefore = membership.current();
      membership.refresh();
      members = changedKeys(before, membership.summary());
      const current = membership.secrets()[0];
      const isNew = current?.rotation !== secretBefore?.rotation || secretBefore?.secret === undefined;
      if (current?.rotation === membership.current()?.rotation && isNew) secret = current;
    }
    const changes: Change[] = [];
    for (const { entry, body, node } of accepted)
      changes.push(...timelines.note(entry, body, node, receivedAt));
    return { changes, members, secret };
  }

  #load(): void {
    const { codec } = this.#parts;
    for (const { hash, bytes, receivedAt } of this.#parts.store.entries()) {
      try {
        if (codec.hash(bytes) !== hash) throw new FormatError("its bytes do not fit its hash");
        const entry = codec.entry(bytes, hash);
        const body = codec.body(entry);
        const { node } = this.log.add(entry, body);
        this.membership.note(node, body);
        this.timelines.note(entry, body, node, receivedAt);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        throw new StoreError(
          `the log is damaged at entry ${short(hash)} (${error.message}); move the file away, and the others will bring the log again`,
        );
      }
    }
    this.membership.refresh();
  }
}

function changedKeys(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const keys = new Set([...before.keys(), ...after.keys()]);
  return [...keys].filter((key) => before.get(key) !== after.get(key));
}
