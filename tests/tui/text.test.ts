/** Widths, wrapping, links and escapes: what makes a row a row. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { sanitizeLine } from "../../src/protocol/sanitize.ts";
import { Pens } from "../../src/tui/text/ansi.ts";
import { findLinks } from "../../src/tui/text/links.ts";
import { fitRow, plain, rowWidth, wrap } from "../../src/tui/text/spans.ts";
import { fit, pad, widthOf } from "../../src/tui/text/width.ts";
import { awkward } from "./awkward.ts";

const rowText = (row: readonly { text: string }[]) => row.map(({ text }) => text).join("");

describe("awkward strings", () => {
  test("there are sixty of them", () => {
    expect(awkward.length).toBeGreaterThanOrEqual(60);
  });

  test.each(awkward)("%s", (_, text, shown, width) => {
    const safe = sanitizeLine(text);
    expect(safe).toBe(shown);
    expect(widthOf(safe)).toBe(width);
    for (const columns of [20, 33, 80]) {
      const rows = wrap([plain(safe)], columns);
      for (const row of rows) expect(rowWidth(row)).toBeLessThanOrEqual(columns);
      expect(rows.map(rowText).join("")).toBe(shown.replace(/ +$/, ""));
      expect(widthOf(pad(safe, columns))).toBe(columns);
      expect(rowWidth(fitRow([plain(safe)], columns))).toBe(columns);
      expect(widthOf(fit(safe, columns))).toBeLessThanOrEqual(columns);
    }
  });

  test("a letter with a hundred marks keeps a few", () => {
    const zalgo = `a${"\u0301".repeat(100)}b`;
    const [row] = wrap([plain(zalgo)], 10);
    expect(rowText(row!).length).toBeLessThan(12);
    expect(rowWidth(row!)).toBe(2);
  });
});

describe("wrapping", () => {
  test("breaks at spaces, keeps styles, and breaks long words between clusters", () => {
    const rows = wrap([{ text: "one two ", style: { bold: true } }, plain("three👨‍👩‍👧👨‍👩‍👧four")], 9);
    expect(rows.map(rowText)).toEqual(["one two", "three👨‍👩‍👧👨‍👩‍👧", "four"]);
    expect(rows[0]![0]!.style).toEqual({ bold: true });
  });

  test("begins a word that no row holds behind a short one, not behind a long one", () => {
    const shown = (text: string) => wrap([plain(text)], 10).map(rowText);
    expect(shown("go 'abcdefghijklmnop'")).toEqual(["go 'abcdef", "ghijklmnop", "'"]);
    expect(shown("go on to abcdefghijkl")).toEqual(["go on to", "abcdefghij", "kl"]);
    expect(shown("go abcdefghij")).toEqual(["go", "abcdefghij"]);
  });

  test("gives line breaks rows of their own, empty ones too", () => {
    expect(wrap([plain("a\n\nb")], 5).map(rowText)).toEqual(["a", "", "b"]);
    expect(wrap([plain("")], 5).map(rowText)).toEqual([""]);
  });

  test("loses nothing but white space at breaks, for any text and width", () => {
    const text = fc.string({ unit: "grapheme" }).map((one) => sanitizeLine(one));
    fc.assert(
      fc.property(fc.array(text), fc.integer({ min: 2, max: 30 }), (texts, columns) => {
        const rows = wrap(texts.map(plain), columns);
        for (const row of rows) expect(rowWidth(row)).toBeLessThanOrEqual(columns);
        expect(rows.map(rowText).join("").replaceAll(" ", "")).toBe(texts.join("").replaceAll(" ", ""));
      }),
    );
  });
});

describe("links", () => {
  test.each([
    ["see https://example.org/a_(b).", ["https://example.org/a_(b)"]],
    ["(https://example.org/x)", ["https://example.org/x"]],
    ["http://a.b, https://c.d!", ["http://a.b", "https://c.d"]],
    ["nothing here: example.org", []],
    ["mailto:ana@example.org", ["mailto:ana@example.org"]],
  ])("in %j are %j", (text, links) => {
    const parts = findLinks(text);
    expect(parts.map((part) => part.text).join("")).toBe(text);
    expect(parts.flatMap(({ link }) => (link === undefined ? [] : [link]))).toEqual(links);
  });

  test("become OSC 8 only where nothing in them could end the sequence", () => {
    const pens = new Pens({ colours: 256, links: true });
    const link = (target: string) => pens.of({ link: target }).link;
    expect(link("https://example.org/ñ")).toBe("https://example.org/%C3%B1");
    expect(link("javascript:alert(1)")).toBe("");
    expect(link("https://x/\u001b]0;owned\u0007")).not.toContain("\u0007");
    const without = new Pens({ colours: 2, links: false });
    expect(without.of({ link: "https://a.b" })).toBe(without.plain);
  });

  test("colours are used only where there are some", () => {
    const style = { colour: 130, bold: true };
    expect(new Pens({ colours: 256, links: true }).of(style).begin).toBe("\u001b[0;1;38;5;130m");
    expect(new Pens({ colours: 2, links: true }).of(style).begin).toBe("\u001b[0;1m");
  });
});
