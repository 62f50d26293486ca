/**
 * Reading and writing the binary formats of peer mode: big-endian integers, fixed-length keys and hashes, and
 * length-prefixed strings. A reader never reads past its end and refuses leftovers, so a format that is decoded with it
 * has exactly one encoding a value as long as its fields have.
 */

/** Bytes that break their format; the message names the field. */
export class FormatError extends Error {
  override name = "FormatError";
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads fields one after the other. Every method throws FormatError when the bytes are used up. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Uint8Array, from = 0) {
    this.#bytes = viewOf(bytes);
    this.#at = from;
  }

  /** Position of the next byte. */
  get at(): number {
    return this.#at;
  }

  u8(field: string): number {
    return this.#bytes.readUInt8(this.#advance(1, field));
  }

  u16(field: string): number {
    return this.#bytes.readUInt16BE(this.#advance(2, field));
  }

  u32(field: string): number {
    return this.#bytes.readUInt32BE(this.#advance(4, field));
  }

  /** An unsigned 64-bit integer that a number holds exactly. */
  u53(field: string): number {
    const at = this.#advance(8, field);
    const high = this.#bytes.readUInt32BE(at);
    if (high > 0x1f_ffff) throw new FormatError(`${field} is larger than 2^53 - 1`);
    return high * 0x1_0000_0000 + this.#bytes.readUInt32BE(at + 4);
  }

  /** `length` bytes as lower-case hex. */
  hex(length: number, field: string): string {
    const at = this.#advance(length, field);
    return this.#bytes.toString("hex", at, at + length);
  }

  /** `length` bytes; a view, not a copy. */
  take(length: number, field: string): Uint8Array {
    const at = this.#advance(length, field);
    return this.#bytes.subarray(at, at + length);
  }

  /** Passes over `length` bytes. */
  skip(length: number, field: string): void {
    this.#advance(length, field);
  }

  /** `length` bytes of strict UTF-8. */
  text(length: number, field: string): string {
    const at = this.#advance(length, field);
    return decodeUtf8(this.#bytes, field, at, at + length);
  }

  /** Refuses bytes that nothing has read. */
  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left !== 0) throw new FormatError(`${left} bytes are left over`);
  }

  #advance(length: number, field: string): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) throw new FormatError(`the bytes end inside ${field}`);
    this.#at = at + length;
    return at;
  }
}

/** Writes an integer below 2^53 as eight bytes; returns the position after it. */
export function writeU53(target: Buffer, value: number, at: number): number {
  target.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at);
  return target.writeUInt32BE(value % 0x1_0000_0000, at + 4);
}

/**
 * Strict UTF-8 to a string; a byte order mark is kept, so that equal strings mean equal bytes.
 * @throws FormatError naming `field`
 */
export function decodeUtf8(bytes: Uint8Array, field: string, from = 0, to = bytes.length): string {
  // The lenient decoder is faster and makes no view; only what it may have mended is decoded again, strictly.
  const text = viewOf(bytes).toString("utf8", from, to);
  if (!text.includes("\ufffd")) return text;
  try {
    return utf8.decode(bytes.subarray(from, to));
  } catch {
    throw new FormatError(`${field} is not UTF-8`);
  }
}

/** The same bytes as a Buffer, without copying. */
export function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Lower-case hex of bytes. */
export function toHex(bytes: Uint8Array): string {
  return viewOf(bytes).toString("hex");
}

/** Bytes of an even-length hex string that is known to be well-formed. */
export function fromHex(hex: string): Uint8Array {
  return Buffer.from(hex, "hex");
}
