/**
 * Frames of the mesh on a link, as bytes. The first byte is the type; the link below carries each as one frame of its own
 * and knows nothing of what is in it.
 *
 * A frame arrives whole: the link below cuts the stream into frames. Decoding is strict, and bounds every count before it
 * makes room for it. PROTOCOL.md has the layouts.
 */
import { entryLimits, logLimits, membershipLimits, syncLimits } from "../../protocol/limits.mesh.ts";
import type { EntryHash } from "./api.ts";
import { ByteReader, FormatError, viewOf, writeU53 } from "./bytes.ts";

/** Frame types. */
export const frameTypes = { digest: 0x10, have: 0x11, want: 0x12, entries: 0x13, links: 0x14 } as const;

/** The end of one chain or branch. Hex strings. */
export interface Tip {
  readonly author: string;
  readonly chain: string;
  readonly sequence: number;
  readonly hash: EntryHash;
}

/**
 * "Send me the chain that ends with `tip`, after the last of these entries that is on it": `locator` names some entries
 * that the sender has of that chain, in any order.
 */
export interface Wish {
  readonly tip: EntryHash;
  readonly locator: readonly EntryHash[];
}

/** A decoded frame. */
export type Frame =
  /** A fingerprint of the sender's log. `now`: its wall clock, ms. */
  | { readonly type: "digest"; readonly now: number; readonly digest: Uint8Array }
  /** What the sender holds: all tips when `full`, else some that are new. `answer`: it wants the receiver's. */
  | { readonly type: "have"; readonly full: boolean; readonly answer: boolean; readonly tips: readonly Tip[] }
  /** A request for one page. */
  | { readonly type: "want"; readonly page: number; readonly wishes: readonly Wish[] }
  /** Entries: the page asked for, or unasked when `page` is 0. */
  | { readonly type: "entries"; readonly page: number; readonly entries: readonly Uint8Array[] }
  /** The keys the sender has links with. */
  | { readonly type: "links"; readonly keys: readonly string[] };

const tipBytes = 32 + 8 + 4 + 32;
/** Keys in a list of links: every member, and some who are just being removed or admitted. */
export const linksMost = membershipLimits.members * 2;

/** Encodes a digest. */
export function encodeDigest(now: number, digest: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(1 + 8 + 32);
  bytes.writeUInt8(frameTypes.digest, 0);
  bytes.set(digest, writeU53(bytes, now, 1));
  return bytes;
}

/** Encodes a list of tips. */
export function encodeHave(full: boolean, answer: boolean, tips: readonly Tip[]): Uint8Array {
  const bytes = Buffer.alloc(4 + tips.length * tipBytes);
  bytes.writeUInt8(frameTypes.have, 0);
  bytes.writeUInt8(Number(full) + 2 * Number(answer), 1);
  let at = bytes.writeUInt16BE(tips.length, 2);
  for (const tip of tips) {
    at += bytes.write(tip.author, at, "hex");
    at += bytes.write(tip.chain, at, "hex");
    at = bytes.writeUInt32BE(tip.sequence, at);
    at += bytes.write(tip.hash, at, "hex");
  }
  return bytes;
}

/** Encodes a list of tips of any length: the receiver adds those of the frames that follow to those of the first. */
export function encodeHaves(full: boolean, answer: boolean, tips: readonly Tip[]): Uint8Array[] {
  const frames = [encodeHave(full, answer, tips.slice(0, logLimits.tipsMost))];
  for (let at = logLimits.tipsMost; at < tips.length; at += logLimits.tipsMost)
    frames.push(encodeHave(false, false, tips.slice(at, at + logLimits.tipsMost)));
  return frames;
}

/** Encodes a request for a page. `page` is 1 to 2^32 - 1. */
export function encodeWant(page: number, wishes: readonly Wish[]): Uint8Array {
  const hashes = wishes.reduce((sum, { locator }) => sum + 1 + locator.length, 0);
  const bytes = Buffer.alloc(7 + wishes.length + hashes * 32);
  bytes.writeUInt8(frameTypes.want, 0);
  bytes.writeUInt32BE(page, 1);
  let at = bytes.writeUInt16BE(wishes.length, 5);
  for (const wish of wishes) {
    at += bytes.write(wish.tip, at, "hex");
    at = bytes.writeUInt8(wish.locator.length, at);
    for (const hash of wish.locator) at += bytes.write(hash, at, "hex");
  }
  return bytes;
}

/** Encodes entries; `page` is 0 when nobody asked. */
export function encodeEntries(page: number, entries: readonly Uint8Array[]): Uint8Array {
  let length = 7;
  for (const entry of entries) length += 2 + entry.length;
  const bytes = Buffer.alloc(length);
  bytes.writeUInt8(frameTypes.entries, 0);
  bytes.writeUInt32BE(page, 1);
  let at = bytes.writeUInt16BE(entries.length, 5);
  for (const entry of entries) {
    at = bytes.writeUInt16BE(entry.length, at);
    bytes.set(entry, at);
    at += entry.length;
  }
  return bytes;
}

/** Encodes the list of own links. */
export function encodeLinks(keys: readonly string[]): Uint8Array {
  const bytes = Buffer.alloc(2 + keys.length * 32);
  bytes.writeUInt8(frameTypes.links, 0);
  let at = bytes.writeUInt8(keys.length, 1);
  for (const key of keys) at += bytes.write(key, at, "hex");
  return bytes;
}

/** Splits entries into unasked frames within the limits. */
export function encodePushes(entries: readonly Uint8Array[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  let part: Uint8Array[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (part.length === syncLimits.entriesPerFrame || bytes + entry.length > syncLimits.pageBytes) {
      if (part.length > 0) frames.push(encodeEntries(0, part));
      part = [];
      bytes = 0;
    }
    part.push(entry);
    bytes += entry.length;
  }
  if (part.length > 0) frames.push(encodeEntries(0, part));
  return frames;
}

/**
 * Decodes a frame.
 * @returns undefined for a type that this version does not know
 * @throws FormatError when it breaks its format
 */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  const reader = new ByteReader(bytes);
  const frame = decodeByType(reader.u8("type"), reader);
  if (frame !== undefined) reader.end();
  return frame;
}

function decodeByType(type: number, reader: ByteReader): Frame | undefined {
  switch (type) {
    case frameTypes.digest:
      return { type: "digest", now: reader.u53("now"), digest: reader.take(32, "digest") };
    case frameTypes.have: {
      const flags = reader.u8("flags");
      if (flags > 3) throw new FormatError(`have has unknown flags ${flags}`);
      const tips = repeat(reader.u16("tips"), logLimits.tipsMost, "tips", () => readTip(reader));
      return { type: "have", full: (flags & 1) !== 0, answer: (flags & 2) !== 0, tips };
    }
    case frameTypes.want: {
      const page = reader.u32("page");
      if (page === 0) throw new FormatError("want asks for page 0");
      const wishes = repeat(reader.u16("wishes"), logLimits.tipsMost, "wishes", () => ({
        tip: reader.hex(32, "tip"),
        locator: repeat(reader.u8("locator"), syncLimits.locatorMost, "locator hashes", () =>
          reader.hex(32, "hash"),
        ),
      }));
      return { type: "want", page, wishes };
    }
    case frameTypes.entries: {
      const page = reader.u32("page");
      const entries = repeat(reader.u16("entries"), syncLimits.entriesPerFrame, "entries", () => {
        const length = reader.u16("entry length");
        if (length > entryLimits.entryBytes) throw new FormatError(`an entry has ${length} bytes`);
        return reader.take(length, "entry");
      });
      return { type: "entries", page, entries };
    }
    case frameTypes.links:
      return {
        type: "links",
        keys: repeat(reader.u8("links"), linksMost, "links", () => reader.hex(32, "key")),
      };
    default:
      return undefined;
  }
}

function readTip(reader: ByteReader): Tip {
  const author = reader.hex(32, "author");
  const chain = reader.hex(8, "chain");
  const sequence = reader.u32("sequence");
  if (sequence === 0) throw new FormatError("a tip has sequence 0");
  return { author, chain, sequence, hash: reader.hex(32, "hash") };
}

function repeat<T>(count: number, most: number, field: string, read: () => T): T[] {
  if (count > most) throw new FormatError(`${count} ${field}, at most ${most} are allowed`);
  const all: T[] = [];
  for (let i = 0; i < count; i += 1) all.push(read());
  return all;
}

/** Page number of an encoded `entries` frame without decoding it; 0 for every other frame. */
export function pageOf(bytes: Uint8Array): number {
  return bytes[0] === frameTypes.entries && bytes.length >= 5 ? viewOf(bytes).readUInt32BE(1) : 0;
}
