// How people who have never met come together: by address, by invite, and all the ways in which that must fail.
import { afterEach, describe, expect, test } from "bun:test";
import { parseInvite } from "../../src/mesh/pairing/invite.ts";
import { inviteLimits, peerNodeLimits } from "../../src/protocol/limits.peer.ts";
import { systemClock, type Clock } from "../../src/protocol/clock.ts";
import { startPeer, type TestPeer } from "./peers.ts";
import { Cleanup, until } from "./support.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const meshOf = (peer: TestPeer): string => Buffer.from(peer.node.core.meshId).toString("hex");

/** All linked to all, in one mesh. */
async function together(...peers: TestPeer[]): Promise<void> {
  await until(
    () => peers.every((peer) => peer.linked.length === peers.length - 1),
    "everybody is linked to everybody",
  );
  expect(new Set(peers.map(meshOf)).size).toBe(1);
}

/** Two pairs that do not know of each other. */
async function twoMeshes(clock: Clock): Promise<[TestPeer, TestPeer, TestPeer, TestPeer]> {
  const [ana, eva] = [await startPeer(cleanup, { clock }), await startPeer(cleanup, { clock })];
  const ben = await startPeer(cleanup, { clock, connect: [ana] });
  const fin = await startPeer(cleanup, { clock, connect: [eva] });
  await together(ana, ben);
  await together(eva, fin);
  return [ana, ben, eva, fin];
}

/** The code of the last failure that a peer met when dialling. */
function dialFailure(peer: TestPeer): string | undefined {
  return peer.node.why().attempts.findLast(({ lastFailure }) => lastFailure !== undefined)?.lastFailure?.code;
}

describe("by an address alone", () => {
  test("two peers chat at once", async () => {
    const ana = await startPeer(cleanup, { nick: "ana" });
    const ben = await startPeer(cleanup, { nick: "ben", connect: [ana] });
    ben.say("hello");
    await until(() => ana.transcript().length === 1, "ana reads it");
    ana.say("hi ben");
    await until(() => ben.transcript().length === 2, "ben reads the answer");
    expect(ana.transcript()).toEqual(["ben: hello", "ana: hi ben"]);
    expect(ben.transcript()).toEqual(ana.transcript());
    expect(ana.of("admitted")).toEqual([{ type: "admitted", peerId: ben.id, learned: "first-use" }]);
    expect(ben.node.peers().find(({ peerId }) => peerId === ana.id)).toMatchObject({
      presence: "linked",
      path: "local",
      known: { learned: "first-use", verifiedAt: undefined },
    });
  });

  test("what was written while alone is not lost", async () => {
    const ana = await startPeer(cleanup, { nick: "ana" });
    const late = await startPeer(cleanup, { nick: "ben" });
    late.say("anybody here?");
    late.node.connect(ana.address);
    await until(() => ana.transcript().length === 1, "ana reads it");
    expect(ana.transcript()).toEqual(["ben: anybody here?"]);
  });

  test("a third comes by any of the two and knows all", async () => {
    const ana = await startPeer(cleanup);
    const ben = await startPeer(cleanup, { connect: [ana] });
    await together(ana, ben);
    const eva = await startPeer(cleanup, { connect: [ben] });
    await together(ana, ben, eva);
  });

  test("two who dial each other at the same moment end in one mesh, with one link", async () => {
    for (let round = 0; round < 5; round += 1) {
      const ana = await startPeer(cleanup);
      const ben = await startPeer(cleanup, { connect: [ana] });
      ana.node.connect(ben.address);
      await together(ana, ben);
      ana.say("one");
      ben.say("two");
      await until(
        () => ana.transcript().length === 2 && ben.transcript().length === 2,
        "both messages are everywhere",
      );
    }
  });

  test("five who all dial each other at the same moment end in one mesh", async () => {
    const peers: TestPeer[] = [];
    for (let n = 0; n < 5; n += 1) peers.push(await startPeer(cleanup));
    for (const one of peers) for (const other of peers) if (one !== other) one.node.connect(other.address);
    for (const [n, peer] of peers.entries()) peer.say(`from ${n}`);
    await together(...peers);
    await until(() => peers.every((peer) => peer.transcript().length === 5), "all messages are everywhere");
    for (const peer of peers) expect(peer.node.core.order()).toEqual(peers[0]!.node.core.order());
  });

  test("an unreachable address is told once, tried again, and works when the peer appears", async () => {
    const gone = await startPeer(cleanup);
    const { port } = gone.address;
    await gone.stop();
    const ben = await startPeer(cleanup, { connect: [{ host: "127.0.0.1", port }] });
    await until(() => ben.of("dial-failed").length === 1, "the failure is told");
    expect(ben.of("dial-failed")[0]?.failure.code).toBe("refused");
    const ana = await startPeer(cleanup, { port });
    await together(ana, ben);
    expect(ben.of("dial-failed")).toHaveLength(1);
    expect(ben.node.why().attempts.find(({ target }) => target.from === "typed")?.failures).toBe(0);
  });

  test("two young meshes become one, and nobody's words are lost", async () => {
    const peers = await twoMeshes(systemClock);
    for (const [n, peer] of peers.entries()) peer.say(`from ${n}`);
    peers[3].node.connect(peers[0].address);
    await together(...peers);
    await until(() => peers.every((peer) => peer.transcript().length === 4), "all messages are everywhere");
    for (const peer of peers) expect(peer.node.core.order()).toEqual(peers[0].node.core.order());
  });

  test("two meshes that are not young stay apart, and say so", async () => {
    let later = 0;
    const [ana, , eva, fin] = await twoMeshes({ ...systemClock, now: () => Date.now() + later });
    later = peerNodeLimits.youngMs;
    const before = meshOf(fin);
    fin.node.connect(ana.address);
    await until(() => fin.of("dial-failed").length > 0, "the refusal is told");
    expect(fin.of("dial-failed")[0]?.failure.code).toBe("different-mesh");
    expect([meshOf(fin), meshOf(eva)]).toEqual([before, before]);
    await until(() => ana.of("turned-away").length > 0, "ana notices");
    expect(ana.of("turned-away").at(-1)?.failure.code).toBe("different-mesh");
  });

  test("a closed mesh lets nobody in without an invite", async () => {
    const ana = await startPeer(cleanup, { inviteOnly: true });
    const ben = await startPeer(cleanup, { connect: [ana] });
    await until(() => ben.of("dial-failed").length > 0, "the refusal is told");
    expect(ben.of("dial-failed")[0]?.failure.code).toBe("not-invited");
    expect(ana.node.core.members()).toHaveLength(1);
  });

  test("oneself is recognised and left alone", async () => {
    const ana = await startPeer(cleanup);
    ana.node.connect(ana.address);
    await until(() => ana.of("dial-failed").length > 0, "it is told");
    expect(ana.of("dial-failed")[0]?.failure.code).toBe("own-key");
  });
});

describe("a remembered address", () => {
  test("with another key is refused loudly, and nothing is joined", async () => {
    const ana = await startPeer(cleanup);
    const ben = await startPeer(cleanup, { connect: [ana] });
    await together(ana, ben);
    const { port } = ana.address;
    await ana.stop();
    await ben.stop();
    const impostor = await startPeer(cleanup, { port });
    const again = await startPeer(cleanup, {
      directory: ben.directory,
      connect: [{ host: "127.0.0.1", port }],
    });
    await until(() => again.of("key-changed").length > 0, "the change is told");
    expect(again.of("key-changed")[0]).toMatchObject({ known: ana.id, found: impostor.id });
    expect(again.linked).toEqual([]);
    expect(impostor.node.core.members()).toHaveLength(1);
    expect(dialFailure(again)).toBe("changed-key");
  });
});

describe("by an invite", () => {
  test("the host's key is known before the first byte, and neither side is unverified by surprise", async () => {
    const ana = await startPeer(cleanup, { inviteOnly: true });
    const ben = await startPeer(cleanup, { invite: parseInvite(ana.node.invite()) });
    await together(ana, ben);
    expect(ana.of("admitted")).toEqual([{ type: "admitted", peerId: ben.id, learned: "invite" }]);
    const known = () => ben.node.peers().find(({ peerId }) => peerId === ana.id)?.known;
    await until(() => known() !== undefined, "ben has the log");
    expect(known()?.learned).toBe("invite");
  });

  test("lets in one key, once", async () => {
    const ana = await startPeer(cleanup, { inviteOnly: true });
    const invite = parseInvite(ana.node.invite());
    const ben = await startPeer(cleanup, { invite });
    await together(ana, ben);
    const eva = await startPeer(cleanup, { invite });
    await until(() => eva.of("dial-failed").length > 0, "the refusal is told");
    expect(eva.of("dial-failed")[0]?.failure.code).toBe("invite-used");
    expect(ana.node.core.members()).toHaveLength(2);
  });

  test("is still used up after the host was restarted", async () => {
    const ana = await startPeer(cleanup, { inviteOnly: true });
    const invite = parseInvite(ana.node.invite());
    const ben = await startPeer(cleanup, { invite });
    await together(ana, ben);
    await ana.stop();
    await startPeer(cleanup, { directory: ana.directory, inviteOnly: true, port: invite.addresses[0]!.port });
    const eva = await startPeer(cleanup, { invite });
    await until(() => dialFailure(eva) === "invite-used", "the invite is refused");
  });

  test("runs out", async () => {
    let now = Date.now();
    const clock = { ...systemClock, now: () => now };
    const ana = await startPeer(cleanup, { inviteOnly: true, clock });
    const invite = parseInvite(ana.node.invite());
    now += inviteLimits.lifeMs + 1_000;
    const ben = await startPeer(cleanup, { invite });
    await until(() => dialFailure(ben) === "invite-expired", "the invite is refused");
  });

  test("that nobody made is refused", async () => {
    const ana = await startPeer(cleanup);
    const invite = { ...parseInvite(ana.node.invite()), token: new Uint8Array(16) };
    const ben = await startPeer(cleanup, { invite });
    await until(() => dialFailure(ben) === "invite-unknown", "the invite is refused");
    expect(ana.node.core.members()).toHaveLength(1);
  });

  test("never reveals its token to another key at the address", async () => {
    const ana = await startPeer(cleanup);
    const impostor = await startPeer(cleanup);
    const invite = { ...parseInvite(ana.node.invite()), addresses: [impostor.address] };
    const ben = await startPeer(cleanup, { invite });
    await until(() => dialFailure(ben) === "other-key", "the impostor is recognised");
    expect(impostor.node.core.members()).toHaveLength(1);
    const eva = await startPeer(cleanup, { invite: { ...invite, addresses: [ana.address] } });
    await together(ana, eva);
  });

  test("into another mesh leaves the present one as it is, on disk", async () => {
    const ana = await startPeer(cleanup);
    const ben = await startPeer(cleanup, { connect: [ana] });
    await together(ana, ben);
    const first = meshOf(ben);
    ben.say("kept");
    await until(() => ben.transcript().length === 1, "it is in the log");
    await ben.stop();
    const eva = await startPeer(cleanup, { inviteOnly: true });
    const moved = await startPeer(cleanup, {
      directory: ben.directory,
      invite: parseInvite(eva.node.invite()),
    });
    await together(eva, moved);
    expect(meshOf(moved)).toBe(meshOf(eva));
    expect(moved.transcript()).toEqual([]);
    await moved.stop();
    const back = await startPeer(cleanup, {
      directory: ben.directory,
      invite: { ...parseInvite(ana.node.invite()), peerId: ana.id },
    });
    expect(meshOf(back)).toBe(first);
    await together(ana, back);
    expect(back.transcript()).toHaveLength(1);
  });
});

describe("afterwards", () => {
  test("what could not be written before the end is written at the next start", async () => {
    const ana = await startPeer(cleanup);
    const ben = await startPeer(cleanup, { connect: [ana] });
    await until(() => ben.of("mesh").length > 0, "ben is let in, with no log yet");
    ben.say("just in time");
    await ben.stop();
    await startPeer(cleanup, { directory: ben.directory });
    await until(() => ana.transcript().length === 1, "ana reads it");
  });

  test("both are found again after a restart, whoever starts first, without being named", async () => {
    const ana = await startPeer(cleanup);
    const ben = await startPeer(cleanup, { connect: [ana] });
    await together(ana, ben);
    const [anaPort, benPort] = [ana.address.port, ben.address.port];
    await ana.stop();
    await ben.stop();
    const again = await startPeer(cleanup, { directory: ana.directory, port: anaPort });
    const benAgain = await startPeer(cleanup, { directory: ben.directory, port: benPort });
    await together(again, benAgain);
  });

  test("a removed member is out, cannot come back, and the others can", async () => {
    const ana = await startPeer(cleanup);
    const ben = await startPeer(cleanup, { connect: [ana] });
    const eva = await startPeer(cleanup, { connect: [ana] });
    await together(ana, ben, eva);
    expect(ana.node.remove(eva.id)).toEqual({ ok: true });
    await until(() => eva.linked.length === 0, "eva is out everywhere");
    await together(ana, ben);
    ana.say("without eva");
    await until(() => ben.transcript().length === 1, "ben reads it");
    eva.node.connect(ben.address);
    await until(
      () => eva.of("dial-failed").some(({ failure }) => failure.code === "removed"),
      "eva is refused by ben",
    );
    expect(eva.transcript()).toEqual([]);
    await ben.stop();
    const again = await startPeer(cleanup, { directory: ben.directory, connect: [ana] });
    await together(ana, again);
  });

  test("one data directory serves one process", async () => {
    const ana = await startPeer(cleanup);
    expect(startPeer(cleanup, { directory: ana.directory })).rejects.toThrow(
      "another rtchat peer is running with",
    );
  });
});
