/** LINKS.md says what the code does: its table of codes, its types of frames and its numbers. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { linkCodes } from "../../src/mesh/link/failures.ts";
import { FrameType } from "../../src/mesh/link/frames.ts";
import { exporterLabel, linkVersion } from "../../src/mesh/link/hello.ts";
import { stopCodes } from "../../src/mesh/transfer/stop-codes.ts";
import {
  inviteLimits,
  peerLinkLimits,
  peerNodeLimits,
  transferLimits,
} from "../../src/protocol/limits.peer.ts";

const page = await Bun.file(join(import.meta.dir, "../../src/mesh/LINKS.md")).text();

test("every code stands there with its meaning, and no other", () => {
  const rows = page.slice(page.indexOf("## Codes")).matchAll(/^\| `([^`]+)` \| (.+) \|$/gm);
  expect(Object.fromEntries([...rows].map(([, code, meaning]) => [code, meaning]))).toEqual({ ...linkCodes });
});

test("every type of frame stands there with its number", () => {
  const rows = [...page.matchAll(/^\| (\d+) \| (\w+) \|/gm)].map(([, type, name]) => [name, Number(type)]);
  const types = Object.entries(FrameType).map(([name, type]) => [name.toLowerCase(), type]);
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(types));
});

test("every way in which a file stops stands there, and no other", () => {
  const [, section = ""] = /<!-- stop codes: begin[^\n]*-->([^]*?)<!-- stop codes: end -->/.exec(page) ?? [];
  const rows = section.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm);
  expect(Object.fromEntries([...rows].map(([, code, meaning]) => [code, meaning]))).toEqual({ ...stopCodes });
});

test("its numbers are the code's", () => {
  for (const sentence of [
    `at most ${peerLinkLimits.strangerFrameBytes / 1024} KiB, type and payload`,
    `afterwards at most ${peerLinkLimits.frameBytes / 1024 / 1024} MiB`,
    `pinged every ${peerLinkLimits.pingMs / 1000} s`,
    `dead after ${peerLinkLimits.silenceMs / 1000} s of silence`,
    `there are ${peerLinkLimits.handshakeMs / 1000} s`,
    `one key and ${inviteLimits.lifeMs / 3_600_000} hours`,
    `- \`version\`: ${linkVersion}.`,
    `\`${exporterLabel}\``,
    `1 to ${transferLimits.chunkBytes} bytes of the file`,
    `At most ${transferLimits.windowBytes} bytes may be under way`,
    `at most ${transferLimits.pendingPerPeer} offers and unfinished files of one peer, and sees at most ${transferLimits.offersPerMinute} new ones a minute`,
  ]) {
    expect(page.replaceAll(/\s+/g, " ")).toContain(sentence);
  }
  expect(peerNodeLimits.youngMs).toBe(10 * 60_000); // "less than ten minutes old"
});
