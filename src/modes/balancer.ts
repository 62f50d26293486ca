/**
 * `rtchat balancer`: the balancer and its admin endpoint, in one process or with several workers.
 *
 * The door opens before any backend is reached; who comes early is held. SIGHUP reads the list of backends again,
 * and has the certificate looked at, which happens without it too.
 */
import { listenAdmin, type AdminServer } from "../admin/listen.ts";
import { Balancer } from "../balancer/balancer.ts";
import type { BackendSpec } from "../balancer/address.ts";
import type { BalancerControl, BalancerView, Outcome } from "../balancer/view.ts";
import { Failure } from "../cli/errors.ts";
import { type ModeContext, modeStarter, type StartMode } from "../cli/run.ts";
import { type Address, formatAddress } from "../protocol/address.ts";
import { systemClock } from "../protocol/clock.ts";
import type { Logger } from "../protocol/logger.ts";
import { balancerOptions, type BalancerConfig, readAdminToken, readBackends } from "./balancer/parts.ts";
import { type ClientTls, lastDay, readClientTls } from "./client-tls.ts";
import { answerParent, workerPlace, workerVariable } from "./balancer/worker-door.ts";
import { startWorkers } from "./balancer/workers.ts";
import { balancerMode } from "./flags/balancer.ts";
import { listenFailure, systemListenFailure } from "./ports.ts";

export const start: StartMode = modeStarter(balancerMode, async (config, context) => {
  const place = context.environment[workerVariable];
  if (place !== undefined) return runWorker(config, context, place);
  const token = readAdminToken(config);
  const backends = readBackends(config);
  const tls = readClientTls(config, context.log);
  return config.workers > 1
    ? runWorkers(config, context, token, tls)
    : runAlone(config, context, { token, backends, tls });
});

/** One process that does everything. */
async function runAlone(
  config: BalancerConfig,
  context: ModeContext,
  {
    token,
    backends,
    tls,
  }: { token: string | undefined; backends: readonly BackendSpec[]; tls: ClientTls | undefined },
): Promise<void> {
  const balancer = new Balancer(balancerOptions(config, context.log, 0, tls));
  const at = { host: config.host, port: config.port };
  const listen = await open(at, () => balancer.start(at, backends));
  const { control } = balancer;
  const admin = openAdmin(config, { view: balancer, control, token, logger: context.log });
  ready(config, context, { listen, admin, tls, view: balancer, control });
  context.log.info("stopping", { reason: await context.stopped() });
  await balancer.stop();
  await admin?.stop();
}

/** The process above several workers. */
async function runWorkers(
  config: BalancerConfig,
  context: ModeContext,
  token: string | undefined,
  tls: ClientTls | undefined,
): Promise<void> {
  const workers = await startWorkers(config, context);
  const { group, listen } = workers;
  let admin: AdminServer | undefined;
  try {
    admin = openAdmin(config, { view: group, control: group, token, logger: context.log });
    ready(config, context, { listen, admin, tls, view: group, control: group });
    const reason = await Promise.race([context.stopped(), workers.gaveUp]);
    context.log.info("stopping", { reason: typeof reason === "string" ? reason : reason.message });
    if (typeof reason !== "string") {
      throw new Failure(reason.message, `the lines of ${reason.child} above say why`);
    }
  } finally {
    await workers.stop();
    await admin?.stop();
  }
}

/** One of several workers: no admin endpoint, but an answer for its parent. */
async function runWorker(config: BalancerConfig, context: ModeContext, json: string): Promise<void> {
  const { index, port, socket } = workerPlace.parse(JSON.parse(json));
  const tls = readClientTls(config, context.log);
  const balancer = new Balancer(balancerOptions(config, context.log, index, tls));
  const backends = readBackends(config);
  const stopAnswering = answerParent(socket, balancer);
  const at = { host: config.host, port };
  const listen = await open(at, () => balancer.start(at, backends, true));
  context.ready({ listen });
  context.log.info("stopping", { reason: await context.stopped() });
  await balancer.stop();
  await stopAnswering();
}

/** Starts listening, or says why not as a person wants to hear it. */
async function open(at: Address, run: () => Promise<string>): Promise<string> {
  try {
    return await run();
  } catch (error) {
    throw listenFailure(error, at, "--port");
  }
}

function openAdmin(
  config: BalancerConfig,
  parts: { view: BalancerView; control: BalancerControl; token: string | undefined; logger: Logger },
): AdminServer | undefined {
  const { admin } = config;
  if (admin === false) return undefined;
  try {
    return listenAdmin(admin, { ...parts, clock: systemClock, hostNames: config.adminHost ?? [] });
  } catch (error) {
    const known = systemListenFailure(error, admin, "--admin");
    if (known === undefined) throw error;
    throw new Failure(`admin endpoint: ${known.message}`, `${known.hint}, or use --no-admin`, {
      cause: error,
    });
  }
}

function ready(
  config: BalancerConfig,
  context: ModeContext,
  parts: {
    listen: string;
    admin: AdminServer | undefined;
    tls: ClientTls | undefined;
    view: BalancerView;
    control: BalancerControl;
  },
): void {
  const { listen, admin, tls, view, control } = parts;
  const facts = {
    listen,
    ...(admin === undefined ? {} : { admin: admin.address }),
    ...(tls === undefined ? {} : { certificateUntil: lastDay(tls) }),
  };
  context.ready(facts, () => {
    void reload(config, control, context.log);
    // Whoever is asked for its figures looks at its certificate: so the log says at once what came of a renewal. With several
    // workers there may be a moment in which none answers; the next look is soon.
    if (tls !== undefined) view.snapshot().catch(() => {});
  });
}

/** A list that cannot be read changes nothing. Never rejects. */
async function reload(config: BalancerConfig, control: BalancerControl, log: Logger): Promise<void> {
  const from = config.backendsFile ?? "--backends";
  const refused = (detail: string) => log.error(`the backends stay as they are: ${detail}`, { from });
  try {
    const entries = readBackends(config).map((spec) => `${formatAddress(spec)}*${spec.weight}`);
    // A file that is being written, most likely. Whoever means it says so through the admin endpoint.
    if (entries.length === 0) return refused(`${from} names none`);
    const outcome: Outcome = await control.replace(entries);
    if (outcome.ok) log.info("backends read again", { from, backends: entries.length });
    else refused(outcome.message);
  } catch (error) {
    refused(error instanceof Error ? error.message : String(error));
  }
}
