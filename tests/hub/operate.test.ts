/** What operators may do, to whom, on which server, and that nobody else may. */
import { expect, test } from "bun:test";
import type { TestClient } from "./support/edge.ts";
import { World } from "./support/world.ts";
import type { Site } from "./support/world.ts";

const secret = "the operators' secret";
const operator = { type: "operator", secret };

/** Two servers that follow the bans, and an operator on the first. */
async function scene(): Promise<{ world: World; one: Site; two: Site; ops: TestClient }> {
  const world = new World({}, secret);
  const [one, two] = [world.site(), world.site()];
  // A hub follows the bans in the turn after its start.
  await Promise.resolve();
  world.settle();
  const ops = world.person(one, "ops", "lobby");
  expect(world.ask(ops, { ...operator, id: "o" })).toEqual([{ type: "operator", id: "o" }]);
  return { world, one, two, ops };
}

/** Somebody in the lobby from an address of their own. */
function guest(world: World, site: Site, nick: string, address: string): TestClient {
  const client = site.edge.open(address);
  world.ask(client, { type: "hello", version: 1, nick }, { type: "join", room: "lobby" });
  return client;
}

const kinds = (client: TestClient): string[] => client.heard().map(({ type }) => type);

test("nobody may without the secret, and nobody at all on a server that has none", async () => {
  const { world, one } = await scene();
  const eve = world.person(one, "eve", "lobby");
  for (const request of [
    { type: "kick", nick: "ops" },
    { type: "ban", who: "192.0.2.99" },
    { type: "unban", address: "192.0.2.99" },
    { type: "bans" },
    { ...operator, secret: "not the operators' secret" },
  ]) {
    expect(world.ask(eve, request)).toMatchObject([{ type: "error", code: "forbidden" }]);
  }
  expect(world.logged.filter((line) => line.includes("wrong operators' secret"))).toHaveLength(1);
  expect(world.logged.join()).not.toContain("not the operators' secret");
  const other = new World();
  const ben = other.person(other.site(), "ben");
  expect(other.ask(ben, operator)).toMatchObject([
    { code: "forbidden", message: expect.stringContaining("has no operators") },
  ]);
});

test("the third wrong secret of a connection ends it, and counts for no other", async () => {
  const { world, one } = await scene();
  const wrong = { type: "operator", secret: "one wrong secret after another" };
  const eve = world.person(one, "eve");
  expect(world.ask(eve, wrong, wrong)).toMatchObject([{ code: "forbidden" }, { code: "forbidden" }]);
  expect(world.ask(eve, wrong, operator)).toMatchObject([{ code: "kicked" }]);
  expect(eve.closed).toBe("kicked");
  const again = world.person(one, "eve");
  expect(world.ask(again, operator)).toEqual([{ type: "operator" }]);
});

test("no more bans than every server can be asked to keep, by nick or by address; what is over makes room", async () => {
  const { world, one, ops } = await scene();
  const eve = guest(world, one, "eve", "198.51.100.9:1");
  for (let at = 0; at < 1_000; at += 1) {
    world.clock.advance(1_000);
    const who = `203.${at >> 8}.${at & 255}.1`;
    expect(world.ask(ops, { type: "ban", who, seconds: 100_000 })).toContainEqual({
      type: "ban",
      who: `${who}/32`,
    });
  }
  for (const who of ["198.51.100.8", "eve"]) {
    expect(world.ask(ops, { type: "ban", who })).toMatchObject([{ code: "not-banned", value: "1000" }]);
  }
  expect(eve.closed).toBeUndefined();
  expect(world.ask(ops, { type: "ban", who: "203.0.0.1" })).toContainEqual({
    type: "ban",
    who: "203.0.0.1/32",
  });
  world.clock.advance(100_000_000);
  expect(world.ask(ops, { type: "ban", who: "eve" })).toContainEqual({ type: "ban", who: "eve" });
  expect(eve.closed).toBe("banned");
});

test("kick ends a session on another server, with the reason; its room hears of it, and it may come back", async () => {
  const { world, two, ops } = await scene();
  const eve = guest(world, two, "Eve", "198.51.100.1:5000");
  ops.heard();
  eve.heard();
  const heard = world.ask(ops, { type: "kick", id: "k", nick: "eve", reason: "enough" });
  expect(heard).toMatchObject([
    { type: "kick", id: "k", nick: "Eve" },
    { type: "presence", nick: "Eve", state: "leave" },
  ]);
  expect(eve.heard()).toEqual([
    { type: "error", code: "kicked", message: "an operator ended the session: enough" },
  ]);
  expect(eve.closed).toBe("kicked");
  expect(guest(world, two, "eve", "198.51.100.1:5001").closed).toBeUndefined();
  ops.heard();
  expect(world.ask(ops, { type: "kick", nick: "nobody" })).toMatchObject([
    { type: "error", code: "no-such-nick", value: "nobody" },
  ]);
});

test("kick ends a session that waits for its connection to come back", async () => {
  const { world, one, two, ops } = await scene();
  for (const site of [one, two]) {
    const eve = guest(world, site, "eve", "198.51.100.1:5000");
    eve.close("failed");
    world.settle();
    ops.heard();
    expect(world.ask(ops, { type: "kick", nick: "eve" })).toMatchObject([
      { type: "kick" },
      { type: "presence", nick: "eve", state: "leave" },
    ]);
  }
});

test("a ban puts out whoever comes from there, on all servers, and lets nobody in until it is lifted", async () => {
  const { world, one, two, ops } = await scene();
  const near = guest(world, one, "near", "203.0.113.7:1");
  const far = guest(world, two, "far", "203.0.113.200:1");
  const other = guest(world, two, "other", "203.0.114.1:1");
  const answer = world.ask(ops, { type: "ban", id: "b", who: "203.0.113.0/24", reason: "spam" });
  expect(answer).toContainEqual({ type: "ban", id: "b", who: "203.0.113.0/24" });
  for (const client of [near, far]) {
    expect(client.closed).toBe("banned");
    expect(client.heard().at(-1)).toEqual({
      type: "error",
      code: "banned",
      message: "an operator refuses connections from your address: spam",
    });
  }
  expect(other.closed).toBeUndefined();
  const again = two.edge.open("[::ffff:203.0.113.9]:1");
  expect(world.ask(again, { type: "hello", version: 1, nick: "again" })).toMatchObject([{ code: "banned" }]);
  expect(again.closed).toBe("banned");
  ops.heard();
  expect(world.ask(ops, { type: "bans" })).toEqual([
    { type: "bans", bans: [{ address: "203.0.113.0/24", by: "ops", at: world.clock.now(), reason: "spam" }] },
  ]);
  expect(world.ask(ops, { type: "unban", address: "203.0.113.0/24" })).toEqual([
    { type: "unban", address: "203.0.113.0/24" },
  ]);
  expect(guest(world, one, "near", "203.0.113.7:2").closed).toBeUndefined();
  ops.heard();
  expect(world.ask(ops, { type: "bans" })).toEqual([{ type: "bans", bans: [] }]);
  expect(world.ask(ops, { type: "unban", address: "203.0.113.0/24" })).toMatchObject([
    { code: "no-such-ban" },
  ]);
});

test("a nick is banned by the address that its own server knows, for a time", async () => {
  const { world, two, ops } = await scene();
  const eve = guest(world, two, "eve", "[2001:db8:1:2::3]:5000");
  const answer = world.ask(ops, { type: "ban", who: "eve", seconds: 60 });
  expect(answer).toContainEqual({ type: "ban", who: "eve" });
  expect(eve.closed).toBe("banned");
  const refused = two.edge.open("[2001:db8:1:2:ffff::1]:1");
  expect(world.ask(refused, { type: "hello", version: 1, nick: "eve" })).toMatchObject([
    { code: "banned", value: "1970-01-01 00:17 UTC" },
  ]);
  world.clock.advance(60_000);
  expect(guest(world, two, "eve", "[2001:db8:1:2:ffff::1]:2").closed).toBeUndefined();
  ops.heard();
  expect(world.ask(ops, { type: "bans" })).toEqual([{ type: "bans", bans: [] }]);
});

test("an operator does not ban themselves, nor half of the world", async () => {
  const { world, one, two, ops } = await scene();
  const neighbour = guest(world, two, "neighbour", "192.0.2.1:7");
  ops.heard();
  for (const who of ["1.2.3.4/33", "192.0.2.1", "192.0.2.0/24", "198.51.0.0/7", "2001::/15"]) {
    expect(world.ask(ops, { type: "ban", who })).toMatchObject([{ code: "not-banned" }]);
  }
  // Behind the same address: put out, and no more.
  world.ask(ops, { type: "ban", who: "neighbour" });
  expect(neighbour.closed).toBe("kicked");
  expect(guest(world, one, "neighbour", "192.0.2.1:8").closed).toBeUndefined();
});

test("an operator is one still after a hand-over, and a banned session is not taken over", async () => {
  const { world, one, two, ops } = await scene();
  const eve = guest(world, one, "eve", "203.0.113.7:1");
  const handover = eve.handover();
  const moved = two.edge.resume(ops.handover());
  world.settle();
  moved.heard();
  expect(world.ask(moved, { type: "ban", who: "203.0.113.7" })).toContainEqual({
    type: "ban",
    who: "203.0.113.7/32",
  });
  expect(eve.closed).toBe("banned");
  const late = two.edge.resume(handover);
  world.settle();
  expect(late.closed).toBeDefined();
  expect(kinds(late)).toContain("error");
});

test("bans outlive every server", async () => {
  const { world, ops } = await scene();
  world.ask(ops, { type: "ban", who: "203.0.113.7" });
  const three = world.site();
  await Promise.resolve();
  world.settle();
  const late = three.edge.open("203.0.113.7:9");
  expect(world.ask(late, { type: "hello", version: 1, nick: "late" })).toMatchObject([{ code: "banned" }]);
});
