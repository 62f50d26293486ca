/**
 * What an operator may do while the balancer serves: each wish is checked, done at once, and answered with what became
 * of it. Nothing here waits for sessions to move; that shows in the figures.
 */
import type { Edge } from "../edge/edge.ts";
import { AddressError, formatAddress, parseWeightedList } from "../protocol/address.ts";
import { quote } from "../protocol/names.ts";
import type { BackendSpec } from "./address.ts";
import type { Backend } from "./backend.ts";
import type { BackendsList } from "./list.ts";
import type { Pool } from "./pool.ts";
import type { BackendList, BalancerControl, DrainWish, Outcome } from "./view.ts";

/** What a control acts on. */
export interface ControlParts {
  readonly pool: Pool;
  readonly list: BackendsList;
  readonly edge: Edge;
}

const fine: Outcome = { ok: true };

function conflict(message: string): Outcome {
  return { ok: false, problem: "conflict", message };
}

/** Whatever else were asked of it, the list says that it goes. */
function beingRemoved(id: string): Outcome {
  return conflict(`backend ${quote(id)} is being removed; add it again to keep it`);
}

/** See the head of this file. */
export class Control implements BalancerControl {
  readonly #parts: ControlParts;

  constructor(parts: ControlParts) {
    this.#parts = parts;
  }

  async add(entries: BackendList): Promise<Outcome> {
    return this.#change(entries, (specs) => {
      const listed = this.#parts.list.specs;
      const again = specs.find((spec) => listed.some((one) => formatAddress(one) === formatAddress(spec)));
      if (again === undefined) return [...listed, ...specs];
      const id = quote(formatAddress(again));
      throw new AddressError(`backend ${id} is listed already; PATCH /api/v1/backends/ID changes its weight`);
    });
  }

  async replace(entries: BackendList): Promise<Outcome> {
    return this.#change(entries, (specs) => specs);
  }

  async #change(
    entries: BackendList,
    list: (specs: readonly BackendSpec[]) => readonly BackendSpec[],
  ): Promise<Outcome> {
    try {
      await this.#parts.list.set(list(entries.flatMap((entry) => parseWeightedList(entry))));
      return fine;
    } catch (error) {
      if (error instanceof AddressError) return { ok: false, problem: "invalid", message: error.message };
      throw error;
    }
  }

  change(id: string, wish: Parameters<BalancerControl["change"]>[1]): Promise<Outcome> {
    return this.#with(id, (backend) => {
      if (wish.state !== undefined && backend.drain?.cause === "removal") return beingRemoved(id);
      if (wish.weight !== undefined) this.#parts.pool.weigh(backend, wish.weight);
      if (wish.state === "ready") this.#parts.pool.ready(backend);
      else if (wish.state === "drain") this.#parts.pool.drain(backend, { cause: "operator" });
      else if (wish.state === "maintenance") this.#parts.pool.maintain(backend);
      this.#parts.edge.retry();
      return fine;
    });
  }

  drain(id: string, { rate, deadlineSeconds }: DrainWish): Promise<Outcome> {
    return this.#with(id, (backend) => {
      if (backend.maintenance) return conflict(`backend ${quote(id)} is in maintenance, and has no sessions`);
      if (backend.drain?.cause === "removal") return beingRemoved(id);
      this.#parts.pool.drain(backend, {
        cause: "operator",
        ...(rate === undefined ? {} : { rate }),
        ...(deadlineSeconds === undefined ? {} : { deadlineMs: deadlineSeconds * 1_000 }),
      });
      return fine;
    });
  }

  ready(id: string): Promise<Outcome> {
    return this.#with(id, (backend) => {
      if (backend.drain?.cause === "removal") return beingRemoved(id);
      this.#parts.pool.ready(backend);
      return fine;
    });
  }

  remove(id: string): Promise<Outcome> {
    const backend = this.#parts.pool.get(id);
    if (backend?.name !== undefined) {
      const message = `backend ${quote(id)} is an address of ${quote(backend.name)}; replace the list without that name`;
      return Promise.resolve(conflict(message));
    }
    return this.#with(id, async ({ host, port }) => {
      await this.#parts.list.set(
        this.#parts.list.specs.filter((spec) => spec.host !== host || spec.port !== port),
      );
      return fine;
    });
  }

  async #with(id: string, act: (backend: Backend) => Outcome | Promise<Outcome>): Promise<Outcome> {
    const backend = this.#parts.pool.get(id);
    if (backend === undefined) return { ok: false, problem: "not-found", message: `no backend ${quote(id)}` };
    return act(backend);
  }
}
