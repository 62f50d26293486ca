// The TLS layer under peer links, and every undocumented behaviour of Bun's that it leans on.
import { afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { peerIdOfCertificate } from "../../src/identity/certificate.ts";
import { failureOf, strangerOf } from "../../src/net/tls-failure.ts";
import { tlsInPipe } from "../../src/net/tls-pipe.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { spoilt as spoiltWay } from "../support/spoilt.ts";
import { Cleanup, connected, dial, Port, Recorder, until, type Person } from "./support.ts";

const cleanup = new Cleanup();
const spoilt = (to: number, whose: "dialler" | "listener", record: number) =>
  spoiltWay((close) => cleanup.add(close), to, whose, record);
afterEach(() => cleanup.run());

/** A plain TCP connection: sends `bytes`, gathers the answer until the other side closes. */
async function plain(port: number, bytes: string | Uint8Array): Promise<{ answer: string }> {
  let answer = "";
  await new Promise<void>((resolve, reject) => {
    Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        open: (socket) => void socket.write(bytes),
        data: (_socket, chunk) => void (answer += chunk.toString("latin1")),
        end: (socket) => void socket.end(),
        close: () => resolve(),
        error: (socket) => socket.terminate(),
        drain: () => {},
      },
    }).catch(reject);
  });
  return { answer };
}

async function openssl(port: number, ...args: string[]): Promise<string> {
  const client = Bun.spawn(["openssl", "s_client", "-connect", `127.0.0.1:${port}`, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([
    new Response(client.stdout).text(),
    new Response(client.stderr).text(),
  ]);
  await client.exited;
  return out + err;
}

/** A person's certificate and key as files, for OpenSSL. */
function filesOf({ cert, key }: Person): string[] {
  const folder = cleanup.directory();
  writeFileSync(join(folder, "cert.pem"), cert);
  writeFileSync(join(folder, "key.pem"), key);
  return ["-cert", join(folder, "cert.pem"), "-key", join(folder, "key.pem")];
}

/** OpenSSL as a peer that is dialled, on this port as soon as it has started. */
async function opensslServer(): Promise<number> {
  const free = new Port(cleanup, await cleanup.person());
  free.listener.stop();
  const args = ["-accept", `127.0.0.1:${free.port}`, "-tls1_3", "-verify", "1", "-quiet"];
  const server = Bun.spawn(["openssl", "s_server", ...args, ...filesOf(await cleanup.person())], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  cleanup.add(() => server.kill());
  return free.port;
}

describe("a certificate without the proof that its key is held", () => {
  test("is nobody's, shown by who dials", async () => {
    const port = new Port(cleanup, await cleanup.person());
    const way = await spoilt(port.port, "dialler", 3);
    await openssl(way, "-tls1_3", ...filesOf(await cleanup.person()));
    await until(() => port.refusals.length + port.accepted.length > 0, "the end of it");
    expect(port.accepted).toHaveLength(0);
    expect(port.refusals.map(({ code }) => code)).toEqual(["tls-failed"]);
  });

  test("is nobody's, shown by who is dialled", async () => {
    const port = await opensslServer();
    const me = await cleanup.person();
    const attempt = async (to: number): Promise<string> => {
      const made = await dial(cleanup, me, to);
      if (!(made instanceof Recorder)) return made.code;
      // It serves one after the other.
      made.socket.destroy({ code: "ours", detail: "it is there" });
      return "opened";
    };
    while ((await attempt(port)) !== "opened") await Bun.sleep(20);
    expect(await attempt(await spoilt(port, "listener", 5))).toBe("tls-failed");
  });
});

describe("a certificate without that proof in a relay's pipe", () => {
  /** What comes of TLS in a pipe. */
  const outcome = async (open: () => Socket, dials: boolean): Promise<string> => {
    const identity = await cleanup.person();
    return new Promise((resolve) => {
      tlsInPipe({
        pipe: open(),
        dials,
        identity,
        clock: systemClock,
        name: "relay",
        opened: (socket) => {
          socket.destroy({ code: "ours", detail: "it is there" });
          resolve("opened");
        },
        failed: ({ code }) => resolve(code),
      });
    });
  };

  test("is nobody's, shown by who begins", async () => {
    const came = Promise.withResolvers<Socket>();
    const server = createServer((socket) => came.resolve(socket));
    cleanup.add(() => void server.close());
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const way = await spoilt(Number(Object(server.address()).port), "dialler", 3);
    const client = openssl(way, "-tls1_3", ...filesOf(await cleanup.person()));
    const socket = await came.promise;
    expect(await outcome(() => socket, false)).toBe("tls-failed");
    await client;
  });

  test("is nobody's, shown by who is dialled", async () => {
    const port = await opensslServer();
    const way = await spoilt(port, "listener", 5);
    while ((await outcome(() => connect(port, "127.0.0.1"), true)) !== "opened") await Bun.sleep(20);
    expect(await outcome(() => connect(way, "127.0.0.1"), true)).toBe("tls-failed");
  });
});

describe("a connection", () => {
  test("shows each side the other's key, equal keying material, and both addresses", async () => {
    const { dialler, listener, people, port } = await connected(cleanup);
    expect(peerIdOfCertificate(dialler.socket.peerCertificate)).toBe(people[1].identity.peerId);
    expect(peerIdOfCertificate(listener.socket.peerCertificate)).toBe(people[0].identity.peerId);
    expect(dialler.socket.exportKey("EXPORTER-test")).toEqual(listener.socket.exportKey("EXPORTER-test"));
    expect(dialler.socket.exportKey("EXPORTER-test")).not.toEqual(dialler.socket.exportKey("EXPORTER-other"));
    expect(dialler.socket.remote).toEqual({ host: "127.0.0.1", port: port.port });
    expect(listener.socket.remote).toEqual(dialler.socket.local);
    expect([dialler.socket.dialled, listener.socket.dialled]).toEqual([true, false]);
  });

  test("two connections have different keying material", async () => {
    const first = await connected(cleanup);
    const second = await connected(cleanup);
    expect(first.dialler.socket.exportKey("EXPORTER-test")).not.toEqual(
      second.dialler.socket.exportKey("EXPORTER-test"),
    );
  });

  test("carries bytes both ways, in order, whatever the kernel takes at once", async () => {
    const { dialler, listener } = await connected(cleanup, { outboxBytes: 64 * 1024 * 1024 });
    const pieces = Array.from({ length: 400 }, (_, n) => new Uint8Array(50_000).fill(n % 251));
    for (const piece of pieces) {
      expect(dialler.socket.send(piece)).toBe(true);
      expect(listener.socket.send(piece)).toBe(true);
    }
    expect(dialler.socket.queuedBytes).toBeGreaterThan(0);
    await until(() => dialler.bytes === 20_000_000 && listener.bytes === 20_000_000, "all bytes arrive");
    const sent = Bun.hash(Buffer.concat(pieces));
    expect(Bun.hash(Buffer.concat(listener.chunks))).toBe(sent);
    expect(Bun.hash(Buffer.concat(dialler.chunks))).toBe(sent);
    expect(dialler.drains).toBeGreaterThan(0);
    expect(dialler.socket.queuedBytes).toBe(0);
  });

  test("ends only after everything that was sent before has arrived", async () => {
    const { dialler, listener } = await connected(cleanup, { outboxBytes: 64 * 1024 * 1024 });
    dialler.socket.send(new Uint8Array(16_000_000));
    dialler.socket.end("done");
    expect(dialler.socket.send(new Uint8Array(1))).toBe(false);
    await until(() => dialler.ends.length === 1 && listener.ends.length === 1, "both sides end");
    expect(listener.bytes).toBe(16_000_000);
    expect(dialler.ends).toEqual([{ code: "ours", detail: "done" }]);
    expect(listener.ends[0]?.code).toBe("theirs");
  });

  test("ends when its outbox is over the limit, and only then", async () => {
    const { dialler, listener } = await connected(cleanup, { outboxBytes: 1_000_000 });
    let sent = 0;
    while (dialler.socket.send(new Uint8Array(100_000))) sent += 100_000;
    expect(sent).toBeGreaterThan(1_000_000);
    expect(dialler.ends.map(({ code }) => code)).toEqual(["outbox-full"]);
    expect(dialler.socket.queuedBytes).toBe(0);
    await until(() => listener.ends.length === 1, "the other side notices");
  });

  test("tells a reset from an end, once", async () => {
    const { dialler, listener } = await connected(cleanup);
    dialler.socket.destroy({ code: "ours", detail: "gone" });
    await until(() => listener.ends.length > 0, "the reset is seen");
    expect(listener.ends.map(({ code }) => code)).toEqual(["reset"]);
    expect(dialler.ends).toEqual([{ code: "ours", detail: "gone" }]);
    expect(listener.socket.send(new Uint8Array(1))).toBe(false);
  });
});

describe("the port refuses, names and quickly closes", () => {
  test("an HTTP request, with an HTTP answer", async () => {
    const port = new Port(cleanup, await cleanup.person());
    const { answer } = await plain(port.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(answer).toStartWith("HTTP/1.1 400 Bad Request\r\n");
    expect(answer).toEndWith("\r\n\r\nThis is a peer port\n");
    expect(port.refusals).toEqual([{ code: "http", detail: "an HTTP request" }]);
  });

  test("a line of the client protocol, with an error line", async () => {
    const port = new Port(cleanup, await cleanup.person());
    const { answer } = await plain(port.port, '{"type":"hello","version":1,"nick":"ana"}\n');
    expect(JSON.parse(answer)).toEqual({
      type: "error",
      code: "not-a-client",
      message: "This is a peer port",
    });
    expect(port.refusals.map(({ code }) => code)).toEqual(["chat-line"]);
  });

  test.each([
    ["SSH-2.0-OpenSSH_9.6\r\n", "not-tls", "an SSH client"],
    ["\0rt1 trunk", "not-tls", "a balancer's trunk"],
    ["\u0007\u0008garbage", "not-tls", "bytes that are not TLS"],
    ["\u0016\u0003\u0001garbage that only starts like TLS", "tls-failed", "ENCRYPTED_LENGTH_TOO_LONG"],
    [
      "\u0016\u0003\u0001\u0000\u0005\u0001\u0000\u0000\u0001\u0000",
      "tls-failed",
      "CLIENTHELLO_PARSE_FAILED",
    ],
  ])("%j", async (bytes, code, detail) => {
    const port = new Port(cleanup, await cleanup.person());
    // At once: at its deadline the refusal would be another.
    await plain(port.port, Buffer.from(bytes, "latin1"));
    expect(port.refusals).toHaveLength(1);
    expect<string | undefined>(port.refusals[0]?.code).toBe(code);
    expect(port.refusals[0]?.detail).toContain(detail);
  });

  // Bun calls a handshake good when the client sent no certificate.
  test("TLS without a certificate", async () => {
    const port = new Port(cleanup, await cleanup.person());
    await openssl(port.port, "-tls1_3");
    await until(() => port.refusals.length > 0, "the refusal");
    expect(port.refusals.map(({ code }) => code)).toEqual(["no-certificate"]);
    expect(port.accepted).toHaveLength(0);
  });

  test("TLS 1.2", async () => {
    const port = new Port(cleanup, await cleanup.person());
    expect(await openssl(port.port, "-tls1_2")).toContain("alert protocol version");
    await until(() => port.refusals.length > 0, "the refusal");
    expect(port.refusals.map(({ code }) => code)).toEqual(["old-tls"]);
  });

  test("one that says nothing, or stops in the middle of the handshake", async () => {
    const port = new Port(cleanup, await cleanup.person(), { handshakeMs: 60 });
    await Promise.all([
      plain(port.port, ""),
      plain(port.port, "\u0016"),
      plain(port.port, "\u0016\u0003\u0001\u0002\u0000"),
    ]);
    await until(() => port.refusals.length === 3, "three refusals");
    expect(port.refusals.map(({ code }) => code)).toEqual(
      Array.from({ length: 3 }, () => "handshake-timeout"),
    );
  });

  test("more strangers than may wait; an admitted one makes room", async () => {
    const ana = await cleanup.person();
    const port = new Port(cleanup, await cleanup.person(), { pendingPerAddress: 2 });
    for (let n = 1; n <= 2; n += 1) {
      expect(await dial(cleanup, ana, port.port)).toBeInstanceOf(Recorder);
    }
    await until(() => port.accepted.length === 2, "two are in");
    expect(await dial(cleanup, ana, port.port)).toMatchObject({ code: "closed-early" });
    expect(port.refusals.map(({ code }) => code)).toEqual(["too-many-pending"]);
    port.accepted[0]!.admitted();
    port.accepted[0]!.admitted(); // Twice counts once.
    expect(await dial(cleanup, ana, port.port)).toBeInstanceOf(Recorder);
    await until(() => port.accepted.length === 3, "the third is in");
    expect(await dial(cleanup, ana, port.port)).toMatchObject({ code: "closed-early" });
    port.accepted[1]!.side.socket.destroy({ code: "ours", detail: "test" });
    expect(await dial(cleanup, ana, port.port)).toBeInstanceOf(Recorder);
  });

  test("more strangers in all than may wait, wherever they come from", async () => {
    const ana = await cleanup.person();
    const port = new Port(cleanup, await cleanup.person(), { pendingMost: 1, pendingPerAddress: 9 });
    expect(await dial(cleanup, ana, port.port)).toBeInstanceOf(Recorder);
    await until(() => port.accepted.length === 1, "one is in");
    expect(await dial(cleanup, ana, port.port)).toMatchObject({ code: "closed-early" });
    expect(port.refusals.map(({ code }) => code)).toEqual(["too-many-pending"]);
    port.accepted[0]!.admitted();
    expect(await dial(cleanup, ana, port.port)).toBeInstanceOf(Recorder);
  });

  test("300 handshakes at once all succeed", async () => {
    const ana = await cleanup.person();
    const port = new Port(cleanup, await cleanup.person(), { pendingMost: 300, pendingPerAddress: 300 });
    const outcomes = await Promise.all(Array.from({ length: 300 }, () => dial(cleanup, ana, port.port)));
    expect(outcomes.filter((outcome) => !(outcome instanceof Recorder))).toEqual([]);
    await until(() => port.accepted.length === 300, "all arrive");
  });

  test("nobody, once stopped", async () => {
    const ana = await cleanup.person();
    const port = new Port(cleanup, await cleanup.person());
    port.listener.stop();
    expect(await dial(cleanup, ana, port.port)).toMatchObject({ code: "refused" });
  });
});

describe("dialling fails with a name", () => {
  test("where nothing listens", async () => {
    const ana = await cleanup.person();
    const closed = new Port(cleanup, ana);
    closed.listener.stop();
    expect(await dial(cleanup, ana, closed.port)).toMatchObject({ code: "refused" });
  });

  test("where a name does not resolve", async () => {
    const ana = await cleanup.person();
    expect(await dial(cleanup, ana, 5002, { host: "no-such-host.invalid" })).toMatchObject({
      code: "no-such-host",
    });
  });

  test("at a web server, a chat server, one that hangs up, one that is silent", async () => {
    const ana = await cleanup.person();
    const web = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("hi") });
    const listen = (open: (socket: { write(text: string): number; end(): void }) => void): number => {
      const server = Bun.listen({
        hostname: "127.0.0.1",
        port: 0,
        socket: { open, data: () => {}, drain: () => {}, error: () => {} },
      });
      cleanup.add(() => server.stop(true));
      return server.port;
    };
    cleanup.add(() => web.stop(true));
    expect(await dial(cleanup, ana, web.port ?? 0)).toMatchObject({ code: "not-tls" });
    const chat = listen((socket) => void socket.write('{"type":"error"}\n'));
    expect(await dial(cleanup, ana, chat)).toMatchObject({ code: "not-tls" });
    expect(
      await dial(
        cleanup,
        ana,
        listen((socket) => socket.end()),
      ),
    ).toMatchObject({ code: "closed-early" });
    expect(
      await dial(
        cleanup,
        ana,
        listen(() => {}),
        { timeoutMs: 80 },
      ),
    ).toMatchObject({ code: "handshake-timeout" });
  });

  test("at a server that speaks only TLS 1.2", async () => {
    const ana = await cleanup.person();
    const tls = { cert: ana.cert, key: ana.key, maxVersion: 0x0303 };
    const old = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      tls,
      socket: { data: () => {}, drain: () => {}, error: () => {} },
    });
    cleanup.add(() => old.stop(true));
    expect(await dial(cleanup, ana, old.port)).toMatchObject({ code: "old-tls" });
  });
});

test("errors of the system and of BoringSSL have names", () => {
  const error = (code: string, message = ""): Error => Object.assign(new Error(message), { code });
  const names = [
    [error("EHOSTUNREACH"), "unreachable"],
    [error("ENETUNREACH"), "unreachable"],
    [error("EMFILE"), "local-limit"],
    [error("ETIMEDOUT"), "connect-timeout"],
    [error("EPROTO", "error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST"), "http"],
    [error("EPROTO", "error:1000042e:SSL routines:OPENSSL_internal:TLSV1_ALERT_PROTOCOL_VERSION"), "old-tls"],
    [
      error("EPROTO", "error:10000438:SSL routines:OPENSSL_internal:TLSV1_ALERT_INTERNAL_ERROR"),
      "tls-failed",
    ],
    ["a string", "tls-failed"],
  ] as const;
  for (const [given, code] of names) expect(failureOf(given).code).toBe(code);
  expect(strangerOf(new Uint8Array()).code).toBe("not-tls");
});
