/** The name of a mesh: a hash of its founder's key and a nonce, so nobody else can found the same mesh. */
import { hash } from "node:crypto";
import { publicKeyOf } from "../../identity/peer-id.ts";
import type { PeerId } from "./api.ts";

/** Bytes of the nonce. */
const nonceBytes = 16;

/** The mesh ID, 32 bytes, of a founder's key (32 bytes) and a nonce (16 bytes). */
export function meshIdOf(founder: Uint8Array, nonce: Uint8Array): Uint8Array {
  return hash("sha256", Buffer.concat([Buffer.from("rtchat mesh 1\n"), founder, nonce]), "buffer");
}

/** Makes the ID of a new mesh for its founder; the nonce is for `found`. */
export function newMesh(
  founder: PeerId,
  randomBytes: (length: number) => Uint8Array,
): { meshId: Uint8Array; nonce: Uint8Array } {
  const nonce = randomBytes(nonceBytes);
  return { meshId: meshIdOf(publicKeyOf(founder), nonce), nonce };
}
