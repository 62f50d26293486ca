// Who was put out of a mesh is told so, and that nobody gets what they write; and nobody else is.
import { afterEach, expect, test } from "bun:test";
import { MeshBackend } from "../../src/modes/peer/backend.ts";
import type { Clock } from "../../src/protocol/clock.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { peerNodeLimits } from "../../src/protocol/limits.peer.ts";
import { english } from "../../src/tui/language/english.ts";
import { spanish } from "../../src/tui/language/spanish.ts";
import type { Words } from "../../src/tui/language/words.ts";
import { startPeer, type PeerOptions, type TestPeer } from "./peers.ts";
import { Cleanup, until } from "./support.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

/** A peer with the backend that its screen would have, and what that told. */
async function sit(options: PeerOptions, words: Words = english) {
  const told: string[] = [];
  let backend: MeshBackend | undefined = undefined;
  const peer: TestPeer = await startPeer(cleanup, { ...options, hear: (event) => backend?.hear(event) });
  backend = new MeshBackend({
    node: peer.node,
    clock: systemClock,
    nick: options.nick ?? "guest",
    seeking: undefined,
    untilHeld: false,
    defaultPort: 5_002,
    words,
  });
  backend.on((event) => {
    if (event.kind === "told") told.push(...event.lines);
  });
  backend.join("lobby");
  backend.connect();
  return { peer, backend, told };
}

test("who removes somebody is not told that they are out, and who is removed is, once and plainly", async () => {
  const ana = await sit({ nick: "ana" });
  const ben = await sit({ nick: "ben", connect: [ana.peer] }, spanish);
  await until(() => ben.peer.node.peers().some(({ nick }) => nick === "ana"), "ben has the log");
  ben.peer.say("before");
  await until(() => ana.peer.transcript().length === 1, "ana has it");
  expect(ben.backend.outage).toBeUndefined();

  expect(ana.peer.node.remove(ben.peer.id).ok).toBe(true);
  await until(() => ben.backend.outage !== undefined, "ben knows");
  await until(() => ana.peer.of("unlinked").length > 0, "ana has closed the link");
  await Bun.sleep(20);
  expect(ana.told.filter((line) => line.includes("put out"))).toEqual([]);
  expect(ana.backend.outage).toBeUndefined();
  expect(ben.told.filter((line) => line === spanish.peers.youRemoved("ana"))).toHaveLength(1);
  // What is written now is not shown as ordinary, and says why in the person's language.
  expect(ben.backend.send("lobby", "does anybody hear me?")).toMatchObject({
    ok: false,
    code: "removed-member",
    message: spanish.peers.reachesNobody,
  });
  expect(ben.peer.transcript()).toEqual(["ben: before"]);
});

test("who was removed stays in that mesh, with all that was said there, however long they wait", async () => {
  let later = 0;
  const clock: Clock = {
    now: () => systemClock.now() + later,
    monotonic: () => systemClock.monotonic() + later,
    after: (ms, run) => systemClock.after(ms, run),
    every: (ms, run) => systemClock.every(ms, run),
  };
  const ana = await sit({ nick: "ana" });
  const ben = await sit({ nick: "ben", connect: [ana.peer], clock });
  await until(() => ben.peer.node.peers().some(({ nick }) => nick === "ana"), "ben has the log");
  ana.peer.say("remember this");
  await until(() => ben.peer.transcript().length === 1, "ben has it");
  expect(ana.peer.node.remove(ben.peer.id).ok).toBe(true);
  await until(() => ben.backend.outage !== undefined, "ben knows");
  // A guest who waits in vain for the log of who let them in begins a mesh of their own after this.
  later = 10 * peerNodeLimits.logWaitMs;
  await Bun.sleep(4 * peerNodeLimits.tickMs);
  expect(ben.peer.of("mesh").map(({ how }) => how)).toEqual(["joined"]);
  expect(ben.peer.transcript()).toEqual(["ana: remember this"]);
  expect(ben.backend.outage).toBe(english.peers.out);
});

test("who was removed while away hears it from whoever they reach, with how much of theirs nobody has", async () => {
  const ana = await sit({ nick: "ana" });
  const directory = cleanup.directory();
  const before = await sit({ nick: "ben", connect: [ana.peer], directory });
  await until(() => before.peer.node.peers().some(({ nick }) => nick === "ana"), "ben has the log");
  await before.peer.stop();
  expect(ana.peer.node.remove(before.peer.id).ok).toBe(true);

  const ben = await sit({ nick: "ben", directory });
  expect(ben.backend.send("lobby", "one").ok).toBe(true);
  expect(ben.backend.send("lobby", "two").ok).toBe(true);
  await until(() => ben.backend.outage !== undefined, "ana's refusal is told");
  expect(ben.told).toContain(english.peers.saidRemoved("ana"));
  expect(ben.told).toContain(english.peers.unread(2));
  expect(ben.backend.send("lobby", "three")).toMatchObject({ ok: false, code: "removed-member" });
  expect(ana.peer.transcript()).toEqual([]);
});

test("one member's word does not silence somebody whom others take", async () => {
  const ana = await sit({ nick: "ana" });
  const ben = await sit({ nick: "ben", connect: [ana.peer] });
  await until(() => ben.peer.node.peers().some(({ nick }) => nick === "ana"), "ben has the log");
  ben.backend.hear({ type: "shut-out", peerId: ana.peer.id });
  expect(ben.told).toContain(english.peers.saidRemoved("ana"));
  // Linked with somebody: what is written goes there.
  expect(ben.backend.outage).toBeUndefined();
  expect(ben.backend.send("lobby", "still here").ok).toBe(true);
  await until(() => ana.peer.transcript().includes("ben: still here"), "ana has it");
});

test("who is out makes no invites", async () => {
  const ana = await sit({ nick: "ana" });
  const ben = await sit({ nick: "ben", connect: [ana.peer] });
  await until(() => ben.peer.node.peers().some(({ nick }) => nick === "ana"), "ben has the log");
  expect(ben.backend.wayIn()).toEqual([english.peers.letIn, expect.stringContaining("rtchat://")]);
  expect(ana.peer.node.remove(ben.peer.id).ok).toBe(true);
  await until(() => ben.backend.outage !== undefined, "ben knows");
  expect(ben.backend.wayIn()).toEqual([english.peers.youRemoved("ana")]);
});
