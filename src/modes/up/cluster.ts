/**
 * The cluster of `rtchat up`: servers first, then the balancer that names them; stopped in the other order, so that
 * clients hear from the balancer that it goes away, and no hand-over runs between servers that stop anyway.
 */
import { Failure } from "../../cli/errors.ts";
import type { ReadyFacts } from "../../cli/lifecycle.ts";
import type { Clock, Random } from "../../protocol/clock.ts";
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
  readonly #gaveUp = Promise.withResolvers<GaveUp>();
  #backends = "";

  constructor(
    plan: ClusterPlan,
    spawn: SpawnChild,
    options: { readonly clock: Clock; readonly random: Random; readonly log: Logger },
  ) {
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
    await this.#balancer.stop();
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  /** Ends all at once, without asking. Signals are sent before this returns. */
  kill(): Promise<unknown> {
    return Promise.all([this.#balancer, ...this.#servers].map((child) => child.kill()));
  }
}
