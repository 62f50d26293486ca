/** Whom a client believes. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dial, DialError } from "../../src/net/dial.ts";
import { Handshake, parsePin, type TlsTrust } from "../../src/net/tls-trust.ts";
import { type Authority, type Issued, newAuthority } from "../support/authority.ts";
import { spoilt } from "../support/spoilt.ts";
import { Recorder, settingsOf, until } from "./helpers.ts";

let authority: Authority;
let good: Issued;
const ports: Record<string, number> = {};
const listeners: { stop(force: boolean): void }[] = [];

beforeAll(async () => {
  authority = await newAuthority();
  good = await authority.issue(["localhost"]);
  const ended = await authority.issue(["localhost"], -1_000);
  const elsewhere = await authority.issue(["chat.example.org"]);
  const echo = {
    data: (socket: { write(data: Uint8Array): number }, chunk: Uint8Array) => void socket.write(chunk),
  };
  for (const [name, { cert, key }] of Object.entries({ good, ended, elsewhere })) {
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, tls: { cert, key }, socket: echo });
    ports[name] = listener.port;
    listeners.push(listener);
  }
  const plain = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.write('{"type":"error"}\n') },
  });
  ports["plain"] = plain.port;
  listeners.push(plain);
  const mute = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.end() },
  });
  ports["mute"] = mute.port;
  listeners.push(mute);
});
afterAll(() => listeners.forEach((listener) => listener.stop(true)));

test("a handshake that did not come about is refused, whatever certificate was shown on the way", () => {
  const pin = "ab".repeat(32);
  const verdicts: string[] = [];
  let terminated = 0;
  const connection = {
    socket: { getPeerCertificate: () => ({ fingerprint256: pin }) },
    terminate: () => (terminated += 1),
  };
  const handshake = (trust: TlsTrust) =>
    new Handshake(connection, trust, {
      open: () => verdicts.push("open"),
      refuse: (code) => verdicts.push(code),
    });
  for (const trust of [{ pin }, {}]) handshake(trust).handshake(false, null);
  expect([verdicts, terminated]).toEqual([["TLS_FAILED", "TLS_FAILED"], 2]);
  handshake({ pin }).handshake(true, null);
  expect(verdicts.at(-1)).toBe("open");
});

async function attempt(server: string, tls: TlsTrust, host = "localhost"): Promise<string> {
  const recorder = new Recorder();
  try {
    const connection = await dial({
      to: { host, port: ports[server] ?? 0 },
      settings: settingsOf(),
      opened: recorder.take,
      tls,
    });
    connection.write(Buffer.from("hello"));
    await until(() => recorder.text === "hello");
    connection.terminate();
    return "believed";
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    expect(recorder.connection).toBeUndefined();
    return error.code;
  }
}

test("a certificate of a trusted authority for the host that was dialled is believed, and nothing else", async () => {
  const { cert: ca } = authority;
  expect(await attempt("good", { ca })).toBe("believed");
  expect(await attempt("good", {})).toBe("TLS_UNTRUSTED");
  expect(await attempt("good", { ca }, "127.0.0.1")).toBe("TLS_HOST");
  expect(await attempt("elsewhere", { ca })).toBe("TLS_HOST");
  expect(await attempt("ended", { ca })).toBe("TLS_EXPIRED");
  expect(await attempt("good", { ca: (await newAuthority()).cert })).toBe("TLS_UNTRUSTED");
});

test("a pinned certificate is believed whatever it says of itself, and no other is", async () => {
  expect(await attempt("good", { pin: good.fingerprint }, "127.0.0.1")).toBe("believed");
  expect(await attempt("elsewhere", { pin: good.fingerprint })).toBe("TLS_PIN");
  expect(await attempt("good", { pin: "0".repeat(64), ca: authority.cert })).toBe("TLS_PIN");
});

test("whoever speaks no TLS is told apart from whoever is not believed", async () => {
  expect(await attempt("plain", {})).toBe("TLS_NONE");
  expect(await attempt("mute", {})).toBe("TLS_FAILED");
});

test("a fingerprint is read with colons or without, in either case", () => {
  const colons = good.fingerprint.toUpperCase().replaceAll(/(..)(?=.)/g, "$1:");
  expect(parsePin(colons)).toBe(good.fingerprint);
  expect(parsePin(good.fingerprint)).toBe(good.fingerprint);
  for (const wrong of ["", "zz", good.fingerprint.slice(1), `${good.fingerprint}0`]) {
    expect(parsePin(wrong)).toBeUndefined();
  }
});

test("the pinned certificate, shown by somebody who does not hold its key, is not believed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rtchat-trust-"));
  const files = [join(folder, "cert.pem"), join(folder, "key.pem")] as const;
  writeFileSync(files[0], good.cert);
  writeFileSync(files[1], good.key);
  const closers: (() => void)[] = [() => rmSync(folder, { recursive: true })];
  const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  free.stop(true);
  const args = [
    "-accept",
    `127.0.0.1:${free.port}`,
    "-tls1_3",
    "-quiet",
    "-cert",
    files[0],
    "-key",
    files[1],
  ];
  const server = Bun.spawn(["openssl", "s_server", ...args], { stdio: ["pipe", "ignore", "ignore"] });
  closers.push(() => server.kill());
  const pin = new X509Certificate(good.cert).fingerprint256.replaceAll(":", "").toLowerCase();
  const opened = async (port: number): Promise<string> => {
    try {
      const to = { host: "localhost", port };
      const connection = await dial({
        to,
        settings: settingsOf(),
        opened: new Recorder().take,
        tls: { pin },
      });
      connection.terminate();
      return "believed";
    } catch (error) {
      if (!(error instanceof DialError)) throw error;
      return error.code;
    }
  };
  while ((await opened(free.port)) !== "believed") await Bun.sleep(20);
  expect(await opened(await spoilt((close) => closers.push(close), free.port, "listener", 4))).toBe(
    "TLS_FAILED",
  );
  for (const close of closers) close();
});
