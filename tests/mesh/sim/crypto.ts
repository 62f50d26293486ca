/**
 * Cheap stand-ins for signatures and seals, so that a simulation of millions of entries spends its time in the mesh. A
 * signature is a keyed hash that everybody in the simulation can check; a seal is the plain text with a tag, and the key of only ones stands for all keys that are none. The real ones
 * are tested in tests/mesh/seal.test.ts and used by tests/mesh/real-crypto.test.ts.
 */
import { hash } from "node:crypto";
import { peerIdOf } from "../../../src/identity/peer-id.ts";
import type { CoreRandom, Sealer, Signer, Verify } from "../../../src/mesh/core/api.ts";
import { seededRandom, type Random } from "../../../src/protocol/clock.ts";

const secret = Buffer.from("simulated");

/** Bytes from a generator of numbers. */
export function bytesFrom(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

/** Chance for a core, by seed. */
export function coreRandom(seed: number): CoreRandom {
  const random = seededRandom(seed);
  return { unit: random, bytes: (length) => bytesFrom(random, length) };
}

function sign(publicKey: Uint8Array, message: Uint8Array): Buffer {
  return hash("sha512", Buffer.concat([secret, publicKey, message]), "buffer");
}

/** A signer whose key is drawn from `random`. */
export function simulatedSigner(random: Random): Signer {
  const publicKey = bytesFrom(random, 32);
  return { publicKey, peerId: peerIdOf(publicKey), sign: (message) => sign(publicKey, message) };
}

/** Checks what {@link simulatedSigner} signed. */
export const simulatedVerify: Verify = (publicKey, message, signature) =>
  sign(publicKey, message).equals(signature);

/** Seals between `self` and others, without hiding anything. */
export function simulatedSealer(self: Uint8Array): Sealer {
  const tag = (peer: Uint8Array, context: Uint8Array): Buffer => {
    const pair = [Buffer.from(self), Buffer.from(peer)].sort((a, b) => a.compare(b));
    return hash("sha256", Buffer.concat([...pair, context]), "buffer").subarray(0, 16);
  };
  return {
    seal(peer, plain, context) {
      if (peer.every((byte) => byte === 0xff)) throw new RangeError("not a usable key");
      return Buffer.concat([Buffer.alloc(16), plain, tag(peer, context)]);
    },
    open(peer, sealed, context) {
      const end = sealed.length - 16;
      return tag(peer, context).equals(sealed.subarray(end)) ? sealed.subarray(16, end) : undefined;
    },
  };
}
