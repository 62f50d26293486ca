/**
 * What the search index costs, and what a search takes in a large log.
 *
 *   bun scripts/benchmarks/micro/search.ts [--messages 1000000] [--directory DIR]
 *
 * Fills one room through a real keeper, with words as frequent as in language (Zipf) and one text in fifty in Japanese;
 * indexes it; then asks, through the server's search thread, for rare, common and absent words, beginnings of words,
 * several words, and an author. CPU is that of the indexing alone.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { KeeperBackplane, logFile } from "../../../src/backplane/keeper/keeper.ts";
import { openForReading } from "../../../src/backplane/keeper/schema.ts";
import { indexFile, openIndexForWriting } from "../../../src/backplane/keeper/search/index-file.ts";
import { Indexer } from "../../../src/backplane/keeper/search/indexer.ts";
import type { SearchPage } from "../../../src/backplane/backplane.ts";
import { seededRandom } from "../../../src/protocol/clock.ts";
import { keeperLimits } from "../../../src/protocol/limits.keeper.ts";
import { silentLogger } from "../../../src/protocol/logger.ts";
import { readWanted } from "../../../src/protocol/search.ts";

const { values } = parseArgs({
  options: { messages: { type: "string", default: "1000000" }, directory: { type: "string" } },
});
const messages = Number(values.messages);
const directory = values.directory ?? mkdtempSync(join(tmpdir(), "rtchat-bench-"));
const room = "large";
const random = seededRandom(7);
const syllables = "de plo y ser ver ka mi ro ta ne lo pu shi an er in go ra wo ble".split(" ");
const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? "";
const vocabulary = Array.from({ length: 50_000 }, () =>
  Array.from({ length: 1 + Math.floor(random() * 4) }, () => pick(syllables)).join(""),
);
const word = (): string => vocabulary[Math.floor(vocabulary.length ** random()) - 1] ?? "";
const words = (): string => Array.from({ length: 3 + Math.floor(random() * 12) }, word).join(" ");
const text = (): string => (random() < 0.02 ? "東京タワーへ行きましょう" : words());

const plane = new KeeperBackplane({
  directory,
  log: silentLogger,
  limits: { ...keeperLimits, indexEveryMs: 1e9 },
});
await plane.start({ taken() {}, told() {}, health() {} });
const encoder = new TextEncoder();
let sent = 0;
let acked = 0;
await new Promise<void>((resolve) => {
  const publish = (): void => {
    sent += 1;
    const said = sent === 1_000 ? "the needle in the haystack" : text();
    const from = sent % 10_000 === 0 ? "rare" : `person${sent % 200}`;
    const body = encoder.encode(`"room":"${room}","from":"${from}","text":${JSON.stringify(said)}`);
    plane.publish({ room, key: `k${sent}`, body }, (result) => {
      if (!result.ok) throw new Error(result.message);
      acked += 1;
      if (sent < messages) publish();
      else if (acked === sent) resolve();
    });
  };
  for (let n = 0; n < 2_000; n += 1) publish();
});
const megabytes = (name: string): string => (Bun.file(join(directory, name)).size / 1e6).toFixed(0);
console.log(`${acked} messages, log ${megabytes(logFile)} MB`);

const log = openForReading(join(directory, logFile));
if (log === undefined) throw new Error("there is no log");
const index = openIndexForWriting(join(directory, indexFile));
const indexer = new Indexer(log, index, keeperLimits.indexEntries);
const steps: number[] = [];
const cpu = process.cpuUsage();
for (let more = true; more;) {
  const began = performance.now();
  more = indexer.step() === "more";
  steps.push(performance.now() - began);
}
const { user, system } = process.cpuUsage(cpu);
index.run("PRAGMA wal_checkpoint(TRUNCATE)");
indexer.close();
steps.sort((a, b) => a - b);
const step = (q: number): string => (steps[Math.floor((steps.length - 1) * q)] ?? 0).toFixed(1);
console.log(
  `indexed: ${((user + system) / acked).toFixed(1)} µs CPU a message, a step of ${keeperLimits.indexEntries} p50 ${step(0.5)} ms, p99 ${step(0.99)}, longest ${step(1)}; index ${megabytes(indexFile)} MB`,
);

/** Asks for the newest 20, many times. */
async function ask(name: string, typed: string, from?: string): Promise<void> {
  const taken: number[] = [];
  let found: SearchPage | undefined;
  for (let n = 0; n < 30; n += 1) {
    const began = performance.now();
    const query = { room, before: acked + 1, wanted: readWanted(typed, from), limit: 20, maxBytes: 1 << 18 };
    found = await new Promise<SearchPage>((resolve, reject) => {
      plane.searcher.search(query, (result) => {
        if (result.ok) resolve(result.found);
        else reject(new Error(result.message));
      });
    });
    taken.push(performance.now() - began);
  }
  taken.sort((a, b) => a - b);
  const at = (q: number): string => (taken[Math.floor((taken.length - 1) * q)] ?? 0).toFixed(1);
  console.log(
    `${name}: p50 ${at(0.5)} ms, longest ${at(1)} ms, ${found?.entries.length} found in ${found?.looked}`,
  );
}

const common = vocabulary[0] ?? "";
const middle = vocabulary[2_000] ?? "";
await ask("one message in all", "needle haystack");
await ask(`a common word (${common})`, common);
await ask(`a word in between (${middle})`, middle);
await ask("no such word", "zzyzx");
await ask("the beginning of words (dep*)", "dep");
await ask("of very many (de*)", "de");
await ask("one letter (d*)", "d");
await ask(`two words (${common} ${middle})`, `${common} ${middle}`);
await ask("東京", "東京");
await ask("two pairs that do not meet (京東)", "京東");
await ask("an author alone", "", "rare");
await ask(`a common word of a rare author`, common, "rare");
await ask("without the index (...)", "...");

await plane.stop(true);
if (values.directory === undefined) rmSync(directory, { recursive: true, force: true });
