/**
 * The hub alone: from a line of a client to the frames for its edges, over a backplane that answers at once, with edges
 * that only count. What is left is the hub's own work: reading, checking, encoding, keeping order.
 *
 *   bun scripts/benchmarks/micro/hub.ts [seconds a scenario]
 *
 * Prints a line a scenario: messages a second, µs of this process a message, frames and bytes an edge got.
 */
import { MemoryBackplane, MemoryStore } from "../../../src/backplane/memory.ts";
import type { EdgePort, HubPort, Origin } from "../../../src/edge/trunk.ts";
import { Hub } from "../../../src/hub/hub.ts";
import { systemClock } from "../../../src/protocol/clock.ts";
import { silentLogger } from "../../../src/protocol/logger.ts";

interface Scenario {
  readonly name: string;
  readonly rooms: number;
  readonly membersPerRoom: number;
  readonly edges: number;
  readonly textBytes: number;
  /** Messages of one sender that are under way together. */
  readonly pipeline: number;
  readonly withId: boolean;
}

const base = { rooms: 1, membersPerRoom: 500, edges: 1, textBytes: 64, pipeline: 16, withId: true };
const scenarios: readonly Scenario[] = [
  { ...base, name: "one room of 500" },
  { ...base, name: "one room of 500, no ids", withId: false },
  { ...base, name: "one room of 500, three edges", edges: 3 },
  { ...base, name: "one room of 500, one at a time", pipeline: 1 },
  { ...base, name: "200 rooms of 5", rooms: 200, membersPerRoom: 5 },
  { ...base, name: "one room of 500, 8 KiB", textBytes: 8_000 },
];

/** An edge that counts what it is told. */
class CountingEdge implements EdgePort {
  frames = 0;
  bytes = 0;
  /** Lines finished, by session. */
  readonly done: number[] = [];

  send(session: number, bytes: Uint8Array, done: number): void {
    this.frames += 1;
    this.bytes += bytes.length;
    this.done[session] = done;
  }
  group(_group: number, bytes: Uint8Array): void {
    this.frames += 1;
    this.bytes += bytes.length;
  }
  join(session: number, _group: number, bytes: Uint8Array, done: number): void {
    this.send(session, bytes, done);
  }
  define(): void {}
  leave(): void {}
  drop(): void {}
  replay(): void {}
  token(): void {}
  close(session: number, code: string): void {
    throw new Error(`session ${session} was closed: ${code}`);
  }
  drain(): void {}
}

interface Sender {
  readonly port: HubPort;
  readonly edge: CountingEdge;
  readonly session: number;
  readonly lines: Uint8Array;
  expected: number;
}

const encoder = new TextEncoder();

async function settle(senders: readonly Sender[]): Promise<void> {
  while (senders.some(({ edge, session, expected }) => (edge.done[session] ?? 0) < expected)) {
    await Promise.resolve();
  }
}

async function run(scenario: Scenario, ms: number): Promise<void> {
  const { rooms, membersPerRoom, edges, textBytes, pipeline, withId } = scenario;
  const backplane = new MemoryBackplane(new MemoryStore({ keepMessages: 1_000 }));
  const hub = new Hub({
    backplane,
    server: "bench",
    build: "bench",
    secret: encoder.encode("bench"),
    clock: systemClock,
    random: Math.random,
    logger: silentLogger,
    limits: { messagesPerSecond: 1e9, messagesBurst: 1e9 },
  });
  await hub.start();
  const ends = Array.from({ length: edges }, (_, n) => {
    const edge = new CountingEdge();
    return { edge, port: hub.attach(edge, `edge${n}`).port };
  });
  const senders: Sender[] = [];
  for (let n = 0; n < rooms * membersPerRoom; n += 1) {
    const end = ends[n % edges];
    if (end === undefined) continue;
    const { port, edge } = end;
    const session = n + 1;
    const room = `room${n % rooms}`;
    const origin: Origin = { address: "", edge: "", acceptedAt: Date.now(), connection: `c${n}` };
    port.open(session, origin);
    const hello = { type: "hello", version: 1, nick: `nick${n}` };
    const join = { type: "join", room, history: 0 };
    port.lines(session, encoder.encode(`${JSON.stringify(hello)}\n${JSON.stringify(join)}\n`));
    let lines = "";
    for (let line = 0; line < pipeline; line += 1) {
      const id = withId ? { id: `ID${line}` } : {};
      lines += `${JSON.stringify({ type: "send", room, ...id, text: "x".repeat(textBytes) })}\n`;
    }
    senders.push({ port, edge, session, lines: encoder.encode(lines), expected: 2 });
    if (n % 100 === 99) await settle(senders);
  }
  await settle(senders);
  const before = ends.reduce((sum, { edge }) => sum + edge.frames, 0);
  const bytesBefore = ends.reduce((sum, { edge }) => sum + edge.bytes, 0);
  const cpu = process.cpuUsage();
  const start = performance.now();
  let messages = 0;
  let round = 0;
  while (performance.now() - start < ms) {
    round += 1;
    const active = senders.slice((round * 8) % senders.length).slice(0, 8);
    for (const sender of active) {
      sender.expected += pipeline;
      messages += pipeline;
      sender.port.lines(sender.session, withId ? fresh(sender.lines, round) : sender.lines);
    }
    await settle(active);
  }
  const seconds = (performance.now() - start) / 1_000;
  const used = process.cpuUsage(cpu);
  const frames = ends.reduce((sum, { edge }) => sum + edge.frames, 0) - before;
  const bytes = ends.reduce((sum, { edge }) => sum + edge.bytes, 0) - bytesBefore;
  const micros = (used.user + used.system) / messages;
  process.stdout.write(
    `${scenario.name.padEnd(34)} ${String(Math.round(messages / seconds)).padStart(8)} msg/s ` +
      `${micros.toFixed(2).padStart(7)} µs ${(frames / messages).toFixed(2).padStart(6)} frames ` +
      `${Math.round(bytes / messages)
        .toString()
        .padStart(6)} bytes\n`,
  );
  await hub.stop(true);
}

/** The same lines under new ids: `ID` becomes two other letters a round, in place, in a copy. */
function fresh(lines: Uint8Array, round: number): Uint8Array {
  const copy = lines.slice();
  const marker = encoder.encode('"ID');
  const letters = encoder.encode((round % 1_679_616).toString(36).padStart(4, "0"));
  const buffer = Buffer.from(copy.buffer, copy.byteOffset, copy.length);
  for (let at = buffer.indexOf(marker); at !== -1; at = buffer.indexOf(marker, at + 3)) {
    copy[at + 1] = letters[2] ?? 0;
    copy[at + 2] = letters[3] ?? 0;
  }
  return copy;
}

const seconds = Number(process.argv[2] ?? "2");
for (const scenario of scenarios) {
  await run(scenario, 300);
  await run(scenario, seconds * 1_000);
}
