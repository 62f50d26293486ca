/** The keeper under real failures: processes that are killed, stopped and woken up again, under load. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logFile } from "../../src/backplane/keeper/keeper.ts";
import { LogReader } from "../../src/backplane/keeper/reader.ts";
import { eventually } from "../support/deadline.ts";
import { openLab } from "../support/lab.ts";
import type { Running } from "../support/lab.ts";
import { text } from "../conformance/backplane-support.ts";
import { withLog } from "./keeper-support.ts";

const lab = openLab();
const main = join(import.meta.dir, "keeper-main.ts");

async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "rtchat-keeper-"));
  lab.onClose(() => rm(made, { recursive: true, force: true }));
  return made;
}

async function server(folder: string, ...words: string[]): Promise<Running> {
  const running = await lab.startWith({ command: ["bun", main] }, folder, ...words);
  await running.ready();
  return running;
}

/** Stops a process, and waits until it is: on a busy machine some of its threads go on for a while after the signal. */
async function suspend(running: Running): Promise<void> {
  running.kill("SIGSTOP");
  const tasks = `/proc/${running.pid}/task`;
  const isStopped = (task: string) => / T /.test(readFileSync(`${tasks}/${task}/stat`, "utf8"));
  await eventually(
    () => readdirSync(tasks).every(isStopped),
    () => "all its threads to stop",
  );
}

/** All lines of a process that begin with a word, split. */
function said(running: Running, word: string): string[][] {
  return running.output.stdout
    .split("\n")
    .filter((line) => line.startsWith(`${word} `))
    .map((line) => line.split(" "));
}

/** Waits for `count` more acknowledgements. */
async function acks(running: Running, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await running.line(/^ack /);
}

/** The log as the file has it: texts by position. */
function logged(folder: string, room: string): string[] {
  const reader = new LogReader(join(folder, logFile));
  try {
    const texts: string[] = [];
    for (let after = 0; ;) {
      const page = reader.page({ room, after, limit: 10_000, maxBytes: 1e9 });
      if (page.entries.length === 0) return texts;
      for (const { seq, body } of page.entries) texts[seq - 1] = text(body);
      after = page.entries.at(-1)!.seq;
    }
  } finally {
    reader.close();
  }
}

/** Checks every promise about a room on what all processes have said. */
function check(folder: string, room: string, servers: readonly Running[]): void {
  const log = logged(folder, room);
  expect(new Set(log).size).toBe(log.length);
  for (const running of servers) {
    for (const [, body = "", seq] of said(running, "ack")) expect(log[Number(seq) - 1]).toBe(body);
    let last: number | undefined;
    for (const [, , seq, body = ""] of said(running, "entry")) {
      if (last !== undefined) expect(Number(seq)).toBe(last + 1);
      last = Number(seq);
      expect(log[last - 1]).toBe(body);
    }
    expect(said(running, "reset")).toEqual([]);
    expect(said(running, "failed")).toEqual([]);
  }
}

/** Stops the floods, and waits until the survivors have heard the last entry. */
async function settle(room: string, servers: readonly Running[]): Promise<void> {
  for (const running of servers) running.write("stop\n");
  for (const running of servers) await running.line(/^quiet$/);
  const [first] = servers;
  first!.write(`publish ${room} the-end\n`);
  for (const running of servers) await running.line(/^entry \S+ \d+ the-end$/);
}

describe("the keeper's process", () => {
  test("killed under load: another takes over, nothing acknowledged is lost, nothing is heard twice", async () => {
    const folder = await directory();
    const keeper = await server(folder, "follow", "lobby", "flood", "lobby", "a", "20");
    await keeper.line(/^elected/);
    const others = [
      await server(folder, "follow", "lobby", "flood", "lobby", "b", "20"),
      await server(folder, "follow", "lobby", "flood", "lobby", "c", "20"),
    ];
    for (const running of [keeper, ...others]) await acks(running, 200);
    await keeper.stop("SIGKILL");
    for (const running of others) {
      await running.line(/^health ok$/);
      await acks(running, 200);
    }
    await settle("lobby", others);
    check(folder, "lobby", [keeper, ...others]);
    expect(others.flatMap((running) => said(running, "elected"))).toHaveLength(1);
  }, 60_000);

  test("killed over and over: the log goes on under one epoch", async () => {
    const folder = await directory();
    const all: Running[] = [];
    const observer = await server(folder, "follow", "lobby");
    await observer.line(/^elected/);
    for (const name of ["a", "b", "c", "d"]) {
      const next = await server(folder, "follow", "lobby", "flood", "lobby", name, "10");
      all.push(next);
      await acks(next, 50);
      const keepers = [observer, ...all].filter((running) => said(running, "elected").length > 0);
      const keeper = keepers.at(-1)!;
      if (keeper !== next && keeper !== observer) await keeper.stop("SIGKILL");
      await acks(next, 50);
      if (keeper === next) await next.stop("SIGKILL");
    }
    const last = await server(folder, "follow", "lobby");
    last.write("publish lobby end-of-story\n");
    await last.line(/^ack end-of-story/);
    await observer.line(/^entry lobby \d+ end-of-story$/);
    check(folder, "lobby", [observer, ...all, last]);
  }, 60_000);

  test("and all others killed at once: whatever was acknowledged is there afterwards", async () => {
    const folder = await directory();
    const servers = [
      await server(folder, "flood", "lobby", "a", "50"),
      await server(folder, "flood", "lobby", "b", "50"),
    ];
    for (const running of servers) await acks(running, 500);
    for (const running of servers) running.kill("SIGKILL");
    for (const running of servers) await running.ended();
    const before = withLog(join(folder, logFile), (db) => db.query("SELECT epoch FROM cluster").get());
    const after = await server(folder, "follow", "lobby");
    after.write("publish lobby again\n");
    await after.line(/^ack again/);
    check(folder, "lobby", [...servers, after]);
    const now = withLog(join(folder, logFile), (db) => db.query("SELECT epoch FROM cluster").get());
    expect(now).toEqual(before);
  }, 60_000);

  test("stopped and woken up: it finds that it has been replaced, steps down, and nothing of it is delivered", async () => {
    const folder = await directory();
    const paused = await server(folder, "follow", "lobby", "flood", "lobby", "a", "20");
    await paused.line(/^elected/);
    const other = await server(folder, "follow", "lobby", "flood", "lobby", "b", "20");
    for (const running of [paused, other]) await acks(running, 100);
    // Not in the middle of a commit: what becomes of a held lock is another test's matter.
    await settle("lobby", [paused, other]);
    await suspend(paused);
    // It will find this when it wakes up, and believe itself to be the keeper.
    paused.write("publish lobby overslept\n");
    other.write("publish lobby meanwhile\n");
    await other.line(/^elected/);
    await other.line(/^ack meanwhile/);
    paused.kill("SIGCONT");
    await paused.line(/^stepped-down$/);
    for (const running of [paused, other]) await running.line(/^entry lobby \d+ overslept$/);
    await paused.line(/^ack overslept/);
    check(folder, "lobby", [paused, other]);
    expect(logged(folder, "lobby").slice(-3)).toEqual(["the-end", "meanwhile", "overslept"]);
    expect([paused, other].map((running) => said(running, "elected").length)).toEqual([1, 1]);
  }, 60_000);
});

test("servers that all end at the same time, in order, leave a log that is marked as safe", async () => {
  const folder = await directory();
  for (let round = 0; round < 4; round += 1) {
    const servers: Running[] = [];
    for (let i = 0; i < 3; i += 1) servers.push(await server(folder));
    const speaker = servers[round % 3]!;
    speaker.write(`publish lobby round-${round}\n`);
    await speaker.line(/^ack round-/);
    for (const running of servers) running.write("end\n");
    for (const running of servers) expect((await running.ended()).code).toBe(0);
    const output = servers.map((running) => running.output.stdout).join("");
    expect(output).not.toContain("could not be synced");
    const durable = withLog(join(folder, logFile), (db) => db.query("SELECT durable FROM cluster").get());
    expect(durable).toEqual({ durable: 1 });
  }
}, 60_000);

describe("a lock that is not given back", () => {
  /** A process that claims to be keeper, takes the write lock, and stops itself. */
  const holder = `
    import { Database } from "bun:sqlite";
    import { readFileSync, writeSync } from "node:fs";
    import { ownIdentity } from ${JSON.stringify(join(import.meta.dir, "../../src/backplane/keeper/process-identity.ts"))};
    const [file, boot] = process.argv.slice(2);
    const identity = ownIdentity();
    const db = new Database(file, { readwrite: true });
    db.run("PRAGMA busy_timeout = 5000");
    db.query("UPDATE cluster SET term = term + 1, socket = '/nowhere.sock', pid = ?, started = ?, boot = ?, namespace = ?")
      .run(identity.pid, identity.started, boot ?? identity.boot, identity.namespace);
    db.run("BEGIN IMMEDIATE");
    writeSync(1, "holding\\n");
    process.kill(process.pid, "SIGSTOP");
    db.run("ROLLBACK");
    writeSync(1, "released\\n");
  `;

  async function stuck(folder: string, ...boot: string[]): Promise<Running> {
    const first = await server(folder);
    first.write("end\n");
    await first.ended();
    const script = join(folder, "holder.ts");
    await Bun.write(script, holder);
    const running = await lab.startWith({ command: ["bun", script, join(folder, logFile)] }, ...boot);
    await running.line(/^holding$/);
    return running;
  }

  test("by a stopped keeper: it is killed, provably the right one, and another is elected", async () => {
    const folder = await directory();
    const dead = await stuck(folder);
    const next = await server(folder, "follow", "lobby");
    await next.line(/^elected/);
    expect((await dead.ended()).signal).toBe("SIGKILL");
    expect(next.output.stdout).toContain(
      "the keeper was stopped while it held the log's lock: it was killed",
    );
  }, 60_000);

  test("by anybody else: nobody is killed, the log says what to do, and all goes on when it is released", async () => {
    const folder = await directory();
    const foreign = await stuck(folder, "another-boot");
    const starting = await lab.startWith({ command: ["bun", main] }, folder);
    await starting.line(/^log error no keeper can be elected .*close whatever has it open/);
    foreign.kill("SIGCONT");
    await starting.ready();
    await starting.line(/^elected/);
    expect(await foreign.ended()).toMatchObject({ code: 0, signal: null });
  }, 60_000);
});
