/**
 * The tail of a log: a few entries in a file of their own, until they are moved to where they belong.
 *
 * Putting one entry into SQLite touches two pages and a lot of code that nobody has used for a while: 60 µs on the way of
 * a message, on both sides. Appending it to a file is one write, and survives the death of the process as well. The death
 * of the machine it need not survive: whoever syncs moves the tail first, so what the store promises of a power cut is
 * promised by SQLite's log alone, and what is found here after one is passed over.
 *
 * A record is one append: its length and check value, the tag, then its entries. The tag is chosen anew at each opening
 * and noted in the log, so a tail that belongs to another log, or to what became of this one since, is not read. The file
 * is written over from its beginning once it was moved; records of before that are still behind the new ones are in the
 * log already. Its room is taken at the opening, so a disk that fills up later does not matter here.
 */
import { closeSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { storeLimits } from "../../protocol/limits.mesh.ts";
import type { StoredEntry } from "../core/api.ts";
import { ByteReader, fromHex, viewOf, writeU53 } from "../core/bytes.ts";

/** Length, check value. */
const headBytes = 8;
/** Of a tag, in hex digits 16. */
const tagBytes = 8;
/** Hash, time, length. */
const entryHeadBytes = 32 + 8 + 4;

/** One open tail. */
export class Tail {
  readonly #path: string;
  readonly #file: number;
  readonly #tag: Uint8Array;
  #end = 0;

  /**
   * Makes the file, or takes it over. Read it before.
   * @param tag 16 hex digits
   * @throws Error of the system
   */
  constructor(path: string, tag: string) {
    this.#path = path;
    this.#tag = fromHex(tag);
    this.#file = openSync(path, "w+", 0o600);
    writeSync(this.#file, new Uint8Array(storeLimits.tailBytes), 0, storeLimits.tailBytes, 0);
  }

  /** Appends all of them, or none and answers false: there is no room. @throws Error of the system */
  append(entries: readonly StoredEntry[]): boolean {
    let length = headBytes + tagBytes;
    for (const { bytes } of entries) length += entryHeadBytes + bytes.length;
    if (this.#end + length > storeLimits.tailBytes) return false;
    const record = Buffer.allocUnsafe(length);
    record.writeUInt32BE(length, 0);
    record.set(this.#tag, headBytes);
    let at = headBytes + tagBytes;
    for (const { hash, receivedAt, bytes } of entries) {
      at += record.write(hash, at, "hex");
      at = record.writeUInt32BE(bytes.length, writeU53(record, receivedAt, at));
      record.set(bytes, at);
      at += bytes.length;
    }
    record.writeUInt32BE(crc32(record.subarray(headBytes)), 4);
    if (writeSync(this.#file, record, 0, length, this.#end) !== length) throw new Error("a short write");
    this.#end += length;
    return true;
  }

  /** All of it has been moved. */
  clear(): void {
    this.#end = 0;
  }

  /** @param isEmpty all has been moved: the file goes */
  close(isEmpty: boolean): void {
    closeSync(this.#file);
    if (isEmpty) rmSync(this.#path, { force: true });
  }
}

/** What an earlier process left in a tail with this tag, in order. Nothing where there is no such tail. */
export function readTail(path: string, tag: string): StoredEntry[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return []; // None was begun.
  }
  const entries: StoredEntry[] = [];
  for (let at = 0; at + headBytes <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const record = bytes.subarray(at + headBytes, at + length);
    // A record that was not written whole is the last one: nobody was told of it.
    if (length < headBytes + tagBytes || at + length > bytes.length) break;
    if (crc32(record) !== bytes.readUInt32BE(at + 4)) break;
    if (record.toString("hex", 0, tagBytes) !== tag) break;
    entries.push(...readEntries(record.subarray(tagBytes)));
    at += length;
  }
  return entries;
}

function readEntries(record: Uint8Array): StoredEntry[] {
  const entries: StoredEntry[] = [];
  const reader = new ByteReader(viewOf(record));
  while (reader.at < record.length) {
    const hash = reader.hex(32, "hash");
    const receivedAt = reader.u53("time");
    entries.push({ hash, receivedAt, bytes: reader.take(reader.u32("length"), "entry") });
  }
  return entries;
}
