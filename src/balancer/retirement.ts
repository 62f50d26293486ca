/**
 * Leaving one's place to a successor that listens at the same address already: nobody more is accepted, and the clients
 * are told to come back a few at a time, which they do at once and are resumed there. Lines taken are answered first.
 *
 * The pace is such that everybody has gone over in about a minute, and that the successor's door refuses nobody: of one
 * address, half of what it may open a second. Clients that wait for a server stay until they have one, because their
 * unfinished lines are kept here.
 *
 * Invariant: a client is told once, and no later than its turn; the last one to leave ends the retirement.
 */
import type { Edge } from "../edge/edge.ts";
import type { Session } from "../edge/session.ts";
import type { Clock, Timer } from "../protocol/clock.ts";
import { balancerLimits } from "../protocol/limits.balancer.ts";
import { addressBlock } from "../protocol/ip.ts";

/** A session as far as it matters here. */
type Client = Pick<Session, "ip" | "link">;

/** What a retirement needs. */
export interface RetirementOptions<One extends Client> {
  readonly edge: Pick<Edge, "connections" | "stopAccepting"> & {
    readonly sessions: Iterable<One>;
    sendAway(session: One): void;
  };
  readonly clock: Clock;
  /** Connections that an address may open a second at the successor; Infinity for no limit. */
  readonly newPerSecond: (ip: string) => number;
}

/** What one address may still be told, and since when. */
interface Share {
  allowance: number;
  at: number;
}

/** See the head of this file. */
export class Retirement<One extends Client = Session> {
  /** Resolves when nobody is left. */
  readonly done: Promise<void>;
  readonly #options: RetirementOptions<One>;
  readonly #rate: number;
  readonly #told = new WeakSet<One>();
  readonly #shares = new Map<string, Share>();
  readonly #timer: Timer;
  readonly #over = Promise.withResolvers<void>();
  #allowance = 0;
  #tickedAt: number;

  constructor(options: RetirementOptions<One>) {
    this.#options = options;
    const { edge, clock } = options;
    this.done = this.#over.promise;
    this.#rate = Math.max(balancerLimits.drainRate, (edge.connections * 1_000) / balancerLimits.retireMs);
    this.#tickedAt = clock.monotonic();
    edge.stopAccepting();
    this.#timer = clock.every(balancerLimits.moveTickMs, () => this.#tick());
    this.#check();
  }

  /** Tells nobody more. */
  stop(): void {
    this.#timer.stop();
  }

  #tick(): void {
    const { edge, clock } = this.#options;
    const now = clock.monotonic();
    this.#allowance = Math.min(this.#rate, this.#allowance + (this.#rate * (now - this.#tickedAt)) / 1_000);
    this.#tickedAt = now;
    for (const session of edge.sessions) {
      if (this.#allowance < 1) break;
      if (this.#told.has(session) || session.link === undefined || !this.#mayGo(session.ip, now)) continue;
      this.#told.add(session);
      this.#allowance -= 1;
      edge.sendAway(session);
    }
    this.#check();
  }

  #mayGo(ip: string, now: number): boolean {
    const perSecond = this.#options.newPerSecond(ip) / 2;
    if (perSecond === Infinity) return true;
    const block = addressBlock(ip);
    const share = this.#shares.get(block) ?? { allowance: 1, at: now };
    share.allowance = Math.min(
      Math.max(1, perSecond),
      share.allowance + (perSecond * (now - share.at)) / 1_000,
    );
    share.at = now;
    this.#shares.set(block, share);
    if (share.allowance < 1) return false;
    share.allowance -= 1;
    return true;
  }

  #check(): void {
    if (this.#options.edge.connections > 0) return;
    this.#timer.stop();
    this.#over.resolve();
  }
}
