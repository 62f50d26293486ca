/** An edge and a hub with a real trunk between them: flow control, overflow, and noise on either side. */
import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Edge } from "../../src/edge/edge.ts";
import { EdgeHandshake } from "../../src/edge/handshake.ts";
import type { TrunkLink } from "../../src/edge/link.ts";
import { Patience } from "../../src/edge/patience.ts";
import { RemoteTrunk, type TrunkEnd } from "../../src/edge/remote-trunk.ts";
import { TrunkAcceptor } from "../../src/edge/trunk-acceptor.ts";
import type { EdgePort, TrunkFate } from "../../src/edge/trunk.ts";
import { HubPortEncoder } from "../../src/edge/trunk-wire.ts";
import type { Connection } from "../../src/net/connection.ts";
import { listen } from "../../src/net/listener.ts";
import { seededRandom, systemClock, type Clock } from "../../src/protocol/clock.ts";
import { FrameDecoder, FrameWriter, TRUNK_MAGIC } from "../../src/protocol/frames.ts";
import { trunkLimits } from "../../src/protocol/limits.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { Bare, settingsOf, until } from "../net/helpers.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { FakeHub } from "./fake-hub.ts";

const secret = Buffer.alloc(32, 7);
let nonces = 0;
const nonce = (): string => (nonces += 1).toString(16).padStart(32, "0");
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A hub behind a port. */
function startHub(hub: FakeHub, options: { clock?: Clock } = {}) {
  const connections: Connection[] = [];
  const acceptor = new TrunkAcceptor({
    host: hub,
    secret,
    self: { build: "1", server: "s1", cluster: "c1" },
    clock: options.clock ?? systemClock,
    logger: silentLogger,
    nonce,
  });
  const listener = listen({
    at: { host: "127.0.0.1", port: 0 },
    settings: settingsOf(),
    accept: (connection) => {
      connections.push(connection);
      return { data: (first) => acceptor.accept(connection, first), close: () => {} };
    },
  });
  cleanups.push(() => {
    listener.stop();
    for (const connection of connections) connection.terminate();
  });
  return { acceptor, connections, port: listener.port };
}

/** An edge with a trunk to that port. */
async function startEdge(port: number) {
  const told: string[] = [];
  const links: TrunkLink[] = [];
  const pick = (): TrunkLink | "wait" => links.find((link) => link.isOpen) ?? "wait";
  const edge = new Edge({
    name: "edge",
    clock: systemClock,
    logger: silentLogger,
    router: { place: pick, move: pick },
    observer: { pressed: () => told.push("pressed"), eased: () => told.push("eased") },
  });
  let fate: TrunkFate | undefined;
  const trunk: RemoteTrunk = new RemoteTrunk({
    to: { host: "127.0.0.1", port },
    secret,
    self: { build: "1", edge: "edge" },
    clock: systemClock,
    nonce,
    patience: new Patience({ silenceMs: 30_000, silenceMostMs: 30_000, silenceHalfMs: 10_000 }),
    events: {
      open: () => {
        const link = edge.attach(
          {
            start: (_edge, its) => {
              fate = its;
              if (trunk.port === undefined) throw new Error("not open");
              return trunk.port;
            },
            stop: () => trunk.stop(),
          },
          "hub",
        );
        links.push(link);
        return link;
      },
      report: () => {},
      pressure: () => fate?.pressed(),
      relief: () => fate?.eased(),
      closed: (end) => {
        told.push(end.kind);
        fate?.gone();
      },
    },
  });
  cleanups.push(() => edge.shutdown({ afterMs: 0, jitterMs: 0, deadlineMs: 100 }));
  await until(() => links.length === 1);
  const listener = edge.listen({ at: { host: "127.0.0.1", port: 0 } });
  return { edge, told, at: { host: "127.0.0.1", port: listener.port } };
}

async function connect(at: { host: string; port: number }): Promise<Bare> {
  const bare = await Bare.to(at);
  cleanups.push(() => bare.open.terminate());
  return bare;
}

test("clients and hub speak as if they were in one process", async () => {
  const hub = new FakeHub();
  const { port } = startHub(hub);
  const { at } = await startEdge(port);
  const [a, b] = [await connect(at), await connect(at)];
  a.open.write("one\ntwo\n");
  await until(() => a.text === "one\ntwo\n");
  b.open.write("three\n");
  await until(() => b.text === "three\n");
  hub.port.define(1, "lobby", { epoch: "e", seq: 0 }, 0);
  for (const { id } of hub.sessions) hub.port.join(id, 1, Buffer.from("joined\n"), 0);
  hub.port.group(1, Buffer.from("to both\n"), 1, 0, 0);
  hub.port.close(hub.last.id, "kicked");
  await until(() => a.text.endsWith("to both\n") && b.events.includes("end"));
  expect(b.text).toBe("three\njoined\nto both\n");
  a.open.terminate();
  await until(() => hub.sessions[0]?.closed !== undefined);
  expect(hub.sessions.map(({ closed }) => closed)).toEqual(["failed", undefined]);
});

test("a hub that does not read stops the reading of clients; when it does again, everything arrives once", async () => {
  const hub = new FakeHub();
  const { port, connections } = startHub(hub);
  const { edge, told, at } = await startEdge(port);
  const clients = 60;
  const bares: Bare[] = [];
  for (let index = 0; index < clients; index += 1) bares.push(await connect(at));
  for (const bare of bares) bare.open.write("hello\n");
  await until(() => bares.every((bare) => bare.text === "hello\n"));
  for (const connection of connections) connection.pause();
  // Each client sends a window of long lines: more than the kernel and the high water together.
  const lines = Array.from({ length: 250 }, (_, index) => `${index} ${"z".repeat(900)}\n`).join("");
  const unsent = bares.map(() => Buffer.from(lines));
  const push = (): void => {
    for (const [index, bare] of bares.entries()) {
      const taken = bare.open.write(unsent[index] ?? Buffer.alloc(0));
      if (taken > 0) unsent[index] = unsent[index]?.subarray(taken) ?? Buffer.alloc(0);
    }
  };
  const all = (): boolean => bares.every((bare) => bare.text.length === lines.length + 6);
  push();
  await until(() => told.includes("pressed"), "the trunk is behind");
  await until(() => [...edge.sessions].every(({ connection }) => connection.isPaused));
  for (const connection of connections) connection.resume();
  while (!all()) {
    push();
    await Bun.sleep(1);
  }
  for (const bare of bares) expect(bare.text).toBe(`hello\n${lines}`);
  expect(told.filter((one) => one === "pressed").length).toBe(told.filter((one) => one === "eased").length);
  expect([...edge.sessions].some(({ connection }) => connection.isPaused)).toBe(false);
  for (const session of hub.sessions) expect(session.lines).toHaveLength(251);
}, 20_000);

/** The edge's side of a handshake by hand, to do afterwards what no edge does. */
async function handshaken(port: number): Promise<Bare> {
  const bare = await connect({ host: "127.0.0.1", port });
  const handshake = new EdgeHandshake(secret, { build: "1", edge: "odd" }, nonce());
  const writer = new FrameWriter();
  bare.open.write(TRUNK_MAGIC);
  handshake.begin(writer);
  bare.open.write(writer.take());
  const decoder = new FrameDecoder();
  let [seen, isOpen] = [0, false];
  await until(() => {
    for (; seen < bare.chunks.length; seen += 1) {
      decoder.push(bare.chunks[seen] ?? new Uint8Array(0), (reader) => {
        isOpen = handshake.receive(reader, writer) !== undefined;
      });
    }
    const answer = writer.take();
    if (answer.length > 0) bare.open.write(answer);
    return isOpen;
  }, "the handshake is done");
  return bare;
}

test("an edge that does not read loses its trunk, and the hub's memory is bounded", async () => {
  const hub = new FakeHub();
  const { port, acceptor, connections } = startHub(hub);
  const bare = await handshaken(port);
  bare.open.pause();
  hub.port.define(1, "lobby", { epoch: "e", seq: 0 }, 0);
  const frame = Buffer.alloc(1 << 20, 0x61);
  let most = 0;
  for (let seq = 1; seq <= 120 && hub.detached === 0; seq += 1) {
    hub.port.group(1, frame, seq, 0, 0);
    await Bun.sleep(0);
    most = Math.max(most, connections[0]?.outboxBytes ?? 0);
  }
  await until(() => hub.detached === 1);
  expect(acceptor.size).toBe(0);
  expect(most).toBeGreaterThan(trunkLimits.hubOutboxBytes / 2);
  expect(most).toBeLessThan(trunkLimits.hubOutboxBytes + (4 << 20));
}, 20_000);

test("an edge that says nothing any more is let go, one that asks for reports is not", async () => {
  const clock = new ManualClock();
  const hub = new FakeHub();
  const { port, acceptor } = startHub(hub, { clock });
  const bare = await handshaken(port);
  const writer = new FrameWriter();
  const ask = async (): Promise<void> => {
    const before = bare.bytes;
    new HubPortEncoder(writer, () => {}).ping(1);
    bare.open.write(writer.take());
    await until(() => bare.bytes > before);
  };
  for (let look = 0; look < 6; look += 1) {
    await ask();
    clock.advance(trunkLimits.edgeSilenceMs / 2);
  }
  // A hub that slept through any number of looks looks again before it judges.
  clock.advance(trunkLimits.edgeSilenceMs / 2);
  expect(acceptor.size).toBe(1);
  await ask();
  clock.advance(trunkLimits.edgeSilenceMs);
  expect(acceptor.size).toBe(1);
  clock.advance(trunkLimits.edgeSilenceMs / 2);
  expect([acceptor.size, hub.detached]).toEqual([0, 1]);
});

describe("noise", () => {
  test("at the hub's port, before or after the handshake, costs its own trunk and no other", async () => {
    const hub = new FakeHub();
    const { port, acceptor } = startHub(hub);
    const { at } = await startEdge(port);
    const good = await connect(at);
    good.open.write("before\n");
    await until(() => good.text === "before\n");
    const edgePort: EdgePort = hub.port;
    const noise = fc.record({
      handshake: fc.boolean(),
      frames: fc.array(fc.tuple(fc.nat(40), fc.uint8Array({ maxLength: 60 })), { maxLength: 6 }),
      flips: fc.array(fc.nat(), { maxLength: 4 }),
      end: fc.constantFrom("garbage" as const, "half a frame" as const, "reset" as const),
      seed: fc.integer(),
    });
    await fc.assert(
      fc.asyncProperty(noise, async ({ handshake, frames, flips, end, seed }) => {
        const bare = handshake ? await handshaken(port) : await connect({ host: "127.0.0.1", port });
        const writer = new FrameWriter();
        const encoder = new HubPortEncoder(writer, () => {});
        if (handshake) encoder.open(1, { address: "a", edge: "odd", acceptedAt: 1, connection: "c" });
        for (const [op, payload] of frames) writer.begin(op).bytes(payload).end();
        const bytes = Buffer.concat([handshake ? Buffer.alloc(0) : TRUNK_MAGIC, writer.take()]);
        for (const flip of flips) {
          const bit = flip % (bytes.length * 8);
          bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        }
        if (bytes[0] !== 0 && !handshake) bytes[0] = 0;
        const random = seededRandom(seed);
        for (let from = 0; from < bytes.length;) {
          const size = 1 + Math.floor(random() * 30);
          bare.open.write(bytes.subarray(from, from + size));
          from += size;
        }
        // A length that cannot be; or one that never comes, and the end.
        if (end === "garbage") bare.open.write(new Uint8Array([0xff, 0xff, 0xff, 0xff, 1]));
        if (end === "half a frame") bare.open.write(new Uint8Array([9, 0, 0, 0, 1, 2]));
        if (end === "reset") bare.open.terminate();
        else bare.open.shutdown();
        await until(() => acceptor.size === 1, "the noisy trunk is gone");
        bare.open.terminate();
      }),
      { numRuns: 60 },
    );
    hub.edge = edgePort;
    hub.onLine = (session, line, number) => edgePort.send(session.id, Buffer.from(`${line}\n`), number);
    good.open.write("after\n");
    await until(() => good.text === "before\nafter\n");
  }, 30_000);

  test("from what should be a hub ends the trunk with a reason, once", async () => {
    let answer: Uint8Array = new Uint8Array(0);
    const server = listen({
      at: { host: "127.0.0.1", port: 0 },
      settings: settingsOf({ lingerMs: 50 }),
      accept: (connection) => ({
        data: () => {
          connection.write(answer);
          connection.finish();
        },
        close: () => {},
      }),
    });
    cleanups.push(() => server.stop());
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, framed) => {
        const writer = new FrameWriter();
        writer
          .begin(bytes[0] ?? 32)
          .bytes(bytes)
          .end();
        answer = framed ? writer.take().slice() : Uint8Array.from(bytes);
        const ends: TrunkEnd[] = [];
        const trunk = new RemoteTrunk({
          to: { host: "127.0.0.1", port: server.port },
          secret,
          self: { build: "1", edge: "edge" },
          clock: systemClock,
          nonce,
          events: {
            open: () => {
              throw new Error("noise opened a trunk");
            },
            report: () => {},
            pressure: () => {},
            relief: () => {},
            closed: (end) => void ends.push(end),
          },
        });
        await until(() => ends.length > 0);
        trunk.stop();
        await Bun.sleep(0);
        expect(ends).toHaveLength(1);
        expect(["handshake", "broken", "lost"]).toContain(ends[0]?.kind ?? "");
      }),
      { numRuns: 60 },
    );
  }, 30_000);
});
