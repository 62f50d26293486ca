/** PROTOCOL.md says what the code does: its tables and numbers are made from the code. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { entryKinds } from "../../src/mesh/core/entry.ts";
import { frameTypes } from "../../src/mesh/core/frames.ts";
import { reasons } from "../../src/mesh/core/reasons.ts";
import {
  entryLimits,
  floodLimits,
  logLimits,
  membershipLimits,
  syncLimits,
} from "../../src/protocol/limits.mesh.ts";

const path = join(import.meta.dir, "../../src/mesh/PROTOCOL.md");
const page = readFileSync(path, "utf8");
/** The page as one line, because its sentences are wrapped anywhere. */
const text = page.replaceAll(/\s+/g, " ");

/** What stands between two marks, without the empty lines around it. */
function section(name: string): string {
  const parts = new RegExp(`<!-- ${name}: begin[^\n]*-->\n([^]*?)<!-- ${name}: end -->`).exec(page);
  return (parts?.[1] ?? "").trim();
}

test("the table of reasons is the one in reasons.ts", () => {
  const rows = Object.entries(reasons).map(
    ([code, { fate, text: why }]) => `| \`${code}\` | ${fate} | ${why} |`,
  );
  expect(section("reasons")).toBe(["| reason | fate | why |", "|---|---|---|", ...rows].join("\n"));
});

test("the kinds and the frame types are those of the code", () => {
  const kinds = [...page.matchAll(/^\| (\d+) \| (\w+) \|/gm)].map(([, number, name]) => [
    name,
    Number(number),
  ]);
  const named = kinds.filter(([name]) => Object.hasOwn(entryKinds, String(name)));
  expect(Object.fromEntries(named)).toEqual(entryKinds);
  const frames = [...page.matchAll(/^\| (0x\w+) \| (\w+) \|/gm)].map(([, number, name]) => [
    name,
    Number(number),
  ]);
  expect(Object.fromEntries(frames)).toEqual(frameTypes);
});

test.each([
  ["parents", `how many follow, at most ${entryLimits.parentsMost}`],
  ["room", `| room length | at most ${entryLimits.roomBytes} |`],
  ["body", `| body length | at most ${grouped(entryLimits.bodyBytes)} |`],
  ["entry", `An entry has at most ${grouped(entryLimits.entryBytes)} bytes`],
  ["clock", `at most ${logLimits.clockAheadMs / 3_600_000} hours ahead`],
  ["chains", `at most ${logLimits.tipsPerAuthor} an author and ${logLimits.tipsMost} a mesh`],
  ["waiting", `At most ${logLimits.waitingEntries} entries and ${logLimits.waitingBytes / 2 ** 20} MiB wait`],
  ["members", `at most ${membershipLimits.members} active members`],
  ["addresses", `at most ${membershipLimits.addressesPerMember} of \`host:port\``],
  ["address", `each 1 to ${membershipLimits.addressLength} characters`],
  ["frame", `A frame has at most ${syncLimits.frameBytes / 1024} KiB`],
  ["page", `the first ${syncLimits.entriesPerFrame} entries or ${syncLimits.pageBytes / 1024} KiB`],
  ["locator", `tip 32, 1 byte count (at most ${syncLimits.locatorMost})`],
  ["news", `within ${syncLimits.newsMs} ms a \`have\``],
  ["receipts", `within ${syncLimits.receiptMs} ms`],
  ["spared", `in the last ${syncLimits.sparedMs / 1000} s`],
  ["links", `${syncLimits.linksMs} ms after they changed`],
  [
    "rounds",
    `every ${(syncLimits.antiEntropyMs - syncLimits.antiEntropyJitterMs) / 1000} to ${syncLimits.antiEntropyMs / 1000} s`,
  ],
  ["page time", `not there within ${syncLimits.pageMs / 1000} s`],
  ["frames", `${floodLimits.framesPerSecond} frames a second and ${floodLimits.framesBurst} at once`],
  [
    "entries",
    `${floodLimits.entriesPerSecond} unasked entries a second and ${floodLimits.entriesBurst} at once`,
  ],
  [
    "pages",
    `${floodLimits.pagesPerSecond} requests for pages a second and ${floodLimits.pagesBurst} at once`,
  ],
  ["dropped", `After ${grouped(floodLimits.droppedFramesMost)} frames dropped in a row`],
])("the page gives the limit of the code: %s", (_what, sentence) => {
  expect(text).toContain(sentence);
});

test("three empty pages and five minutes are still three and five", () => {
  expect(text).toContain("After three pages in a row without anything new");
  expect(syncLimits.emptyPagesMost).toBe(3);
  expect(text).toContain("not believed for five minutes");
  expect(syncLimits.disbeliefMs).toBe(300_000);
});

function grouped(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, value < 10_000 ? "" : " ");
}
