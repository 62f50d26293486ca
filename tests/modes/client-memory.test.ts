import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Memory } from "../../src/modes/client/memory.ts";

const folder = mkdtempSync(join(tmpdir(), "rtchat-memory-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let homes = 0;

function newHome(): { XDG_STATE_HOME: string } {
  homes += 1;
  return { XDG_STATE_HOME: join(folder, String(homes)) };
}

describe("what a client remembers", () => {
  test("is there at the next run, and for its owner only", () => {
    const environment = newHome();
    const memory = new Memory(environment);
    memory.nick = "ana";
    memory.setPosition("c", "lobby", { epoch: "e", seq: 7 });
    const author = memory.author("c");
    memory.save();
    const next = new Memory(environment);
    expect(next.nick).toBe("ana");
    expect(next.position("c", "lobby")).toEqual({ epoch: "e", seq: 7 });
    expect(next.position("c", "constructor")).toBeUndefined();
    expect(next.author("c")).toEqual(author);
    expect(next.author("d").by).not.toBe(author.by);
    expect(next.reader("c")).not.toBe(author.proof);
    expect(statSync(join(environment.XDG_STATE_HOME, "rtchat", "client.json")).mode & 0o777).toBe(0o600);
  });

  test("has one secret, also where two clients begin at once", () => {
    const environment = newHome();
    const [first, second] = [new Memory(environment), new Memory(environment)];
    const { by } = first.author("c");
    first.save();
    expect(second.author("c").by).toBe(by);
    second.save();
    expect(new Memory(environment).author("c").by).toBe(by);
  });
});
