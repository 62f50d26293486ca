/** The codec that a world's devices share must never take one entry for another, however alike their bytes are. */
import { expect, test } from "bun:test";
import { decodeEntry, encodeEntry, entryKinds, hashOf } from "../../src/mesh/core/entry.ts";
import { toHex } from "../../src/mesh/core/bytes.ts";
import { seededRandom } from "../../src/protocol/clock.ts";
import { bytesFrom, simulatedSigner, simulatedVerify } from "./sim/crypto.ts";
import { SharedCodec } from "./sim/shared-codec.ts";

const random = seededRandom(7);
const signer = simulatedSigner(random);
const meshId = bytesFrom(random, 32);
const entry = encodeEntry(
  meshId,
  {
    kind: entryKinds.chat,
    author: toHex(signer.publicKey),
    chain: "00".repeat(8),
    sequence: 1,
    previous: undefined,
    clock: 1,
    parents: [],
    room: "lobby",
    body: Buffer.from("hello"),
  },
  (message) => signer.sign(message),
);

test("an entry that is read again is the same object, from whatever array its bytes come", () => {
  const codec = new SharedCodec(simulatedVerify);
  const read = () => {
    const bytes = Uint8Array.from(entry.bytes);
    return codec.entry(bytes, codec.hash(bytes));
  };
  const first = read();
  expect(first).toEqual(decodeEntry(first.bytes, hashOf(entry.bytes)));
  expect(read()).toBe(first);
  expect(codec.body(first)).toEqual({ kind: "chat", text: "hello" });
  expect(() => codec.check()).not.toThrow();
});

test("a good signature vouches for no other bytes, key or mesh", () => {
  const codec = new SharedCodec(simulatedVerify);
  const good = codec.entry(entry.bytes, codec.hash(entry.bytes));
  expect(codec.isSigned(good, signer.publicKey, meshId)).toBe(true);
  expect(codec.isSigned(good, signer.publicKey, bytesFrom(random, 32))).toBe(false);
  expect(codec.isSigned(good, bytesFrom(random, 32), meshId)).toBe(false);
  for (let at = 0; at < entry.bytes.length; at += 1) {
    const changed = Uint8Array.from(entry.bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    const hash = codec.hash(changed);
    expect(hash).toBe(hashOf(changed));
    let forged;
    try {
      forged = codec.entry(changed, hash);
    } catch {
      continue; // No entry at all any more, as for every peer.
    }
    expect(forged).not.toBe(good);
    expect(codec.isSigned(forged, signer.publicKey, meshId)).toBe(false);
  }
});

test("bytes that are changed after they were read are noticed", () => {
  const codec = new SharedCodec(simulatedVerify);
  const bytes = Uint8Array.from(entry.bytes);
  const read = codec.entry(bytes, codec.hash(bytes));
  bytes[60] = (bytes[60] ?? 0) ^ 1;
  expect(codec.hash(bytes)).toBe(hashOf(bytes));
  read.bytes[60] = (read.bytes[60] ?? 0) ^ 1;
  expect(() => codec.check()).toThrow("were changed");
});
