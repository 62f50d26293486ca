/** Which words are in which texts, and that an index of tokens never hides one. */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { foldText, hasWords, indexedTokens, indexExpression, readWanted } from "../../src/protocol/search.ts";

const has = (text: string, words: string): boolean =>
  hasWords(foldText(text), readWanted(words, undefined).words);

test.each([
  ["the deployment is done", "deploy"],
  ["Größe der STRASSE", "grosse straße"],
  ["un café à Málaga", "CAFE malaga"],
  ["naïve", "naive"],
  ["ＦＵＬＬ width", "full"],
  ["ΟΔΟΣΉΜΑΝΣΗ", "οδος"],
  ["İstanbul", "istanbul"],
  ["שָׁלוֹם", "שלום"],
  ["مَرحَبًا", "مرحبا"],
  ["東京タワーへ行く", "タワー"],
  ["東京タワーへ行く", "行"],
  ["ไปเที่ยวกรุงเทพ", "กรุงเทพ"],
  ["한국어를 배우다", "한국어"],
  ["see node.js:8080", "node.js 8080"],
  ["see node.js:8080", ".js"],
  ["done 🎉", "🎉"],
  ["first\nsecond", "second first"],
  ["rtchatは速い", "rtchat"],
  ["a_b snake_case", "snake"],
])("%p has %p", (text, words) => expect(has(text, words)).toBe(true));

test.each([
  ["redeploy", "deploy"],
  ["the end", "then"],
  ["one two", "one three"],
  ["東京", "京東"],
  ["node js", "node.js"],
])("%p does not have %p", (text, words) => expect(has(text, words)).toBe(false));

test("a word is had where it begins one, found by whatever way", () => {
  const spaceless = String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u30fc\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}`;
  const wordEnd = new RegExp(String.raw`(?![${spaceless}])[\p{L}\p{M}\p{N}_]$`, "u");
  const wordStart = new RegExp(String.raw`^(?![${spaceless}])[\p{L}\p{M}\p{N}_]`, "u");
  const plainly = (folded: string, word: string): boolean => {
    for (let at = folded.indexOf(word); at !== -1; at = folded.indexOf(word, at + 1)) {
      if (!wordStart.test(word) || at === 0 || !wordEnd.test(folded.slice(Math.max(0, at - 2), at)))
        return true;
    }
    return false;
  };
  const piece = fc.constantFrom(
    "a",
    "ab",
    "b",
    " ",
    ".",
    "_",
    "1",
    "é",
    "ж",
    "東",
    "ー",
    "ไ",
    "𝄞",
    "𐐨",
    "𠮷",
    "🎉",
    "\n",
  );
  const pieces = (maxLength: number) =>
    fc.array(piece, { minLength: 1, maxLength }).map((all) => foldText(all.join("")));
  fc.assert(
    fc.property(pieces(30), pieces(3), (folded, typed) => {
      for (const word of typed.split(/\s+/).filter(Boolean)) {
        expect(hasWords(folded, [word]), `${folded} / ${word}`).toBe(plainly(folded, word));
      }
    }),
    { numRuns: 3_000 },
  );
});

test("a text that is made to be slow to look through is not", () => {
  const words = Array.from({ length: 19 }, (_, n) => "a".repeat(n + 1));
  const text = foldText(`x${"a".repeat(8_000)} ${"a".repeat(20)}`);
  const look = (): number => {
    const from = process.cpuUsage().user;
    for (let round = 0; round < 20; round += 1) expect(hasWords(text, words)).toBe(true);
    return (process.cpuUsage().user - from) / 20_000;
  };
  look();
  // Well under a millisecond, where looking at each place by a regular expression took 50 ms or more.
  expect(Math.min(look(), look(), look())).toBeLessThan(15);
});

test("the index is asked for nothing but quoted tokens, whatever was typed", () => {
  const token = /^"[^"\s]+"\*?$/;
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (typed) => {
      const expression = indexExpression(readWanted(typed, undefined));
      for (const term of expression?.split(" ") ?? []) expect(term).toMatch(token);
    }),
  );
  const typed = `" OR NEAR(a b) tokens:x* -- ^c {d} AND NOT`;
  expect(indexExpression(readWanted(typed, undefined))).toBe(
    `"or"* "near" "a"* "b" "tokens" "x" "c"* "d" "and"* "not"*`,
  );
});

test("a text that has the words has their tokens, in FTS5 itself", () => {
  const db = new Database(":memory:");
  db.run(
    `CREATE VIRTUAL TABLE t USING fts5(x, content = '', detail = none, prefix = '2 3', tokenize = "ascii tokenchars '-_'")`,
  );
  // One transaction: what is looked for after each insert is seen in it, and a commit costs more than the rest.
  db.run("BEGIN");
  const add = db.prepare("INSERT INTO t (rowid, x) VALUES (?, ?)");
  const find = db.prepare<{ rowid: number }, [string, number]>(
    "SELECT rowid FROM t WHERE t MATCH ? AND rowid = ?",
  );
  let row = 0;
  let asked = 0;
  const piece = fc.constantFrom(
    ..."a b deploy node.js É straße ß タワー 東京 行 の ー กรุงเทพ 한국 🎉 👩‍💻 , . - _ ' \" ( * שָׁ ﬁ ½ İ Σ".split(
      " ",
    ),
    " ",
    "\n",
  );
  const text = fc.oneof(
    fc.array(piece, { minLength: 1, maxLength: 12 }).map((pieces) => pieces.join("")),
    fc.string({ unit: "binary", minLength: 1, maxLength: 30 }),
  );
  fc.assert(
    fc.property(text, fc.nat(), fc.nat(12), fc.boolean(), (said, start, length, byAuthor) => {
      const folded = foldText(said);
      const at = start % (folded.length + 1);
      // A part of the text, and so often one that it has.
      const wanted = readWanted(folded.slice(at, at + length), byAuthor ? "Ana-1" : undefined);
      row += 1;
      add.run(row, indexedTokens(folded, "aNa-1"));
      if (!hasWords(folded, wanted.words)) return;
      const expression = indexExpression(wanted);
      if (expression === undefined) return;
      asked += 1;
      expect(find.get(expression, row)?.rowid, `${JSON.stringify(said)}: ${expression}`).toBe(row);
    }),
    { numRuns: 1_500 },
  );
  expect(asked).toBeGreaterThan(300);
  db.close();
}, 30_000);
