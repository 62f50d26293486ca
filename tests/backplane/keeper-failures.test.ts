/** The keeper and a store that will not do: full, damaged, foreign, inaccessible; and what a crash of the machine costs. */
import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Candidate } from "../../src/backplane/keeper/candidate.ts";
import { KeeperBackplane, logFile } from "../../src/backplane/keeper/keeper.ts";
import { takeOffice } from "../../src/backplane/keeper/office.ts";
import { ownIdentity } from "../../src/backplane/keeper/process-identity.ts";
import { StoreProblem } from "../../src/backplane/keeper/problem.ts";
import { openForWriting } from "../../src/backplane/keeper/schema.ts";
import { openSocket, removeSocket } from "../../src/backplane/keeper/socket-path.ts";
import { listen } from "../../src/net/listener.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { keeperLimits } from "../../src/protocol/limits.keeper.ts";
import { answer, bytes, good, Server } from "../conformance/backplane-support.ts";
import { eventually } from "../support/deadline.ts";
import { keeperCluster, localKeeper, testLogger, withLog } from "./keeper-support.ts";

const folder = mkdtempSync(join(tmpdir(), "rtchat-fail-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let folders = 0;
const newDirectory = (): string => join(folder, String((folders += 1)));

const nobody = { taken() {}, told() {}, health() {} };

/** Starts a server that must not start. @returns why */
async function refusal(directory: string): Promise<string> {
  const plane = new KeeperBackplane({ directory, log: testLogger });
  try {
    await plane.start(nobody);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  await plane.stop(true);
  throw new Error("it started");
}

describe("a server does not start on", () => {
  test("a file that is no database", async () => {
    const directory = newDirectory();
    await Bun.write(
      join(directory, logFile),
      "this is a letter to my grandmother, and a long one at that".repeat(100),
    );
    expect(await refusal(directory)).toMatch(
      /log\.sqlite is damaged or no database .*restore it from a backup/,
    );
  });

  test("a database of another program", async () => {
    const directory = newDirectory();
    await Bun.write(join(directory, "x"), "");
    const db = new Database(join(directory, logFile), { create: true });
    db.run("PRAGMA application_id = 42");
    db.run("CREATE TABLE photos (id)");
    db.close();
    expect(await refusal(directory)).toMatch(/belongs to another program; choose another folder with --data/);
  });

  test("a file of a newer version", async () => {
    const directory = newDirectory();
    const plane = new KeeperBackplane({ directory, log: testLogger });
    await plane.start(nobody);
    await plane.stop(true);
    withLog(join(directory, logFile), (db) => db.run("PRAGMA user_version = 99"));
    expect(await refusal(directory)).toMatch(
      /has schema version 99, and this rtchat knows 4; use the newer rtchat/,
    );
  });

  test("a directory that is a file", async () => {
    const directory = newDirectory();
    writeFileSync(directory, "");
    expect(await refusal(directory)).toMatch(/cannot use .* \((EEXIST|ENOTDIR)\); .*choose another folder/);
  });

  // Root may write anywhere.
  test.skipIf(process.getuid?.() === 0)("a directory that may not be written", async () => {
    const directory = newDirectory();
    await Bun.write(join(directory, "x"), "");
    chmodSync(directory, 0o500);
    expect(await refusal(directory)).toMatch(/cannot use .*; check the owner and permissions/);
    chmodSync(directory, 0o700);
  });

  test("a directory whose servers speak another version", async () => {
    const cluster = await keeperCluster();
    await new Server(cluster.server()).start();
    const other = newDirectory();
    await Bun.write(join(other, "x"), "");
    // A keeper that answers any hello as one of another version would.
    const path = join(other, "k.sock");
    const refuse = Buffer.from([0, 0, 0, 0, 33, ...Buffer.from("run the same rtchat for all")]);
    refuse.writeUInt32LE(refuse.length - 4);
    const listener = listen({
      at: { path },
      settings: { clock: systemClock, limits: { outboxBytes: 1e6, highWaterBytes: 1e6, lingerMs: 100 } },
      accept: (connection) => ({
        data: () => {
          connection.write(refuse);
          connection.finish();
        },
        close: () => {},
      }),
    });
    const db = openForWriting(join(other, logFile), { cluster: "c", epoch: "e", seed: 1 });
    takeOffice(db, {
      seenTerm: 0,
      socket: path,
      identity: ownIdentity(),
      file: "",
      power: false,
      newEpoch: "x",
    });
    expect(await refusal(other)).toBe("run the same rtchat for all");
    db.close();
    listener.stop();
    await cluster.close();
  });

  test("nothing: the files it makes are for their owner alone", async () => {
    const directory = join(newDirectory(), "made");
    const plane = new KeeperBackplane({ directory, log: testLogger });
    await plane.start(nobody);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    for (const suffix of ["", "-wal", "-shm"]) {
      expect(statSync(join(directory, logFile + suffix)).mode & 0o077).toBe(0);
    }
    await plane.stop(true);
  });

  test("a path of any length fails: a socket that would not fit goes elsewhere, and leaves nothing there", async () => {
    const directory = join(newDirectory(), "a-rather-long-name".repeat(6));
    const id = createHash("sha256").update(directory).digest("hex").slice(0, 16);
    const elsewhere = join(
      process.env["XDG_RUNTIME_DIR"] ?? tmpdir(),
      `rtchat-${process.getuid?.() ?? 0}-${id}`,
    );
    const a = await new Server(new KeeperBackplane({ directory, log: testLogger })).start();
    const b = await new Server(new KeeperBackplane({ directory, log: testLogger })).start();
    const follower = await b.follow("lobby");
    await a.publish("lobby", "k");
    await follower.hears("entry k");
    expect(readdirSync(elsewhere)).toHaveLength(1);
    // The keeper ends first, and the other takes over for a moment.
    await a.plane.stop(true);
    await b.plane.stop(true);
    expect(existsSync(elsewhere)).toBe(false);
  });

  test("a folder of sockets that goes in the moment in which it is needed", () => {
    const directory = join(folder, "a-rather-long-name".repeat(6));
    let calls = 0;
    const { path } = openSocket(directory, 1, (at) => {
      calls += 1;
      if (calls < 3) rmSync(dirname(at), { recursive: true });
      return statSync(dirname(at));
    });
    expect(calls).toBe(3);
    removeSocket(path, directory);
    expect(existsSync(dirname(path))).toBe(false);
  });
});

test("who ends while an election is under way ends what it brings, in order", async () => {
  const directory = newDirectory();
  mkdirSync(directory);
  const file = join(directory, logFile);
  const candidate = new Candidate(
    {
      directory,
      file,
      power: false,
      graceMs: 1_000,
      keyWindowEntries: 100,
      keepMessages: undefined,
      keepDays: undefined,
      limits: keeperLimits,
    },
    systemClock,
    testLogger,
  );
  const elected = candidate.run(undefined);
  await candidate.stop("stop");
  expect(await elected).toBe("decided");
  expect(readdirSync(directory).filter((name) => name.endsWith(".sock"))).toEqual([]);
  const durable = withLog(file, (db) => db.query("SELECT term, durable FROM cluster").get());
  expect(durable).toEqual({ term: 1, durable: 1 });
});

describe("after a crash of the machine", () => {
  /** The epoch of the log as the next server finds it. */
  async function epochAfter(directory: string): Promise<string> {
    const server = await new Server(new KeeperBackplane({ directory, log: testLogger })).start();
    const { position } = await server.publish("lobby", crypto.randomUUID());
    await server.plane.stop(true);
    return position.epoch;
  }

  async function crashed(
    durability: "process" | "power",
    inOrder: boolean,
  ): Promise<{ before: string; after: string }> {
    const directory = newDirectory();
    const plane = new KeeperBackplane({ directory, log: testLogger, durability });
    const server = await new Server(plane).start();
    const { position } = await server.publish("lobby", "k");
    await (inOrder ? plane.stop(true) : plane.abort());
    withLog(join(directory, logFile), (db) => db.run("UPDATE cluster SET boot = 'the boot before'"));
    return { before: position.epoch, after: await epochAfter(directory) };
  }

  test("the epoch changes, because the newest entries may be gone", async () => {
    const { before, after } = await crashed("process", false);
    expect(after).not.toBe(before);
  });

  test("the epoch stays if the last server had ended in order", async () => {
    const { before, after } = await crashed("process", true);
    expect(after).toBe(before);
  });

  test("the epoch stays if every commit was synced", async () => {
    const { before, after } = await crashed("power", false);
    expect(after).toBe(before);
  });

  test("one server that asks for synced commits gets them from any keeper", async () => {
    const cluster = await keeperCluster();
    const durable = (): unknown =>
      withLog(
        cluster.file,
        (db) => db.query<{ durable: number }, []>("SELECT durable FROM cluster").get()!.durable,
      );
    await new Server(cluster.server()).start();
    expect(durable()).toBe(0);
    const careful = await new Server(cluster.server({ durability: "power" })).start();
    await careful.publish("lobby", "k");
    expect(durable()).toBe(1);
    await cluster.close();
  });
});

test("that no keeper can be had is said once, however often it is tried", async () => {
  const cluster = await keeperCluster();
  const said: string[] = [];
  const log = { ...testLogger, error: (message: string) => said.push(message) };
  const limits = { ...keeperLimits, storeRetryMs: 7 };
  let attempts = 0;
  const after: typeof systemClock.after = (ms, run) => {
    if (ms === limits.storeRetryMs) attempts += 1;
    return systemClock.after(ms, run);
  };
  const keeper = await new Server(cluster.server()).start();
  const server = await new Server(cluster.server({ log, limits, clock: { ...systemClock, after } })).start();
  withLog(cluster.file, (db) => db.run("PRAGMA application_id = 42"));
  await cluster.vanish(keeper.plane);
  await eventually(
    () => attempts > 5,
    () => "attempts to be elected",
  );
  expect(said).toEqual(["no keeper can be reached"]);
  expect(server.plane.health().state).toBe("down");
  withLog(cluster.file, (db) => db.run("PRAGMA application_id = 0x72746368"));
  await server.when(() => server.healths.at(-1)?.state === "ok");
  await cluster.close();
});

describe("a server that stops in order", () => {
  /** The beats are so short that whoever is cut off has been here for some, and looks for a keeper again at once. */
  const limits = { ...keeperLimits, beatMs: 2, silentBeats: 10_000, patientBeats: 10_000 };

  test("is gone with its sessions: it does not come back to announce them", async () => {
    const cluster = await keeperCluster();
    const keeper = await new Server(cluster.server({ limits })).start();
    const follower = await keeper.follow("lobby");
    for (let round = 0; round < 10; round += 1) {
      const server = await new Server(cluster.server({ limits })).start();
      await server.claim(`s${round}`, "ana");
      await server.enter("lobby", `s${round}`);
      await server.plane.stop(true);
    }
    await follower.when(() => follower.presences.length >= 20);
    expect(follower.presences).toEqual(Array.from({ length: 10 }, () => ["join ana", "leave ana"]).flat());
    await cluster.close();
  });
});

test("the WAL is bounded under load that never pauses", async () => {
  const directory = newDirectory();
  const limits = { ...keeperLimits, walBytes: 100_000, walMostBytes: 500_000 };
  const server = await new Server(new KeeperBackplane({ directory, log: testLogger, limits })).start();
  const body = new Uint8Array(1_000);
  let sent = 0;
  let largest = 0;
  const total = 30_000;
  await new Promise<void>((resolve, reject) => {
    const next = (): void => {
      sent += 1;
      if (sent % 100 === 0) largest = Math.max(largest, statSync(join(directory, `${logFile}-wal`)).size);
      const key = `k${sent}`;
      server.plane.publish({ room: "lobby", key, body }, (result) => {
        if (!result.ok) reject(new Error(result.message));
        else if (sent >= total) resolve();
        else next();
      });
    };
    for (let lane = 0; lane < 50; lane += 1) next();
  });
  // Thirty megabytes were written, most of them twice.
  expect(largest).toBeGreaterThan(100_000);
  expect(largest).toBeLessThan(10_000_000);
  await server.plane.stop(true);
}, 60_000);

test("a server that asks for synced commits is not forgotten because the log was locked just then", async () => {
  const directory = newDirectory();
  await Bun.write(join(directory, "x"), "");
  let attempts = 0;
  const sync = (): void => {
    attempts += 1;
    if (attempts < 3) throw new StoreProblem("busy", "it is locked");
  };
  const keeper = localKeeper(directory, { sync });
  const server = await new Server(
    new KeeperBackplane({ directory, log: testLogger, durability: "power" }),
  ).start();
  await server.publish("lobby", "k");
  await eventually(
    () => attempts === 3,
    () => "another attempt",
  );
  await server.publish("lobby", "l");
  expect(attempts).toBe(3);
  expect(server.healths.map(({ state }) => state)).toEqual(["ok"]);
  await server.plane.stop(true);
  keeper.close();
});

test("a keeper that was asleep takes no server for dead: it is heard as soon as its words are read", async () => {
  const directory = newDirectory();
  await Bun.write(join(directory, "x"), "");
  let slept = 0;
  let ticks = 0;
  const monotonic = (): number => systemClock.monotonic() + slept;
  const every: typeof systemClock.every = (ms, run) =>
    systemClock.every(ms, () => {
      ticks += 1;
      run();
    });
  const keeper = localKeeper(directory, { clock: { ...systemClock, monotonic, every } });
  const server = await new Server(new KeeperBackplane({ directory, log: testLogger })).start();
  await server.publish("lobby", "j");
  slept = 60_000;
  ticks = 0;
  await eventually(
    () => ticks >= 3,
    () => "the keeper to look around",
  );
  await server.publish("lobby", "k");
  expect(server.healths.map(({ state }) => state)).toEqual(["ok"]);
  await server.plane.stop(true);
  keeper.close();
});

describe("a full disk", () => {
  test("fails publishing with a retryable error that says so, loses nothing, and is over when space returns", async () => {
    const directory = newDirectory();
    await Bun.write(join(directory, "x"), "");
    const keeper = localKeeper(directory);
    const a = await new Server(new KeeperBackplane({ directory, log: testLogger })).start();
    const b = await new Server(new KeeperBackplane({ directory, log: testLogger })).start();
    const follower = await b.follow("lobby");
    await a.claim("s1", "ana");
    await a.enter("lobby", "s1");
    await a.claim("s2", "bob");
    await a.enter("lobby", "s2");
    keeper.limit(3);
    const body = bytes("x".repeat(1_000));
    const publish = (server: Server, key: string) =>
      answer<{ position: { seq: number }; duplicate: boolean }>((done) =>
        server.plane.publish({ room: "lobby", key, body }, done),
      );
    const acked: string[] = [];
    const refused: string[] = [];
    for (let i = 0; refused.length < 5; i += 1) {
      const results = await Promise.all([publish(a, `a${i}`), publish(b, `b${i}`)]);
      for (const [index, result] of results.entries()) {
        const key = `${"ab"[index]}${i}`;
        if (result.ok) acked.push(key);
        else {
          refused.push(key);
          expect(result).toMatchObject({ code: "unavailable" });
          expect(result.message).toMatch(/the disk that holds .* is full .*free some space/);
        }
      }
    }
    expect(acked.length).toBeGreaterThan(0);
    await a.when(() => a.healths.at(-1)?.state === "degraded");
    expect(a.healths.at(-1)!.detail).toContain("is full");
    // Reading goes on; what ends a session is remembered until it can be written.
    expect((await b.page({ room: "lobby" })).last).toBe(acked.length);
    expect([...(await a.follow("other")).members]).toEqual([]);
    expect(await b.owner("ana")).toBe("s1");
    a.plane.release("s1");
    keeper.limit(undefined);
    await eventually(
      async () => (await publish(a, "after")).ok,
      () => "publishing to go on",
    );
    await a.when(() => a.healths.at(-1)?.state === "ok");
    await follower.hears("leave ana");
    expect(await b.owner("ana")).toBeUndefined();
    expect(await b.owner("bob")).toBe("s2");
    for (const key of acked) expect(await publish(b, key)).toMatchObject({ ok: true, duplicate: true });
    for (const key of refused) expect(await publish(b, key)).toMatchObject({ ok: true, duplicate: false });
    await good((done) => b.plane.publish({ room: "lobby", key: "end", body: bytes("end") }, done));
    await follower.hears("entry end");
    expect(follower.entries).toHaveLength(acked.length + refused.length + 2);
    expect(follower.wrong).toEqual([]);
    expect(follower.presences).toEqual(["join ana", "join bob", "leave ana"]);
    await a.plane.stop(true);
    await b.plane.stop(true);
    keeper.close();
  });
});
