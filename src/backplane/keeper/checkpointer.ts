/**
 * Checkpoints beside the commits.
 *
 * SQLite copies the WAL into the database file, with an fsync of each, in a thread of its own (checkpoint/worker.ts),
 * which starts when it is first needed. A checkpoint that runs while commits go on can never reach the WAL's end, so the
 * file would grow for ever under constant load; when it is too long, commits are held for the moment that the rest
 * takes, and the next commit starts the WAL over.
 */
import type { keeperLimits } from "../../protocol/limits.keeper.ts";
import type { Logger } from "../../protocol/logger.ts";
import type { CheckpointReport } from "./checkpoint/worker.ts";
import { startWorker } from "./start-worker.ts";

export class Checkpointer {
  readonly #file: string;
  readonly #limits: Pick<{ [Name in keyof typeof keeperLimits]: number }, "walBytes" | "walMostBytes">;
  readonly #log: Logger;
  readonly #turns: { hold(): void; release(): void };
  #worker: Worker | undefined;
  #running = false;
  /** Estimate of what was written since the last checkpoint began. */
  #written = 0;
  holding = false;

  constructor(
    file: string,
    limits: Pick<{ [Name in keyof typeof keeperLimits]: number }, "walBytes" | "walMostBytes">,
    log: Logger,
    turns: { hold(): void; release(): void },
  ) {
    this.#file = file;
    this.#limits = limits;
    this.#log = log;
    this.#turns = turns;
  }

  /** So many bytes were written. */
  wrote(bytes: number): void {
    this.#written += bytes;
    if (this.#written >= this.#limits.walBytes && !this.#running) this.#run();
  }

  #run(): void {
    this.#running = true;
    this.#written = 0;
    this.#worker ??= this.#start();
    this.#worker.postMessage(this.#file);
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
    if (problem !== undefined) this.#log.warn("a checkpoint failed", { problem });
    if (!complete && walBytes > this.#limits.walMostBytes && !this.holding) {
      this.holding = true;
      this.#turns.hold();
      this.#run();
      return;
    }
    if (!this.holding) return;
    this.holding = false;
    if (!complete)
      this.#log.warn("the WAL could not be started over: a reader holds it", { bytes: walBytes });
    this.#turns.release();
  }

  close(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }
}
