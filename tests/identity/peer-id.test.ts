import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { join } from "node:path";
import { z } from "zod";
import {
  formatPeerId,
  isPeerId,
  parsePeerId,
  PeerIdError,
  peerIdOf,
  publicKeyOf,
} from "../../src/identity/peer-id.ts";

const vector = z.discriminatedUnion("valid", [
  z.object({
    case: z.string(),
    publicKey: z.hex(),
    peerId: z.string(),
    shown: z.string(),
    valid: z.literal(true),
  }),
  z.object({ case: z.string(), peerId: z.string(), valid: z.literal(false), error: z.string() }),
]);
const text = await Bun.file(join(import.meta.dir, "../vectors/peer-id.jsonl")).text();
const vectors = text
  .trim()
  .split("\n")
  .map((line) => vector.parse(JSON.parse(line)));

const keys = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe("peer ID vectors", () => {
  for (const row of vectors) {
    test(row.case, () => {
      if (row.valid) {
        expect<string>(peerIdOf(Buffer.from(row.publicKey, "hex"))).toBe(row.peerId);
        expect<string>(parsePeerId(row.shown)).toBe(row.peerId);
        expect(formatPeerId(parsePeerId(row.peerId))).toBe(row.shown);
      } else {
        expect(() => parsePeerId(row.peerId)).toThrow(row.error);
        expect(isPeerId(row.peerId)).toBe(false);
      }
    });
  }
});

test("an ID gives its key back, however it is written", () => {
  fc.assert(
    fc.property(
      keys,
      fc.boolean(),
      fc.constantFrom(" ", "-", "\n", "\u2013", ""),
      (key, upper, separator) => {
        const id = peerIdOf(key);
        const written = formatPeerId(id).replaceAll("-", separator);
        expect(parsePeerId(upper ? written.toUpperCase() : written)).toBe(id);
        expect(publicKeyOf(id)).toEqual(key);
      },
    ),
  );
});

test("up to four mistyped symbols are always caught", () => {
  const alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
  const mistakes = fc.uniqueArray(
    fc.tuple(fc.integer({ min: 3, max: 61 }), fc.integer({ min: 1, max: 31 })),
    {
      minLength: 1,
      maxLength: 4,
      selector: ([at]) => at,
    },
  );
  fc.assert(
    fc.property(keys, mistakes, (key, changes) => {
      const symbols = peerIdOf(key).split("");
      for (const [at, by] of changes) {
        symbols[at] = alphabet.charAt((alphabet.indexOf(symbols[at] ?? "") + by) % alphabet.length);
      }
      expect(() => parsePeerId(symbols.join(""))).toThrow(PeerIdError);
    }),
    { numRuns: 2000 },
  );
});

test("any text is either refused with a PeerIdError or is an ID", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.string().map((tail) => `rt1${tail}`),
      ),
      (input) => {
        try {
          expect(isPeerId(parsePeerId(input))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(PeerIdError);
        }
      },
    ),
  );
});

test("what is quoted in an error carries no terminal escapes", () => {
  expect(() => parsePeerId("\u001B[2Jrt1")).toThrow('"\\u001b[2Jrt1" is not a peer ID');
});

test("a key of the wrong length is refused", () => {
  expect(() => peerIdOf(new Uint8Array(31))).toThrow("32 bytes, this one has 31");
});
