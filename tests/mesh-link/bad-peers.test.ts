// Peers that do what no honest peer does, over real TLS: each is refused with a name, quickly, and hurts nobody else.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { encodeFrame, FrameReader, FrameType } from "../../src/mesh/link/frames.ts";
import { exporterLabel, makeTags, refusalSchema, type Hello } from "../../src/mesh/link/hello.ts";
import { encodeTransferFrame } from "../../src/mesh/transfer/frames.ts";
import { parseInvite } from "../../src/mesh/pairing/invite.ts";
import { dialTls } from "../../src/net/tls-dial.ts";
import type { TlsSocket } from "../../src/net/tls-socket.ts";
import { systemClock } from "../../src/protocol/clock.ts";
import { peerLinkLimits, transferLimits } from "../../src/protocol/limits.peer.ts";
import { startPeer, type TestPeer } from "./peers.ts";
import { Cleanup, until, type Person } from "./support.ts";

const cleanup = new Cleanup();
let ana: TestPeer;
let ben: TestPeer;
let eve: Person;

beforeEach(async () => {
  ana = await startPeer(cleanup, { nick: "ana" });
  ben = await startPeer(cleanup, { nick: "ben", connect: [ana] });
  eve = await cleanup.person();
  await until(() => ana.linked.length === 1 && ben.linked.length === 1, "ana and ben are linked");
});
afterEach(() => cleanup.run());

/** A connection to ana on which a test says what it likes. */
class RawPeer {
  readonly socket: TlsSocket;
  readonly frames: { type: number; payload: Uint8Array }[] = [];
  closed = false;
  readonly #reader = new FrameReader((type, payload) => this.frames.push({ type, payload }), 1 << 20);

  constructor(socket: TlsSocket) {
    this.socket = socket;
    socket.start({
      data: (chunk) => this.#reader.push(chunk),
      drained: () => {},
      closed: () => (this.closed = true),
    });
  }

  send(type: number, payload: Uint8Array | object = new Uint8Array()): void {
    const bytes = payload instanceof Uint8Array ? payload : Buffer.from(JSON.stringify(payload));
    this.socket.send(encodeFrame(type, bytes));
  }

  hello(changes: Partial<Hello> | object = {}): void {
    const flags = { situation: "alone", seeking: true, asked: true, invited: false };
    this.send(FrameType.Hello, {
      version: 1,
      instance: "eveeveeveeveevee",
      ...flags,
      tags: [],
      former: [],
      ...changes,
    });
  }

  /** The code of the refusal that ended it. */
  async refused(): Promise<string> {
    await until(() => this.closed, "ana closes");
    const last = this.frames.findLast(({ type }) => type === FrameType.Refuse);
    if (last === undefined) return "none";
    return refusalSchema.parse(JSON.parse(Buffer.from(last.payload).toString())).code;
  }
}

function dialAna(person: Person = eve): Promise<RawPeer> {
  return new Promise((resolve, reject) => {
    dialTls({
      endpoint: ana.address,
      identity: person,
      clock: systemClock,
      opened: (socket) => {
        cleanup.add(() => socket.destroy({ code: "ours", detail: "the test is over" }));
        resolve(new RawPeer(socket));
      },
      failed: ({ code, detail }) => reject(new Error(`${code}: ${detail}`)),
    });
  });
}

async function stillTalking(): Promise<void> {
  const before = ben.transcript().length;
  ana.say("still here");
  await until(() => ben.transcript().length === before + 1, "ben still hears ana");
}

/** The others go on as if nothing had happened. */
async function unharmed(): Promise<void> {
  await stillTalking();
  expect(ana.linked).toEqual([ben.id]);
}

describe("before the link is up", () => {
  test.each([
    [
      "a hello that is not JSON",
      "bad-hello",
      (raw: RawPeer) => raw.send(FrameType.Hello, Buffer.from("{oops")),
    ],
    [
      "a hello that is not UTF-8",
      "bad-hello",
      (raw: RawPeer) => raw.send(FrameType.Hello, new Uint8Array([0xff, 0xfe])),
    ],
    ["a hello with a field of the wrong type", "bad-hello", (raw: RawPeer) => raw.hello({ tags: "all" })],
    ["a hello of another version", "version", (raw: RawPeer) => raw.hello({ version: 9 })],
    ["ready before hello", "bad-frame", (raw: RawPeer) => raw.send(FrameType.Ready)],
    [
      "a frame of the mesh before hello",
      "bad-frame",
      (raw: RawPeer) => raw.send(FrameType.Core, new Uint8Array(10)),
    ],
    ["a ping before hello", "bad-frame", (raw: RawPeer) => raw.send(FrameType.Ping, new Uint8Array(8))],
    [
      "an admission that nobody asked for",
      "bad-frame",
      (raw: RawPeer) => raw.send(FrameType.Admit, { mesh: "", secret: "" }),
    ],
    [
      "a frame over 1 KiB",
      "frame-too-long",
      (raw: RawPeer) => raw.send(FrameType.Hello, new Uint8Array(2_000)),
    ],
    [
      "a length of four gigabytes",
      "frame-too-long",
      (raw: RawPeer) => raw.socket.send(new Uint8Array([255, 255, 255, 255, 1])),
    ],
    ["a frame of no length", "frame-too-long", (raw: RawPeer) => raw.socket.send(new Uint8Array(5))],
  ])("%s", async (_name, code, act) => {
    const raw = await dialAna();
    act(raw);
    expect(await raw.refused()).toBe(code);
    await until(() => ana.of("turned-away").length > 0, "ana has turned her away");
    expect(ana.of("turned-away").at(-1)).toMatchObject({ peerId: eve.identity.peerId, failure: { code } });
    expect(ana.node.why(eve.identity.peerId).turnedAway[0]?.failure.code).toBe(code as "version");
    expect(ana.node.core.members()).toHaveLength(2);
    await unharmed();
  });

  test("two hellos", async () => {
    const raw = await dialAna();
    raw.hello();
    raw.hello();
    expect(await raw.refused()).toBe("bad-frame");
    await unharmed();
  });

  test("a member of another mesh, with proofs of that mesh, or of this one from another connection", async () => {
    const material = new Uint8Array(32);
    for (const secret of [new Uint8Array(32), ...ana.node.secrets()]) {
      const raw = await dialAna();
      raw.hello({ situation: "member", tags: makeTags([secret], "dialler", material) });
      expect(await raw.refused()).toBe("different-mesh");
    }
    // The same secret with this connection's own material is believed: so it was the material that failed.
    const raw = await dialAna();
    const tags = makeTags(ana.node.secrets(), "dialler", raw.socket.exportKey(exporterLabel));
    raw.hello({ situation: "member", tags });
    await until(() => raw.frames.some(({ type }) => type === FrameType.Ready), "ana is ready");
  });

  test("a proof reflected to its sender", async () => {
    const raw = await dialAna();
    await until(() => raw.frames.length > 0, "ana's hello");
    const theirs: unknown = JSON.parse(Buffer.from(raw.frames[0]?.payload ?? []).toString());
    raw.hello({ ...Object(theirs), instance: "eveeveeveeveevee", rank: undefined });
    expect(await raw.refused()).toBe("different-mesh");
  });

  test("one that says nothing after TLS", async () => {
    const raw = await dialAna();
    await until(() => raw.closed, "ana's patience ends", 2 * peerLinkLimits.handshakeMs);
    expect(await raw.refused()).toBe("hello-timeout");
    await unharmed();
  });

  test("anything at all: random frames never harm anybody", async () => {
    const frame = fc.tuple(
      fc.constantFrom(0, 1, 2, 3, 4, 16, 17, 18, 200),
      fc.uint8Array({ maxLength: 1_200 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(frame, { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        async (frames, greet) => {
          const raw = await dialAna();
          if (greet) raw.hello({ situation: "member" });
          for (const [type, payload] of frames) raw.send(type, payload);
          expect(await raw.refused()).not.toBe("");
        },
      ),
      { numRuns: 40 },
    );
    await unharmed();
    expect(ana.node.core.members()).toHaveLength(2);
  });
});

describe("on a link that is up", () => {
  /** Eve is let in, as anybody is who knows the address, and then misbehaves. */
  async function admitted(): Promise<RawPeer> {
    const raw = await dialAna();
    raw.hello();
    raw.send(FrameType.Join, {});
    await until(() => raw.frames.some(({ type }) => type === FrameType.Ready), "ana is ready");
    expect(raw.frames.map(({ type }) => type)).toEqual([FrameType.Hello, FrameType.Admit, FrameType.Ready]);
    raw.send(FrameType.Ready);
    await until(() => ana.linked.includes(eve.identity.peerId), "the link is up");
    return raw;
  }

  async function ended(raw: RawPeer, code: string): Promise<void> {
    expect(await raw.refused()).toBe(code);
    await until(() => ana.linked.length === 1, "only ben is left");
    await unharmed();
  }

  test("a handshake frame ends it", async () => {
    const raw = await admitted();
    raw.hello();
    await ended(raw, "bad-frame");
  });

  test("a frame over 1 MiB ends it", async () => {
    const raw = await admitted();
    raw.socket.send(new Uint8Array([0, 0x10, 0, 2, 16]));
    await ended(raw, "frame-too-long");
  });

  test("a broken frame of the mesh ends it, by the core's own name", async () => {
    const raw = await admitted();
    const fromAna = () => raw.frames.find(({ type }) => type === FrameType.Core)?.payload;
    await until(() => fromAna() !== undefined, "ana sends a frame of the mesh");
    raw.send(FrameType.Core, Buffer.concat([fromAna() ?? new Uint8Array(), new Uint8Array(3)]));
    const code = await raw.refused();
    expect(ana.node.core.faults(eve.identity.peerId).map((fault) => fault.code as string)).toContain(code);
    await until(() => ana.linked.length === 1, "only ben is left");
    await unharmed();
  });

  test("types that a later version may have are passed over", async () => {
    const raw = await admitted();
    for (const type of [32, 77, 255]) raw.send(type, new Uint8Array(100));
    raw.send(FrameType.Ping, new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]));
    await until(() => raw.frames.some(({ type }) => type === FrameType.Pong), "ana answers the ping");
    expect(raw.frames.find(({ type }) => type === FrameType.Pong)?.payload).toEqual(
      new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]),
    );
  });

  test("random frames of the mesh never harm anybody", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 2_000 }), { maxLength: 8 }),
        async (frames) => {
          const raw = await admitted();
          for (const frame of frames) raw.send(FrameType.Core, frame);
          raw.send(FrameType.Hello);
          await until(() => raw.closed, "ana closes");
          await until(() => ana.linked.length === 1, "only ben is left");
        },
      ),
      { numRuns: 25 },
    );
    await unharmed();
  });

  test("a frame about a file that breaks its format ends it", async () => {
    const raw = await admitted();
    raw.send(FrameType.Transfer, Buffer.concat([Uint8Array.of(1), new Uint8Array(16), Buffer.from("{}")]));
    await ended(raw, "bad-frame");
  });

  test("a file that nobody accepted, or longer than offered, is named, and nothing of it is stored", async () => {
    const raw = await admitted();
    const offer = { name: "../../etc/passwd", size: 3, hash: "0".repeat(64) };
    const ids = ["0".repeat(32), "1".repeat(32)] as const;
    for (const id of ids) raw.send(FrameType.Transfer, encodeTransferFrame({ type: "offer", id, offer }));
    await until(() => ana.of("transfer").length === 2, "both are shown");
    expect(ana.of("transfer").map(({ transfer }) => transfer.name)).toEqual([
      "_.._etc_passwd",
      "_.._etc_passwd",
    ]);
    const chunk = (id: string): void =>
      raw.send(
        FrameType.Transfer,
        encodeTransferFrame({ type: "chunk", id, generation: 1, offset: 0, bytes: Buffer.from("four") }),
      );
    chunk(ids[0]);
    await until(() => ana.of("transfer").at(-1)?.transfer.state === "stopped", "ana stops the first");
    expect(ana.node.transfers.exchange.accept(2)).toBeUndefined();
    await until(() => ana.of("transfer").at(-1)?.transfer.state === "running", "ana asks for the second");
    chunk(ids[1]);
    await until(() => ana.of("transfer").at(-1)?.transfer.state === "stopped", "ana stops it");
    const [fault] = ana.node.why(eve.identity.peerId).faults;
    expect(fault).toMatchObject({ code: "bad-transfer", times: 2 });
    expect(fault?.detail).toBe("sent more than the 3 bytes that were offered (_.._etc_passwd)");
    await until(() => readdirSync(join(ana.directory, "downloads")).length === 0, "nothing is left of it");
    await stillTalking();
  });

  test("10,000 offers: a few are shown, and the chat goes on", async () => {
    const raw = await admitted();
    const offer = { name: "x", size: 3, hash: "0".repeat(64) };
    for (let number = 0; number < 10_000; number += 1) {
      const id = number.toString(16).padStart(32, "0");
      raw.send(FrameType.Transfer, encodeTransferFrame({ type: "offer", id, offer }));
    }
    raw.send(FrameType.Ping, new Uint8Array(8));
    await until(() => raw.frames.some(({ type }) => type === FrameType.Pong), "ana has read all of it");
    expect(ana.of("transfer")).toHaveLength(transferLimits.pendingPerPeer);
    expect(ana.linked).toHaveLength(2);
    await stillTalking();
  });

  test("a flood of pings is not answered for long, and ended", async () => {
    const raw = await admitted();
    const many = Buffer.concat(
      Array.from({ length: 2_000 }, () => encodeFrame(FrameType.Ping, new Uint8Array(8))),
    );
    raw.socket.send(many);
    await ended(raw, "misbehaved");
    expect(raw.frames.filter(({ type }) => type === FrameType.Pong).length).toBeLessThan(100);
  });

  test("somebody who opens link after link has a few of them, whoever of the two decides", async () => {
    for (const isLower of [true, false]) {
      do eve = await cleanup.person();
      while (eve.identity.peerId < ana.id !== isLower);
      const links = [await admitted()];
      for (let n = 0; n < 2 * peerLinkLimits.perPeerMost; n += 1) {
        const raw = await dialAna();
        raw.hello();
        raw.send(FrameType.Join, {});
        raw.send(FrameType.Ready);
        await until(() => raw.frames.some(({ type }) => type === FrameType.Ping), "the link is up");
        links.push(raw);
      }
      const open = () => links.filter(({ closed }) => !closed).length;
      await until(() => open() <= peerLinkLimits.perPeerMost, "only a few are left");
      expect(links.at(-1)?.closed).toBe(false);
      links.at(-1)?.hello();
      await until(() => open() === 0 || ana.linked.length === 2, "whatever is left of eve");
    }
    await stillTalking();
  });

  test("a flood of frames is named and ended", async () => {
    const raw = await admitted();
    const one = encodeFrame(FrameType.Core, new Uint8Array([250]));
    const many = Buffer.concat(Array.from({ length: 2_000 }, () => one));
    for (let n = 0; n < 10 && !raw.closed; n += 1) {
      raw.socket.send(many);
      await Bun.sleep(0);
    }
    await until(() => raw.closed, "ana closes");
    const codes = ana.node.core.faults(eve.identity.peerId).map(({ code }) => code);
    expect(codes.some((code) => code.startsWith("flood"))).toBe(true);
    await until(() => ana.linked.length === 1, "only ben is left");
    await unharmed();
  });
});

test("nobody is moved into another mesh who did not ask for it", async () => {
  for (const hello of [
    { situation: "member" },
    { situation: "member", rank: `0${"0".repeat(16)}` },
    { situation: "member", asked: false, rank: `0${"0".repeat(16)}` },
    { situation: "member", former: makeTags([new Uint8Array(32)], "dialler", new Uint8Array(32)) },
  ]) {
    const raw = await dialAna();
    raw.hello(hello);
    // Has no place here, so that ana's answer is the last thing she says, whatever it is.
    raw.send(FrameType.Ping, new Uint8Array(8));
    await raw.refused();
    expect(raw.frames.map(({ type }) => type)).toEqual([FrameType.Hello, FrameType.Refuse]);
  }
  await unharmed();
});

test("who lets in by invite only, and waits for a guest, is not fetched into somebody else's mesh instead", async () => {
  ana = await startPeer(cleanup, { nick: "ana", inviteOnly: true });
  const invite = ana.node.invite();
  ana.say("for who is invited");
  const mesh = Buffer.from(ana.node.core.meshId).toString("hex");
  const raw = await dialAna();
  raw.hello({ situation: "member", seeking: false, asked: false });
  raw.send(FrameType.Ping, new Uint8Array(8));
  expect(await raw.refused()).toBe("not-invited");
  expect(raw.frames.map(({ type }) => type)).toEqual([FrameType.Hello, FrameType.Refuse]);
  expect(Buffer.from(ana.node.core.meshId).toString("hex")).toBe(mesh);
  ben = await startPeer(cleanup, { nick: "ben", invite: parseInvite(invite) });
  await until(() => ben.transcript().length === 1, "ben comes by the invite");
});

test("a key that does not fit its certificate is refused before anything is sent", async () => {
  const stolen = await cleanup.person();
  const attempt = (): unknown =>
    dialTls({
      endpoint: ana.address,
      identity: { cert: stolen.cert, key: eve.key },
      clock: systemClock,
      opened: () => expect.unreachable(),
      failed: () => {},
    });
  expect(attempt).toThrow("KEY_VALUES_MISMATCH");
});
