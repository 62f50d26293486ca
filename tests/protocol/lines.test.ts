import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { countLines, eachLine, LineSplitter } from "../../src/protocol/lines.ts";

/** Cuts bytes at random places. */
const cut = (bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] => {
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) break;
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  if (at < bytes.length) chunks.push(bytes.subarray(at));
  return chunks;
};

const sizes = fc.array(fc.oneof(fc.nat(3), fc.nat(40)), { maxLength: 60 });
const text = fc.string({ unit: "grapheme", maxLength: 30 }).map((line) => line.replaceAll("\n", " "));

describe("the line splitter", () => {
  test("gives all lines whole and in order, wherever the stream is cut", () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 20 }), text, sizes, (lines, rest, cuts) => {
        const whole = Buffer.from([...lines.map((line) => `${line}\n`), rest].join(""));
        const splitter = new LineSplitter(1_000);
        const given: Uint8Array[] = [];
        for (const chunk of cut(whole, cuts)) {
          const result = splitter.push(chunk);
          if (splitter.isBroken) throw new Error("nothing is too long here");
          if (result === undefined) continue;
          expect(result.at(-1)).toBe(0x0a);
          given.push(result);
        }
        const got = Buffer.concat(given);
        expect(got.toString()).toBe(lines.map((line) => `${line}\n`).join(""));
        expect(splitter.held).toBe(Buffer.byteLength(rest));
        expect(given.reduce((sum, slice) => sum + countLines(slice), 0)).toBe(lines.length);
      }),
    );
  });

  test("gives all lines before the first over the limit, wherever the stream is cut, and nothing after", () => {
    const lengths = fc.array(fc.nat(24), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(lengths, fc.boolean(), sizes, (all, ended, cuts) => {
        const limit = 16;
        const whole = Buffer.from(all.map((length) => "x".repeat(length)).join("\n") + (ended ? "\n" : ""));
        const splitter = new LineSplitter(limit);
        let given = "";
        for (const chunk of cut(whole, cuts)) {
          given += Buffer.from(splitter.push(chunk) ?? []).toString();
          expect(splitter.held).toBeLessThanOrEqual(limit);
        }
        const firstTooLong = all.findIndex((length) => length > limit);
        expect(splitter.isBroken).toBe(firstTooLong !== -1);
        const whatCounts =
          firstTooLong === -1 ? (ended ? all : all.slice(0, -1)) : all.slice(0, firstTooLong);
        expect(given).toBe(whatCounts.map((length) => `${"x".repeat(length)}\n`).join(""));
      }),
    );
  });

  test("keeps no chunk alive for the beginning of a line", () => {
    const splitter = new LineSplitter();
    const chunk = new Uint8Array(512 * 1024).fill(0x61);
    for (let at = 1_000; at < chunk.length; at += 1_000) chunk[at] = 0x0a;
    const given = splitter.push(chunk);
    expect(given).toBeInstanceOf(Uint8Array);
    chunk.fill(0x62);
    const rest = splitter.push(new Uint8Array([0x0a]));
    expect(splitter.isBroken).toBe(false);
    // The rest was copied: changing the chunk afterwards does not change it.
    expect(Buffer.from(rest ?? []).toString()).toMatch(/^a*\n$/);
  });

  test("takes exactly the limit and refuses one byte more", () => {
    for (const length of [16, 17]) {
      const splitter = new LineSplitter(16);
      const result = splitter.push(Buffer.from(`${"x".repeat(length)}\n`));
      expect([result?.length, splitter.isBroken]).toEqual(length === 16 ? [17, false] : [undefined, true]);
    }
  });
});

test("each line comes without its line break, in either form", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, fc.boolean())), (lines) => {
      const clean = lines.map(([line, carriage]) => [line.replaceAll("\r", "."), carriage] as const);
      const whole = Buffer.from(clean.map(([line, carriage]) => `${line}${carriage ? "\r" : ""}\n`).join(""));
      const got: string[] = [];
      eachLine(whole, (bytes) => got.push(Buffer.from(bytes).toString()));
      expect(got).toEqual(clean.map(([line]) => line));
      expect(countLines(whole)).toBe(lines.length);
    }),
  );
});

test("a line that comes a byte at a time costs about its bytes, not an object a byte", () => {
  const splitters = Array.from({ length: 4 }, () => new LineSplitter());
  const arrays = (): number => {
    Bun.gc(true);
    return heapStats().objectTypeCounts["Uint8Array"] ?? 0;
  };
  const before = arrays();
  for (const splitter of splitters)
    for (let byte = 0; byte < 20_000; byte += 1) splitter.push(new Uint8Array([97]));
  expect(arrays() - before).toBeLessThan(1_000);
  for (const splitter of splitters) {
    expect(splitter.held).toBe(20_000);
    expect(splitter.push(new Uint8Array([10]))).toEqual(
      new Uint8Array(20_001).fill(97, 0, 20_000).fill(10, 20_000),
    );
    expect(splitter.held).toBe(0);
  }
});
