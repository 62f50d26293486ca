/**
 * The LAN beacon: "a member of your mesh listens on this port", readable only by members.
 *
 *   4 magic "rtb1" | u32 window | u16 port | 8 salt | 16 tag | 16 tag
 *
 * Integers are big-endian. The window is seconds since 1970 divided by 30. Each tag is the head of HMAC-SHA256(secret,
 * `rtchat lan 1` NUL, everything before the tags), for the current mesh secret and the one before it (random bytes
 * where there is none), because somebody may have slept through a removal. With a fresh salt in each beacon two of them
 * cannot be told to be of one sender or one mesh by anybody without the secret; no ID, name or mesh is in it. What it
 * cannot hide is the address it comes from, and that rtchat runs there. An old beacon is worth nothing after a minute,
 * and one replayed from elsewhere only leads to a dial, where the key must prove itself.
 */
import { createHmac, timingSafeEqual } from "node:crypto";

const magic = Buffer.from("rtb1");
const windowMs = 30_000;
const tagsAt = 18;
const tagBytes = 16;
const tagCount = 2;

/** Bytes of a beacon; datagrams of another length are not ours. */
export const beaconBytes = tagsAt + tagCount * tagBytes;

/** What a beacon says to one who holds `secrets`. */
export interface Sighting {
  readonly port: number;
  /** It was made by somebody with one of our secrets. */
  readonly isMember: boolean;
  /** Tells our own beacons from others'. */
  readonly salt: string;
}

function tag(secret: Uint8Array, head: Uint8Array): Buffer {
  return createHmac("sha256", secret).update("rtchat lan 1\0").update(head).digest().subarray(0, tagBytes);
}

/**
 * A beacon.
 * @param secrets the current one first
 * @param now ms since 1970
 * @param randomBytes unpredictable bytes
 */
export function makeBeacon(
  secrets: readonly Uint8Array[],
  port: number,
  now: number,
  randomBytes: (length: number) => Uint8Array,
): Uint8Array {
  const beacon = Buffer.alloc(beaconBytes);
  beacon.set(magic);
  beacon.writeUInt32BE(Math.floor(now / windowMs), 4);
  beacon.writeUInt16BE(port, 8);
  beacon.set(randomBytes(8), 10);
  const head = beacon.subarray(0, tagsAt);
  for (let n = 0; n < tagCount; n += 1) {
    const secret = secrets[n];
    beacon.set(secret === undefined ? randomBytes(tagBytes) : tag(secret, head), tagsAt + n * tagBytes);
  }
  return beacon;
}

/** Reads a datagram; undefined when it is no beacon of this version, of another time, or of no port. */
export function readBeacon(
  datagram: Uint8Array,
  secrets: readonly Uint8Array[],
  now: number,
): Sighting | undefined {
  const beacon = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  if (beacon.length !== beaconBytes || !beacon.subarray(0, 4).equals(magic)) return undefined;
  // One window either way: clocks differ, and a beacon may be made at the end of one.
  if (Math.abs(beacon.readUInt32BE(4) - Math.floor(now / windowMs)) > 1) return undefined;
  const port = beacon.readUInt16BE(8);
  if (port === 0) return undefined;
  const head = beacon.subarray(0, tagsAt);
  const tags = Array.from({ length: tagCount }, (_, n) =>
    beacon.subarray(tagsAt + n * tagBytes, tagsAt + (n + 1) * tagBytes),
  );
  const expected = secrets.slice(0, tagCount).map((secret) => tag(secret, head));
  const isMember = expected.some((one) => tags.some((other) => timingSafeEqual(one, other)));
  return { port, isMember, salt: beacon.subarray(10, tagsAt).toString("hex") };
}
