/**
 * Checkpoints beside the commits.
 *
 * SQLite copies the WAL into the database file, with an fsync of each, in a thread of its own (checkpoint/worker.ts),
 * which starts when it is first needed. A checkpoint that runs while commits go on never reaches the WAL's end, so the
 * file would grow for ever under constant load. When it is too long, commits are held until a checkpoint that began
 * after that has reached the end; the next commit then starts the WAL over. They are held only once the checkpoint that
 * runs at that moment is over, so that the last one has little left to copy; unless the WAL has grown by a quarter more.
 * The checkpoints before that one also write the database back, which would be the longest part of it (checkpoint/flush.ts).
 *
 * Invariant: while commits are held, a checkpoint is running.
 */
import type { keeperLimits } from "../../protocol/limits.keeper.ts";
import type { Logger } from "../../protocol/logger.ts";
import type { CheckpointOrder, CheckpointReport } from "./checkpoint/worker.ts";
import { startWorker } from "./start-worker.ts";

/** How many times as long as it may be the WAL gets while a checkpoint that runs is waited for. */
const PATIENCE = 1.25;

/** Part of the length it may have from which on the database is written back by each checkpoint. */
const FLUSH_FROM = 0.6;

/** What a commit writes to the WAL for so many bytes of data at so many places, bytes: whole pages, nearly a frame each. */
export function walBytesOf(bytes: number, places: number, pageBytes: number): number {
  return (Math.ceil(bytes / pageBytes) + places + 1) * pageBytes;
}

type Limits = Pick<{ [Name in keyof typeof keeperLimits]: number }, "walBytes" | "walMostBytes">;

export class Checkpointer {
  readonly #file: string;
  readonly #limits: Limits;
  readonly #log: Logger;
  readonly #turns: { hold(): void; release(): void };
  #worker: Worker | undefined;
  #running = false;
  /** The checkpoint that runs began while commits were held: it will reach the end. */
  #final = false;
  /** Length of the WAL after the last checkpoint, and what was written since it began; an estimate. */
  #wal = 0;
  #written = 0;
  holding = false;

  constructor(file: string, limits: Limits, log: Logger, turns: { hold(): void; release(): void }) {
    this.#file = file;
    this.#limits = limits;
    this.#log = log;
    this.#turns = turns;
  }

  /** So many bytes were written to the WAL. */
  wrote(bytes: number): void {
    this.#written += bytes;
    if (this.#written >= this.#limits.walBytes && !this.#running) this.#run();
    if (!this.holding && this.#tooLong(this.#running ? PATIENCE : 1)) this.#hold();
  }

  #tooLong(times: number): boolean {
    return this.#wal + this.#written >= this.#limits.walMostBytes * times;
  }

  #hold(): void {
    this.holding = true;
    this.#turns.hold();
    if (!this.#running) this.#run();
  }

  #run(): void {
    this.#running = true;
    this.#final = this.holding;
    const flush = !this.holding && this.#tooLong(FLUSH_FROM);
    this.#written = 0;
    this.#worker ??= this.#start();
    this.#worker.postMessage({ file: this.#file, flush } satisfies CheckpointOrder);
  }

  #start(): Worker {
    const worker = startWorker("checkpoint");
    worker.addEventListener("message", (event: MessageEvent<CheckpointReport>) => this.#done(event.data));
    worker.addEventListener("error", (event) => {
      this.#log.error("the checkpoint thread failed", { error: event.message });
      this.#worker = undefined;
      this.#done({ walBytes: 0, complete: true, problem: undefined });
    });
    return worker;
  }

  #done({ walBytes, complete, problem }: CheckpointReport): void {
    this.#running = false;
    this.#wal = walBytes;
    if (problem !== undefined) this.#log.warn("a checkpoint failed", { problem });
    if (!this.holding) {
      if (problem === undefined && this.#tooLong(1)) this.#hold();
      return;
    }
    if (!this.#final) return this.#run();
    if (!complete)
      this.#log.warn("the WAL could not be started over: a reader holds it", { bytes: walBytes });
    // If it could not, the next attempt is due when as much again has been written.
    this.#wal = 0;
    this.holding = false;
    this.#turns.release();
  }

  close(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}
