/**
 * What a connection costs a hub, without sockets: open, hello, welcome, bye, as frames of a trunk both ways, over a
 * backplane in memory; and what a session that stays weighs.
 *
 *   bun scripts/benchmarks/micro/connection.ts [rounds]
 *
 * Prints µs of this process a connection (the least and the median of all rounds, because on a shared machine what is
 * above the least is somebody else's), and bytes of the heap a session, welcomed and in a room of ten.
 */
import { heapStats } from "bun:jsc";
import { MemoryBackplane, MemoryStore } from "../../../src/backplane/memory.ts";
import { decodeToEdge, decodeToHub, EdgePortEncoder, HubPortEncoder } from "../../../src/edge/trunk-wire.ts";
import type { EdgePort, HubPort } from "../../../src/edge/trunk.ts";
import { Hub } from "../../../src/hub/hub.ts";
import { systemClock } from "../../../src/protocol/clock.ts";
import { FrameDecoder, FrameWriter } from "../../../src/protocol/frames.ts";
import { silentLogger } from "../../../src/protocol/logger.ts";
import { median } from "../statistics.ts";

const CONNECTIONS = 2_000;
const TOGETHER = 16;
const IDLE = 5_000;
const rounds = Number(process.argv[2] ?? 15);

const encoder = new TextEncoder();
const nothing = (): void => {};
const bye = encoder.encode('{"type":"bye"}\n');

let answers = 0;
let closed = 0;
/** An edge that counts. */
const edge: EdgePort = {
  send: () => void (answers += 1),
  join: () => void (answers += 1),
  close: () => void (closed += 1),
  group: nothing,
  define: nothing,
  leave: nothing,
  drop: nothing,
  replay: nothing,
  token: nothing,
  drain: nothing,
};

/** A hub at the end of a trunk whose frames are delivered by hand. */
async function connect(): Promise<{ hub: Hub; port: HubPort; deliver: () => Promise<void> }> {
  const hub = new Hub({
    backplane: new MemoryBackplane(new MemoryStore()),
    server: "bench",
    build: "bench",
    secret: encoder.encode("bench"),
    clock: systemClock,
    random: Math.random,
    logger: silentLogger,
  });
  await hub.start();
  const toHub = new FrameWriter();
  const toEdge = new FrameWriter();
  const { port } = hub.attach(new EdgePortEncoder(toEdge, nothing), "edge");
  const atHub = new FrameDecoder();
  const atEdge = new FrameDecoder();
  const deliver = async (): Promise<void> => {
    atHub.push(Buffer.from(toHub.take()), (reader) => decodeToHub(reader, port, nothing));
    // The backplane answers in a microtask, and its answer may cause another question.
    for (let step = 0; step < 8; step += 1) await Promise.resolve();
    atEdge.push(Buffer.from(toEdge.take()), (reader) => decodeToEdge(reader, edge, nothing));
  };
  return { hub, port: new HubPortEncoder(toHub, nothing), deliver };
}

let session = 0;

function greet(port: HubPort, more = ""): number {
  session += 1;
  const address = `127.0.0.1:${20_000 + (session % 40_000)}`;
  port.open(session, {
    address,
    edge: "bench:8000",
    acceptedAt: Date.now(),
    connection: crypto.randomUUID(),
  });
  port.lines(session, encoder.encode(`{"type":"hello","version":1,"nick":"n${session}"}\n${more}`));
  return session;
}

async function churn(): Promise<number> {
  const { hub, port, deliver } = await connect();
  const before = closed;
  const cpu = process.cpuUsage();
  for (let n = 0; n < CONNECTIONS; n += TOGETHER) {
    const here: number[] = [];
    for (let one = 0; one < TOGETHER; one += 1) here.push(greet(port));
    await deliver();
    for (const one of here) port.lines(one, bye);
    await deliver();
  }
  const { user, system } = process.cpuUsage(cpu);
  if (closed - before !== CONNECTIONS) throw new Error(`${closed - before} of ${CONNECTIONS} came through`);
  await hub.stop(true);
  return (user + system) / CONNECTIONS;
}

async function idle(): Promise<number> {
  const { hub, port, deliver } = await connect();
  const weigh = (): number => {
    Bun.gc(true);
    return heapStats().heapSize;
  };
  const before = answers;
  const empty = weigh();
  for (let n = 0; n < IDLE; n += 1) {
    greet(port, `{"type":"join","room":"r${n % (IDLE / 10)}","history":0}\n`);
    if (n % TOGETHER === TOGETHER - 1) await deliver();
  }
  await deliver();
  await deliver();
  // Welcome and joined; who came before also hears of who came after.
  if (answers - before < 2 * IDLE) throw new Error(`${answers - before} answers for ${IDLE} sessions`);
  const bytes = (weigh() - empty) / IDLE;
  await hub.stop(true);
  return bytes;
}

const costs: number[] = [];
for (let round = 0; round < rounds; round += 1) costs.push(await churn());
const weight = await idle();
process.stdout.write(
  `hello to bye ${Math.min(...costs).toFixed(1)} µs (median ${median(costs).toFixed(1)}), ` +
    `a session in a room ${Math.round(weight)} bytes of heap\n`,
);
