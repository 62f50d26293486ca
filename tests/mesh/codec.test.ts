/**
 * The bytes of entries and frames: vectors, round trips, and a great deal of rubbish.
 *
 * fuzzing.ts says how long the two fuzzing tests run.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import * as fc from "fast-check";
import { join } from "node:path";
import { z } from "zod";
import { FormatError, toHex } from "../../src/mesh/core/bytes.ts";
import {
  decodeEntry,
  encodeEntry,
  hashOf,
  signatureOf,
  signingText,
  type EntryContent,
} from "../../src/mesh/core/entry.ts";
import {
  decodeFrame,
  encodeDigest,
  encodeEntries,
  encodeHave,
  encodeLinks,
  encodePushes,
  encodeWant,
  pageOf,
} from "../../src/mesh/core/frames.ts";
import { entryLimits, syncLimits } from "../../src/protocol/limits.mesh.ts";
import { forAWhile, fuzzTimeoutMs } from "./fuzzing.ts";
import { codes, Lab, lines, say, type Device } from "./support.ts";

const vector = z.object({
  case: z.string(),
  meshId: z.hex(),
  seed: z.hex(),
  kind: z.number(),
  author: z.hex(),
  chain: z.hex(),
  sequence: z.number(),
  previous: z.hex().nullable(),
  clock: z.number(),
  parents: z.array(z.hex()),
  room: z.string(),
  body: z.string(),
  bytes: z.hex(),
  hash: z.hex(),
});
const vectors = (await Bun.file(join(import.meta.dir, "../vectors/mesh-entry.jsonl")).text())
  .trim()
  .split("\n")
  .map((line) => vector.parse(JSON.parse(line)));

const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex);
const key = hash;
const chain = fc.uint8Array({ minLength: 8, maxLength: 8 }).map(toHex);
const roomName = fc
  .string({ unit: "binary", maxLength: 32 })
  .filter(
    (text) =>
      !/[\u0000-\u001f\u007f-\u009f]/.test(text) && Buffer.byteLength(text) <= 128 && text.isWellFormed(),
  );
const content = fc
  .record({
    kind: fc.integer({ min: 1, max: 255 }),
    author: key,
    chain,
    sequence: fc.integer({ min: 1, max: entryLimits.sequenceMost }),
    previous: hash,
    clock: fc.integer({ min: 0, max: entryLimits.clockMost }),
    parents: fc.uniqueArray(hash, { maxLength: entryLimits.parentsMost }),
    room: roomName,
    body: fc.uint8Array({ maxLength: 300 }),
  })
  .map((made): EntryContent => ({
    ...made,
    previous: made.sequence === 1 ? undefined : made.previous,
    parents: made.parents.filter((parent) => parent !== made.previous).sort(),
  }));
const meshId = new Uint8Array(32);
const noSignature = (): Uint8Array => new Uint8Array(64);

describe("an entry", () => {
  test.each(vectors)("is as the vector says: $case", (row) => {
    const {
      case: _case,
      meshId: mesh,
      seed: secret,
      bytes: _bytes,
      hash: _hash,
      body,
      previous,
      ...rest
    } = row;
    const made = { ...rest, previous: previous ?? undefined, body: Buffer.from(body, "hex") };
    const seed = Buffer.from(secret, "hex");
    const id = Buffer.from(mesh, "hex");
    const entry = encodeEntry(id, made, (message) => ed25519.sign(message, seed));
    expect(toHex(entry.bytes)).toBe(row.bytes);
    expect(entry.hash).toBe(row.hash);
    const bytes = Buffer.from(row.bytes, "hex");
    expect(hashOf(bytes)).toBe(row.hash);
    const decoded = decodeEntry(bytes, row.hash);
    expect(
      ed25519.verify(signatureOf(decoded), signingText(id, row.hash), Buffer.from(row.author, "hex")),
    ).toBe(true);
    expect(toHex(decoded.body)).toBe(body);
    expect({ ...decoded, body }).toMatchObject({ ...made, body });
  });

  test("comes back from its bytes as it was", () => {
    fc.assert(
      fc.property(content, (made) => {
        const entry = encodeEntry(meshId, made, noSignature);
        const { hash: _, bytes: __, body, ...rest } = decodeEntry(entry.bytes, hashOf(entry.bytes));
        const { body: madeBody, ...madeRest } = made;
        expect(rest).toEqual(madeRest);
        expect(toHex(body)).toBe(toHex(madeBody));
      }),
      { numRuns: 300 },
    );
  });

  test("has one encoding: any other bytes that decode are another entry", () => {
    fc.assert(
      fc.property(content, fc.nat(), fc.integer({ min: 1, max: 255 }), (made, at, change) => {
        const { bytes, hash: name } = encodeEntry(meshId, made, noSignature);
        const changed = Buffer.from(bytes);
        const position = at % (bytes.length - 64);
        changed.writeUInt8(changed.readUInt8(position) ^ change, position);
        expect(hashOf(changed)).not.toBe(name);
        try {
          const decoded = decodeEntry(changed, hashOf(changed));
          expect(toHex(encodeEntry(meshId, decoded, noSignature).bytes)).toBe(toHex(changed));
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("cannot be larger than the limit, and the largest fits", () => {
    const most: EntryContent = {
      kind: 8,
      author: "ab".repeat(32),
      chain: "cd".repeat(8),
      sequence: entryLimits.sequenceMost,
      previous: "ff".repeat(32),
      clock: entryLimits.clockMost,
      parents: Array.from({ length: entryLimits.parentsMost }, (_, i) =>
        i.toString(16).padStart(64, "0"),
      ).slice(1),
      room: "r".repeat(entryLimits.roomBytes),
      body: new Uint8Array(entryLimits.bodyBytes),
    };
    const { bytes } = encodeEntry(meshId, most, noSignature);
    expect(bytes.length).toBeLessThanOrEqual(entryLimits.entryBytes);
    expect(() => hashOf(new Uint8Array(entryLimits.entryBytes + 1))).toThrow("at most 20480 are allowed");
    expect(() =>
      encodeEntry(meshId, { ...most, body: new Uint8Array(entryLimits.bodyBytes + 1) }, noSignature),
    ).toThrow("body has 16385");
    expect(() => encodeEntry(meshId, { ...most, room: "r".repeat(129) }, noSignature)).toThrow(
      "room has 129",
    );
  });

  test.each([
    ["of another version", 0, 2, "has version 2, this rtchat knows 1"],
    ["of kind 0", 1, 0, "kind 0"],
    ["with a clock beyond 2^53", 78, 0xff, "clock is larger"],
  ])("%s is refused with that reason", (_what, at, value, reason) => {
    const made = {
      kind: 8,
      author: "ab".repeat(32),
      chain: "cd".repeat(8),
      sequence: 1,
      previous: undefined,
    };
    const rest = { clock: 1, parents: [], room: "r", body: new Uint8Array(1) };
    const bytes = Buffer.from(encodeEntry(meshId, { ...made, ...rest }, noSignature).bytes);
    bytes.writeUInt8(value, at);
    expect(() => decodeEntry(bytes, "")).toThrow(reason);
  });
});

describe("a frame", () => {
  const tips = fc.array(
    fc.record({ author: key, chain, sequence: fc.integer({ min: 1, max: 0xffff_ffff }), hash }),
    { maxLength: 20 },
  );

  test("comes back from its bytes as it was", () => {
    fc.assert(
      fc.property(
        tips,
        fc.boolean(),
        fc.boolean(),
        fc.integer({ min: 1, max: 0xffff_ffff }),
        fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 20 }),
        fc.array(key, { maxLength: 60 }),
        (made, full, answer, page, entries, keys) => {
          expect(decodeFrame(encodeHave(full, answer, made))).toEqual({
            type: "have",
            full,
            answer,
            tips: made,
          });
          const wishes = made.map(({ hash: tip }, i) => ({ tip, locator: keys.slice(0, i) }));
          expect(decodeFrame(encodeWant(page, wishes))).toEqual({ type: "want", page, wishes });
          expect(decodeFrame(encodeLinks(keys))).toEqual({ type: "links", keys });
          const frame = encodeEntries(page, entries);
          expect(pageOf(frame)).toBe(page);
          const back = decodeFrame(frame);
          expect(back?.type === "entries" && back.entries.map(toHex)).toEqual(entries.map(toHex));
        },
      ),
      { numRuns: 200 },
    );
    const digest = Buffer.alloc(32, 7);
    expect(decodeFrame(encodeDigest(1_700_000_000_123, digest))).toEqual({
      type: "digest",
      now: 1_700_000_000_123,
      digest,
    });
  });

  test("of many entries is split within the limits, and nothing is left out", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 200, max: 20_000 }), { maxLength: 600 }), (sizes) => {
        const frames = encodePushes(sizes.map((size) => new Uint8Array(size)));
        const back = frames.flatMap((frame) => {
          expect(frame.length).toBeLessThanOrEqual(syncLimits.frameBytes);
          const decoded = decodeFrame(frame);
          return decoded?.type === "entries" ? decoded.entries.map(({ length }) => length) : [];
        });
        expect(back).toEqual(sizes);
      }),
      { numRuns: 20 },
    );
  });
});

describe("rubbish", () => {
  const rubbish = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    // Past the first byte, so that the decoders behind it are reached as well.
    fc
      .tuple(fc.constantFrom(0x10, 0x11, 0x12, 0x13, 0x14), fc.uint8Array({ maxLength: 600 }))
      .map(([type, rest]) => Uint8Array.of(type, ...rest)),
    fc.tuple(content, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat()).map(([made, at, value, cut]) => {
      const bytes = Buffer.from(encodeEntry(meshId, made, noSignature).bytes);
      bytes.writeUInt8(value, at % bytes.length);
      return encodeEntries(0, [cut % 3 === 0 ? bytes.subarray(0, cut % bytes.length) : bytes]);
    }),
  );

  test(
    "is decoded or refused, and nothing else happens",
    () => {
      fc.assert(
        fc.property(rubbish, (bytes) => {
          for (const decode of [() => decodeFrame(bytes), () => decodeEntry(bytes, hashOf(bytes))]) {
            try {
              decode();
            } catch (error) {
              if (!(error instanceof FormatError)) throw error;
            }
          }
        }),
        forAWhile,
      );
    },
    fuzzTimeoutMs,
  );

  let lab: Lab;
  let ann: Device;
  let mal: Device;
  let cleo: Device;
  beforeAll(() => {
    lab = new Lab();
    [ann, mal, cleo] = lab.mesh("ann", "mal", "cleo") as [Device, Device, Device];
    lab.link(ann, cleo);
    lab.settle();
  });

  test(
    "from a member costs that member its link at most, and the log nothing",
    () => {
      let count = 0;
      fc.assert(
        fc.property(fc.array(rubbish, { minLength: 1, maxLength: 5 }), (frames) => {
          const before = ann.core.order().length;
          const isUp = ann.core.linkUp(mal.core.self, () => true);
          expect(isUp.ok).toBe(true);
          lab.now += 1_000;
          for (const frame of frames) ann.core.receive(mal.core.self, frame);
          ann.core.tick();
          lab.deliver();
          expect(ann.core.order().length).toBe(before);
          count += 1;
        }),
        forAWhile,
      );
      expect(count).toBeGreaterThan(10);
      say(ann, "all is well");
      lab.deliver();
      expect(lines(cleo).at(-1)).toBe("all is well");
      expect(codes(cleo)).toEqual([]);
    },
    fuzzTimeoutMs,
  );
});
