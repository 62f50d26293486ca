/** Messages about messages, search, whois and typing, answered by hubs of one cluster. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { ServerMessage } from "../../src/protocol/messages.ts";
import { World } from "./support/world.ts";
import type { Site } from "./support/world.ts";

const markOf = (proof: string) => createHash("sha256").update(proof).digest("base64url");
const proof = "a secret of ana alone";
const by = markOf(proof);

function lobby() {
  const world = new World();
  const one = world.site();
  const two = world.site();
  const ana = world.person(one, "ana", "lobby");
  const bob = world.person(two, "bob", "lobby");
  world.settle();
  ana.heard();
  return { world, ana, bob };
}
const send = (text: string, more: object = {}) => ({ type: "send", room: "lobby", text, ...more });
const codes = (answers: readonly object[]) => answers.flatMap((one) => ("code" in one ? [one.code] : []));

describe("send", () => {
  test("carries what a message is about, its mark and that it is an action, but never the proof", () => {
    const { world, ana, bob } = lobby();
    world.ask(ana, send("first", { by }));
    world.ask(ana, send("waves", { action: true, by }));
    world.ask(ana, send("second thoughts", { re: { kind: "edit", seq: 1 }, by, proof, id: "e" }));
    expect(bob.lines()).toEqual([
      `{"type":"message","seq":1,"at":1000000,"room":"lobby","from":"ana","by":"${by}","text":"first"}`,
      `{"type":"message","seq":2,"at":1000000,"room":"lobby","from":"ana","action":true,"by":"${by}","text":"waves"}`,
      `{"type":"message","seq":3,"at":1000000,"room":"lobby","id":"e","from":"ana","re":{"kind":"edit","seq":1},"by":"${by}","text":"second thoughts"}`,
    ]);
  });

  test("lets anybody reply and react, but only the author edit and delete, whoever has the nick", () => {
    const { world, ana, bob } = lobby();
    world.ask(ana, send("mine", { by }));
    const about = (kind: string) => ({ re: { kind, seq: 1 } });
    expect(codes(world.ask(bob, send("yes", about("reply"))))).toEqual([]);
    expect(codes(world.ask(bob, send("👍", about("reaction"))))).toEqual([]);
    expect(codes(world.ask(bob, send("forged", about("edit"))))).toEqual(["not-yours"]);
    const other = "another secret altogether";
    const forged = { ...about("delete"), proof: other, by: markOf(other) };
    expect(codes(world.ask(bob, send("forged", forged)))).toEqual(["not-yours"]);
    // The mark is known to all; the proof is not.
    expect(codes(world.ask(bob, send("forged", { ...about("edit"), by, proof: by })))).toEqual(["not-yours"]);
    world.ask(ana, { type: "nick", nick: "anna" });
    expect(codes(world.ask(ana, send("gone", { ...about("delete"), by, proof })))).toEqual([]);
  });

  test("names only messages that are there, and no changes of changes", () => {
    const { world, ana } = lobby();
    world.ask(ana, send("one", { by }));
    world.ask(ana, send("👍", { re: { kind: "reaction", seq: 1 }, by }));
    for (const seq of [3, 99]) {
      expect(codes(world.ask(ana, send("x", { re: { kind: "reply", seq } })))).toEqual(["no-such-message"]);
    }
    expect(codes(world.ask(ana, send("x", { re: { kind: "edit", seq: 2 }, proof })))).toEqual([
      "no-such-message",
    ]);
    expect(codes(world.ask(ana, send("x", { re: { kind: "reply", seq: 0 } })))).toEqual(["bad-message"]);
  });

  test("keeps the order of lines while it looks the original up", () => {
    const { world, ana, bob } = lobby();
    world.ask(ana, send("1", { by }));
    bob.heard();
    ana.say(send("2", { re: { kind: "edit", seq: 1 }, by, proof }), send("3"), send("4"));
    world.settle();
    expect(bob.heard().map((one) => ("text" in one ? one.text : one.type))).toEqual(["2", "3", "4"]);
  });
});

describe("search", () => {
  test("finds all words in any case and width, the newest up to the limit, and says where to go on", () => {
    const { world, ana } = lobby();
    for (let n = 1; n <= 30; n += 1)
      world.ask(ana, send(n % 3 === 0 ? `Deploy ＤＯＮＥ ${n}` : `chatter ${n}`));
    const [found] = world.ask(ana, {
      type: "search",
      id: "s",
      room: "lobby",
      words: "done deploy",
      limit: 4,
    });
    expect(found).toMatchObject({ type: "found", id: "s", room: "lobby", more: true, looked: 10, next: 21 });
    const seqs = (answer: unknown) =>
      (answer as { messages: { seq: number }[] }).messages.map(({ seq }) => seq);
    expect(seqs(found)).toEqual([21, 24, 27, 30]);
    const [rest] = world.ask(ana, { type: "search", room: "lobby", words: "DONE", before: 21, from: "ANA" });
    expect(rest).toMatchObject({ more: false });
    expect(seqs(rest)).toEqual([3, 6, 9, 12, 15, 18]);
    const [none] = world.ask(ana, { type: "search", room: "lobby", words: "done", from: "bob" });
    expect(none).toMatchObject({ messages: [], looked: 30, more: false });
    expect(codes(world.ask(ana, { type: "search", room: "elsewhere", words: "x" }))).toEqual(["not-in-room"]);
  });

  test("looks through a bounded part a request", () => {
    const world = new World({ searchEntries: 10 });
    const ana = world.person(world.site(), "ana", "lobby");
    for (let n = 1; n <= 25; n += 1) world.ask(ana, send(`n${n}`));
    const looked: number[] = [];
    let before: number | undefined;
    for (let page = 0; page < 5; page += 1) {
      const bound = before === undefined ? {} : { before };
      const [found] = world.ask(ana, { type: "search", room: "lobby", words: "nothing", ...bound });
      if (found?.type !== "found") throw new Error("no answer");
      looked.push(found.looked);
      if (!found.more) break;
      before = found.next;
    }
    expect(looked).toEqual([10, 10, 5]);
  });

  test("of long messages looks through fewer of them, and lets others in between its parts", () => {
    const world = new World({ searchBytes: 20_000, replyBytes: 5_000 });
    const ana = world.person(world.site(), "ana", "lobby");
    for (let n = 1; n <= 30; n += 1) world.ask(ana, send(`${n} ${"x".repeat(1_000)}`));
    const search = { type: "search", room: "lobby", words: "nothing" };
    expect(world.ask(ana, search)).toEqual([]);
    const answers: ServerMessage[] = [];
    for (let part = 0; part < 10 && answers.length === 0; part += 1) {
      world.clock.advance(0);
      world.settle();
      answers.push(...ana.heard());
    }
    const [found] = answers;
    if (found?.type !== "found") throw new Error("no answer");
    expect(found).toMatchObject({ more: true, messages: [] });
    expect(found.looked).toBeGreaterThanOrEqual(16);
    expect(found.looked).toBeLessThanOrEqual(20);
    expect(found.next).toBe(31 - found.looked);
  });
});

describe("a search that begins further down", () => {
  const readsOf = (world: World, site: Site, ask: () => void): string[] => {
    site.backplane.calls.length = 0;
    ask();
    for (let part = 0; part < 200; part += 1) {
      world.settle();
      world.clock.advance(0);
    }
    return site.backplane.calls.filter((call) => call.startsWith("history"));
  };

  test("looks through a bounded part of what is above, in bytes too", () => {
    const world = new World({ searchBytes: 5_000, replyBytes: 2_000 });
    const site = world.site();
    const ana = world.person(site, "ana", "lobby");
    for (let n = 1; n <= 100; n += 1) world.ask(ana, send(`${n} ${"x".repeat(1_000)}`));
    const search = { type: "search", room: "lobby", words: "nothing", before: 3 };
    // A message a read: five replies' worth above, and the two below.
    const reads = readsOf(world, site, () => ana.say(search));
    expect(ana.heard()).toMatchObject([{ type: "found", looked: 2, more: false }]);
    expect(reads.length).toBeLessThan(5 * 5 + 5);
  });

  test("remembers what is above from the reply before, unless that is much", () => {
    for (const [length, first] of [
      [10, "lobby 11 "],
      [1_000, "lobby 26 "],
    ] as const) {
      const world = new World({ searchEntries: 15, replyBytes: 3_000 });
      const site = world.site();
      const ana = world.person(site, "ana", "lobby");
      for (let n = 1; n <= 20; n += 1) world.ask(ana, send(`n${n}`, { by }));
      for (let seq = 1; seq <= 5; seq += 1) {
        const re = { kind: "edit", seq };
        world.ask(ana, send("y".repeat(length), { by, proof, re }));
      }
      ana.heard();
      const search = { type: "search", room: "lobby", words: "n" };
      readsOf(world, site, () => ana.say(search));
      const [found] = ana.heard();
      expect(found).toMatchObject({ more: true, next: 11 });
      const reads = readsOf(world, site, () => ana.say({ ...search, before: 11 }));
      expect(reads[0]).toContain(first);
      const [rest] = ana.heard();
      const seqs = rest?.type === "found" ? rest.messages.map(({ seq }) => seq) : [];
      expect(seqs).toEqual([6, 7, 8, 9, 10]);
    }
  });
});

describe("away", () => {
  test("is heard by all who share a room, told to who comes later, and ends with a message", () => {
    const { world, ana, bob } = lobby();
    expect(world.ask(ana, { type: "away", away: true, text: "lunch", id: "a" })).toEqual([
      { type: "away", room: "lobby", nick: "ana", away: true, text: "lunch" },
      { type: "away", id: "a", nick: "ana", away: true, text: "lunch" },
    ]);
    expect(bob.heard()).toEqual([{ type: "away", room: "lobby", nick: "ana", away: true, text: "lunch" }]);
    const cid = world.site().edge.open();
    const [, joined] = world.ask(
      cid,
      { type: "hello", version: 1, nick: "cid" },
      { type: "join", room: "lobby" },
    );
    expect(joined).toMatchObject({ members: ["ana", "bob", "cid"], away: { ana: "lunch" } });
    expect(world.ask(bob, { type: "whois", nick: "ana" }).at(-1)).toMatchObject({ away: "lunch" });
    const direct = { type: "send", room: "@ana", text: "are you there?" };
    expect(world.ask(bob, direct).at(-1)).toMatchObject({ type: "ack", away: "lunch" });
    ana.heard();
    const said = world.ask(ana, send("here I am"));
    expect(said.filter(({ type }) => type === "away")).toEqual([
      { type: "away", room: "lobby", nick: "ana", away: false },
      { type: "away", nick: "ana", away: false },
    ]);
    expect(world.ask(bob, { type: "members", room: "lobby" }).at(-1)).not.toHaveProperty("away");
    expect(world.ask(bob, direct).at(-1)).not.toHaveProperty("away");
  });

  test("is refused over its length and with line breaks, and needs no words", () => {
    const { world, ana } = lobby();
    const away = (text?: string) => ({ type: "away", away: true, text });
    expect(codes(world.ask(ana, away("x".repeat(121))))).toEqual(["text-too-long"]);
    expect(codes(world.ask(ana, away("two\nlines")))).toEqual(["bad-text"]);
    expect(world.ask(ana, away()).at(-1)).toEqual({ type: "away", nick: "ana", away: true });
    expect(world.ask(ana, { type: "whois", nick: "ana" }).at(-1)).toMatchObject({ away: "" });
  });

  test("goes with the session to another server", () => {
    const world = new World();
    const one = world.site();
    const two = world.site();
    const ana = one.edge.open();
    const [welcome] = world.ask(
      ana,
      { type: "hello", version: 1, nick: "ana" },
      { type: "join", room: "lobby" },
    );
    if (welcome?.type !== "welcome") throw new Error("not welcome");
    const bob = world.person(two, "bob", "lobby");
    world.ask(ana, { type: "away", away: true, text: "lunch" });
    bob.heard();
    const again = two.edge.open();
    const hello = { type: "hello", version: 1, nick: "ana", resume: welcome.resume };
    expect(world.ask(again, hello, { type: "join", room: "lobby" })).toMatchObject([
      { type: "welcome", resumed: true, away: "lunch" },
      { type: "joined", away: { ana: "lunch" } },
    ]);
    expect(bob.heard()).toEqual([]);
    world.ask(again, send("back again"));
    expect(bob.heard()[0]).toEqual({ type: "away", room: "lobby", nick: "ana", away: false });
  });
});

describe("whois and typing", () => {
  test("whois tells whether somebody is connected, and only the rooms that both are in", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana", "lobby", "ops");
    world.person(world.site(), "Bob", "lobby", "secret");
    ana.heard();
    expect(world.ask(ana, { type: "whois", nick: "BOB", id: "w" })).toEqual([
      { type: "whois", id: "w", nick: "Bob", connected: true, rooms: ["lobby"] },
    ]);
    expect(world.ask(ana, { type: "whois", nick: "eve" })).toEqual([
      { type: "whois", nick: "eve", connected: false, rooms: [] },
    ]);
  });

  test("typing that is said over and over is answered, and told now and then", () => {
    const world = new World();
    const ana = world.person(world.site(), "ana", "lobby");
    const bob = world.person(world.site(), "bob", "lobby");
    const said = Array.from({ length: 50 }, () => ({ type: "typing", room: "lobby" }));
    ana.heard();
    expect(world.ask(ana, ...said)).toHaveLength(50);
    expect(bob.heard()).toHaveLength(5);
    world.clock.advance(2_000);
    world.ask(ana, ...said);
    expect(bob.heard()).toHaveLength(2);
  });

  test("typing is heard by the others on every server, and not by oneself", () => {
    const { world, ana, bob } = lobby();
    const cid = world.person(world.site(), "cid", "ops");
    bob.heard();
    expect(world.ask(ana, { type: "typing", room: "lobby", id: "t" })).toEqual([
      { type: "typing", room: "lobby", nick: "ana", id: "t" },
    ]);
    expect(bob.heard()).toEqual([{ type: "typing", room: "lobby", nick: "ana" }]);
    expect(cid.heard()).toEqual([]);
    expect(codes(world.ask(cid, { type: "typing", room: "lobby" }))).toEqual(["not-in-room"]);
  });
});
