import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom, systemClock } from "../../src/protocol/clock.ts";
import { Backoff } from "../../src/net/backoff.ts";
import { connectionsOpen, descriptorLimit } from "../../src/net/descriptors.ts";
import { dial, dialCode, DialError } from "../../src/net/dial.ts";
import { listen, ListenError, removeSocketFile, type Endpoint } from "../../src/net/listener.ts";
import { Bare, Recorder, settingsOf, until } from "./helpers.ts";

const local = { host: "127.0.0.1", port: 0 };
const cleanups: (() => void)[] = [];
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rtchat-net-"));
});
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
  rmSync(directory, { recursive: true, force: true });
});

function open(at: Endpoint, served = new Recorder()) {
  const listener = listen({ at, settings: settingsOf(), accept: served.take });
  cleanups.push(() => listener.stop());
  return { listener, served };
}

function refusal(at: Endpoint): ListenError {
  try {
    listen({ at, settings: settingsOf(), accept: () => new Recorder() }).stop();
  } catch (error) {
    if (error instanceof ListenError) return error;
    throw error;
  }
  throw new Error("it listens");
}

async function dialFailure(
  options: Partial<Parameters<typeof dial>[0]> & { to: Endpoint },
): Promise<DialError> {
  try {
    const connection = await dial({ settings: settingsOf(), opened: () => new Recorder(), ...options });
    connection.terminate();
  } catch (error) {
    if (error instanceof DialError) return error;
    throw error;
  }
  throw new Error("it connected");
}

describe("a listener", () => {
  test("tells its real port and address", () => {
    const { listener } = open(local);
    expect(listener.port).toBeGreaterThan(0);
    expect(listener.address).toBe(`127.0.0.1:${listener.port}`);
  });

  test("names the address and what to do when the port is in use", () => {
    const { listener } = open(local);
    const error = refusal({ host: "127.0.0.1", port: listener.port });
    expect(error.code).toBe("EADDRINUSE");
    expect(error.message).toBe(
      `cannot listen on 127.0.0.1:${listener.port}: the port is in use; stop the other program or choose another port`,
    );
  });

  test("names a foreign address, an unknown name, and the trouble with a path", () => {
    expect(refusal({ host: "192.0.2.1", port: 0 }).message).toContain(
      "192.0.2.1:0: this machine has no such address",
    );
    expect(refusal({ host: "no-such-host.invalid", port: 0 }).message).toContain("does not resolve");
    expect(refusal({ path: join(directory, "none", "s") }).message).toContain("folder does not exist");
    writeFileSync(join(directory, "taken"), "");
    expect(refusal({ path: join(directory, "taken") }).message).toContain("the file exists");
    expect(refusal({ path: join(directory, "x".repeat(200)) }).message).toContain("too long");
  });

  test("frees a path that nobody else uses", () => {
    const path = join(directory, "stale");
    writeFileSync(path, "");
    removeSocketFile(path);
    removeSocketFile(path);
    expect(open({ path }).listener.address).toBe(path);
  });

  test("normalises v4-mapped addresses, and writes v6 ones in brackets", async () => {
    const { listener, served } = open({ host: "::", port: 0 });
    const four = await Bare.to({ host: "127.0.0.1", port: listener.port });
    await until(() => served.connection !== undefined);
    expect(served.open.remote).toBe(`127.0.0.1:${four.open.localPort}`);
    served.connection = undefined;
    const six = await Bare.to({ host: "::1", port: listener.port });
    await until(() => served.connection !== undefined);
    expect(served.open.remote).toBe(`[::1]:${six.open.localPort}`);
    for (const bare of [four, six]) bare.open.end();
  });

  test("refuses above its limit with last words, and accepts again when somebody has left", async () => {
    const all: Recorder[] = [];
    const listener = listen({
      at: local,
      settings: settingsOf(),
      connectionsMost: 2,
      accept(connection) {
        const served = new Recorder();
        all.push(served);
        return served.take(connection);
      },
      refuse: (remote) => Buffer.from(`full, ${remote.split(":")[0]}\n`),
    });
    cleanups.push(() => listener.stop());
    const at = { host: "127.0.0.1", port: listener.port };
    const [first, second] = [await Bare.to(at), await Bare.to(at)];
    await until(() => all.length === 2);
    const third = await Bare.to(at);
    await until(() => third.events.includes("end"));
    expect(third.text).toBe("full, 127.0.0.1\n");
    expect(listener.connections).toBe(2);
    first.open.end();
    await until(() => all[0]?.events.includes("end") === true);
    all[0]?.open.finish();
    await until(() => listener.connections === 1);
    const fourth = await Bare.to(at);
    await until(() => all.length === 3);
    for (const bare of [second, third, fourth]) bare.open.end();
    for (const served of all) served.open.terminate();
    expect(listener.connections).toBe(0);
  });

  test("stopped, it accepts nobody and keeps those it has", async () => {
    const { listener, served } = open(local);
    const bare = await Bare.to({ host: "127.0.0.1", port: listener.port });
    await until(() => served.connection !== undefined);
    listener.stop();
    expect((await dialFailure({ to: { host: "127.0.0.1", port: listener.port } })).code).toBe("ECONNREFUSED");
    bare.open.write("still here");
    await until(() => served.text === "still here");
    bare.open.end();
    served.open.terminate();
  });

  test("refuses while descriptors are left, and never takes the last ones", async () => {
    // A process of its own with few descriptors: a hundred dials, of which some must be refused and none may hang.
    const module = (name: string) => JSON.stringify(join(import.meta.dir, "../../src", name));
    const script = `
      import { listen } from ${module("net/listener.ts")};
      import { descriptorLimit } from ${module("net/descriptors.ts")};
      import { systemClock } from ${module("protocol/clock.ts")};
      const settings = { clock: systemClock, limits: { outboxBytes: 1e6, highWaterBytes: 1e5, lingerMs: 100 } };
      let most = 0, open = 0;
      const listener = listen({ at: { host: "127.0.0.1", port: 0 }, settings,
        accept: (connection) => { most = Math.max(most, ++open); return { data() {}, close() { open -= 1; } }; },
        refuse: () => Buffer.from("full\\n") });
      console.log(JSON.stringify({ limit: descriptorLimit(), port: listener.port }));
      for await (const _ of console) { console.log(JSON.stringify({ most })); break; }
      process.exit(0);`;
    const child = Bun.spawn(["sh", "-c", `ulimit -n 200; exec "$0" -e "$1"`, process.execPath, script], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    cleanups.push(() => child.kill(9));
    const reader = child.stdout.getReader();
    const read = async (): Promise<Record<string, number>> =>
      JSON.parse(new TextDecoder().decode((await reader.read()).value)) as Record<string, number>;
    const { limit, port } = await read();
    expect(limit).toBe(200);
    const bares: Bare[] = [];
    for (let index = 0; index < 100; index += 1)
      bares.push(await Bare.to({ host: "127.0.0.1", port: port ?? 0 }));
    await until(() => bares.filter((bare) => bare.text === "full\n").length === 28, "28 are refused");
    void child.stdin.write("how many\n");
    void child.stdin.flush();
    expect(await read()).toEqual({ most: 72 });
    for (const bare of bares) bare.open.terminate();
  });
});

describe("dialling", () => {
  test("opens a connection, and the handlers see its first byte", async () => {
    const greeter = listen({
      at: local,
      settings: settingsOf(),
      accept(connection) {
        connection.write(Buffer.from("server speaks first"));
        return new Recorder();
      },
    });
    cleanups.push(() => greeter.stop());
    const before = connectionsOpen();
    const dialled = new Recorder();
    const connection = await dial({
      to: { host: "127.0.0.1", port: greeter.port },
      settings: settingsOf(),
      opened: dialled.take,
    });
    await until(() => dialled.text === "server speaks first");
    expect(connection.remote).toBe(`127.0.0.1:${greeter.port}`);
    expect(connectionsOpen()).toBe(before + 2);
    connection.terminate();
    await until(() => connectionsOpen() === before);
  });

  test("names the address that refuses", async () => {
    const { listener } = open(local);
    listener.stop();
    const error = await dialFailure({ to: { host: "127.0.0.1", port: listener.port } });
    expect(error.code).toBe("ECONNREFUSED");
    expect(error.message).toContain(`127.0.0.1:${listener.port}: nobody listens there`);
    expect((await dialFailure({ to: { path: join(directory, "none") } })).message).toContain(
      "no such socket",
    );
    const unknown = await dialFailure({ to: { host: "no-such-host.invalid", port: 1 } });
    expect(unknown.message).toContain("no-such-host.invalid:1: the host name does not resolve");
  });

  test("gives up at its deadline and when told to, and closes what opens later", async () => {
    const { listener, served } = open(local);
    const to = { host: "127.0.0.1", port: listener.port };
    // A clock whose timers fire at once: the deadline is before any answer.
    const hasty = {
      ...settingsOf(),
      clock: {
        ...systemClock,
        after: (_ms: number, run: () => void) => {
          queueMicrotask(run);
          return { stop: () => {} };
        },
      },
    };
    const late = await dialFailure({ to, settings: hasty, timeoutMs: 70 });
    expect([late.code, late.message]).toEqual([
      "TIMEOUT",
      `cannot connect to ${to.host}:${to.port}: no answer within 70 ms; check that it runs`,
    ]);
    await until(() => served.events.some((event) => event.startsWith("close")));
    const controller = new AbortController();
    const given = dialFailure({ to, signal: controller.signal });
    controller.abort();
    expect((await given).code).toBe("ABORTED");
    expect((await dialFailure({ to, signal: controller.signal })).code).toBe("ABORTED");
  });

  test("without descriptors it blames this process, not the peer", async () => {
    const { listener } = open(local);
    const module = (name: string) => JSON.stringify(join(import.meta.dir, "../../src", name));
    const script = `
      import { openSync } from "node:fs";
      import { dial } from ${module("net/dial.ts")};
      import { systemClock } from ${module("protocol/clock.ts")};
      const settings = { clock: systemClock, limits: { outboxBytes: 1e6, highWaterBytes: 1e5, lingerMs: 100 } };
      const to = { host: "127.0.0.1", port: ${listener.port} };
      try { for (;;) openSync("/dev/null", "r"); } catch {}
      try { await dial({ to, settings, opened: () => ({ data() {}, close() {} }) }); console.log("connected"); }
      catch (error) { console.log(error.code); }
      process.exit(0);`;
    const child = Bun.spawn(["sh", "-c", `ulimit -n 64; exec "$0" -e "$1"`, process.execPath, script], {
      stdout: "pipe",
      stderr: "inherit",
    });
    cleanups.push(() => child.kill(9));
    expect(await new Response(child.stdout).text()).toBe("EMFILE\n");
  });
});

test("the descriptor limit is what the shell says", async () => {
  const shell = Bun.spawn(["sh", "-c", "ulimit -n"], { stdout: "pipe" });
  expect(String(descriptorLimit())).toBe((await new Response(shell.stdout).text()).trim());
});

test("backoff grows to its ceiling, with full jitter, and starts again after a success", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 1_000 }), (seed, firstMs) => {
      const backoff = new Backoff({ firstMs, mostMs: 30_000 }, seededRandom(seed));
      const same = seededRandom(seed);
      for (let attempt = 0; attempt < 40; attempt += 1) {
        const ceiling = Math.min(30_000, firstMs * 2 ** attempt);
        expect(backoff.attempts).toBe(attempt);
        expect(backoff.next()).toBe(same() * ceiling);
      }
      backoff.reset();
      expect(backoff.next()).toBeLessThan(firstMs);
    }),
  );
});

test("no network is not nobody listening, and a resolver that is away not an unknown error", () => {
  const to = (host: string) => ({ host, port: 1 });
  const offline = () => true;
  expect(dialCode("ECONNREFUSED", to("192.0.2.1"), offline)).toBe("ENETUNREACH");
  expect(dialCode("ECONNREFUSED", to("192.0.2.1"), () => false)).toBe("ECONNREFUSED");
  expect(dialCode("ECONNREFUSED", to("127.0.0.1"), offline)).toBe("ECONNREFUSED");
  expect(dialCode("ECONNREFUSED", { path: "/s" }, offline)).toBe("ECONNREFUSED");
  expect(dialCode("EAI_AGAIN", to("chat.example.org"), offline)).toBe("ENOTFOUND");
});
