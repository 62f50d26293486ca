/** Rooms as edges see them: groups, the cache, lost continuity, and how long a room stays. */
import { describe, expect, test } from "bun:test";
import { defaultHubLimits } from "../../src/hub/options.ts";
import { RecentMessages } from "../../src/hub/recent.ts";
import { hash32, Roster } from "../../src/hub/roster.ts";
import { seededRandom } from "../../src/protocol/clock.ts";
import { deliveriesOf } from "../../src/protocol/deliveries.ts";
import { edgeLimits } from "../../src/protocol/limits.ts";
import { INBOX } from "../../src/protocol/messages.ts";
import type { ServerMessage } from "../../src/protocol/messages.ts";
import { TestEdge } from "./support/edge.ts";
import { World } from "./support/world.ts";
import type { Site } from "./support/world.ts";

function send(room: string, text: string): object {
  return { type: "send", room, text };
}

const historyReads = ({ backplane }: Site, room: string): number =>
  backplane.calls.filter((call) => call.startsWith(`history ${room} `)).length;

const texts = (lines: readonly ServerMessage[]): string[] =>
  lines.flatMap((line) => {
    if (line.type === "joined") return line.messages.map(({ text }) => text);
    return line.type === "message" ? [line.text] : [];
  });

describe("a group", () => {
  test("gets one frame a message, however many are in it", () => {
    const world = new World();
    const site = world.site();
    const people = Array.from({ length: 10 }, (_, n) => world.person(site, `p${n}`, "lobby"));
    const frames = site.edge.groupFrames;
    const ownFrames = people.map((person) => person.frames);
    people[0]?.say(send("lobby", "to all"));
    world.settle();
    expect(site.edge.groupFrames).toBe(frames + 1);
    for (const [index, person] of people.entries()) {
      expect(texts(person.heard())).toContain("to all");
      expect(person.frames - (ownFrames[index] ?? 0)).toBe(index === 0 ? 1 : 0);
    }
  });

  test("is one an edge, and is gone with its last session", () => {
    const world = new World();
    const site = world.site();
    const other = new TestEdge(site.hub, () => world.clock.now(), "other");
    const ana = world.person(site, "ana", "lobby");
    const bob = world.person({ ...site, edge: other }, "bob", "lobby");
    const names = (edge: TestEdge): string[] => [...edge.groups.values()].map(({ name }) => name).sort();
    expect(names(site.edge)).toEqual([INBOX, "lobby"]);
    expect(names(other)).toEqual([INBOX, "lobby"]);
    expect(texts(world.ask(ana, send("lobby", "hi")))).toEqual(["hi"]);
    expect(texts(bob.heard())).toEqual(["hi"]);
    world.ask(bob, { type: "leave", room: "lobby" });
    expect(names(other)).toEqual([INBOX]);
    bob.close("ended");
    expect(names(other)).toEqual([]);
    expect(names(site.edge)).toEqual([INBOX, "lobby"]);
  });

  test("spares who left what the others are told of it, and nobody else of the same number at another edge", () => {
    const world = new World();
    const site = world.site();
    const other = new TestEdge(site.hub, () => world.clock.now(), "other");
    const ana = world.person(site, "ana", "lobby");
    const bob = world.person({ ...site, edge: other }, "bob", "lobby");
    ana.heard();
    expect(world.ask(ana, { type: "leave", room: "lobby" }).map(({ type }) => type)).toEqual(["left"]);
    expect(bob.heard()).toMatchObject([{ type: "presence", nick: "ana", state: "leave" }]);
  });

  test("has a digest that is the same on every server, and another when members or topic change", () => {
    const world = new World();
    const sites = [world.site(), world.site()];
    const people = sites.map((site, n) => world.person(site, `p${n}`, "lobby"));
    const digests = (): number[] =>
      sites.map(({ edge }) => {
        const group = [...edge.groups.values()].find(({ name }) => name === "lobby");
        return group?.roster ?? -1;
      });
    const seen = new Set<number>();
    const step = (...requests: object[]): void => {
      for (const request of requests) world.ask(people[0] ?? world.person(world.site(), "x"), request);
      const [first = -1, second] = digests();
      expect(first).toBe(second ?? -2);
      expect(seen.has(first)).toBe(false);
      seen.add(first);
    };
    step();
    step({ type: "nick", nick: "q0" });
    step({ type: "topic", room: "lobby", text: "tea" });
    step({ type: "nick", nick: "p0" });
    const before = digests();
    world.ask(people[1] ?? world.person(world.site(), "y"), send("lobby", "no change"));
    expect(digests()).toEqual(before);
  });
});

describe("a room's cache", () => {
  test("serves joins without reading the log, and the log what it does not hold", () => {
    const world = new World({ roomCacheMessages: 10 });
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    for (let n = 1; n <= 30; n += 1) world.ask(ana, send("lobby", `m${n}`));
    const join = (request: object): string[] => {
      const bob = world.person(site, "bob");
      const got = texts(world.ask(bob, { type: "join", room: "lobby", ...request }));
      world.ask(bob, { type: "bye" });
      return got;
    };
    const from = (first: number): string[] => Array.from({ length: 31 - first }, (_, n) => `m${first + n}`);
    const reads = historyReads(site, "lobby");
    expect(join({ history: 10 })).toEqual(from(21));
    expect(join({ history: 0 })).toEqual([]);
    expect(join({ since: { epoch: "e1", seq: 20 } })).toEqual(from(21));
    expect(historyReads(site, "lobby")).toBe(reads);
    expect(join({ history: 11 })).toEqual(from(20));
    expect(join({ since: { epoch: "e1", seq: 5 } })).toEqual(from(6));
    expect(historyReads(site, "lobby")).toBe(reads + 2);
    const cold = world.site();
    const eva = world.person(cold, "eva");
    expect(texts(world.ask(eva, { type: "join", room: "lobby", history: 8 }))).toEqual(from(23));
    const max = world.person(cold, "max");
    expect(texts(world.ask(max, { type: "join", room: "lobby", history: 5 }))).toEqual(from(26));
    expect(historyReads(cold, "lobby")).toBe(1);
  });

  test("never holds more than its limits, and puts reads and live messages together without a hole", () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const world = new World({ roomCacheMessages: 5, historyMost: 7, roomLingerMs: 1 });
      const [near, far] = [world.site(), world.site()];
      const random = seededRandom(seed);
      const ana = world.person(near, "ana", "lobby");
      for (let n = 1; n <= 20; n += 1) ana.say(send("lobby", `m${n}`));
      world.settle();
      const bob = world.person(far, "bob");
      const seq = Math.floor(random() * 20);
      bob.say({ type: "join", room: "lobby", since: { epoch: "e1", seq } });
      for (let n = 21; n <= 60; n += 1) {
        ana.say(send("lobby", `m${n}`));
        for (let step = 0; step < 4; step += 1) world.cluster.step(random);
      }
      world.settle();
      const expected = Array.from({ length: 60 - seq }, (_, n) => `m${seq + 1 + n}`);
      expect(texts(bob.heard())).toEqual(expected);
    }
  });

  test("is given up by the rooms that were quiet longest, when all together are too large", () => {
    const world = new World({ cacheBytes: 3_000 });
    const site = world.site();
    const ana = world.person(site, "ana", "quiet", "busy");
    const say = (room: string): void => {
      world.ask(ana, send(room, "x".repeat(300)));
    };
    for (let n = 0; n < 4; n += 1) say("quiet");
    for (let n = 0; n < 12; n += 1) say("busy");
    const bob = world.person(site, "bob");
    world.ask(bob, { type: "join", room: "busy", history: 2 });
    expect(historyReads(site, "busy")).toBe(0);
    world.ask(bob, { type: "join", room: "quiet", history: 2 });
    expect(historyReads(site, "quiet")).toBe(1);
  });

  test("gives single lines of what came in pieces", () => {
    const recent = new RecentMessages({ roomCacheMessages: 6, roomCacheBytes: 1_000 }, { bytes: 0 });
    const line = (seq: number): Uint8Array => Buffer.from(`{"seq":${seq}}\n`);
    const lines = (from: number, to: number): Uint8Array[] =>
      Array.from({ length: to - from + 1 }, (_, at) => line(from + at));
    recent.push(Buffer.concat(lines(1, 3)), 3);
    recent.push(line(4), 1);
    recent.push(Buffer.concat(lines(5, 6)), 2);
    for (let seq = 0; seq <= 6; seq += 1) {
      expect(recent.since(seq).map(String)).toEqual(lines(seq + 1, 6).map(String));
    }
    // One line more than may be: the oldest piece goes as a whole.
    recent.push(line(7), 1);
    expect([recent.after, recent.length]).toEqual([3, 4]);
    recent.extend(lines(2, 4), 4);
    expect(recent.since(0).map(String)).toEqual(lines(2, 7).map(String));
  });

  test("keeps count", () => {
    const budget = { bytes: 0 };
    const recent = new RecentMessages({ roomCacheMessages: 100, roomCacheBytes: 1_000 }, budget);
    const line = (seq: number): Uint8Array => new Uint8Array(10).fill(seq);
    recent.clear(500);
    for (let seq = 501; seq <= 700; seq += 1) recent.push(line(seq), 1);
    expect([recent.after, recent.length, recent.bytes, budget.bytes]).toEqual([600, 100, 1_000, 1_000]);
    expect(recent.since(698)).toEqual([line(699), line(700)]);
    recent.clear(700);
    expect([recent.after, recent.length, budget.bytes]).toEqual([700, 0, 0]);
    recent.push(line(701), 1);
    recent.extend([line(697), line(698), line(699)], 699);
    expect(recent.after).toBe(700);
    recent.extend([line(699), line(700), line(701)], 701);
    expect(recent.since(698)).toEqual([line(699), line(700), line(701)]);
    expect(budget.bytes).toBe(30);
  });
});

describe("lost continuity", () => {
  test("is told to everybody in the room, with the newest of what there is, in a new epoch", () => {
    const world = new World({ historyDefault: 2 });
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const bob = world.person(site, "bob", "lobby");
    world.ask(ana, send("lobby", "old"), send("@bob", "psst"));
    bob.lines();
    ana.lines();
    world.cluster.newEpoch("e2");
    for (const text of ["1", "2", "3"]) ana.say(send("lobby", text));
    world.settle();
    const joined = bob.heard().find((line) => line.type === "joined" && line.room === "lobby");
    expect(joined).toMatchObject({ room: "lobby", epoch: "e2", recovered: false, members: ["ana", "bob"] });
    const anaHeard = ana.heard();
    expect(anaHeard.flatMap((line) => (line.type === "joined" ? [line.room] : [])).sort()).toEqual([
      "@",
      "lobby",
    ]);
    expect(texts(anaHeard).at(-1)).toBe("3");
    expect(anaHeard.filter(({ type }) => type === "ack")).toHaveLength(3);
    expect(texts(world.ask(bob, send("lobby", "after"))).at(-1)).toBe("after");
    expect(world.logged.filter((line) => line.startsWith("warn"))).toHaveLength(3);
    const views = bob
      .handover()
      .groups.map(({ name, position }) => `${name} ${position.epoch} ${position.seq}`);
    expect(views.sort()).toEqual(["@ e2 0", "lobby e2 4"]);
  });

  test("that happens while somebody joins, or twice, leaves everybody with the truth", () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const world = new World();
      const site = world.site();
      const random = seededRandom(seed);
      const ana = world.person(site, "ana", "lobby");
      for (let n = 1; n <= 5; n += 1) world.ask(ana, send("lobby", `old ${n}`));
      const bob = world.person(site, "bob");
      bob.say({ type: "join", room: "lobby", since: { epoch: "e1", seq: 3 } });
      for (let step = 0; step < seed % 8; step += 1) world.cluster.step(random);
      world.cluster.newEpoch("e2");
      ana.say(send("lobby", "new 1"));
      for (let step = 0; step < seed % 5; step += 1) world.cluster.step(random);
      if (seed % 2 === 0) world.cluster.newEpoch("e3");
      ana.say(send("lobby", "new 2"));
      world.settle();
      for (const client of [ana, bob]) {
        const view = client.handover().groups.find(({ name }) => name === "lobby");
        expect(view?.position).toEqual({ epoch: world.cluster.epoch, seq: world.cluster.last("lobby") });
        let epoch = "";
        let seq = 0;
        for (const line of client.heard()) {
          if (line.type === "joined" && line.room === "lobby") ({ epoch, seq } = line);
          if (line.type !== "message") continue;
          expect(line.seq).toBe(seq + 1);
          ({ seq } = line);
        }
        if (client === bob) expect({ epoch, seq }).toEqual(view?.position ?? { epoch: "", seq: 0 });
      }
    }
  });

  test("that the backplane does not tell of is noticed, and the room subscribed anew until that works", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const bob = world.person(site, "bob", "lobby");
    world.ask(ana, send("lobby", "1"), send("lobby", "2"), send("lobby", "3"));
    bob.lines();
    const { entries, subscribers } = world.cluster.log("lobby");
    const room = subscribers.get(site.backplane);
    const body = entries[0]?.body ?? new Uint8Array(0);
    room?.appended(deliveriesOf([{ seq: 3, at: 0, body }]));
    expect(world.logged).toEqual([]);
    site.backplane.failing.add("subscribe");
    room?.appended(deliveriesOf([{ seq: 5, at: 0, body }]));
    ana.say(send("lobby", "4"));
    world.settle();
    expect(world.logged).toEqual([
      'error the backplane left out entries; subscribing again {"room":"lobby","at":3,"given":5}',
    ]);
    expect(bob.lines()).toEqual([]);
    site.backplane.failing.clear();
    for (const client of [ana, bob]) client.close("failed");
    world.clock.advance(60_000);
    world.settle();
    const eva = world.person(site, "eva", "lobby");
    expect(texts(world.ask(eva, send("lobby", "5")))).toEqual(["5"]);
  });

  test("that was mended tells everybody of the gap, and acknowledges what waited", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const { subscribers } = world.cluster.log("lobby");
    const early = deliveriesOf([{ seq: 9, at: 0, body: new Uint8Array(0) }]);
    subscribers.get(site.backplane)?.appended(early);
    ana.say(send("lobby", "1"));
    world.settle();
    expect(ana.heard()).toMatchObject([
      { type: "joined", room: "lobby", recovered: false, seq: 0, messages: [] },
      { type: "message", seq: 1 },
      { type: "ack", seq: 1 },
    ]);
    expect(texts(world.ask(ana, send("lobby", "2")))).toEqual(["2"]);
  });

  test("puts whoever the cluster has forgotten into the room again", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    world.cluster.sessions.get(ana.session)?.rooms.clear();
    world.cluster.newEpoch("e2");
    world.settle();
    expect(world.cluster.members("lobby").map(({ nick }) => nick)).toEqual(["ana"]);
    expect(world.ask(ana, { type: "members", room: "lobby" }).at(-1)).toMatchObject({ members: ["ana"] });
  });
});

describe("a room that nobody here is in", () => {
  test("stays subscribed for a while, and then is not", () => {
    const world = new World({ roomLingerMs: 5_000 });
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const unsubscribed = (): boolean => site.backplane.calls.includes("unsubscribe lobby");
    world.ask(ana, { type: "leave", room: "lobby" });
    world.clock.advance(4_999);
    world.ask(ana, { type: "join", room: "lobby" });
    world.clock.advance(60_000);
    expect(unsubscribed()).toBe(false);
    expect(site.backplane.calls.filter((call) => call === "subscribe lobby")).toHaveLength(1);
    world.ask(ana, { type: "leave", room: "lobby" });
    world.clock.advance(5_000);
    expect(unsubscribed()).toBe(true);
    expect(site.hub.report().rooms).toBe(0);
    world.ask(ana, { type: "join", room: "lobby" });
    expect(ana.rooms).toEqual(["lobby"]);
  });
});

describe("a hub", () => {
  test("tells how it is", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    world.person(site, "bob", "lobby", "attic");
    world.ask(ana, send("lobby", "x"), send("@bob", "y"), send("nowhere", "z"));
    site.backplane.state = "degraded";
    expect(site.hub.report()).toEqual({
      server: "s1",
      cluster: "test",
      build: "1.2.3",
      sessions: 2,
      rooms: 2,
      messages: 2,
      backplane: "degraded",
      backplaneMs: 1.5,
      draining: false,
    });
  });

  test("asks all edges to leave when it drains, those that come later too", async () => {
    const world = new World();
    const site = world.site();
    site.hub.drain();
    expect(site.edge.drained).toBe(true);
    expect(site.hub.report().draining).toBe(true);
    const late = new TestEdge(site.hub, () => world.clock.now(), "late");
    expect(late.drained).toBe(false);
    await Promise.resolve();
    expect(late.drained).toBe(true);
  });

  test("stops with its sessions in grace and no timers left", async () => {
    const world = new World();
    const site = world.site();
    world.person(site, "ana", "lobby");
    site.edge.open().say({ type: "hello", version: 1, nick: "bob" });
    await site.hub.stop(false);
    expect(site.backplane.calls.filter((call) => call.startsWith("release"))).toEqual([]);
    expect(site.hub.report().sessions).toBe(0);
    // What is left is the store's own, for a server that is gone.
    expect(world.clock.timers).toBe(1);
  });

  test("logs what an operator must know of the backplane", () => {
    const world = new World();
    const { backplane } = world.site();
    backplane.listener?.health({ state: "down", detail: "no answer", roundTripMs: 0 });
    backplane.listener?.health({ state: "ok", detail: "back", roundTripMs: 1 });
    expect(world.logged).toEqual([
      'warn the backplane is down {"detail":"no answer"}',
      'info the backplane is well again {"detail":"back"}',
    ]);
  });

  test("warns of a keeper that is gone only if no other follows, and never while it stops", async () => {
    const world = new World();
    const { backplane, hub } = world.site();
    const degraded = { state: "degraded", detail: "gone", roundTripMs: 0 } as const;
    backplane.listener?.health(degraded);
    world.clock.advance(100);
    backplane.listener?.health({ state: "ok", detail: "back", roundTripMs: 1 });
    world.clock.advance(10_000);
    expect(world.logged).toEqual([]);
    backplane.listener?.health(degraded);
    world.clock.advance(10_000);
    expect(world.logged).toEqual(['warn the backplane is degraded {"detail":"gone"}']);
    backplane.listener?.health(degraded);
    hub.drain();
    backplane.listener?.health({ state: "down", detail: "stopped", roundTripMs: 0 });
    world.clock.advance(10_000);
    expect(world.logged).toHaveLength(1);
    await hub.stop(false);
  });
});

describe("a roster", () => {
  test("is sorted by key and has a digest of its own, whatever the order of changes", () => {
    const random = seededRandom(11);
    const roster = new Roster();
    const model = new Map<string, string>();
    for (let step = 0; step < 2_000; step += 1) {
      const session = `s${Math.floor(random() * 30)}`;
      const nick = `${["A", "b", "Ç", "d"][Math.floor(random() * 4)]}${session}`;
      if (random() < 0.4) {
        expect(roster.remove(session)).toBe(model.delete(session));
      } else {
        expect(roster.put({ session, nick })).toBe(model.get(session) !== nick);
        model.set(session, nick);
      }
    }
    const fresh = new Roster();
    fresh.reset([...model].map(([session, nick]) => ({ session, nick })));
    expect(fresh.digest).toBe(roster.digest);
    expect(fresh.nicks(99)).toEqual(roster.nicks(99));
    expect(roster.size).toBe(model.size);
    expect(new Set(roster.nicks(99))).toEqual(new Set(model.values()));
    let digest = 0;
    for (const nick of model.values()) digest = (digest ^ hash32(nick)) >>> 0;
    expect(roster.digest).toBe(digest);
    expect(fresh.nicks(3)).toEqual(fresh.nicks(99).slice(0, 3));
  });

  test("has a hash that other servers have as well", () => {
    expect([hash32(""), hash32("ana"), hash32("Ana"), hash32("ß✓")]).toMatchInlineSnapshot(`
      [
        2872998923,
        2146483282,
        4031864029,
        2548851708,
      ]
    `);
  });
});

test("the default limits fit each other", () => {
  const limits = defaultHubLimits;
  expect(limits.waitingLines).toBeGreaterThan(edgeLimits.unackedLines);
  expect(limits.waitingBytes).toBeGreaterThan(edgeLimits.unackedBytes);
  expect(limits.catchUpBytes * 2).toBeLessThanOrEqual(edgeLimits.outboxBytes);
  expect(limits.catchUpBytes).toBeGreaterThanOrEqual(limits.replyBytes);
  expect(limits.cacheBytes).toBeGreaterThan(limits.roomCacheBytes);
});

test("a join that a reset has answered is not answered again when its own look into the log fails", () => {
  const world = new World();
  const [one, two] = [world.site(), world.site()];
  const ana = world.person(one, "ana", "lobby");
  world.ask(ana, { type: "send", room: "lobby", text: "before" });
  const bob = world.person(two, "bob");
  two.backplane.failing.add("history");
  bob.say({ type: "join", room: "lobby" });
  while (!two.backplane.calls.some((call) => call.startsWith("history lobby"))) two.backplane.step(0);
  // All is lost while the log is looked into: the room as it is now is told at once.
  world.cluster.newEpoch("e2");
  while (bob.lines().every((line) => !line.includes('"joined"'))) two.backplane.step(0);
  two.backplane.failing.clear();
  world.settle();
  // The inbox starts over as well.
  expect(bob.heard()).toMatchObject([{ type: "joined", room: "@" }]);
  // Longer than a room lingers that nobody is in.
  world.clock.advance(60_000);
  world.settle();
  ana.heard();
  world.ask(ana, { type: "send", room: "lobby", text: "after" });
  expect(bob.heard()).toMatchObject([{ type: "message", text: "after" }]);
});
