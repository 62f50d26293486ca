/**
 * The edge: it owns the clients of one process.
 *
 * It accepts connections, gives each client to a hub by way of its {@link Router}, and moves clients to other hubs when
 * theirs dies or is left, while their connections stay open. A client for whom there is no hub now is held: its lines
 * are kept (bounded), it is told after a while, and it is closed when that takes too long (placement.ts). Deadlines of
 * clients are looked at a few times a second in the order in which they began, not with a timer each.
 *
 * Invariant: a session that has spoken a line is on exactly one link, or waits for one in `#placement`, or has ended.
 */
import type { Connection, ConnectionHandlers } from "../net/connection.ts";
import { listen, type Listener, type ListenEndpoint } from "../net/listener.ts";
import type { Clock, Timer } from "../protocol/clock.ts";
import { clientLimits, edgeLimits } from "../protocol/limits.ts";
import type { Logger } from "../protocol/logger.ts";
import { Deadlines } from "./deadlines.ts";
import type { Gate } from "./gate.ts";
import { TrunkLink } from "./link.ts";
import type { LinkOwner } from "./link.ts";
import { Newcomer } from "./newcomer.ts";
import type { EdgeTls, NewcomerOwner } from "./newcomer.ts";
import { Placement } from "./placement.ts";
import type { EdgeObserver, Router } from "./router.ts";
import { Session } from "./session.ts";
import type { SessionOwner } from "./session.ts";
import type { Trunk } from "./trunk.ts";
import { errorLine, goingAwayLine } from "./words.ts";

/** Bounds of an edge; see limits.ts for each. */
export type EdgeLimits = { readonly [Name in keyof typeof edgeLimits | "lineBytes" | "helloMs"]: number };

/** The limits that hold when nothing else is said. */
const defaultEdgeLimits: EdgeLimits = {
  ...edgeLimits,
  lineBytes: clientLimits.lineBytes,
  helloMs: clientLimits.helloMs,
};

/** What an edge is made of. */
export interface EdgeOptions {
  /** What hubs and operators call it. */
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly router: Router;
  readonly observer?: EdgeObserver;
  readonly gate?: Gate;
  readonly limits?: Partial<EdgeLimits>;
  /** Clients may come with TLS; without it a TLS handshake is refused. */
  readonly tls?: EdgeTls;
  /**
   * Takes connections that begin as a trunk over: a server's (see TrunkAcceptor.accept).
   * @param first what they began with
   */
  readonly takeTrunk?: (connection: Connection, first: Uint8Array) => void;
}

/** Where to listen. */
export interface EdgeListenOptions {
  readonly at: ListenEndpoint;
}

/** How an edge says goodbye, ms. */
export interface ShutdownOptions {
  /** Clients come back after `afterMs` and a random part of `jitterMs`. */
  readonly afterMs: number;
  readonly jitterMs: number;
  /** From now to the closing of whoever is still there. */
  readonly deadlineMs: number;
}

/** See the head of this file. */
export class Edge {
  readonly name: string;
  readonly #options: EdgeOptions;
  readonly #clock: Clock;
  readonly #limits: EdgeLimits;
  readonly #observer: EdgeObserver;
  readonly #owner: SessionOwner & NewcomerOwner & LinkOwner;
  readonly #listeners: Listener[] = [];
  readonly #links = new Set<TrunkLink>();
  readonly #sessions = new Set<Session>();
  #lastSerial = 0;
  readonly #newcomers = new Deadlines<Newcomer>();
  /** Clients that have sent a part of their first line. */
  readonly #unspoken = new Deadlines<Session>();
  readonly #slow = new Deadlines<Session>();
  readonly #ending = new Deadlines<Session>();
  readonly #placement: Placement;
  readonly #sweep: Timer;
  #shutDown: { deadline: Timer; done: () => void } | undefined;

  constructor(options: EdgeOptions) {
    this.#options = options;
    this.name = options.name;
    this.#clock = options.clock;
    this.#limits = { ...defaultEdgeLimits, ...options.limits };
    this.#observer = options.observer ?? {};
    this.#placement = new Placement({
      clock: this.#clock,
      router: options.router,
      observer: this.#observer,
      limits: this.#limits,
    });
    this.#owner = this.#asOwner();
    this.#sweep = this.#clock.every(this.#limits.sweepMs, () => this.#sweepDeadlines());
  }

  /** Clients' connections, those that have not said anything included. */
  get connections(): number {
    return this.#sessions.size + this.#newcomers.size;
  }

  /** Sessions that wait for a hub. */
  get held(): number {
    return this.#placement.held;
  }

  /** Sessions whose outbox is above the soft limit: they have a while to catch up. */
  get slowReaders(): number {
    return this.#slow.size;
  }

  /** Every client that has said something, in the order they came. */
  get sessions(): Iterable<Session> {
    return this.#sessions.values();
  }

  /**
   * Accepts clients (and trunks, if this edge takes any).
   * @throws ListenError
   */
  listen({ at }: EdgeListenOptions): Listener {
    const { outboxBytes, outboxSoftBytes, lingerMs, connections } = this.#limits;
    const listener = listen({
      at,
      settings: {
        clock: this.#clock,
        limits: { outboxBytes, highWaterBytes: outboxSoftBytes, lingerMs },
      },
      connectionsMost: connections,
      accept: (connection) => this.#accept(connection),
      refuse: (address) => {
        const message = "no more connections can be taken now; try again later";
        this.#observer.refused?.(address, { admitted: false, reason: "edge", message });
        return errorLine("too-many-connections", message);
      },
    });
    this.#listeners.push(listener);
    return listener;
  }

  /**
   * Begins to use a trunk.
   * @param label what operators call it
   * @returns what {@link Router} answers with. Sessions that wait are tried by {@link retry}
   */
  attach(trunk: Trunk, label: string): TrunkLink {
    const link = new TrunkLink(this.#owner, trunk, label);
    this.#links.add(link);
    return link;
  }

  /** Tries again to place the sessions that wait: call it when a trunk can take some. */
  retry(): void {
    this.#placement.retry();
  }

  /**
   * Moves sessions from a trunk that is alive to wherever the router says.
   * @param most how many
   * @returns how many were moved; fewer if the router has no other place for them
   */
  move(link: TrunkLink, most: number): number {
    return this.#placement.move(link, most);
  }

  /** Accepts nobody more. */
  stopAccepting(): void {
    for (const listener of this.#listeners.splice(0)) listener.stop();
  }

  /** Tells one client to connect again at once, which leads it to a successor, lets its last lines be answered, and closes it. */
  sendAway(session: Session): void {
    session.goAway(goingAwayLine(0, 0));
  }

  /**
   * Tells every client to come back later or elsewhere, lets their last lines be answered, and closes them; then leaves
   * the hubs. Resolves when all connections are gone, at the latest a little after the deadline.
   */
  shutdown({ afterMs, jitterMs, deadlineMs }: ShutdownOptions): Promise<void> {
    this.stopAccepting();
    const words = goingAwayLine(afterMs, jitterMs);
    for (const newcomer of this.#newcomers.all()) newcomer.connection.finish();
    for (const session of this.#sessions) session.goAway(words);
    return new Promise((resolve) => {
      const end = (): void => {
        this.#shutDown?.deadline.stop();
        this.#shutDown = undefined;
        this.#sweep.stop();
        this.#placement.stop();
        for (const link of this.#links) link.stop();
        resolve();
      };
      const deadline = this.#clock.after(deadlineMs, () => {
        for (const newcomer of this.#newcomers.all()) newcomer.connection.close();
        // A set may be changed while it is walked.
        for (const session of this.#sessions) session.connection.close();
        end();
      });
      this.#shutDown = { deadline, done: end };
      this.#checkShutdown();
    });
  }

  #checkShutdown(): void {
    if (this.#shutDown !== undefined && this.connections === 0) this.#shutDown.done();
  }

  #accept(connection: Connection): ConnectionHandlers {
    connection.keepAlive(this.#limits.keepAliveMs);
    const newcomer = new Newcomer(this.#owner, connection, this.#clock.monotonic());
    this.#newcomers.add(newcomer, newcomer.since);
    // Before it is judged: whoever is turned away at once must be heard to go.
    connection.handlers = newcomer;
    newcomer.arrive();
    return newcomer;
  }

  #welcomeClient(newcomer: Newcomer, first: Uint8Array): void {
    const { connection, ip, address, since } = newcomer;
    this.#newcomers.delete(newcomer);
    this.#lastSerial += 1;
    const acceptedAt = this.#clock.now();
    const session = new Session(this.#owner, connection, {
      serial: this.#lastSerial,
      origin: { address, edge: this.name, acceptedAt, connection: crypto.randomUUID() },
      ip,
      acceptedAt,
      acceptedMonotonic: since,
    });
    this.#sessions.add(session);
    this.#unspoken.add(session, since);
    connection.handlers = session;
    session.data(first);
  }

  #welcomeTrunk(newcomer: Newcomer, first: Uint8Array): void {
    const { connection, ip } = newcomer;
    this.#newcomers.delete(newcomer);
    this.#options.gate?.leave(ip);
    this.#options.takeTrunk?.(connection, first);
  }

  #sessionGone(session: Session): void {
    this.#sessions.delete(session);
    this.#options.gate?.leave(session.ip);
    const { connection } = session;
    this.#observer.closed?.({
      address: session.origin.address,
      link: session.lastLink,
      acceptedAt: session.acceptedAt,
      durationMs: this.#clock.monotonic() - session.acceptedMonotonic,
      bytesIn: connection.bytesIn,
      bytesOut: connection.bytesOut,
      linesIn: session.linesIn,
      moves: session.moves,
      reason: session.endReason ?? "failed",
    });
    this.#checkShutdown();
  }

  #sweepDeadlines(): void {
    const now = this.#clock.monotonic();
    const { helloMs, outboxSoftMs, endedMs } = this.#limits;
    const late = `no line within ${helloMs / 1_000} s; send hello as the first line`;
    for (const newcomer of this.#newcomers.due(now - helloMs)) {
      this.#newcomers.delete(newcomer);
      newcomer.refuse("hello-timeout", late);
    }
    for (const session of this.#unspoken.due(now - helloMs)) session.refuse("hello-timeout", late);
    for (const session of this.#slow.due(now - outboxSoftMs)) session.tooSlow(session.connection.outboxBytes);
    for (const session of this.#ending.due(now - endedMs)) session.giveUpEnding();
    this.#placement.sweep(now);
  }

  /** What sessions, newcomers and links see of this edge; its methods are no business of anybody else. */
  #asOwner(): SessionOwner & NewcomerOwner & LinkOwner {
    const { gate, tls, takeTrunk } = this.#options;
    return {
      limits: this.#limits,
      gate,
      tls,
      takesTrunks: takeTrunk !== undefined,
      enter: (ip, address) => {
        const admission = gate?.enter(ip) ?? { admitted: true };
        if (admission.admitted) this.#observer.accepted?.();
        else this.#observer.refused?.(address, admission);
        return admission.admitted ? undefined : admission.message;
      },
      newcomerIsClient: (newcomer, first) => this.#welcomeClient(newcomer, first),
      newcomerIsTrunk: (newcomer, first) => this.#welcomeTrunk(newcomer, first),
      newcomerLeft: (newcomer) => {
        this.#newcomers.delete(newcomer);
        if (newcomer.entered) gate?.leave(newcomer.ip);
        this.#checkShutdown();
      },
      sessionSpoke: (session) => {
        this.#unspoken.delete(session);
        this.#placement.spoke(session);
      },
      sessionConfirmed: (session) => this.#placement.confirmed(session),
      sessionSlow: (session, slow) => {
        if (slow) this.#slow.add(session, this.#clock.monotonic());
        else this.#slow.delete(session);
      },
      sessionEnding: (session) => this.#ending.add(session, this.#clock.monotonic()),
      sessionLeft: (session) => {
        for (const waiting of [this.#unspoken, this.#slow, this.#ending]) waiting.delete(session);
        this.#placement.ended(session);
      },
      sessionGone: (session) => this.#sessionGone(session),
      linkDraining: (link) => this.#observer.draining?.(link),
      linkGone: (link, sessions) => {
        this.#links.delete(link);
        this.#placement.lost(link, sessions);
      },
      linkPressed: (link, pressed) => {
        if (pressed) this.#observer.pressed?.(link);
        else this.#observer.eased?.(link);
      },
    };
  }
}
