/**
 * What bytes mean, whatever log they end up in: everything here is a function of the bytes alone, and by far most of what
 * an entry costs. A core is given it, so that a simulation with many peers in one process can work out once what all of
 * them would come to (tests/mesh/sim/shared-codec.ts); a real peer has nobody to share with and takes {@link plainCodec}.
 */
import type { EntryHash, Verify } from "./api.ts";
import { decodeBody, type Body } from "./bodies.ts";
import { decodeEntry, hashOf, signatureOf, signingText, type Entry } from "./entry.ts";
import { decodeFrame, type Frame } from "./frames.ts";

/** Reads frames and entries. What it returns may be shared: nobody changes it. */
export interface Codec {
  /** See `decodeFrame`. @throws FormatError */
  frame(bytes: Uint8Array): Frame | undefined;
  /** See `hashOf`. @throws FormatError */
  hash(bytes: Uint8Array): EntryHash;
  /** See `decodeEntry`. @throws FormatError */
  entry(bytes: Uint8Array, hash: EntryHash): Entry;
  /** See `decodeBody`. @throws FormatError */
  body(entry: Entry): Body;
  /** Whether the owner of `key` signed the entry for this mesh. */
  isSigned(entry: Entry, key: Uint8Array, meshId: Uint8Array): boolean;
}

/** Works everything out from the bytes, each time. */
export function plainCodec(verify: Verify): Codec {
  return {
    frame: decodeFrame,
    hash: hashOf,
    entry: decodeEntry,
    body: decodeBody,
    isSigned: (entry, key, meshId) => verify(key, signingText(meshId, entry.hash), signatureOf(entry)),
  };
}
