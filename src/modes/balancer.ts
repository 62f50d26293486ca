/**
 * `rtchat balancer`: the balancer and its admin endpoint in one process.
 *
 * The door opens before any backend is reached; who comes early is held. SIGHUP reads the list of backends again.
 */
import { listenAdmin, type AdminServer } from "../admin/listen.ts";
import { Balancer } from "../balancer/balancer.ts";
import { explainSystemError, Failure } from "../cli/errors.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import { ListenError } from "../net/listener.ts";
import { formatAddress } from "../protocol/address.ts";
import { systemClock } from "../protocol/clock.ts";
import type { Logger } from "../protocol/logger.ts";
import { balancerOptions, type BalancerConfig, readAdminToken, readBackends } from "./balancer/parts.ts";
import { balancerMode } from "./flags/balancer.ts";

export const start: StartMode = modeStarter(balancerMode, async (config, context) => {
  const { log } = context;
  const token = readAdminToken(config);
  const backends = readBackends(config);
  const balancer = new Balancer(balancerOptions(config, log, 0));
  const listen = await open(() => balancer.start({ host: config.host, port: config.port }, backends));
  const admin = openAdmin(config, balancer, token);
  const facts = { listen, ...(admin === undefined ? {} : { admin: admin.address }) };
  context.ready(facts, () => void reload(config, balancer, log));
  log.info("stopping", { reason: await context.stopped() });
  await balancer.stop();
  await admin?.stop();
});

/** Starts listening, or says why not as a person wants to hear it. */
async function open(run: () => Promise<string>): Promise<string> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof ListenError) throw new Failure(error.message, "", { cause: error });
    throw error;
  }
}

function openAdmin(
  config: BalancerConfig,
  balancer: Balancer,
  token: string | undefined,
): AdminServer | undefined {
  const { admin } = config;
  if (admin === false) return undefined;
  try {
    return listenAdmin(admin, {
      view: balancer,
      control: balancer.control,
      clock: systemClock,
      token,
      hostNames: config.adminHost ?? [],
    });
  } catch (error) {
    const known = explainSystemError(error, formatAddress(admin));
    if (known === undefined) throw error;
    throw new Failure(`admin endpoint: ${known.message}`, `${known.hint} with --admin, or use --no-admin`, {
      cause: error,
    });
  }
}

/** A list that cannot be read changes nothing. Never rejects. */
async function reload(config: BalancerConfig, balancer: Balancer, log: Logger): Promise<void> {
  try {
    await balancer.setBackends(readBackends(config));
    log.info("backends read again", { from: config.backendsFile ?? "--backends" });
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    log.error("backends not changed: the list cannot be read", { detail });
  }
}
