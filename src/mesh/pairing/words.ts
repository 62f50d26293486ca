/**
 * Verification: twelve words that two people compare, by voice or side by side.
 *
 * The words stand for both keys and the mesh. If somebody sits between the two, each of them holds a link to the
 * intruder's key and not to the other's, and the words differ. Twelve words of 2,048 carry 132 bits. An intruder may
 * choose two keys of their own to make both screens agree, which is a search for a collision, so the hash is slow on
 * purpose (PBKDF2, 100,000 rounds): 2^66 such hashes are out of reach, and one takes us some 50 ms.
 *
 * The words are BIP 39's English list: 2,048 common words that already differ in their first four letters. Nothing
 * else of BIP 39 is meant; the words are no key and need not be kept secret.
 */
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { pbkdf2Sync } from "node:crypto";
import { publicKeyOf, type PeerId } from "../../identity/peer-id.ts";

const wordCount = 12;
const bitsPerWord = 11;
const rounds = 100_000;

/**
 * The words for two keys in a mesh: the same on both sides, whichever asks.
 * @param meshId 32 bytes
 */
export function verificationWords(one: PeerId, other: PeerId, meshId: Uint8Array): readonly string[] {
  const keys = [publicKeyOf(one), publicKeyOf(other)].sort((a, b) => Buffer.compare(a, b));
  const salt = Buffer.concat([Buffer.from("rtchat verify 1\0"), meshId]);
  const digest = pbkdf2Sync(
    Buffer.concat(keys),
    salt,
    rounds,
    Math.ceil((wordCount * bitsPerWord) / 8),
    "sha256",
  );
  let bits = BigInt(`0x${digest.toString("hex")}`) >> BigInt(digest.length * 8 - wordCount * bitsPerWord);
  const words: string[] = [];
  for (let n = 0; n < wordCount; n += 1) {
    words.unshift(wordlist[Number(bits & 2047n)] ?? "");
    bits >>= BigInt(bitsPerWord);
  }
  return words;
}
