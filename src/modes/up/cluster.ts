/**
 * The cluster of `rtchat up`: servers first, then the balancer that names them; stopped in the other order, so that
 * clients hear from the balancer that it goes away, and no hand-over runs between servers that stop anyway. The server
 * that keeps the log is the last of them.
 *
 * A renewal, with an executable that was replaced, goes through the servers one after another while the balancer moves
 * their people to the others, and then has the balancer renew itself. Whoever does not come back ends it there.
 */
import { Failure } from "../../cli/errors.ts";
import type { ReadyFacts } from "../../cli/lifecycle.ts";
import type { Clock, Random } from "../../protocol/clock.ts";
import { superviseLimits } from "../../protocol/limits.ts";
import type { Logger } from "../../protocol/logger.ts";
import { type Child, GaveUp, Supervised } from "./supervisor.ts";

/** What is to run. */
export interface ClusterPlan {
  /** A port a server; 0 lets it take a free one. */
  readonly serverPorts: readonly number[];
  /** Arguments of a server beside its port and name. */
  readonly serverArguments: readonly string[];
  /** Arguments of the balancer beside its backends. */
  readonly balancerArguments: readonly string[];
}

/** Starts a child: `name` for its log, `order` among the children, and its arguments after the mode. */
export type SpawnChild = (
  kind: "server" | "balancer",
  name: string,
  order: number,
  args: readonly string[],
) => Child;

/** What a cluster needs beside its plan. */
export interface ClusterOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** The process that keeps the log, if one of the servers does. Never rejects. */
  readonly keeper: () => Promise<number | undefined>;
}

/** What a running cluster says of itself. */
export interface ClusterFacts {
  readonly servers: readonly ReadyFacts[];
  readonly balancer: ReadyFacts;
}

/** The port in a `host:port` of a ready line. */
function portOf(facts: ReadyFacts): number {
  return Number(/:(\d+)$/.exec(String(facts["listen"]))?.[1] ?? Number.NaN);
}

/** All children together. */
export class Cluster {
  readonly #servers: readonly Supervised[];
  readonly #balancer: Supervised;
  readonly #options: ClusterOptions;
  readonly #gaveUp = Promise.withResolvers<GaveUp>();
  #backends = "";
  #isStopping = false;

  constructor(plan: ClusterPlan, spawn: SpawnChild, options: ClusterOptions) {
    this.#options = options;
    const supervise = { ...options, onGaveUp: (reason: GaveUp) => this.#gaveUp.resolve(reason) };
    this.#servers = plan.serverPorts.map((wanted, index) => {
      const name = `server-${index + 1}`;
      const start = (last: ReadyFacts | undefined) => {
        const port = last === undefined ? wanted : portOf(last);
        return spawn("server", name, index, [
          "--port",
          String(port),
          "--name",
          name,
          ...plan.serverArguments,
        ]);
      };
      return new Supervised(name, start, supervise);
    });
    const startBalancer = () =>
      spawn("balancer", "balancer", plan.serverPorts.length, [
        "--backends",
        this.#backends,
        ...plan.balancerArguments,
      ]);
    this.#balancer = new Supervised("balancer", startBalancer, supervise);
  }

  /** The names of the children, in order. */
  static names(plan: ClusterPlan): string[] {
    return [...plan.serverPorts.map((_, index) => `server-${index + 1}`), "balancer"];
  }

  /** Resolves, once if ever, when a child cannot be kept running. */
  get gaveUp(): Promise<GaveUp> {
    return this.#gaveUp.promise;
  }

  /**
   * Starts everything; when something cannot start, stops the rest.
   * @throws Failure
   */
  async start(): Promise<ClusterFacts> {
    try {
      const servers = await Promise.all(this.#servers.map((server) => server.start()));
      this.#backends = servers.map((facts) => String(facts["listen"])).join(",");
      return { servers, balancer: await this.#balancer.start() };
    } catch (error) {
      await this.stop();
      if (error instanceof GaveUp) {
        throw new Failure(error.message, `the lines of ${error.child} above say why`, { cause: error });
      }
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#balancer.stop();
    const ordered = await this.#keeperLast();
    const others = Promise.all(ordered.slice(0, -1).map((server) => server.stop()));
    // Whoever hangs is not waited for twice.
    await Promise.race([others, this.#wait(superviseLimits.keeperLastMs)]);
    await Promise.all([others, ordered.at(-1)?.stop()]);
  }

  /**
   * Replaces all processes by new ones, one after another. Never rejects.
   * @returns what did not come back, if anything
   */
  async renew(): Promise<string | undefined> {
    for (const server of await this.#keeperLast()) {
      if (this.#isStopping) return undefined;
      if (!(await server.renew())) return server.name;
      // Its people come back to it only once the balancer has seen that it is well.
      await this.#wait(superviseLimits.renewPauseMs);
    }
    this.#balancer.signal("SIGUSR2");
    return undefined;
  }

  async #keeperLast(): Promise<readonly Supervised[]> {
    const pid = await this.#options.keeper();
    const keeps = ({ pid: one }: Supervised) => (one !== undefined && one === pid ? 1 : 0);
    return this.#servers.toSorted((one, other) => keeps(one) - keeps(other));
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after(ms, resolve));
  }

  /** Ends all at once, without asking. Signals are sent before this returns. */
  kill(): Promise<unknown> {
    return Promise.all([this.#balancer, ...this.#servers].map((child) => child.kill()));
  }
}
