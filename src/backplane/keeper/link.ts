/**
 * A server's link to whoever is keeper now.
 *
 * It finds the keeper by the file, dials its socket and talks to it. When that ends it looks again at once; when the
 * keeper named in the file cannot be reached, or falls silent, this server runs for office. All servers do the same, and
 * the file decides (office.ts).
 */
import type { Clock } from "../../protocol/clock.ts";
import type { FrameWriter } from "../../protocol/frames.ts";
import { Conversation } from "./conversation.ts";
import type { ConversationHandlers } from "./conversation.ts";
import type { Candidate } from "./candidate.ts";
import { problemOf } from "./problem.ts";
import type { StoreProblem } from "./problem.ts";
import { stateOf } from "./process-identity.ts";
import type { Holder, LogReader } from "./reader.ts";
import type { KeeperLimits } from "./tenure.ts";
import type { Hello } from "./wire.ts";

/** What the owner of a link is told. */
export interface LinkHandlers extends Omit<ConversationHandlers, "running"> {
  /** Says hello; asked at each connecting. */
  readonly hello: () => Hello;
  /** The connection is gone; another is looked for. */
  lost(): void;
  /** No keeper can be had at present; it goes on trying. */
  trouble(problem: StoreProblem): void;
}

/** What a link works with. */
export interface LinkParts {
  readonly file: string;
  readonly reader: LogReader;
  readonly candidate: Candidate;
  readonly clock: Clock;
  readonly limits: KeeperLimits;
}

export class KeeperLink {
  readonly #parts: LinkParts;
  readonly #handlers: LinkHandlers;
  #conversation: Conversation | undefined;
  #wake: (() => void) | undefined;
  #stopped = false;
  /** What the last trouble was, until there is a keeper again. */
  #told = "";

  constructor(parts: LinkParts, handlers: LinkHandlers) {
    this.#parts = parts;
    this.#handlers = handlers;
  }

  /** Where frames to the keeper are written; undefined while there is none. They go out at the end of this turn. */
  get writer(): FrameWriter | undefined {
    return this.#conversation?.writer;
  }

  /** Stays connected until stopped. Never rejects. */
  async run(): Promise<void> {
    const { file, limits } = this.#parts;
    let dead = -1;
    while (!this.#stopped) {
      try {
        dead = await this.#round(dead);
      } catch (error) {
        if (this.#stopped) return;
        this.#tell(problemOf(error, file));
        await this.#pause(limits.storeRetryMs);
      }
    }
  }

  /** Once: it is tried again twice a second, and what fills the disk must not be the log of the operator. */
  #tell(problem: StoreProblem): void {
    if (problem.message === this.#told) return;
    this.#told = problem.message;
    this.#handlers.trouble(problem);
  }

  /**
   * One look at the file and what follows from it.
   * @param dead term of the keeper that is held for dead, −1 for none
   * @returns the same for the next round
   */
  async #round(dead: number): Promise<number> {
    const { reader, candidate, limits, clock } = this.#parts;
    const holder = reader.holder();
    const term = holder?.term ?? 0;
    if (holder === undefined || holder.socket === "" || term === dead) {
      const attempt = await candidate.run(holder);
      // Not decided, or decided and yet not in the file: no use in asking again in the same breath.
      if (attempt === "busy" || (reader.holder()?.term ?? 0) === term) await this.#pause(limits.candidateMs);
      return dead;
    }
    const conversation = await this.#open(holder);
    if (conversation === undefined) return term;
    const since = clock.monotonic();
    const watch = clock.every(limits.beatMs, () => this.#doubt(conversation, term));
    const end = await conversation.end;
    watch.stop();
    this.#conversation = undefined;
    this.#handlers.lost();
    if (end === "silent") return term;
    // A keeper that welcomes and cuts at once, over and over, must not keep us busy.
    if (clock.monotonic() - since < limits.beatMs) await this.#pause(limits.candidateMs);
    return dead;
  }

  async #open(holder: Holder): Promise<Conversation | undefined> {
    const { clock, limits } = this.#parts;
    let early: Conversation | undefined;
    const conversation = await Conversation.open(holder.socket, this.#handlers.hello, clock, limits, {
      ...this.#handlers,
      running: () => stateOf(holder) === "running",
      welcomed: (welcome, by) => {
        early = by;
        this.#conversation = by;
        this.#told = "";
        this.#handlers.welcomed(welcome, by);
      },
    });
    if (conversation === undefined && early !== undefined) {
      this.#conversation = undefined;
      this.#handlers.lost();
    }
    if (this.#stopped) conversation?.close("cut");
    return conversation;
  }

  /** A keeper that missed a beat may have been replaced already. */
  #doubt(conversation: Conversation, term: number): void {
    if (!conversation.doubtful) return;
    try {
      const holder = this.#parts.reader.holder();
      if (holder !== undefined && holder.term > term) conversation.close("cut");
    } catch {
      // Whatever is wrong with the file, the loop meets it when it matters.
    }
  }

  async #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = this.#parts.clock.after(ms, resolve);
    await promise;
    timer.stop();
  }

  /** Reads nothing more of the present conversation until {@link resume}. */
  pause(): void {
    this.#conversation?.pause();
  }

  resume(): void {
    this.#conversation?.resume();
  }

  /** How the present conversation ends; resolves at once when there is none. */
  async ended(): Promise<void> {
    await this.#conversation?.end;
  }

  /** After the present conversation no other is begun. */
  leave(): void {
    this.#stopped = true;
  }

  stop(): void {
    this.leave();
    this.#conversation?.close("cut");
    this.#wake?.();
  }
}
