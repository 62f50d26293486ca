/** What a page of history costs in memory: it is read, and the log that it is part of is not copied. */
import { expect, test } from "bun:test";
import { MemoryLogs } from "../../src/backplane/memory-logs.ts";
import type { Room } from "../../src/backplane/cluster.ts";

const body = new Uint8Array([1]);

function logOf(entries: number) {
  const logs = new MemoryLogs(1, Infinity);
  // What else is known of a room is nothing to a log.
  const room = { name: "lobby" } as Room<{ readonly id: string }>;
  for (let seq = 1; seq <= entries; seq += 1) logs.append(room, String(seq), { seq, at: 0, body });
  return (query: { before?: number; after?: number }) =>
    logs.page({ room: "lobby", limit: 50, maxBytes: 1_000, ...query }, "e1", entries);
}

/** The fastest of some rounds, ms: what it costs when nothing else has the processor. */
function fastest(run: () => void): number {
  let best = Infinity;
  for (let round = 0; round < 20; round += 1) {
    const began = performance.now();
    for (let call = 0; call < 20; call += 1) run();
    best = Math.min(best, performance.now() - began);
  }
  return best;
}

test("a page of a log of 400,000 messages costs what one of a short log does", () => {
  const long = logOf(400_000);
  const short = logOf(100);
  for (const query of [{}, { before: 60 }, { after: 10 }, { after: 10, before: 80 }]) {
    fastest(() => short(query));
    expect(fastest(() => long(query))).toBeLessThan(fastest(() => short(query)) * 5 + 0.5);
  }
});
