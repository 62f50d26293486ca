/**
 * Several workers as one balancer: figures are summed, wishes go to all, pages of sessions are read one worker after
 * the other.
 *
 * A worker that does not answer is left out of the picture, not waited for; what it had counted stays (worker-lives.ts).
 * One that was started again is brought to where the others are, because it began with the command line. One that was
 * replaced is in the picture, and obeys, until its last client has gone over.
 */
import type {
  BackendList,
  BalancerControl,
  BalancerView,
  DrainWish,
  Outcome,
  SessionPage,
  SessionQuery,
  Snapshot,
} from "../../balancer/view.ts";
import type { WorkerClient, Wish } from "./worker-door.ts";
import { WorkerLives } from "./worker-lives.ts";

/** A worker as far as the group needs it. */
export type Worker = Pick<WorkerClient, "snapshot" | "list" | "sessions" | "wish">;

/** What a worker that begins is told of what the others were told while they ran. */
export interface CatchUp {
  /** The list and the weights; without it they are what the worker has read. What drains or rests always does. */
  readonly list: boolean;
}

const noWorker: Outcome = { ok: false, problem: "conflict", message: "no worker answers now; try again" };

/** See the head of this file. */
export class WorkerGroup implements BalancerView, BalancerControl {
  /** By number, in the order in which they came. */
  readonly #workers = new Map<number, Worker>();
  readonly #replaced = new Set<number>();
  readonly #lives = new WorkerLives();

  /** One more worker. */
  join(number: number, worker: Worker): void {
    this.#workers.set(number, worker);
  }

  /** A worker has a successor. */
  replaced(number: number): void {
    this.#replaced.add(number);
  }

  /** A worker is gone for good. */
  leave(number: number): void {
    this.#workers.delete(number);
    this.#replaced.delete(number);
    this.#lives.left(number);
  }

  /** Those that serve, and then those that were replaced: what is no sum is told by the first. */
  get #all(): (readonly [number, Worker])[] {
    const isOld = ([number]: readonly [number, Worker]) => (this.#replaced.has(number) ? 1 : 0);
    return [...this.#workers].sort((one, other) => isOld(one) - isOld(other));
  }

  async snapshot(): Promise<Snapshot> {
    const asked = this.#all.map(async ([number, worker]) => {
      return [number, await worker.snapshot().catch(() => undefined)] as const;
    });
    const picture = this.#lives.picture(new Map(await Promise.all(asked)));
    if (picture === undefined) {
      throw Object.assign(new Error("no worker answers now; try again"), { code: "VIEW_UNAVAILABLE" });
    }
    return picture;
  }

  /** Ids are `worker-session`: a page goes on where the last one ended, in the same worker or the next. */
  async sessions({ after, limit, backend }: SessionQuery): Promise<SessionPage> {
    const [, worker = "0", session] = /^(\d+)-(\d+)$/.exec(after ?? "") ?? [];
    const sessions: SessionPage["sessions"][number][] = [];
    const ahead = [...this.#workers].filter(([number]) => number >= Number(worker));
    for (const [place, [number, one]] of ahead.entries()) {
      const from = number === Number(worker) ? session : undefined;
      const [page] = await answered([one.sessions({ limit: limit - sessions.length, backend, after: from })]);
      for (const found of page?.sessions ?? []) sessions.push({ ...found, id: `${number}-${found.id}` });
      const next = page?.next ?? null;
      if (next !== null) return { sessions, next: `${number}-${next}` };
      const [following] = ahead[place + 1] ?? [];
      if (sessions.length === limit && following !== undefined) return { sessions, next: `${following}-0` };
    }
    return { sessions, next: null };
  }

  add(entries: BackendList): Promise<Outcome> {
    return this.#wish({ do: "add", entries: [...entries] });
  }

  replace(entries: BackendList): Promise<Outcome> {
    return this.#wish({ do: "replace", entries: [...entries] });
  }

  change(id: string, wish: Parameters<BalancerControl["change"]>[1]): Promise<Outcome> {
    return this.#wish({ do: "change", id, ...wish });
  }

  /** Each worker moves its part of the rate. */
  drain(id: string, { rate, deadlineSeconds }: DrainWish): Promise<Outcome> {
    const part = rate === undefined ? undefined : Math.ceil(rate / this.#serving);
    return this.#wish({ do: "drain", id, rate: part, deadlineSeconds });
  }

  ready(id: string): Promise<Outcome> {
    return this.#wish({ do: "ready", id });
  }

  remove(id: string): Promise<Outcome> {
    return this.#wish({ do: "remove", id });
  }

  /** Brings a worker that begins to where the others are. Never rejects. */
  async catchUp(worker: Worker, { list }: CatchUp): Promise<void> {
    for (const [, model] of this.#all) {
      if (model === worker) continue;
      // Together, because one that hangs is waited for.
      const [[entries], [snapshot]] = await Promise.all([
        answered([model.list()]),
        answered([model.snapshot()]),
      ]);
      if (entries === undefined || snapshot === undefined) continue;
      if (list) await answered([worker.wish({ do: "replace", entries: [...entries] })]);
      for (const { id, weight, state, drain } of snapshot.backends) {
        const draining = drain?.cause === "operator" ? ("drain" as const) : undefined;
        const wished = state === "maintenance" ? state : draining;
        await answered([worker.wish({ do: "change", id, state: wished, ...(list ? { weight } : {}) })]);
      }
      return;
    }
  }

  get #serving(): number {
    return Math.max(1, this.#workers.size - this.#replaced.size);
  }

  /** All do it or say why not; those that serve have the same list, so one answer stands for all. */
  async #wish(wish: Wish): Promise<Outcome> {
    const asked = this.#all.map(async ([number, worker]) => {
      const outcome = await worker.wish(wish);
      return this.#replaced.has(number) ? [] : [outcome];
    });
    const outcomes = (await answered(asked)).flat();
    return outcomes.find(({ ok }) => !ok) ?? outcomes[0] ?? noWorker;
  }
}

/** What came of the promises that were kept. */
async function answered<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises);
  return settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
}
