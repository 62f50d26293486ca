/** Another program that locks the log: what is said of it, and that nothing is said of what is over. */
import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Candidate } from "../../src/backplane/keeper/candidate.ts";
import { logFile } from "../../src/backplane/keeper/keeper.ts";
import { openForWriting } from "../../src/backplane/keeper/schema.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { keeperLimits } from "../../src/protocol/limits.keeper.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { answer, bytes, good, Server } from "../conformance/backplane-support.ts";
import { eventually } from "../support/deadline.ts";
import { keeperCluster } from "./keeper-support.ts";

const folder = mkdtempSync(join(tmpdir(), "rtchat-lock-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Holds a file's lock as a person with a sqlite3 shell does. @returns how to give it back */
function lock(file: string): () => void {
  const db = new Database(file, { readwrite: true });
  db.run("PRAGMA busy_timeout = 5000");
  db.run("BEGIN EXCLUSIVE");
  return () => {
    db.run("ROLLBACK");
    db.close();
  };
}

test("a log that stays locked is told, with what to do: in the health, to who publishes, and in the log", async () => {
  const cluster = await keeperCluster();
  const said: string[] = [];
  const note = (message: string): void => void said.push(message);
  const log = { ...silentLogger, info: note, error: note };
  const limits = { ...keeperLimits, downMs: 200 };
  const server = await new Server(cluster.server({ log, limits })).start();
  await server.publish("lobby", "before");
  said.length = 0;
  const unlock = lock(cluster.file);
  await eventually(
    () => server.plane.health().state === "down",
    () => `health to say so, not ${JSON.stringify(server.plane.health())}`,
  );
  expect(server.plane.health().detail).toMatch(/log\.sqlite is locked by another program .*sqlite3 shell/);
  const refused = await answer<object>((done) =>
    server.plane.publish({ room: "lobby", key: "locked", body: bytes("x") }, done),
  );
  expect(refused).toMatchObject({
    ok: false,
    code: "unavailable",
    message: expect.stringContaining("locked"),
  });
  unlock();
  await eventually(
    () => server.plane.health().state === "ok",
    () => "health to be well again",
  );
  await good<object>((done) =>
    server.plane.publish({ room: "lobby", key: "locked", body: bytes("x") }, done),
  );
  expect(said).toEqual(["the log cannot be written", "the log can be written again"]);
  await cluster.close();
});

test("a lock that is held for a moment, as by other candidates, is no trouble, however often it is met", async () => {
  const file = join(folder, logFile);
  openForWriting(file, { cluster: "c", epoch: "e", seed: 1 }).close();
  const said: string[] = [];
  const limits = { ...keeperLimits, stuckLockMs: 50 };
  const settings = {
    directory: folder,
    file,
    power: false,
    graceMs: 1_000,
    keyWindowEntries: 10,
    keepMessages: undefined,
    keepDays: undefined,
    limits,
  };
  const log = { ...silentLogger, error: (message: string) => void said.push(message) };
  let now = 0;
  const candidate = new Candidate(settings, { ...systemClock, monotonic: () => now }, log);
  for (let times = 0; times < 2; times += 1) {
    const unlock = lock(file);
    expect(await candidate.run(undefined)).toBe("busy");
    unlock();
    // Somebody else is elected, and serves for a while.
    now += limits.stuckLockMs * 2;
  }
  expect(said).toEqual([]);
  const unlock = lock(file);
  for (; said.length === 0 && now < 1_000; now += limits.candidateMs) {
    expect(await candidate.run(undefined)).toBe("busy");
  }
  unlock();
  expect(said).toEqual(["no keeper can be elected"]);
  await candidate.stop("abort");
});
