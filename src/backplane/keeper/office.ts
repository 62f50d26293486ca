/**
 * The keeper's office: who may write the log file.
 *
 * It is held by term. A candidate that saw term T dead takes the write lock, checks that the file still says T, and
 * writes T+1 with its own socket and identity; of several candidates the first to commit wins, and the others see a term
 * they did not expect. Each commit of a keeper checks its term (store.ts), so being paused, however long, is harmless:
 * no operating-system lock has to be trusted to have been lost.
 *
 * The epoch. With durability `process` a crash of the machine can take the newest commits back (SQLite's WAL without
 * fsync), and their positions would be given to other messages. `durable` in the file says that nothing acknowledged can
 * be lost in that way: set with an fsync at an orderly end or by a keeper that syncs every commit, cleared with an fsync
 * before the first commit of one that does not. A new boot of the machine while it is clear means a new epoch. So does a
 * copy of the file, which is older than what people have seen (file-identity.ts).
 */
import type { Database } from "bun:sqlite";
import { isCopy } from "./file-identity.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import type { Holder } from "./reader.ts";

/** What a candidate brings. */
export interface Candidacy {
  /** The term it saw and holds for dead. */
  readonly seenTerm: number;
  readonly socket: string;
  readonly identity: ProcessIdentity;
  /** The file, as fileIdentity names it. */
  readonly file: string;
  /** Sync every commit. */
  readonly power: boolean;
  /** The epoch to begin if the tail of the log may be gone. */
  readonly newEpoch: string;
}

/** How an election ended. */
export interface Election {
  /** What the file says now: the candidate won if `term` is `seenTerm + 1` and `socket` its own. */
  readonly holder: Holder;
  /** Why the winner began a new epoch, for an operator; undefined if it did not. */
  readonly newEpoch: string | undefined;
}

const CRASHED = "the machine went down while the newest messages were not safe on its disk";
const COPIED = "this log is a copy, and people may have seen what came after it";

/** The row of whoever keeps the file, or kept it last. */
function readHolder(db: Database): Holder {
  const holder = db.query<Holder, []>("SELECT * FROM cluster").get();
  if (holder === null) throw new Error("the cluster table is empty");
  return holder;
}

function reasonForNewEpoch(now: Holder, { identity, file }: Candidacy): string | undefined {
  if (now.term === 0) return undefined;
  if (isCopy(now.file, file)) return COPIED;
  return now.boot !== identity.boot && now.durable === 0 ? CRASHED : undefined;
}

/**
 * Runs for office.
 * @throws SQLiteError; busy when another has the lock
 */
export function takeOffice(db: Database, candidacy: Candidacy): Election {
  const { identity, power, socket } = candidacy;
  const before = readHolder(db);
  if (before.term !== candidacy.seenTerm) return { holder: before, newEpoch: undefined };
  const durable = power ? 1 : 0;
  // Clearing the mark must reach the disk before any commit that relies on it being clear.
  db.run(`PRAGMA synchronous = ${power || before.durable === 1 ? "FULL" : "NORMAL"}`);
  let newEpoch: string | undefined;
  db.run("BEGIN IMMEDIATE");
  try {
    const now = readHolder(db);
    if (now.term === candidacy.seenTerm) {
      newEpoch = reasonForNewEpoch(now, candidacy);
      db.query(
        "UPDATE cluster SET term = ?, socket = ?, pid = ?, started = ?, boot = ?, namespace = ?, durable = ?, epoch = ?, file = ?",
      ).run(
        now.term + 1,
        socket,
        identity.pid,
        identity.started,
        identity.boot,
        identity.namespace,
        durable,
        newEpoch === undefined ? now.epoch : candidacy.newEpoch,
        candidacy.file,
      );
    }
    db.run("COMMIT");
  } catch (error) {
    if (db.inTransaction) db.run("ROLLBACK");
    throw error;
  }
  db.run(`PRAGMA synchronous = ${power ? "FULL" : "NORMAL"}`);
  return { holder: readHolder(db), newEpoch };
}

/**
 * Marks that everything committed so far is on the disk, if the term is still `term`. From here on every commit is synced,
 * also if the mark could not be written.
 * @throws SQLiteError
 */
export function markDurable(db: Database, term: number): void {
  db.run("PRAGMA synchronous = FULL");
  db.query("UPDATE cluster SET durable = 1 WHERE term = ?").run(term);
}
