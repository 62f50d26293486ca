/** Ctrl+R in the line being typed. */
import { describe, expect, test } from "bun:test";
import { Stage } from "./stage.ts";

const size = { columns: 60, rows: 12 };
const CTRL_R = "\u0012";

function sent(...texts: readonly string[]): Stage {
  const stage = new Stage(size);
  stage.chat.goOnline();
  for (const text of texts) stage.press(`${text}\r`);
  return stage;
}
const line = (stage: Stage) => stage.rows.at(-1)?.trimEnd();
const asked = (stage: Stage) => stage.rows.at(-3)?.trimEnd();

describe("Ctrl+R", () => {
  test("finds the latest that has it, then older ones, and Enter sends it", () => {
    const stage = sent("deploy web", "lunch?", "Deploy db", "bye");
    stage.press(`${CTRL_R}dep`);
    expect(line(stage)).toBe("ana> Deploy db");
    expect(asked(stage)).toBe("in what you sent: dep");
    stage.press(CTRL_R);
    expect(line(stage)).toBe("ana> deploy web");
    stage.press(CTRL_R);
    expect(line(stage)).toBe("ana> deploy web");
    expect(asked(stage)).toBe("nothing you sent has dep");
    stage.press("\u007f");
    expect(line(stage)).toBe("ana> Deploy db");
    stage.press("\r");
    expect(stage.chat.sent.at(-1)?.text).toBe("Deploy db");
    expect(line(stage)).toBe("ana>");
  });

  test("puts back what was being written on Escape, and undo does after it was taken", () => {
    const stage = sent("one", "two");
    stage.press(`a draft${CTRL_R}tw`);
    expect(line(stage)).toBe("ana> two");
    stage.press("\u001b");
    expect(line(stage)).toBe("ana> a draft");
    stage.press(`${CTRL_R}tw`);
    // Any other key does what it always does, with what was found.
    stage.press("\u0001");
    stage.press("!");
    expect(line(stage)).toBe("ana> !two");
    stage.press("\u001f\u001f");
    expect(line(stage)).toBe("ana> a draft");
  });

  test("looks through all rooms, and says when there is nothing", () => {
    const stage = sent("said in the lobby");
    stage.press("/join ops\r");
    stage.press(`${CTRL_R}lobby`);
    expect(line(stage)).toBe("ana> said in the lobby");
    stage.press("x");
    expect(asked(stage)).toBe("nothing you sent has lobbyx");
    expect(stage.chat.sent).toHaveLength(1);
  });

  test("does nothing to who has sent nothing", () => {
    const stage = sent();
    stage.press(`mine${CTRL_R}abc\u001b`);
    expect(line(stage)).toBe("ana> mine");
  });
});
