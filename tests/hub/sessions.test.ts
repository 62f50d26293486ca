/** How sessions begin, move, come back and end, and what others hear of it. */
import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../src/protocol/clock.ts";
import type { ServerMessage } from "../../src/protocol/messages.ts";
import { readToken } from "../../src/hub/token.ts";
import { TestEdge } from "./support/edge.ts";
import type { TestClient } from "./support/edge.ts";
import { secret, World } from "./support/world.ts";

const decoder = new TextDecoder();

function resumeToken(world: World, client: TestClient): string {
  const { token } = client.handover();
  expect(readToken(secret, token)?.session).toBeString();
  expect(world.logged).toEqual([]);
  return token;
}

function send(room: string, text: string, id?: string): object {
  return { type: "send", room, text, ...(id === undefined ? {} : { id }) };
}

const texts = (lines: readonly ServerMessage[]): string[] =>
  lines.flatMap((line) => (line.type === "message" ? [line.text] : []));

describe("a hand-over", () => {
  test("brings what was missed and nothing else, and nobody hears of it", () => {
    const world = new World();
    const [first, second] = [world.site(), world.site()];
    const ana = world.person(first, "ana", "lobby", "attic");
    const bob = world.person(world.site(), "bob", "lobby");
    world.ask(bob, send("lobby", "seen"));
    ana.lines();
    const handover = ana.handover();
    first.edge.detach();
    world.ask(bob, send("lobby", "missed 1"), send("@ana", "psst"), send("lobby", "missed 2"));
    const moved = second.edge.resume(handover);
    world.settle();
    expect(moved.lines().sort()).toEqual([
      '{"type":"message","seq":1,"at":1000000,"room":"@bob","from":"bob","text":"psst"}',
      '{"type":"message","seq":2,"at":1000000,"room":"lobby","from":"bob","text":"missed 1"}',
      '{"type":"message","seq":3,"at":1000000,"room":"lobby","from":"bob","text":"missed 2"}',
    ]);
    expect(moved.rooms.sort()).toEqual(["attic", "lobby"]);
    world.clock.advance(60_000);
    world.settle();
    expect(texts(world.ask(bob, send("lobby", "live")))).toEqual(["live"]);
    expect(texts(moved.heard())).toEqual(["live"]);
    expect(world.cluster.members("lobby").map(({ nick }) => nick)).toEqual(["ana", "bob"]);
  });

  test("carries out the lines that were not finished, once", () => {
    const world = new World();
    const [first, second] = [world.site(), world.site()];
    const ana = world.person(first, "ana", "lobby");
    const lines = [send("lobby", "with id", "x"), send("lobby", "without"), { type: "ping", id: "p" }];
    ana.say(...lines);
    expect(world.cluster.last("lobby")).toBe(2);
    first.backplane.die();
    const moved = second.edge.resume(ana.handover());
    moved.say(...lines, send("lobby", "after"));
    world.settle();
    expect(moved.lines()).toEqual([
      '{"type":"message","seq":1,"at":1000000,"room":"lobby","id":"x","from":"ana","text":"with id"}',
      '{"type":"message","seq":2,"at":1000000,"room":"lobby","from":"ana","text":"without"}',
      '{"type":"message","seq":3,"at":1000000,"room":"lobby","from":"ana","text":"after"}',
      '{"type":"ack","id":"x","room":"lobby","seq":1,"at":1000000,"duplicate":true}',
      '{"type":"ack","room":"lobby","seq":2,"at":1000000,"duplicate":true}',
      '{"type":"pong","id":"p"}',
      '{"type":"ack","room":"lobby","seq":3,"at":1000000}',
    ]);
    expect(moved.done).toBe(6);
  });

  test("tells of members and topic only if they changed", () => {
    const world = new World();
    const [first, second] = [world.site(), world.site()];
    const ana = world.person(first, "ana", "lobby", "attic");
    const bob = world.person(world.site(), "bob", "lobby", "attic");
    world.ask(bob, { type: "topic", room: "lobby", text: "tea" });
    ana.lines();
    const handover = ana.handover();
    first.edge.detach();
    world.ask(bob, { type: "leave", room: "attic" });
    const moved = second.edge.resume(handover);
    world.settle();
    expect(moved.lines()).toEqual(['{"type":"members","room":"attic","members":["ana"],"memberCount":1}']);
    const again = moved.handover();
    second.edge.detach();
    world.ask(bob, { type: "topic", room: "lobby", text: "milk" });
    const third = world.site().edge.resume(again);
    world.settle();
    expect(third.lines()).toEqual([
      '{"type":"members","room":"lobby","members":["ana","bob"],"memberCount":2}',
      '{"type":"topic","room":"lobby","text":"milk","by":"bob","at":1000000}',
    ]);
  });

  test("brings the inbox back also where the edge says nothing of it", () => {
    const world = new World();
    const [first, second] = [world.site(), world.site()];
    const ana = world.person(first, "ana", "lobby");
    const bob = world.person(world.site(), "bob");
    const handover = ana.handover();
    first.edge.detach();
    const groups = handover.groups.filter(({ name }) => name === "lobby");
    expect(groups.length).toBe(1);
    const moved = second.edge.resume({ ...handover, groups });
    world.settle();
    world.ask(bob, send("@ana", "psst"));
    expect(texts(moved.heard())).toEqual(["psst"]);
  });

  test("leaves nothing to the server that is left: what is the session's is not given back there", () => {
    const world = new World();
    const [first, second] = [world.site(), world.site()];
    const ana = world.person(first, "ana", "lobby");
    second.edge.resume(ana.handover());
    world.settle();
    expect(ana.closed).toBe("replaced");
    world.clock.advance(60_000);
    world.settle();
    expect(first.backplane.calls.filter((call) => call.startsWith("release"))).toEqual([]);
  });

  test("leaves the rooms that the cluster has put the client into and the client never heard of", () => {
    const world = new World();
    const [first, second] = [world.site(), world.site()];
    const ana = world.person(first, "ana", "lobby");
    const bob = world.person(world.site(), "bob", "lobby", "attic");
    const handover = ana.handover();
    world.ask(ana, { type: "join", room: "attic" });
    bob.lines();
    first.edge.detach();
    const moved = second.edge.resume(handover);
    world.settle();
    world.clock.advance(60_000);
    world.settle();
    expect(bob.heard()).toMatchObject([{ type: "presence", room: "attic", nick: "ana", state: "leave" }]);
    expect(moved.rooms).toEqual(["lobby"]);
  });

  test("says so when something cannot be brought, and goes on", () => {
    const world = new World({ catchUpMessages: 3, historyDefault: 1 });
    const [first, second] = [world.site(), world.site()];
    const ana = world.person(first, "ana", "lobby", "attic");
    const bob = world.person(world.site(), "bob", "lobby", "attic");
    const handover = ana.handover();
    first.edge.detach();
    for (let n = 1; n <= 5; n += 1) world.ask(bob, send("lobby", `${n}`));
    world.ask(bob, send("attic", "a"), send("attic", "b"));
    world.cluster.trim("attic", 2);
    const moved = second.edge.resume(handover);
    world.settle();
    expect(moved.heard()).toMatchObject([
      { type: "joined", room: "lobby", recovered: false, seq: 5, messages: [{ seq: 5 }] },
      { type: "joined", room: "attic", recovered: false, seq: 2, messages: [{ seq: 2 }] },
    ]);
    world.ask(bob, send("lobby", "live"), send("attic", "live"));
    expect(texts(moved.heard())).toEqual(["live", "live"]);
  });

  test("of many into a cold hub reads each log once", () => {
    const world = new World();
    const [first, second] = [world.site(), world.site()];
    const people = Array.from({ length: 20 }, (_, n) => world.person(first, `p${n}`, "lobby"));
    const bob = world.person(world.site(), "bob", "lobby");
    const handovers = people.map((person) => person.handover());
    first.edge.detach();
    world.ask(bob, send("lobby", "missed"));
    // The inboxes are of another kind: one each, and in this test never written to.
    const moved = handovers.map((handover) => second.edge.resume(handover));
    world.settle();
    for (const person of moved) expect(texts(person.heard())).toEqual(["missed"]);
    expect(second.backplane.calls.filter((call) => call.startsWith("history"))).toHaveLength(1);
    expect(second.backplane.calls.filter((call) => call === "subscribe lobby")).toHaveLength(1);
  });

  test("to the same hub, which has not noticed that the trunk is gone, works", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const bob = world.person(site, "bob", "lobby");
    ana.lines();
    const moved = site.edge.resume(ana.handover());
    world.ask(bob, send("lobby", "hi"));
    expect(ana.closed).toBe("replaced");
    expect(texts(moved.heard())).toEqual(["hi"]);
    expect(world.cluster.members("lobby")).toHaveLength(2);
    expect(bob.heard().filter(({ type }) => type === "presence")).toEqual([]);
  });

  test("waits for a backplane that is away, and gives up in the end", () => {
    const world = new World();
    const [first, second, third] = [world.site(), world.site(), world.site()];
    const ana = world.person(first, "ana", "lobby");
    const bob = world.person(third, "bob", "lobby");
    const handovers = [ana.handover(), bob.handover()];
    for (const call of ["claim", "subscribe", "enter", "history"]) second.backplane.failing.add(call);
    const [anaMoved] = handovers.map((handover) => second.edge.resume(handover));
    anaMoved?.say(send("lobby", "hi", "1"));
    for (let round = 0; round < 10; round += 1) {
      world.settle();
      world.clock.advance(1_000);
    }
    expect(anaMoved?.lines()).toEqual([]);
    second.backplane.failing.clear();
    for (let round = 0; round < 20; round += 1) {
      world.clock.advance(500);
      world.settle();
    }
    expect(anaMoved?.heard().map(({ type }) => type)).toEqual(["message", "ack"]);

    const lost = anaMoved?.handover();
    third.backplane.failing.add("claim");
    const eva = third.edge.resume(lost ?? ana.handover());
    for (let round = 0; round < 100; round += 1) {
      world.settle();
      world.clock.advance(500);
    }
    expect(eva.heard()).toMatchObject([{ type: "error", code: "session-lost" }]);
    expect(eva.closed).toBe("session-lost");
  });

  test("with a token of another cluster, or a forged one, is refused", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const handover = ana.handover();
    const [payload = "", proof = ""] = handover.token.split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as { s: string };
    const forged = Buffer.from(JSON.stringify({ ...claims, s: "somebody-else" })).toString("base64url");
    for (const token of [`${forged}.${proof}`, `${payload}.${"A".repeat(43)}`, "nonsense", payload]) {
      const moved = site.edge.resume({ ...handover, token });
      expect(moved.closed).toBe("session-lost");
    }
    expect(ana.closed).toBeUndefined();
    expect(world.logged).toHaveLength(4);
    expect(world.logged.join("")).not.toContain(payload);
  });

  test("by a hub that was paused does not take a session back", () => {
    const world = new World();
    const [first, second, third] = [world.site(), world.site(), world.site()];
    const ana = world.person(first, "ana", "lobby");
    const handover = ana.handover();
    const moved = third.edge.resume({ ...handover, moves: 2 });
    world.settle();
    const stale = second.edge.resume(handover);
    world.settle();
    expect(stale.closed).toBe("replaced");
    expect(moved.closed).toBeUndefined();
    expect(world.ask(moved, { type: "nick", nick: "Anna" })).toMatchObject([
      { type: "presence" },
      { type: "nick" },
    ]);
    // The one before it wakes up too, with a line that it had not read.
    const renamed = world.ask(ana, { type: "nick", nick: "old" });
    expect(renamed.filter(({ type }) => type === "nick")).toEqual([]);
    expect([...world.cluster.sessions.values()].map(({ nick }) => nick)).toEqual(["Anna"]);
  });

  test("before hello was answered says it again, under the same name", () => {
    const world = new World();
    const [first, second] = [world.site(), world.site()];
    const ana = first.edge.open();
    const lines = [
      { type: "hello", version: 1, nick: "ana" },
      { type: "join", room: "lobby" },
    ];
    ana.say(...lines);
    // The first hub has claimed the nick, and nobody heard of it.
    const moved = second.edge.resume(ana.handover());
    moved.say(...lines);
    world.settle();
    expect(moved.heard()).toMatchObject([
      { type: "welcome", session: "edge1-1", nick: "ana", resumed: false },
      { type: "joined", members: ["ana"] },
    ]);
    first.edge.detach();
    world.clock.advance(60_000);
    expect(world.cluster.sessions.size).toBe(1);
  });
});

describe("a client that comes back", () => {
  test("goes on with session, nick and inbox, and nobody hears of it", () => {
    const world = new World();
    const [first, second] = [world.site(), world.site()];
    const ana = world.person(first, "ana", "lobby");
    const bob = world.person(world.site(), "bob", "lobby");
    ana.lines();
    const resume = resumeToken(world, ana);
    const session = readToken(secret, resume)?.session;
    ana.close("failed");
    world.ask(bob, send("lobby", "missed"), send("@ana", "psst"));
    bob.lines();
    const back = second.edge.open();
    const heard = world.ask(
      back,
      { type: "hello", version: 1, nick: "ana", resume },
      { type: "join", room: "lobby", since: { epoch: "e1", seq: 0 } },
      { type: "join", room: "@", since: { epoch: "e1", seq: 0 } },
    );
    expect(heard).toMatchObject([
      { type: "welcome", session, nick: "ana", resumed: true, inbox: { seq: 1 } },
      { type: "joined", room: "lobby", recovered: true, messages: [{ text: "missed" }], memberCount: 2 },
      { type: "joined", room: "@", recovered: true, messages: [{ text: "psst" }] },
    ]);
    world.clock.advance(60_000);
    world.settle();
    expect(bob.lines()).toEqual([]);
    expect(back.closed).toBeUndefined();
  });

  test("while its old connection is open ends that one, also on the same server", () => {
    const world = new World();
    for (const sameSite of [true, false]) {
      const site = world.site();
      const nick = sameSite ? "ana" : "eva";
      const old = world.person(site, nick, "lobby");
      const resume = resumeToken(world, old);
      const back = (sameSite ? site : world.site()).edge.open();
      const heard = world.ask(back, { type: "hello", version: 1, nick, resume });
      expect(heard).toMatchObject([{ type: "welcome", resumed: true }]);
      expect(old.lines().at(-1)).toBe(
        '{"type":"error","code":"replaced","message":"the session goes on over a newer connection; use that one"}',
      );
      expect(old.closed).toBe("replaced");
      expect(world.cluster.sessions.has(back.session)).toBe(true);
    }
  });

  test("through an edge whose clock is behind is the later one all the same, and can be moved", () => {
    const world = new World();
    const [first, second] = [world.site(), world.site()];
    world.clock.advance(3_600_000);
    const ana = world.person(first, "ana", "lobby");
    const resume = resumeToken(world, ana);
    ana.close("failed");
    const late = new TestEdge(second.hub, () => world.clock.now() - 60_000, "late");
    const back = late.open();
    const hello = { type: "hello", version: 1, nick: "ana", resume };
    expect(world.ask(back, hello, { type: "join", room: "lobby" })).toMatchObject([
      { type: "welcome", resumed: true },
      { type: "joined", room: "lobby" },
    ]);
    const moved = first.edge.resume(back.handover());
    world.settle();
    expect(texts(world.ask(moved, send("lobby", "here")))).toEqual(["here"]);
    expect(moved.closed).toBeUndefined();
  });

  test("with another nick is renamed, with a taken one may choose again", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const bob = world.person(site, "bob", "lobby");
    const resume = resumeToken(world, ana);
    ana.close("failed");
    const back = site.edge.open();
    expect(
      world.ask(
        back,
        { type: "hello", version: 1, nick: "bob", resume },
        { type: "hello", version: 1, nick: "Anna", resume },
      ),
    ).toMatchObject([{ code: "nick-taken" }, { type: "welcome", nick: "Anna", resumed: true }]);
    expect(bob.heard()).toMatchObject([{ type: "presence", state: "rename", nick: "ana", to: "Anna" }]);
  });

  test("with a token that is too old or not ours is somebody new", () => {
    const world = new World({ tokenMs: 1_000 });
    const site = world.site();
    const ana = world.person(site, "ana");
    const resume = resumeToken(world, ana);
    ana.close("ended");
    world.clock.advance(1_001);
    for (const token of [resume, "x.y"]) {
      const back = site.edge.open();
      const [welcome] = world.ask(back, { type: "hello", version: 1, nick: "ana", resume: token });
      expect(welcome).toMatchObject({ type: "welcome", resumed: false });
      expect(welcome?.type === "welcome" && welcome.session).not.toBe(readToken(secret, resume)?.session);
      world.ask(back, { type: "bye" });
    }
  });

  test("leaves the rooms that it does not join again", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby", "attic");
    const bob = world.person(site, "bob", "lobby", "attic");
    const resume = resumeToken(world, ana);
    ana.close("failed");
    const back = site.edge.open();
    world.ask(back, { type: "hello", version: 1, nick: "ana", resume }, { type: "join", room: "attic" });
    world.clock.advance(9_999);
    world.settle();
    expect(bob.lines()).toEqual([]);
    world.clock.advance(1);
    world.settle();
    expect(bob.heard()).toMatchObject([{ type: "presence", room: "lobby", nick: "ana", state: "leave" }]);
    expect(back.rooms).toEqual(["attic"]);
  });
});

describe("the end of a session", () => {
  const leaves = (client: TestClient): number =>
    client.heard().filter((line) => line.type === "presence" && line.state === "leave").length;

  test("comes at once when the client left, and after the grace time when its connection failed", () => {
    for (const [reason, atOnce] of [
      ["ended", true],
      ["line-too-long", true],
      ["kicked", true],
      ["failed", false],
      ["slow-consumer", false],
      ["going-away", false],
    ] as const) {
      const world = new World();
      const site = world.site();
      const ana = world.person(site, "ana", "lobby");
      const bob = world.person(site, "bob", "lobby");
      ana.close(reason);
      world.settle();
      expect(leaves(bob)).toBe(atOnce ? 1 : 0);
      world.clock.advance(9_999);
      world.settle();
      expect(leaves(bob)).toBe(0);
      world.clock.advance(1);
      world.settle();
      expect(leaves(bob)).toBe(atOnce ? 0 : 1);
      expect(world.cluster.sessions.size).toBe(1);
    }
  });

  test("does not come for a session that another server took over", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const handover = ana.handover();
    site.edge.detach();
    world.site().edge.resume(handover);
    world.settle();
    world.clock.advance(60_000);
    world.settle();
    expect(site.backplane.calls.filter((call) => call.startsWith("release"))).toEqual([]);
  });

  test("of a client that is gone before its hello is answered leaves nothing", () => {
    for (let seed = 0; seed < 30; seed += 1) {
      const world = new World();
      const site = world.site();
      const random = seededRandom(seed);
      const ana = site.edge.open();
      ana.say({ type: "hello", version: 1, nick: "ana" }, { type: "join", room: "lobby" });
      for (let step = 0; step < seed % 6; step += 1) world.cluster.step(random);
      ana.close("ended");
      world.settle();
      world.clock.advance(60_000);
      world.settle();
      expect(world.cluster.sessions.size).toBe(0);
      expect(site.hub.report()).toMatchObject({ sessions: 0, rooms: 0 });
      expect(world.clock.timers).toBe(0);
    }
  });

  test("of a hello that was claimed and never answered does not keep the nick", () => {
    const world = new World();
    const site = world.site();
    site.backplane.unanswered.add("claim");
    const ana = site.edge.open();
    expect(world.ask(ana, { type: "hello", version: 1, nick: "ana" })).toMatchObject([
      { code: "unavailable" },
    ]);
    expect(world.cluster.sessions.size).toBe(1);
    ana.close("ended");
    world.settle();
    expect(world.cluster.sessions.size).toBe(0);
  });
});

describe("a change of nick that was carried out and not answered", () => {
  test("is repeated until it is", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    site.backplane.unanswered.add("claim");
    ana.say({ type: "nick", id: "n", nick: "Anna" }, send("lobby", "me"));
    world.settle();
    expect(ana.heard().map(({ type }) => type)).toEqual(["presence"]);
    site.backplane.unanswered.clear();
    world.clock.advance(1_000);
    world.settle();
    expect(ana.heard()).toMatchObject([
      { type: "nick", id: "n", nick: "Anna" },
      { type: "message", from: "Anna" },
      { type: "ack" },
    ]);
  });

  test("is told as soon as it is heard of, when it was given up", () => {
    const world = new World({ resumeMs: 1 });
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    ana.lines();
    site.backplane.failing.add("claim");
    ana.say({ type: "nick", id: "n", nick: "Anna" });
    for (let round = 0; round < 5; round += 1) {
      world.settle();
      world.clock.advance(1_000);
    }
    expect(ana.heard()).toMatchObject([{ type: "error", id: "n", code: "unavailable" }]);
    const session = world.cluster.sessions.get(ana.session);
    if (session !== undefined) session.nick = "Anna";
    const member = { session: ana.session, nick: "ana" };
    world.cluster.announce("lobby", { kind: "rename", member, to: "Anna" });
    world.settle();
    expect(ana.lines()).toEqual([
      '{"type":"presence","room":"lobby","nick":"ana","state":"rename","to":"Anna"}',
      '{"type":"nick","nick":"Anna"}',
    ]);
    expect(world.ask(ana, send("lobby", "me"))).toMatchObject([{ from: "Anna" }, { type: "ack" }]);
  });
});

describe("somebody whom the cluster believes to have left", () => {
  test("is put into the room again", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const bob = world.person(site, "bob", "lobby");
    ana.lines();
    world.cluster.sessions.get(ana.session)?.rooms.delete("lobby");
    world.cluster.announce("lobby", { kind: "leave", member: { session: ana.session, nick: "ana" } });
    world.settle();
    expect(bob.heard().map((line) => line.type === "presence" && line.state)).toEqual(["leave", "join"]);
    expect(world.cluster.members("lobby")).toHaveLength(2);
  });
});

test("a token says nothing to whoever reads it in a log", () => {
  const world = new World();
  const ana = world.person(world.site(), "ana");
  const [payload = ""] = ana.handover().token.split(".");
  expect(JSON.parse(decoder.decode(Buffer.from(payload, "base64url")))).toEqual({
    s: "edge1-1",
    n: "ana",
    i: 1_000_000,
    l: 1,
  });
});

describe("a hand-over while the store does not answer", () => {
  test("that is given up leaves no session behind that nobody has", () => {
    const world = new World();
    const [first, second] = [world.site(), world.site()];
    const ana = world.person(first, "ana", "lobby");
    const bob = world.person(world.site(), "bob", "lobby");
    const handover = ana.handover();
    first.backplane.die();
    // What is asked is done, and nobody is told.
    second.backplane.unanswered.add("claim");
    const moved = second.edge.resume(handover);
    for (let step = 0; step < 40; step += 1) {
      world.settle();
      world.clock.advance(1_000);
    }
    expect(moved.closed).toBe("session-lost");
    second.backplane.unanswered.clear();
    world.clock.advance(11_000);
    world.settle();
    expect(world.cluster.members("lobby").map(({ nick }) => nick)).toEqual(["bob"]);
    expect(bob.heard()).toMatchObject([{ type: "presence", nick: "ana", state: "leave" }]);
    expect(world.person(world.site(), "ana", "lobby").closed).toBeUndefined();
  });
});
