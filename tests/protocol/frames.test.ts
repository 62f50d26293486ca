import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { seededRandom } from "../../src/protocol/clock.ts";
import { FrameDecoder, FrameError, FrameWriter, Op, TRUNK_MAGIC } from "../../src/protocol/frames.ts";

interface Frame {
  readonly op: number;
  readonly small: number;
  readonly number: number;
  readonly position: number;
  readonly payload: Uint8Array;
}

const frame: fc.Arbitrary<Frame> = fc.record({
  op: fc.integer({ min: 1, max: 255 }),
  small: fc.nat(255),
  number: fc.nat(0xffff_ffff),
  position: fc.nat(Number.MAX_SAFE_INTEGER),
  payload: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 3_000 })),
});

function encode(frames: readonly Frame[], writer = new FrameWriter(8)): Uint8Array {
  for (const { op, small, number, position, payload } of frames) {
    writer.begin(op).u8(small).u32(number).f64(position).bytes(payload).end();
  }
  return writer.take().slice();
}

function decode(decoder: FrameDecoder, chunks: Iterable<Uint8Array>): Frame[] {
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk, (reader) => {
      frames.push({
        op: reader.op,
        small: reader.u8(),
        number: reader.u32(),
        position: reader.f64(),
        payload: Uint8Array.from(reader.rest()),
      });
    });
  }
  return frames;
}

function* cut(bytes: Uint8Array, seed: number, most: number): Generator<Uint8Array> {
  const random = seededRandom(seed);
  for (let at = 0; at < bytes.length;) {
    const size = Math.floor(random() * most);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

describe("frames", () => {
  test("come out as they went in, wherever the stream is cut", () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 20 }),
        fc.integer(),
        fc.integer({ min: 2, max: 5_000 }),
        (frames, seed, most) => {
          expect(decode(new FrameDecoder(), cut(encode(frames), seed, most))).toEqual(frames);
        },
      ),
    );
  });

  test("are taken whole, and a writer is empty afterwards and can be used again", () => {
    const writer = new FrameWriter(1);
    const one: Frame = { op: 1, small: 2, number: 3, position: 4, payload: new Uint8Array([5]) };
    for (let round = 0; round < 3; round += 1) {
      expect(decode(new FrameDecoder(), [encode([one, one], writer)])).toEqual([one, one]);
      expect([writer.length, writer.take().length]).toEqual([0, 0]);
    }
  });

  test("of a burst leave no more memory with the writer than a usual turn needs", () => {
    const writer = new FrameWriter();
    writer
      .begin(1)
      .bytes(new Uint8Array(4 * 1024 * 1024))
      .end();
    expect(writer.take().length).toBeGreaterThan(4 * 1024 * 1024);
    writer.begin(1).u8(1).end();
    expect(writer.take().buffer.byteLength).toBeLessThanOrEqual(256 * 1024);
  });

  test("carry text and JSON of any script", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.jsonValue(), (text, value) => {
        const writer = new FrameWriter(1);
        writer.begin(1).text(text).end().begin(2).json(value).end();
        const got: unknown[] = [];
        new FrameDecoder().push(writer.take(), (reader) =>
          got.push(reader.op === 1 ? reader.text() : reader.json()),
        );
        expect(got).toEqual([text.toWellFormed(), JSON.parse(JSON.stringify(value)) as unknown]);
      }),
    );
  });

  test("payloads stay valid after the next chunk", () => {
    const frames = Array.from({ length: 50 }, (_, index) => ({
      op: 1,
      small: 0,
      number: index,
      position: 0,
      payload: new Uint8Array(200).fill(index),
    }));
    const kept: Uint8Array[] = [];
    const decoder = new FrameDecoder();
    for (const chunk of cut(encode(frames), 7, 333)) {
      decoder.push(chunk, (reader) => {
        reader.u8();
        reader.u32();
        reader.f64();
        kept.push(reader.rest());
      });
    }
    expect(kept.map((payload) => [payload.length, payload[0], payload.at(-1)])).toEqual(
      frames.map((_, index) => [200, index, index]),
    );
  });
});

describe("a stream that is not frames", () => {
  test("with flipped bits is read as other frames, found impossible, or found short; nothing else", () => {
    fc.assert(
      fc.property(
        fc.array(frame, { minLength: 1, maxLength: 10 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 8 }),
        fc.integer(),
        (frames, flips, seed) => {
          const bytes = encode(frames);
          for (const flip of flips) {
            const at = flip % (bytes.length * 8);
            bytes[at >> 3] = (bytes[at >> 3] ?? 0) ^ (1 << (at & 7));
          }
          const decoder = new FrameDecoder(5_000);
          try {
            const got = decode(decoder, cut(bytes, seed, 500));
            const total = got.reduce((sum, { payload }) => sum + payload.length + 4 + 1 + 1 + 4 + 8, 0);
            expect(total).toBeLessThanOrEqual(bytes.length);
          } catch (error) {
            if (!(error instanceof FrameError) && !(error instanceof RangeError)) throw error;
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test("of random bytes ends in an error or waits, and holds no more than it was given", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 2_000 }), (bytes) => {
        const decoder = new FrameDecoder(1_000);
        try {
          decoder.push(bytes, (reader) => {
            reader.u32();
            reader.rest();
          });
        } catch (error) {
          if (!(error instanceof FrameError) && !(error instanceof RangeError)) throw error;
        }
      }),
    );
  });

  test("is refused at its length, before anything of that length is waited for", () => {
    const header = (size: number) => {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, size, true);
      return bytes;
    };
    for (const size of [0, 4_097, 0xffff_ffff]) {
      const whole = new FrameDecoder(4_096);
      expect(() => whole.push(Buffer.concat([header(size), new Uint8Array(10)]), () => {})).toThrow(
        `a frame of ${size} bytes; 1 to 4096 are accepted`,
      );
      const split = new FrameDecoder(4_096);
      split.push(header(size).subarray(0, 3), () => {});
      expect(() => split.push(header(size).subarray(3), () => {})).toThrow(FrameError);
    }
  });

  test("costs the memory of what it sent, not of what its lengths promise", () => {
    const promise = new Uint8Array(8);
    new DataView(promise.buffer).setUint32(0, 4 * 1024 * 1024, true);
    Bun.gc(true);
    const before = heapStats().extraMemorySize;
    const decoders = Array.from({ length: 64 }, () => {
      const decoder = new FrameDecoder();
      decoder.push(promise, () => {});
      return decoder;
    });
    // All of them together promised a quarter of a gigabyte.
    expect(heapStats().extraMemorySize - before).toBeLessThan(16 * 1024 * 1024);
    expect(decoders.length).toBe(64);
  });

  test("the limit may be raised between two frames", () => {
    const big: Frame = { op: 9, small: 0, number: 0, position: 0, payload: new Uint8Array(5_000) };
    const decoder = new FrameDecoder(100);
    const hello = encode([{ ...big, op: 1, payload: new Uint8Array(5) }]);
    decoder.push(Buffer.concat([hello, encode([big])]), (reader) => {
      if (reader.op === 1) decoder.limit = 10_000;
      else expect(reader.op).toBe(9);
    });
    expect(() => new FrameDecoder(100).push(encode([big]), () => {})).toThrow(FrameError);
  });
});

test("a field beyond the frame's end is an error that names the operation", () => {
  const writer = new FrameWriter();
  writer.begin(Op.Send).u32(1).end();
  new FrameDecoder().push(writer.take(), (reader) => {
    reader.u32();
    for (const read of [() => reader.u8(), () => reader.u32(), () => reader.f64(), () => reader.bytes(1)]) {
      expect(read).toThrow(`frame of operation ${Op.Send} is too short`);
    }
    expect(reader.rest().length).toBe(0);
  });
});

test("no two operations have one number, and edge and hub have their own ranges", () => {
  const numbers = Object.values(Op);
  expect(new Set(numbers).size).toBe(numbers.length);
  const edgeToHub = new Set<number>([Op.Hello, Op.Proof, Op.Open, Op.Lines, Op.Close, Op.Resume, Op.Ping]);
  for (const number of numbers) expect(number < 32).toBe(edgeToHub.has(number));
});

test("a trunk begins like nothing that a client says", () => {
  expect([...TRUNK_MAGIC]).toEqual([0x00, 0x72, 0x74, 0x31]);
});

test("a frame can be made longer until another is begun or taken", () => {
  const writer = new FrameWriter(8);
  const heard: [number, string][] = [];
  const read = (bytes: Uint8Array): void =>
    new FrameDecoder().push(bytes.slice(), (reader) => heard.push([reader.u32(), reader.text()]));
  writer.begin(Op.Ping).u32(1).text("one").end();
  writer.begin(Op.Ping).u32(2).text("two").end();
  const second = writer.frame;
  writer.text(" and a half").end().replaceU32(0, 0xffff_fffe);
  expect(writer.frame).toBe(second);
  writer.begin(Op.Ping).u32(3).end();
  const other = writer.frame;
  expect(other).not.toBe(second);
  read(writer.take());
  expect(writer.frame).not.toBe(other);
  expect(heard).toEqual([
    [1, "one"],
    [0xffff_fffe, "two and a half"],
    [3, ""],
  ]);
});
