/** Names that look alike have one key, and whoever writes honestly has a key of their own. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { likenessKey } from "../../src/protocol/look-alikes.ts";
import { nameKey } from "../../src/protocol/names.ts";

describe("the likeness key", () => {
  test.each([
    ["ana", "аnа", "with Cyrillic letters"],
    ["ana", "ANA", "in another case"],
    ["ana", "ａｎａ", "of another width"],
    ["ana", "ɑnɑ", "with another Latin letter"],
    ["ana", "an\u034fa", "with an invisible mark"],
    ["ana", "ana\ufe0f", "with a variation selector"],
    ["paul", "pau1", "with a digit"],
    ["bob", "b0b", "with a nought"],
    ["сор", "cop", "wholly Cyrillic and wholly Latin"],
    ["ο", "o", "one letter, Greek"],
    ["josé", "jose\u0301", "composed and not"],
    ["へいわ", "ヘいわ", "kana of two kinds"],
  ])("%s and %s are alike: %s", (one, other) => {
    expect(likenessKey(one)).toBe(likenessKey(other));
  });

  test.each([
    ["ana", "ann"],
    ["jose", "josé"],
    ["modem", "modern"],
    ["Саша", "Сашка"],
    ["Илья", "Ілля"],
    ["田中", "由中"],
    ["さくら", "サクラ"],
    ["민수", "민주"],
    ["علي", "عمر"],
    ["Nguyễn", "Nguyên"],
    ["web-10", "web-2"],
  ])("%s and %s are told apart", (one, other) => {
    expect(likenessKey(one)).not.toBe(likenessKey(other));
  });

  const character = fc.oneof(
    fc.constantFrom(..."abcmnrl10oO_-IiíßςσİıаnоеՕοაᏏᎪ一ーロ口力カ가각\u0301\u0327\u034f\ufe0f"),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 1 }),
    fc.integer({ min: 0x20, max: 0x2ffff }).map((point) => String.fromCodePoint(point).toWellFormed()),
  );
  const name = fc.array(character, { maxLength: 32 }).map((characters) => characters.join(""));

  test("is its own key, and equal names have equal ones", () => {
    fc.assert(
      fc.property(name, (text) => {
        const key = likenessKey(text);
        expect(likenessKey(key)).toBe(key);
        expect(likenessKey(nameKey(text))).toBe(key);
        expect(likenessKey(text.normalize("NFD"))).toBe(key);
        expect(likenessKey(text.toUpperCase().toLowerCase())).toBe(likenessKey(text.toUpperCase()));
      }),
      { numRuns: 3_000 },
    );
  });

  test("every character of every script has one, by itself", () => {
    const wrong: string[] = [];
    for (let point = 0; point <= 0x32_3af; point += 1) {
      if (point >= 0xd800 && point <= 0xdfff) continue;
      const text = String.fromCodePoint(point);
      const key = likenessKey(text);
      if (likenessKey(key) !== key || key !== likenessKey(nameKey(text))) wrong.push(point.toString(16));
    }
    expect(wrong).toEqual([]);
  });
});
