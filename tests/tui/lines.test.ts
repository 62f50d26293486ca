/** The pure parts of line mode: what becomes of typed lines, of stdin, of events and of Tab. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { INBOX } from "../../src/protocol/messages.ts";
import type { Message } from "../../src/protocol/messages.ts";
import { defaultTheme, nickColour, nickPalette, noPaint, paintFor } from "../../src/tui/colours.ts";
import { parseTyped } from "../../src/tui/commands/parse.ts";
import { commands, findCommand } from "../../src/tui/commands/table.ts";
import { splitWords } from "../../src/tui/commands/command.ts";
import { commonPrefix, complete } from "../../src/tui/completion.ts";
import { findEmoji } from "../../src/tui/emoji.ts";
import { english } from "../../src/tui/language/english.ts";
import { hangingRows } from "../../src/tui/line/hanging.ts";
import { spanish } from "../../src/tui/language/spanish.ts";
import { languages, wordsFor } from "../../src/tui/language/words.ts";
import { LineFormat } from "../../src/tui/line/format.ts";
import { jsonLine } from "../../src/protocol/sanitize.ts";
import { StdinLines } from "../../src/tui/line/stdin-lines.ts";
import { splitText } from "../../src/tui/split.ts";

const format = () => new LineFormat(english, noPaint, "UTC");
const at = Date.UTC(2026, 0, 5, 12, 3);
const message = (part: Partial<Message>): Message => ({
  type: "message",
  room: "lobby",
  seq: 1,
  from: "ana",
  at,
  text: "hello",
  ...part,
});

describe("a line", () => {
  test("shows time, nick and text, and the date when it changes", () => {
    const lines = format();
    expect(lines.message(message({}), "bob", "lobby")).toEqual([
      "— Monday, 5 January 2026 —",
      "12:03 ana: hello",
    ]);
    expect(lines.message(message({ at: at + 60_000 }), "bob", "lobby")).toEqual(["12:04 ana: hello"]);
    expect(lines.message(message({ at: at + 86_400_000 }), "bob", "lobby")).toEqual([
      "— Tuesday, 6 January 2026 —",
      "12:03 ana: hello",
    ]);
  });

  test("names the room that is not in front, and both ends of a direct message", () => {
    const lines = format();
    lines.day(at);
    expect(lines.message(message({ room: "ops" }), "bob", "lobby")).toEqual(["12:03 ops: ana: hello"]);
    expect(lines.message(message({ room: "@ana" }), "bob", "lobby")).toEqual(["12:03 ana → you: hello"]);
    expect(lines.message(message({ room: "@bob" }), "Ana", "lobby")).toEqual(["12:03 you → bob: hello"]);
  });

  test("lets no second line of a message pass for another message, and no escape pass at all", () => {
    const lines = format();
    lines.day(at);
    expect(
      lines.message(message({ text: "one\n12:04 bob: I agree\u001b[2J", from: "a\u001bna" }), "x", "lobby"),
    ).toEqual(["12:03 a␛na: one", "      │ 12:04 bob: I agree␛[2J"]);
  });

  test("tells gaps, comings and goings in the person's language", () => {
    const es = new LineFormat(spanish, noPaint, "UTC");
    expect(es.presence({ type: "presence", room: "sala", nick: "bob", state: "join" })).toBe(
      "· bob entró en sala",
    );
    expect(es.gap({ room: "sala", after: 3, before: 7 })).toContain("faltan 3 mensajes");
    expect(format().gap({ room: "lobby", after: undefined, before: 1 })).toContain("started anew");
    expect(format().gap({ room: INBOX, after: 1, before: undefined })).toContain("direct messages");
  });

  test("of JSON holds nothing that a terminal obeys and means the same", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const line = jsonLine({ text });
        expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
        expect(JSON.parse(line)).toEqual({ text });
      }),
    );
  });
});

describe("what is typed", () => {
  test.each([
    ["hello", { kind: "text", text: "hello" }],
    ["/join ops", { kind: "command", name: "join", rest: "ops" }],
    ["/JOIN  ops ", { kind: "command", name: "join", rest: "ops" }],
    ["/quit", { kind: "command", name: "quit", rest: "" }],
    ["/msg bob two\nlines", { kind: "command", name: "msg", rest: "bob two\nlines" }],
    ["//etc", { kind: "text", text: "/etc" }],
    ["/etc/hosts is a file", { kind: "text", text: "/etc/hosts is a file" }],
    ["/ 2", { kind: "text", text: "/ 2" }],
    ["  ", { kind: "nothing" }],
  ])("%j is %j", (line, typed) => {
    expect(parseTyped(line)).toEqual(typed as ReturnType<typeof parseTyped>);
  });

  test("is split into words, the last of which takes the rest", () => {
    expect(splitWords("bob  how are  you", 2)).toEqual(["bob", "how are  you"]);
    expect(splitWords("", 2)).toEqual([]);
    expect(splitWords("  one  ", 1)).toEqual(["one"]);
  });

  test("finds commands by name and alias, no alias twice", () => {
    const names = commands.flatMap(({ name, aliases }) => [name, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
    expect(findCommand("j")?.name).toBe("join");
    expect(findCommand("nothing")).toBeUndefined();
  });
});

describe("Tab", () => {
  const sources = { commands, nicks: ["ana", "Anabel", "bob"], joined: ["lobby"], rooms: ["lobby", "ops"] };
  test.each([
    ["/jo", 0, ["/join "]],
    ["/join ", 6, ["lobby", "ops"]],
    ["/join o", 6, ["ops"]],
    ["/join #o", 6, ["#ops"]],
    ["/leave ", 7, ["lobby"]],
    ["/msg AN", 5, ["ana ", "Anabel "]],
    ["/msg bob a", 9, ["ana ", "Anabel "]],
    ["an", 0, ["ana: ", "Anabel: "]],
    ["hi an", 3, ["ana ", "Anabel "]],
    ["hi @b", 3, ["@bob "]],
    ["hi ", 3, []],
    ["/help to", 6, ["topic"]],
    ["", 0, []],
  ])("after %j replaces from %d with %j", (before, from, candidates) => {
    expect(complete(before, sources)).toEqual({ from, candidates });
  });

  test("offers emoji by what people call them, also inside commands", () => {
    const emoji = { ...sources, emoji: findEmoji };
    expect(complete("hi :thumbs_u", emoji)).toEqual({ from: 3, candidates: ["👍 "] });
    expect(complete("/react :red_hea", emoji)).toEqual({
      from: 7,
      candidates: [expect.stringContaining("❤")],
    });
    expect(complete(":smile:", emoji).candidates.length).toBeGreaterThan(3);
    expect(complete(":)", emoji).candidates).toEqual([]);
    expect(findEmoji("a").length).toBeLessThanOrEqual(24);
    expect(findEmoji("nothing_is_called_this")).toEqual([]);
  });

  test("knows how far all candidates agree", () => {
    expect(commonPrefix(["ana: ", "anabel: "])).toBe("ana");
    expect(commonPrefix(["x"])).toBe("x");
    expect(commonPrefix([])).toBe("");
  });
});

describe("stdin", () => {
  test("gives the same lines however it is cut, and loses nothing of long ones", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string({ unit: "grapheme", maxLength: 40 }).map((line) => line.replaceAll(/[\r\n]/g, "")),
        ),
        fc.array(fc.integer({ min: 1, max: 9 })),
        (lines, cuts) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
          const stdin = new StdinLines(16);
          const pieces = [];
          let from = 0;
          for (let cut = 0; from < bytes.length; cut += 1) {
            const to = from + (cuts[cut % Math.max(1, cuts.length)] ?? 5);
            pieces.push(...stdin.push(bytes.subarray(from, to)));
            from = to;
          }
          pieces.push(...stdin.end());
          const whole: string[] = [];
          for (const { text, continued } of pieces) {
            expect(text.length).toBeLessThanOrEqual(16);
            if (continued) whole[whole.length - 1] += text;
            else whole.push(text);
          }
          expect(whole).toEqual(lines);
        },
      ),
    );
  });

  test("takes CRLF, a last line without its end, and bytes that are not UTF-8", () => {
    const stdin = new StdinLines(100);
    expect(stdin.push(Buffer.from("a\r\nb")).map(({ text }) => text)).toEqual(["a"]);
    expect(stdin.push(new Uint8Array([0xff, 0x0a])).map(({ text }) => text)).toEqual(["b\ufffd"]);
    expect(stdin.push(Buffer.from("c")).map(({ text }) => text)).toEqual([]);
    expect(stdin.end().map(({ text }) => text)).toEqual(["c"]);
    expect(stdin.end()).toEqual([]);
  });
});

describe("a long text", () => {
  test("is cut at white space near the limit, else between graphemes, and nothing is lost", () => {
    expect(splitText("one two three", 8)).toEqual(["one two", "three"]);
    expect(splitText("👨‍👩‍👧👨‍👩‍👧", 20)).toEqual(["👨‍👩‍👧", "👨‍👩‍👧"]);
    expect(splitText("x".repeat(20), 8)).toEqual(["xxxxxxxx", "xxxxxxxx", "xxxx"]);
    expect(splitText("")).toEqual([]);
  });

  test("gives pieces within the limit that join to the text, for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 8, max: 40 }), (text, most) => {
        const pieces = splitText(text, most);
        for (const piece of pieces) expect(Buffer.byteLength(piece)).toBeLessThanOrEqual(most);
        expect(pieces.join("").replaceAll(/[ \n]/g, "")).toBe(text.replaceAll(/[ \n]/g, ""));
      }),
    );
  });
});

describe("colours", () => {
  test("are the same for a nick in any case, spread over the palette, and off where there are none", () => {
    expect(nickColour("Ana")).toBe(nickColour("aNA"));
    expect(nickPalette.length).toBeGreaterThan(20);
    const used = new Set(Array.from({ length: 500 }, (_, n) => nickColour(`person${n}`)));
    expect(used.size).toBe(nickPalette.length);
    expect(paintFor(256).nick("ana", "ana")).toBe(`\u001b[38;5;${nickColour("ana")}mana\u001b[39m`);
    expect(paintFor(2)).toBe(noPaint);
  });
});

describe("languages", () => {
  test("are chosen by LANG, English where there is no catalogue", () => {
    expect(wordsFor("es_MX.UTF-8")).toBe(spanish);
    expect(wordsFor("ES")).toBe(spanish);
    for (const other of ["C.UTF-8", "fr_FR", "", "constructor", undefined])
      expect(wordsFor(other)).toBe(english);
  });

  test("describe every command, and differ from each other", () => {
    for (const words of Object.values(languages)) {
      for (const { name } of commands) {
        expect(words.commands[name][0]).toStartWith(`/${name}`);
        expect(words.commands[name][1]).not.toBe("");
      }
    }
    expect(spanish.noRoom).not.toBe(english.noRoom);
  });
});

test("a list with two columns keeps them on a narrow terminal; what was said is not touched", () => {
  const line = "  /mute [ROOM]   let a room be silent, or not any more";
  expect(hangingRows(line, 40)).toEqual([
    "  /mute [ROOM]   let a room be silent,",
    "                 or not any more",
  ]);
  expect(hangingRows(line, 80)).toEqual([line]);
  expect(hangingRows(line, 20)).toEqual([line]);
  const said = "12:00 ana: two  spaces and many more words";
  expect(hangingRows(said, 20)).toEqual([said]);
  expect(hangingRows("  a  b", 4)).toEqual(["  a  b"]);
});

test("colours with a meaning can be read on black and on white", () => {
  const levels = [0, 95, 135, 175, 215, 255];
  for (const code of Object.values(defaultTheme)) {
    expect(code).toBeGreaterThanOrEqual(16); // The terminal's own sixteen may be anything.
    const light = [0.2126, 0.7152, 0.0722].reduce((sum, share, part) => {
      const value = (levels[Math.floor((code - 16) / 6 ** (2 - part)) % 6] ?? 0) / 255;
      return sum + share * (value <= 0.040_45 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    }, 0);
    expect((light + 0.05) / 0.05).toBeGreaterThan(3.9);
    expect(1.05 / (light + 0.05)).toBeGreaterThan(3.9);
  }
});
