/** From the balancer's flags to its parts: what can be wrong with them is told here, before anything listens. */
import { closeSync, openSync, readSync } from "node:fs";
import { lookup } from "node:dns/promises";
import { hostname } from "node:os";
import { version } from "../../../package.json";
import { AdminConfigError, checkExposure } from "../../admin/guard.ts";
import { type BackendSpec, checkBackends, parseBackendsFile } from "../../balancer/address.ts";
import type { BalancerOptions } from "../../balancer/balancer.ts";
import { NetworkListError, parseNetworks } from "../../balancer/door.ts";
import type { Tally } from "../../balancer/tally.ts";
import { explainSystemError, Failure, UsageError } from "../../cli/errors.ts";
import type { Config } from "../../cli/flag.ts";
import { AddressError, formatAddress } from "../../protocol/address.ts";
import { systemClock } from "../../protocol/clock.ts";
import { descriptorLimit } from "../../net/descriptors.ts";
import { balancerLimits } from "../../protocol/limits.balancer.ts";
import { netLimits } from "../../protocol/limits.ts";
import type { Logger } from "../../protocol/logger.ts";
import type { balancerMode } from "../flags/balancer.ts";
import type { ClientTls } from "../client-tls.ts";
import { readClusterSecret } from "../secret.ts";

/** The flags of `rtchat balancer`, read. */
export type BalancerConfig = Config<typeof balancerMode.flags>;

/** Reads a file that a flag names, or a pipe; not for ever. */
function readNamed(path: string, flagName: string): string {
  const most = balancerLimits.namedFileBytes;
  const bytes = Buffer.alloc(most + 1);
  let length = 0;
  try {
    const file = openSync(path, "r");
    try {
      for (let read = -1; read !== 0 && length <= most; length += read)
        read = readSync(file, bytes, length, bytes.length - length, null);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const known = explainSystemError(error, path);
    throw new Failure(`cannot read ${path}: ${known?.message ?? String(error)}`, `check ${flagName}`, {
      cause: error,
    });
  }
  if (length > most) throw new Failure(`${path} has more than ${most} bytes`, `check ${flagName}`);
  return bytes.toString("utf8", 0, length);
}

/**
 * The two addresses that a balancer listens on must differ: the second would be told that another process has it.
 * @throws UsageError
 */
export function checkAddresses({ host, port, admin }: Pick<BalancerConfig, "host" | "port" | "admin">): void {
  if (admin === false || port === 0 || admin.port !== port) return;
  const isAny = (name: string) => name === "0.0.0.0" || name === "::";
  if (admin.host !== host && !isAny(host) && !isAny(admin.host)) return;
  throw new UsageError(
    `--port and --admin are both ${formatAddress({ host, port })}`,
    "people and operators need a port each",
  );
}

/**
 * What the system lets a process open may be less than what was asked for: said at the start, not when people are refused.
 * @throws Failure if nobody could be let in
 */
export function checkDescriptors({ maxConnections, workers }: BalancerConfig, log: Logger): void {
  const limit = descriptorLimit();
  const room = Math.max(0, limit - netLimits.descriptorHeadroom) * workers;
  if (room >= maxConnections) return;
  const raise = "raise it: ulimit -n 20000";
  if (room === 0) throw new Failure(`the limit of ${limit} open files leaves room for nobody`, raise);
  log.warn(`the limit of open files leaves room for less than --max-connections; ${raise}`, {
    limit,
    connections: room,
  });
}

/**
 * The list of backends as it is now: from the file if there is one, else from the flag.
 * @throws Failure, UsageError
 */
export function readBackends(config: BalancerConfig): readonly BackendSpec[] {
  const { backendsFile } = config;
  try {
    if (backendsFile === undefined) return checkBackends(config.backends);
    return parseBackendsFile(readNamed(backendsFile, "--backends-file"));
  } catch (error) {
    if (!(error instanceof AddressError)) throw error;
    const where = backendsFile === undefined ? "--backends" : backendsFile;
    throw new UsageError(`${where}: ${error.message}`, "", { cause: error });
  }
}

/**
 * The admin token, if there is one, once it is clear that the endpoint is safe with it.
 * @throws UsageError
 */
export function readAdminToken(config: BalancerConfig): string | undefined {
  const { admin, adminToken, adminTokenFile } = config;
  if (adminToken !== undefined && adminTokenFile !== undefined) {
    throw new UsageError("--admin-token and --admin-token-file are both given", "give one of them");
  }
  const token =
    adminTokenFile === undefined ? adminToken : readNamed(adminTokenFile, "--admin-token-file").trim();
  try {
    if (admin !== false) checkExposure(admin.host, token);
  } catch (error) {
    if (error instanceof AdminConfigError) throw new UsageError(error.message, "", { cause: error });
    throw error;
  }
  return token;
}

function readProxies(config: BalancerConfig): ((ip: string) => boolean) | undefined {
  if (config.proxyProtocolFrom === undefined) return undefined;
  try {
    return parseNetworks(config.proxyProtocolFrom);
  } catch (error) {
    if (error instanceof NetworkListError)
      throw new UsageError(`--proxy-protocol-from: ${error.message}`, "", { cause: error });
    throw error;
  }
}

/** One of several processes. */
interface OneOfSeveral {
  readonly number: number;
  /** What all of them count together. */
  readonly tally: Tally;
}

/**
 * What a balancer is made of, by its flags.
 * @param worker absent: it is the only process
 * @throws Failure, UsageError
 */
export function balancerOptions(
  config: BalancerConfig,
  log: Logger,
  tls: ClientTls | undefined,
  worker?: OneOfSeveral,
): BalancerOptions {
  const { maxPerAddress, newPerSecond } = config;
  return {
    name: `${hostname()}:${config.port}${worker === undefined ? "" : `#${worker.number + 1}`}`,
    version,
    clock: systemClock,
    random: Math.random,
    logger: log,
    secret: readClusterSecret(config),
    resolve: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
    policy: config.policy,
    slowStartMs: config.slowStart,
    checkMs: config.checkInterval,
    holdMs: config.hold,
    rebalanceRate: Math.ceil(config.rebalance / config.workers),
    door: {
      connections: config.maxConnections,
      ...(worker === undefined ? {} : { tally: worker.tally }),
      ...(maxPerAddress === undefined ? {} : { perAddress: maxPerAddress }),
      ...(newPerSecond === undefined ? {} : { newPerSecond }),
      limitLoopback: maxPerAddress !== undefined || newPerSecond !== undefined,
    },
    isProxy: readProxies(config),
    tls: tls?.edge,
    certificate: tls?.validity,
    worker: worker?.number ?? 0,
  };
}
