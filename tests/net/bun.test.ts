/**
 * What Bun does and does not say: each behaviour that src/net leans on. When one of these fails after an upgrade of Bun,
 * the part of src/net that its name mentions is to be looked at again.
 */
import { afterEach, describe, expect, test } from "bun:test";
import type { Socket, TCPSocketListener } from "bun";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCredentials } from "../../src/identity/certificate.ts";
import { loadOrCreateIdentity } from "../../src/identity/key-file.ts";
import { until } from "./helpers.ts";

type Plain = Socket;
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

/** Handlers that write down what they are called with. */
function handlers(log: string[], data: (socket: Plain, chunk: Buffer) => void = () => {}) {
  return {
    open: () => {},
    data: (socket: Plain, chunk: Buffer) => {
      log.push(`data ${chunk.length}`);
      data(socket, chunk);
    },
    drain: () => void log.push("drain"),
    end: () => void log.push("end"),
    close: (_socket: Plain, error?: Error) =>
      void log.push(error === undefined ? "close" : "close with error"),
    error: () => {},
  };
}

async function pair(data?: (socket: Plain, chunk: Buffer) => void) {
  const [serverLog, clientLog]: [string[], string[]] = [[], []];
  let served: Plain | undefined;
  const options = {
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: { ...handlers(serverLog, data), open: (socket: Plain) => void (served = socket) },
  };
  const listener: TCPSocketListener = Bun.listen(options);
  const dialling = {
    hostname: "127.0.0.1",
    port: listener.port,
    allowHalfOpen: true,
    socket: handlers(clientLog),
  };
  const client: Plain = await Bun.connect(dialling);
  cleanups.push(() => {
    client.terminate();
    listener.stop(true);
  });
  await until(() => served !== undefined);
  if (served === undefined) throw new Error("not served");
  return { server: served, client, serverLog, clientLog };
}

const real = (log: readonly string[]): string[] => log.filter((one) => one !== "drain");

describe("write (Connection's outbox)", () => {
  test("takes what the kernel takes, keeps nothing, and drain says when to go on", async () => {
    const { server, client, serverLog } = await pair();
    client.pause();
    const bytes = Buffer.alloc(16 << 20);
    const taken = server.write(bytes);
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(bytes.length);
    expect(server.write(bytes)).toBe(0);
    serverLog.length = 0;
    client.resume();
    await until(() => serverLog.includes("drain"));
    expect(server.write(bytes)).toBeGreaterThan(0);
  });

  test("is negative on a socket that is gone", async () => {
    const { server, client, serverLog } = await pair();
    client.terminate();
    await until(() => real(serverLog).includes("close with error"));
    expect(server.write("x")).toBeLessThan(0);
  });
});

describe("closing (Connection.finish)", () => {
  test("a side that was shut down still reads, and is closed by the other's end without a call", async () => {
    const { server, client, serverLog, clientLog } = await pair();
    server.shutdown();
    await until(() => clientLog.includes("end"));
    client.write("still read");
    client.end();
    await until(() => serverLog.includes("close"));
    expect(real(serverLog)).toEqual(["data 10", "close"]);
  });

  test("with half-open sockets the peer's end is told, and the answer still goes out", async () => {
    const { server, client, serverLog, clientLog } = await pair();
    client.shutdown();
    await until(() => serverLog.includes("end"));
    server.write("answer");
    server.end();
    await until(() => clientLog.includes("close"));
    expect(real(clientLog)).toEqual(["data 6", "close"]);
  });

  test("end closes at once, and close is called before it returns", async () => {
    const { server, serverLog } = await pair();
    server.end();
    expect(real(serverLog)).toEqual(["close"]);
  });

  test("terminate resets: the other side hears of an error", async () => {
    const { server, clientLog } = await pair();
    server.terminate();
    await until(() => real(clientLog).includes("close with error"));
    expect(real(clientLog)).toEqual(["close with error"]);
  });
});

describe("pausing (Connection.pause)", () => {
  test("in the data handler stops further data until resume", async () => {
    const { server, client, serverLog } = await pair((socket) => socket.pause());
    client.write(Buffer.alloc(8 << 20));
    await until(() => real(serverLog).length === 1);
    await Bun.sleep(20);
    expect(real(serverLog)).toHaveLength(1);
    server.resume();
    await until(() => real(serverLog).length === 2);
  });

  test("hides the peer's end until resume, but not a reset", async () => {
    const first = await pair();
    first.server.pause();
    first.client.shutdown();
    await Bun.sleep(20);
    expect(real(first.serverLog)).toEqual([]);
    first.server.resume();
    await until(() => first.serverLog.includes("end"));
    const second = await pair();
    second.server.pause();
    second.client.terminate();
    await until(() => real(second.serverLog).includes("close with error"));
  });
});

test("a chunk is not written over by later ones (slices are kept by LineSplitter and FrameDecoder)", async () => {
  const chunks: Buffer[] = [];
  const { client } = await pair((_socket, chunk) => void chunks.push(chunk));
  for (let value = 0; value < 40; value += 1) {
    client.write(Buffer.alloc(10_000, value));
    await Bun.sleep(0);
  }
  await until(() => chunks.reduce((sum, { length }) => sum + length, 0) === 400_000);
  const whole = Buffer.concat(chunks);
  for (let value = 0; value < 40; value += 1) {
    expect(whole.subarray(value * 10_000, (value + 1) * 10_000).every((byte) => byte === value)).toBe(true);
  }
});

test("an immediate runs after all sockets of one poll were read, a microtask after each (turn.ts)", async () => {
  const log: string[] = [];
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data() {
        log.push("data");
        queueMicrotask(() => log.push("microtask"));
        setImmediate(() => log.push("immediate"));
      },
    },
  });
  cleanups.push(() => listener.stop(true));
  const script = `const sockets = [];
    for (let index = 0; index < 4; index += 1) {
      sockets.push(await Bun.connect({ hostname: "127.0.0.1", port: ${listener.port}, socket: { data() {} } }));
    }
    for await (const _ of console) for (const socket of sockets) socket.write("x");`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdin: "pipe", stderr: "inherit" });
  cleanups.push(() => child.kill(9));
  // Blocked while the four write, so that one poll brings all of them.
  let together = false;
  for (let attempt = 0; attempt < 50 && !together; attempt += 1) {
    log.length = 0;
    void child.stdin.write("go\n");
    void child.stdin.flush();
    Bun.sleepSync(30);
    await until(() => log.filter((one) => one === "immediate").length >= 4);
    const words = log.join(" ");
    together = words === `${"data microtask ".repeat(4)}${"immediate ".repeat(4)}`.trim();
  }
  expect(together).toBe(true);
});

test("a TLS socket takes nothing before its handshake, and then drains (Connection's backlog)", async () => {
  const directory = mkdtempSync(join(tmpdir(), "rtchat-bun-"));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  const tls = await makeCredentials(loadOrCreateIdentity(directory));
  const log: string[] = [];
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    tls,
    socket: {
      open: (socket) => void log.push(`open ${socket.write("early")}`),
      handshake: () => void log.push("handshake"),
      drain: (socket) => void log.push(`drain ${socket.write("later")}`),
      data: () => {},
    },
  });
  cleanups.push(() => listener.stop(true));
  let got = "";
  const client = await Bun.connect({
    hostname: "127.0.0.1",
    port: listener.port,
    tls: { rejectUnauthorized: false },
    socket: {
      data: (_socket, chunk) => {
        got += chunk.toString();
      },
    },
  });
  await until(() => got.includes("later"));
  expect(log.slice(0, 2)).toEqual(["open 0", "handshake"]);
  expect(got).not.toContain("early");
  client.end();
});
