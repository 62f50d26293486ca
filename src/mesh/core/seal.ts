/**
 * Sealing between two Ed25519 keys: X25519, HKDF-SHA-256, AES-256-GCM.
 *
 * Members know each other by one Ed25519 key. Both sides turn it into an X25519 key (the birational map of RFC 7748,
 * section 4.1, as libsodium's crypto_sign_ed25519_pk_to_curve25519) and agree on a shared secret that only these two can
 * compute. Each seal has 16 random bytes of salt, from which and the shared secret a fresh key and nonce are derived, so
 * no nonce is ever used twice. The context is authenticated, not stored.
 *
 * What this does not give: forward secrecy. Who steals a device's key can read the sealed entries it took part in. The log
 * is meant to be readable later, on a device that was offline, so there is no session to throw away.
 *
 * node:crypto cannot turn an Ed25519 key into an X25519 key; @noble/curves (audited) does that and the agreement.
 */
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import type { Sealer } from "./api.ts";
import { toHex } from "./bytes.ts";

const saltBytes = 16;
const tagBytes = 16;
const info = Buffer.from("rtchat seal 1");
/** Shared secrets kept, one a peer; far above the members a mesh can have. */
const cachedMost = 256;

/** Bytes that sealing adds. */
export const sealOverhead = saltBytes + tagBytes;

/**
 * Seals with the device's key.
 * @param seed the 32 bytes of an Ed25519 private key (RFC 8032, 5.1.5)
 * @param randomBytes unpredictable bytes
 */
export function createSealer(seed: Uint8Array, randomBytes: (length: number) => Uint8Array): Sealer {
  const own = ed25519.utils.toMontgomerySecret(seed);
  const shared = new Map<string, Uint8Array>();

  /** @throws RangeError when `peer` is no point of the curve, or one of small order */
  const agree = (peer: Uint8Array): Uint8Array => {
    const name = toHex(peer);
    let secret = shared.get(name);
    if (secret === undefined) {
      try {
        secret = x25519.getSharedSecret(own, ed25519.utils.toMontgomery(peer));
      } catch {
        throw new RangeError(`${name} is not a usable Ed25519 key`);
      }
      if (shared.size >= cachedMost) shared.clear();
      shared.set(name, secret);
    }
    return secret;
  };

  const keys = (peer: Uint8Array, salt: Uint8Array): { key: Buffer; nonce: Buffer } => {
    const derived = Buffer.from(hkdfSync("sha256", agree(peer), salt, info, 32 + 12));
    return { key: derived.subarray(0, 32), nonce: derived.subarray(32) };
  };

  return {
    seal(peer, plain, context) {
      const salt = randomBytes(saltBytes);
      const { key, nonce } = keys(peer, salt);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(context);
      return Buffer.concat([salt, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    open(peer, sealed, context) {
      if (sealed.length < sealOverhead) return undefined;
      const end = sealed.length - tagBytes;
      try {
        const { key, nonce } = keys(peer, sealed.subarray(0, saltBytes));
        const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes });
        decipher.setAAD(context).setAuthTag(sealed.subarray(end));
        return Buffer.concat([decipher.update(sealed.subarray(saltBytes, end)), decipher.final()]);
      } catch {
        return undefined; // Not authentic, or the peer's key is none: the same to whoever asks.
      }
    },
  };
}
