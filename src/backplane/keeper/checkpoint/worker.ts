/** The thread that runs checkpoints: told a file, it moves what it can from the WAL, and reports. */
import { Database } from "bun:sqlite";
import { problemOf } from "../problem.ts";
import { descriptorsOf, flush } from "./flush.ts";

/** What the thread is told. */
export interface CheckpointOrder {
  readonly file: string;
  /** Afterwards the database is written back too, so that less is left for the checkpoint that reaches the end. */
  readonly flush: boolean;
}

/** How a checkpoint went. */
export interface CheckpointReport {
  /** Length of the WAL. */
  readonly walBytes: number;
  /** All of it, as of the beginning of the checkpoint, is in the database: the next commit may start it over. */
  readonly complete: boolean;
  readonly problem: string | undefined;
}

declare const self: Worker;

let open: Database | undefined;
/** Descriptors of the file that others here have, the keeper first. */
let others: readonly string[] = [];

function checkpoint(file: string): CheckpointReport {
  try {
    if (open === undefined) {
      others = descriptorsOf(file);
      open = new Database(file, { readwrite: true });
      open.run("PRAGMA busy_timeout = 0");
      open.run("PRAGMA wal_autocheckpoint = 0");
    }
    const size = open.query<{ page_size: number }, []>("PRAGMA page_size").get()?.page_size ?? 4_096;
    const row = open
      .query<{ busy: number; log: number; checkpointed: number }, []>("PRAGMA wal_checkpoint(PASSIVE)")
      .get();
    const { log, checkpointed } = row ?? { log: 0, checkpointed: 0 };
    return { walBytes: log * size, complete: log === checkpointed, problem: undefined };
  } catch (error) {
    return { walBytes: 0, complete: true, problem: problemOf(error, file).message };
  }
}

self.addEventListener("message", ({ data }: MessageEvent<CheckpointOrder>) => {
  const report = checkpoint(data.file);
  if (data.flush && report.problem === undefined) flush(data.file, others);
  self.postMessage(report);
});
