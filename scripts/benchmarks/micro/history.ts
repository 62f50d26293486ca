/**
 * What history costs in a large log: joining a room with 50 messages, and paging at random places.
 *
 *   bun scripts/benchmarks/micro/history.ts [--messages 1000000] [--directory DIR]
 *
 * Fills one room through a real keeper, then reads as a server does, while another server goes on publishing. A new
 * reader each time for `cold`: it has to open the file and read the journal first.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { KeeperBackplane, logFile } from "../../../src/backplane/keeper/keeper.ts";
import { LogReader } from "../../../src/backplane/keeper/reader.ts";
import { silentLogger } from "../../../src/protocol/logger.ts";

const { values } = parseArgs({
  options: { messages: { type: "string", default: "1000000" }, directory: { type: "string" } },
});
const messages = Number(values.messages);
const directory = values.directory ?? mkdtempSync(join(tmpdir(), "rtchat-bench-"));
const file = join(directory, logFile);
const room = "large";

const plane = new KeeperBackplane({ directory, log: silentLogger });
await plane.start({ taken() {}, told() {}, health() {} });

const body = new TextEncoder().encode(
  `"from":"ana","text":"${"a message of the usual length, more or less ".repeat(2)}"`,
);
let sent = 0;
let acked = 0;

/** Publishes one message and, when it is answered, the next, until `until` are sent. */
function publish(until: () => boolean, done: () => void): void {
  sent += 1;
  plane.publish({ room, key: `k${sent}`, body }, (result) => {
    if (!result.ok) throw new Error(result.message);
    acked += 1;
    if (!until()) publish(until, done);
    else if (acked === sent) done();
  });
}

const began = performance.now();
await new Promise<void>((resolve) => {
  for (let i = 0; i < 2_000; i += 1) publish(() => sent >= messages, resolve);
});
console.log(
  `${acked} messages in ${((performance.now() - began) / 1_000).toFixed(1)} s, ${(Bun.file(file).size / 1e6).toFixed(0)} MB`,
);

/** Runs something many times and prints how long it took, ms. */
function measure(name: string, times: number, run: () => number): void {
  const taken: number[] = [];
  let entries = 0;
  for (let i = 0; i < times; i += 1) {
    const from = performance.now();
    entries += run();
    taken.push(performance.now() - from);
  }
  taken.sort((a, b) => a - b);
  const quantile = (q: number): string => (taken[Math.min(times - 1, Math.floor(times * q))] ?? 0).toFixed(2);
  console.log(
    `${name}: p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms, longest ${quantile(1)} ms, ${entries / times} entries each`,
  );
}

const maxBytes = 256 * 1024;
const random = (): number => 1 + Math.floor(Math.random() * messages);
const warm = new LogReader(file);
const newest = (reader: LogReader): number => reader.page({ room, limit: 50, maxBytes }).entries.length;

measure("join, newest 50, cold", 100, () => {
  const reader = new LogReader(file);
  const length = newest(reader);
  reader.close();
  return length;
});
measure("join, newest 50", 2_000, () => newest(warm));
measure(
  "page of 50 before a random place",
  2_000,
  () => warm.page({ room, before: random(), limit: 50, maxBytes }).entries.length,
);
measure(
  "page of 200 after a random place",
  2_000,
  () => warm.page({ room, after: random(), limit: 200, maxBytes }).entries.length,
);
warm.close();
await plane.stop(true);
if (values.directory === undefined) rmSync(directory, { recursive: true, force: true });
