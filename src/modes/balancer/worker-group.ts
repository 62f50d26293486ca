/**
 * Several workers as one balancer: figures are summed, wishes go to all, pages of sessions are read one worker after
 * the other.
 *
 * A worker that does not answer is left out of the picture, not waited for; what it had counted stays (worker-lives.ts).
 * One that was started again is brought to where the others are, because it began with the command line.
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
type Worker = Pick<WorkerClient, "snapshot" | "list" | "sessions" | "wish">;

const noWorker: Outcome = { ok: false, problem: "conflict", message: "no worker answers now; try again" };

/** See the head of this file. */
export class WorkerGroup implements BalancerView, BalancerControl {
  readonly #workers: readonly Worker[];
  readonly #lives: WorkerLives;

  constructor(workers: readonly Worker[]) {
    this.#workers = workers;
    this.#lives = new WorkerLives(workers.length);
  }

  async snapshot(): Promise<Snapshot> {
    const answers = await Promise.allSettled(this.#workers.map((worker) => worker.snapshot()));
    const picture = this.#lives.picture(
      answers.map((answer) => (answer.status === "fulfilled" ? answer.value : undefined)),
    );
    if (picture === undefined) {
      throw Object.assign(new Error("no worker answers now; try again"), { code: "VIEW_UNAVAILABLE" });
    }
    return picture;
  }

  /** Ids are `worker-session`: a page goes on where the last one ended, in the same worker or the next. */
  async sessions({ after, limit, backend }: SessionQuery): Promise<SessionPage> {
    const [, worker = "0", session] = /^(\d+)-(\d+)$/.exec(after ?? "") ?? [];
    const sessions: SessionPage["sessions"][number][] = [];
    for (let index = Number(worker); index < this.#workers.length; index += 1) {
      const from = index === Number(worker) ? session : undefined;
      const query = { limit: limit - sessions.length, backend, after: from };
      const [page] = await answered(this.#workers.slice(index, index + 1).map((one) => one.sessions(query)));
      for (const one of page?.sessions ?? []) sessions.push({ ...one, id: `${index}-${one.id}` });
      const next = page?.next ?? null;
      if (next !== null) return { sessions, next: `${index}-${next}` };
      if (sessions.length === limit && index + 1 < this.#workers.length) {
        return { sessions, next: `${index + 1}-0` };
      }
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
    const part = rate === undefined ? undefined : Math.ceil(rate / this.#workers.length);
    return this.#wish({ do: "drain", id, rate: part, deadlineSeconds });
  }

  ready(id: string): Promise<Outcome> {
    return this.#wish({ do: "ready", id });
  }

  remove(id: string): Promise<Outcome> {
    return this.#wish({ do: "remove", id });
  }

  /** Brings a worker that was started again to where the others are. Never rejects. */
  async catchUp(index: number): Promise<void> {
    const worker = this.#workers[index];
    for (const [other, model] of this.#workers.entries()) {
      if (worker === undefined || other === index) continue;
      const [entries] = await answered([model.list()]);
      const [snapshot] = await answered([model.snapshot()]);
      if (entries === undefined || snapshot === undefined) continue;
      await answered([worker.wish({ do: "replace", entries: [...entries] })]);
      for (const { id, weight, state, drain } of snapshot.backends) {
        const draining = drain?.cause === "operator" ? ("drain" as const) : undefined;
        const wished = state === "maintenance" ? state : draining;
        await answered([worker.wish({ do: "change", id, weight, state: wished })]);
      }
      return;
    }
  }

  /** All do it or say why not; the workers have the same list, so one answer stands for all. */
  async #wish(wish: Wish): Promise<Outcome> {
    const outcomes = await answered(this.#workers.map((worker) => worker.wish(wish)));
    return outcomes.find(({ ok }) => !ok) ?? outcomes[0] ?? noWorker;
  }
}

/** What came of the promises that were kept. */
async function answered<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(promises);
  return settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
}
