/**
 * Two hashes of 32 bits of a part of a buffer, the same as `Bun.hash.xxHash32` and `Bun.hash.murmur32v3` give of the same
 * bytes: those want a string, or a view that has to be made first, either of which costs more than the hashing.
 *
 * Sources: xxHash specification (github.com/Cyan4973/xxHash, doc/xxhash_spec.md, XXH32); MurmurHash3_x86_32 (Austin
 * Appleby, public domain).
 */
const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;

const word = (bytes: Buffer, at: number): number => bytes.readInt32LE(at);

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));

const round = (sum: number, input: number): number =>
  Math.imul(rotate((sum + Math.imul(input, P2)) | 0, 13), P1);

/** XXH32, as a signed number. */
export function xxHash32(bytes: Buffer, start: number, length: number, seed: number): number {
  const end = start + length;
  let at = start;
  let hash = (seed + P5) | 0;
  if (length >= 16) {
    let [one, two, three, four] = [(seed + P1 + P2) | 0, (seed + P2) | 0, seed | 0, (seed - P1) | 0];
    for (; at + 16 <= end; at += 16) {
      one = round(one, word(bytes, at));
      two = round(two, word(bytes, at + 4));
      three = round(three, word(bytes, at + 8));
      four = round(four, word(bytes, at + 12));
    }
    hash = (rotate(one, 1) + rotate(two, 7) + rotate(three, 12) + rotate(four, 18)) | 0;
  }
  hash = (hash + length) | 0;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(rotate((hash + Math.imul(word(bytes, at), P3)) | 0, 17), P4);
  }
  for (; at < end; at += 1) hash = Math.imul(rotate((hash + Math.imul(bytes[at] ?? 0, P5)) | 0, 11), P1);
  hash = Math.imul(hash ^ (hash >>> 15), P2);
  hash = Math.imul(hash ^ (hash >>> 13), P3);
  return hash ^ (hash >>> 16);
}

const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;
const mixed = (input: number): number => Math.imul(rotate(Math.imul(input, C1), 15), C2);

/** MurmurHash3_x86_32, as a signed number. */
export function murmur32(bytes: Buffer, start: number, length: number, seed: number): number {
  const end = start + length;
  let at = start;
  let hash = seed | 0;
  for (; at + 4 <= end; at += 4)
    hash = (Math.imul(rotate(hash ^ mixed(word(bytes, at)), 13), 5) + 0xe6546b64) | 0;
  if (at < end) {
    let tail = 0;
    for (let last = end - 1; last >= at; last -= 1) tail = (tail << 8) | (bytes[last] ?? 0);
    hash ^= mixed(tail);
  }
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
