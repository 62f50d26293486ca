/**
 * A server's search thread (worker.ts): started by the first search, or when the server is elected keeper and so has the
 * index to look after; ended when neither has been for a while.
 *
 * Invariant: every search is answered once, also when the thread fails or is stopped.
 */
import type { Clock, Timer } from "../../../protocol/clock.ts";
import type { Logger } from "../../../protocol/logger.ts";
import type { Done, Searcher, SearchPage, SearchQuery } from "../../backplane.ts";
import { unavailable } from "../../failures.ts";
import { startWorker } from "../start-worker.ts";
import type { FromSearch, SearchSettings, ToSearch } from "./worker.ts";

/** What the thread is set up with. */
export interface SearchThreadSettings extends SearchSettings {
  readonly limits: SearchSettings["limits"] & {
    readonly searchesUnderWay: number;
    readonly searchIdleMs: number;
  };
}

type Asked = Done<{ found: SearchPage }>;

export class SearchThread implements Searcher {
  readonly #settings: SearchThreadSettings;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #asked = new Map<number, Asked>();
  #worker: Worker | undefined;
  #number = 0;
  #indexing = false;
  #idle: Timer | undefined;
  /** Until the indexing begins. */
  #begin: Timer | undefined;
  #stopped: PromiseWithResolvers<void> | undefined;
  #closed = false;

  constructor(settings: SearchThreadSettings, clock: Clock, log: Logger) {
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
  }

  search(query: SearchQuery, done: Asked): void {
    if (this.#closed || this.#asked.size >= this.#settings.limits.searchesUnderWay) {
      queueMicrotask(() => done(unavailable("too many searches are under way; try again")));
      return;
    }
    this.#number += 1;
    this.#asked.set(this.#number, done);
    this.#tell({ kind: "find", number: this.#number, query });
  }

  /** Whether this server looks after the index. */
  index(on: boolean): void {
    if (this.#closed || on === this.#indexing) return;
    this.#indexing = on;
    this.#begin?.stop();
    if (on) {
      // Not while everybody waits for the new keeper: a thread that starts takes a core for a moment.
      this.#begin = this.#clock.after(this.#settings.limits.indexEveryMs, () => {
        if (this.#indexing && !this.#closed) this.#tell({ kind: "index", on: true });
      });
      return;
    }
    if (this.#worker !== undefined) this.#tell({ kind: "index", on });
    this.#rest();
  }

  #tell(message: ToSearch): void {
    this.#idle?.stop();
    this.#worker ??= this.#start();
    this.#worker.postMessage(message);
  }

  #start(): Worker {
    const worker = startWorker("search");
    worker.addEventListener("message", (event: MessageEvent<FromSearch>) => this.#hear(event.data));
    const gone = (what: string): void => {
      this.#stopped?.resolve();
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#log.error("the search thread failed", { error: what });
      this.#failAll();
      const again = (): void => {
        if (this.#indexing && !this.#closed) this.#tell({ kind: "index", on: true });
      };
      this.#clock.after(this.#settings.limits.searchIdleMs, again);
    };
    worker.addEventListener("error", (event) => gone(event.message));
    worker.addEventListener("close", () => gone("it ended"));
    const { directory, file, limits } = this.#settings;
    const open: ToSearch = { kind: "open", settings: { directory, file, limits } };
    worker.postMessage(open);
    return worker;
  }

  #hear(message: FromSearch): void {
    switch (message.kind) {
      case "found":
      case "failed": {
        const done = this.#asked.get(message.number);
        this.#asked.delete(message.number);
        if (message.kind === "found") done?.({ ok: true, found: message.found });
        else done?.(unavailable(`the log cannot be searched now (${message.message}); try again`));
        this.#rest();
        return;
      }
      case "trouble":
        this.#log.warn("the search index cannot be written: searches do without", { error: message.message });
        return;
      case "stopped":
        this.#stopped?.resolve();
    }
  }

  /** Ends the thread after a while in which nobody needs it. */
  #rest(): void {
    if (this.#worker === undefined || this.#indexing || this.#asked.size > 0 || this.#closed) return;
    this.#idle?.stop();
    this.#idle = this.#clock.after(this.#settings.limits.searchIdleMs, () => void this.#end());
  }

  async #end(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#stopped = Promise.withResolvers<void>();
    const stop: ToSearch = { kind: "stop" };
    worker.postMessage(stop);
    // Nothing is asked of it any more: the next search starts another.
    this.#worker = undefined;
    await this.#stopped.promise;
    worker.terminate();
  }

  #failAll(): void {
    for (const [number, done] of this.#asked) {
      this.#asked.delete(number);
      done(unavailable("the search was interrupted; try again"));
    }
  }

  /** Fails what is under way, and ends the thread. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#idle?.stop();
    this.#begin?.stop();
    this.#failAll();
    await this.#end();
  }
}
