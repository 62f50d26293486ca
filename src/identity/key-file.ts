// The device's identity: one Ed25519 private key, in one file that only its owner can read.
//
// The key is made at first use and never changes by itself, because everything others know about this device (pins,
// verified names, membership) hangs on it. So the file is created atomically (written under another name, synced, then
// linked into place, which fails when somebody else was faster), and anything odd about an existing file is refused
// with what to do instead of being repaired: a key that others could read is no longer only ours, and replacing a
// damaged one silently would make this device a stranger to everybody it knows.
//
// The format is PEM PKCS#8, so that `openssl pkey -in identity.pem` reads it. Signing happens here; the private key
// leaves this module only as the TLS key of certificate.ts.
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { peerIdOf, type PeerId } from "./peer-id.ts";
import { codeOf, createPrivateFile, readPrivateFile, type PrivateFileKind } from "./private-file.ts";

/** Name of the key's file in the data directory. */
const identityFile = "identity.pem";

/** A device's key pair. `privateKey` is handed on only to make the TLS certificate. */
export interface Identity {
  readonly peerId: PeerId;
  /** 32 raw bytes. */
  readonly publicKey: Uint8Array;
  readonly privateKey: KeyObject;
  /** Where the key is stored. */
  readonly path: string;
  /** True when this call made the key. */
  readonly created: boolean;
}

/** Why there is no usable key; the message says what to do. */
export class IdentityError extends Error {
  override name = "IdentityError";
}

const keyFileKind: PrivateFileKind = {
  what: "key file",
  fail: (message) => new IdentityError(message),
  whenExposed: (path) =>
    `if nobody used it, run chmod 600 ${path}; ` +
    "otherwise move it away, start again with a new key, and have the others /remove the old one",
};

/**
 * Loads the key in `directory`, or makes one when there is none. Two processes starting at once end with the same key.
 * @throws IdentityError when the file is damaged, is not an Ed25519 key, can be read by others, or cannot be read or
 * made; an existing file is never changed
 */
export function loadOrCreateIdentity(directory: string): Identity {
  const path = join(directory, identityFile);
  const existing = readKey(path);
  if (existing !== undefined) return identityOf(existing, path, false);
  const made = generateKeyPairSync("ed25519").privateKey;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (createPrivateFile(path, made.export({ type: "pkcs8", format: "pem" })))
      return identityOf(made, path, true);
  } catch (error) {
    throw new IdentityError(
      `cannot make the key file ${path} (${codeOf(error)}): check the folder, or choose another with --data`,
    );
  }
  const theirs = readKey(path);
  if (theirs === undefined)
    throw new IdentityError(`the key file ${path} vanished while it was being read: start again`);
  return identityOf(theirs, path, false);
}

/** Signature of `message` by the device's key: 64 bytes (RFC 8032). */
export function signWith(identity: Identity, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, message, identity.privateKey));
}

/** The 32 raw bytes of an Ed25519 public key. */
export function rawPublicKey(publicKey: KeyObject): Uint8Array {
  const spki = publicKey.export({ type: "spki", format: "der" });
  // An Ed25519 SubjectPublicKeyInfo is a fixed 12 byte head and the key (RFC 8410).
  return new Uint8Array(spki.subarray(spki.length - 32));
}

function identityOf(privateKey: KeyObject, path: string, created: boolean): Identity {
  const publicKey = rawPublicKey(createPublicKey(privateKey));
  return { peerId: peerIdOf(publicKey), publicKey, privateKey, path, created };
}

/** The stored key, or undefined when there is no file. */
function readKey(path: string): KeyObject | undefined {
  const pem = readPrivateFile(path, keyFileKind);
  return pem === undefined ? undefined : parseKey(path, pem);
}

function parseKey(path: string, pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new IdentityError(
      `the key file ${path} is damaged: put a backup in its place, or move it away to start with a new key ` +
        `(the others will then see a stranger and must /verify again)`,
    );
  }
  if (key.asymmetricKeyType !== "ed25519") {
    throw new IdentityError(
      `the key file ${path} holds a key of type ${key.asymmetricKeyType}, wanted ed25519: move it away`,
    );
  }
  return key;
}
