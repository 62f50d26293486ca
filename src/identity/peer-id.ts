// Peer IDs: the public key itself, in a form people can read, type and compare.
//
// A peer ID is not a hash of the key and not a name for it: it carries all 32 bytes, so whoever holds an ID can check a
// TLS link or a signature with nothing else. The text form is Bech32m (BIP 350) with the prefix "rt": after the
// separator "1" come one version symbol, 52 symbols of key and 6 check symbols. Bech32m was chosen because its
// alphabet leaves out 1, b, i and o, and because its check finds every mistake of up to four symbols in a text of this
// length, which a truncated hash does not promise. Version 1 means Ed25519; another version is a named error and not
// a guess.
//
// Invariant: a `PeerId` is always the canonical form (lower case, no separators), so two IDs are equal exactly when
// their strings are. Groups, capitals and spaces exist only at the edges: `formatPeerId` adds them, `parsePeerId`
// takes them away.
import { bech32m } from "@scure/base";
import { quote } from "../protocol/names.ts";

/** Canonical peer ID: `rt1` and 59 lower-case symbols. Made only by {@link peerIdOf} and {@link parsePeerId}. */
export type PeerId = `rt1${string}`;

/** Bytes in an Ed25519 public key. */
const publicKeyBytes = 32;

const prefix = "rt";
const idVersion = 1;
const canonicalLength = 62;

/** What is wrong with a text that should have been a peer ID; the message is written for the person who typed it. */
export class PeerIdError extends Error {
  override name = "PeerIdError";
}

/**
 * The peer ID of an Ed25519 public key.
 * @param publicKey 32 raw bytes
 * @throws PeerIdError when it has another length
 */
export function peerIdOf(publicKey: Uint8Array): PeerId {
  if (publicKey.length !== publicKeyBytes) {
    throw new PeerIdError(`A public key has ${publicKeyBytes} bytes, this one has ${publicKey.length}`);
  }
  return bech32m.encode<"rt">(prefix, [idVersion, ...bech32m.toWords(publicKey)]);
}

/** The 32 public key bytes that a peer ID carries. */
export function publicKeyOf(peerId: PeerId): Uint8Array {
  return Uint8Array.from(bech32m.fromWords(bech32m.decode(peerId).words.slice(1)));
}

/** The form for screens: `rt1-` and groups of five, as in `rt1-pqxyz-…`; {@link parsePeerId} reads it back. */
export function formatPeerId(peerId: PeerId): string {
  const symbols = peerId.slice(prefix.length + 1);
  return [`${prefix}1`, ...(symbols.match(/.{1,5}/g) ?? [])].join("-");
}

/**
 * Reads a peer ID as a person may write it: any case, with spaces, dashes or line breaks anywhere.
 * @throws PeerIdError that says whether it is a typing mistake, a cut-off text, another version or no ID at all
 */
export function parsePeerId(text: string): PeerId {
  const canonical = text.toLowerCase().replaceAll(/[\s\u2010-\u2015-]/g, "");
  if (!canonical.startsWith(`${prefix}1`)) {
    throw new PeerIdError(`${quote(text)} is not a peer ID: one starts with "rt1"`);
  }
  const strange = /[^02-9ac-hj-np-z]/.exec(canonical.slice(prefix.length + 1));
  if (strange !== null) {
    throw new PeerIdError(
      `peer ID ${quote(text)} has a typing mistake: "${strange[0]}" is never part of one`,
    );
  }
  const words = bech32m.decodeUnsafe(canonical)?.words;
  if (words === undefined) throw new PeerIdError(mistake(text, canonical.length));
  if (words[0] !== idVersion) {
    throw new PeerIdError(
      `peer ID ${quote(text)} is of version ${words[0]}, and this rtchat knows version 1: update it`,
    );
  }
  const key = bech32m.fromWordsUnsafe(words.slice(1));
  if (!(key instanceof Uint8Array) || key.length !== publicKeyBytes)
    throw new PeerIdError(mistake(text, canonical.length));
  return canonical as PeerId;
}

/** True for a text that is already in canonical form; for checking what came over the wire or from a file. */
export function isPeerId(text: string): text is PeerId {
  try {
    return parsePeerId(text) === text;
  } catch {
    return false;
  }
}

function mistake(text: string, length: number): string {
  const off = length - canonicalLength;
  if (off === 0)
    return `peer ID ${quote(text)} has a typing mistake: its check symbols do not fit, compare it group by group`;
  const what = off < 0 ? `${-off} symbols missing` : `${off} symbols too many`;
  return `peer ID ${quote(text)} has ${what}: copy it whole, it has ${canonicalLength} without the dashes`;
}
