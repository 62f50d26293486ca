/**
 * Frames of file transfer: what two sides say to each other about files, over any carrier that keeps frames whole and
 * in order.
 *
 *   u8 type | 16 bytes ID of the transfer | by type:
 *   1 offer   JSON {name, size, hash}        sender: will you have this? also to go on after a cut
 *   2 accept  u32 generation, u64 offset     receiver: send from here on
 *   3 chunk   u32 generation, u64 offset, 1 to 32 KiB of the file
 *   4 ack     u32 generation, u64 offset     receiver: everything before this is on my disk
 *   5 done    nothing                        receiver: it is whole, and its hash is the one offered
 *   6 stop    code, ASCII                    either: no, or no longer
 *
 * Integers are big-endian. Every accept has a higher generation than the one before, and chunks of an older one are
 * passed over: so a transfer can be taken up again at any moment, whatever is still on its way from before.
 */
import { z } from "zod";
import { transferLimits } from "../../protocol/limits.peer.ts";
import { ByteReader, FormatError, viewOf, writeU53 } from "../core/bytes.ts";
import { isStopCode, type StopCode } from "./stop-codes.ts";

/** Bytes of a transfer's ID: chosen by the sender at random, so that nobody else can name it. */
export const transferIdBytes = 16;
const headerBytes = 1 + transferIdBytes;
const placeBytes = 4 + 8;

const FrameType = { offer: 1, accept: 2, chunk: 3, ack: 4, done: 5, stop: 6 } as const;

/** What is offered. `name` is as the other side wrote it: for a disk or a screen it goes through file-name.ts. */
export const offerSchema = z.object({
  name: z.string().min(1).max(transferLimits.offeredNameCharacters),
  size: z.int().min(0),
  /** SHA-256 of the whole, hex. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
});

/** See {@link offerSchema}. */
export type Offer = z.infer<typeof offerSchema>;

/** Where a transfer stands: `offset` bytes from the start, in a generation of accepts. */
export interface Place {
  readonly generation: number;
  readonly offset: number;
}

/** A frame, decoded. `id` is 32 hex digits. */
export type TransferFrame =
  | { readonly type: "offer"; readonly id: string; readonly offer: Offer }
  | ({ readonly type: "accept" | "ack"; readonly id: string } & Place)
  | ({ readonly type: "chunk"; readonly id: string; readonly bytes: Uint8Array } & Place)
  | { readonly type: "done"; readonly id: string }
  /** Codes of later versions are `other`. */
  | { readonly type: "stop"; readonly id: string; readonly code: StopCode };

/** A frame ready to be sent. */
export function encodeTransferFrame(frame: TransferFrame): Uint8Array {
  switch (frame.type) {
    case "offer":
      return framed(frame, Buffer.from(JSON.stringify(frame.offer)));
    case "accept":
    case "ack":
      return placed(frame, new Uint8Array());
    case "chunk":
      return placed(frame, frame.bytes);
    case "done":
      return framed(frame, new Uint8Array());
    case "stop":
      return framed(frame, Buffer.from(frame.code, "latin1"));
  }
}

function framed({ type, id }: TransferFrame, payload: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(headerBytes + payload.length);
  frame[0] = FrameType[type];
  frame.write(id, 1, "hex");
  frame.set(payload, headerBytes);
  return frame;
}

function placed(frame: TransferFrame & Place, bytes: Uint8Array): Uint8Array {
  const payload = Buffer.allocUnsafe(placeBytes + bytes.length);
  payload.writeUInt32BE(frame.generation);
  writeU53(payload, frame.offset, 4);
  payload.set(bytes, placeBytes);
  return framed(frame, payload);
}

/**
 * Reads a frame; undefined for a type of a later version.
 * @throws FormatError for a frame of this version that is cut short, too long or has something left over
 */
export function decodeTransferFrame(bytes: Uint8Array): TransferFrame | undefined {
  const reader = new ByteReader(bytes);
  const type = reader.u8("type");
  const id = reader.hex(transferIdBytes, "transfer ID");
  const left = bytes.length - headerBytes;
  switch (type) {
    case FrameType.offer: {
      const offer = offerSchema.safeParse(parseJson(reader.text(left, "offer")));
      if (!offer.success) throw new FormatError("an offer breaks its format");
      return { type: "offer", id, offer: offer.data };
    }
    case FrameType.accept:
    case FrameType.ack: {
      const place = readPlace(reader);
      reader.end();
      return { type: type === FrameType.accept ? "accept" : "ack", id, ...place };
    }
    case FrameType.chunk: {
      const place = readPlace(reader);
      const length = left - placeBytes;
      if (length < 1 || length > transferLimits.chunkBytes)
        throw new FormatError(`a chunk has ${length} bytes, not 1 to ${transferLimits.chunkBytes}`);
      return { type: "chunk", id, ...place, bytes: reader.take(length, "chunk") };
    }
    case FrameType.done:
      reader.end();
      return { type: "done", id };
    case FrameType.stop: {
      if (left > transferLimits.stopCodeBytes) throw new FormatError(`a stop has a code of ${left} bytes`);
      const code = viewOf(reader.take(left, "code")).toString("latin1");
      return { type: "stop", id, code: isStopCode(code) ? code : "other" };
    }
    default:
      return undefined;
  }
}

function readPlace(reader: ByteReader): Place {
  return { generation: reader.u32("generation"), offset: reader.u53("offset") };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
