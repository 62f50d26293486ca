import { expect, test } from "bun:test";
import fc from "fast-check";
import { encodeFrame, FrameReader, FrameTooLong } from "../../src/mesh/link/frames.ts";
import { checkTags, helloSchema, makeTags, type Hello } from "../../src/mesh/link/hello.ts";
import { peerLinkLimits } from "../../src/protocol/limits.peer.ts";

const frames = fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 600 })), {
  maxLength: 12,
});

/** Cuts `bytes` at the given places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b,
  );
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

test("frames come out whole and in order, wherever the chunks are cut", () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat(), { maxLength: 40 }), (sent, places) => {
      const got: [number, Uint8Array][] = [];
      const reader = new FrameReader((type, payload) => got.push([type, Uint8Array.from(payload)]));
      const bytes = Buffer.concat(sent.map(([type, payload]) => encodeFrame(type, payload)));
      for (const chunk of cut(bytes, places)) reader.push(chunk);
      expect(got).toEqual(sent);
      expect(reader.length).toBe(0);
    }),
  );
});

test("whatever arrives, nothing beyond the limit is kept and nothing but FrameTooLong is thrown", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 20 }), (chunks) => {
      const reader = new FrameReader((_type, payload) => expect(payload.length).toBeLessThanOrEqual(1_023));
      for (const chunk of chunks) {
        try {
          reader.push(chunk);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameTooLong);
        }
        expect(reader.length).toBeLessThanOrEqual(4 + peerLinkLimits.strangerFrameBytes);
      }
    }),
    { numRuns: 500 },
  );
});

test("a frame over the limit is refused by its length alone, and nothing is read after it", () => {
  let count = 0;
  const reader = new FrameReader(() => (count += 1));
  const limit = peerLinkLimits.strangerFrameBytes;
  reader.push(encodeFrame(1, new Uint8Array(limit - 1)));
  expect(count).toBe(1);
  const head = encodeFrame(1, new Uint8Array(limit)).subarray(0, 5);
  expect(() => reader.push(head)).toThrow(`a frame of ${limit + 1} bytes, and at most ${limit} are allowed`);
  reader.push(encodeFrame(1, new Uint8Array()));
  expect(count).toBe(1);
  expect(reader.length).toBe(0);
});

test("a frame without even a type is refused", () => {
  const reader = new FrameReader(() => expect.unreachable());
  expect(() => reader.push(new Uint8Array(5))).toThrow(FrameTooLong);
});

test("the limit can rise in the middle of a chunk, and a stop takes effect at once", () => {
  const types: number[] = [];
  const reader = new FrameReader((type) => {
    types.push(type);
    if (type === 1) reader.limit = 10_000;
    if (type === 3) reader.stop();
  });
  const parts = [
    encodeFrame(1, new Uint8Array()),
    encodeFrame(2, new Uint8Array(5_000)),
    encodeFrame(3, new Uint8Array()),
  ];
  reader.push(Buffer.concat([...parts, encodeFrame(4, new Uint8Array())]));
  expect(types).toEqual([1, 2, 3]);
});

const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

test("a proof fits only its own secret, connection and role", () => {
  const tags = makeTags([key(1)], "dialler", key(9));
  expect(checkTags(tags, [key(1)], "dialler", key(9))).toBe("current");
  expect(checkTags(tags, [key(2)], "dialler", key(9))).toBe("none");
  expect(checkTags(tags, [key(1)], "dialler", key(8))).toBe("none"); // Replayed on another connection.
  expect(checkTags(tags, [key(1)], "listener", key(9))).toBe("none"); // Reflected to its sender.
  expect(checkTags([], [key(1)], "dialler", key(9))).toBe("none");
  expect(checkTags(["AAAAAAAAAAAAAAAAAAAAAA"], [key(1)], "dialler", key(9))).toBe("none");
});

test("one side may be some secrets behind", () => {
  const [first, second, third] = [key(1), key(2), key(3)];
  const fromNewer = makeTags([third, second, first], "dialler", key(9));
  expect(checkTags(fromNewer, [first], "dialler", key(9))).toBe("current");
  const fromOlder = makeTags([first], "listener", key(9));
  expect(checkTags(fromOlder, [third, second, first], "listener", key(9))).toBe("older");
});

test("a Hello with every field at its longest fits a stranger's frame", () => {
  const hello: Hello = {
    version: 65_535,
    instance: "i".repeat(16),
    situation: "member",
    seeking: false,
    tags: makeTags(
      Array.from({ length: 40 }, (_, n) => key(n)),
      "dialler",
      key(9),
    ),
    asked: false,
    invited: false,
    rank: `0${"f".repeat(16)}`,
    former: makeTags(
      Array.from({ length: 4 }, (_, n) => key(n)),
      "dialler",
      key(9),
    ),
  };
  expect(helloSchema.parse(hello)).toEqual(hello);
  expect(Buffer.byteLength(JSON.stringify(hello))).toBeLessThan(peerLinkLimits.strangerFrameBytes);
});

test("a frame that comes in crumbs keeps no more in memory than its bytes", () => {
  const came: Uint8Array[] = [];
  const reader = new FrameReader((_type, payload) => came.push(payload), 1 << 20);
  const frame = encodeFrame(16, Buffer.from("crumb".repeat(10_000)));
  const chunks: WeakRef<Uint8Array>[] = [];
  const push = (from: number, to: number): void => {
    for (let at = from; at < to; at += 1) {
      const chunk = Uint8Array.of(frame[at] ?? 0);
      chunks.push(new WeakRef(chunk));
      reader.push(chunk);
    }
  };
  push(0, frame.length - 1);
  // Weak references are strong until the job that made them is over.
  return new Promise<void>((done) => setTimeout(done, 1)).then(() => {
    Bun.gc(true);
    expect(chunks.filter((one) => one.deref() !== undefined).length).toBeLessThan(1_000);
    expect(reader.length).toBe(frame.length - 1);
    push(frame.length - 1, frame.length);
    expect(Buffer.concat(came).toString()).toBe("crumb".repeat(10_000));
    expect(reader.length).toBe(0);
  });
});
