/**
 * An entry of the mesh's log, as bytes.
 *
 * Entries form a graph: each names its author's previous entry and the newest entries of others its author knew
 * (parents), by hash. The encoding is fixed and has one form a value, so the hash can be taken of the bytes as they
 * came. The hash leaves out the signature, so that nobody can make a second entry out of one by signing it twice. The
 * signature is over that hash and the mesh ID, so an entry is worth nothing in another mesh.
 *
 * Decoding checks everything that the bytes alone can tell. What needs the log (does the previous entry exist, is the
 * clock behind a parent's) is checked in log.ts. PROTOCOL.md has the layout; tests/vectors/mesh-entry.jsonl examples.
 */
import { hash as digest } from "node:crypto";
import { entryLimits } from "../../protocol/limits.mesh.ts";
import type { EntryHash } from "./api.ts";
import { ByteReader, decodeUtf8, FormatError, fromHex, viewOf, writeU53 } from "./bytes.ts";

/** Kinds and their numbers on the wire. Numbers not listed here are kept and passed on, and shown to nobody. */
export const entryKinds = {
  found: 1,
  admit: 2,
  appoint: 3,
  remove: 4,
  grant: 5,
  profile: 6,
  addresses: 7,
  chat: 8,
  action: 9,
  topic: 10,
  direct: 11,
} as const;

/** Name of a kind. */
export type EntryKind = keyof typeof entryKinds;

/** What an author decides; the rest follows. Hex strings are lower-case. */
export interface EntryContent {
  /** Number of the kind, 1 to 255. */
  readonly kind: number;
  /** Ed25519 key, 64 hex digits. */
  readonly author: string;
  /** Names one run of sequence numbers; a device that lost its disk starts another. 16 hex digits. */
  readonly chain: string;
  /** 1 for the first of a chain. */
  readonly sequence: number;
  /** Undefined exactly when the sequence is 1. */
  readonly previous: EntryHash | undefined;
  /** Hybrid logical clock in microseconds since 1970; larger than that of everything the entry builds on. */
  readonly clock: number;
  /** Ascending, without `previous` and without repetition. */
  readonly parents: readonly EntryHash[];
  /** Empty for kinds that belong to no room. */
  readonly room: string;
  readonly body: Uint8Array;
}

/** A decoded entry with its encoding. */
export interface Entry extends EntryContent {
  readonly hash: EntryHash;
  readonly bytes: Uint8Array;
}

const version = 1;
const signatureBytes = 64;
/** version, kind, author, chain, sequence, previous, clock, and the three counts. */
const fixedBytes = 1 + 1 + 32 + 8 + 4 + 32 + 8 + 1 + 1 + 2;
const noPrevious = "0".repeat(64);
const signContext = Buffer.from("rtchat mesh signature 1\n");
// C0, DEL and C1 in a room name would be a trap for terminals; fixed ranges, so that no Unicode version matters.
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/**
 * Hash of a whole encoded entry (signature included in the bytes, not in the hash).
 * @throws FormatError when it cannot be an entry for its length
 */
export function hashOf(bytes: Uint8Array): EntryHash {
  if (bytes.length > entryLimits.entryBytes)
    throw new FormatError(
      `an entry has ${bytes.length} bytes, at most ${entryLimits.entryBytes} are allowed`,
    );
  if (bytes.length < fixedBytes + signatureBytes) throw new FormatError("an entry is cut short");
  return digest("sha256", bytes.subarray(0, bytes.length - signatureBytes), "hex");
}

/** Encodes an entry and signs it for a mesh. `sign` gets the signing text and returns 64 bytes. */
export function encodeEntry(
  meshId: Uint8Array,
  content: EntryContent,
  sign: (message: Uint8Array) => Uint8Array,
): Entry {
  const room = Buffer.from(content.room);
  const length = fixedBytes + content.parents.length * 32 + room.length + content.body.length;
  const bytes = Buffer.alloc(length + signatureBytes);
  let at = bytes.writeUInt8(version, 0);
  at = bytes.writeUInt8(content.kind, at);
  at += bytes.write(content.author, at, "hex");
  at += bytes.write(content.chain, at, "hex");
  at = bytes.writeUInt32BE(content.sequence, at);
  at += bytes.write(content.previous ?? noPrevious, at, "hex");
  at = writeU53(bytes, content.clock, at);
  at = bytes.writeUInt8(content.parents.length, at);
  for (const parent of content.parents) at += bytes.write(parent, at, "hex");
  at = bytes.writeUInt8(room.length, at);
  bytes.set(room, at);
  at = bytes.writeUInt16BE(content.body.length, at + room.length);
  bytes.set(content.body, at);
  const hash = hashOf(bytes);
  bytes.set(sign(signingText(meshId, hash)), length);
  return decodeEntry(bytes, hash);
}

/** What an author signs: 24 bytes of context, 32 of mesh ID, 32 of hash. */
export function signingText(meshId: Uint8Array, hash: EntryHash): Uint8Array {
  const text = Buffer.alloc(signContext.length + 64);
  text.set(signContext);
  text.set(meshId, signContext.length);
  text.write(hash, signContext.length + 32, "hex");
  return text;
}

/** The signature at the end of an entry. */
export function signatureOf(entry: Entry): Uint8Array {
  return entry.bytes.subarray(entry.bytes.length - signatureBytes);
}

/**
 * Decodes an entry whose hash is known.
 * @throws FormatError naming what is wrong
 */
export function decodeEntry(bytes: Uint8Array, hash: EntryHash): Entry {
  const reader = new ByteReader(bytes);
  const found = reader.u8("version");
  if (found !== version)
    throw new FormatError(`the entry has version ${found}, this rtchat knows ${version}`);
  const kind = reader.u8("kind");
  if (kind === 0) throw new FormatError("the entry has kind 0");
  const author = reader.hex(32, "author");
  const chain = reader.hex(8, "chain");
  const sequence = reader.u32("sequence");
  if (sequence === 0) throw new FormatError("the entry has sequence 0");
  const before = reader.hex(32, "previous");
  if ((before === noPrevious) !== (sequence === 1))
    throw new FormatError("only the first entry of a chain has no previous one");
  const clock = reader.u53("clock");
  const parents = readParents(reader, before);
  const room = reader.text(limited(reader.u8("room length"), entryLimits.roomBytes, "room"), "room");
  if (CONTROL.test(room)) throw new FormatError("the room name has a control character");
  const body = reader.take(limited(reader.u16("body length"), entryLimits.bodyBytes, "body"), "body");
  reader.skip(signatureBytes, "signature");
  reader.end();
  const previous = sequence === 1 ? undefined : before;
  return { hash, bytes, kind, author, chain, sequence, previous, clock, parents, room, body };
}

function readParents(reader: ByteReader, previous: EntryHash): EntryHash[] {
  const count = limited(reader.u8("parent count"), entryLimits.parentsMost, "parents");
  const parents: EntryHash[] = [];
  let last = noPrevious;
  for (let i = 0; i < count; i += 1) {
    const parent = reader.hex(32, "parent");
    if (parent <= last || parent === previous)
      throw new FormatError("the parents are not in ascending order");
    parents.push(parent);
    last = parent;
  }
  return parents;
}

function limited(value: number, most: number, field: string): number {
  if (value > most) throw new FormatError(`${field} has ${value}, at most ${most} are allowed`);
  return value;
}

/** The author's key as bytes. */
export function authorBytes(entry: EntryContent): Uint8Array {
  return fromHex(entry.author);
}

/**
 * An entry's body as text.
 * @throws FormatError when it is not UTF-8
 */
export function bodyText(entry: EntryContent): string {
  return decodeUtf8(viewOf(entry.body), "body");
}
