/** Whatever a client says is counted, answered, and hurts nobody else. Seeds are printed by fast-check when one fails. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { World } from "./support/world.ts";

const room = fc.constantFrom(
  "lobby",
  "LOBBY",
  "attic",
  "@",
  "@ana",
  "@x",
  "@eve",
  "",
  "a b",
  "\u0000",
  "é".repeat(40),
);
const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constant("x".repeat(9_000)),
);
const odd = fc.oneof(fc.jsonValue(), text, fc.integer(), fc.constant(undefined));
const id = fc.oneof(fc.string({ maxLength: 70 }), fc.constantFrom("1", "2"), fc.constant(undefined), odd);
const seq = fc.oneof(fc.nat(20), fc.constant(undefined), odd);

/** Requests that are nearly or entirely right. */
const request = fc.record(
  {
    type: fc.oneof(
      {
        weight: 9,
        arbitrary: fc.constantFrom("join", "leave", "send", "history", "members", "rooms", "nick", "topic"),
      },
      { weight: 2, arbitrary: fc.constantFrom("hello", "ping", "constructor", "__proto__") },
      { weight: 1, arbitrary: odd },
    ),
    id,
    room: fc.oneof({ weight: 8, arbitrary: room }, { weight: 1, arbitrary: odd }),
    text: fc.oneof({ weight: 8, arbitrary: text }, { weight: 1, arbitrary: odd }),
    nick: fc.oneof(fc.constantFrom("eve", "Eve", "ana", "x y", ""), odd),
    version: fc.constantFrom(1, 2, "1"),
    history: seq,
    limit: seq,
    before: seq,
    after: seq,
    since: fc.oneof(fc.record({ epoch: fc.constantFrom("e1", "e0"), seq: fc.nat(20) }), odd),
  },
  { requiredKeys: ["type"] },
);

const encoder = new TextEncoder();
const line = fc.oneof(
  { weight: 8, arbitrary: request.map((object) => encoder.encode(JSON.stringify(object))) },
  { weight: 1, arbitrary: fc.string({ unit: "binary" }).map((string) => encoder.encode(string)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }) },
);

const NEWLINE = 0x0a;

test("every line is counted and answered, and the others go on", () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 40 }), (lines) => {
      const world = new World();
      const site = world.site();
      const ana = world.person(site, "ana", "lobby");
      const eve = world.person(site, "eve", "lobby");
      ana.lines();
      const clean = lines.map((bytes) => bytes.filter((byte) => byte !== NEWLINE));
      const chunk = Buffer.concat(clean.flatMap((bytes) => [bytes, Uint8Array.of(NEWLINE)]));
      const before = eve.done;
      eve.sayBytes(chunk);
      world.settle();
      const heard = eve.heard();
      expect(eve.closed).toBeUndefined();
      expect(eve.done).toBe(before + lines.length);
      const answers = heard.filter((one) => one.type !== "message" && one.type !== "presence");
      const empty = clean.filter(
        (bytes) => bytes.length === 0 || (bytes.length === 1 && bytes[0] === 0x0d),
      ).length;
      expect(answers).toHaveLength(lines.length - empty);
      expect(heard.filter((one) => one.type === "error" && one.code === "internal")).toEqual([]);
      expect(world.logged).toEqual([]);
      ana.lines();
      const [message, ack] = world.ask(ana, { type: "send", room: "lobby", id: "still here", text: "hi" });
      expect(message).toMatchObject({ type: "message", text: "hi" });
      expect(ack).toMatchObject({ type: "ack", id: "still here" });
    }),
    { numRuns: 150 },
  );
});
