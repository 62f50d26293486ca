/** A keeper's store with all that works on it, over files that are gone when the tests are over. */
import { afterAll } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Room } from "../../src/backplane/cluster.ts";
import { Compactor } from "../../src/backplane/keeper/compactor.ts";
import { fileIdentity } from "../../src/backplane/keeper/file-identity.ts";
import { takeOffice } from "../../src/backplane/keeper/office.ts";
import type { Part } from "../../src/protocol/frames.ts";
import { Sweeper } from "../../src/backplane/keeper/retention.ts";
import { openForWriting } from "../../src/backplane/keeper/schema.ts";
import { KeeperStore } from "../../src/backplane/keeper/store.ts";
import type { StoredServer } from "../../src/backplane/keeper/store.ts";
import { keeperLimits } from "../../src/protocol/limits.keeper.ts";
import { bytes } from "../conformance/backplane-support.ts";
import type { ManualClock } from "../support/manual-clock.ts";

/** A way to make names of new files; they are gone when the calling file's tests are over. */
export function storeFiles(): () => string {
  // In memory where there is such a place: these tests sync a new file for each of hundreds of runs.
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "rtchat-store-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let files = 0;
  return () => join(folder, `log-${(files += 1)}.sqlite`);
}
const identity = { pid: process.pid, started: "1", boot: "boot", namespace: "n" };

/** Bytes as the keeper is given them: a part of something longer. */
export function part(content: Uint8Array): Part {
  const buffer = Buffer.concat([Buffer.from("before"), content, Buffer.from("after")]);
  return { buffer, start: 6, length: content.length };
}

/** A keeper's store with all that works on it, and the rooms as a ClusterState would have them. */
export class Keeper {
  readonly store: KeeperStore;
  readonly compactor: Compactor;
  readonly sweeper: Sweeper;
  readonly #rooms = new Map<string, Room<StoredServer>>();

  constructor(file: string, clock: ManualClock, keyWindowEntries: number, keepMessages?: number) {
    const db = openForWriting(file, { cluster: "c", epoch: "e", seed: 77 });
    const seenTerm = db.query<{ term: number }, []>("SELECT term FROM cluster").get()!.term;
    const candidacy = {
      seenTerm,
      socket: "s",
      identity,
      file: fileIdentity(file),
      power: false,
      newEpoch: "n",
    };
    const { term, seed } = takeOffice(db, candidacy).holder;
    this.store = new KeeperStore(db, { term, seed, keyWindowEntries });
    // A slice that never ends early: the clock stands still. Small strides come from small rounds.
    this.compactor = new Compactor(
      this.store,
      clock,
      { ...keeperLimits, journalEntries: 5, blockBytes: 60 },
      keyWindowEntries,
    );
    this.sweeper = new Sweeper(this.store, clock, { keepMessages, keepDays: undefined });
  }

  room(name: string): Room<StoredServer> {
    let room = this.#rooms.get(name);
    if (room === undefined) {
      const { id, last, lastAt } = this.store.load(name);
      room = { name, id, last, lastAt, members: new Map(), records: new Map(), changes: [], subscribers: [] };
      this.#rooms.set(name, room);
    }
    return room;
  }

  /** Publishes as ClusterState does. @returns the position */
  publish(name: string, key: string, body: string): number {
    const room = this.room(name);
    const entry = { seq: room.last + 1, at: 1_000 + room.last, body: part(bytes(body)) };
    const known = this.store.append(room, part(bytes(key)), entry);
    if (known !== undefined) return known.seq;
    room.last = entry.seq;
    return entry.seq;
  }

  /** As the service does after a failure. */
  fail(): void {
    this.store.rollback();
    this.#rooms.clear();
  }
}
