// What a link lets others see, and how it notices that it is dead.
import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { publicKeyOf } from "../../src/identity/peer-id.ts";
import { peerLinkLimits } from "../../src/protocol/limits.peer.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { startPeer } from "./peers.ts";
import { Proxy } from "./proxy.ts";
import { Cleanup, until } from "./support.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

/** Whether any of the needles is in the bytes, as UTF-8, UTF-16, hex or base64. */
function findIn(bytes: Buffer, needles: readonly (string | Uint8Array)[]): string[] {
  return needles.flatMap((needle) => {
    const raw = Buffer.from(needle);
    const utf16 = typeof needle === "string" ? [Buffer.from(needle, "utf16le")] : [];
    const forms = [raw, ...utf16, Buffer.from(raw.toString("hex")), Buffer.from(raw.toString("base64url"))];
    return forms.some((form) => bytes.includes(form)) ? [raw.toString("hex")] : [];
  });
}

test("nothing of texts, names, rooms, keys or the mesh crosses a link in clear", async () => {
  const ana = await startPeer(cleanup, { nick: "anabel-the-first" });
  const proxy = new Proxy(cleanup, ana.address);
  const ben = await startPeer(cleanup, { nick: "benedict-the-second", connect: [proxy.address] });
  ben.say("the treasure is under the old oak", "secret-garden");
  ana.say("bring a spade at midnight", "secret-garden");
  await until(() => ana.transcript("secret-garden").length === 2, "both read both");
  await until(() => ben.transcript("secret-garden").length === 2, "both read both");
  const direct = ben.node.publish({ kind: "direct", to: ana.id, text: "between us: forty-two" });
  expect(direct.ok).toBe(true);
  await until(
    () => ana.node.core.timeline({ direct: ben.id }, 10).length === 1,
    "ana reads the direct message",
  );

  const path = join(cleanup.directory(), "map-of-the-island.txt");
  writeFileSync(path, "the chest lies six paces north ".repeat(5_000));
  ana.node.transfers.exchange.offer(ben.id, path);
  await until(() => ben.of("transfer").at(-1)?.transfer.state === "offered", "ben is offered the file");
  ben.node.transfers.exchange.accept(1);
  await until(() => ben.of("transfer").at(-1)?.transfer.state === "done", "ben has the file");

  const needles = [
    "six paces north",
    "map-of-the-island",
    "the treasure is under the old oak",
    "bring a spade",
    "forty-two",
    "secret-garden",
    "anabel-the-first",
    "benedict-the-second",
    ana.id,
    ben.id,
    publicKeyOf(ana.id),
    publicKeyOf(ben.id),
    ana.node.core.meshId,
    ...ana.node.secrets(),
  ];
  const seen = Buffer.concat(proxy.seen);
  expect(seen.length).toBeGreaterThan(150_000);
  expect(findIn(seen, needles)).toEqual([]);
  // The search itself finds what is there.
  expect(findIn(Buffer.from(`GET /${ana.id} the treasure is under the old oak`), needles)).toHaveLength(2);
});

test("a link that breaks comes back by itself, and what was written meanwhile arrives", async () => {
  const ana = await startPeer(cleanup, { announce: [] });
  const proxy = new Proxy(cleanup, ana.address);
  const ben = await startPeer(cleanup, { announce: [], connect: [proxy.address] });
  await until(() => ben.linked.length === 1 && ana.linked.length === 1, "they are linked");
  for (let round = 0; round < 3; round += 1) {
    proxy.cut();
    await until(() => ben.of("unlinked").length === round + 1, "the break is seen");
    ana.say(`from ana ${round}`);
    ben.say(`from ben ${round}`);
    await until(() => ana.transcript().length === 2 * round + 2, "ana has both");
    await until(() => ben.transcript().length === 2 * round + 2, "ben has both");
  }
  expect(ana.transcript()).toEqual(ben.transcript());
});

test("a link that is alive only in appearance is noticed on both sides", async () => {
  const clock = new ManualClock();
  let speed = 1;
  const heart = setInterval(() => clock.advance(5 * speed), 5);
  cleanup.add(() => clearInterval(heart));
  const ana = await startPeer(cleanup, { clock });
  const proxy = new Proxy(cleanup, ana.address);
  const ben = await startPeer(cleanup, { clock, announce: [], connect: [proxy.address] });
  await until(() => ben.linked.length === 1 && ana.linked.length === 1, "they are linked");
  await until(() => ben.node.core.members().length === 2, "ben has the log");
  const frozenAt = clock.monotonic();
  proxy.isFrozen = true;
  speed = 50;
  await until(() => ben.of("unlinked").length === 1 && ana.of("unlinked").length === 1, "both notice");
  expect([ben.of("unlinked")[0]?.failure.code, ana.of("unlinked")[0]?.failure.code]).toContain("silence");
  const elapsed = clock.monotonic() - frozenAt;
  expect(elapsed).toBeGreaterThan(peerLinkLimits.silenceMs - peerLinkLimits.pingMs);
  expect(elapsed).toBeLessThan(peerLinkLimits.silenceMs + 3 * peerLinkLimits.pingMs);
  speed = 1;
  proxy.isFrozen = false;
  await until(() => ben.linked.length === 1 && ana.linked.length === 1, "they are linked again");
});

test("the round trip is measured", async () => {
  const ana = await startPeer(cleanup);
  const ben = await startPeer(cleanup, { connect: [ana] });
  const roundTrip = () => ben.node.peers().find(({ peerId }) => peerId === ana.id)?.roundTripMs;
  await until(() => roundTrip() !== undefined, "a ping is answered");
  expect(roundTrip()).toBeGreaterThan(0);
  expect(roundTrip()).toBeLessThan(5_000);
});
