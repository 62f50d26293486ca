/** Before a client is a client: gates, proxies, limits and TLS. */
import { afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Gate, Preamble } from "../../src/edge/gate.ts";
import { makeCredentials, type TlsCredentials } from "../../src/identity/certificate.ts";
import { loadOrCreateIdentity } from "../../src/identity/key-file.ts";
import { until, type Bare } from "../net/helpers.ts";
import { FakeHub, startEdge } from "./fake-hub.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function start(...options: Parameters<typeof startEdge>) {
  const parts = startEdge(...options);
  cleanups.push(parts.stop);
  return parts;
}

/** A gate that lets in so many, believes everybody to be a proxy if told so, and remembers. */
class TestGate implements Gate {
  readonly told: string[] = [];
  inside = 0;
  most = Infinity;
  proxies = false;

  enter(ip: string) {
    if (this.inside >= this.most) {
      return { admitted: false, reason: "total", message: `${ip} is one too many` } as const;
    }
    this.inside += 1;
    this.told.push(`enter ${ip}`);
    return { admitted: true } as const;
  }
  leave(ip: string): void {
    this.inside -= 1;
    this.told.push(`leave ${ip}`);
  }
  isProxy(): boolean {
    return this.proxies;
  }
  /** `P address port;` is a header. */
  readPreamble(bytes: Uint8Array): Preamble {
    const text = Buffer.from(bytes).toString();
    if (!text.startsWith("P")) return { kind: "invalid", detail: "no header" };
    const end = text.indexOf(";");
    if (end === -1) return { kind: "incomplete" };
    const [, ip, port] = text.slice(0, end).split(" ");
    if (ip === undefined) return { kind: "header", length: end + 1 };
    return { kind: "header", length: end + 1, source: { ip, port: Number(port) } };
  }
}

const errorCode = (bare: Bare): string => (JSON.parse(bare.text) as { code: string }).code;
const gone = (bare: Bare): boolean => bare.events.length > 0;

describe("a gate", () => {
  test("is told of everybody who comes in and leaves, once each, whatever becomes of them", async () => {
    const gate = new TestGate();
    const hub = new FakeHub();
    const { client, edge } = start({ gate }, [hub]);
    const talker = await client("hello\n");
    const silent = await client();
    const stranger = await client("GET / HTTP/1.1\r\n\r\n");
    await until(() => talker.text === "hello\n" && gone(stranger));
    stranger.open.end();
    await until(() => edge.connections === 2);
    expect(gate.inside).toBe(2);
    silent.open.terminate();
    hub.port.close(hub.last.id, "kicked");
    await until(() => gone(talker));
    talker.open.end();
    await until(() => edge.connections === 0);
    expect(gate.inside).toBe(0);
    expect(gate.told).toHaveLength(6);
  });

  test("refuses with its own words, and keeps no descriptor for whom it refused", async () => {
    const gate = new TestGate();
    gate.most = 1;
    const refused: string[] = [];
    const { client, edge } = start({
      gate,
      observer: { refused: (address, { reason }) => refused.push(`${reason} ${address}`) },
    });
    await client("hello\n");
    await until(() => gate.inside === 1);
    const second = await client();
    await until(() => gone(second));
    expect(JSON.parse(second.text)).toEqual({
      type: "error",
      code: "too-many-connections",
      message: "127.0.0.1 is one too many",
    });
    expect(edge.connections).toBe(1);
    expect(refused).toEqual([`total 127.0.0.1:${second.open.localPort}`]);
    expect(gate.inside).toBe(1);
  });
});

describe("a proxy", () => {
  test("names its client, wherever the header is cut, and the gate judges that client", async () => {
    const gate = new TestGate();
    gate.proxies = true;
    const hub = new FakeHub();
    const { client, edge } = start({ gate }, [hub]);
    for (const parts of [["P 10.1.2.3 4000;hello\n"], ["P 10.1", ".2.3 40", "00", ";", "hel", "lo\n"]]) {
      const bare = await client();
      expect(gate.inside).toBe(0);
      for (const part of parts) {
        bare.open.write(part);
        await Bun.sleep(2);
      }
      await until(() => bare.text === "hello\n");
      expect(hub.last.origin.address).toBe("10.1.2.3:4000");
      expect(gate.told.at(-1)).toBe("enter 10.1.2.3");
      bare.open.terminate();
      await until(() => edge.connections === 0);
      expect(gate.told.at(-1)).toBe("leave 10.1.2.3");
    }
    const six = await client("P 2001:db8::7 9;hello\n");
    await until(() => six.text === "hello\n");
    expect(hub.last.origin.address).toBe("[2001:db8::7]:9");
  });

  test("that speaks for itself counts as itself; one that sends no header is refused", async () => {
    const gate = new TestGate();
    gate.proxies = true;
    const hub = new FakeHub();
    const { client } = start({ gate }, [hub]);
    const check = await client("P;hello\n");
    await until(() => check.text === "hello\n");
    expect(hub.last.origin.address).toBe(`127.0.0.1:${check.open.localPort}`);
    const bare = await client("hello\n");
    await until(() => gone(bare));
    expect(errorCode(bare)).toBe("not-a-client");
    expect(hub.sessions).toHaveLength(1);
  });
});

test("above the limit of the listener newcomers are refused, and taken again when somebody has left", async () => {
  const refused: string[] = [];
  const { client, edge } = start({
    limits: { connections: 2 },
    observer: { refused: (_address, { reason }) => refused.push(reason) },
  });
  const first = await client("one\n");
  await client("two\n");
  await until(() => edge.connections === 2);
  const third = await client();
  await until(() => gone(third));
  expect(errorCode(third)).toBe("too-many-connections");
  first.open.terminate();
  await until(() => edge.connections === 1);
  const fourth = await client("four\n");
  await until(() => fourth.text === "four\n");
  expect(refused).toEqual(["edge"]);
});

describe("TLS", () => {
  let tls: TlsCredentials;
  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), "rtchat-edge-"));
    tls = await makeCredentials(loadOrCreateIdentity(directory));
    rmSync(directory, { recursive: true });
  });

  test("and plain clients share the port, and 2 MB go both ways", async () => {
    const hub = new FakeHub();
    const { client, at } = start(
      { tls: { options: () => tls, required: false }, limits: { outboxBytes: 1 << 23 } },
      [hub],
    );
    let text = "";
    const ends: string[] = [];
    const line = `${"t".repeat(9_999)}\n`;
    let sent = 0;
    const bytes = Buffer.from(line.repeat(200));
    const push = (socket: { write(data: Uint8Array): number }): void => {
      const taken = socket.write(bytes.subarray(sent));
      if (taken > 0) sent += taken;
    };
    const secure = await Bun.connect({
      hostname: at.host,
      port: at.port,
      tls: { rejectUnauthorized: false },
      socket: {
        data: (_socket, chunk) => {
          text += chunk.toString();
        },
        drain: push,
        handshake: push,
        close: () => void ends.push("close"),
      },
    });
    const plain = await client("plain\n");
    await until(() => plain.text === "plain\n" && text.length === bytes.length);
    expect(text).toBe(line.repeat(200));
    hub.port.close(hub.sessions.find(({ lines }) => lines.length === 200)?.id ?? 0, "kicked");
    await until(() => ends.length === 1);
    secure.end();
  });
});
