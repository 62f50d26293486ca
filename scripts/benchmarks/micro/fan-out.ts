/**
 * What one delivery costs an edge: rooms of clients, a sender in each, a window of messages under way.
 *
 * Three processes: clients (load), the edge (measured), and with `--trunk tcp` a hub. The hub is a loop that turns every
 * line into one group frame, so that nothing but the edge, its sockets and the trunk is measured.
 *
 *   bun scripts/benchmarks/micro/fan-out.ts [--trunk in-process|tcp] [--rooms 1] [--clients 500]
 *     [--window 8] [--seconds 3] [--profile FOLDER]
 */
import { parseArgs } from "node:util";
import { Edge } from "../../../src/edge/edge.ts";
import { InProcessTrunk } from "../../../src/edge/in-process.ts";
import type { TrunkLink } from "../../../src/edge/link.ts";
import { RemoteTrunk } from "../../../src/edge/remote-trunk.ts";
import { TrunkAcceptor } from "../../../src/edge/trunk-acceptor.ts";
import type { EdgePort, HubHost, HubPort, TrunkFate } from "../../../src/edge/trunk.ts";
import { listen } from "../../../src/net/listener.ts";
import { systemClock } from "../../../src/protocol/clock.ts";
import { countLines } from "../../../src/protocol/lines.ts";
import { silentLogger } from "../../../src/protocol/logger.ts";

const { values } = parseArgs({
  options: {
    role: { type: "string", default: "main" },
    trunk: { type: "string", default: "in-process" },
    rooms: { type: "string", default: "1" },
    clients: { type: "string", default: "500" },
    profile: { type: "string" },
    window: { type: "string", default: "8" },
    seconds: { type: "string", default: "3" },
    port: { type: "string", default: "0" },
  },
});
const clients = Number(values.clients);
const rooms = Number(values.rooms);
const self = import.meta.path;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** A message as a server would say it, 64 characters of text. */
const message = Buffer.from(
  `{"type":"message","room":"lobby","seq":1000000,"at":1700000000000,"from":"sender","text":"${"x".repeat(64)}"}\n`,
);

const nothing = new Uint8Array(0);

/** The first line of a client is its room; every further line becomes a message to that room. */
class LoopHub implements HubHost {
  attach(edge: EdgePort): { port: HubPort; detach(): void } {
    for (let room = 1; room <= rooms; room += 1) edge.define(room, `room${room}`, { epoch: "e", seq: 0 }, 0);
    const homes = new Map<number, { room: number; done: number }>();
    let seq = 0;
    const port: HubPort = {
      open: () => {},
      resume: () => {},
      close: () => {},
      lines: (session, lines) => {
        const home = homes.get(session);
        if (home === undefined) {
          const room = Number.parseInt(Buffer.from(lines).toString(), 10);
          homes.set(session, { room, done: 1 });
          edge.join(session, room, nothing, 1);
          return;
        }
        const count = countLines(lines);
        for (let index = 0; index < count; index += 1) {
          seq += 1;
          edge.group(home.room, message, seq, 0, 0);
        }
        home.done += count;
        edge.send(session, nothing, home.done);
      },
    };
    return { port, detach: () => {} };
  }
  report() {
    const counts = { sessions: 0, rooms: 1, messages: 0, backplaneMs: 0 };
    return { server: "loop", cluster: "c", build: "0", backplane: "ok", draining: false, ...counts } as const;
  }
}

const secret = new Uint8Array(32);
const nonce = (): string => "0".repeat(32);

function runHub(): void {
  const acceptor = new TrunkAcceptor({
    host: new LoopHub(),
    secret,
    self: { build: "0", server: "loop", cluster: "c" },
    clock: systemClock,
    logger: silentLogger,
    nonce,
  });
  const limits = { outboxBytes: 1 << 26, highWaterBytes: 1 << 25, lingerMs: 100 };
  const listener = listen({
    at: { host: "127.0.0.1", port: 0 },
    settings: { clock: systemClock, limits },
    accept: (connection) => ({ data: (first) => acceptor.accept(connection, first), close: () => {} }),
  });
  say(String(listener.port));
}

async function runEdge(): Promise<void> {
  let link: TrunkLink | undefined;
  const edge = new Edge({
    name: "bench",
    clock: systemClock,
    logger: silentLogger,
    router: { place: () => link ?? "wait", move: () => link ?? "wait" },
  });
  if (values.trunk === "in-process") link = edge.attach(new InProcessTrunk(new LoopHub(), "bench"), "loop");
  else {
    const ready = Promise.withResolvers<void>();
    let fate: TrunkFate | undefined;
    const trunk: RemoteTrunk = new RemoteTrunk({
      to: { host: "127.0.0.1", port: Number(values.port) },
      secret,
      self: { build: "0", edge: "bench" },
      clock: systemClock,
      nonce,
      events: {
        open: () => {
          const port = trunk.port;
          if (port === undefined) throw new Error("not open");
          const opened = edge.attach(
            {
              start: (_edge, its) => {
                fate = its;
                return port;
              },
              stop: () => trunk.stop(),
            },
            "loop",
          );
          link = opened;
          ready.resolve();
          return opened;
        },
        report: () => {},
        pressure: () => fate?.pressed(),
        relief: () => fate?.eased(),
        closed: () => fate?.gone(),
      },
    });
    await ready.promise;
  }
  const listener = edge.listen({ at: { host: "127.0.0.1", port: 0 } });
  say(String(listener.port));
  for await (const _ of console) {
    const { user, system } = process.cpuUsage();
    const used = process.memoryUsage.rss();
    say(JSON.stringify({ cpuMicros: user + system, user, system, rss: used, bytesOut: link?.bytesOut ?? 0 }));
  }
  process.exit(0);
}

async function runClients(): Promise<void> {
  const [window, line] = [Number(values.window), Buffer.from("x\n")];
  const senders: { write(data: Uint8Array): number }[] = [];
  for (let index = 0; index < clients; index += 1) {
    const isSender = index < rooms;
    /** Bytes that are not yet a whole message. */
    let partial = 0;
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: Number(values.port),
      socket: {
        data(own, chunk) {
          if (!isSender) return;
          partial += chunk.length;
          let whole = 0;
          for (; partial >= message.length; partial -= message.length) whole += 1;
          if (whole > 0) own.write(whole === 1 ? line : Buffer.from("x\n".repeat(whole)));
        },
      },
    });
    socket.write(Buffer.from(`${(index % rooms) + 1}\n`));
    if (isSender) senders.push(socket);
  }
  await Bun.sleep(300);
  for (const sender of senders) sender.write(Buffer.from("x\n".repeat(window)));
  say("started");
}

function linesOf(stream: ReadableStream<Uint8Array>): () => Promise<string> {
  const reader = stream.getReader();
  let held = "";
  return async () => {
    while (!held.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error("a process ended early");
      held += Buffer.from(value).toString();
    }
    const at = held.indexOf("\n");
    const one = held.slice(0, at);
    held = held.slice(at + 1);
    return one;
  };
}

async function main(): Promise<void> {
  const children: Bun.Subprocess[] = [];
  const spawn = (role: string, port: string, extra: string[] = []) => {
    const args = [
      "--role",
      role,
      "--port",
      port,
      "--trunk",
      values.trunk,
      "--rooms",
      values.rooms,
      "--clients",
      values.clients,
    ];
    const child = Bun.spawn([process.execPath, ...extra, self, ...args, "--window", values.window], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    children.push(child);
    return { child, next: linesOf(child.stdout) };
  };
  const hub = values.trunk === "tcp" ? spawn("hub", "0") : undefined;
  const hubPort = hub === undefined ? "0" : await hub.next();
  const profile = values.profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${values.profile}`];
  const measured = spawn("edge", hubPort, profile);
  const load = spawn("clients", await measured.next());
  await load.next();
  const sample = async () => {
    void measured.child.stdin.write("now\n");
    void measured.child.stdin.flush();
    return JSON.parse(await measured.next()) as Record<
      "cpuMicros" | "user" | "system" | "rss" | "bytesOut",
      number
    >;
  };
  await Bun.sleep(1_000);
  const [before, start] = [await sample(), performance.now()];
  await Bun.sleep(Number(values.seconds) * 1_000);
  const [after, end] = [await sample(), performance.now()];
  const deliveries = (after.bytesOut - before.bytesOut) / message.length;
  const each = (name: "cpuMicros" | "user" | "system"): string =>
    ((after[name] - before[name]) / deliveries).toFixed(2);
  say(
    `${values.trunk}, ${rooms} rooms, ${clients} clients, window ${values.window}: ` +
      `${Math.round((deliveries / (end - start)) * 1_000)} deliveries/s, ${each("cpuMicros")} µs CPU each ` +
      `(${each("user")} user, ${each("system")} system), ${Math.round(after.rss / 1_048_576)} MB`,
  );
  // The edge writes its profile when it ends by itself.
  void measured.child.stdin.end();
  if (values.profile !== undefined) await measured.child.exited;
  for (const child of children) child.kill();
}

const roles: Record<string, () => void | Promise<void>> = {
  hub: runHub,
  edge: runEdge,
  clients: runClients,
  main,
};
await roles[values.role]?.();
