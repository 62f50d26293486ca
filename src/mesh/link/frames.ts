/**
 * Frames on a peer link: where one ends and the next begins.
 *
 *   u32 length of what follows | u8 type | payload
 *
 * Integers are big-endian. The reader is an incremental parser that does no I/O: bytes go in at any chunk boundary,
 * whole frames come out, and it keeps at most one unfinished frame. It holds one invariant: nothing longer than the
 * present limit is ever gathered, because the limit is checked on the four length bytes, before a byte of payload is
 * kept. The limit starts small, for strangers, and is raised once the other side is admitted.
 */
import { peerLinkLimits } from "../../protocol/limits.peer.ts";

/** Types of frames. Below 16: until both sides are ready; those from 16 on only afterwards. */
export const FrameType = {
  /** JSON {@link Hello}: the first frame of both sides. */
  Hello: 1,
  /** JSON {token?}: let me in. */
  Join: 5,
  /** JSON {@link Admission}: you are a member now. */
  Admit: 2,
  /** Nothing: for me the link is up. */
  Ready: 3,
  /** JSON {code, message}: no, or no longer; the link closes. Allowed at any time. */
  Refuse: 4,
  /** A frame of the mesh core. */
  Core: 16,
  /** Eight bytes of the sender's choice, answered by Pong with the same. */
  Ping: 17,
  Pong: 18,
  /** A frame of transfer/frames.ts. */
  Transfer: 19,
} as const;

const headerBytes = 5;
/** Pieces of one frame that are kept as they came. A frame of the largest size is two or three as a rule. */
const piecesMost = 64;

/** One frame ready to be written. */
export function encodeFrame(type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(headerBytes + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length + 1);
  frame[4] = type;
  frame.set(payload, headerBytes);
  return frame;
}

/** A frame too long for the present limit. The link cannot go on: the bytes that follow are lost. */
export class FrameTooLong extends Error {
  override readonly name = "FrameTooLong";
  readonly bytes: number;
  constructor(bytes: number, limit: number) {
    super(`a frame of ${bytes} bytes, and at most ${limit} are allowed`);
    this.bytes = bytes;
  }
}

/** Takes chunks, gives frames. */
export class FrameReader {
  /** Longest frame, type and payload, that is taken from now on. */
  limit: number;
  readonly #frame: (type: number, payload: Uint8Array) => void;
  #pieces: Uint8Array[] = [];
  #length = 0;
  /** The unfinished frame, once it has come in many pieces: each of those costs far more than its bytes. */
  #whole: Uint8Array | undefined;
  #stopped = false;

  /** @param frame called for each whole frame; the payload may be kept. It may change `limit`, or call {@link stop} */
  constructor(
    frame: (type: number, payload: Uint8Array) => void,
    limit: number = peerLinkLimits.strangerFrameBytes,
  ) {
    this.#frame = frame;
    this.limit = limit;
  }

  /** Bytes kept of an unfinished frame. */
  get length(): number {
    return this.#length;
  }

  /** Forgets what is kept and ignores what comes. */
  stop(): void {
    this.#stopped = true;
    this.#pieces = [];
    this.#whole = undefined;
    this.#length = 0;
  }

  /**
   * Takes the next bytes and calls back for each frame that is now whole.
   * @throws FrameTooLong once; nothing is read after it
   */
  push(chunk: Uint8Array): void {
    if (this.#stopped) return;
    const rest = this.#whole === undefined ? chunk : this.#fill(this.#whole, chunk);
    if (rest === undefined || rest.length === 0 || this.#stopped) return;
    this.#pieces.push(rest);
    this.#length += rest.length;
    while (!this.#stopped && this.#length >= headerBytes) {
      const bytes = this.#peekLength();
      if (bytes === 0 || bytes > this.limit) {
        this.stop();
        throw new FrameTooLong(bytes, this.limit);
      }
      if (this.#length < 4 + bytes) return this.#gather(4 + bytes);
      const frame = this.#take(4 + bytes);
      this.#frame(frame[4] ?? 0, frame.subarray(headerBytes));
    }
  }

  /** Puts what has come of a frame of this length where the rest of it will go, if it has come in many pieces. */
  #gather(bytes: number): void {
    if (this.#pieces.length < piecesMost) return;
    this.#whole = new Uint8Array(bytes);
    let at = 0;
    for (const piece of this.#pieces) {
      this.#whole.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [];
  }

  /** Goes on with a gathered frame. @returns what comes after its end; undefined when that is not reached */
  #fill(whole: Uint8Array, chunk: Uint8Array): Uint8Array | undefined {
    const taken = chunk.subarray(0, whole.length - this.#length);
    whole.set(taken, this.#length);
    this.#length += taken.length;
    if (this.#length < whole.length) return undefined;
    this.#whole = undefined;
    this.#length = 0;
    this.#frame(whole[4] ?? 0, whole.subarray(headerBytes));
    return chunk.subarray(taken.length);
  }

  #peekLength(): number {
    const first = this.#pieces[0];
    if (first !== undefined && first.length < 4) {
      this.#pieces = [Buffer.concat(this.#pieces, this.#length)];
    }
    const head = this.#pieces[0] ?? new Uint8Array(4);
    return new DataView(head.buffer, head.byteOffset).getUint32(0);
  }

  #take(bytes: number): Uint8Array {
    const first = this.#pieces[0];
    const whole =
      first !== undefined && first.length >= bytes ? first : Buffer.concat(this.#pieces, this.#length);
    const rest = whole === first ? this.#pieces.slice(1) : [];
    this.#pieces = whole.length > bytes ? [whole.subarray(bytes), ...rest] : rest;
    this.#length -= bytes;
    return whole.subarray(0, bytes);
  }
}
