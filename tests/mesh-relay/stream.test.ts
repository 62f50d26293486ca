/** A stream over a relay that may lose, reorder and invent frames: every byte in order, or an end. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { RelayPace } from "../../src/mesh/relay/pace.ts";
import { RelayStream, type RelayFrame } from "../../src/mesh/relay/stream.ts";
import { tlsInPipe } from "../../src/net/tls-pipe.ts";
import type { TlsSocket } from "../../src/net/tls-socket.ts";
import fc from "fast-check";
import { systemClock } from "../../src/protocol/clock.ts";
import { relayLimits } from "../../src/protocol/limits.peer.ts";
import { withDeadline } from "../support/deadline.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { Cleanup } from "../mesh-link/support.ts";

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

const open: RelayStream[] = [];
afterEach(() => {
  for (const stream of open.splice(0)) stream.destroy();
});

/** Two ends; what each sends is kept until it is passed on. */
function streams(clock = new ManualClock()) {
  const sent: [RelayFrame[], RelayFrame[]] = [[], []];
  const [one, two] = [0, 1].map((side) => {
    const frames = side === 0 ? sent[0] : sent[1];
    const stream = new RelayStream({
      stream: "s",
      clock,
      pace: new RelayPace(clock),
      send: (frame) => frames.push(frame) > 0,
    });
    stream.on("error", () => {});
    open.push(stream);
    return stream;
  });
  if (one === undefined || two === undefined) throw new Error("there are two");
  return { clock, one, two, fromOne: sent[0], fromTwo: sent[1] };
}

const bytesIn = (frames: readonly RelayFrame[]) =>
  frames.reduce((sum, { data }) => sum + Buffer.from(data ?? "", "base64").length, 0);

describe("a stream", () => {
  test("sends no more than a window ahead of its acks", () => {
    const { one, two, fromOne, fromTwo } = streams();
    two.resume();
    one.write(Buffer.alloc(200 * 1024, 7));
    expect(bytesIn(fromOne)).toBe(relayLimits.windowBytes);
    for (const frame of fromOne.splice(0)) two.receive(frame);
    for (const frame of fromTwo.splice(0)) one.receive(frame);
    expect(bytesIn(fromOne)).toBe(relayLimits.windowBytes);
  });

  test("keeps to the pace, and goes on by itself", () => {
    const { clock, one, two, fromOne, fromTwo } = streams();
    two.resume();
    one.write(Buffer.alloc(2 * 1024 * 1024));
    let total = 0;
    const pass = (): void => {
      for (let round = 0; round < 100; round += 1) {
        total += bytesIn(fromOne);
        for (const frame of fromOne.splice(0)) two.receive(frame);
        for (const frame of fromTwo.splice(0)) one.receive(frame);
      }
    };
    pass();
    const atOnce = total;
    expect(atOnce * (4 / 3)).toBeLessThanOrEqual(relayLimits.paceBurst);
    for (let second = 0; second < 20; second += 1) {
      clock.advance(50);
      pass();
    }
    expect((total - atOnce) * (4 / 3)).toBeLessThanOrEqual(relayLimits.paceCharacters * 1.05);
    expect((total - atOnce) * (4 / 3)).toBeGreaterThan(relayLimits.paceCharacters * 0.6);
  });

  test("acknowledges a single byte soon", () => {
    const { clock, one, two, fromOne, fromTwo } = streams();
    two.resume();
    one.write("x");
    for (const frame of fromOne) two.receive(frame);
    expect(fromTwo).toEqual([]);
    clock.advance(relayLimits.ackMs);
    expect(fromTwo).toEqual([{ stream: "s", ack: 1 }]);
  });

  const bad: Record<string, readonly RelayFrame[]> = {
    "a lost frame": [{ stream: "s", seq: 1, data: "aGk=" }],
    "a frame twice": [
      { stream: "s", seq: 0, data: "aGk=" },
      { stream: "s", seq: 0, data: "aGk=" },
    ],
    "data that is none": [{ stream: "s", seq: 0, data: "" }],
    "an ack of what was not sent": [{ stream: "s", ack: 1 }],
    "an end": [{ stream: "s", end: true }],
  };
  for (const [what, frames] of Object.entries(bad)) {
    test(`is over after ${what}`, async () => {
      const { two, fromTwo } = streams();
      two.resume();
      for (const frame of frames) two.receive(frame);
      await withDeadline(
        new Promise<void>((done) => (two.closed ? done() : two.on("close", done))),
        () => "its end",
      );
      const ends = fromTwo.filter(({ end }) => end === true).length;
      expect(ends).toBe(what === "an end" ? 0 : 1);
    });
  }

  test("is over when nothing is acknowledged", () => {
    const { clock, one } = streams();
    one.write("x");
    clock.advance(relayLimits.silenceMs - 1);
    expect(one.destroyed).toBe(false);
    clock.advance(1);
    expect(one.destroyed).toBe(true);
  });
});

/** TLS in a stream, whose frames go to the other end after `pass` has seen them. */
async function tlsPair(pass: (frame: RelayFrame) => void) {
  const [ours, theirs] = [await cleanup.person(), await cleanup.person()];
  const pace = new RelayPace(systemClock);
  const ends: RelayStream[] = [];
  const make = (other: 0 | 1) =>
    new RelayStream({
      stream: "s",
      clock: systemClock,
      pace,
      send: (frame) => {
        pass(frame);
        setImmediate(() => ends[other]?.receive(frame));
        return true;
      },
    });
  ends.push(make(1), make(0));
  open.push(...ends);
  const shake = (pipe: RelayStream | undefined, dials: boolean) =>
    new Promise<TlsSocket>((opened, rejected) => {
      if (pipe === undefined) return rejected(new Error("there are two"));
      const failed = (failure: object): void => rejected(new Error(JSON.stringify(failure)));
      const identity = dials ? ours : theirs;
      tlsInPipe({ pipe, dials, identity, clock: systemClock, name: "relay", opened, failed });
    });
  const both = Promise.all([shake(ends[0], true), shake(ends[1], false)]);
  return { ends, sockets: await withDeadline(both, () => "the handshake") };
}

test("TLS runs in it: both see a certificate and the same keying material, and the text is not in the frames", async () => {
  const secretText = "the text that nobody on the way may read";
  let seen = "";
  const { sockets } = await tlsPair(
    ({ data = "" }) => (seen += Buffer.from(data, "base64").toString("latin1")),
  );
  const [dialler, listener] = sockets;
  expect([dialler.dialled, listener.dialled, dialler.relayed, listener.relayed]).toEqual([
    true,
    false,
    true,
    true,
  ]);
  expect(dialler.exportKey("EXPORTER-test")).toEqual(listener.exportKey("EXPORTER-test"));
  expect(dialler.peerCertificate.length).toBeGreaterThan(100);
  let got = "";
  const whole = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const ignore = { data: () => {}, drained: () => {}, closed: () => {} };
  listener.start({
    ...ignore,
    data: (chunk) => {
      got += Buffer.from(chunk).toString();
      if (got.length >= secretText.length + 300_000) whole.resolve();
    },
    closed: () => ended.resolve(),
  });
  dialler.start(ignore);
  dialler.send(Buffer.from(secretText));
  dialler.send(Buffer.alloc(300_000, 97));
  await withDeadline(whole.promise, () => "all bytes");
  expect(got.startsWith(secretText)).toBe(true);
  expect(seen).not.toContain(secretText);
  expect(seen.length).toBeGreaterThan(300_000);
  dialler.end("done");
  await withDeadline(ended.promise, () => "the end at the other side");
});

test("a stream that breaks ends the connection in it, on both sides", async () => {
  const { ends, sockets } = await tlsPair(() => {});
  const closed = sockets.map(
    (socket) =>
      new Promise<string>((done) =>
        socket.start({ data: () => {}, drained: () => {}, closed: ({ code }) => done(code) }),
      ),
  );
  ends[0]?.receive({ stream: "s", seq: 99, data: "aGk=" });
  expect(await withDeadline(Promise.all(closed), () => "the end")).toHaveLength(2);
  expect(sockets.map(({ isOpen }) => isOpen)).toEqual([false, false]);
});

test("whatever frames come, what is read is a beginning of what was sent, in order", () => {
  const noise = fc.record(
    {
      stream: fc.constant("s"),
      seq: fc.integer({ min: 0, max: 6 }),
      data: fc.oneof(fc.base64String({ maxLength: 40 }), fc.string({ maxLength: 8 })),
      ack: fc.integer({ min: 0, max: 100 }),
      end: fc.constant(true as const),
    },
    { requiredKeys: ["stream"] },
  );
  fc.assert(
    fc.property(fc.array(noise, { maxLength: 12 }), fc.nat({ max: 12 }), (frames, at) => {
      const { one, two, fromOne } = streams();
      const read: Buffer[] = [];
      two.on("data", (chunk: Buffer) => read.push(chunk));
      one.write("abcdefgh");
      const mixed: readonly RelayFrame[] = [...frames.slice(0, at), ...fromOne, ...frames.slice(at)];
      for (const frame of mixed) two.receive(frame);
      const taken = mixed.flatMap(({ seq, data }) => (data === undefined ? [] : [{ seq, data }]));
      // Only a run of 0, 1, 2, … is ever taken.
      const run = taken.filter(
        (frame, index) => frame.seq === index && taken.slice(0, index).every((one_, n) => one_.seq === n),
      );
      const bytes = Buffer.concat(run.map(({ data }) => Buffer.from(data, "base64")));
      const got = Buffer.concat(read);
      expect(bytes.subarray(0, got.length).equals(got)).toBe(true);
      two.destroy();
      one.destroy();
    }),
  );
});
