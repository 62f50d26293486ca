/**
 * History as the hub is given it: a page, or that it cannot be had now.
 *
 * A client that is refused is told that the operator finds the reason in the log, so there it must be. A damaged page may
 * concern one room among thousands, whose readers ask again and again, while all others are well: so it is not said when
 * it changes, as other troubles are, but so often at most.
 */
import type { Clock } from "../../protocol/clock.ts";
import { keeperLimits } from "../../protocol/limits.keeper.ts";
import type { Logger } from "../../protocol/logger.ts";
import type { BackplaneFailure, HistoryPage, HistoryQuery } from "../backplane.ts";
import { unavailable } from "../failures.ts";
import { problemOf } from "./problem.ts";
import type { LogReader } from "./reader.ts";

export class History {
  readonly #reader: LogReader;
  readonly #file: string;
  readonly #log: Logger;
  readonly #clock: Clock;
  #quietUntil = -Infinity;

  constructor(reader: LogReader, file: string, log: Logger, clock: Clock) {
    this.#reader = reader;
    this.#file = file;
    this.#log = log;
    this.#clock = clock;
  }

  /** Reads a page. */
  page(query: HistoryQuery): { readonly ok: true; readonly page: HistoryPage } | BackplaneFailure {
    try {
      return { ok: true, page: this.#reader.page(query) };
    } catch (error) {
      const { message } = problemOf(error, this.#file);
      const now = this.#clock.monotonic();
      if (now >= this.#quietUntil) {
        this.#quietUntil = now + keeperLimits.unreadableMs;
        this.#log.error("the log cannot be read", { problem: message });
      }
      return unavailable(message);
    }
  }
}
