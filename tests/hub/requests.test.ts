/** Every request of a client, answered to the letter. */
import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../src/protocol/clock.ts";
import type { ServerMessage } from "../../src/protocol/messages.ts";
import type { TestClient } from "./support/edge.ts";
import { World } from "./support/world.ts";

const hello = { type: "hello", version: 1, nick: "ana" };
const token = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/;

describe("hello", () => {
  test("is answered with welcome, and what follows in the same chunk works in order", () => {
    const world = new World();
    const site = world.site();
    const client = site.edge.open();
    client.say(hello, { type: "join", room: "lobby" }, { type: "send", room: "lobby", text: "hi" });
    expect(client.lines()).toEqual([]);
    world.settle();
    const [welcome, ...others] = client.lines();
    const { session, resume } = JSON.parse(welcome ?? "") as { session: string; resume: string };
    expect(session).toBe("edge1-1");
    expect(resume).toMatch(token);
    expect(welcome).toBe(
      `{"type":"welcome","version":1,"server":"s1","cluster":"test","session":"${session}","nick":"ana",` +
        `"resume":"${resume}","resumed":false,"inbox":{"epoch":"e1","seq":0}}`,
    );
    expect(others).toEqual([
      '{"type":"joined","room":"lobby","epoch":"e1","seq":0,"members":["ana"],"memberCount":1,"topic":"","recovered":true,"messages":[]}',
      '{"type":"message","seq":1,"at":1000000,"room":"lobby","from":"ana","text":"hi"}',
      '{"type":"ack","room":"lobby","seq":1,"at":1000000}',
    ]);
    expect(client.done).toBe(3);
    expect(world.logged).toEqual([]);
  });

  test("comes first", () => {
    const world = new World();
    const client = world.site().edge.open();
    client.say({ type: "join", id: "j", room: "lobby" }, { type: "ping", id: "p" }, "");
    expect(client.lines()).toEqual([
      '{"type":"error","id":"j","code":"hello-first","message":"join before hello; send hello first"}',
      '{"type":"pong","id":"p"}',
    ]);
    expect(client.done).toBe(3);
  });

  test("comes once", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana");
    expect(world.ask(ana, { ...hello, id: "again" })).toEqual([
      {
        type: "error",
        id: "again",
        code: "already-hello",
        message: "this connection is ana; use nick to change that",
      },
    ]);
  });

  test("of another version is refused by name, and closes", () => {
    const world = new World();
    const client = world.site().edge.open();
    client.say({ ...hello, version: 2 }, { type: "ping" });
    expect(client.lines()).toEqual([
      '{"type":"error","code":"version-mismatch","message":"the client speaks version 2 and this server 1; use a client of that version"}',
    ]);
    expect(client.closed).toBe("version-mismatch");
  });

  test("may be tried again with another nick", () => {
    const world = new World();
    const site = world.site();
    world.person(site, "ana");
    const second = world.site().edge.open();
    const heard = world.ask(
      second,
      { ...hello, nick: "ANA", id: "1" },
      { ...hello, nick: "no nick" },
      { ...hello, nick: "eva" },
    );
    expect(heard).toMatchObject([
      { type: "error", id: "1", code: "nick-taken" },
      { type: "error", code: "bad-nick" },
      { type: "welcome", nick: "eva" },
    ]);
  });

  test("that never comes closes the connection", () => {
    const world = new World({ helloMs: 10_000 });
    const client = world.site().edge.open();
    client.say("nonsense");
    world.clock.advance(9_999);
    expect(client.closed).toBeUndefined();
    world.clock.advance(1);
    expect(client.heard()).toMatchObject([
      { code: "bad-json" },
      { code: "hello-timeout", message: "no hello within 10 s; send one as the first line" },
    ]);
    expect(client.closed).toBe("hello-timeout");
  });
});

describe("join", () => {
  test("tells the others, and brings members, topic and the newest messages", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    world.ask(
      ana,
      { type: "topic", room: "lobby", text: "tea" },
      { type: "send", room: "lobby", text: "one" },
      { type: "send", room: "lobby", id: "2", text: 'two "quoted" \\ \u2028 \n ✓' },
    );
    const bob = world.person(world.site(), "bob");
    bob.say({ type: "join", id: "j", room: "LOBBY", history: 1 });
    world.settle();
    expect(bob.lines()).toEqual([
      '{"type":"joined","id":"j","room":"lobby","epoch":"e1","seq":2,"members":["ana","bob"],"memberCount":2,"topic":"tea","recovered":true,"messages":[' +
        '{"type":"message","seq":2,"at":1000000,"room":"lobby","id":"2","from":"ana","text":"two \\"quoted\\" \\\\ \u2028 \\n ✓"}]}',
    ]);
    expect(ana.lines()).toEqual(['{"type":"presence","room":"lobby","nick":"bob","state":"join"}']);
  });

  test("again is answered again and tells nobody", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const bob = world.person(site, "bob", "lobby");
    world.ask(
      bob,
      { type: "send", room: "lobby", text: "one" },
      { type: "send", room: "lobby", text: "two" },
    );
    ana.lines();
    const frames = site.edge.groupFrames;
    const since = { epoch: "e1", seq: 1 };
    expect(world.ask(ana, { type: "join", id: "j", room: "lobby", since })).toMatchObject([
      { type: "joined", id: "j", seq: 2, recovered: true, messages: [{ seq: 2, text: "two" }] },
    ]);
    expect(site.edge.groupFrames).toBe(frames);
    expect(bob.lines()).toEqual([]);
  });

  test("is refused for a name that is none, and in too many rooms", () => {
    const world = new World({ rooms: 2 });
    const ana = world.person(world.site(), "ana", "one", "two");
    const heard = world.ask(
      ana,
      { type: "join", id: "1", room: "three" },
      { type: "join", id: "2", room: "a b" },
      { type: "join", id: "3", room: "@bob" },
      { type: "leave", room: "two" },
      { type: "join", room: "three" },
    );
    expect(heard).toMatchObject([
      {
        id: "1",
        code: "too-many-rooms",
        message: "the session is in 2 rooms already; leave one before joining three",
      },
      { id: "2", code: "bad-room" },
      { id: "3", code: "bad-room" },
      { type: "left", room: "two" },
      { type: "joined", room: "three" },
    ]);
  });

  test("that the backplane cannot carry out is refused as unavailable, and leaves nothing behind", () => {
    for (const call of ["subscribe", "enter", "history"]) {
      const world = new World();
      const first = world.site();
      world.ask(world.person(first, "bob", "lobby"), { type: "send", room: "lobby", text: "x" });
      const site = world.site();
      const ana = world.person(site, "ana");
      site.backplane.failing.add(call);
      expect(world.ask(ana, { type: "join", id: "j", room: "lobby" })).toEqual([
        {
          type: "error",
          id: "j",
          code: "unavailable",
          message: expect.stringMatching(/^the server cannot use its message log .*try again/),
        },
      ]);
      world.clock.advance(10_000);
      world.settle();
      expect(world.cluster.members("lobby").map(({ nick }) => nick)).toEqual(["bob"]);
      site.backplane.failing.clear();
      expect(world.ask(ana, { type: "join", id: "j", room: "lobby" })).toMatchObject([
        { type: "joined", members: ["ana", "bob"], messages: [{ text: "x" }] },
      ]);
    }
  });

  test("brings what was logged after a position, the rest of it as messages, before anything live", () => {
    const world = new World({ historyMost: 3, roomCacheMessages: 4 });
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    for (let n = 1; n <= 9; n += 1) world.ask(ana, { type: "send", room: "lobby", text: `m${n}` });
    const bob = world.person(world.site(), "bob");
    bob.say({ type: "join", room: "lobby", since: { epoch: "e1", seq: 2 } });
    ana.say({ type: "send", room: "lobby", text: "live" });
    const heard = world.ask(bob);
    expect(heard[0]).toMatchObject({ type: "joined", seq: 5, recovered: true });
    const seqs = heard.flatMap((line) =>
      line.type === "joined"
        ? line.messages.map(({ seq }) => seq)
        : line.type === "message"
          ? [line.seq]
          : [],
    );
    expect(seqs).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("says honestly that something is missing", () => {
    const world = new World({ catchUpMessages: 5, historyDefault: 2 });
    const ana = world.person(world.site(), "ana", "lobby");
    for (let n = 1; n <= 9; n += 1) world.ask(ana, { type: "send", room: "lobby", text: `m${n}` });
    const site = world.site();
    const since = (epoch: string, seq: number): object[] => {
      const bob = world.person(site, "bob");
      const heard = world.ask(bob, { type: "join", room: "lobby", history: 2, since: { epoch, seq } });
      world.ask(bob, { type: "bye" });
      return heard.filter(({ type }) => type !== "presence");
    };
    const gap = { type: "joined", recovered: false, seq: 9, messages: [{ seq: 8 }, { seq: 9 }] };
    expect(since("e0", 7)).toMatchObject([gap]);
    expect(since("e1", 3)).toMatchObject([gap]);
    expect(since("e1", 4)).toMatchObject([
      { recovered: true, seq: 9, messages: [{ seq: 5 }, {}, {}, {}, { seq: 9 }] },
    ]);
    expect(since("e1", 12)).toMatchObject([gap]);
    expect(since("e1", 9)).toMatchObject([{ recovered: true, messages: [] }]);
    world.cluster.trim("lobby", 8);
    world.clock.advance(60_000);
    expect(since("e1", 5)).toMatchObject([gap]);
    expect(since("e1", 7)).toMatchObject([{ recovered: true, messages: [{ seq: 8 }, { seq: 9 }] }]);
    expect(world.logged).toEqual([]);
  });
});

describe("leave", () => {
  test("is answered once no message can follow, and told to the others only", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const bob = world.person(site, "bob", "lobby");
    ana.lines();
    bob.say({ type: "leave", id: "l", room: "lobby" });
    ana.say({ type: "send", room: "lobby", text: "after" });
    world.settle();
    expect(bob.lines()).toEqual(['{"type":"left","id":"l","room":"lobby"}']);
    expect(bob.rooms).toEqual([]);
    expect(ana.lines()).toEqual([
      '{"type":"presence","room":"lobby","nick":"bob","state":"leave"}',
      '{"type":"message","seq":1,"at":1000000,"room":"lobby","from":"ana","text":"after"}',
      '{"type":"ack","room":"lobby","seq":1,"at":1000000}',
    ]);
  });

  test("that was carried out but not answered counts", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    site.backplane.failing.add("leave");
    expect(world.ask(ana, { type: "leave", room: "lobby" })).toMatchObject([{ code: "unavailable" }]);
    expect(ana.rooms).toEqual(["lobby"]);
    site.backplane.failing.clear();
    site.backplane.unanswered.add("leave");
    expect(world.ask(ana, { type: "leave", room: "lobby" })).toEqual([{ type: "left", room: "lobby" }]);
  });
});

describe("send", () => {
  test("reaches everybody on every server in one order, and is acknowledged behind the message", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana", "lobby");
    const bob = world.person(world.site(), "bob", "lobby");
    ana.lines();
    ana.say({ type: "send", room: "lobby", id: "a1", text: "from ana" });
    bob.say({ type: "send", room: "Lobby", text: "from bob" });
    world.settle();
    const messages = [
      '{"type":"message","seq":1,"at":1000000,"room":"lobby","id":"a1","from":"ana","text":"from ana"}',
      '{"type":"message","seq":2,"at":1000000,"room":"lobby","from":"bob","text":"from bob"}',
    ];
    const anaHeard = ana.lines();
    const bobHeard = bob.lines();
    expect(anaHeard.filter((line) => line.includes('"message"'))).toEqual(messages);
    expect(bobHeard.filter((line) => line.includes('"message"'))).toEqual(messages);
    const ack = anaHeard.findIndex((line) => line.includes('"type":"ack"') && line.includes('"id":"a1"'));
    expect(JSON.parse(anaHeard[ack] ?? "")).toEqual({
      type: "ack",
      id: "a1",
      room: "lobby",
      seq: 1,
      at: 1_000_000,
    });
    expect(ack).toBeGreaterThan(anaHeard.indexOf(messages[0] ?? ""));
    expect(bobHeard).toContain('{"type":"ack","room":"lobby","seq":2,"at":1000000}');
  });

  test("with an id it had before is answered with the first result", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana", "lobby");
    const again = { type: "send", room: "lobby", id: "x", text: "once" };
    world.ask(ana, again);
    world.clock.advance(5);
    expect(world.ask(ana, again)).toEqual([
      { type: "ack", id: "x", room: "lobby", seq: 1, at: 1_000_000, duplicate: true },
    ]);
    expect(world.cluster.last("lobby")).toBe(1);
  });

  test("the same id from somebody else is another message", () => {
    const world = new World();
    const site = world.site();
    const people = [world.person(site, "ana", "lobby"), world.person(site, "bob", "lobby")];
    for (const person of people) world.ask(person, { type: "send", room: "lobby", id: "1", text: "hi" });
    expect(world.cluster.last("lobby")).toBe(2);
  });

  test("is refused with the reason", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana", "lobby");
    const heard = world.ask(
      ana,
      { type: "send", room: "attic", id: "1", text: "x" },
      { type: "send", room: "a b", id: "2", text: "x" },
      { type: "send", room: "lobby", id: "3", text: "" },
      { type: "send", room: "lobby", id: "4", text: "bell \u0007" },
      { type: "send", room: "lobby", id: "5", text: "é".repeat(4_097) },
      { type: "send", room: "lobby", id: "6" },
      { type: "send", room: "@nobody", id: "7", text: "x" },
      { type: "send", room: "@not a nick", id: "8", text: "x" },
    );
    expect(heard).toMatchObject([
      { id: "1", code: "not-in-room", message: "you are not in attic; join it first" },
      { id: "2", code: "bad-room" },
      { id: "3", code: "bad-text" },
      { id: "4", code: "bad-text" },
      { id: "5", code: "text-too-long" },
      { id: "6", code: "bad-message" },
      {
        id: "7",
        code: "no-such-nick",
        message: "nobody called nobody is connected; check the nick with members",
      },
      { id: "8", code: "bad-nick" },
    ]);
    expect(world.cluster.last("lobby")).toBe(0);
  });

  test("that the backplane does not take is refused, to be repeated with the same id", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const send = { type: "send", room: "lobby", id: "x", text: "once" };
    site.backplane.unanswered.add("publish");
    expect(world.ask(ana, send).map(({ type }) => type)).toEqual(["message", "error"]);
    site.backplane.unanswered.clear();
    expect(world.ask(ana, send)).toMatchObject([{ type: "ack", seq: 1, duplicate: true }]);
  });

  test("too fast is refused until time has passed", () => {
    const world = new World({ messagesPerSecond: 3, messagesBurst: 3 });
    const ana = world.person(world.site(), "ana", "lobby");
    const send = { type: "send", room: "lobby", text: "x" };
    const codes = (): unknown[] =>
      world.ask(ana, send, send, send, send).flatMap((line) => (line.type === "error" ? [line.code] : []));
    expect(codes()).toEqual(["rate-limited"]);
    world.clock.advance(1_000);
    expect(codes()).toEqual(["rate-limited"]);
    world.clock.advance(2_000);
    expect(codes()).toEqual(["rate-limited"]);
  });

  test("too fast is told when it may be sent again, and what is sustained and what at once are two limits", () => {
    const world = new World({ messagesPerSecond: 2, messagesBurst: 5 });
    const ana = world.person(world.site(), "ana", "lobby");
    const heard = () =>
      world.ask(
        ana,
        ...Array.from({ length: 6 }, (_, id) => ({ type: "send", room: "lobby", id: `${id}`, text: "x" })),
      );
    expect(heard().filter((line) => line.type === "error")).toEqual([
      {
        type: "error",
        id: "5",
        code: "rate-limited",
        message: "more than 2 messages a second; send this again in 0.5 s",
        value: "2 messages",
        afterMs: 500,
      },
    ]);
    world.clock.advance(400);
    const last = { type: "send", room: "lobby", id: "5", text: "x" };
    expect(world.ask(ana, last)).toMatchObject([{ code: "rate-limited", afterMs: 100 }]);
    world.clock.advance(100);
    expect(world.ask(ana, last)).toMatchObject([{ type: "message" }, { type: "ack", id: "5" }]);
  });
});

describe("direct messages", () => {
  test("stand in both inboxes, each in its own words", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana");
    const bob = world.person(world.site(), "Bob");
    ana.say({ type: "send", room: "@bob", id: "d", text: "psst" });
    world.settle();
    expect(ana.lines()).toEqual([
      '{"type":"message","seq":1,"at":1000000,"room":"@Bob","id":"d","from":"ana","text":"psst"}',
      '{"type":"ack","id":"d","room":"@Bob","seq":1,"at":1000000}',
    ]);
    expect(bob.lines()).toEqual([
      '{"type":"message","seq":1,"at":1000000,"room":"@ana","id":"d","from":"ana","text":"psst"}',
    ]);
  });

  test("to oneself are notes: logged once", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana");
    expect(world.ask(ana, { type: "send", room: "@ANA", text: "milk" })).toMatchObject([
      { type: "message", seq: 1, room: "@ana", from: "ana", text: "milk" },
      { type: "ack", room: "@ana", seq: 1 },
    ]);
  });

  test("keep their order whichever way the store answers", () => {
    for (let seed = 0; seed < 50; seed += 1) {
      const world = new World();
      const ana = world.person(world.site(), "ana", "lobby");
      const bob = world.person(world.site(), "bob");
      const eva = world.person(world.site(), "eva");
      const random = seededRandom(seed);
      const rooms = ["@bob", "@eva", "lobby", "@bob", "@bob", "@eva", "lobby", "@bob"];
      ana.say(...rooms.map((room, n) => ({ type: "send", id: `${n}`, room, text: `${n}` })));
      while (world.cluster.step(random));
      const texts = (client: TestClient): string[] =>
        client.heard().flatMap((line) => (line.type === "message" ? [line.text] : []));
      expect(texts(bob)).toEqual(["0", "3", "4", "7"]);
      expect(texts(eva)).toEqual(["1", "5"]);
      const acks = ana.heard().flatMap((line) => (line.type === "ack" ? [line.id] : []));
      expect(acks).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
    }
  });

  test("to two people under one id are two messages, on both sides", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana");
    const bob = world.person(world.site(), "bob");
    const eva = world.person(world.site(), "eva");
    const send = (room: string) => ({ type: "send", room, id: "1", text: `to ${room}` });
    expect(world.ask(ana, send("@bob"), send("@eva"))).toMatchObject([
      { type: "message", seq: 1, room: "@bob", text: "to @bob" },
      { type: "ack", seq: 1, room: "@bob" },
      { type: "message", seq: 2, room: "@eva", text: "to @eva" },
      { type: "ack", seq: 2, room: "@eva" },
    ]);
    expect(bob.heard()).toMatchObject([{ text: "to @bob" }]);
    expect(eva.heard()).toMatchObject([{ text: "to @eva" }]);
    expect(world.ask(ana, send("@EVA"))).toEqual([
      { type: "ack", id: "1", room: "@eva", seq: 2, at: 1_000_000, duplicate: true },
    ]);
    expect(eva.heard()).toEqual([]);
  });

  test("that are repeated when the other has gone are known all the same", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana");
    const bob = world.person(site, "bob");
    const first = { type: "send", room: "@bob", id: "d", text: "psst" };
    world.ask(ana, first);
    world.ask(bob, { type: "send", room: "@ana", id: "e", text: "what?" }, { type: "bye" });
    ana.lines();
    expect(world.ask(ana, first, { ...first, id: "e" })).toEqual([
      { type: "ack", id: "d", room: "@bob", seq: 1, at: 1_000_000, duplicate: true },
      {
        type: "error",
        id: "e",
        code: "no-such-nick",
        message: "nobody called bob is connected; check the nick with members",
        value: "bob",
      },
    ]);
    expect(world.ask(ana, { type: "send", room: "@bob", text: "no id" })).toMatchObject([
      { code: "no-such-nick" },
    ]);
    site.backplane.failing.add("history");
    expect(world.ask(ana, first)).toMatchObject([{ code: "unavailable" }]);
  });

  test("are caught up by joining the inbox with a position", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana");
    for (const text of ["1", "2", "3"]) world.ask(ana, { type: "send", room: "@ana", text });
    ana.say({ type: "join", id: "j", room: "@", since: { epoch: "e1", seq: 2 } });
    world.settle();
    expect(ana.lines()).toEqual([
      '{"type":"joined","id":"j","room":"@","epoch":"e1","seq":3,"members":[],"memberCount":0,"topic":"","recovered":true,' +
        '"messages":[{"type":"message","seq":3,"at":1000000,"room":"@ana","from":"ana","text":"3"}]}',
    ]);
  });
});

describe("history", () => {
  const texts = (lines: readonly ServerMessage[]): unknown[] =>
    lines.map((line) =>
      line.type === "history" ? [line.messages.map(({ text }) => text).join(""), line.more, line.next] : line,
    );

  test("pages both ways and says where to go on", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana", "lobby");
    for (const text of "abcdefg") world.ask(ana, { type: "send", room: "lobby", text });
    const ask = (bounds: object): unknown[] => {
      return texts(world.ask(ana, { type: "history", room: "lobby", limit: 3, ...bounds }));
    };
    expect(ask({})).toEqual([["efg", true, 5]]);
    expect(ask({ before: 5 })).toEqual([["bcd", true, 2]]);
    expect(ask({ before: 2 })).toEqual([["a", false, undefined]]);
    expect(ask({ after: 0 })).toEqual([["abc", true, 3]]);
    expect(ask({ after: 3 })).toEqual([["def", true, 6]]);
    expect(ask({ after: 6 })).toEqual([["g", false, undefined]]);
    expect(ask({ after: 7 })).toEqual([["", false, undefined]]);
    expect(ask({ after: 2, before: 5 })).toEqual([["cd", false, undefined]]);
    expect(ask({ after: 1, before: 7 })).toEqual([["bcd", true, 4]]);
    expect(ask({ before: 100 })).toEqual([["efg", true, 5]]);
    world.cluster.trim("lobby", 3);
    expect(ask({ before: 5 })).toEqual([["cd", false, undefined]]);
    ana.say({ type: "history", id: "h", room: "lobby", limit: 1 });
    world.settle();
    expect(ana.lines()).toEqual([
      '{"type":"history","id":"h","room":"lobby","epoch":"e1","more":true,"next":7,"messages":[{"type":"message","seq":7,"at":1000000,"room":"lobby","from":"ana","text":"g"}]}',
    ]);
  });

  test("of the inbox, and of one conversation in it", () => {
    const world = new World({ scanEntries: 4 });
    const site = world.site();
    const ana = world.person(site, "ana");
    world.person(site, "bob");
    world.person(site, "eva");
    const to = (room: string, all: string): void => {
      for (const text of all) world.ask(ana, { type: "send", room, text });
    };
    to("@bob", "ab");
    to("@eva", "cdefg");
    to("@bob", "h");
    const ask = (room: string, bounds: object = {}): unknown[] =>
      texts(world.ask(ana, { type: "history", room, ...bounds }));
    expect(ask("@")).toEqual([["abcdefgh", false, undefined]]);
    expect(ask("@eva")).toEqual([["efg", true, 5]]);
    expect(ask("@EVA", { before: 5 })).toEqual([["cd", false, undefined]]);
    expect(ask("@bob")).toEqual([["h", true, 5]]);
    expect(ask("@bob", { before: 5 })).toEqual([["ab", false, undefined]]);
    expect(ask("@bob", { after: 2 })).toEqual([["", true, 6]]);
    expect(ask("@bob", { after: 6 })).toEqual([["h", false, undefined]]);
    expect(ask("@bob", { limit: 1, after: 0 })).toEqual([["a", true, 1]]);
    expect(ask("@nobody", { after: 6 })).toEqual([["", false, undefined]]);
  });

  test("is refused outside the room and when the log is away", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    site.backplane.failing.add("history");
    const heard = world.ask(
      ana,
      { type: "history", id: "1", room: "attic" },
      { type: "history", id: "2", room: "@no nick" },
      { type: "history", id: "3", room: "lobby" },
      { type: "history", id: "4", room: "lobby", limit: 201 },
    );
    expect(heard).toMatchObject([
      { id: "1", code: "not-in-room" },
      { id: "2", code: "bad-nick" },
      { id: "3", code: "unavailable" },
      { id: "4", code: "bad-message" },
    ]);
  });
});

describe("people", () => {
  test("members are told sorted, with their number", () => {
    const world = new World({ membersListed: 2 });
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    world.person(world.site(), "Bob", "lobby");
    world.person(site, "Älf", "lobby");
    ana.lines();
    ana.say({ type: "members", id: "m", room: "lobby" });
    world.settle();
    expect(ana.lines()).toEqual([
      '{"type":"members","id":"m","room":"lobby","members":["ana","Bob"],"memberCount":3}',
    ]);
    expect(world.ask(ana, { type: "members", room: "attic" })).toMatchObject([{ code: "not-in-room" }]);
  });

  test("rooms are told with members and topic", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby", "attic");
    world.person(site, "bob", "attic");
    world.ask(ana, { type: "topic", room: "attic", text: "dust" });
    ana.say({ type: "rooms", id: "r" });
    world.settle();
    expect(ana.lines()).toEqual([
      '{"type":"rooms","id":"r","rooms":[{"room":"attic","members":2,"topic":"dust"},{"room":"lobby","members":1,"topic":""}]}',
    ]);
    site.backplane.failing.add("rooms");
    expect(world.ask(ana, { type: "rooms" })).toMatchObject([{ code: "unavailable" }]);
  });

  test("rooms that many ask for before there is a first list are asked for once", () => {
    const world = new World({ roomListsPerSecond: 1, roomListsBurst: 2 });
    const site = world.site();
    const people = Array.from({ length: 10 }, (_, number) => world.person(site, `n${number}`));
    for (const client of people) client.say({ type: "rooms" });
    world.settle();
    for (const client of people) expect(client.heard()).toEqual([{ type: "rooms", rooms: [] }]);
    expect(site.backplane.calls.filter((call) => call.startsWith("rooms"))).toHaveLength(2);
    // Also where none can be had.
    const other = world.site();
    other.backplane.failing.add("rooms");
    const guests = Array.from({ length: 10 }, (_, number) => world.person(other, `g${number}`));
    for (const client of guests) client.say({ type: "rooms" });
    world.settle();
    for (const client of guests) expect(client.heard()).toMatchObject([{ code: "unavailable" }]);
    expect(other.backplane.calls.filter((call) => call.startsWith("rooms"))).toHaveLength(2);
  });

  test("rooms that are asked for without pause are told from memory", () => {
    const world = new World({ roomListsPerSecond: 1, roomListsBurst: 2 });
    const site = world.site();
    const [ana, bob] = [world.person(site, "ana", "lobby"), world.person(site, "bob")];
    const asked = () => site.backplane.calls.filter((call) => call.startsWith("rooms")).length;
    const list = (client: TestClient) => world.ask(client, { type: "rooms" });
    const before = [{ type: "rooms", rooms: [{ room: "lobby", members: 1 }] }];
    for (const client of [ana, bob]) expect(list(client)).toMatchObject(before);
    world.ask(bob, { type: "join", room: "attic" });
    for (let again = 0; again < 5; again += 1) expect(list(ana)).toMatchObject(before);
    expect(asked()).toBe(2);
    world.clock.advance(1_000);
    expect(list(ana)).toMatchObject([{ rooms: [{ room: "lobby" }, { room: "attic" }] }]);
    expect(asked()).toBe(3);
  });

  test("a nick is changed in every room, and for what is sent after", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const bob = world.person(world.site(), "bob", "lobby");
    ana.lines();
    const before = ana.handover().token;
    ana.say({ type: "nick", id: "n", nick: "Anna" }, { type: "send", room: "lobby", text: "me" });
    world.settle();
    const rename = '{"type":"presence","room":"lobby","nick":"ana","state":"rename","to":"Anna"}';
    expect(ana.lines()).toEqual([
      rename,
      '{"type":"nick","id":"n","nick":"Anna"}',
      '{"type":"message","seq":1,"at":1000000,"room":"lobby","from":"Anna","text":"me"}',
      '{"type":"ack","room":"lobby","seq":1,"at":1000000}',
    ]);
    expect(bob.lines()[0]).toBe(rename);
    expect(ana.handover().token).not.toBe(before);
    expect(world.ask(bob, { type: "nick", nick: "ANNA" })).toMatchObject([{ code: "nick-taken" }]);
    expect(world.ask(bob, { type: "nick", nick: "BOB" })).toMatchObject([
      { type: "presence", nick: "bob", to: "BOB" },
      { type: "nick", nick: "BOB" },
    ]);
    expect(world.ask(bob, { type: "nick", nick: "BOB" })).toEqual([{ type: "nick", nick: "BOB" }]);
    expect(world.ask(bob, { type: "nick", nick: "" })).toMatchObject([{ code: "bad-nick" }]);
  });
});

describe("topic", () => {
  test("goes to everybody once; the setter's copy is the answer", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana", "lobby");
    const bob = world.person(world.site(), "bob", "lobby");
    ana.lines();
    ana.say({ type: "topic", id: "t", room: "lobby", text: "tea" });
    world.settle();
    expect(ana.lines()).toEqual([
      '{"type":"topic","room":"lobby","text":"tea","by":"ana","at":1000000,"id":"t"}',
    ]);
    expect(bob.lines()).toEqual(['{"type":"topic","room":"lobby","text":"tea","by":"ana","at":1000000}']);
  });

  test("that was set but not answered counts, one that was not is refused", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    site.backplane.unanswered.add("setRecord");
    expect(world.ask(ana, { type: "topic", room: "lobby", text: "tea" })).toMatchObject([{ type: "topic" }]);
    site.backplane.failing.add("setRecord");
    expect(world.ask(ana, { type: "topic", room: "lobby", text: "milk" })).toMatchObject([
      { code: "unavailable" },
    ]);
  });

  test("of a line that is carried out again by another server does not come back over a newer one", () => {
    const world = new World();
    const [first, second] = [world.site(), world.site()];
    const ana = world.person(first, "ana", "lobby");
    const bob = world.person(world.site(), "bob", "lobby");
    const handover = ana.handover();
    world.ask(ana, { type: "topic", id: "t", room: "lobby", text: "old" });
    world.ask(bob, { type: "topic", room: "lobby", text: "new" });
    first.backplane.die();
    const moved = second.edge.resume(handover);
    moved.say({ type: "topic", id: "t", room: "lobby", text: "old" });
    world.settle();
    expect(moved.lines().at(-1)).toBe(
      '{"type":"topic","room":"lobby","text":"new","by":"bob","at":1000000,"id":"t"}',
    );
    expect(world.cluster.log("lobby").records.get("topic")).toContain('"text":"new"');
  });

  test("is not set by a server that was paused, when its session has gone on elsewhere", () => {
    const world = new World();
    const [paused, second] = [world.site(), world.site()];
    const ana = world.person(paused, "ana", "lobby");
    const bob = world.person(world.site(), "bob", "lobby");
    const moved = second.edge.resume(ana.handover());
    // It wakes up with this line to read, before it hears that the session has been taken over.
    ana.say({ type: "topic", room: "lobby", text: "old" });
    world.settle();
    expect(bob.heard()).toEqual([]);
    world.ask(moved, { type: "topic", room: "lobby", text: "new" });
    expect(bob.heard()).toMatchObject([{ type: "topic", text: "new" }]);
  });

  test("is one line and not too long, may be empty, and needs the room", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana", "lobby");
    const heard = world.ask(
      ana,
      { type: "topic", room: "lobby", text: "two\nlines" },
      { type: "topic", room: "lobby", text: "x".repeat(301) },
      { type: "topic", room: "attic", text: "x" },
      { type: "topic", room: "lobby", text: "" },
    );
    expect(heard).toMatchObject([
      { code: "bad-text" },
      { code: "text-too-long" },
      { code: "not-in-room" },
      { type: "topic", text: "" },
    ]);
  });
});

describe("ping and bye", () => {
  test("ping is answered in its turn", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana", "lobby");
    const heard = world.ask(
      ana,
      { type: "send", room: "lobby", text: "x" },
      { type: "ping" },
      { type: "ping", id: "p" },
    );
    expect(heard.map(({ type }) => type)).toEqual(["message", "ack", "pong", "pong"]);
    expect(heard.at(-1)).toEqual({ type: "pong", id: "p" });
  });

  test("bye finishes what was sent before, closes, and frees the nick at once", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    const bob = world.person(site, "bob", "lobby");
    ana.lines();
    ana.say({ type: "send", room: "lobby", text: "ciao" }, { type: "bye" }, { type: "ping" });
    world.settle();
    expect(ana.heard().map(({ type }) => type)).toEqual(["message", "ack"]);
    expect(ana.closed).toBe("bye");
    expect(ana.done).toBe(4);
    expect(bob.heard()).toMatchObject([
      { type: "message" },
      { type: "presence", nick: "ana", state: "leave" },
    ]);
    expect(world.cluster.sessions.size).toBe(1);
    world.person(site, "ana");
  });
});

describe("what is no request", () => {
  test("is refused line by line, and the connection goes on", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana");
    const before = ana.done;
    ana.say(
      "{",
      "[]",
      '{"type":1}',
      '{"type":"fly","id":"f"}',
      '{"type":"join"}',
      "",
      "  ",
      '{"type":"ping"}',
    );
    expect(ana.heard()).toMatchObject([
      { code: "bad-json" },
      { code: "bad-json" },
      { code: "bad-message" },
      { code: "unknown-type", id: "f" },
      { code: "bad-message" },
      { code: "bad-json" },
      { type: "pong" },
    ]);
    ana.sayBytes(new Uint8Array([0xff, 0x0a]));
    expect(ana.heard()).toMatchObject([{ code: "bad-utf8" }]);
    expect(ana.done).toBe(before + 9);
  });

  test("a fault in here is answered, logged, and costs nobody else anything", () => {
    const world = new World();
    const site = world.site();
    const ana = world.person(site, "ana");
    site.backplane.rooms = () => {
      throw new TypeError("planted");
    };
    expect(world.ask(ana, { type: "rooms", id: "r" }, { type: "ping" })).toEqual([
      {
        type: "error",
        id: "r",
        code: "internal",
        message: "the server could not handle this; its log tells why",
      },
      { type: "pong" },
    ]);
    expect(world.logged.join("")).toContain("TypeError: planted");
  });

  test("requests that come too fast are refused", () => {
    const world = new World({ requestsPerSecond: 1, requestsBurst: 3 });
    const ana = world.person(world.site(), "ana", "lobby");
    const heard = world.ask(ana, { type: "rooms" }, { type: "rooms", id: "r" }, { type: "ping" });
    expect(heard).toMatchObject([
      { type: "rooms" },
      {
        type: "error",
        id: "r",
        code: "rate-limited",
        message: "more than 1 requests a second; send this again in 1 s",
        afterMs: 1_000,
      },
      { type: "pong" },
    ]);
  });

  test("more lines than may wait close the session", () => {
    const world = new World({ waitingLines: 5 });
    const site = world.site();
    const ana = world.person(site, "ana");
    ana.say({ type: "rooms" }, ...Array.from({ length: 6 }, () => ({ type: "ping" })));
    expect(ana.closed).toBe("flooding");
    expect(ana.heard()).toMatchObject([{ code: "flooding" }]);
    expect(world.logged).toEqual(['error an edge gave more lines than may wait {"edge":"edge1"}']);
  });
});
