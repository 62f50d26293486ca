/**
 * `rtchat balancer --workers N`: this process keeps N workers running that share the port (SO_REUSEPORT: the kernel
 * spreads newcomers over them), and serves the admin endpoint for all.
 *
 * A worker is this same command line with a variable that tells it which one it is. It is started again when it dies,
 * and stops when this process is gone.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "../../cli/errors.ts";
import type { ReadyFacts } from "../../cli/lifecycle.ts";
import { paint, writeFully } from "../../cli/output.ts";
import type { ModeContext } from "../../cli/run.ts";
import { systemClock } from "../../protocol/clock.ts";
import { childEnvironment, ownCommand, spawnChild } from "../up/child.ts";
import { labelLines } from "../up/log-lines.ts";
import { requireFree } from "../ports.ts";
import { GaveUp, Supervised } from "../up/supervisor.ts";
import type { BalancerConfig } from "./parts.ts";
import { WorkerClient, workerVariable } from "./worker-door.ts";
import { WorkerGroup } from "./worker-group.ts";

/** Running workers. */
export interface Workers {
  readonly group: WorkerGroup;
  /** Where all of them listen. */
  readonly listen: string;
  /** Resolves, if ever, when one cannot be kept running. */
  readonly gaveUp: Promise<GaveUp>;
  stop(): Promise<void>;
}

/**
 * Starts the workers; resolves when all are ready.
 * @throws Failure
 */
export async function startWorkers(config: BalancerConfig, context: ModeContext): Promise<Workers> {
  // Two groups of workers would share a port silently: look before they do.
  await requireFree({ host: config.host, port: config.port }, "--port");
  const folder = mkdtempSync(join(tmpdir(), "rtchat-balancer-"));
  const sockets = Array.from({ length: config.workers }, (_, index) => join(folder, `${index}.sock`));
  const group = new WorkerGroup(sockets.map((socket) => new WorkerClient(socket)));
  const gaveUp = Promise.withResolvers<GaveUp>();
  const all: Supervised[] = [];
  let { port } = config;
  const start = async (index: number): Promise<ReadyFacts> => {
    const name = `worker-${index + 1}`;
    const spawn = (last: ReadyFacts | undefined) => {
      const child = spawnWorker(config, context, { index, port, socket: sockets[index] ?? "" }, name);
      if (last !== undefined) void child.ready.then((facts) => facts && group.catchUp(index));
      return child;
    };
    const worker = new Supervised(name, spawn, {
      clock: systemClock,
      random: Math.random,
      log: context.log,
      onGaveUp: (reason) => gaveUp.resolve(reason),
    });
    all.push(worker);
    return worker.start();
  };
  const kill = (): void => all.forEach((worker) => void worker.kill());
  const stop = async (): Promise<void> => {
    await Promise.all(all.map((worker) => worker.stop()));
    process.off("exit", kill);
    rmSync(folder, { recursive: true, force: true });
  };
  process.on("exit", kill);
  try {
    // The first one finds the port, where any was asked for.
    const { listen = "" } = await start(0);
    port = Number(/:(\d+)$/.exec(String(listen))?.[1]);
    await Promise.all(sockets.slice(1).map((_, index) => start(index + 1)));
    return { group, listen: String(listen), gaveUp: gaveUp.promise, stop };
  } catch (error) {
    await stop();
    if (!(error instanceof GaveUp)) throw error;
    throw new Failure(error.message, `the lines of ${error.child} above say why`, { cause: error });
  }
}

function spawnWorker(
  config: BalancerConfig,
  context: ModeContext,
  place: { index: number; port: number; socket: string },
  name: string,
): ReturnType<typeof spawnChild> {
  rmSync(place.socket, { force: true });
  const variables = Object.entries(context.environment).filter(
    (entry): entry is [string, string] => entry[0].startsWith("RTCHAT_") && entry[1] !== undefined,
  );
  const label = labelLines(
    name,
    `worker-${config.workers}`.length,
    place.index,
    config.logFormat,
    process.stderr,
  );
  const colour = paint(process.stderr, "red", "x") !== "x";
  return spawnChild(
    [...ownCommand(), ...process.argv.slice(2)],
    childEnvironment(
      context.environment,
      { ...Object.fromEntries(variables), [workerVariable]: JSON.stringify(place) },
      colour,
    ),
    (text) => writeFully(process.stderr, `${label(text)}\n`),
  );
}
