/**
 * The balancer: one edge, a pool of backends, and what keeps them together.
 *
 *   list ──▶ pool ◀── monitor ──▶ trunks ──▶ edge
 *              ▲                               │
 *              └── traffic (chooses, books) ◀──┘      mover: pool → edge
 *
 * This file only composes, and reads for the admin endpoint; what an operator may do is in control.ts. Whatever changes a backend's state
 * comes by here once, is logged, and has its consequences: who waits is tried again, trunks of removed backends end.
 */
import { Edge } from "../edge/edge.ts";
import type { EdgeTls } from "../edge/newcomer.ts";
import type { Listener, ListenEndpoint } from "../net/listener.ts";
import { connectionsOpen, descriptorLimit } from "../net/descriptors.ts";
import type { Address } from "../protocol/address.ts";
import type { Clock, Random } from "../protocol/clock.ts";
import { adminLimits, balancerLimits } from "../protocol/limits.balancer.ts";
import type { Logger } from "../protocol/logger.ts";
import type { Validity } from "../protocol/validity.ts";
import type { BackendSpec } from "./address.ts";
import type { Backend, Description } from "./backend.ts";
import { Control } from "./control.ts";
import type { DoorOptions } from "./door.ts";
import { Door, newPerSecondOf } from "./door.ts";
import type { Resolve } from "./list.ts";
import { BackendsList } from "./list.ts";
import { Monitor } from "./monitor.ts";
import { Mover } from "./mover.ts";
import type { PolicyName } from "./policy.ts";
import { Pool } from "./pool.ts";
import { parseProxyHeader } from "./proxy-protocol.ts";
import { Retirement } from "./retirement.ts";
import { viewBackend } from "./snapshot.ts";
import { Traffic } from "./traffic.ts";
import { trunkMaker } from "./trunks.ts";
import type { BalancerControl, BalancerView, SessionPage, SessionQuery, Snapshot } from "./view.ts";

/** What a balancer is made of. */
export interface BalancerOptions {
  /** How it names itself to servers. */
  readonly name: string;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The cluster's secret. */
  readonly secret: Uint8Array;
  readonly resolve: Resolve;
  readonly policy: PolicyName;
  readonly slowStartMs: number;
  readonly checkMs?: number;
  readonly holdMs?: number;
  /** Sessions a second that move to a backend that joined; 0 for none. */
  readonly rebalanceRate: number;
  readonly door: Omit<DoorOptions, "clock" | "freeDescriptors">;
  /** Sources whose connections begin with a PROXY header. */
  readonly isProxy?: ((ip: string) => boolean) | undefined;
  readonly tls?: EdgeTls | undefined;
  /** When the certificate of that TLS is good. */
  readonly certificate?: (() => Validity) | undefined;
  /** Which worker this is, from 0; its rotation begins there. */
  readonly worker?: number;
}

/** See the head of this file. */
export class Balancer implements BalancerView {
  readonly #options: BalancerOptions;
  readonly #startedAt: number;
  readonly #startedMonotonic: number;
  readonly #pool: Pool;
  readonly #traffic: Traffic;
  readonly #edge: Edge;
  readonly #door: Door;
  readonly #monitor: Monitor;
  readonly #mover: Mover;
  readonly #list: BackendsList;
  /** What an operator may do. */
  readonly control: BalancerControl;
  #listener: Listener | undefined;
  #retirement: Retirement | undefined;

  constructor(options: BalancerOptions) {
    const { clock, random, logger } = options;
    this.#options = options;
    this.#startedAt = clock.now();
    this.#startedMonotonic = clock.monotonic();
    this.#pool = new Pool(
      {
        clock,
        random,
        policy: options.policy,
        slowStartMs: options.slowStartMs,
        turn: options.worker ?? 0,
      },
      {
        added: (backend) => this.#monitor.watch(backend),
        changed: (backend, before) => this.#changed(backend, before),
        removed: (backend) => this.#removed(backend),
      },
    );
    this.#traffic = new Traffic(this.#pool, logger);
    this.#door = new Door({
      clock,
      freeDescriptors: () => descriptorLimit() - connectionsOpen(),
      ...options.door,
    });
    this.#edge = new Edge({
      name: options.name,
      clock,
      logger,
      router: this.#traffic,
      observer: this.#traffic,
      gate: {
        enter: (ip) => this.#door.enter(ip),
        leave: (ip) => this.#door.leave(ip),
        ...(options.isProxy === undefined
          ? {}
          : { isProxy: options.isProxy, readPreamble: (bytes) => parseProxyHeader(bytes) }),
      },
      // How many may come is the door's to say, which knows what the operator wants and counts whom it refuses.
      limits: { connections: Infinity, ...(options.holdMs === undefined ? {} : { holdMs: options.holdMs }) },
      ...(options.tls === undefined ? {} : { tls: options.tls }),
    });
    this.#monitor = new Monitor({
      pool: this.#pool,
      clock,
      random,
      openTrunk: trunkMaker({
        edge: this.#edge,
        traffic: this.#traffic,
        secret: options.secret,
        self: { build: options.version, edge: options.name },
        clock,
      }),
      ...(options.checkMs === undefined ? {} : { intervalMs: options.checkMs }),
    });
    this.#mover = new Mover({
      pool: this.#pool,
      clock,
      rebalanceRate: options.rebalanceRate,
      move: (from, count) => {
        const link = this.#traffic.linkOf(from);
        return link === undefined ? 0 : this.#edge.move(link, count);
      },
      emptied: (backend) => this.#pool.remove(backend),
      drained: ({ id, drain }) =>
        logger.info("backend is drained: nobody is left there", { backend: id, sessions: drain?.total ?? 0 }),
    });
    this.#list = new BackendsList({ pool: this.#pool, resolve: options.resolve, clock, logger });
    this.control = new Control({ pool: this.#pool, list: this.#list, edge: this.#edge });
  }

  /**
   * Opens the door and begins to look for backends. Clients that come before there is one are held.
   * @throws ListenError, AddressError
   * @returns where it listens
   */
  async start(at: Address, backends: readonly BackendSpec[]): Promise<string> {
    const { address } = this.open(at);
    await this.reach(backends);
    return address;
  }

  /**
   * Opens a door. It may have several.
   * @throws ListenError
   */
  open(at: ListenEndpoint): Listener {
    const listener = this.#edge.listen({ at });
    this.#listener ??= listener;
    return listener;
  }

  /**
   * Begins to look for backends.
   * @throws AddressError
   */
  async reach(backends: readonly BackendSpec[]): Promise<void> {
    await this.#list.set(backends);
  }

  /** The list as an operator wrote it, names included. */
  get list(): readonly BackendSpec[] {
    return this.#list.specs;
  }

  /**
   * Leaves its place to a successor that listens there already: accepts nobody more, and sends its clients over
   * (retirement.ts). Resolves when nobody is left, and everything is closed.
   */
  async retire(): Promise<void> {
    const { clock, door } = this.#options;
    this.#retirement ??= new Retirement({
      edge: this.#edge,
      clock,
      newPerSecond: (ip) => newPerSecondOf(door, ip),
    });
    await this.#retirement.done;
    await this.stop();
  }

  /** Sends the clients elsewhere, waits for their last lines, and closes everything. */
  async stop(): Promise<void> {
    this.#retirement?.stop();
    this.#traffic.stopping = true;
    this.#list.stop();
    this.#mover.stop();
    await this.#edge.shutdown({
      afterMs: balancerLimits.comeBackMs,
      jitterMs: balancerLimits.comeBackJitterMs,
      deadlineMs: balancerLimits.shutdownMs,
    });
    this.#monitor.stop();
  }

  #changed(backend: Backend, before: Description): void {
    const { state, reason, detail } = backend.description;
    const { logger } = this.#options;
    const message = `backend is ${state}${detail === "" ? "" : `: ${detail}`}`;
    const fields = { backend: backend.id, state, reason: reason || undefined, was: before.state };
    if (!this.#traffic.stopping) {
      if (state === "down" || state === "ejected") logger.warn(message, fields);
      else logger.info(message, fields);
    }
    if (state === "maintenance") this.#monitor.rest(backend);
    else if (before.state === "maintenance") this.#monitor.wake(backend);
    if (state === "up" && before.state !== "draining") this.#mover.joined(backend);
    // An ejected one is used while there is no other.
    if (state === "up" || state === "ejected") this.#edge.retry();
  }

  #removed(backend: Backend): void {
    this.#options.logger.info("backend removed", { backend: backend.id });
    this.#mover.forget(backend);
    this.#monitor.forget(backend);
  }

  // What the admin endpoint reads.

  snapshot(): Promise<Snapshot> {
    const { clock, version, name, policy } = this.#options;
    const monotonic = clock.monotonic();
    const { backends } = this.#pool;
    this.#pool.refresh();
    for (const backend of backends) this.#traffic.countBytes(backend);
    const totals = this.#pool.totals();
    const { refused, admitted } = this.#door.counters;
    const byDoor = refused.total + refused.address + refused.rate + refused.descriptors;
    return Promise.resolve({
      version,
      name,
      listen: this.#listener?.address ?? "",
      startedAt: new Date(this.#startedAt).toISOString(),
      at: new Date(clock.now()).toISOString(),
      uptimeSeconds: (monotonic - this.#startedMonotonic) / 1_000,
      // A worker that was replaced is none any more, and that it goes is nobody's concern.
      workers: this.#retirement === undefined ? 1 : 0,
      policy,
      cluster: this.#pool.cluster ?? null,
      stopping: this.#traffic.stopping && this.#retirement === undefined,
      retiring: this.#retirement === undefined ? 0 : this.#edge.connections,
      certificate: this.#options.certificate?.() ?? null,
      sessions: {
        current: this.#traffic.sessions,
        max: this.#traffic.sessionsMax,
        total: totals.sessionsTotal,
        held: this.#edge.held,
        refused: this.#traffic.unplaced,
      },
      selected: totals.selected,
      failures: totals.failures,
      retries: totals.retries,
      handovers: { in: totals.handoversIn, out: totals.handoversOut },
      bytes: { in: totals.bytesIn, out: totals.bytesOut },
      connections: { current: this.#edge.connections, total: admitted },
      // What the edge refused by itself, being full, was never at the door.
      refused: { ...refused, total: refused.total + this.#traffic.turnedAway - byDoor },
      handoverPause: this.#traffic.handoverPause.view(),
      unresolved: this.#list.unresolved,
      backends: backends.map((backend) => viewBackend(backend, monotonic)),
    });
  }

  sessions({ after, limit, backend }: SessionQuery): Promise<SessionPage> {
    const from = Number(after ?? 0);
    const most = Math.min(limit, adminLimits.sessionsPageMost);
    const page: SessionPage["sessions"][number][] = [];
    let next: string | null = null;
    for (const session of this.#edge.sessions) {
      const label = session.link?.label ?? null;
      if (session.serial <= from || (backend !== undefined && label !== backend)) continue;
      if (page.length === most) {
        next = page.at(-1)?.id ?? null;
        break;
      }
      page.push({
        id: String(session.serial),
        address: session.origin.address,
        backend: label,
        since: new Date(session.acceptedAt).toISOString(),
        bytes: { in: session.connection.bytesIn, out: session.connection.bytesOut },
      });
    }
    return Promise.resolve({ sessions: page, next });
  }
}
