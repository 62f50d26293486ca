/**
 * Work on the log that may fail and is tried again at the next occasion: moving entries, retention.
 *
 * Occasions come several times a second, so a full disk would fill the log of the operator too. What each kind failed of
 * is said when it changes, and once when it works again.
 */
import type { Logger } from "../../protocol/logger.ts";
import { problemOf, TermLost } from "./problem.ts";

export type UpkeepKind = "moving" | "retention" | "expiry";

export class Upkeep {
  readonly #file: string;
  readonly #log: Logger;
  readonly #problems: Record<UpkeepKind, string> = { moving: "", retention: "", expiry: "" };

  constructor(file: string, log: Logger) {
    this.#file = file;
    this.#log = log;
  }

  /** Runs a slice; whatever it throws ends here. */
  run(kind: UpkeepKind, slice: () => void): void {
    try {
      slice();
    } catch (error) {
      this.#failed(kind, error);
      return;
    }
    if (this.#problems[kind] === "") return;
    this.#problems[kind] = "";
    this.#log.info("upkeep of the log works again", { kind });
  }

  #failed(kind: UpkeepKind, error: unknown): void {
    // A lost term is found by the next turn too, which knows how to step down.
    if (error instanceof TermLost) return;
    const problem = problemOf(error, this.#file);
    if (problem.kind === "busy" || problem.message === this.#problems[kind]) return;
    this.#problems[kind] = problem.message;
    this.#log.warn("upkeep of the log failed", { kind, problem: problem.message });
  }
}
