/**
 * A `send` in its usual form, read without decoding or parsing.
 *
 *   {"type":"send","room":"lobby","id":"42","text":"hello"}        or with ,"by":"…" behind the text
 *
 * Nearly every line that a hub reads looks like this, byte for byte, because that is what JSON.stringify makes of it. If
 * its strings are printable ASCII without quotes and backslashes, they are their own JSON and their own UTF-8, and the
 * bytes go to the log as they came. Everything else (other order, spaces, escapes, other scripts) is for JSON.parse.
 *
 * Invariant: what is read here means exactly what requests.ts would have read (a property test holds the two together).
 */
import { clientLimits } from "./limits.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

const OPENING = ascii('{"type":"send","room":"');
/** Where `"room":` begins. */
const ROOM_FIELD = '{"type":"send",'.length;
const ID = ascii('","id":"');
const TEXT = ascii('","text":"');
const BY = ascii('","by":"');
const END = ascii('"}');
const AT = 0x40;
const COMMA = 0x2c;

/** Characters of a name at most, and of a mark exactly; others are for the schema to judge. */
const NAME_MOST = 64;
const MARK_LENGTH = 43;

/** 1 for printable ASCII but `"` and `\`. */
const PLAIN = new Uint8Array(256).fill(1, 0x20, 0x7f);
PLAIN[0x22] = 0;
PLAIN[0x5c] = 0;

/** See above. Has the fields of the schema of `send`. */
export class PlainSend {
  readonly type = "send";
  readonly room: string;
  readonly id: string;
  readonly #line: Uint8Array;
  /** Where the fields after `id` begin, the text ends, and the line. */
  readonly #textField: number;
  readonly #textEnd: number;
  readonly #end: number;

  constructor(line: Uint8Array, room: string, id: string, parts: readonly [number, number, number]) {
    this.#line = line;
    this.room = room;
    this.id = id;
    [this.#textField, this.#textEnd, this.#end] = parts;
  }

  get text(): string {
    return latin1(this.#line, this.#textField + TEXT.length - 2, this.#textEnd);
  }

  get by(): string | undefined {
    const start = this.#textEnd + BY.length;
    return this.#hasMark ? latin1(this.#line, start, this.#end - END.length) : undefined;
  }

  get #hasMark(): boolean {
    return this.#end - this.#textEnd > END.length;
  }

  /** Bytes of {@link body} before `from`: `"room":"…","id":"…",`. */
  get envelopeLength(): number {
    return this.#textField - ROOM_FIELD;
  }

  /** The line's fields but `type`, with `from` (`"from":"…",`) and the mark between `id` and `text`, without braces. */
  body(from: Uint8Array): Uint8Array {
    const line = this.#line;
    const textEnd = this.#textEnd + 1;
    // With a mark both fields lie side by side in the line, with a comma between them that ends up behind the mark.
    const body = new Uint8Array(this.#end - 1 - ROOM_FIELD + from.length);
    let at = copyBytes(body, 0, line, ROOM_FIELD, this.#textField);
    at = copyBytes(body, at, from, 0, from.length);
    if (this.#hasMark) {
      at = copyBytes(body, at, line, textEnd + 1, this.#end - 1);
      body[at] = COMMA;
      at += 1;
    }
    copyBytes(body, at, line, this.#textField, textEnd);
    return body;
  }
}

/** Reads a line, without its newline. @returns undefined when the line is for JSON.parse to read */
export function readPlainSend(line: Uint8Array): PlainSend | undefined {
  if (!has(line, 0, OPENING) || line[OPENING.length] === AT) return undefined;
  const roomEnd = plainUntil(line, OPENING.length);
  const idStart = roomEnd + ID.length;
  if (!has(line, roomEnd, ID) || roomEnd - OPENING.length > NAME_MOST) return undefined;
  const idEnd = plainUntil(line, idStart);
  const idLength = idEnd - idStart;
  if (!has(line, idEnd, TEXT) || idLength === 0 || idLength > clientLimits.idLength) return undefined;
  const textStart = idEnd + TEXT.length;
  const textEnd = plainUntil(line, textStart);
  if (textEnd === textStart || textEnd - textStart > clientLimits.textBytes) return undefined;
  let end = textEnd;
  if (has(line, textEnd, BY)) {
    end = plainUntil(line, textEnd + BY.length);
    if (end - textEnd - BY.length !== MARK_LENGTH || !isMark(line, textEnd + BY.length, end))
      return undefined;
  }
  if (!has(line, end, END) || line.length !== end + END.length) return undefined;
  const room = latin1(line, OPENING.length, roomEnd);
  return new PlainSend(line, room, latin1(line, idStart, idEnd), [idEnd + 2, textEnd, line.length]);
}

function has(line: Uint8Array, from: number, word: Uint8Array): boolean {
  for (let at = 0; at < word.length; at += 1) if (line[from + at] !== word[at]) return false;
  return true;
}

function plainUntil(line: Uint8Array, from: number): number {
  let at = from;
  while (at < line.length && PLAIN[line[at] ?? 0] === 1) at += 1;
  return at;
}

/** Letters, digits, `-` and `_`. */
function isMark(line: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) {
    const byte = line[at] ?? 0;
    const letter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
    if (!letter && !(byte >= 0x30 && byte <= 0x39) && byte !== 0x2d && byte !== 0x5f) return false;
  }
  return true;
}

/** Lines come as slices of a socket's chunks or a frame's, which are Buffers, or as plain bytes. */
function latin1(line: Uint8Array, from: number, to: number): string {
  const buffer = Buffer.isBuffer(line) ? line : Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  return buffer.toString("latin1", from, to);
}

/** Short pieces are copied faster by hand than by way of a view of them. @returns where the copy ends */
function copyBytes(into: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length > 128) into.set(bytes.subarray(from, to), at);
  else for (let offset = 0; offset < length; offset += 1) into[at + offset] = bytes[from + offset] ?? 0;
  return at + length;
}
