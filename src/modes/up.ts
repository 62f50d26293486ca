/** `rtchat up`: servers and a balancer as supervised children of this process. */
import { Failure, UsageError } from "../cli/errors.ts";
import type { Config, ModeDefinition } from "../cli/flag.ts";
import { paint, type Stream, writeFully } from "../cli/output.ts";
import { type ModeContext, modeStarter, type StartMode } from "../cli/run.ts";
import { formatAddress } from "../protocol/address.ts";
import { systemClock } from "../protocol/clock.ts";
import { superviseLimits } from "../protocol/limits.ts";
import { type Logger, silentLogger } from "../protocol/logger.ts";
import { checkAddresses } from "./balancer/parts.ts";
import { type ClientTls, ignoreHangUp, readClientTls } from "./client-tls.ts";
import { balancerMode } from "./flags/balancer.ts";
import { serverMode } from "./flags/server.ts";
import { upMode } from "./flags/up.ts";
import { childEnvironment, handOn, ownCommand, spawnChild } from "./up/child.ts";
import { Cluster, type ClusterFacts, type ClusterPlan, type SpawnChild } from "./up/cluster.ts";
import { keeperOf } from "./up/keeper.ts";
import { labelLines } from "./up/log-lines.ts";
import { nextFreePorts, requireFree } from "./ports.ts";
import { Quiet } from "./up/quiet.ts";
import { GaveUp } from "./up/supervisor.ts";
import { plainWayIn, tlsWayIn } from "./up/way-in.ts";

type UpConfig = Config<typeof upMode.flags>;

/**
 * Flags that do not fit each other: said before anything of the machine is looked at, so that the same command gives the
 * same answer whatever else runs.
 * @throws UsageError
 */
function checkUsage(config: UpConfig): void {
  const { servers, serverPorts, backplane, port } = config;
  checkAddresses(config);
  const twice = serverPorts?.find(
    (one, index) => one !== 0 && (one === port || serverPorts.indexOf(one) < index),
  );
  if (twice !== undefined) {
    throw new UsageError(
      `--server-ports: ${twice} is ${twice === port ? "the port of the balancer" : "named twice"}`,
      "every process needs a port of its own",
    );
  }
  if (backplane === "memory" && servers > 1) {
    throw new UsageError(
      `--backplane memory is one server's own, and ${servers} are asked for`,
      "use --servers 1, or --backplane keeper",
    );
  }
  if (serverPorts !== undefined && serverPorts.length !== servers) {
    throw new UsageError(
      `--server-ports names ${serverPorts.length} ports for ${servers} servers`,
      "name one a server, or change --servers",
    );
  }
}

/** The servers' ports: those given, or the first free ones after the balancer's. */
async function chooseServerPorts(config: UpConfig, log: Logger): Promise<readonly number[]> {
  const { servers, serverPorts: given, port, admin } = config;
  if (given !== undefined) {
    await Promise.all(given.map((one) => requireFree({ host: "127.0.0.1", port: one }, "--server-ports")));
    return given;
  }
  if (port === 0) return Array.from({ length: servers }, () => 0);
  const avoid = new Set(admin === false ? [] : [admin.port]);
  const ports = await nextFreePorts(servers, port, avoid);
  if (ports.at(-1) !== port + servers)
    log.info("some ports are taken, using others", { ports: ports.join(",") });
  return ports;
}

async function makePlan(config: UpConfig, log: Logger): Promise<ClusterPlan> {
  const { host, port, admin } = config;
  await requireFree({ host, port }, "--port");
  if (admin !== false) await requireFree(admin, "--admin");
  const shared = ["--data", config.data, "--log-level", config.logLevel, "--log-format", config.logFormat];
  const adminArguments = admin === false ? ["--no-admin"] : ["--admin", formatAddress(admin)];
  return {
    serverPorts: await chooseServerPorts(config, log),
    serverArguments: shared,
    balancerArguments: ["--host", host, "--port", String(port), ...adminArguments, ...shared],
  };
}

/** Keys that `up` gives each child as arguments, or that must not reach it at all. */
const decided = {
  // Nobody but the balancer comes to the servers here: the certificate's key is no business of theirs.
  server: ["port", "host", "name", "data", "logLevel", "logFormat", "tlsCert", "tlsKey", "tlsOnly"],
  balancer: ["port", "host", "admin", "backends", "backendsFile", "data", "logLevel", "logFormat"],
};

function spawner(plan: ClusterPlan, config: UpConfig, context: ModeContext, quiet: Quiet): SpawnChild {
  const { environment, settings, written } = context;
  const width = Math.max(...Cluster.names(plan).map((name) => name.length));
  const colour = paint(process.stderr, "red", "x") !== "x";
  const variablesOf = ({ name, flags: table }: ModeDefinition, keys: readonly string[]) =>
    handOn(environment, { mode: name, table, settings, decided: keys, own: upMode.flags, written });
  const variables = {
    server: variablesOf(serverMode, decided.server),
    balancer: variablesOf(balancerMode, decided.balancer),
  };
  return (kind, name, order, args) => {
    const label = labelLines(name, width, order, config.logFormat, process.stderr);
    return spawnChild(
      [...ownCommand(), kind, ...args],
      childEnvironment(environment, variables[kind], colour),
      (text) => {
        quiet.broken();
        return writeFully(process.stderr, `${label(text)}\n`);
      },
    );
  };
}

/** What a person does next. */
function summary(facts: ClusterFacts, tls: ClientTls | undefined, stream: Stream): string {
  const listen = String(facts.balancer["listen"]);
  const encrypted = tls === undefined ? "" : tls.edge.required ? ", with TLS only" : ", with TLS or without";
  const connect = tls === undefined ? plainWayIn(listen) : tlsWayIn(listen, tls.certificate());
  const admin = facts.balancer["admin"];
  const servers = facts.servers.length === 1 ? "1 server" : `${facts.servers.length} servers`;
  const row = (what: string, how: string) => `  ${what.padEnd(8)}${paint(stream, "cyan", how)}`;
  return [
    "",
    paint(stream, "bold", `rtchat is up: ${servers}, people connect to ${listen}${encrypted}`),
    row("chat", `rtchat client --nick YOU ${connect}`.trimEnd()),
    ...(admin === undefined ? [] : [row("look", `http://${admin}/`)]),
    row("stop", "Ctrl-C"),
    "",
  ].join("\n");
}

/** SIGUSR2: one renewal at a time. */
class Renewing {
  readonly #cluster: Cluster;
  readonly #log: Logger;
  #isUnderWay = false;

  constructor(cluster: Cluster, log: Logger) {
    this.#cluster = cluster;
    this.#log = log;
  }

  async run(): Promise<void> {
    if (this.#isUnderWay) return this.#log.warn("a renewal is under way already");
    this.#isUnderWay = true;
    this.#log.info("renewing: the servers one after another, then the balancer");
    const missing = await this.#cluster.renew();
    if (missing === undefined) this.#log.info("renewed: the servers are, and the balancer renews itself");
    else this.#log.error("did not come back; the others stay as they are", { child: missing });
    this.#isUnderWay = false;
  }
}

export const start: StartMode = modeStarter(upMode, async (config, context) => {
  const { log } = context;
  checkUsage(config);
  // Looked at before anything starts; what there is to say of it later, the balancer says.
  const tls = readClientTls(config, silentLogger);
  const plan = await makePlan(config, log);
  const quiet = new Quiet(systemClock);
  const cluster = new Cluster(plan, spawner(plan, config, context, quiet), {
    clock: systemClock,
    random: Math.random,
    log,
    keeper: () => keeperOf(config.data),
  });
  // A second signal, or a fault of ours, exits at once: nothing may be left behind.
  process.on("exit", () => void cluster.kill());

  const stopped = context.stopped();
  const starting = cluster.start();
  const facts = await Promise.race([starting, stopped]);
  if (typeof facts === "string") {
    starting.catch(() => {});
    await cluster.stop();
    return;
  }
  const servers = facts.servers.map((server) => String(server["listen"])).join(",");
  const { listen = "", admin } = facts.balancer;
  const renewing = new Renewing(cluster, log);
  context.ready(
    { listen, servers, ...(admin === undefined ? {} : { admin }) },
    { ...ignoreHangUp(log), renew: () => void renewing.run() },
  );
  if (config.logFormat === "text") {
    await Promise.race([quiet.comes(superviseLimits.quietMs, superviseLimits.quietMostMs), stopped]);
    log.flush();
    process.stderr.write(`${summary(facts, tls, process.stderr)}\n`);
  }

  const reason = await Promise.race([stopped, cluster.gaveUp]);
  log.info("stopping", { reason: reason instanceof GaveUp ? reason.message : reason });
  await cluster.stop();
  if (reason instanceof GaveUp)
    throw new Failure(reason.message, `the lines of ${reason.child} above say why`);
});
