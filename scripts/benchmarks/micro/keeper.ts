/**
 * How many acknowledged, durable publishes a keeper does, and what they cost.
 *
 *   bun scripts/benchmarks/micro/keeper.ts [--rooms 200] [--window 2000] [--seconds 5] [--servers 1] [--bytes 120]
 *                                          [--durability process|power] [--directory DIR]
 *
 * All servers are in this process, over real Unix sockets; each follows every room, keeps `window` publishes in flight,
 * and checks that it hears every entry once and in order. CPU is this whole process: servers, keeper, checkpoints.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { KeeperBackplane } from "../../../src/backplane/keeper/keeper.ts";
import type { Deliveries } from "../../../src/protocol/deliveries.ts";
import { silentLogger } from "../../../src/protocol/logger.ts";

const { values } = parseArgs({
  options: {
    rooms: { type: "string", default: "200" },
    window: { type: "string", default: "2000" },
    seconds: { type: "string", default: "5" },
    servers: { type: "string", default: "1" },
    bytes: { type: "string", default: "120" },
    durability: { type: "string", default: "process" },
    directory: { type: "string" },
  },
});
const rooms = Number(values.rooms);
const window = Number(values.window);
const servers = Number(values.servers);

const directory = values.directory ?? mkdtempSync(join(tmpdir(), "rtchat-bench-"));
const durability = values.durability === "power" ? "power" : "process";
const planes = Array.from(
  { length: servers },
  () => new KeeperBackplane({ directory, log: silentLogger, durability }),
);
for (const plane of planes) await plane.start({ taken() {}, told() {}, health() {} });

let wrong = 0;
let heard = 0;

/** Follows a room and counts what comes out of order. */
function follow(plane: KeeperBackplane, room: string): Promise<void> {
  let last = -1;
  const appended = ({ first, count }: Deliveries): void => {
    if (first !== last + 1) wrong += 1;
    last += count;
    heard += count;
  };
  return new Promise<void>((resolve, reject) => {
    plane.subscribe(room, { appended, presence() {}, record() {}, reset() {} }, (result) => {
      if (!result.ok) return reject(new Error(result.message));
      last = result.snapshot.position.seq;
      resolve();
    });
  });
}
for (const plane of planes) {
  for (let room = 0; room < rooms; room += 1) await follow(plane, `room-${room}`);
}

const body = new Uint8Array(Number(values.bytes)).fill(0x61);
const latencies: number[] = [];
let acked = 0;
let sent = 0;
let failed = 0;
let over = false;
const finished = Promise.withResolvers<void>();

function publish(plane: KeeperBackplane): void {
  const number = sent;
  sent += 1;
  const at = performance.now();
  plane.publish(
    { room: `room-${number % rooms}`, key: `sender-${number % 500}:${number}`, body },
    (result) => {
      if (result.ok) acked += 1;
      else failed += 1;
      if (number % 16 === 0) latencies.push(performance.now() - at);
      if (!over) publish(plane);
      else if (acked + failed === sent) finished.resolve();
    },
  );
}

// The longest this event loop was held up: a server's clients feel exactly that.
let longest = 0;
let tick = performance.now();
const ticker = setInterval(() => {
  const now = performance.now();
  longest = Math.max(longest, now - tick - 5);
  tick = now;
}, 5);

const cpu = process.cpuUsage();
const began = performance.now();
for (const plane of planes) for (let i = 0; i < window; i += 1) publish(plane);
await Bun.sleep(Number(values.seconds) * 1_000);
over = true;
await finished.promise;
const ms = performance.now() - began;
const used = process.cpuUsage(cpu);
clearInterval(ticker);
latencies.sort((a, b) => a - b);
const quantile = (q: number): string => (latencies[Math.floor(latencies.length * q)] ?? 0).toFixed(2);
console.log(
  `rooms=${rooms} window=${window} servers=${servers} bytes=${body.length} durability=${durability}: ` +
    `${Math.round((acked / ms) * 1_000)} publishes/s, ${((used.user + used.system) / acked).toFixed(1)} µs of CPU each, ` +
    `latency p50 ${quantile(0.5)} p99 ${quantile(0.99)} ms, loop held up at most ${longest.toFixed(1)} ms, ` +
    `heard=${heard} wrong=${wrong} failed=${failed}`,
);
for (const plane of planes) await plane.stop(true);
if (values.directory === undefined) rmSync(directory, { recursive: true, force: true });
if (wrong > 0 || failed > 0) process.exitCode = 1;
