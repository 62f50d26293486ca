/**
 * Keeps one child process running.
 *
 *     starting ──ready──▶ running ──dies──▶ waiting ──backoff──▶ starting …          stop() ends it from any state
 *
 * A child that dies before it was ever ready is not started again: nothing that is wrong at the first start (a port in
 * use, an unreadable folder, a wrong flag) gets better by repeating it, and a person is there to read why. The same
 * holds at any time for exit code 2, which says that the command line is wrong. Once it was ready, a child that dies
 * is started again, for ever, with growing pauses; after a time of good running the pauses begin from the first again.
 *
 * Invariant: at most one process is alive, and after stop() or kill() resolves, none is.
 */
import { exitCodes } from "../../cli/errors.ts";
import type { ReadyFacts } from "../../cli/lifecycle.ts";
import { Backoff } from "../../net/backoff.ts";
import type { Clock, Random, Timer } from "../../protocol/clock.ts";
import { superviseLimits } from "../../protocol/limits.ts";
import type { Logger } from "../../protocol/logger.ts";

/** How a process ended. */
export interface ExitStatus {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
}

/** A process that was started. */
export interface Child {
  readonly pid: number;
  /** The facts of its ready line; undefined if it ends without one. Never rejects. */
  readonly ready: Promise<ReadyFacts | undefined>;
  /** Never rejects. */
  readonly exited: Promise<ExitStatus>;
  kill(signal: "SIGTERM" | "SIGKILL" | "SIGUSR2"): void;
}

/** A child died, and starting it again makes no sense. */
export class GaveUp extends Error {
  override readonly name = "GaveUp";
  /** The child's. */
  readonly child: string;

  constructor(child: string, status: ExitStatus) {
    super(`${child} could not start: ${describeExit(status)}`);
    this.child = child;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** "exit code 1" or "signal SIGKILL". */
function describeExit({ code, signal }: ExitStatus): string {
  return signal === null ? `exit code ${code ?? "unknown"}` : `signal ${signal}`;
}

/** What a supervisor needs beside the child. */
export interface SuperviseOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Called when a child that was ready before ends in a way that starting again cannot mend. */
  readonly onGaveUp: (reason: GaveUp) => void;
  readonly limits?: typeof superviseLimits;
}

/** See the head of this file. */
export class Supervised {
  readonly name: string;
  readonly #spawn: (last: ReadyFacts | undefined) => Child;
  readonly #options: SuperviseOptions;
  readonly #limits: typeof superviseLimits;
  readonly #first = Promise.withResolvers<ReadyFacts>();
  readonly #over = Promise.withResolvers<void>();
  #child: Child | undefined;
  #facts: ReadyFacts | undefined;
  #readyAt: number | undefined;
  readonly #backoff: Backoff;
  #stopping = false;
  /** It was asked to stop in order to be started again; told whether it came back. */
  #renewal: { readonly over: PromiseWithResolvers<boolean>; hasStopped: boolean } | undefined;
  #timer: Timer | undefined;

  /**
   * @param spawn starts the process; it is given the facts of the last time it was ready, so that a server that took a
   * free port takes the same again
   */
  constructor(name: string, spawn: (last: ReadyFacts | undefined) => Child, options: SuperviseOptions) {
    this.name = name;
    this.#spawn = spawn;
    this.#options = options;
    this.#limits = options.limits ?? superviseLimits;
    const { backoffMs, backoffMostMs } = this.#limits;
    this.#backoff = new Backoff({ firstMs: backoffMs, mostMs: backoffMostMs }, options.random);
  }

  /**
   * Starts it for the first time. Resolves when it is ready.
   * @throws GaveUp if it ends before that, or stop() was called already
   */
  start(): Promise<ReadyFacts> {
    if (this.#stopping) this.#first.reject(new GaveUp(this.name, { code: null, signal: "SIGTERM" }));
    else this.#run();
    return this.#first.promise;
  }

  /** The process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Hands a signal on. */
  signal(signal: "SIGUSR2"): void {
    this.#child?.kill(signal);
  }

  /**
   * Stops it and starts it again at once, with the executable as it is by then. Not to be called again before this
   * resolves: with whether it came back; if not, it is treated like any other child that died.
   */
  renew(): Promise<boolean> {
    if (this.#child === undefined || this.#stopping) return Promise.resolve(false);
    this.#renewal = { over: Promise.withResolvers(), hasStopped: false };
    this.#timer?.stop();
    this.#ask(this.#child);
    return this.#renewal.over.promise;
  }

  /** Asks it to stop, insists after the grace time, and resolves when it is gone. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** It will end by itself: it is not started again. Resolves when it is gone. */
  release(): Promise<void> {
    return this.#end(undefined);
  }

  /** Ends it without asking. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  #end(signal: "SIGTERM" | "SIGKILL" | undefined): Promise<void> {
    this.#stopping = true;
    this.#timer?.stop();
    if (this.#child === undefined) {
      this.#over.resolve();
      return this.#over.promise;
    }
    if (signal === "SIGTERM") this.#ask(this.#child);
    else if (signal !== undefined) this.#child.kill(signal);
    return this.#over.promise;
  }

  /** Asks a child to stop, and insists after the grace time. */
  #ask(child: Child): void {
    child.kill("SIGTERM");
    this.#timer = this.#options.clock.after(this.#limits.stopMs, () => {
      this.#options.log.warn("did not stop in time, killing it", { child: this.name });
      child.kill("SIGKILL");
    });
  }

  #run(): void {
    let child: Child;
    try {
      child = this.#spawn(this.#facts);
    } catch (error) {
      // The executable is being replaced, or descriptors have run out: as if it had died at once.
      this.#options.log.error("cannot be started", { child: this.name, reason: messageOf(error) });
      this.#exited({ code: exitCodes.failure, signal: null });
      return;
    }
    this.#child = child;
    this.#readyAt = undefined;
    this.#timer = this.#options.clock.after(this.#limits.readyMs, () => {
      this.#options.log.error("is not ready in time, killing it", { child: this.name });
      child.kill("SIGKILL");
    });
    void child.ready.then((facts) => {
      if (facts !== undefined && this.#child === child && !this.#stopping) this.#becameReady(facts);
    });
    void child.exited.then((status) => this.#exited(status));
  }

  #becameReady(facts: ReadyFacts): void {
    this.#timer?.stop();
    this.#facts = facts;
    this.#readyAt = this.#options.clock.monotonic();
    this.#first.resolve(facts);
    this.#renewed(true);
  }

  /** It came back from being renewed, or not. */
  #renewed(isBack: boolean): void {
    this.#renewal?.over.resolve(isBack);
    this.#renewal = undefined;
  }

  #exited(status: ExitStatus): void {
    this.#child = undefined;
    this.#timer?.stop();
    if (this.#stopping) {
      this.#first.reject(new GaveUp(this.name, status));
      this.#first.promise.catch(() => {});
      this.#over.resolve();
      this.#renewed(false);
      return;
    }
    if (this.#renewal?.hasStopped === false) {
      this.#renewal.hasStopped = true;
      this.#run();
      return;
    }
    this.#renewed(false);
    if (this.#facts === undefined || status.code === exitCodes.usage) {
      const reason = new GaveUp(this.name, status);
      this.#stopping = true;
      this.#over.resolve();
      if (this.#facts === undefined) this.#first.reject(reason);
      else this.#options.onGaveUp(reason);
      return;
    }
    const ranMs = this.#readyAt === undefined ? 0 : this.#options.clock.monotonic() - this.#readyAt;
    if (ranMs >= this.#limits.stableMs) this.#backoff.reset();
    const pauseMs = Math.round(this.#backoff.next());
    this.#options.log.warn("died, starting it again", {
      child: this.name,
      how: describeExit(status),
      pauseMs,
    });
    this.#timer = this.#options.clock.after(pauseMs, () => this.#run());
  }
}
