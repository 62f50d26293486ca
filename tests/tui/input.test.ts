/** Keys, the line being typed, its history, drafts and Tab. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { actions, defaultBindings } from "../../src/tui/input/bindings.ts";
import { Composer } from "../../src/tui/input/composer.ts";
import { deletions, insert, moveLine, movements, transpose } from "../../src/tui/input/editor.ts";
import { KeyDecoder } from "../../src/tui/input/keys.ts";
import { screenLimits } from "../../src/protocol/limits.client.ts";
import type { KeyEvent } from "../../src/tui/input/keys.ts";

/** Everything a sequence of bytes means, an Escape at its end included. */
function keys(text: string): KeyEvent[] {
  const decoder = new KeyDecoder();
  return [...decoder.push(Buffer.from(text)), ...decoder.flush()];
}
const names = (text: string) => keys(text).map((event) => (event.kind === "key" ? event.key : event.kind));

describe("keys", () => {
  test.each([
    ["\r", "enter"],
    ["\n", "ctrl-j"],
    ["\u001b\r", "alt-enter"],
    ["\t", "tab"],
    ["\u001b[Z", "shift-tab"],
    ["\u007f", "backspace"],
    ["\u001b\u007f", "alt-backspace"],
    ["\u0001", "ctrl-a"],
    ["\u001b[A", "up"],
    ["\u001bOA", "up"],
    ["\u001b[1;5C", "ctrl-right"],
    ["\u001b[1;3D", "alt-left"],
    ["\u001b[H", "home"],
    ["\u001b[1~", "home"],
    ["\u001b[3~", "delete"],
    ["\u001b[3;5~", "ctrl-delete"],
    ["\u001b[5~", "page-up"],
    ["\u001b[15~", "f5"],
    ["\u001bOP", "f1"],
    ["\u001ba", "alt-a"],
    ["\u001b1", "alt-1"],
    ["\u001b[13;2u", "shift-enter"],
    ["\u001b[27;3;13~", "alt-enter"],
    ["\u001b[97;5u", "ctrl-a"],
    ["\u001b", "escape"],
    ["\u001b\u001b", "escape"],
  ])("%j is %s", (bytes, name) => {
    expect(names(bytes)[0]).toBe(name);
  });

  test("come out of one chunk one by one", () => {
    expect(keys("hi\r\u001b[Ax")).toEqual([
      { kind: "text", text: "hi" },
      { kind: "key", key: "enter" },
      { kind: "key", key: "up" },
      { kind: "text", text: "x" },
    ]);
  });

  test("three arrows in one piece are the wheel of a mouse, two are somebody's fingers", () => {
    expect(names("\u001b[A\u001b[A\u001b[A")).toEqual(["wheel-up", "wheel-up", "wheel-up"]);
    expect(names("\u001bOB\u001bOB\u001bOB\u001bOB")).toEqual(Array(4).fill("wheel-down"));
    expect(names("\u001b[A\u001b[A")).toEqual(["up", "up"]);
    expect(names("\u001b[A\u001b[A\u001b[B")).toEqual(["up", "up", "down"]);
    expect(names("\u001b[A\u001b[A\u001b[A\r")).toEqual(["up", "up", "up", "enter"]);
  });

  test("a paste that is too long says so, and only that one", () => {
    const decoder = new KeyDecoder();
    const most = screenLimits.pasteCharacters;
    const paste = (length: number) =>
      decoder.push(Buffer.from(`\u001b[200~${"x".repeat(length)}\u001b[201~`));
    expect(paste(most + 1)).toEqual([{ kind: "paste", text: "x".repeat(most), cut: true }]);
    expect(paste(most)).toEqual([{ kind: "paste", text: "x".repeat(most), cut: false }]);
  });

  test("a paste is one event, whatever is in it, however it is cut", () => {
    const bytes = Buffer.from("a\u001b[200~one\r\ntwo\u001b[A\r\u001b[201~b");
    const whole = [
      { kind: "text", text: "a" },
      { kind: "paste", text: "one\ntwo\u001b[A\n", cut: false },
      { kind: "text", text: "b" },
    ];
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      const decoder = new KeyDecoder();
      expect([...decoder.push(bytes.subarray(0, cut)), ...decoder.push(bytes.subarray(cut))]).toEqual(
        whole as KeyEvent[],
      );
    }
  });

  test("focus reports are events, unknown sequences are nothing", () => {
    expect(keys("\u001b[I\u001b[O")).toEqual([
      { kind: "focus", focused: true },
      { kind: "focus", focused: false },
    ]);
    expect(keys("\u001b[?62;4c\u001b[<0;1;1M\u001b[99~\u001b[24;80Rx")).toContainEqual({
      kind: "text",
      text: "x",
    });
  });

  test("cut anywhere mean the same", () => {
    const parts = [
      "a",
      "ñ",
      "👨‍👩‍👧",
      "\u001b[1;5C",
      "\u001b[200~x\ny\u001b[201~",
      "\r",
      "\u001b[I",
      "\u0001",
      "\u001bx",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...parts)), fc.array(fc.nat(40)), (chosen, cuts) => {
        const bytes = Buffer.from(chosen.join(""));
        const decoder = new KeyDecoder();
        const events: KeyEvent[] = [];
        let from = 0;
        for (const cut of [...cuts].sort((a, b) => a - b)) {
          const to = Math.max(from, Math.min(cut, bytes.length));
          events.push(...decoder.push(bytes.subarray(from, to)));
          from = to;
        }
        events.push(...decoder.push(bytes.subarray(from)));
        const joined = (list: readonly KeyEvent[]) =>
          list.reduce<string>(
            (text, event) => text + (event.kind === "text" ? event.text : JSON.stringify(event)),
            "",
          );
        expect(joined(events)).toBe(joined(keys(bytes.toString())));
      }),
    );
  });

  test("are bound to actions that exist", () => {
    for (const action of Object.values(defaultBindings)) expect(actions).toContain(action);
    expect(new Set(Object.values(defaultBindings)).size).toBe(actions.length);
  });
});

describe("the editor", () => {
  const at = (marked: string) => ({ text: marked.replace("|", ""), cursor: marked.indexOf("|") });
  const show = ({ text, cursor }: { text: string; cursor: number }) =>
    `${text.slice(0, cursor)}|${text.slice(cursor)}`;

  test.each([
    ["left", "ab|", "a|b"],
    ["left", "a👨‍👩‍👧|b", "a|👨‍👩‍👧b"],
    ["right", "|e\u0301x", "e\u0301|x"],
    ["right", "x|", "x|"],
    ["word-left", "one two-three|", "one two-|three"],
    ["word-left", "one  |two", "|one  two"],
    ["word-right", "|one two", "one| two"],
    ["line-start", "a\nbc|d", "a\n|bcd"],
    ["line-end", "a|b\ncd", "ab|\ncd"],
    ["start", "a\nb|", "|a\nb"],
    ["end", "|a\nb", "a\nb|"],
  ] as const)("%s takes %j to %j", (name, before, after) => {
    expect(show(movements[name](at(before)))).toBe(after);
  });

  test.each([
    ["delete-left", "a👨‍👩‍👧|b", "a|b", "👨‍👩‍👧"],
    ["delete-right", "|ab", "|b", "a"],
    ["kill-word-left", "say one-two|", "say one-|", "two"],
    ["kill-space-left", "say one-two |x", "say |x", "one-two "],
    ["kill-word-right", "|one two", "| two", "one"],
    ["kill-line-left", "a\nbc|d", "a\n|d", "bc"],
    ["kill-line-right", "a|bc\nd", "a|\nd", "bc"],
    ["kill-line-right", "a|\nd", "a|d", "\n"],
  ] as const)("%s takes %j to %j", (name, before, after, killed) => {
    const result = deletions[name](at(before));
    expect([show(result.editing), result.killed]).toEqual([after, killed]);
  });

  test("transposes, and moves between lines", () => {
    expect(show(transpose(at("ab|")))).toBe("ba|");
    expect(show(transpose(at("a|bc")))).toBe("ba|c");
    expect(show(moveLine(at("abc\nde|f"), -1)!)).toBe("ab|c\ndef");
    expect(show(moveLine(at("abc|\nd"), 1)!)).toBe("abc\nd|");
    expect(moveLine(at("abc|"), -1)).toBeUndefined();
  });

  test("keeps its cursor between clusters, whatever is done", () => {
    const steps = [...Object.keys(movements), ...Object.keys(deletions), "insert"] as const;
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.array(fc.tuple(fc.constantFrom(...steps), fc.string({ unit: "grapheme", maxLength: 3 }))),
        (text, todo) => {
          let editing = { text, cursor: text.length };
          for (const [step, added] of todo) {
            if (step in movements) editing = movements[step as keyof typeof movements](editing);
            else if (step in deletions) editing = deletions[step as keyof typeof deletions](editing).editing;
            else editing = insert(editing, added);
            expect(editing.cursor).toBeGreaterThanOrEqual(0);
            expect(editing.cursor).toBeLessThanOrEqual(editing.text.length);
            expect(editing.text.slice(0, editing.cursor).isWellFormed()).toBe(
              editing.text.isWellFormed() || editing.text.slice(0, editing.cursor).isWellFormed(),
            );
          }
        },
      ),
    );
  });
});

describe("the composer", () => {
  const typing = (composer: Composer, text: string) => {
    for (const character of text) composer.type(character);
  };

  test("keeps a draft for each room", () => {
    const composer = new Composer("lobby");
    typing(composer, "half a thought");
    composer.switchTo("ops");
    expect(composer.editing.text).toBe("");
    typing(composer, "other");
    composer.switchTo("lobby");
    expect(composer.editing).toEqual({ text: "half a thought", cursor: 14 });
    expect(composer.hasDraft("ops")).toBeTrue();
  });

  test("goes through what was sent, and back to what was being typed", () => {
    const composer = new Composer("lobby");
    for (const line of ["one", "two"]) {
      typing(composer, line);
      expect(composer.take()).toBe(line);
    }
    typing(composer, "dra");
    composer.act("up");
    composer.act("up");
    composer.act("up");
    expect(composer.editing.text).toBe("one");
    typing(composer, "!");
    composer.act("down");
    composer.act("down");
    expect(composer.editing.text).toBe("dra");
    composer.act("up");
    composer.act("up");
    expect(composer.editing.text).toBe("one");
  });

  test("undoes word by word, kills in a row are yanked together, yank-pop goes round", () => {
    const composer = new Composer("lobby");
    typing(composer, "one two");
    composer.act("undo");
    expect(composer.editing.text).toBe("one");
    composer.act("undo");
    expect(composer.editing.text).toBe("");
    typing(composer, "alpha beta gamma");
    composer.act("kill-space-left");
    composer.act("kill-space-left");
    expect(composer.editing.text).toBe("alpha ");
    composer.act("kill-line-left");
    composer.act("yank");
    expect(composer.editing.text).toBe("alpha beta gamma");
    composer.act("line-start");
    typing(composer, "x ");
    composer.act("kill-word-right");
    composer.act("line-start");
    composer.act("yank");
    expect(composer.editing.text).toStartWith("alpha");
    composer.act("yank-pop");
    expect(composer.editing.text).toStartWith("alpha beta gamma");
  });

  test("Tab completes as far as candidates agree, then goes round them and back", () => {
    const composer = new Composer("lobby");
    const look = () => ({ from: 0, candidates: ["anabel: ", "anatol: "] });
    typing(composer, "a");
    composer.complete(1, look);
    expect(composer.editing.text).toBe("ana");
    composer.complete(1, look);
    expect(composer.editing.text).toBe("anabel: ");
    composer.complete(1, look);
    expect(composer.editing.text).toBe("anatol: ");
    composer.complete(-1, look);
    expect(composer.editing.text).toBe("anabel: ");
    expect(composer.round?.index).toBe(0);
    composer.type("x");
    expect(composer.round).toBeUndefined();
    composer.complete(1, () => ({ from: 0, candidates: [] }));
    expect(composer.editing.text).toBe("anabel: x");
  });
});
