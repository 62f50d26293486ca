/** Lists that the screen itself says: in columns where there is room. */
import { describe, expect, test } from "bun:test";
import { Stage } from "./stage.ts";

function help(columns: number): string[] {
  const stage = new Stage({ columns, rows: 100 });
  stage.chat.goOnline();
  stage.press("/help\r");
  return stage.rows.map((row) => row.trimEnd());
}

describe("/help", () => {
  test("keeps its second column under itself where it takes several rows", () => {
    const rows = help(80);
    const at = rows.findIndex((row) => row.includes("/react EMOJI"));
    expect(rows.slice(at, at + 2)).toEqual([
      "        /react EMOJI [@NICK]                 react to the last message of",
      "                                             somebody, or of NICK",
    ]);
  });

  test("puts it below the first on a narrow terminal", () => {
    const rows = help(40);
    const at = rows.findIndex((row) => row.includes("/leave"));
    expect(rows.slice(at, at + 3)).toEqual([
      "        /leave [ROOM]",
      "          leave a room, or put a",
      "          conversation away",
    ]);
  });

  test("is copied as it stands from the bare screen", () => {
    const stage = new Stage({ columns: 40, rows: 100 });
    stage.chat.goOnline();
    stage.press("/help leave\r");
    stage.press("\u001bl");
    const lines = stage.bare?.lines.map((row) => row.map(({ text }) => text).join(""));
    expect(lines?.at(-1)).toBe("  /leave [ROOM]  leave a room, or put a conversation away");
  });
});

test("an ID keeps its row, whatever stands before it", () => {
  const stage = new Stage({ columns: 80, rows: 24 });
  const id = `rt1-${"abcde-".repeat(10)}abc`;
  stage.chat.tell({
    kind: "told",
    lines: [`  ben  not verified  directly  ${id}`, `  now   ${id}`],
    warning: false,
  });
  expect(stage.rows.filter((row) => row.includes(id))).toHaveLength(2);
});

test("what stays as it was said is told at once, and nothing is left to be sent again", () => {
  const stage = new Stage({ columns: 80, rows: 24 });
  stage.chat.goOnline();
  stage.chat.says("ana", "as it was");
  stage.chat.refusal = { ok: false, code: "as-said", message: "it stays as it was said" };
  stage.press("/edit otherwise\r");
  expect(stage.rows.some((row) => row.includes("! it stays as it was said"))).toBeTrue();
  expect(stage.rows.some((row) => row.includes("✗"))).toBeFalse();
});
