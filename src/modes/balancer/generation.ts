/**
 * Workers that were started together, from the same executable and the same flags.
 *
 *     start ──▶ catch up, warm ──▶ open ──▶ retire, or stop
 *
 * A worker is this same command line with a variable that tells it which one it is. It takes no client before it is told
 * to. It is started again when it dies, and stops when this process is gone. All of a generation count the connections of
 * an address together; a generation that retires counts for itself, since it lets nobody in any more.
 */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clearColumn, createSharedTally } from "../../balancer/shared-tally.ts";
import { explainSystemError, Failure } from "../../cli/errors.ts";
import { paint, writeFully } from "../../cli/output.ts";
import type { ModeContext } from "../../cli/run.ts";
import { systemClock } from "../../protocol/clock.ts";
import { balancerLimits } from "../../protocol/limits.balancer.ts";
import { childEnvironment, firstInherited, ownCommand, spawnChild } from "../up/child.ts";
import { labelLines } from "../up/log-lines.ts";
import { type Child, GaveUp, Supervised } from "../up/supervisor.ts";
import type { Doors } from "./doors.ts";
import type { BalancerConfig } from "./parts.ts";
import { WorkerClient, type WorkerPlace, workerVariable } from "./worker-door.ts";
import type { WorkerGroup } from "./worker-group.ts";

/** What a generation is made of. */
export interface GenerationParts {
  readonly config: BalancerConfig;
  readonly context: ModeContext;
  readonly doors: Doors;
  readonly group: WorkerGroup;
  /** The number of its first worker. */
  readonly first: number;
  /** For sockets and counts; only this user can look into it. */
  readonly folder: string;
  readonly onGaveUp: (reason: GaveUp) => void;
}

interface Member {
  readonly number: number;
  readonly client: WorkerClient;
  readonly process: Supervised;
}

/** What workers share lies in a file, for which there is no place. */
export function noRoom(error: unknown): Failure {
  const reason =
    explainSystemError(error)?.message ?? (error instanceof Error ? error.message : String(error));
  return new Failure(
    `what workers share cannot be kept in ${tmpdir()}: ${reason}`,
    "set TMPDIR to a folder with some MiB of room",
    { cause: error },
  );
}

/** See the head of this file. */
export class Generation {
  readonly #parts: GenerationParts;
  readonly #counts: string;
  readonly #members: readonly Member[];
  /** False once a successor has its doors. */
  #hasDoors = true;

  /** @throws Failure when there is no room for its counts */
  constructor(parts: GenerationParts) {
    this.#parts = parts;
    const { config, first, folder } = parts;
    this.#counts = join(folder, `${first}.counts`);
    try {
      createSharedTally(this.#counts, config.workers, randomBytes(8).readBigUInt64LE());
    } catch (error) {
      rmSync(this.#counts, { force: true });
      throw noRoom(error);
    }
    this.#members = Array.from({ length: config.workers }, (_, index) => this.#member(index));
  }

  /** The numbers of its workers. */
  get numbers(): readonly number[] {
    return this.#members.map(({ number }) => number);
  }

  /** Its workers, by themselves. */
  get clients(): readonly WorkerClient[] {
    return this.#members.map(({ client }) => client);
  }

  /**
   * Starts all; resolves when they could take clients.
   * @throws Failure
   */
  async start(): Promise<void> {
    try {
      await Promise.all(this.#members.map(({ process: worker }) => worker.start()));
    } catch (error) {
      if (!(error instanceof GaveUp)) throw error;
      throw new Failure(error.message, `the lines of ${error.child} above say why`, { cause: error });
    }
  }

  /** Whether each of them reaches a server, now or soon. */
  async warm(): Promise<boolean> {
    const deadline = systemClock.monotonic() + balancerLimits.warmMs;
    const isWarm = async ({ client }: Member): Promise<boolean> => {
      for (;;) {
        const picture = await client.snapshot().catch(() => undefined);
        if (picture?.backends.some(({ state }) => state === "up") === true) return true;
        if (systemClock.monotonic() >= deadline) return false;
        await Bun.sleep(balancerLimits.warmPollMs);
      }
    };
    return (await Promise.all(this.#members.map(isWarm))).every(Boolean);
  }

  /** From now on they take clients, and are in the picture. */
  async open(): Promise<void> {
    for (const { number, client } of this.#members) this.#parts.group.join(number, client);
    await Promise.all(this.clients.map((client) => client.open()));
  }

  /** They send their clients over to a successor, which has the doors now, and end. Resolves when all have. */
  async retire(): Promise<void> {
    const { group } = this.#parts;
    this.#hasDoors = false;
    await Promise.all(
      this.#members.map(async ({ number, client, process: worker }) => {
        group.replaced(number);
        const over = worker.release();
        try {
          await client.retire();
        } catch {
          void worker.stop();
        }
        await over;
        group.leave(number);
      }),
    );
    this.#forget();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map(({ process: worker }) => worker.stop()));
    for (const { number } of this.#members) this.#parts.group.leave(number);
    this.#forget();
  }

  /** Ends all at once, without asking. Signals are sent before this returns. */
  kill(): void {
    for (const { process: worker } of this.#members) void worker.kill();
  }

  #forget(): void {
    rmSync(this.#counts, { force: true });
  }

  #member(index: number): Member {
    const { context, first, folder, onGaveUp } = this.#parts;
    const number = first + index;
    const name = `worker-${number + 1}`;
    const socket = join(folder, `${number}.sock`);
    const client = new WorkerClient(socket);
    const spawn = (last: unknown) => {
      const child = this.#spawn(index, name, socket);
      if (last !== undefined) void this.#comeBack(child, client);
      return child;
    };
    const worker = new Supervised(name, spawn, {
      clock: systemClock,
      random: Math.random,
      log: context.log,
      onGaveUp,
    });
    return { number, client, process: worker };
  }

  /** A worker that was started again gets to where the others are before it takes anybody. Never rejects. */
  async #comeBack(child: Child, client: WorkerClient): Promise<void> {
    if ((await child.ready) === undefined) return;
    await this.#parts.group.catchUp(client, { list: true });
    await client.open().catch(() => child.kill("SIGKILL"));
  }

  #spawn(index: number, name: string, socket: string): Child {
    const { config, context, doors, first } = this.#parts;
    rmSync(socket, { force: true });
    const sockets = doors.socketsOf(index, config.workers);
    const place: WorkerPlace = {
      number: first + index,
      socket,
      doors: sockets.map(({ address }, at) => ({ descriptor: firstInherited + at, address })),
      counts: { path: this.#counts, column: index },
    };
    const variables = Object.entries(context.environment).filter(
      (entry): entry is [string, string] => entry[0].startsWith("RTCHAT_") && entry[1] !== undefined,
    );
    const label = labelLines(name, name.length, index, config.logFormat, process.stderr);
    const colour = paint(process.stderr, "red", "x") !== "x";
    const child = spawnChild(
      [...ownCommand(), ...process.argv.slice(2)],
      childEnvironment(
        context.environment,
        { ...Object.fromEntries(variables), [workerVariable]: JSON.stringify(place) },
        colour,
      ),
      (text) => writeFully(process.stderr, `${label(text)}\n`),
      sockets.map(({ descriptor }) => descriptor),
    );
    void child.exited.then(() => {
      if (!this.#hasDoors) return;
      // Nobody of those it had counted is there any more, and nobody should wait for it.
      clearColumn(this.#counts, index);
      doors.abandoned(index, config.workers);
    });
    return child;
  }
}
