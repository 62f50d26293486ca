/**
 * The systems under test, each behind one loopback port, all with a configuration that their own manuals recommend.
 *
 *   rtchat   balancer, three servers, keeper, durability `process`: history, order, names, hand-over
 *   equal    HAProxy, NATS cluster of three, a JetStream file stream that captures the rooms: history
 *   nats     HAProxy, one NATS: no history
 *   irc      HAProxy, one InspIRCd: no history
 *   front    HAProxy, the same three rtchat servers: what our balancer replaces
 *   python   a balancer with a thread for each direction of each connection, the same three servers
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DialectName } from "./dialect.ts";
import { freePort, Program } from "./process.ts";

/** Something that can be loaded. */
export interface Target {
  readonly name: string;
  readonly dialect: DialectName;
  readonly port: number;
  readonly programs: readonly Program[];
  /** Whose memory counts in S4: all of ours, of the others the proxy alone. */
  readonly weighed: readonly Program[];
}

export type TargetName = "rtchat" | "equal" | "nats" | "irc" | "front" | "python";

/** Connections a target must stand; two descriptors each in HAProxy. */
const CONNECTIONS = 9_500;

/** The programs a target needs besides rtchat, or none. */
export const needs: Record<TargetName, readonly string[]> = {
  rtchat: [],
  equal: ["haproxy", "nats-server"],
  nats: ["haproxy", "nats-server"],
  irc: ["haproxy", "inspircd"],
  front: ["haproxy"],
  python: ["python3"],
};

/** Starts a target in a folder of its own. */
export async function start(name: TargetName, folder: string, binary: string): Promise<Target> {
  mkdirSync(folder, { recursive: true });
  switch (name) {
    case "rtchat":
      return startRtchat(folder, binary);
    case "equal":
      return startEqual(folder);
    case "nats":
      return startNats(folder);
    case "irc":
      return startIrc(folder);
    case "front":
      return startFront(folder, binary);
    case "python":
      return startPython(folder, binary);
  }
}

/** Stops the target's programs, the front one first. */
export async function stop(target: Target): Promise<void> {
  for (const program of target.programs.toReversed()) await program.stop();
}

/** Three servers that share a data folder. */
async function startServers(
  folder: string,
  binary: string,
): Promise<{ data: string; ports: number[]; programs: Program[] }> {
  const data = join(folder, "data");
  const ports = [freePort(), freePort(), freePort()];
  const programs = ports.map(
    (port, n) =>
      new Program(`server-${n + 1}`, [binary, "server", "--port", `${port}`, "--data", data], folder),
  );
  for (const [n, program] of programs.entries()) await program.listening(ports[n] ?? 0);
  return { data, ports, programs };
}

async function startFront(folder: string, binary: string): Promise<Target> {
  const { ports, programs } = await startServers(folder, binary);
  const { port, program } = await haproxy(folder, ports);
  return { name: "front", dialect: "rtchat", port, programs: [...programs, program], weighed: [program] };
}

async function startPython(folder: string, binary: string): Promise<Target> {
  const { ports, programs } = await startServers(folder, binary);
  const port = freePort();
  const script = join(import.meta.dir, "python-balancer.py");
  const program = new Program("python", ["python3", script, `${port}`, ...ports.map(String)], folder);
  await program.listening(port);
  return { name: "python", dialect: "rtchat", port, programs: [...programs, program], weighed: [program] };
}

async function startRtchat(folder: string, binary: string): Promise<Target> {
  const { data, ports, programs } = await startServers(folder, binary);
  const port = freePort();
  const flags = ["--backends", ports.join(","), "--port", `${port}`, "--data", data, "--no-admin"];
  const balancer = new Program("balancer", [binary, "balancer", ...flags], folder);
  await balancer.listening(port);
  const everything = [...programs, balancer];
  return { name: "rtchat", dialect: "rtchat", port, programs: everything, weighed: everything };
}

async function haproxy(
  folder: string,
  backends: readonly number[],
): Promise<{ port: number; program: Program }> {
  const port = freePort();
  const file = join(folder, "haproxy.cfg");
  writeFileSync(
    file,
    `global
  maxconn ${CONNECTIONS}
  nbthread 2
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend chat
  bind 127.0.0.1:${port}
  default_backend servers
backend servers
  balance roundrobin
${backends.map((backend, n) => `  server s${n + 1} 127.0.0.1:${backend}`).join("\n")}
`,
  );
  const program = await new Program("haproxy", ["haproxy", "-db", "-f", file], folder).listening(port);
  return { port, program };
}

async function startEqual(folder: string): Promise<Target> {
  const clients = [freePort(), freePort(), freePort()];
  const routes = [freePort(), freePort(), freePort()];
  const programs: Program[] = [];
  for (const [n, port] of clients.entries()) {
    const file = join(folder, `nats-${n + 1}.conf`);
    writeFileSync(
      file,
      `server_name: n${n + 1}
listen: 127.0.0.1:${port}
jetstream { store_dir: "${join(folder, `js-${n + 1}`)}" }
cluster {
  name: rooms
  listen: 127.0.0.1:${routes[n]}
  routes: [${routes.map((route) => `"nats://127.0.0.1:${route}"`).join(", ")}]
}
`,
    );
    programs.push(new Program(`nats-${n + 1}`, ["nats-server", "-c", file], folder));
  }
  for (const [n, program] of programs.entries()) await program.listening(clients[n] ?? 0);
  await createStream(clients[0] ?? 0);
  const front = await haproxy(folder, clients);
  const all = [...programs, front.program];
  return { name: "equal", dialect: "nats", port: front.port, programs: all, weighed: [front.program] };
}

/** Asks for a file stream over all rooms until the cluster has elected a leader and grants it. */
async function createStream(port: number): Promise<void> {
  const request = JSON.stringify({
    name: "rooms",
    subjects: ["room.*"],
    storage: "file",
    retention: "limits",
  });
  const deadline = performance.now() + 30_000;
  let answer = "";
  while (!answer.includes('"config"')) {
    if (performance.now() > deadline) throw new Error(`JetStream did not create the stream: ${answer}`);
    answer = "";
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data(_, chunk) {
          answer += chunk.toString();
        },
      },
    });
    socket.write(
      `CONNECT {"verbose":false}\r\nSUB answer 1\r\nPUB $JS.API.STREAM.CREATE.rooms answer ${request.length}\r\n${request}\r\n`,
    );
    await Bun.sleep(500);
    socket.end();
  }
}

async function startNats(folder: string): Promise<Target> {
  const backend = freePort();
  const program = new Program("nats", ["nats-server", "-a", "127.0.0.1", "-p", `${backend}`], folder);
  await program.listening(backend);
  const front = await haproxy(folder, [backend]);
  const all = [program, front.program];
  return { name: "nats", dialect: "nats", port: front.port, programs: all, weighed: [front.program] };
}

async function startIrc(folder: string): Promise<Target> {
  const backend = freePort();
  const file = join(folder, "inspircd.conf");
  writeFileSync(
    file,
    `<server name="irc.test" description="bench" network="Test" id="001">
<admin name="a" nick="a" email="a@irc.test">
<bind address="127.0.0.1" port="${backend}" type="clients">
<connect allow="*" maxchans="100" timeout="60" pingfreq="600" localmax="20000" globalmax="20000" limit="20000"
  threshold="1000000" commandrate="100000000" softsendq="16777216" hardsendq="33554432" recvq="1048576" fakelag="no" resolvehostnames="no">
<performance softlimit="20000" somaxconn="512" clonesonconnect="no">
<options defaultmodes="">
<dns timeout="1">
<module name="cap"><module name="ircv3_echomessage">
<pid file="${join(folder, "inspircd.pid")}">
<log method="file" type="*" level="default" target="${join(folder, "irc.log")}">
`,
  );
  const program = new Program(
    "inspircd",
    ["inspircd", "--config", file, "--nofork", "--runasroot", "--nolog"],
    folder,
  );
  await program.listening(backend);
  const front = await haproxy(folder, [backend]);
  const all = [program, front.program];
  return { name: "irc", dialect: "irc", port: front.port, programs: all, weighed: [front.program] };
}
