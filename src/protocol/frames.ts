/**
 * Trunk frames: the bytes between an edge and a hub.
 *
 *   u32 length of what follows | u8 operation | fields of fixed width | payload up to the end
 *
 * All integers are little-endian; a position is a float64 that holds an integer. The first four bytes of a trunk, in the
 * edge's direction, are TRUNK_MAGIC, which no client line, TLS handshake or HTTP request starts with.
 *
 * Encoding appends to one growing buffer that is taken once a turn of the loop, so that a thousand frames cost one
 * write; decoding gives payloads as slices of what came in, and copies only a frame that spans chunks.
 */
import { grown } from "./grown.ts";
import { trunkLimits } from "./limits.ts";

/** First bytes of every trunk: NUL, then `rt1`. */
export const TRUNK_MAGIC = new Uint8Array([0x00, 0x72, 0x74, 0x31]);
/** Raised when frames change; both sides name theirs and refuse others by name. */
export const TRUNK_VERSION = 2;

/** Operations, edge to hub below 32. */
export const Op = {
  /** JSON {version, build, edge, nonce}: first frame. */
  Hello: 1,
  /** JSON {proof}: the edge knows the cluster secret. */
  Proof: 2,
  /** u32 session, f64 accepted at, field address, field edge, connection. */
  Open: 3,
  /** u32 session, lines. */
  Lines: 4,
  /** u32 session, reason. */
  Close: 5,
  /** u32 session, JSON Handover. */
  Resume: 6,
  /** u32 number: answered by Pong with the same. */
  Ping: 7,
  /** JSON {version, build, server, cluster, nonce}. */
  Challenge: 32,
  /** JSON {proof}: the hub knows the secret too; the trunk is open. */
  Accept: 33,
  /** JSON {code, message}: the trunk is refused, then closed. */
  Refuse: 34,
  /** u32 session, u32 done, lines. */
  Send: 35,
  /** u32 group, u32 roster, f64 seq, field epoch, name. */
  Define: 36,
  /** u32 group, u32 except, u32 roster, f64 seq, lines. */
  Group: 37,
  /** u32 session, u32 group, u32 done, lines. */
  Join: 38,
  /** u32 session, u32 group. */
  Leave: 39,
  /** u32 group. */
  Drop: 40,
  /** u32 session, f64 seq, u8 length of name, name, lines. */
  Replay: 41,
  /** u32 session, token. */
  Token: 42,
  /** u32 session, code. */
  Kick: 43,
  /** Nothing: the hub wants to be left. */
  Drain: 44,
  /** u32 number, JSON HubReport. */
  Pong: 45,
} as const;

const HEADER = 5;
/** A buffer that grew beyond this in a burst is not kept. */
const KEEP_BYTES = 256 * 1024;

/** A part of a buffer. */
export interface Part {
  readonly buffer: Buffer;
  readonly start: number;
  readonly length: number;
}

/**
 * Appends frames to one buffer. `begin`, then fields, then `end`; `take` gives all whole frames since the last take. As
 * long as {@link FrameWriter.frame} is what it was, the last frame may be made longer: more fields, and `end` again.
 * Invariant: between `end` and `begin`, the buffer holds whole frames only.
 */
export class FrameWriter {
  #buffer: Buffer;
  #length = 0;
  #start = 0;
  #frame = 0;

  constructor(initialBytes = 16 * 1024) {
    this.#buffer = Buffer.allocUnsafeSlow(initialBytes);
  }

  /** Bytes waiting to be taken. */
  get length(): number {
    return this.#length;
  }

  #room(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed > this.#buffer.length) this.#buffer = grown(this.#buffer, this.#length, needed);
  }

  /** Which frame was begun last: another number after each `begin` and `take`. */
  get frame(): number {
    return this.#frame;
  }

  begin(op: number): this {
    this.#frame += 1;
    this.#room(HEADER);
    this.#start = this.#length;
    this.#buffer[this.#length + 4] = op;
    this.#length += HEADER;
    return this;
  }

  u8(value: number): this {
    this.#room(1);
    this.#buffer[this.#length] = value;
    this.#length += 1;
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    this.#put(this.#length, value);
    this.#length += 4;
    return this;
  }

  f64(value: number): this {
    this.#room(8);
    this.#buffer.writeDoubleLE(value, this.#length);
    this.#length += 8;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#room(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** As `bytes` of a slice, without making one. */
  part({ buffer, start, length }: Part): this {
    this.#room(length);
    buffer.copy(this.#buffer, this.#length, start, start + length);
    this.#length += length;
    return this;
  }

  text(value: string): this {
    this.#room(value.length * 3);
    this.#length += this.#buffer.write(value, this.#length);
    return this;
  }

  json(value: unknown): this {
    return this.text(JSON.stringify(value));
  }

  /** Text that other fields follow: u32 length, UTF-8. */
  field(value: string): this {
    const at = this.#length;
    this.u32(0).text(value);
    this.#buffer.writeUInt32LE(this.#length - at - 4, at);
    return this;
  }

  end(): this {
    this.#put(this.#start, this.#length - this.#start - 4);
    return this;
  }

  /** Writes over a u32 field of the last frame. @param at bytes before it, counted from the first field */
  replaceU32(at: number, value: number): this {
    this.#put(this.#start + HEADER + at, value);
    return this;
  }

  #put(at: number, value: number): void {
    const buffer = this.#buffer;
    buffer[at] = value;
    buffer[at + 1] = value >>> 8;
    buffer[at + 2] = value >>> 16;
    buffer[at + 3] = value >>> 24;
  }

  /**
   * The frames so far. The slice is a view into the writer's own buffer, valid until the next `begin`: write it to the
   * socket now, and copy what the kernel did not take.
   */
  take(): Uint8Array {
    const frames = this.#buffer.subarray(0, this.#length);
    this.#frame += 1;
    this.#length = 0;
    if (this.#buffer.length > KEEP_BYTES) this.#buffer = Buffer.allocUnsafeSlow(KEEP_BYTES);
    return frames;
  }
}

/** A frame's fields, read in order. Reading past the end throws RangeError: the peer is broken. */
export class FrameReader {
  op = 0;
  /** The chunk, and the same bytes as a Buffer, whose reading of numbers and text costs half. */
  #chunk: Uint8Array | undefined;
  #buffer: Buffer = Buffer.alloc(0);
  /** Where in {@link FrameReader.buffer} the next field begins; may be set to where one began. */
  position = 0;
  #end = 0;

  /** Points the reader at a frame; for FrameDecoder. */
  aim(buffer: Uint8Array, start: number, end: number): void {
    if (buffer !== this.#chunk) {
      this.#chunk = buffer;
      // What comes from a socket is one already; asking it for what is behind it makes the engine copy it out.
      this.#buffer = Buffer.isBuffer(buffer)
        ? buffer
        : Buffer.from(buffer.buffer, buffer.byteOffset, buffer.byteLength);
    }
    this.op = buffer[start] ?? 0;
    this.position = start + 1;
    this.#end = end;
  }

  #take(bytes: number): number {
    const at = this.position;
    if (at + bytes > this.#end) throw new RangeError(`frame of operation ${this.op} is too short`);
    this.position = at + bytes;
    return at;
  }

  u8(): number {
    return this.#buffer[this.#take(1)] ?? 0;
  }

  u32(): number {
    return readU32(this.#buffer, this.#take(4));
  }

  f64(): number {
    return this.#buffer.readDoubleLE(this.#take(8));
  }

  /** Passes over bytes. @returns where in {@link FrameReader.buffer} they begin */
  skip(length: number): number {
    return this.#take(length);
  }

  /** What the frame is a part of. It stays as it is, as the frame's slices do. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#buffer.subarray(at, at + length);
  }

  /** Text written by {@link FrameWriter.field}. */
  field(): string {
    const length = this.u32();
    const at = this.#take(length);
    return this.#buffer.toString("utf8", at, at + length);
  }

  /** Nothing is left of the frame. */
  get isAtEnd(): boolean {
    return this.position >= this.#end;
  }

  /** What is left of the frame, as a slice of the chunk it came in. */
  rest(): Uint8Array {
    const at = this.position;
    this.position = this.#end;
    return this.#buffer.subarray(at, this.#end);
  }

  /** What is left of the frame, in memory of its own. */
  copy(): Uint8Array {
    const at = this.position;
    const copy = new Uint8Array(this.#end - at);
    this.position = this.#end;
    this.#buffer.copy(copy, 0, at, this.#end);
    return copy;
  }

  text(): string {
    const at = this.position;
    this.position = this.#end;
    return this.#buffer.toString("utf8", at, this.#end);
  }

  /** The rest as JSON, unchecked: the caller validates. Throws SyntaxError. */
  json(): unknown {
    return JSON.parse(this.text());
  }
}

/** Little-endian u32 at an offset that the caller has checked. */
function readU32(buffer: Uint8Array, at: number): number {
  return (
    ((buffer[at] ?? 0) |
      ((buffer[at + 1] ?? 0) << 8) |
      ((buffer[at + 2] ?? 0) << 16) |
      ((buffer[at + 3] ?? 0) << 24)) >>>
    0
  );
}

/** A stream that is not frames, or over the limit. The connection must be closed. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/**
 * Cuts a stream into frames. Payload slices given to the handler stay valid: chunks are not reused.
 * Invariant: `#held` is an incomplete frame's beginning, shorter than the frame's length says.
 */
export class FrameDecoder {
  #held: Uint8Array = new Uint8Array(0);
  #heldLength = 0;
  readonly #reader = new FrameReader();
  /** Largest frame accepted; raised after authentication. */
  limit: number;

  constructor(limit: number = trunkLimits.frameBytes) {
    this.limit = limit;
  }

  /**
   * Takes a chunk and calls `frame` for each whole frame. The reader is reused: read it before returning.
   * @throws FrameError on an impossible length; whatever `frame` throws (RangeError on short frames)
   */
  push(chunk: Uint8Array, frame: (reader: FrameReader) => void): void {
    let at = 0;
    if (this.#heldLength > 0) {
      at = this.#complete(chunk);
      if (at === -1) return;
      const whole = this.#held;
      const length = this.#heldLength;
      this.#held = new Uint8Array(0);
      this.#heldLength = 0;
      this.#reader.aim(whole, 4, length);
      frame(this.#reader);
    }
    while (chunk.length - at >= 4) {
      const size = this.#checked(readU32(chunk, at));
      const end = at + 4 + size;
      if (end > chunk.length) break;
      this.#reader.aim(chunk, at + 4, end);
      at = end;
      frame(this.#reader);
    }
    if (at < chunk.length) this.#hold(chunk.subarray(at));
  }

  /** Adds to the held frame. @returns where in the chunk the next frame starts, or -1 if this one is not yet whole */
  #complete(chunk: Uint8Array): number {
    let at = 0;
    if (this.#heldLength < 4) {
      at = Math.min(4 - this.#heldLength, chunk.length);
      this.#append(chunk.subarray(0, at));
      if (this.#heldLength < 4) return -1;
    }
    const total = 4 + this.#checked(readU32(this.#held, 0));
    const more = Math.min(total - this.#heldLength, chunk.length - at);
    this.#append(chunk.subarray(at, at + more), total);
    return this.#heldLength === total ? at + more : -1;
  }

  #hold(rest: Uint8Array): void {
    const total = rest.length >= 4 ? 4 + readU32(rest, 0) : rest.length;
    this.#append(rest, total);
  }

  #append(bytes: Uint8Array, total = 0): void {
    const needed = this.#heldLength + bytes.length;
    if (this.#held.length < needed) {
      // Memory follows what has arrived, not what a length field promises. A plain array, see grown.ts.
      const longer = new Uint8Array(Math.max(needed, Math.min(total, this.#held.length * 2 + 1_024)));
      longer.set(this.#held.subarray(0, this.#heldLength));
      this.#held = longer;
    }
    this.#held.set(bytes, this.#heldLength);
    this.#heldLength = needed;
  }

  #checked(size: number): number {
    if (size < 1 || size > this.limit) {
      throw new FrameError(`a frame of ${size} bytes; 1 to ${this.limit} are accepted`);
    }
    return size;
  }
}
