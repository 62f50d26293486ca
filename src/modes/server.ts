/**
 * `rtchat server`: a hub and its backplane behind one port.
 *
 * The port takes trunks from balancers and clients directly; both end at the same hub, clients by way of an edge in this
 * process. On the way out the server asks its edges to take their sessions elsewhere, and tells the clients of its own
 * edge to come back; it leaves when nobody is left, or at the deadline.
 */
import { randomBytes } from "node:crypto";
import { version } from "../../package.json";
import type { Backplane } from "../backplane/backplane.ts";
import { KeeperBackplane } from "../backplane/keeper/keeper.ts";
import { MemoryBackplane, MemoryStore } from "../backplane/memory.ts";
import { Failure, UsageError } from "../cli/errors.ts";
import type { Config } from "../cli/flag.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import { Edge } from "../edge/edge.ts";
import { InProcessTrunk } from "../edge/in-process.ts";
import type { TrunkLink } from "../edge/link.ts";
import type { Router } from "../edge/router.ts";
import type { HubHost } from "../edge/trunk.ts";
import { TrunkAcceptor } from "../edge/trunk-acceptor.ts";
import { Hub } from "../hub/hub.ts";
import { type Address, formatAddress } from "../protocol/address.ts";
import { systemClock } from "../protocol/clock.ts";
import { hubLimits, shutdownLimits } from "../protocol/limits.ts";
import type { Logger } from "../protocol/logger.ts";
import { serverMode } from "./flags/server.ts";
import { type ClientTls, ignoreHangUp, lastDay, readClientTls } from "./client-tls.ts";
import { readClusterSecret, readOperatorSecret } from "./secret.ts";
import { listenFailure, requireFree } from "./ports.ts";

type ServerConfig = Config<typeof serverMode.flags>;

/** What is asked for must be what is done: nobody should trust in a flag that has no effect. */
function checkUsage({ backplane, durability, keepDays }: ServerConfig): void {
  if (backplane === "keeper") return;
  if (durability === "power") {
    throw backplane === "memory"
      ? new UsageError(
          "--durability power with --backplane memory, which has nothing on a disk",
          "use --backplane keeper, or leave --durability out",
        )
      : new UsageError(
          "--durability power is for the log in the data folder, and this server's is in Redis",
          "leave it out, and set appendfsync always in the configuration of Redis",
        );
  }
  if (backplane === "memory" && keepDays !== undefined) {
    throw new UsageError(
      `--keep-days ${keepDays} with --backplane memory, which only counts messages`,
      "use --keep-messages, or --backplane keeper",
    );
  }
}

export const start: StartMode = modeStarter(serverMode, async (config, context) => {
  checkUsage(config);
  const at = { host: config.host, port: config.port };
  await requireFree(at, "--port");
  // A free port is not known yet, and the name goes into logs and health reports from the first line on.
  const name =
    config.name ?? (at.port === 0 ? `server-${randomBytes(3).toString("hex")}` : formatAddress(at));
  const secret = readClusterSecret(config);
  const { operatorSecretFile } = config;
  const operatorSecret =
    operatorSecretFile === undefined ? undefined : readOperatorSecret(operatorSecretFile);
  const { log } = context;
  const tls = readClientTls(config, log);
  const backplane = await openBackplane(config, log);
  const hub = new Hub({
    backplane,
    server: name,
    build: version,
    secret,
    operatorSecret,
    clock: systemClock,
    random: secureRandom,
    logger: log,
    limits: {
      messagesPerSecond: config.rateMessages,
      messagesBurst: config.burstMessages ?? Math.max(config.rateMessages, hubLimits.messagesBurstLeast),
    },
  });
  try {
    await hub.start();
  } catch (error) {
    throw new Failure(error instanceof Error ? error.message : String(error), "", { cause: error });
  }
  const acceptor = new TrunkAcceptor({
    host: tls === undefined ? hub : withCertificate(hub, tls),
    secret,
    self: { build: version, server: name, cluster: backplane.cluster },
    clock: systemClock,
    logger: log,
    nonce: () => randomBytes(16).toString("hex"),
  });
  const router = new OnlyHub();
  const edge = new Edge({
    name,
    clock: systemClock,
    logger: log,
    router,
    ...(tls === undefined ? {} : { tls: tls.edge }),
    takeTrunk: (connection, first) => acceptor.accept(connection, first),
  });
  router.link = edge.attach(new InProcessTrunk(hub, name), name);
  const listener = listenOn(edge, at);
  const facts = {
    listen: listener.address,
    cluster: backplane.cluster,
    ...(tls === undefined ? {} : { certificateUntil: lastDay(tls) }),
  };
  context.ready(facts, ignoreHangUp(log));
  log.info("stopping", { reason: await context.stopped() });
  await stop(edge, hub, acceptor);
});

/** A hub that balancers are told of, with the certificate of those who come here directly. */
function withCertificate(hub: Hub, tls: ClientTls): HubHost {
  return {
    attach: (edge, name) => hub.attach(edge, name),
    report: () => ({ ...hub.report(), certificate: tls.validity() }),
  };
}

/** In a server there is one hub, and it is always there. */
class OnlyHub implements Router {
  link: TrunkLink | undefined;

  place(): TrunkLink | "wait" {
    return this.link ?? "wait";
  }

  move(): TrunkLink | "wait" {
    return this.place();
  }
}

async function openBackplane(config: ServerConfig, log: Logger): Promise<Backplane> {
  const { keepMessages, keepDays } = config;
  const kept = {
    ...(keepMessages === undefined ? {} : { keepMessages }),
    ...(keepDays === undefined ? {} : { keepDays }),
  };
  if (config.backplane === "memory") {
    // Servers in memory are clusters of their own, and a balancer is to see that.
    const cluster = `memory-${randomBytes(4).toString("hex")}`;
    return new MemoryBackplane(new MemoryStore({ cluster, ...kept }));
  }
  const common = { log, ...kept };
  if (config.backplane === "keeper") {
    return new KeeperBackplane({ ...common, directory: config.data, durability: config.durability });
  }
  const { RedisBackplane } = await import("../backplane/redis/redis.ts");
  return new RedisBackplane({ ...common, address: config.backplane });
}

function listenOn(edge: Edge, at: Address): ReturnType<Edge["listen"]> {
  try {
    return edge.listen({ at });
  } catch (error) {
    throw listenFailure(error, at, "--port");
  }
}

/** Session names are not secret, but must not repeat on any server: 53 bits from the system's generator. */
function secureRandom(): number {
  const words = crypto.getRandomValues(new Uint32Array(2));
  return ((words[0] ?? 0) * 2 ** 21 + ((words[1] ?? 0) >>> 11)) / 2 ** 53;
}

/** Hands the sessions over, says goodbye to the others, and leaves the cluster. */
async function stop(edge: Edge, hub: Hub, acceptor: TrunkAcceptor): Promise<void> {
  const { afterMs, jitterMs, goodbyeMs, handOverMs, pollMs } = shutdownLimits;
  const deadline = systemClock.monotonic() + handOverMs;
  hub.drain();
  await edge.shutdown({ afterMs, jitterMs, deadlineMs: goodbyeMs });
  while (hub.report().sessions > 0 && systemClock.monotonic() < deadline) await Bun.sleep(pollMs);
  acceptor.stop();
  await hub.stop(false);
}
