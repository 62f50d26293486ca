/** Keeper clusters for tests: servers in this process over a data directory of their own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import { KeeperBackplane, logFile } from "../../src/backplane/keeper/keeper.ts";
import type { KeeperOptions } from "../../src/backplane/keeper/keeper.ts";
import { fileIdentity } from "../../src/backplane/keeper/file-identity.ts";
import { takeOffice } from "../../src/backplane/keeper/office.ts";
import { ownIdentity } from "../../src/backplane/keeper/process-identity.ts";
import { openForWriting } from "../../src/backplane/keeper/schema.ts";
import { KeeperService } from "../../src/backplane/keeper/service.ts";
import type { ServiceOptions } from "../../src/backplane/keeper/service.ts";
import { KeeperStore } from "../../src/backplane/keeper/store.ts";
import { listen } from "../../src/net/listener.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { keeperLimits } from "../../src/protocol/limits.keeper.ts";
import type { Logger } from "../../src/protocol/logger.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import type { ClusterSettings, TestCluster } from "../conformance/backplane-support.ts";

/** A cluster, with more to do to it than the conformance suite needs. */
export interface KeeperCluster extends TestCluster {
  readonly directory: string;
  readonly file: string;
  server(options?: Partial<KeeperOptions>): KeeperBackplane;
}

/** Writes to a log file that some keeper may have open, waiting for its lock. */
export function withLog<T>(file: string, use: (db: Database) => T): T {
  const db = new Database(file, { readwrite: true });
  try {
    db.run("PRAGMA busy_timeout = 5000");
    return use(db);
  } finally {
    db.close();
  }
}

/** A log that throws on nothing and shows what went wrong. */
export const testLogger: Logger =
  process.env["RTCHAT_TEST_LOG"] === undefined
    ? silentLogger
    : {
        debug: (message, fields) => console.log("debug", message, fields),
        info: (message, fields) => console.log("info", message, fields),
        warn: (message, fields) => console.log("warn", message, fields),
        error: (message, fields) => console.log("error", message, fields),
      };

export async function keeperCluster(settings: ClusterSettings = {}): Promise<KeeperCluster> {
  const directory = await mkdtemp(join(tmpdir(), "rtchat-keeper-"));
  const file = join(directory, logFile);
  const planes: KeeperBackplane[] = [];
  const { keyWindowEntries, ...rest } = settings;
  // Small rounds, so that the tests see entries in the journal, being moved, and moved.
  const limits = { ...keeperLimits, journalEntries: 40, journalMs: 100 };
  return {
    directory,
    file,
    server(options) {
      const window = keyWindowEntries === undefined ? {} : { keyWindowEntries };
      const plane = new KeeperBackplane({
        directory,
        log: testLogger,
        limits,
        ...rest,
        ...window,
        ...options,
      });
      planes.push(plane);
      return plane;
    },
    async vanish(plane) {
      if (plane instanceof KeeperBackplane) await plane.abort();
    },
    changeEpoch() {
      // As after a crash of the machine: another boot, and nothing that says that the tail was safe. The keeper finds
      // its term lost, and the next one finds the boot changed.
      withLog(file, (db) =>
        db.run("UPDATE cluster SET term = term + 1, socket = ?, boot = 'another', durable = 0", [
          join(directory, "nobody.sock"),
        ]),
      );
      return Promise.resolve();
    },
    async close() {
      // The keeper, mostly the first, at the end: so that nobody is elected only to stop.
      for (const plane of planes.toReversed()) await plane.stop(true);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A keeper in this thread, so that the test can reach its database. */
export function localKeeper(directory: string, parts: Partial<Pick<ServiceOptions, "sync" | "clock">> = {}) {
  const file = join(directory, logFile);
  const path = join(directory, "keeper.sock");
  const db = openForWriting(file, { cluster: "c", epoch: "e", seed: 1 });
  const listener = listen({
    at: { path },
    settings: { clock: systemClock, limits: { outboxBytes: 1e8, highWaterBytes: 1e8, lingerMs: 100 } },
    accept: (connection) => service.accept(connection),
  });
  const { term } = takeOffice(db, {
    seenTerm: 0,
    socket: path,
    identity: ownIdentity(),
    file: fileIdentity(file),
    power: false,
    newEpoch: "x",
  }).holder;
  const store = new KeeperStore(db, { term, seed: 1, keyWindowEntries: 1_000 });
  const service = new KeeperService({
    store,
    file,
    term,
    cluster: "c",
    epoch: "e",
    graceMs: 10_000,
    clock: systemClock,
    limits: { ...keeperLimits, storeRetryMs: 20 },
    log: testLogger,
    turned() {},
    synced: () => false,
    sync() {},
    ended() {},
    ...parts,
  });
  return {
    /** Lets the file grow by so many pages and no more; undefined for as much as it likes. */
    limit(pages: number | undefined): void {
      const now = db.query<{ page_count: number }, []>("PRAGMA page_count").get()!.page_count;
      db.run(`PRAGMA max_page_count = ${pages === undefined ? 4_294_967_294 : now + pages}`);
    },
    close(): void {
      service.end(undefined);
      listener.stop();
      db.close();
    },
  };
}
