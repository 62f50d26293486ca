/**
 * A server's candidacy: its keeper thread, which runs for office when nobody keeps the log.
 *
 * The thread is started when it is first needed; that takes a few milliseconds, and a server that never runs for office
 * is spared the memory.
 *
 * When the lock cannot be had. A keeper that was stopped (SIGSTOP, a debugger) in the middle of a commit holds SQLite's
 * write lock, and no election can be written. There is no gentle way to take it. If the holder named in the file is
 * provably the process we think of, on this machine, in this boot, and is stopped, it is killed: its servers' sessions
 * are in grace, and everything it has acknowledged is in the file. Anything else is only reported.
 */
import type { Clock } from "../../protocol/clock.ts";
import type { Logger } from "../../protocol/logger.ts";
import { StoreProblem } from "./problem.ts";
import { killStopped } from "./process-identity.ts";
import type { Holder } from "./reader.ts";
import { startWorker } from "./start-worker.ts";
import type { TenureSettings } from "./tenure.ts";
import type { FromKeeper, ToKeeper } from "./worker.ts";

/** How an attempt ended: `decided` means that the file names a keeper other than the one that was held for dead. */
export type Attempt = "decided" | "busy";

export class Candidate {
  readonly #settings: TenureSettings;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #office: (inOffice: boolean) => void;
  #worker: Worker | undefined;
  #answer: PromiseWithResolvers<FromKeeper> | undefined;
  /** The lock could not be had since then, and when it was last tried. */
  #busy: { readonly since: number; readonly last: number } | undefined;

  /** @param office told when this server is elected, and when it no longer keeps the log */
  constructor(
    settings: TenureSettings,
    clock: Clock,
    log: Logger,
    office: (inOffice: boolean) => void = () => {},
  ) {
    this.#office = office;
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Runs for office once.
   * @param dead the keeper that is held for dead, or undefined when there was never one
   * @throws StoreProblem (as a rejection) when the file cannot be used
   */
  async run(dead: Holder | undefined): Promise<Attempt> {
    const answer = await this.#ask({ kind: "run", settings: this.#settings, seenTerm: dead?.term ?? 0 });
    if (answer.kind !== "problem") {
      this.#busy = undefined;
      // A thread without an office is eight megabytes for nothing; another starts in a few milliseconds.
      if (answer.kind === "lost" && !answer.inOffice) await this.stop("abort");
      return "decided";
    }
    if (answer.problem !== "busy") throw new StoreProblem(answer.problem, answer.message);
    this.#stuck(dead, answer.message);
    return "busy";
  }

  #stuck(dead: Holder | undefined, message: string): void {
    const now = this.#clock.monotonic();
    const { stuckLockMs } = this.#settings.limits;
    // While it is held, attempts follow each other closely: after a pause it is another lock, such as another candidate's.
    const since = this.#busy !== undefined && now - this.#busy.last < stuckLockMs ? this.#busy.since : now;
    this.#busy = { since, last: now };
    if (now - since < stuckLockMs) return;
    this.#busy = undefined;
    if (dead !== undefined && killStopped(dead)) {
      this.#log.error("the keeper was stopped while it held the log's lock: it was killed", {
        pid: dead.pid,
      });
      return;
    }
    this.#log.error("no keeper can be elected", { problem: message, pid: dead?.pid });
  }

  /**
   * Ends the thread, and what an election that is under way brings.
   * @param how `stop` ends the office in order; `abort` as a crash would, but for what only the end of a process does
   */
  async stop(how: "stop" | "abort"): Promise<void> {
    await this.#answered();
    const worker = this.#worker;
    if (worker === undefined) return;
    await this.#ask({ kind: how });
    this.#worker = undefined;
    worker.terminate();
  }

  /** Waits for whatever was asked: an answer does not say which question it is for. */
  async #answered(): Promise<void> {
    while (this.#answer !== undefined) await this.#answer.promise;
  }

  async #ask(message: ToKeeper): Promise<FromKeeper> {
    this.#worker ??= this.#start();
    const answer = Promise.withResolvers<FromKeeper>();
    this.#answer = answer;
    this.#worker.postMessage(message);
    const said = await answer.promise;
    this.#answer = undefined;
    return said;
  }

  #start(): Worker {
    const worker = startWorker("keeper");
    worker.addEventListener("message", (event: MessageEvent<FromKeeper>) => this.#hear(event.data));
    const gone = (what: string): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#log.error("the keeper thread failed", { error: what });
      this.#answer?.resolve({
        kind: "problem",
        problem: "failing",
        message: `the keeper thread failed: ${what}`,
      });
    };
    worker.addEventListener("error", (event) => gone(event.message));
    worker.addEventListener("close", () => gone("it ended"));
    return worker;
  }

  #hear(message: FromKeeper): void {
    switch (message.kind) {
      case "log":
        this.#log[message.level](message.message, message.fields);
        break;
      case "elected":
        this.#log.info("this server keeps the log", { term: message.term });
        this.#office(true);
        this.#answer?.resolve(message);
        break;
      case "ended":
        this.#office(false);
        this.#log.warn("this server no longer keeps the log", { reason: message.message });
        break;
      case "lost":
      case "problem":
      case "stopped":
        this.#answer?.resolve(message);
    }
  }
}
