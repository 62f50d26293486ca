/**
 * The code that makes another device of the same person: 32 secret bytes in Bech32m, like a peer ID, so that it is copied
 * and typed as safely; with another prefix, because it must not be taken for one and given away.
 */
import { bech32m } from "@scure/base";

const prefix = "rtdevice";
const secretBytes = 32;

/** The code of a secret, in groups for reading: `rtdevice1-xxxxx-…`. */
export function formatDeviceCode(secret: Uint8Array): string {
  const symbols = bech32m.encode(prefix, bech32m.toWords(secret)).slice(prefix.length + 1);
  return [`${prefix}1`, ...(symbols.match(/.{1,5}/g) ?? [])].join("-");
}

/** Reads a code in any case, with dashes and spaces anywhere; undefined for anything that is none, or has a mistake. */
export function parseDeviceCode(text: string): Uint8Array | undefined {
  const canonical = text.toLowerCase().replaceAll(/[\s\u2010-\u2015-]/g, "");
  const decoded = bech32m.decodeUnsafe(canonical);
  if (decoded === undefined || decoded.prefix !== prefix) return undefined;
  const secret = bech32m.fromWordsUnsafe(decoded.words);
  return secret instanceof Uint8Array && secret.length === secretBytes ? secret : undefined;
}
