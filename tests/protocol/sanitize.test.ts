/** The promise of src/protocol/sanitize.ts: no foreign string makes a terminal do anything. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { cleanOutgoing, sanitizeLine, sanitizeText } from "../../src/protocol/sanitize.ts";
import { checkText } from "../../src/protocol/texts.ts";

const attacks = [
  ["\u001b[2J\u001b[H", "␛[2J␛[H"],
  ["\u001b]0;owned\u0007", "␛]0;owned␇"],
  ["\u001b]52;c;ZXZpbA==\u001b\\", "␛]52;c;ZXZpbA==␛\\"],
  ["\u009b31mred", "�31mred"],
  ["back\b\b\b\bgone", "back␈␈␈␈gone"],
  ["a\u007fb", "a␡b"],
  ["abc\u202egpj.exe", "abcgpj.exe"],
  ["zero\u200bwidth\ufeff", "zerowidth"],
  ["a\u2067b\u2069c", "abc"],
  ["lone \ud800 surrogate", "lone � surrogate"],
  ["tab\there", "tab    here"],
] as const;

describe("foreign text", () => {
  test.each(attacks)("%j is shown as pictures, not obeyed", (attack, shown) => {
    expect(sanitizeText(attack)).toBe(shown);
    expect(sanitizeLine(attack)).toBe(shown);
  });

  test("keeps its line breaks as text and loses them as a line", () => {
    expect(sanitizeText("one\r\ntwo\rthree\u2028four")).toBe("one\ntwo\nthree\nfour");
    expect(sanitizeLine("one\r\ntwo\rthree\u2028four")).toBe("one two three four");
  });

  test("keeps what people write: emoji sequences, Persian joiners, combining marks, right-to-left text", () => {
    for (const text of ["👨‍👩‍👧‍👦", "می‌خواهم", "é", "שלום world", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "日本語"]) {
      expect(sanitizeLine(text)).toBe(text);
    }
  });

  test("never holds a control character, whatever came in, and cleaning twice changes nothing", () => {
    const unit = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.integer({ min: 0, max: 0x2fff }).map((code) => String.fromCharCode(code)),
      fc.constantFrom("\u001b[", "\r", "\ud800"),
    );
    fc.assert(
      fc.property(
        fc.array(unit).map((parts) => parts.join("")),
        (text) => {
          const shown = sanitizeText(text);
          expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
          expect(shown.isWellFormed()).toBeTrue();
          expect(sanitizeText(shown)).toBe(shown);
          expect(sanitizeLine(text)).not.toContain("\n");
        },
      ),
    );
  });
});

describe("our own text on its way out", () => {
  test("loses the colours of a piped command, keeps tabs and line breaks", () => {
    expect(cleanOutgoing("\u001b[01;34msrc\u001b[0m\tREADME\r\nx\u0007")).toBe("src\tREADME\nx");
  });

  test("is accepted by the server's own check, whatever it was", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 500 }), (text) => {
        const clean = cleanOutgoing(text);
        if (clean !== "") expect(checkText(clean)).toBe(clean);
      }),
    );
  });
});
