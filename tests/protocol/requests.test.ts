import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { clientLimits } from "../../src/protocol/limits.ts";
import { requestSchemas } from "../../src/protocol/request-schemas.ts";
import { checkRequest, parseRequest, RefusedRequest } from "../../src/protocol/requests.ts";
import { checkText, checkTopic } from "../../src/protocol/texts.ts";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value));

function refusalOf(line: Uint8Array): RefusedRequest {
  try {
    parseRequest(line);
  } catch (error) {
    if (error instanceof RefusedRequest) return error;
    throw error;
  }
  throw new Error(`accepted: ${Buffer.from(line).toString()}`);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return "accepted";
}

describe("a request", () => {
  test("has no id that would be another one's as bytes", () => {
    for (const type of ["send", "join"]) {
      const line = Buffer.from(`{"type":"${type}","room":"lobby","text":"x","id":"\\ud800"}`);
      expect(refusalOf(line)).toMatchObject({ code: "bad-message", id: undefined });
      expect(refusalOf(line).message).toContain('field "id"');
      expect(parseRequest(encode({ type, room: "lobby", text: "x", id: "😀" })).id).toBe("😀");
    }
  });

  test("is what it says, with defaults filled in and unknown fields left out", () => {
    expect(parseRequest(encode({ type: "join", room: "lobby", future: 1 }))).toEqual({
      type: "join",
      room: "lobby",
      history: clientLimits.historyDefault,
    });
    expect(parseRequest(encode({ type: "send", room: "@bob", id: "1", text: "hi" }))).toEqual({
      type: "send",
      room: "@bob",
      id: "1",
      text: "hi",
    });
  });

  test.each<[string, string | Uint8Array, string, string]>([
    ["not UTF-8", new Uint8Array([0x7b, 0xff, 0x7d]), "bad-utf8", "not valid UTF-8"],
    ["half a character", Buffer.from('{"type":"é').subarray(0, 10), "bad-utf8", "not valid UTF-8"],
    ["not JSON", "hello", "bad-json", '"hello" is not JSON'],
    ["nothing", "", "bad-json", "is not JSON"],
    ["an array", "[1]", "bad-json", "not an object"],
    ["null", "null", "bad-json", "not an object"],
    ["a number", "7", "bad-json", "not an object"],
    ["no type", "{}", "bad-message", 'no "type"'],
    ["a type that is no string", '{"type":1}', "bad-message", 'no "type"'],
    ["an unknown type", '{"type":"dance"}', "unknown-type", '"dance"'],
    ["a type of every object", '{"type":"toString"}', "unknown-type", '"toString"'],
    ["a type of every object", '{"type":"__proto__"}', "unknown-type", '"__proto__"'],
    ["a missing field", '{"type":"join"}', "bad-message", 'field "room"'],
    ["a wrong field", '{"type":"join","room":1}', "bad-message", 'field "room"'],
    [
      "a deep field",
      '{"type":"join","room":"a","since":{"epoch":"e","seq":-1}}',
      "bad-message",
      'field "since.seq"',
    ],
    ["a limit", '{"type":"history","room":"a","limit":201}', "bad-message", 'field "limit"'],
    ["a long id", `{"type":"ping","id":"${"x".repeat(65)}"}`, "bad-message", 'field "id"'],
  ])("%s is refused by name", (_what, line, code, words) => {
    const refusal = refusalOf(typeof line === "string" ? Buffer.from(line) : line);
    expect(refusal.code).toBe(code as typeof refusal.code);
    expect(refusal.message).toContain(words);
  });

  test("that is refused is answered with its id, if it had a usable one", () => {
    expect(refusalOf(encode({ type: "join", id: "7" })).id).toBe("7");
    expect(refusalOf(encode({ type: "dance", id: "7" })).id).toBe("7");
    expect(refusalOf(encode({ id: "7" })).id).toBe("7");
    expect(refusalOf(encode({ type: "join", id: "" })).id).toBeUndefined();
    expect(refusalOf(encode({ type: "join", id: 7 })).id).toBeUndefined();
    expect(refusalOf(encode({ type: "join", id: "x".repeat(65) })).id).toBeUndefined();
  });

  test("of any bytes is a request or a named refusal whose words are safe to show", () => {
    const looksRight = fc
      .record({
        type: fc.constantFrom(...Object.keys(requestSchemas)),
        rest: fc.dictionary(fc.string(), fc.jsonValue()),
      })
      .map(({ type, rest }) => encode({ ...rest, type }));
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map((json) => Buffer.from(json)),
      looksRight,
    );
    fc.assert(
      fc.property(anything, fc.array(fc.nat(), { maxLength: 3 }), (line, flips) => {
        const bytes = Uint8Array.from(line);
        for (const flip of flips) {
          if (bytes.length === 0) break;
          const at = flip % (bytes.length * 8);
          bytes[at >> 3] = (bytes[at >> 3] ?? 0) ^ (1 << (at & 7));
        }
        try {
          const request = parseRequest(bytes);
          expect(Object.keys(requestSchemas)).toContain(request.type);
        } catch (error) {
          if (!(error instanceof RefusedRequest)) throw error;
          expect(error.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
          expect(error.message.length).toBeLessThan(1_000);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a text", () => {
  test("may be anything that a terminal can be shown", () => {
    for (const text of [
      "hi",
      " ",
      "line\nbreak\tand tab",
      "é😀\u200d",
      "x".repeat(8_192),
      "é".repeat(4_096),
    ]) {
      expect(checkText(text)).toBe(text);
    }
  });

  test("that is empty, too long or has control characters is refused, and the character is named", () => {
    expect(codeOf(() => checkText(""))).toBe("bad-text");
    expect(codeOf(() => checkText("x".repeat(8_193)))).toBe("text-too-long");
    expect(codeOf(() => checkText("é".repeat(4_097)))).toBe("text-too-long");
    expect(codeOf(() => checkText("€".repeat(2_731)))).toBe("text-too-long");
    expect(() => checkText("a\u001b[31mb")).toThrow("U+001B");
    expect(() => checkText("a\u009bb")).toThrow("U+009B");
    expect(codeOf(() => checkText("a\rb"))).toBe("bad-text");
  });

  test("that comes through is well-formed, within its limit and without control characters", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 5_000 }), (text) => {
        try {
          const checked = checkText(text);
          expect(checked.isWellFormed()).toBe(true);
          expect(Buffer.byteLength(checked)).toBeLessThanOrEqual(clientLimits.textBytes);
          expect(checked).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
        }
      }),
    );
  });

  test("a topic is one line, and may be nothing", () => {
    expect(checkTopic("")).toBe("");
    expect(checkTopic("all about 𠮷".repeat(20))).toBe("all about 𠮷".repeat(20));
    expect(codeOf(() => checkTopic("x".repeat(301)))).toBe("text-too-long");
    expect(codeOf(() => checkTopic("a\nb"))).toBe("bad-text");
    expect(codeOf(() => checkTopic("a\tb"))).toBe("bad-text");
  });
});

describe("a request that is mostly read without its schema", () => {
  const bounded = (most: number) =>
    fc.integer({ min: 0, max: 2 }).map((more) => "n".repeat(Math.max(0, most - 1 + more)));
  const odd = fc.oneof(fc.jsonValue(), fc.constant(undefined));
  const field = (most: number) => fc.oneof(fc.string({ maxLength: 8 }), bounded(most), bounded(1), odd);
  const re = fc.record({ kind: fc.constantFrom("reply", "edit", "nothing"), seq: fc.integer() });
  const id = field(clientLimits.idLength);
  const since = fc.record({ epoch: field(64), seq: fc.integer({ min: -1 }) });
  const number = fc.oneof(fc.integer({ min: -2, max: 250 }), fc.double(), odd);
  /** Of each type its fields, and of some of them what is near a request that is taken. */
  const types = {
    send: [
      {
        room: field(256),
        id,
        text: fc.oneof(fc.string(), odd),
        action: fc.oneof(fc.boolean(), odd),
        re: fc.oneof(re, odd),
        by: fc.oneof(fc.constant("a".repeat(43)), odd),
        proof: fc.oneof(bounded(16), bounded(128), odd),
      },
      { room: fc.string(), id, text: fc.string() },
    ],
    hello: [
      {
        id,
        version: number,
        nick: field(256),
        resume: field(1_024),
        client: field(64),
        bot: fc.oneof(fc.boolean(), odd),
      },
      { version: fc.integer(), nick: field(256), resume: bounded(1_024), client: bounded(64) },
    ],
    join: [
      { id, room: field(256), history: number, since: fc.oneof(since, odd) },
      { room: field(256), history: fc.integer({ min: -1, max: 201 }) },
    ],
    ping: [{ id }, {}],
    bye: [{ id }, {}],
  } as const;

  for (const [type, [fields, near]] of Object.entries(types)) {
    test(`gives what the schema gives, and is refused when the schema refuses it: ${type}`, () => {
      const schema = requestSchemas[type as keyof typeof types];
      const constant = { type: fc.constant(type), future: odd };
      const drawn = fc.oneof(
        fc.record({ ...fields, ...constant }, { requiredKeys: ["type"] }),
        fc.record({ ...near, ...constant }, { requiredKeys: ["type"] }),
        fc.record({ ...near, type: fc.constant(type) }),
      );
      const seen = { taken: 0, refused: 0 };
      fc.assert(
        fc.property(drawn, (one) => {
          const object: unknown = JSON.parse(JSON.stringify(one));
          const judged = schema.safeParse(object);
          if (judged.success) {
            seen.taken += 1;
            expect(checkRequest(object)).toStrictEqual(judged.data);
          } else {
            seen.refused += 1;
            expect(codeOf(() => checkRequest(object))).toBe("bad-message");
          }
        }),
        { numRuns: 2_000 },
      );
      expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(100);
    });

    test(`has no field that the shorter way does not know: ${type}`, () => {
      const known = ["type", ...Object.keys(fields)];
      const { shape } = requestSchemas[type as keyof typeof types];
      expect(Object.keys(shape).toSorted()).toEqual(known.toSorted());
    });
  }

  test("is refused by a number that JSON can say and nobody can mean", () => {
    expect(codeOf(() => parseRequest(Buffer.from('{"type":"hello","version":1e999,"nick":"n"}')))).toBe(
      "bad-message",
    );
  });
});
