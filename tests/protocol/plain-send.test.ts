import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeBody, encodeFrom } from "../../src/hub/encode.ts";
import { clientLimits } from "../../src/protocol/limits.ts";
import { readPlainSend } from "../../src/protocol/plain-send.ts";
import { parseRequest } from "../../src/protocol/requests.ts";
import { checkText } from "../../src/protocol/texts.ts";

const plainText = (maxLength: number) =>
  fc
    .string({ unit: "grapheme-ascii", minLength: 1, maxLength })
    .map((text) => text.replaceAll(/["\\]/g, "-"));
const mark = fc.stringMatching(/^[A-Za-z0-9_-]{43}$/);

/** What the long way makes of a line; throws what it throws. */
function longWay(line: Uint8Array): { room: string; id: string; text: string; body: Uint8Array } {
  const request = parseRequest(line);
  if (request.type !== "send") throw new Error(`a ${request.type} was taken for a send`);
  const { room, id = "", by } = request;
  const text = checkText(request.text);
  expect(Object.keys(request).toSorted()).toEqual(
    ["type", "room", "id", "text", ...(by === undefined ? [] : ["by"])].toSorted(),
  );
  return { room, id, text, body: encodeBody(room, id, "ana", text, by === undefined ? undefined : { by }) };
}

function compare(line: Uint8Array): boolean {
  const plain = readPlainSend(line);
  if (plain === undefined) return false;
  const { room, id, text, body } = longWay(line);
  expect({ room: plain.room, id: plain.id, text: plain.text }).toEqual({ room, id, text });
  const made = plain.body(encodeFrom("ana"));
  expect(Buffer.from(made).toString()).toBe(Buffer.from(body).toString());
  const envelope = Buffer.from(made.subarray(0, plain.envelopeLength)).toString();
  expect(envelope).toBe(`"room":"${room}","id":"${id}",`);
  return true;
}

const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describe("a plain send", () => {
  test("is read for what JSON.parse and the schema read, marks included", () => {
    fc.assert(
      fc.property(plainText(64), plainText(64), plainText(400), fc.option(mark), (name, id, text, by) => {
        const room = name.replace(/^@/, "a");
        const send = { type: "send", room, id, text, ...(by === null ? {} : { by }) };
        expect(compare(bytes(send))).toBe(true);
      }),
    );
  });

  test("in other bytes is either the same, or left to the long way", () => {
    const mostly = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>) =>
      fc.oneof({ weight: 8, arbitrary: usual }, { weight: 1, arbitrary: odd });
    const send = fc.record({
      room: mostly(plainText(60), fc.string({ unit: "binary" })),
      id: mostly(plainText(60), fc.string({ maxLength: 80 })),
      text: mostly(plainText(300), fc.string({ unit: "binary" })),
      by: mostly(mark, fc.string({ minLength: 43, maxLength: 43 })),
    });
    const cut = fc.record({ at: fc.nat(200), bytes: fc.uint8Array({ maxLength: 3 }), drop: fc.nat(3) });
    let taken = 0;
    fc.assert(
      fc.property(send, fc.option(cut, { freq: 2 }), ({ room, id, text, by }, change) => {
        const line = bytes({ type: "send", room, id, text, by });
        const other =
          change === null
            ? line
            : Buffer.concat([
                line.subarray(0, change.at),
                change.bytes,
                line.subarray(change.at + change.drop),
              ]);
        if (compare(other)) taken += 1;
      }),
      { numRuns: 150 },
    );
    expect(taken).toBeGreaterThan(5);
  });

  test.each([
    ["a direct message", { type: "send", room: "@bob", id: "1", text: "psst" }],
    ["another order", { type: "send", id: "1", room: "lobby", text: "x" }],
    ["another field", { type: "send", room: "lobby", id: "1", text: "x", action: true }],
    ["no id", { type: "send", room: "lobby", text: "x" }],
    ["an id that is too long", { type: "send", room: "lobby", id: "i".repeat(65), text: "x" }],
    ["no text", { type: "send", room: "lobby", id: "1", text: "" }],
    [
      "a text that is too long",
      { type: "send", room: "lobby", id: "1", text: "x".repeat(clientLimits.textBytes + 1) },
    ],
    ["a tab", { type: "send", room: "lobby", id: "1", text: "a\tb" }],
    ["a quote", { type: "send", room: "lobby", id: "1", text: 'a"b' }],
    ["another script", { type: "send", room: "lobby", id: "1", text: "ñ" }],
    ["DEL", { type: "send", room: "lobby", id: "1", text: "a\u007fb" }],
    ["a mark that is none", { type: "send", room: "lobby", id: "1", text: "x", by: "!".repeat(43) }],
    ["another type", { type: "join", room: "lobby", id: "1" }],
  ])("is not %s", (_, request) => {
    expect(readPlainSend(bytes(request))).toBeUndefined();
  });
});
