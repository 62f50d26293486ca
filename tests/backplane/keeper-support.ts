/** Keeper clusters for tests: servers in this process over a data directory of their own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import { KeeperBackplane, logFile } from "../../src/backplane/keeper/keeper.ts";
import type { KeeperOptions } from "../../src/backplane/keeper/keeper.ts";
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
      for (const plane of planes) await plane.stop(true);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
