/** Terminals of every size: a picture is as large as the terminal, and what matters most is on it. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { spanish } from "../../src/tui/language/spanish.ts";
import { wordsFor } from "../../src/tui/language/words.ts";
import { Stage } from "./stage.ts";

const texts = [
  "short",
  "a sentence of some length, with words",
  "日本語テキスト",
  "x".repeat(200),
  "👩‍👩‍👧‍👦 and all",
];

describe("a picture", () => {
  test("has as many rows as the terminal, none wider, and the cursor is on it", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 1, max: 14 }),
        fc.constantFrom("en", "es"),
        fc.array(fc.constantFrom(...texts), { maxLength: 8 }),
        fc.constantFrom("", "typed", "long ".repeat(40), "\u001b[200~one\ntwo\n\u001b[201~"),
        fc.boolean(),
        (columns, rows, language, said, typed, scrolled) => {
          const stage = new Stage({ columns, rows }, { words: wordsFor(language) });
          stage.chat.goOnline();
          for (const [at, text] of said.entries())
            stage.chat.says(at % 2 === 0 ? "ben" : "a-rather-long-nick", text);
          stage.chat.tell({
            kind: "told",
            lines: ["something to know", "  /listed  and said"],
            warning: true,
          });
          stage.press(typed);
          if (scrolled) stage.press("\u001b[5~");
          stage.controller.resize(columns, rows);
          const { frame } = stage;
          expect(frame?.rows).toHaveLength(rows);
          for (const width of stage.widths) expect(width).toBeLessThanOrEqual(columns);
          expect(frame?.cursor.x ?? -1).toBeLessThan(columns);
          expect(frame?.cursor.y ?? -1).toBeLessThan(rows);
          expect(Math.min(frame?.cursor.x ?? -1, frame?.cursor.y ?? -1)).toBeGreaterThanOrEqual(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("of few rows keeps the last message and the line being typed, then the status, then the title", () => {
    const at = (columns: number, rows: number) => {
      const stage = new Stage({ columns, rows });
      stage.chat.goOnline();
      stage.chat.says("ben", "hello");
      stage.press("hi");
      return stage.rows.map((row) => row.trimEnd());
    };
    expect(at(20, 2)).toEqual(["00:00 ben: hello", "ana> hi"]);
    expect(at(20, 4)).toEqual([
      expect.any(String),
      "00:00 ben: hello",
      expect.stringContaining("●"),
      "ana> hi",
    ]);
    expect(at(20, 6)[0]).toContain("lobby");
    expect(at(9, 2)).toEqual(["too small", ""]);
  });

  test("says which way a conversation goes also where there is little room", () => {
    const stage = new Stage({ columns: 40, rows: 12 });
    stage.chat.goOnline();
    stage.chat.path = "key not verified, directly to 192.0.2.2:48168";
    stage.press("/msg ben\r");
    expect(stage.rows[0]).toBe(" @ben  key not verified, directly to 19…");
  });

  test("says how far down the end is also where the sentence does not fit", () => {
    const stage = new Stage({ columns: 30, rows: 8 }, { words: spanish });
    stage.chat.goOnline();
    for (let count = 0; count < 30; count += 1) stage.chat.says("ben", `line ${count}`);
    stage.press("\u001b[5~");
    expect(stage.rows.at(-2)).toMatch(/↓ \d+ {2}● ana/);
  });
});
