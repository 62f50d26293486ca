/**
 * The pool as an edge sees it: chooses trunks, and books what becomes of each session.
 *
 * Each backend has at most one open link here. A link that has closed may still be named by late reports; its backend is
 * remembered for that, but the link is never answered again.
 *
 * Invariant: each pair that edge/router.ts promises is one call of the pool.
 */
import type { TrunkLink } from "../edge/link.ts";
import type { EdgeObserver, Refusal, Router, SessionRecord } from "../edge/router.ts";
import type { Origin } from "../edge/trunk.ts";
import type { Logger } from "../protocol/logger.ts";
import type { Backend } from "./backend.ts";
import { Histogram } from "./histogram.ts";
import type { Pool } from "./pool.ts";

const leaving: Refusal = { code: "going-away", message: "this balancer stops; connect again" };

/** See the head of this file. */
export class Traffic implements Router, EdgeObserver {
  readonly #pool: Pool;
  readonly #logger: Logger;
  readonly #links = new Map<Backend, TrunkLink>();
  readonly #backends = new WeakMap<TrunkLink, Backend>();
  readonly handoverPause = new Histogram();
  /** Connections let in. */
  connections = 0;
  /** Connections turned away, by the gate or because the edge itself was full. */
  turnedAway = 0;
  /** Sessions on a backend now, and at most. */
  sessions = 0;
  sessionsMax = 0;
  /** Sessions that found no backend in time. */
  unplaced = 0;
  /** From now on nobody is placed. */
  stopping = false;

  constructor(pool: Pool, logger: Logger) {
    this.#pool = pool;
    this.#logger = logger;
  }

  /** A trunk to `backend` is open. */
  opened(backend: Backend, link: TrunkLink): void {
    this.#links.set(backend, link);
    this.#backends.set(link, backend);
  }

  /** A link is gone, or is being left. */
  lost(backend: Backend, link: TrunkLink): void {
    if (this.#links.get(backend) !== link) return;
    this.countBytes(backend);
    backend.counted = { in: 0, out: 0 };
    this.#links.delete(backend);
  }

  /** The open link of a backend. */
  linkOf(backend: Backend): TrunkLink | undefined {
    return this.#links.get(backend);
  }

  /** Brings a backend's byte counters up to date: links count by themselves, because that is the hot path. */
  countBytes(backend: Backend): void {
    const link = this.#links.get(backend);
    if (link === undefined) return;
    const { totals, counted } = backend;
    totals.bytesIn += link.bytesIn - counted.in;
    totals.bytesOut += link.bytesOut - counted.out;
    backend.counted = { in: link.bytesIn, out: link.bytesOut };
  }

  place(_origin: Origin, failed: ReadonlySet<TrunkLink>): TrunkLink | Refusal | "wait" {
    if (this.stopping) return leaving;
    const except = new Set<Backend>();
    for (const link of failed) {
      const backend = this.#current(link);
      if (backend !== undefined) except.add(backend);
    }
    const backend = this.#pool.select(except);
    const answer = this.#answer(backend);
    // Cannot be while the pool and the links agree; but a choice must never stay open.
    if (backend !== undefined && answer === "wait") this.#pool.failed(backend);
    return answer;
  }

  move(_origin: Origin, from: TrunkLink): TrunkLink | Refusal | "wait" {
    if (this.stopping) return leaving;
    const left = this.#current(from);
    return this.#answer(this.#pool.selectForHandover(new Set(left === undefined ? [] : [left])));
  }

  accepted(): void {
    this.connections += 1;
  }

  refused(): void {
    this.turnedAway += 1;
  }

  placed(link: TrunkLink, retried: boolean): void {
    this.#count(1);
    this.#with(link, (backend) => this.#pool.placed(backend, retried));
  }

  failed(link: TrunkLink): void {
    this.#with(link, (backend) => this.#pool.failed(backend));
  }

  movedOut(link: TrunkLink): void {
    this.#count(-1);
    this.#with(link, (backend) => this.#pool.movedOut(backend));
  }

  movedIn(link: TrunkLink): void {
    this.#count(1);
    this.#with(link, (backend) => this.#pool.movedIn(backend));
  }

  resumed(_link: TrunkLink, pauseMs: number): void {
    this.handoverPause.observe(pauseMs / 1_000);
  }

  ended(link: TrunkLink | undefined): void {
    if (link === undefined) return;
    this.#count(-1);
    this.#with(link, (backend) => this.#pool.ended(backend));
  }

  draining(link: TrunkLink): void {
    const backend = this.#current(link);
    if (backend !== undefined) this.#pool.drain(backend, { cause: "hub" });
  }

  pressed(link: TrunkLink): void {
    this.#logger.warn("a backend takes in too little; its clients are read more slowly", {
      backend: link.label,
    });
  }

  eased(link: TrunkLink): void {
    this.#logger.info("a backend has caught up", { backend: link.label });
  }

  /** The access log: one line a session, and nothing that was said in it. */
  closed(record: SessionRecord): void {
    if (record.reason === "no-backend") this.unplaced += 1;
    if (record.link !== undefined) {
      this.#with(record.link, (backend) => {
        if (record.reason === "internal") this.#pool.sessionFailed(backend);
        else if (record.linesIn > 0) this.#pool.sessionWorks(backend);
      });
    }
    this.#logger.info("session ended", {
      client: record.address,
      backend: record.link?.label,
      durationMs: Math.round(record.durationMs),
      bytesIn: record.bytesIn,
      bytesOut: record.bytesOut,
      lines: record.linesIn,
      moves: record.moves,
      why: record.reason,
    });
  }

  /** The backend of a link that is still its link. A backend that came back with a new one is as good as any. */
  #current(link: TrunkLink): Backend | undefined {
    const backend = this.#backends.get(link);
    return backend !== undefined && this.#links.get(backend) === link ? backend : undefined;
  }

  #count(more: 1 | -1): void {
    this.sessions += more;
    this.sessionsMax = Math.max(this.sessionsMax, this.sessions);
  }

  #answer(backend: Backend | undefined): TrunkLink | "wait" {
    const link = backend === undefined ? undefined : this.#links.get(backend);
    return link ?? "wait";
  }

  #with(link: TrunkLink, act: (backend: Backend) => void): void {
    const backend = this.#backends.get(link);
    if (backend !== undefined) act(backend);
  }
}
