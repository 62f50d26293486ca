/** Messages about direct messages: each side names them by its own count, and nobody else can. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Message, ServerMessage } from "../../src/protocol/messages.ts";
import type { HubLimits } from "../../src/hub/options.ts";
import type { TestClient } from "./support/edge.ts";
import { World } from "./support/world.ts";

const markOf = (proof: string) => createHash("sha256").update(proof).digest("base64url");
const proof = "a secret of ana alone";
const by = markOf(proof);
const codes = (answers: readonly object[]) => answers.flatMap((one) => ("code" in one ? [one.code] : []));
const messages = (heard: readonly ServerMessage[]) =>
  heard.flatMap((one): Message[] => (one.type === "message" ? [one] : []));
const to = (nick: string, text: string, more: object = {}) => ({
  type: "send",
  room: `@${nick}`,
  text,
  ...more,
});
const about = (kind: string, seq: number) => ({ re: { kind, seq } });

/** Three people on two servers; bob's inbox has counted further than ana's. */
function people(limits: Partial<HubLimits> = {}) {
  const world = new World(limits);
  const one = world.site();
  const two = world.site();
  const ana = world.person(one, "ana");
  const bob = world.person(two, "bob");
  const eve = world.person(two, "eve");
  for (let n = 1; n <= 3; n += 1) world.ask(eve, to("bob", `hello ${n}`, { id: `e${n}` }));
  for (const each of [bob, eve]) each.heard();
  const ask = (who: TestClient, ...requests: readonly object[]) => world.ask(who, ...requests);
  return { world, one, two, ana, bob, eve, ask };
}

describe("in a conversation", () => {
  test("answers, edits, deletions and reactions name the message by the count of each inbox", () => {
    const { ana, bob, ask } = people();
    ask(ana, to("bob", "helo", { id: "a", by }));
    expect(messages(bob.heard())).toMatchObject([{ seq: 4, room: "@ana", text: "helo" }]);
    const edited = messages(ask(ana, to("bob", "hello", { id: "b", by, proof, ...about("edit", 1) })));
    expect(edited).toEqual([
      expect.objectContaining({ seq: 2, room: "@bob", text: "hello", re: { kind: "edit", seq: 1 }, by }),
    ]);
    const [heard] = messages(bob.heard());
    expect(heard).toMatchObject({ seq: 5, room: "@ana", text: "hello", re: { kind: "edit", seq: 4 }, by });
    expect(JSON.stringify(heard)).not.toContain(proof);
    // And from the other side.
    const reply = messages(ask(bob, to("ANA", "hello you", about("reply", 4))));
    expect(reply).toMatchObject([{ seq: 6, re: { kind: "reply", seq: 4 } }]);
    expect(messages(ana.heard())).toMatchObject([
      { seq: 3, room: "@bob", from: "bob", re: { kind: "reply", seq: 1 } },
    ]);
    ask(ana, to("bob", "👍", about("reaction", 3)));
    expect(messages(bob.heard())).toMatchObject([{ text: "👍", re: { kind: "reaction", seq: 6 } }]);
    ask(ana, to("bob", "(gone)", { by, proof, ...about("delete", 1) }));
    expect(messages(bob.heard())).toMatchObject([{ re: { kind: "delete", seq: 4 } }]);
    const [page] = ask(bob, { type: "history", room: "@ana" });
    expect(page).toMatchObject({
      type: "history",
      messages: [{ seq: 4 }, { seq: 5, re: { seq: 4 } }, { seq: 6, re: { seq: 4 } }, { seq: 7 }, { seq: 8 }],
    });
  });

  test("nobody edits or deletes what the other said, whatever mark and proof they give", () => {
    const { ana, bob, ask } = people();
    ask(ana, to("bob", "mine", { by }));
    for (const each of [ana, bob]) each.heard();
    const other = "another secret altogether";
    for (const kind of ["edit", "delete"]) {
      for (const claim of [
        {},
        { by, proof: by },
        { by: markOf(other), proof: other },
        { by, proof: other },
      ]) {
        const answers = ask(bob, to("ana", "forged", { ...about(kind, 4), ...claim }));
        expect(codes(answers)).toEqual(["not-yours"]);
      }
    }
    for (const each of [ana, bob]) expect(each.heard()).toEqual([]);
  });

  test("only messages of this conversation can be named", () => {
    const { ana, bob, eve, ask } = people();
    ask(ana, to("bob", "for bob", { id: "x", by }));
    ask(ana, to("eve", "for eve", { id: "x", by }));
    ask(ana, to("eve", "for bob", { id: "y", by }));
    for (const each of [bob, eve]) each.heard();
    // Ana's 2 is of the conversation with eve: nothing about it is told to bob, also where the id is the same.
    for (const kind of ["reply", "reaction", "edit", "delete"]) {
      for (const seq of [2, 3, 4, 99]) {
        const answers = ask(ana, to("bob", "x", { by, proof, ...about(kind, seq) }));
        expect(codes(answers)).toEqual(["no-such-message"]);
      }
    }
    // Eve has never seen it; the numbers she may try are those of her own inbox.
    for (let seq = 1; seq <= 8; seq += 1) {
      const answers = ask(eve, to("bob", "x", { by, ...about("reaction", seq) }));
      expect(codes(answers)).toEqual(seq <= 3 ? [] : ["no-such-message"]);
    }
    expect(messages(bob.heard()).map(({ re }) => re?.seq)).toEqual([1, 2, 3]);
    expect(codes(ask(ana, to("bob", "x", about("reply", 0))))).toEqual(["bad-message"]);
    // A change of a change.
    ask(ana, to("bob", "👍", about("reaction", 1)));
    expect(codes(ask(ana, to("bob", "x", about("reply", 4))))).toEqual(["no-such-message"]);
  });

  test("whoever has the nick later can be told nothing about what was said to the former one", () => {
    const { world, two, ana, bob, ask } = people();
    ask(ana, to("bob", "between us", { by }));
    world.ask(bob, { type: "bye" });
    const other = world.person(two, "bob");
    expect(codes(ask(ana, to("bob", "still between us", { by, proof, ...about("edit", 1) })))).toEqual([
      "no-such-message",
    ]);
    expect(other.heard()).toEqual([]);
  });

  test("a note to oneself can be changed as well", () => {
    const { ana, ask } = people();
    ask(ana, to("bob", "to bob", { by }), to("ana", "buy mlik", { by }));
    expect(messages(ask(ana, to("ana", "buy milk", { by, proof, ...about("edit", 2) })))).toMatchObject([
      { seq: 3, room: "@ana", re: { kind: "edit", seq: 2 } },
    ]);
    expect(codes(ask(ana, to("ana", "x", { by, proof, ...about("edit", 1) })))).toEqual(["no-such-message"]);
  });

  test("a repeat is answered with the first result, also when the original has gone too far back", () => {
    const { ana, bob, eve, ask } = people({ scanEntries: 5, historyMost: 2 });
    ask(ana, to("bob", "helo", { by }));
    const edit = to("bob", "hello", { id: "again", by, proof, ...about("edit", 1) });
    const first = ask(ana, edit).find(({ type }) => type === "ack");
    expect(first).toMatchObject({ seq: 2 });
    expect(ask(ana, edit)).toEqual([{ ...first, duplicate: true } as ServerMessage]);
    bob.heard();
    for (let n = 1; n <= 6; n += 1) ask(eve, to("bob", `more ${n}`));
    bob.heard();
    expect(ask(ana, edit)).toEqual([{ ...first, duplicate: true } as ServerMessage]);
    const later = to("bob", "hello!", { id: "later", by, proof, ...about("edit", 1) });
    expect(codes(ask(ana, later))).toEqual(["no-such-message"]);
    expect(bob.heard()).toEqual([]);
  });

  test("keeps the order of lines while the originals are looked up", () => {
    const { world, ana, bob, ask } = people();
    ask(ana, to("bob", "1", { by }));
    bob.heard();
    ana.say(to("bob", "2", { by, proof, ...about("edit", 1) }), to("bob", "3"), to("bob", "4"));
    world.settle();
    expect(messages(bob.heard()).map(({ text }) => text)).toEqual(["2", "3", "4"]);
  });
});
