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

  test("is of all clients that run at once: none writes over what another has learnt", () => {
    const environment = newHome();
    new Memory(environment).save();
    const [first, second] = [new Memory(environment), new Memory(environment)];
    const habits = { rooms: ["lobby"], front: "lobby", ignored: ["eve"], muted: [], highlights: ["deploy"] };
    first.nick = "ana";
    first.setPosition("c", "lobby", { epoch: "e", seq: 7 });
    first.found("10.0.0.1:8000", "c");
    first.setHabits("c", habits);
    first.secret = new Uint8Array(32).fill(7);
    first.save();
    second.setPosition("c", "attic", { epoch: "e", seq: 3 });
    second.setPosition("d", "lobby", { epoch: "f", seq: 1 });
    second.connect = "10.0.0.2:8000";
    second.save();
    first.setPosition("c", "lobby", { epoch: "e", seq: 8 });
    first.save();
    const next = new Memory(environment);
    expect([next.nick, next.connect]).toEqual(["ana", "10.0.0.2:8000"]);
    expect(next.position("c", "lobby")).toEqual({ epoch: "e", seq: 8 });
    expect(next.position("c", "attic")).toEqual({ epoch: "e", seq: 3 });
    expect(next.position("d", "lobby")).toEqual({ epoch: "f", seq: 1 });
    expect(next.habitsAt("10.0.0.1:8000")).toEqual(habits);
    expect([...next.secret]).toEqual([...first.secret]);
  });

  test("knows the latest clusters only", () => {
    const environment = newHome();
    const memory = new Memory(environment);
    for (let n = 0; n < 60; n += 1) memory.setPosition(`c${n}`, "lobby", { epoch: "e", seq: n });
    memory.save();
    const next = new Memory(environment);
    const known = Array.from({ length: 60 }, (_, n) => next.position(`c${n}`, "lobby") !== undefined);
    expect(known.indexOf(true)).toBe(10);
    next.setPosition("c10", "lobby", { epoch: "e", seq: 11 });
    next.setPosition("c60", "lobby", { epoch: "e", seq: 60 });
    next.save();
    const last = new Memory(environment);
    expect(last.position("c10", "lobby")?.seq).toBe(11);
    expect(last.position("c11", "lobby")).toBeUndefined();
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
