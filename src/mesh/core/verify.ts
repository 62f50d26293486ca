/**
 * Checking Ed25519 signatures with the platform's own implementation.
 *
 * A key object costs more to make than a short signature to check, and a mesh has few keys, so they are kept.
 */
import { createPublicKey, verify, type KeyObject } from "node:crypto";
import type { Verify } from "./api.ts";
import { toHex } from "./bytes.ts";

/** An Ed25519 SubjectPublicKeyInfo is this fixed head and the key (RFC 8410). */
const spkiHead = Buffer.from("302a300506032b6570032100", "hex");
/** Keys kept; strangers can make as many as they like, so all are dropped at this number. */
const keptMost = 256;
const kept = new Map<string, KeyObject>();

/** RFC 8032 verification; false for a key that is no point of the curve. */
export const verifyEd25519: Verify = (publicKey, message, signature) => {
  try {
    return verify(null, message, keyOf(publicKey), signature);
  } catch {
    return false;
  }
};

function keyOf(publicKey: Uint8Array): KeyObject {
  const name = toHex(publicKey);
  let key = kept.get(name);
  if (key === undefined) {
    key = createPublicKey({ key: Buffer.concat([spkiHead, publicKey]), format: "der", type: "spki" });
    if (kept.size >= keptMost) kept.clear();
    kept.set(name, key);
  }
  return key;
}
