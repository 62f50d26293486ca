/**
 * The processes that serve a balancer's clients, over all their generations, and the process above them, which this is:
 * it holds the doors, serves the admin endpoint, and has no client, or none any more.
 *
 * A renewal starts a new generation with the flags and the executable as they are now, brings it to where the present one
 * is, waits until it reaches servers, and only then lets it take clients; the former one sends its clients over and goes.
 * Whatever fails before that leaves everything as it was. A balancer that was one process becomes the process above at
 * its first renewal, under the same process id.
 *
 * Invariant: at any moment exactly one generation takes clients, but while a renewal passes from one to the next both do.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Balancer } from "../../balancer/balancer.ts";
import { Failure } from "../../cli/errors.ts";
import type { ModeContext } from "../../cli/run.ts";
import { systemClock } from "../../protocol/clock.ts";
import { balancerLimits } from "../../protocol/limits.balancer.ts";
import type { GaveUp } from "../up/supervisor.ts";
import type { Doors } from "./doors.ts";
import { Generation, noRoom } from "./generation.ts";
import type { BalancerConfig } from "./parts.ts";
import { entriesOf, grant } from "./worker-door.ts";
import { type CatchUp, WorkerGroup } from "./worker-group.ts";

/** A generation, or the one process that a balancer was at first. */
type Serving = Pick<Generation, "retire" | "stop" | "kill">;

/** See the head of this file. */
export class Workforce {
  readonly group = new WorkerGroup();
  readonly #context: ModeContext;
  readonly #doors: Doors;
  readonly #folder: string;
  readonly #gaveUp = Promise.withResolvers<GaveUp>();
  readonly #kill = (): void => this.#everybody.forEach((one) => one.kill());
  #current: Serving | undefined;
  readonly #retiring = new Set<Serving>();
  #starting: Serving | undefined;
  #numbers = 0;
  #isStopping = false;

  /**
   * @param doors called when all else is there
   * @throws Failure when there is no folder for what workers share; what `doors` throws
   */
  constructor(context: ModeContext, doors: () => Doors) {
    this.#context = context;
    try {
      this.#folder = mkdtempSync(join(tmpdir(), "rtchat-balancer-"));
    } catch (error) {
      throw noRoom(error);
    }
    try {
      this.#doors = doors();
    } catch (error) {
      this.#removeFolder();
      throw error;
    }
    process.on("exit", this.#kill);
  }

  /** Where the workers listen. */
  get address(): string {
    return this.#doors.address;
  }

  /** Resolves, if ever, when a worker cannot be kept running. */
  get gaveUp(): Promise<GaveUp> {
    return this.#gaveUp.promise;
  }

  /** This process has served alone until now. */
  adopt(balancer: Balancer): void {
    const number = this.#numbers;
    this.#numbers += 1;
    this.group.join(number, {
      snapshot: () => balancer.snapshot(),
      list: () => Promise.resolve(entriesOf(balancer)),
      sessions: (query) => balancer.sessions(query),
      wish: (wish) => grant(balancer.control, wish),
    });
    this.#current = {
      retire: async () => {
        this.group.replaced(number);
        await balancer.retire();
        this.group.leave(number);
      },
      stop: () => balancer.stop(),
      kill: () => {},
    };
  }

  /**
   * Starts the first generation; resolves when it takes clients.
   * @throws Failure
   */
  async start(config: BalancerConfig): Promise<void> {
    const first = this.#generation(config);
    await this.#try(first, async () => {
      await first.start();
      await first.open();
    });
  }

  /**
   * Has a new generation follow the present one; resolves when it takes clients. Not to be called again before that.
   * @throws Failure; then everything is as it was
   */
  async renew(config: BalancerConfig, caughtUp: CatchUp): Promise<void> {
    const before = await this.group.snapshot().catch(() => undefined);
    const served = before?.backends.some(({ state }) => state === "up") === true;
    const next = this.#generation(config);
    await this.#try(next, async () => {
      await next.start();
      await Promise.all(next.clients.map((client) => this.group.catchUp(client, caughtUp)));
      if (served && !(await next.warm())) {
        throw new Failure(
          `the new workers reached no server within ${balancerLimits.warmMs / 1_000} s`,
          "check the list of servers and the cluster's secret",
        );
      }
      await next.open();
    });
  }

  /** From now on whatever fails, fails because everything stops. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Stops everybody. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#everybody.map((one) => one.stop()));
    process.off("exit", this.#kill);
    this.#doors.close();
    this.#removeFolder();
  }

  #removeFolder(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #everybody(): Serving[] {
    const some = [this.#current, this.#starting, ...this.#retiring];
    return some.filter((one) => one !== undefined);
  }

  #generation(config: BalancerConfig): Generation {
    const first = this.#numbers;
    this.#numbers += config.workers;
    return new Generation({
      config,
      context: this.#context,
      doors: this.#doors,
      group: this.group,
      first,
      folder: this.#folder,
      onGaveUp: (reason) => this.#gaveUp.resolve(reason),
    });
  }

  /** `next` becomes the present generation, if what it takes can be done. */
  async #try(next: Generation, steps: () => Promise<void>): Promise<void> {
    this.#starting = next;
    try {
      await steps();
    } catch (error) {
      await next.stop();
      throw error;
    } finally {
      this.#starting = undefined;
    }
    const former = this.#current;
    this.#current = next;
    if (former !== undefined) void this.#retire(former);
  }

  async #retire(former: Serving): Promise<void> {
    const { log } = this.#context;
    this.#retiring.add(former);
    // What a worker counted is known as of when it was last asked.
    const looks = systemClock.every(balancerLimits.retireLookMs, () => {
      this.group.snapshot().catch(() => {});
    });
    await former.retire();
    looks.stop();
    this.#retiring.delete(former);
    log.info("the last client has come over to the new workers");
  }
}
