/**
 * From the list an operator wrote to the backends there are.
 *
 * An address is one backend. A name is as many as it has addresses, looked up again every 30 s; IPv4 addresses are
 * preferred where a name has both, because both usually lead to the same server, which would then count twice. A lookup
 * that fails changes nothing: a name server that is down must not take the backends with it.
 *
 * What leaves the list, or is no longer an address of its name, is drained and then removed; what comes back before that
 * stays.
 *
 * Invariant: after {@link BackendsList.set} and every lookup, the pool's backends are exactly those wanted, and those
 * being removed.
 */
import { isIP } from "node:net";
import { formatAddress } from "../protocol/address.ts";
import type { Clock, Timer } from "../protocol/clock.ts";
import { balancerLimits } from "../protocol/limits.balancer.ts";
import type { Logger } from "../protocol/logger.ts";
import type { BackendSpec } from "./address.ts";
import { checkBackends } from "./address.ts";
import type { Backend } from "./backend.ts";
import type { Pool } from "./pool.ts";

/** All addresses of a host name. Rejects if there are none. */
export type Resolve = (name: string) => Promise<readonly string[]>;

/** What a list needs. */
export interface BackendsListOptions {
  readonly pool: Pool;
  readonly resolve: Resolve;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Name {
  readonly spec: BackendSpec;
  /** Addresses of the last lookup that succeeded. */
  addresses: readonly string[];
  /** Why the last lookup failed. */
  failure: string | undefined;
}

/** See the head of this file. */
export class BackendsList {
  readonly #options: BackendsListOptions;
  #addresses: readonly BackendSpec[] = [];
  #names = new Map<string, Name>();
  /** Backends that came by {@link set}'s first call: they have nobody to be slower than. */
  #live = false;
  readonly #timer: Timer;

  constructor(options: BackendsListOptions) {
    this.#options = options;
    this.#timer = options.clock.every(balancerLimits.resolveMs, () => void this.resolveAll());
  }

  /** The list as it was set, names included. */
  get specs(): readonly BackendSpec[] {
    return [...this.#addresses, ...[...this.#names.values()].map(({ spec }) => spec)];
  }

  /** Names that have no address yet, with the reason. */
  get unresolved(): readonly { readonly name: string; readonly detail: string }[] {
    return [...this.#names.values()]
      .filter(({ addresses }) => addresses.length === 0)
      .map(({ spec, failure }) => ({ name: formatAddress(spec), detail: failure ?? "not looked up yet" }));
  }

  /**
   * Makes this the list. Addresses count at once, names when they are resolved.
   * @throws AddressError
   */
  async set(specs: readonly BackendSpec[]): Promise<void> {
    const checked = checkBackends(specs);
    const before = this.#names;
    this.#addresses = checked.filter(({ host }) => isIP(host) !== 0);
    this.#names = new Map(
      checked
        .filter(({ host }) => isIP(host) === 0)
        .map((spec) => {
          const known = before.get(formatAddress(spec));
          return [
            formatAddress(spec),
            { spec, addresses: known?.addresses ?? [], failure: known?.failure },
          ] as const;
        }),
    );
    this.#reconcile();
    await this.resolveAll();
    this.#live = true;
  }

  /** Looks all names up now. Never rejects. */
  async resolveAll(): Promise<void> {
    await Promise.all([...this.#names.values()].map((name) => this.#look(name)));
    this.#reconcile();
  }

  stop(): void {
    this.#timer.stop();
  }

  async #look(name: Name): Promise<void> {
    const { host } = name.spec;
    try {
      const all = [...new Set(await this.#options.resolve(host))].sort();
      const v4 = all.filter((address) => isIP(address) === 4);
      name.addresses = v4.length > 0 ? v4 : all.filter((address) => isIP(address) === 6);
      name.failure = name.addresses.length === 0 ? `${host} has no addresses` : undefined;
    } catch (error) {
      const reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
      if (name.failure === undefined)
        this.#options.logger.warn("a backend's name does not resolve", { name: host, reason });
      name.failure = `${host} does not resolve (${reason}); check the name and the name server`;
    }
  }

  #wanted(): Map<string, { readonly spec: BackendSpec; readonly name: string | undefined }> {
    const wanted = new Map<string, { spec: BackendSpec; name: string | undefined }>();
    for (const { spec, addresses } of this.#names.values()) {
      for (const host of addresses) {
        const one = { ...spec, host };
        wanted.set(formatAddress(one), { spec: one, name: spec.host });
      }
    }
    // Whoever is in the list by address too has the weight given there.
    for (const spec of this.#addresses) wanted.set(formatAddress(spec), { spec, name: undefined });
    return wanted;
  }

  #reconcile(): void {
    const { pool, logger } = this.#options;
    const wanted = this.#wanted();
    for (const backend of pool.backends) {
      const entry = wanted.get(backend.id);
      if (entry === undefined) this.#remove(backend);
      else {
        if (backend.drain?.cause === "removal") pool.ready(backend);
        if (backend.listedWeight !== entry.spec.weight) {
          backend.listedWeight = entry.spec.weight;
          pool.weigh(backend, entry.spec.weight);
        }
      }
    }
    for (const { spec, name } of wanted.values()) {
      if (pool.get(formatAddress(spec)) !== undefined) continue;
      if (pool.backends.length < balancerLimits.backends) pool.add(spec, this.#live, name);
      else logger.warn("too many backends; one is left out", { backend: formatAddress(spec) });
    }
  }

  #remove(backend: Backend): void {
    const { pool } = this.#options;
    if (backend.sessions === 0 && backend.totals.pending === 0) pool.remove(backend);
    else if (backend.drain?.cause !== "removal") pool.drain(backend, { cause: "removal" });
  }
}
