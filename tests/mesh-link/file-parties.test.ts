// Whom a file can be sent to: those with a link of their own, and nobody through others.
import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { doFileObject } from "../../src/modes/files/objects.ts";
import { fileParties } from "../../src/modes/peer/file-parties.ts";
import { english } from "../../src/tui/language/english.ts";
import { startPeer } from "./peers.ts";
import { Cleanup, until } from "./support.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

test("through ben is no way for a file, and that is said; to ben himself it is", async () => {
  const ben = await startPeer(cleanup, { nick: "ben" });
  // Nobody can dial these two.
  const ana = await startPeer(cleanup, { nick: "ana", announce: [], connect: [ben] });
  const cyn = await startPeer(cleanup, { nick: "cyn", announce: [], connect: [ben] });
  const seenBy = (nick: string) => ana.node.peers().find((peer) => peer.nick === nick)?.presence;
  await until(() => seenBy("ben") === "linked" && seenBy("cyn") === "via", "ana sees cyn through ben");
  const path = join(cleanup.directory(), "plan.txt");
  writeFileSync(path, "north");
  const parties = fileParties(ana.node, english);
  expect(parties.reachable()).toEqual([ben.id]);

  const offer = (to: string) => doFileObject(parties, { type: "file-offer", to, path });
  expect(offer("cyn")).toMatchObject({ ok: false, code: "no-link" });
  expect(offer("ana")).toMatchObject({ ok: false, code: "no-link" });
  expect(offer("nobody")).toMatchObject({ ok: false, code: "no-such-nick" });
  expect(doFileObject(parties, { type: "file-accept", number: 7 })).toMatchObject({
    ok: false,
    code: "no-such-transfer",
  });
  expect(doFileObject(parties, { type: "file-offer", to: "ben" })).toMatchObject({
    ok: false,
    code: "bad-request",
  });
  expect(doFileObject(parties, { type: "history", room: "lobby" })).toBeUndefined();

  expect(offer("ben")).toMatchObject({ ok: true });
  await until(() => ben.of("transfer").at(-1)?.transfer.state === "offered", "ben is offered it");
  expect(cyn.of("transfer")).toEqual([]);
  // Whoever is put out is sent nothing more.
  expect(ben.node.remove(ana.id).ok).toBe(true);
  await until(() => ben.of("transfer").at(-1)?.transfer.state === "stopped", "the offer is over");
});
