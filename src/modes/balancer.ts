/**
 * `rtchat balancer`: the balancer and its admin endpoint, in one process or above several workers.
 *
 * The door opens before any backend is reached; who comes early is held. SIGHUP reads the list of backends again,
 * and has the certificate looked at, which happens without it too. SIGUSR2 renews: workers with the flags and the
 * executable as they are now follow this process, or the present workers, without a connection refused or a client that
 * misses anything (balancer/workforce.ts). What cannot change so is where it listens, and the log of this process.
 */
import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { Balancer } from "../balancer/balancer.ts";
import { SharedTally } from "../balancer/shared-tally.ts";
import { Failure } from "../cli/errors.ts";
import { type ModeContext, modeStarter, type StartMode } from "../cli/run.ts";
import type { Address } from "../protocol/address.ts";
import { systemClock } from "../protocol/clock.ts";
import { Doors } from "./balancer/doors.ts";
import { Front, type Means, readMeans } from "./balancer/front.ts";
import { balancerOptions, type BalancerConfig, checkDescriptors, readBackends } from "./balancer/parts.ts";
import { readClientTls } from "./client-tls.ts";
import { answerParent, workerPlace, workerVariable } from "./balancer/worker-door.ts";
import { Workforce } from "./balancer/workforce.ts";
import { balancerMode } from "./flags/balancer.ts";
import { listenFailure, requireFree } from "./ports.ts";

export const start: StartMode = modeStarter(balancerMode, async (config, context) => {
  const place = context.environment[workerVariable];
  if (place !== undefined) return runWorker(config, context, place);
  const means = readMeans(config, context.log);
  checkDescriptors(config, context.log);
  return config.workers > 1 ? runWorkers(config, context, means) : runAlone(config, context, means);
});

type Context = ModeContext<typeof balancerMode.flags>;

/** One process that does everything, until it is renewed. */
async function runAlone(config: BalancerConfig, context: Context, means: Means): Promise<void> {
  const balancer = new Balancer(balancerOptions(config, context.log, means.tls));
  const at = { host: config.host, port: config.port };
  const listener = open(at, () => balancer.open(at));
  await balancer.reach(means.backends);
  const front = new Front({
    config,
    context,
    means,
    view: balancer,
    control: balancer.control,
    workforce() {
      const workforce = new Workforce(context, () => Doors.of(listener));
      workforce.adopt(balancer);
      return workforce;
    },
  });
  front.open();
  front.ready(listener.address);
  await serve(context, front, () => front.workforce?.stop() ?? balancer.stop());
}

/** The process above several workers. */
async function runWorkers(config: BalancerConfig, context: Context, means: Means): Promise<void> {
  const at = { host: config.host, port: config.port };
  // Two groups of workers would share a port silently: look before they do.
  await requireFree(at, "--port");
  const workforce = open(at, () => new Workforce(context, () => Doors.bind(at)));
  const { group } = workforce;
  const front = new Front({
    config,
    context,
    means,
    view: group,
    control: group,
    workforce,
  });
  try {
    await workforce.start(config);
    front.open();
  } catch (error) {
    await workforce.stop();
    throw error;
  }
  front.ready(workforce.address);
  await serve(context, front, () => workforce.stop());
}

/** Until there is a reason to stop. */
async function serve(context: Context, front: Front, stop: () => Promise<void>): Promise<void> {
  const reason = await Promise.race([context.stopped(), front.gaveUp]);
  const isAsked = typeof reason === "string";
  context.log.info("stopping", { reason: isAsked ? reason : reason.message });
  await stop();
  await front.close();
  if (!isAsked) throw new Failure(reason.message, `the lines of ${reason.child} above say why`);
}

/** One of several workers: no admin endpoint, but an answer for its parent. */
async function runWorker(config: BalancerConfig, context: Context, json: string): Promise<void> {
  const { number, socket, doors, counts } = workerPlace.parse(JSON.parse(json));
  const tls = readClientTls(config, context.log);
  const tally = new SharedTally(counts.path, counts.column, systemClock);
  const balancer = new Balancer(balancerOptions(config, context.log, tls, { number, tally }));
  const retired = Promise.withResolvers<void>();
  const stopAnswering = answerParent(socket, {
    balancer,
    open: () => doors.forEach((door) => balancer.open(door)),
    retire: () => void balancer.retire().then(retired.resolve),
  });
  await balancer.reach(readBackends(config));
  context.ready({ listen: doors[0]?.address ?? "" });
  const reason = await Promise.race([context.stopped(), retired.promise]);
  context.log.info("stopping", { reason: reason ?? "its clients have gone over to its successor" });
  await balancer.stop();
  await stopAnswering();
  // Killed, the process above could not; and nobody else would.
  if (reason === "parent gone") rmSync(dirname(socket), { recursive: true, force: true });
}

/** Starts listening, or says why not as a person wants to hear it. */
function open<T>(at: Address, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw listenFailure(error, at, "--port");
  }
}
