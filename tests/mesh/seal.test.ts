/** The real seals and signatures, with vectors that another implementation can be tried on. */
import { describe, expect, test } from "bun:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import * as fc from "fast-check";
import { join } from "node:path";
import { z } from "zod";
import { toHex } from "../../src/mesh/core/bytes.ts";
import { createSealer, sealOverhead } from "../../src/mesh/core/seal.ts";

const hex = z.string().transform((text) => Buffer.from(text, "hex"));
const vector = z.object({
  case: z.string(),
  seedA: hex,
  seedB: hex,
  salt: hex,
  context: hex,
  plain: hex,
  sealed: hex,
});
const vectors = (await Bun.file(join(import.meta.dir, "../vectors/mesh-seal.jsonl")).text())
  .trim()
  .split("\n")
  .map((line) => vector.parse(JSON.parse(line)));

const seedOf = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const keyOf = (seed: Uint8Array): Uint8Array => ed25519.getPublicKey(seed);
const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));
const [annSeed, bobSeed, malSeed] = [seedOf(1), seedOf(2), seedOf(3)];
const ann = createSealer(annSeed, random);
const bob = createSealer(bobSeed, random);
const mal = createSealer(malSeed, random);
const context = Buffer.from("context");

describe("a seal", () => {
  test.each(vectors)("is as the vector says: $case", (row) => {
    const sealer = createSealer(row.seedA, () => row.salt);
    expect(toHex(sealer.seal(keyOf(row.seedB), row.plain, row.context))).toBe(toHex(row.sealed));
    const other = createSealer(row.seedB, random);
    expect(other.open(keyOf(row.seedA), row.sealed, row.context)).toEqual(row.plain);
  });

  test("is opened by either of the two, and by nobody else", () => {
    const sealed = ann.seal(keyOf(bobSeed), Buffer.from("secret"), context);
    expect(sealed).toHaveLength("secret".length + sealOverhead);
    expect(Buffer.from(sealed).includes("secret")).toBe(false);
    expect(bob.open(keyOf(annSeed), sealed, context)?.toString()).toBe("secret");
    expect(ann.open(keyOf(bobSeed), sealed, context)?.toString()).toBe("secret");
    expect(mal.open(keyOf(annSeed), sealed, context)).toBeUndefined();
    expect(mal.open(keyOf(bobSeed), sealed, context)).toBeUndefined();
  });

  test("to oneself works, as the founder needs it", () => {
    const sealed = ann.seal(keyOf(annSeed), Buffer.from("mine"), context);
    expect(ann.open(keyOf(annSeed), sealed, context)?.toString()).toBe("mine");
    expect(bob.open(keyOf(annSeed), sealed, context)).toBeUndefined();
  });

  test("is different each time", () => {
    const seal = () => toHex(ann.seal(keyOf(bobSeed), Buffer.from("same"), context));
    expect(seal()).not.toBe(seal());
  });

  test("does not open when any bit of it or of its context is changed", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(),
        fc.integer({ min: 0, max: 7 }),
        (plain, at, bit) => {
          const sealed = Buffer.from(ann.seal(keyOf(bobSeed), plain, context));
          const position = at % sealed.length;
          sealed.writeUInt8(sealed.readUInt8(position) ^ (1 << bit), position);
          expect(bob.open(keyOf(annSeed), sealed, context)).toBeUndefined();
          const whole = ann.seal(keyOf(bobSeed), plain, context);
          expect(bob.open(keyOf(annSeed), whole, Buffer.from("contexT"))).toBeUndefined();
          expect(Buffer.from(bob.open(keyOf(annSeed), whole, context)!)).toEqual(Buffer.from(plain));
        },
      ),
      { numRuns: 50 },
    );
  });

  test("of garbage, however short, opens as nothing", () => {
    for (let length = 0; length < 40; length += 1)
      expect(ann.open(keyOf(bobSeed), new Uint8Array(length), context)).toBeUndefined();
  });

  test.each([
    ["no point of the curve", Buffer.concat([Buffer.from([2]), Buffer.alloc(31)])],
    ["a point of small order", Buffer.concat([Buffer.from([1]), Buffer.alloc(31)])],
  ])(
    "for a key that is %s is refused by name, and what claims to be from it opens as nothing",
    (_what, key) => {
      expect(() => ann.seal(key, Buffer.from("x"), context)).toThrow(RangeError);
      expect(ann.open(key, Buffer.alloc(100), context)).toBeUndefined();
    },
  );
});
