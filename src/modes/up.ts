/** `rtchat up`: servers and a balancer as supervised children of this process. */
import { Failure, UsageError } from "../cli/errors.ts";
import type { Config } from "../cli/flag.ts";
import { paint, type Stream, writeFully } from "../cli/output.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import { formatAddress } from "../protocol/address.ts";
import { systemClock } from "../protocol/clock.ts";
import type { Logger } from "../protocol/logger.ts";
import { chatPort } from "./flags/common.ts";
import { upMode } from "./flags/up.ts";
import { childEnvironment, ownCommand, spawnChild } from "./up/child.ts";
import { Cluster, type ClusterFacts, type ClusterPlan, type SpawnChild } from "./up/cluster.ts";
import { labelLines } from "./up/log-lines.ts";
import { nextFreePorts, requireFree } from "./up/ports.ts";
import { GaveUp } from "./up/supervisor.ts";

type UpConfig = Config<typeof upMode.flags>;

/** The servers' ports: those given, or the first free ones after the balancer's. */
async function chooseServerPorts(config: UpConfig, log: Logger): Promise<readonly number[]> {
  const { servers, serverPorts: given, port, admin } = config;
  if (given !== undefined) {
    if (given.length !== servers) {
      throw new UsageError(
        `--server-ports names ${given.length} ports for ${servers} servers`,
        "name one a server, or change --servers",
      );
    }
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

function spawner(
  plan: ClusterPlan,
  config: UpConfig,
  environment: Readonly<Record<string, string>>,
): SpawnChild {
  const width = Math.max(...Cluster.names(plan).map((name) => name.length));
  return (name, order, args) => {
    const label = labelLines(name, width, order, config.logFormat, process.stderr);
    return spawnChild([...ownCommand(), ...args], environment, (text) =>
      writeFully(process.stderr, `${label(text)}\n`),
    );
  };
}

/** What a person does next. */
function summary(facts: ClusterFacts, stream: Stream): string {
  const listen = String(facts.balancer["listen"]);
  const connect = listen === `127.0.0.1:${chatPort}` ? "" : ` --connect ${listen}`;
  const admin = facts.balancer["admin"];
  const row = (what: string, how: string) => `  ${what.padEnd(8)}${paint(stream, "cyan", how)}`;
  return [
    "",
    paint(stream, "bold", `rtchat is up: ${facts.servers.length} servers, people connect to ${listen}`),
    row("chat", `rtchat client --nick YOU${connect}`),
    ...(admin === undefined ? [] : [row("look", `http://${admin}/`)]),
    row("stop", "Ctrl-C"),
    "",
  ].join("\n");
}

export const start: StartMode = modeStarter(upMode, async (config, context) => {
  const { log } = context;
  const plan = await makePlan(config, log);
  const colour = paint(process.stderr, "red", "x") !== "x";
  const spawn = spawner(plan, config, childEnvironment(context.environment, colour));
  const cluster = new Cluster(plan, spawn, { clock: systemClock, random: Math.random, log });
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
  if (config.logFormat === "text") process.stderr.write(`${summary(facts, process.stderr)}\n`);
  const servers = facts.servers.map((server) => String(server["listen"])).join(",");
  const { listen = "", admin } = facts.balancer;
  context.ready({ listen, servers, ...(admin === undefined ? {} : { admin }) });

  const reason = await Promise.race([stopped, cluster.gaveUp]);
  log.info("stopping", { reason: reason instanceof GaveUp ? reason.message : reason });
  await cluster.stop();
  if (reason instanceof GaveUp)
    throw new Failure(reason.message, `the lines of ${reason.child} above say why`);
});
