/** Pictures on a terminal: whatever was there before, the emulator shows what a terminal shows that was empty. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { UnicodeGraphemesAddon } from "@xterm/addon-unicode-graphemes";
import xterm from "@xterm/headless";
import * as fc from "fast-check";
import type { Frame } from "../../src/tui/screen/frame.ts";
import { Painter } from "../../src/tui/screen/painter.ts";
import { fitRow } from "../../src/tui/text/spans.ts";
import type { Row } from "../../src/tui/text/spans.ts";
import { awkward } from "./awkward.ts";

setDefaultTimeout(60_000);

const abilities = { colours: 256, links: true };

/** A terminal with a painter. */
class Painted {
  readonly terminal: xterm.Terminal;
  readonly painter: Painter;
  written = "";

  constructor(columns: number, rows: number) {
    this.terminal = new xterm.Terminal({ cols: columns, rows, scrollback: 0, allowProposedApi: true });
    this.terminal.loadAddon(new UnicodeGraphemesAddon());
    // As terminal.ts sets it.
    this.terminal.write("\u001b[?7l");
    this.painter = new Painter(abilities, (text) => (this.written += text));
  }

  async paint(frame: Frame): Promise<string[]> {
    const done = Promise.withResolvers<void>();
    this.painter.paint(frame);
    this.terminal.write(this.written, () => done.resolve());
    this.written = "";
    await done.promise;
    return this.cells();
  }

  /** Every cell that is not empty, with its looks. */
  cells(): string[] {
    const buffer = this.terminal.buffer.active;
    const shown: string[] = [`cursor ${buffer.cursorX} ${buffer.cursorY}`];
    for (let y = 0; y < this.terminal.rows; y += 1) {
      for (let x = 0; x < this.terminal.cols; x += 1) {
        const cell = buffer.getLine(y)?.getCell(x);
        if (cell === undefined) throw new Error("the emulator has no such cell");
        const text = cell.getChars();
        if ((text === "" || text === " ") && cell.isInverse() === 0) continue;
        const looks = [cell.getFgColor(), cell.isBold(), cell.isDim(), cell.isInverse(), cell.isUnderline()];
        shown.push(`${y}:${x} ${text} ${looks.join(",")}`);
      }
    }
    return shown;
  }
}

const style = fc.constantFrom(
  {},
  {},
  { bold: true },
  { colour: 130 },
  { inverse: true },
  { dim: true, colour: 2 },
  {
    underline: true,
    link: "https://example.org/",
  },
);
// Of the awkward strings those that people see: the screen never draws what sanitising takes out.
const safe = awkward.map(([, text]) => text).filter((text) => !/\p{C}/u.test(text.replaceAll("\u200d", "")));
const text = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "b", " ", "é"), maxLength: 12 }),
  fc.constantFrom("", "   ", "日本", "👍🏽", "│", "word and word", ...safe),
);
const row: fc.Arbitrary<Row> = fc.array(fc.record({ text, style }), { maxLength: 4 });
const size = { columns: 24, rows: 7 };

/** Frames that follow one another as a chat's do: rows move up or down, some change, the last is being typed. */
const frames = fc
  .array(
    fc.record({
      by: fc.integer({ min: -3, max: 3 }),
      fresh: fc.array(row, { minLength: 8 }),
      panels: fc.boolean(),
    }),
    {
      minLength: 2,
      maxLength: 6,
    },
  )
  .map((steps) => {
    const height = size.rows - 2;
    let messages: Row[] = Array.from({ length: height }, () => []);
    return steps.map(({ by, fresh, panels }): Frame => {
      const [title = [], typed = [], changed = [], ...come] = fresh.map((one) =>
        fitRow(one, size.columns - (panels ? 6 : 0)),
      );
      const away = Math.abs(by);
      const kept = by >= 0 ? messages.slice(away) : messages.slice(0, height - away);
      const added = come.slice(0, away);
      messages = by >= 0 ? [...kept, ...added] : [...added, ...kept];
      messages[2] = changed;
      const middle = panels
        ? messages.map((one): Row => [...fitRow(one, size.columns - 6), { text: "│ bob", style: {} }])
        : messages;
      const pane = panels ? {} : { pane: { top: 1, rows: messages } };
      return {
        rows: [title, ...middle, typed],
        columns: size.columns,
        cursor: { x: 3, y: size.rows - 1 },
        ...pane,
      };
    });
  });

describe("a painter", () => {
  test("brings every picture to the terminal as if nothing had been there", async () => {
    await fc.assert(
      fc.asyncProperty(frames, async (pictures) => {
        const changing = new Painted(size.columns, size.rows);
        const fresh = new Painted(size.columns, size.rows);
        for (const picture of pictures) {
          const shown = await changing.paint(picture);
          fresh.terminal.write("\u001b[2J");
          fresh.painter.forget();
          expect(shown.join("\n")).toBe((await fresh.paint(picture)).join("\n"));
        }
      }),
      { numRuns: 40 },
    );
  });

  const line = (words: string): Row => [{ text: words, style: {} }];
  const chat = (messages: readonly Row[], typed: string): Frame => ({
    rows: [line("title"), ...messages, line(typed)],
    columns: 80,
    cursor: { x: typed.length, y: messages.length + 1 },
    pane: { top: 1, rows: messages },
  });
  const messages = Array.from({ length: 20 }, (_, n) => line(`message number ${n} of somebody who talks`));

  test("writes a key's letter and not the screen, and a new message and not the old ones", async () => {
    const painted = new Painted(80, 22);
    await painted.paint(chat(messages, "> "));
    expect(painted.painter.paint(chat(messages, "> x"))).toBeLessThan(60);
    const scrolled = [...messages.slice(1), line("a new one")];
    expect(painted.painter.paint(chat(scrolled, "> x"))).toBeLessThan(120);
    expect(painted.painter.paint(chat(scrolled, "> x"))).toBe(0);
  });

  test("paints all of it again when somebody else has written there", async () => {
    const painted = new Painted(80, 22);
    const before = await painted.paint(chat(messages, "> "));
    painted.terminal.write("\u001b[2Jsomething else");
    painted.painter.forget();
    expect(await painted.paint(chat(messages, "> "))).toEqual(before);
  });
});
