import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dial } from "../../src/net/dial.ts";
import { listen, type Listener } from "../../src/net/listener.ts";
import { Bare, Recorder, settingsOf, until } from "./helpers.ts";

const local = { host: "127.0.0.1", port: 0 };
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

/** A listener with one recorder, and a bare socket to it. */
async function visited(limits: Parameters<typeof settingsOf>[0] = {}, served = new Recorder()) {
  const listener = listen({ at: local, settings: settingsOf(limits), accept: served.take });
  const bare = await Bare.to({ host: "127.0.0.1", port: listener.port });
  cleanups.push(() => {
    listener.stop();
    bare.open.terminate();
    served.connection?.terminate();
  });
  await until(() => served.connection !== undefined, "accepted");
  return { listener, bare, served };
}

function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) bytes[at] = (at * 31 + (at >>> 8)) & 0xff;
  return bytes;
}

describe("writing", () => {
  test("gathers what a turn brings, and sends it whole and in order", async () => {
    const { bare, served } = await visited();
    for (let index = 0; index < 1_000; index += 1) served.open.write(Buffer.from(`${index}\n`));
    expect(served.open.outboxBytes).toBeGreaterThan(3_000);
    const expected = Array.from({ length: 1_000 }, (_, index) => `${index}\n`).join("");
    await until(() => bare.bytes === expected.length);
    expect(bare.text).toBe(expected);
    expect(served.open.outboxBytes).toBe(0);
    expect(served.open.bytesOut).toBe(expected.length);
  });

  test("loses nothing of what the kernel does not take, and asks for no more than it says", async () => {
    const { bare, served } = await visited({ highWaterBytes: 20 << 20 });
    const sent = pattern(50 << 20);
    bare.open.pause();
    for (let at = 0; at < sent.length; at += 1 << 20) served.open.write(sent.subarray(at, at + (1 << 20)));
    await until(() => served.pressures === 1, "pressed");
    expect(served.drains).toBe(0);
    let drainedAt = -1;
    const drain = served.drain.bind(served);
    served.drain = () => {
      drainedAt = served.open.outboxBytes;
      drain();
    };
    const waiting = served.open.outboxBytes;
    expect(waiting).toBeGreaterThan(30 << 20);
    bare.open.resume();
    await until(() => bare.bytes === sent.length, "all arrived");
    expect(Buffer.compare(Buffer.concat(bare.chunks), sent)).toBe(0);
    expect([served.pressures, served.drains]).toEqual([1, 1]);
    // Half of high water: whoever hears it may write a good deal before it is pressed again.
    expect(drainedAt).toBeLessThanOrEqual(10 << 20);
  });

  test("what waits is copied, so that the writer may reuse its buffer after writeNow", async () => {
    const { bare, served } = await visited();
    bare.open.pause();
    const buffer = Buffer.alloc(256 << 10);
    let sum = 0;
    for (let round = 0; round < 64; round += 1) {
      buffer.fill(round);
      sum += buffer.length * round;
      served.open.writeNow(buffer);
    }
    buffer.fill(255);
    bare.open.resume();
    await until(() => bare.bytes === 64 * buffer.length);
    const got = Buffer.concat(bare.chunks).reduce((total, byte) => total + byte, 0);
    expect(got).toBe(sum);
  });

  test("arrives as written, whatever the sizes, the pauses of the reader and the way of writing", async () => {
    const step = fc.record({ size: fc.nat(400_000), now: fc.boolean(), pause: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        const { listener, bare, served } = await visited();
        const whole = pattern(steps.reduce((sum, one) => sum + one.size, 0));
        let at = 0;
        for (const one of steps) {
          if (one.pause) bare.open.pause();
          else bare.open.resume();
          const part = whole.subarray(at, at + one.size);
          if (one.now) served.open.writeNow(part);
          else served.open.write(part);
          at += one.size;
          if (one.size % 3 === 0) await Bun.sleep(0);
        }
        bare.open.resume();
        served.open.finish();
        await until(() => bare.events.includes("end"), "the end came");
        expect(Buffer.compare(Buffer.concat(bare.chunks), whole)).toBe(0);
        bare.open.end();
        await until(() => served.events.includes("close closed"), "closed");
        expect(served.pressures - served.drains).toBeLessThanOrEqual(1);
        listener.stop();
      }),
      { numRuns: 40 },
    );
  });

  test("members with equal outboxes share one gathering, others get their own", async () => {
    const all = Array.from({ length: 6 }, () => new Recorder());
    let next = 0;
    const listener = listen({
      at: local,
      settings: settingsOf(),
      accept: (connection) => (all[next++] ?? new Recorder()).take(connection),
    });
    const bares: Bare[] = [];
    for (let index = 0; index < 6; index += 1) bares.push(await Bare.to({ ...local, port: listener.port }));
    cleanups.push(() => {
      listener.stop();
      for (const bare of bares) bare.open.terminate();
    });
    await until(() => next === 6);
    const [first, second, own] = [Buffer.from("first\n"), Buffer.from("second\n"), Buffer.from("for 3\n")];
    for (const one of all) one.open.write(first);
    all[3]?.open.write(own);
    for (const one of all) one.open.write(second);
    await until(() => bares.every((bare) => bare.text.endsWith("second\n")));
    expect(bares.map((bare) => bare.text)).toEqual(
      [0, 1, 2, 3, 4, 5].map((index) => (index === 3 ? "first\nfor 3\nsecond\n" : "first\nsecond\n")),
    );
  });
});

/** Two recorders with connections, and a bare socket to each. */
async function visitedTwice() {
  const pairs = [await visited(), await visited()] as const;
  return { served: pairs.map(({ served }) => served), bares: pairs.map(({ bare }) => bare) };
}

describe("a gathering", () => {
  test("is not taken for another of the same length", async () => {
    const { served, bares } = await visitedTwice();
    const common = Buffer.from("common\n");
    for (let turn = 0; turn < 3; turn += 1) {
      for (const [index, one] of served.entries()) {
        one.open.write(common);
        one.open.write(Buffer.from(`for ${index}\n`));
      }
      await until(() => bares.every(({ bytes }) => bytes === 13 * (turn + 1)));
    }
    expect(bares.map(({ text }) => text)).toEqual([0, 1].map((index) => `common\nfor ${index}\n`.repeat(3)));
  });
});

describe("an outbox over its limit", () => {
  test("costs the connection", async () => {
    const { bare, served } = await visited({ outboxBytes: 1 << 20, highWaterBytes: 1 << 19 });
    bare.open.pause();
    for (let index = 0; index < 16; index += 1) served.open.write(pattern(1 << 20));
    await until(() => served.events.length > 0);
    expect(served.events).toEqual(["close closed"]);
    expect(served.open.outboxBytes).toBe(0);
  });

  test("lets the owner say a last line, after the rest of the line under way", async () => {
    class Polite extends Recorder {
      overflow(): void {
        this.events.push("overflow");
        this.open.cutOutbox();
        this.open.write(Buffer.from("too slow\n"));
        this.open.finish();
      }
    }
    const served = new Polite();
    const { bare } = await visited({ outboxBytes: 1 << 20, highWaterBytes: 1 << 19 }, served);
    bare.open.pause();
    const line = Buffer.from(`${"x".repeat(70_000)}\n`);
    for (let index = 0; index < 300; index += 1) served.open.write(line);
    await until(() => served.events.includes("overflow"));
    bare.open.resume();
    await until(() => bare.events.includes("end"));
    const lines = bare.text.split("\n");
    expect(lines.slice(-2)).toEqual(["too slow", ""]);
    expect(lines.slice(0, -2).every((one) => one.length === 70_000)).toBe(true);
    expect(lines.length).toBeLessThan(300);
  });
});

describe("ends", () => {
  test("the peer may end first and still gets its answer", async () => {
    const { bare, served } = await visited();
    bare.open.write("question\n");
    bare.open.shutdown();
    await until(() => served.events.includes("end"));
    expect(served.text).toBe("question\n");
    served.open.write(Buffer.from("answer\n"));
    served.open.finish();
    await until(() => bare.events.includes("close") && served.events.length === 2);
    expect(bare.text).toBe("answer\n");
    expect(served.events).toEqual(["end", "close closed"]);
  });

  test("finish sends what waits, and reads on until the peer ends", async () => {
    const { bare, served } = await visited();
    const sent = pattern(20 << 20);
    bare.open.pause();
    served.open.write(sent);
    served.open.finish();
    expect(served.open.isOpen).toBe(false);
    served.open.write(Buffer.from("ignored"));
    bare.open.resume();
    bare.open.write(Buffer.alloc(100_000));
    await until(() => bare.events.includes("end"), "the end came");
    expect(Buffer.compare(Buffer.concat(bare.chunks), sent)).toBe(0);
    expect(served.bytes).toBe(0);
    bare.open.end();
    await until(() => served.events.length > 0);
    expect(served.events).toEqual(["close closed"]);
  });

  test("finish reads on where reading was paused: the peer's end is what it waits for", async () => {
    const { bare, served } = await visited({ lingerMs: 600_000 });
    served.open.pause();
    bare.open.write(Buffer.alloc(10_000));
    served.open.finish();
    await until(() => bare.events.includes("end"), "the end came");
    bare.open.end();
    await until(() => served.events.length > 0, "closed");
    expect(served.events).toEqual(["close closed"]);
  });

  test("finish gives up on a peer that does not read, at its deadline", async () => {
    const { bare, served } = await visited({ lingerMs: 30 });
    bare.open.pause();
    served.open.write(pattern(20 << 20));
    served.open.finish();
    await until(() => served.events.length > 0);
    expect(served.events).toEqual(["close closed"]);
  });

  test("finish gives up on a peer that does not end, without a reset", async () => {
    const { bare, served } = await visited({ lingerMs: 30 });
    served.open.write(Buffer.from("bye\n"));
    served.open.finish();
    await until(() => served.events.length > 0);
    await until(() => bare.events.includes("end"));
    expect(bare.text).toBe("bye\n");
    expect(bare.events).toEqual(["end"]);
  });

  test("a reset is a failure, told once, also to an owner that keeps writing", async () => {
    const { bare, served } = await visited();
    bare.open.terminate();
    await until(() => served.events.length > 0);
    served.open.write(Buffer.from("to nobody"));
    served.open.finish();
    served.open.terminate();
    await Bun.sleep(5);
    expect(served.events).toEqual(["close failed"]);
    expect(served.error).toBeInstanceOf(Error);
  });

  test("without an end handler, the peer's end finishes the connection", async () => {
    const told: string[] = [];
    let connections: Listener | undefined;
    const listener = (connections = listen({
      at: local,
      settings: settingsOf(),
      accept: (connection) => ({
        data: (chunk) => connection.write(chunk),
        close: (end) => void told.push(end),
      }),
    }));
    cleanups.push(() => listener.stop());
    const bare = await Bare.to({ ...local, port: listener.port });
    bare.open.write("echo");
    bare.open.shutdown();
    await until(() => bare.events.includes("close") && told.length > 0);
    expect(bare.text).toBe("echo");
    expect(told).toEqual(["closed"]);
    expect(connections.connections).toBe(0);
  });

  test("a throw in a handler costs this connection and no other", async () => {
    const told: string[] = [];
    const listener = listen({
      at: local,
      settings: settingsOf(),
      accept: (connection) => ({
        data: (chunk) => {
          if (chunk[0] === 0x21) throw new Error("bug");
          connection.write(chunk);
        },
        close: (end, error) => void told.push(`${end} ${error?.message}`),
      }),
    });
    cleanups.push(() => listener.stop());
    const [bad, good] = [
      await Bare.to({ ...local, port: listener.port }),
      await Bare.to({ ...local, port: listener.port }),
    ];
    bad.open.write("!");
    await until(() => told.length > 0);
    expect(told).toEqual(["failed bug"]);
    good.open.write("still here");
    await until(() => good.text === "still here");
    good.open.end();
  });
});

describe("reading", () => {
  test("stops while paused, bounded by the kernel's buffers, and loses nothing", async () => {
    const { bare, served } = await visited();
    served.open.pause();
    const sent = pattern(20 << 20);
    let at = 0;
    const push = (): void => {
      const taken = bare.open.write(sent.subarray(at));
      if (taken > 0) at += taken;
    };
    push();
    await until(() => at > 0);
    const before = served.bytes;
    await Bun.sleep(20);
    expect(served.bytes).toBe(before);
    expect(served.bytes).toBeLessThan(1 << 20);
    served.open.resume();
    while (at < sent.length) {
      push();
      await Bun.sleep(1);
    }
    await until(() => served.bytes === sent.length);
    expect(Buffer.compare(Buffer.concat(served.chunks), sent)).toBe(0);
  });

  test("chunks are not reused by the socket", async () => {
    const { bare, served } = await visited();
    const sent = pattern(8 << 20);
    let at = 0;
    while (at < sent.length) {
      const taken = bare.open.write(sent.subarray(at, at + 70_000));
      if (taken > 0) at += taken;
      else await Bun.sleep(0);
    }
    await until(() => served.bytes === sent.length);
    expect(served.chunks.length).toBeGreaterThan(1);
    expect(Buffer.compare(Buffer.concat(served.chunks), sent)).toBe(0);
  });
});

test("Unix sockets work the same", async () => {
  const directory = mkdtempSync(join(tmpdir(), "rtchat-net-"));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "s.sock");
  const served = new Recorder();
  const listener = listen({ at: { path }, settings: settingsOf(), accept: served.take });
  cleanups.push(() => listener.stop());
  const dialled = new Recorder();
  const connection = await dial({ to: { path }, settings: settingsOf(), opened: dialled.take });
  connection.write(pattern(3 << 20));
  await until(() => served.bytes === 3 << 20);
  expect(served.open.remote).toBe("unix");
  served.open.write(Buffer.from("pong"));
  served.open.finish();
  await until(() => dialled.text === "pong" && dialled.events.includes("end"));
  connection.finish();
  await until(() => dialled.events.length === 2 && served.events.length === 1);
});
