import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { nameKey, parseNick, parseRoom, quote } from "../../src/protocol/names.ts";

const anything = fc.string({ unit: "binary", maxLength: 40 });

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return "accepted";
}

describe("a key", () => {
  test("is the key of itself, whatever the name", () => {
    fc.assert(
      fc.property(anything, (name) => {
        expect(nameKey(nameKey(name))).toBe(nameKey(name));
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ["ANA", "ana"],
    ["Ａｎａ", "ana"],
    ["STRASSE", "straße"],
    ["STRAẞE", "strasse"],
    ["ΣΊΣΥΦΟΣ", "σίσυφος"],
    ["ﬁn", "FIN"],
    ["é", "e\u0301"],
    ["Ⅳ", "iv"],
    ["ſam", "sam"],
    ["K", "k"],
  ])("of %p and %p is one", (left, right) => {
    expect(nameKey(left)).toBe(nameKey(right));
  });

  test("of every character is the key of itself and of its other cases", () => {
    const wrong: string[] = [];
    for (let point = 0; point < 0x11_0000; point += 1) {
      if (point >= 0xd800 && point < 0xe000) continue;
      const character = String.fromCodePoint(point);
      const others = [character.toUpperCase(), character.toLowerCase(), character.normalize("NFKC")];
      if (others.every((other) => other === character)) continue;
      const key = nameKey(character);
      others.push(key);
      if (others.some((other) => nameKey(other) !== key)) wrong.push(point.toString(16));
    }
    expect(wrong).toEqual([]);
  });

  test("of a whole string is what the keys of its code points make together", () => {
    const byPoint = (name: string): string => {
      let folded = "";
      for (const point of name.normalize("NFKC")) folded += point.toLowerCase().toUpperCase().toLowerCase();
      return folded.normalize("NFKC");
    };
    // Sigmas at ends of words, combining dots and ligatures are where folding by string and by letter could differ.
    const tricky = fc.constantFrom(
      "Σ",
      "σ",
      "ς",
      "ΑΣ ",
      "İ",
      "i̇",
      "I",
      "ẞ",
      "ŉ",
      "ﬃ",
      ".",
      " ",
      "a",
      "\u0307",
      "ΐ",
      "ᾳ",
    );
    const text = fc.array(fc.oneof(tricky, fc.string({ unit: "binary", maxLength: 3 })), { maxLength: 20 });
    fc.assert(
      fc.property(text, (parts) => {
        expect(nameKey(parts.join(""))).toBe(byPoint(parts.join("")));
      }),
      { numRuns: 5_000 },
    );
    for (let point = 0; point < 0x11_0000; point += 1) {
      const character = String.fromCodePoint(point);
      if (character.toLowerCase() === character.toUpperCase()) continue;
      if (nameKey(character) !== byPoint(character)) throw new Error(`U+${point.toString(16)} differs`);
    }
  });

  test("tells different letters apart", () => {
    expect(new Set(["ana", "anа", "аna", "änа", "an4", "a-na"].map(nameKey)).size).toBe(6);
  });
});

describe("a nick", () => {
  test.each([
    "ana",
    "Ana-Maria_3",
    "Łukasz",
    "明日香",
    "नमस्ते",
    "_",
    "-x",
    "7",
    "x".repeat(32),
    "𠮷".repeat(32),
  ])("%p is good, and shown as typed", (nick) => {
    expect(parseNick(nick)).toBe(nick);
  });

  test.each([
    "",
    " ",
    "a b",
    "x".repeat(33),
    "𠮷".repeat(33),
    "a.b",
    "@ana",
    "#lobby",
    "a\u0000b",
    "a\u200db",
    "a\u202eb",
    "\u0301a",
    "a\nb",
    "\u001b[31m",
    "😀",
    "a\ud800",
  ])("%p is not", (nick) => {
    expect(refusal(() => parseNick(nick))).toBe("bad-nick");
  });

  test("is refused or safe to show, whatever it is", () => {
    fc.assert(
      fc.property(anything, (name) => {
        try {
          const shown = parseNick(name);
          expect(shown).toMatch(/^[\p{L}\p{M}\p{N}_-]{1,64}$/u);
          expect(parseNick(shown)).toBe(shown);
          expect(shown.isWellFormed()).toBe(true);
        } catch (error) {
          if (!(error instanceof ProtocolError)) throw error;
          expect(error.message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e]/);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

test("a room is its key, and its key is a room", () => {
  expect(parseRoom("LobBy")).toBe("lobby");
  expect(refusal(() => parseRoom("#lobby"))).toBe("bad-room");
  fc.assert(
    fc.property(anything, (name) => {
      try {
        const room = parseRoom(name);
        expect(parseRoom(room)).toBe(room);
        expect(nameKey(room)).toBe(room);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
      }
    }),
    { numRuns: 2_000 },
  );
});

test("what is quoted is short, on one line, and cannot command a terminal", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (value) => {
      const quoted = quote(value);
      expect(quoted).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      expect(quoted.startsWith('"') && quoted.endsWith('"')).toBe(true);
      expect(quoted.length).toBeLessThan(64 * 6 + 2 + 1);
      expect(quoted.isWellFormed()).toBe(true);
    }),
  );
  expect(quote("x".repeat(65))).toBe(`"${"x".repeat(61)}..."`);
});

test("an ASCII name has the key that folding gives, and is valid as by its letters", () => {
  // By the definition at the head of names.ts, which most names need not go through.
  const folded = (name: string): string =>
    [...name.normalize("NFKC")]
      .map((c) => c.toLowerCase().toUpperCase().toLowerCase())
      .join("")
      .normalize("NFKC");
  const ascii = fc.string({
    unit: fc.integer({ min: 0, max: 127 }).map((code) => String.fromCharCode(code)),
    maxLength: 40,
  });
  const nearly = fc.string({ unit: fc.constantFrom(..."aZ09-_. "), maxLength: 34 });
  fc.assert(
    fc.property(fc.oneof(ascii, nearly, anything), (name) => {
      expect(nameKey(name)).toBe(folded(name));
      const valid = /^[\p{L}\p{N}_-][\p{L}\p{M}\p{N}_-]*$/u.test(name.normalize("NFKC"));
      const short = [...name.normalize("NFKC")].length <= 32;
      const accepted = (() => {
        try {
          parseNick(name);
          return true;
        } catch {
          return false;
        }
      })();
      expect(accepted).toBe(valid && short);
    }),
    { numRuns: 2_000 },
  );
});
