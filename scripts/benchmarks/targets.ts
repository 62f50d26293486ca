/**
 * The systems under test, each behind one loopback port, with the configurations of configs/.
 *
 *   rtchat   balancer, three servers, keeper, durability `process`: history, order, names, hand-over
 *   equal    HAProxy, NATS cluster of three, a JetStream file stream that captures the rooms: history
 *   nats     HAProxy, one NATS: no history
 *   irc      HAProxy, one InspIRCd: no history
 *   haproxy  HAProxy, the same three rtchat servers: what our balancer replaces
 *   nginx    nginx, the same three servers
 *   python   a balancer with a thread for each direction of each connection, the same three servers
 */
import { cpus } from "node:os";
import { join } from "node:path";
import { configure, nginxModules } from "./configs.ts";
import type { DialectName } from "./dialect.ts";
import { createStream } from "./jetstream.ts";
import { freePort, makeFolder, Program, removeFolder } from "./process.ts";

export type TargetName = "rtchat" | "equal" | "nats" | "irc" | "haproxy" | "nginx" | "python";

/** Something that can be loaded. */
export interface Target {
  readonly dialect: DialectName;
  readonly port: number;
  readonly programs: readonly Program[];
  /** Whose memory counts in S4: all of ours, of the others the proxy alone. */
  readonly weighed: readonly Program[];
  /** Stops the programs, the front one first, and removes their folder. */
  stop(): Promise<void>;
}

/** Descriptors a process may open, where the system's own limit is not lower. */
const DESCRIPTORS = 19_990;
/** Connections a proxy must stand; each takes two descriptors of it. */
export const CONNECTIONS = 9_900;

/** The programs a target needs besides rtchat. */
export const needs: Readonly<Record<TargetName, readonly string[]>> = {
  rtchat: [],
  equal: ["haproxy", "nats-server"],
  nats: ["haproxy", "nats-server"],
  irc: ["haproxy", "inspircd"],
  haproxy: ["haproxy"],
  nginx: ["nginx"],
  python: ["python3"],
};

/** Programs that are started one after the other; the last one is what clients connect to. */
class Stack {
  readonly folder: string;
  readonly programs: Program[] = [];

  constructor(name: string) {
    this.folder = makeFolder(name);
  }

  /** Starts a program without waiting for it. */
  start(name: string, ...command: string[]): Program {
    const program = new Program(name, command, this.folder);
    this.programs.push(program);
    return program;
  }

  /** Three servers that share a data folder; gives their ports. */
  async servers(binary: string): Promise<number[]> {
    const ports = [freePort(), freePort(), freePort()];
    const started = ports.map((port, at) =>
      this.start(`server-${at + 1}`, binary, "server", "--port", `${port}`, "--data", this.data),
    );
    await Promise.all(started.map((program, at) => program.listening(ports[at] ?? 0)));
    return ports;
  }

  get data(): string {
    return join(this.folder, "data");
  }

  async haproxy(backends: readonly number[]): Promise<Target> {
    const port = freePort();
    const values = { connections: CONNECTIONS, cores: cpus().length, port };
    const file = configure(this.folder, "haproxy.cfg", values, { backends });
    return this.behind(await this.start("haproxy", "haproxy", "-db", "-f", file).listening(port), port);
  }

  behind(front: Program, port: number, dialect: DialectName = "rtchat"): Target {
    const { programs } = this;
    return { dialect, port, programs, weighed: [front], stop: () => this.stop() };
  }

  async stop(): Promise<void> {
    for (const program of this.programs.toReversed()) await program.stop();
    removeFolder(this.folder);
  }
}

/** How each target is built on an empty stack. */
const builders: Readonly<Record<TargetName, (stack: Stack, binary: string) => Promise<Target>>> = {
  async rtchat(stack, binary) {
    const ports = await stack.servers(binary);
    const port = freePort();
    const flags = ["--backends", ports.join(","), "--port", `${port}`, "--data", stack.data, "--no-admin"];
    const balancer = await stack.start("balancer", binary, "balancer", ...flags).listening(port);
    return { ...stack.behind(balancer, port), weighed: stack.programs };
  },

  async equal(stack) {
    const ports = [freePort(), freePort(), freePort()];
    const routes = [freePort(), freePort(), freePort()];
    const all = routes.map((route) => `"nats://127.0.0.1:${route}"`).join(", ");
    const started = ports.map((port, at) => {
      const values = { number: at + 1, port, route: routes[at] ?? 0, routes: all };
      const file = configure(stack.folder, "nats-cluster.conf", values, {}, `nats-${at + 1}.conf`);
      return stack.start(`nats-${at + 1}`, "nats-server", "-c", file);
    });
    await Promise.all(started.map((program, at) => program.listening(ports[at] ?? 0)));
    await createStream(ports[0] ?? 0);
    return { ...(await stack.haproxy(ports)), dialect: "nats" };
  },

  async nats(stack) {
    const port = freePort();
    const file = configure(stack.folder, "nats.conf", { port });
    await stack.start("nats", "nats-server", "-c", file).listening(port);
    return { ...(await stack.haproxy([port])), dialect: "nats" };
  },

  async irc(stack) {
    const port = freePort();
    const file = configure(stack.folder, "inspircd.conf", { port });
    const flags = ["--config", file, "--nofork", "--runasroot", "--nolog"];
    await stack.start("inspircd", "inspircd", ...flags).listening(port);
    return { ...(await stack.haproxy([port])), dialect: "irc" };
  },

  async haproxy(stack, binary) {
    return stack.haproxy(await stack.servers(binary));
  },

  async nginx(stack, binary) {
    const backends = await stack.servers(binary);
    const port = freePort();
    const values = { modules: nginxModules(), cores: cpus().length, descriptors: DESCRIPTORS, port };
    const file = configure(stack.folder, "nginx.conf", values, { backends });
    const front = stack.start("nginx", "nginx", "-c", file, "-p", stack.folder);
    return stack.behind(await front.listening(port), port);
  },

  async python(stack, binary) {
    const backends = await stack.servers(binary);
    const port = freePort();
    const script = join(import.meta.dir, "python-balancer.py");
    const front = stack.start("python", "python3", script, `${port}`, ...backends.map(String));
    return stack.behind(await front.listening(port), port);
  },
};

/** Starts a target in a folder of its own. Rejects, with nothing left running, when a part of it does not start. */
export async function start(name: TargetName, binary: string): Promise<Target> {
  const stack = new Stack(name);
  try {
    return await builders[name](stack, binary);
  } catch (error) {
    await stack.stop();
    throw error;
  }
}
