/**
 * A balancer that is renewed (SIGUSR2) under people who talk all the while: new flags, a new executable, and nobody is
 * refused, misses anything or hears a word of it.
 *
 * The people are the checker's witnesses, which share no code with rtchat's client, and rtchat's own client in a pipe.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { chmod, link, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { snapshotSchema } from "../../src/admin/schemas.ts";
import { seededRandom } from "../../src/protocol/clock.ts";
import { chatClientLimits } from "../../src/protocol/limits.client.ts";
import { rtchatBinary } from "../support/binary.ts";
import { eventually } from "../support/deadline.ts";
import { openLab, type Running } from "../support/lab.ts";
import { Checker } from "../torture/checker.ts";
import { Witness } from "../torture/client.ts";
import { readLog } from "../torture/log.ts";

const lab = openLab();
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Two servers and a balancer whose flags are in a file of settings. */
async function cluster(settings: string, command?: readonly string[]) {
  const folder = join(await lab.folder(), crypto.randomUUID());
  await mkdir(folder);
  const data = join(folder, "data");
  const file = join(folder, "rtchat.toml");
  const addresses: string[] = [];
  for (const name of ["s1", "s2"]) {
    const server = await lab.start("server", "--port", "0", "--name", name, "--data", data);
    cleanups.push(() => server.destroy());
    addresses.push((await server.ready())["listen"] ?? "");
  }
  const configure = (text: string) =>
    writeFile(file, `[balancer]\nbackends = "${addresses.join()}"\n${text}\n`);
  await configure(settings);
  const running = await lab.startWith(
    { env: { RTCHAT_CONFIG: file }, ...(command === undefined ? {} : { command }) },
    "balancer",
    "--port",
    "0",
    "--admin",
    "0",
    "--data",
    data,
  );
  cleanups.push(() => running.destroy());
  const facts = await running.ready();
  const admin = `http://${facts["admin"]}`;
  const look = async (headers: Record<string, string> = {}) => {
    const [stats, list] = await Promise.all(
      ["stats", "backends"].map(async (path) => (await fetch(`${admin}/api/v1/${path}`, { headers })).json()),
    );
    return snapshotSchema.parse({ ...Object(stats), ...Object(list) });
  };
  const up = () =>
    eventually(
      async () => (await look()).backends.every(({ state }) => state === "up"),
      () => "two servers that are up",
    );
  await up();
  const door = { host: "127.0.0.1", port: Number(/:(\d+)$/.exec(facts["listen"] ?? "")?.[1]) };
  return { folder, data, running, admin, look, up, door, addresses, configure };
}

async function renew(running: Running): Promise<string> {
  running.kill("SIGUSR2");
  return running.line(/renewed: new workers|not renewed/, "stderr");
}

/** Everybody who was with the former workers is with the new ones. */
const isOver = (running: Running) => running.line(/the last client has come over/, "stderr");

/** People who send all the while, and a judge. */
function talkers(door: { host: string; port: number }, count: number) {
  const checker = new Checker();
  const random = seededRandom(7);
  const began = performance.now();
  const elapsed = () => Math.round(performance.now() - began);
  const people = Array.from({ length: count }, (_, number) => {
    const record = (event: Parameters<Checker["take"]>[0]) => checker.take(event);
    return new Witness({ number, rooms: ["lobby"], addresses: [door], random, elapsed, record });
  });
  for (const one of people) one.connect();
  let turn = 0;
  const timer = setInterval(() => people[(turn += 1) % count]?.send(), 5);
  const stop = () => {
    clearInterval(timer);
    for (const one of people) one.stop();
  };
  cleanups.push(stop);
  return {
    ready: () =>
      eventually(
        () => people.every((one) => one.ready),
        () => "people in the lobby",
      ),
    async verdict() {
      clearInterval(timer);
      await eventually(
        () => people.every(({ unacked }) => unacked === 0),
        () => "acknowledgements",
      );
      const last = await readLog([door], ["lobby"], (event) => checker.take(event));
      await eventually(
        () => checker.behind(last) === 0,
        () => "deliveries",
      );
      stop();
      return checker.verdict();
    },
  };
}

/** Strangers who come one after another, several at a time. @returns how many were let in, and what befell the others */
function strangers(door: { host: string; port: number }) {
  let isOpen = true;
  let served = 0;
  const failed: string[] = [];
  const one = () =>
    new Promise<void>((resolve) => {
      let heard = "";
      const done = (why: string) => {
        if (heard.includes('"pong"')) served += 1;
        else failed.push(`${why}: ${heard}`);
        resolve();
      };
      void Bun.connect({
        hostname: door.host,
        port: door.port,
        socket: {
          open: (socket) =>
            void socket.write(
              `${JSON.stringify({ type: "hello", version: 1, nick: `n${crypto.randomUUID().slice(0, 8)}` })}\n{"type":"ping"}\n`,
            ),
          data(socket, chunk) {
            heard += chunk.toString();
            if (heard.includes('"pong"')) socket.end();
          },
          error: () => {},
          close: () => done("closed"),
          connectError: (_socket, error) => done(error.message),
        },
      }).catch(() => {});
    });
  const lane = async () => {
    while (isOpen) await one();
  };
  const lanes = [lane(), lane(), lane(), lane()];
  return async () => {
    isOpen = false;
    await Promise.all(lanes);
    return { served, failed };
  };
}

describe("a renewal", () => {
  test("is noticed by nobody who talks, and refuses nobody who comes, with one process or with several", async () => {
    const { running, door, look, configure } = await cluster("");
    const people = talkers(door, 8);
    await people.ready();
    const come = strangers(door);
    const pipe = await lab.start(
      "client",
      "--connect",
      `127.0.0.1:${door.port}`,
      "--nick",
      "bot",
      "--room",
      "bots",
      "--follow",
    );
    pipe.write("hello\n");
    await pipe.line(/hello/);
    for (const [workers, policy] of [
      [1, "least-sessions"],
      [2, "two-choices"],
      [1, "round-robin"],
    ] as const) {
      await configure(`policy = "${policy}"\nworkers = ${workers}`);
      // So often clients go along with it at once.
      await Bun.sleep(chatClientLimits.lastAnswersMs);
      expect(await renew(running)).toContain("renewed: new workers");
      await isOver(running);
      expect(await look()).toMatchObject({ policy, workers, retiring: 0 });
      pipe.write(`${policy} of ${workers}\n`);
      await pipe.line(new RegExp(`${policy} of ${workers}`));
    }
    const { served, failed } = await come();
    expect(failed).toEqual([]);
    expect(served).toBeGreaterThan(20);
    expect(await people.verdict()).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, violations: [] });
    expect(pipe.output.stderr).toBe("");
    // What the workers that are gone had counted is still counted.
    expect((await look()).sessions.total).toBeGreaterThan(served);
    expect((await running.stop("SIGTERM")).code).toBe(0);
  });

  test("keeps what was said through the admin endpoint, and opens that again when its token changes", async () => {
    const { running, look, admin, addresses, configure } = await cluster("");
    const json = { "content-type": "application/json" };
    const drain = `${admin}/api/v1/backends/${addresses[0]}/drain`;
    expect((await fetch(drain, { method: "POST", headers: json, body: "{}" })).status).toBe(200);
    const body = JSON.stringify({ weight: 7 });
    await fetch(`${admin}/api/v1/backends/${addresses[1]}`, { method: "PATCH", headers: json, body });
    const token = "0123456789abcdef";
    await configure(`admin-token = "${token}"`);
    await renew(running);
    expect((await fetch(`${admin}/api/v1/stats`)).status).toBe(401);
    const { backends } = await look({ authorization: `Bearer ${token}` });
    expect(backends.map(({ state, weight }) => [state, weight])).toEqual([
      ["draining", 1],
      ["up", 7],
    ]);
  });

  test("runs the executable that stands there by then", async () => {
    const folder = await lab.folder();
    const program = join(folder, "program");
    await link(await rtchatBinary(), program);
    const { running, door } = await cluster("", [program]);
    const marks = join(folder, "marks");
    const next = join(folder, "next");
    await writeFile(next, `#!/bin/sh\necho started >> ${marks}\nexec ${await rtchatBinary()} "$@"\n`);
    await chmod(next, 0o755);
    await rename(next, program);
    const people = talkers(door, 2);
    await people.ready();
    expect(await renew(running)).toContain("renewed: new workers");
    await isOver(running);
    expect(await readFile(marks, "utf8")).toBe("started\n");
    // The process that was started is still the one to ask and to stop.
    expect(await people.verdict()).toMatchObject({ lost: 0, duplicated: 0, reordered: 0 });
    await rename(program, join(folder, "away"));
    expect(await renew(running)).toContain("not renewed, everything stays as it is");
    expect((await running.stop("SIGTERM")).code).toBe(0);
  });

  test.each([
    ['policy = "any"', /"any" is none of/],
    ['cluster-secret-file = "/nowhere/secret"', /cluster secret at \/nowhere\/secret/],
    ['host = "127.0.0.2"', /clients would come back to 127\.0\.0\.1:0, .* or restart/],
    ['tls-cert = "/nowhere/cert"', /--tls-cert without --tls-key/],
  ])("with %s changes nothing, and says why", async (settings, why) => {
    const { running, look, configure, door } = await cluster("");
    const people = talkers(door, 2);
    await people.ready();
    await configure(settings);
    expect(await renew(running)).toMatch(why);
    expect(await look()).toMatchObject({ policy: "round-robin", workers: 1, retiring: 0 });
    await configure("");
    expect(await renew(running)).toContain("renewed: new workers");
    expect((await people.verdict()).lost).toBe(0);
  });

  test("of which the new workers reach no server changes nothing", async () => {
    const { running, look, configure, folder, door } = await cluster("");
    const people = talkers(door, 2);
    await people.ready();
    const secret = join(folder, "another.secret");
    await writeFile(secret, `${"01".repeat(32)}\n`, { mode: 0o600 });
    await configure(`cluster-secret-file = "${secret}"`);
    expect(await renew(running)).toContain("the new workers reached no server within 5 s");
    expect(await look()).toMatchObject({ workers: 1, retiring: 0, sessions: { current: 2 } });
    const verdict = await people.verdict();
    expect(verdict).toMatchObject({ lost: 0, disconnects: 0 });
  });
});

test("a balancer that is killed leaves neither workers nor files behind", async () => {
  const folder = join(await lab.folder(), "tmp");
  await mkdir(folder);
  const flags = ["--backends", "1", "--port", "0", "--no-admin", "--workers", "2"];
  const running = await lab.startWith({ env: { TMPDIR: folder } }, "balancer", ...flags);
  await running.ready();
  expect(await readdir(folder)).toHaveLength(1);
  await running.stop("SIGKILL");
  await eventually(
    async () => (await readdir(folder)).length === 0,
    () => "an empty folder",
  );
});

describe("the limit of connections by address", () => {
  test("holds over all workers together, also when one of them died", async () => {
    const { running, door, look } = await cluster("workers = 3\nmax-per-address = 6");
    const open = async () => {
      const all = await Promise.all(
        Array.from({ length: 40 }, () =>
          Bun.connect({ hostname: door.host, port: door.port, socket: { data: () => {} } }),
        ),
      );
      await eventually(
        async () => {
          const { connections, refused } = await look();
          return connections.current + refused.address >= 40;
        },
        () => "an answer for everybody",
      );
      return all;
    };
    const first = await open();
    expect((await look()).connections.current).toBe(6);
    expect((await look()).refused.address).toBe(34);
    for (const socket of first) socket.terminate();
    await eventually(
      async () => (await look()).connections.current === 0,
      () => "room",
    );
    const again = await open();
    expect((await look()).connections.current).toBe(6);
    const children = await lab.startWith({ command: ["ps", "-o", "pid=", "--ppid", String(running.pid)] });
    const [victim] = (await children.ended()).stdout.split("\n").map(Number);
    process.kill(victim!, "SIGKILL");
    await running.line(/died, starting it again/, "stderr");
    for (const socket of again) socket.terminate();
    await eventually(
      async () => {
        const { workers, connections } = await look();
        return workers === 3 && connections.current === 0;
      },
      () => "three workers without anybody",
    );
    const third = await Promise.all(
      Array.from({ length: 6 }, () =>
        Bun.connect({ hostname: door.host, port: door.port, socket: { data: () => {} } }),
      ),
    );
    await eventually(
      async () => (await look()).connections.current === 6,
      () => "six again",
    );
    for (const socket of third) socket.terminate();
  });
});
