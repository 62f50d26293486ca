/** S8: peers. Latency of two beside a bare TLS echo, and a mesh of many real processes. */
import { mkdirSync } from "node:fs";
import { freemem } from "node:os";
import { join } from "node:path";
import { measureMesh } from "./peers/mesh.ts";
import { startEcho, startPeers } from "./peers/pair.ts";
import type { Pair } from "./peers/pair.ts";
import { cpuMs, makeFolder, removeFolder } from "./process.ts";
import { Collection } from "./section.ts";
import type { Bar, Bench, Section } from "./section.ts";
import { quantile } from "./statistics.ts";

const bars: readonly Bar[] = [
  {
    figure: "p50",
    ours: "two peers",
    against: ["TLS echo"],
    most: 1.5,
    why: "a message is signed, checked against the log, stored, and verified before it is shown, as JSON: signing and verifying alone take half as long as the echo, in processes that slept before. The echo does none of that",
  },
];

/** Between two messages at least, so that a peer's limit on what others may send is kept. */
const PACE_MS = 4;
/** What a peer process needs at most, so that a mesh is not begun that does not fit. */
const PEER_BYTES = 160 * 1_048_576;

/** Measures the pairs in turns, then the mesh. */
export async function measurePeers(bench: Bench): Promise<Section> {
  const { pace, progress } = bench;
  const collection = new Collection();
  const [warm, messages] = pace.full ? [300, 400] : [100, 150];
  progress("S8 two peers, a TLS echo");
  await measurePairs(bench, collection, warm, messages);
  const plan = pace.full
    ? { peers: 50, messages: 100, idleMs: 60_000 }
    : { peers: 12, messages: 20, idleMs: undefined };
  progress(`S8 a mesh of ${plan.peers}`);
  const folder = makeFolder("mesh");
  const name = `mesh of ${plan.peers}`;
  try {
    if (freemem() < plan.peers * PEER_BYTES) throw new Error("not enough free memory for so many processes");
    collection.add(name, await measureMesh(bench.binary, folder, plan));
  } catch (error) {
    collection.failure(name, error);
  } finally {
    removeFolder(folder);
  }
  if (!pace.full) collection.notes.push("a mesh of 50 and its idle traffic are measured by --full only");
  const { runs, notes, failed } = collection;
  return {
    name: "S8",
    title: "peers: a line of 64 B, from its writing to its appearance, pipe to pipe",
    method: `${pace.rounds} runs of ${messages} messages one by one; CPU and traffic a message, of all processes; p50 of the mesh: shown by all`,
    figures: ["p50", "p99", "p999", "cpu", "seconds", "bytesEach", "bytesPerMinute"],
    bars,
    runs,
    notes,
    failed,
  };
}

async function measurePairs(
  { binary, pace }: Bench,
  collection: Collection,
  warm: number,
  messages: number,
): Promise<void> {
  const folder = makeFolder("peers");
  const pairs = new Map<string, Pair>();
  try {
    const [peers, echo] = [join(folder, "peers"), join(folder, "echo")];
    for (const part of [peers, echo]) mkdirSync(part);
    pairs.set("two peers", await startPeers(binary, peers));
    pairs.set("TLS echo", await startEcho(echo));
    for (const pair of pairs.values()) await deliverMany(pair, warm);
    for (let round = 0; round < pace.rounds; round += 1) {
      for (const [name, pair] of pairs) {
        const before = cpuMs(pair.pids);
        const times = (await deliverMany(pair, messages)).sort();
        const cpu = ((cpuMs(pair.pids) - before) * 1_000) / messages;
        const at = (share: number): number => quantile(times, share);
        collection.add(name, { p50: at(0.5), p99: at(0.99), p999: at(0.999), cpu });
      }
    }
  } catch (error) {
    collection.failure([...pairs.keys()].at(-1) ?? "two peers", error);
  } finally {
    for (const pair of pairs.values()) await pair.stop();
    removeFolder(folder);
  }
}

async function deliverMany(pair: Pair, count: number): Promise<Float64Array> {
  const times = new Float64Array(count);
  for (let at = 0; at < count; at += 1) {
    const took = await pair.deliver();
    times[at] = took;
    if (took < PACE_MS) await Bun.sleep(PACE_MS - took);
  }
  return times;
}
