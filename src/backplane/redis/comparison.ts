/**
 * When Redis is another than before, all servers compare what they have seen with what it has.
 *
 * After a restart everything is there; after a failover to a replica that lagged it is not. Nothing in Redis says which
 * it was. An instance is a process with one history of replication: one that was there before, and comes back, is new. So before anybody publishes to an instance of Redis that is new, every server that is alive has told it the
 * highest positions it has seen, room by room; a room that has less begins a new epoch (scripts.ts). Servers find out
 * who has done that by the set of comparisons, and who is alive by their leases; a server that died with the primary
 * holds the others up no longer than its lease lasts.
 */
import type { Clock } from "../../protocol/clock.ts";
import { redisLimits } from "../../protocol/limits.redis.ts";
import type { Logger } from "../../protocol/logger.ts";
import { messageOf } from "./client.ts";
import type { Positions } from "./positions.ts";
import type { Scripts } from "./room-scripts.ts";

/** What a comparison needs. */
export interface ComparisonParts {
  readonly server: string;
  readonly positions: Positions;
  readonly scripts: Scripts;
  readonly clock: Clock;
  readonly log: Logger;
  /** Longest wait for the others: somewhat more than a lease. */
  readonly waitMs: number;
  readonly retryMs: number;
  /** Tells the others that there is an instance to compare with. */
  announce(instance: string): Promise<void>;
}

export class Comparison {
  readonly #parts: ComparisonParts;
  /** Comparisons done and under way, by instance. */
  readonly #runs = new Map<string, Promise<void>>();

  constructor(parts: ComparisonParts) {
    this.#parts = parts;
  }

  /** Compares with an instance, once, and waits for the other servers. Rejects when Redis goes away again. */
  run(instance: string): Promise<void> {
    const known = this.#runs.get(instance);
    if (known !== undefined) return known;
    const run = this.#run(instance);
    this.#runs.set(instance, run);
    run.catch(() => this.#runs.delete(instance));
    // Who compares again with one that is forgotten does more than is needed.
    const [oldest = instance] = this.#runs.keys();
    if (this.#runs.size > redisLimits.comparisons) this.#runs.delete(oldest);
    return run;
  }

  async #run(instance: string): Promise<void> {
    const { clock, log, waitMs, retryMs } = this.#parts;
    await this.#compare();
    const deadline = clock.monotonic() + waitMs;
    for (let announced = false; ;) {
      const missing = await this.#missing(instance);
      if (missing.length === 0) return;
      if (clock.monotonic() > deadline) {
        log.warn("servers did not compare their positions with Redis in time", {
          servers: missing.join(" "),
        });
        return;
      }
      if (!announced) await this.#parts.announce(instance);
      announced = true;
      await new Promise<void>((resolve) => clock.after(retryMs, resolve));
    }
  }

  /** Another server asks: compares, without waiting for anybody. */
  async answer(instance: string): Promise<void> {
    if (this.#runs.has(instance)) return;
    try {
      await this.#compare();
      await this.#missing(instance);
    } catch (error) {
      this.#parts.log.warn("positions could not be compared with Redis", { reason: messageOf(error) });
    }
  }

  async #compare(): Promise<void> {
    const { positions, scripts } = this.#parts;
    const { rooms } = positions;
    const { comparedAtOnce } = redisLimits;
    for (let from = 0; from < rooms.length; from += comparedAtOnce) {
      await Promise.all(rooms.slice(from, from + comparedAtOnce).map((room) => scripts.compareRoom(room)));
    }
  }

  /** Says that this server has compared. @returns the servers that have not */
  async #missing(instance: string): Promise<string[]> {
    const { scripts, server } = this.#parts;
    return (await scripts.peopleNow("compared", server, instance)).map(String);
  }
}
