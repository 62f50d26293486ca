/** When a text speaks to somebody. */
import { expect, test } from "bun:test";
import { isWord, mentions } from "../../src/tui/model/mentions.ts";

test("by the nick and by other words, as words of their own, in any case or width", () => {
  for (const text of [
    "ana: look",
    "LOOK, ANA!",
    "the Deploy is done",
    "-deploy-",
    "ｄｅｐｌｏｙ",
    "das STRASSE da",
  ])
    expect(mentions(text, "ana", ["deploy", "Straße"])).toBeTrue();
  for (const text of ["banana", "deployment", "an a", ""])
    expect(mentions(text, "ana", ["deploy", "Straße"])).toBeFalse();
  expect(mentions("anything", "", [])).toBeFalse();
});

test("only what is one word can be looked for as one", () => {
  for (const text of ["deploy", "CI", "fünf-nach", "日本"]) expect(isWord(text)).toBeTrue();
  for (const text of ["", "two words", "a.b", "!", "x".repeat(200)]) expect(isWord(text)).toBeFalse();
});
