/**
 * Finding hubs for sessions: new ones, those whose hub died, and those that wait because there is none.
 *
 * When a hub dies, thousands of sessions look for another in the same moment. They are taken in slices, one a turn of
 * the loop, so that nobody else's messages wait for them.
 *
 * Invariants: a session in `#homeless` has no link and has not ended; whoever is in the queue and not homeless any more
 * is passed over; the pairs that router.ts promises.
 */
import type { Clock, Timer } from "../protocol/clock.ts";
import { Deadlines } from "./deadlines.ts";
import { TrunkLink } from "./link.ts";
import type { EdgeObserver, Router } from "./router.ts";
import type { Session } from "./session.ts";
import { noticeLine } from "./words.ts";

/** What a placement is made of. */
export interface PlacementOptions {
  readonly clock: Clock;
  readonly router: Router;
  readonly observer: EdgeObserver;
  readonly limits: { readonly placedPerTurn: number; readonly holdMs: number; readonly holdNoticeMs: number };
}

const NO_LINKS: ReadonlySet<TrunkLink> = new Set();

/** See the head of this file. */
export class Placement {
  readonly #clock: Clock;
  readonly #router: Router;
  readonly #observer: EdgeObserver;
  readonly #limits: PlacementOptions["limits"];
  readonly #homeless = new Deadlines<Session>();
  /** The homeless that have not been told. */
  readonly #untold = new Deadlines<Session>();
  /** Homeless sessions to be tried, from `#tried` on. */
  #queue: Session[] = [];
  #tried = 0;
  #pass: Timer | undefined;

  constructor(options: PlacementOptions) {
    this.#clock = options.clock;
    this.#router = options.router;
    this.#observer = options.observer;
    this.#limits = options.limits;
  }

  /** Sessions that wait for a hub. */
  get held(): number {
    return this.#homeless.size;
  }

  /** A session has lines for a hub and none to give them to; it may say so again while it waits. */
  spoke(session: Session): void {
    if (!this.#homeless.has(session)) this.#place(session);
  }

  /** Tries everybody again who waits. */
  retry(): void {
    this.#queue = this.#homeless.all();
    this.#tried = 0;
    this.#schedule();
  }

  /** Moves up to `most` sessions off a trunk that is alive. @returns how many */
  move(link: TrunkLink, most: number): number {
    let moved = 0;
    for (const session of link.sessions) {
      if (moved >= most) break;
      // Who has not been answered yet will be, in a moment.
      if (!session.wasConfirmed) continue;
      const target = this.#router.move(session.origin, link);
      if (!(target instanceof TrunkLink) || target === link || !target.isOpen) break;
      session.homelessSince = this.#clock.monotonic();
      session.detach(true);
      this.#observer.movedOut?.(link);
      this.#observer.movedIn?.(target);
      session.attach(target);
      moved += 1;
    }
    return moved;
  }

  /** A trunk is gone; these sessions were on it. */
  lost(link: TrunkLink, sessions: readonly Session[]): void {
    const now = this.#clock.monotonic();
    for (const session of sessions) {
      session.detach(false);
      session.homelessSince = now;
      if (session.wasConfirmed) this.#observer.movedOut?.(link);
      else {
        session.failedLinks = (session.failedLinks ?? new Set()).add(link);
        this.#observer.failed?.(link);
      }
      this.#hold(session);
      this.#queue.push(session);
    }
    if (sessions.length > 0) this.#schedule();
  }

  /** A session's hub has said something to it for the first time since it was placed or moved. */
  confirmed(session: Session): void {
    const { link } = session;
    if (link === undefined) return;
    if (session.wasConfirmed) {
      this.#observer.resumed?.(link, this.#clock.monotonic() - session.homelessSince);
    } else this.#settle(session, link);
    if (!session.noticed) return;
    session.noticed = false;
    session.connection.write(noticeLine("restored", "a server is there again; nothing was lost"));
  }

  /** A session has ended; its link, if any, is still named in it. */
  ended(session: Session): void {
    this.#homeless.delete(session);
    this.#untold.delete(session);
    const { link } = session;
    // It left before its hub answered: it was placed all the same.
    if (link !== undefined && !session.wasConfirmed) this.#settle(session, link);
    if (session.wasConfirmed) this.#observer.ended?.(link);
  }

  /** Tells those who have waited for a while, and closes those who have waited for too long. */
  sweep(now: number): void {
    const { holdMs, holdNoticeMs } = this.#limits;
    for (const session of this.#homeless.due(now - holdMs)) {
      session.refuse("no-backend", `no server could be reached for ${holdMs / 1_000} s; connect again later`);
    }
    for (const session of this.#untold.due(now - holdNoticeMs)) {
      this.#untold.delete(session);
      session.noticed = true;
      session.connection.write(noticeLine("holding", "no server can be reached now; holding your place"));
    }
  }

  /** Places nobody more. */
  stop(): void {
    this.#pass?.stop();
    this.#queue = [];
  }

  #settle(session: Session, link: TrunkLink): void {
    session.wasConfirmed = true;
    this.#observer.placed?.(link, session.failedLinks !== undefined);
    session.failedLinks = undefined;
  }

  #place(session: Session): void {
    const { origin, lastLink, failedLinks } = session;
    const answer =
      session.wasConfirmed && lastLink !== undefined
        ? this.#router.move(origin, lastLink)
        : this.#router.place(origin, failedLinks ?? NO_LINKS);
    if (answer === "wait") {
      this.#hold(session);
    } else if (!(answer instanceof TrunkLink)) {
      session.refuse(answer.code, answer.message);
    } else if (answer.isOpen) {
      this.#homeless.delete(session);
      this.#untold.delete(session);
      if (session.wasConfirmed) this.#observer.movedIn?.(answer);
      session.attach(answer);
    } else {
      if (!session.wasConfirmed) this.#observer.failed?.(answer);
      this.#hold(session);
    }
  }

  #hold(session: Session): void {
    const now = this.#clock.monotonic();
    this.#homeless.add(session, now);
    if (!session.noticed) this.#untold.add(session, now);
  }

  #schedule(): void {
    this.#pass ??= this.#clock.after(0, () => this.#runPass());
  }

  #runPass(): void {
    this.#pass = undefined;
    const end = Math.min(this.#queue.length, this.#tried + this.#limits.placedPerTurn);
    while (this.#tried < end) {
      const session = this.#queue[this.#tried];
      this.#tried += 1;
      if (session !== undefined && this.#homeless.has(session)) this.#place(session);
    }
    if (this.#tried < this.#queue.length) this.#schedule();
    else {
      this.#queue = [];
      this.#tried = 0;
    }
  }
}
