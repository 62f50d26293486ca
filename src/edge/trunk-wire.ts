/**
 * The trunk's two interfaces as frames: one encoder and one decoder for each direction.
 *
 * Encoders implement a port by appending frames to a writer and saying that there is something to flush; decoders read
 * frames and call a port. Neither knows sockets. What comes with every connection and line (opening, groups, lines,
 * sends) is fixed fields and a slice; what is rare (handing over, reports) is JSON, checked with zod, because the other
 * side may be another build.
 *
 * Invariant: decoding what was encoded gives the same calls in the same order, but that answers to one session with
 * nothing between them are one answer.
 */
import { z } from "zod";
import { isErrorCode } from "../protocol/errors.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { Op } from "../protocol/frames.ts";
import type { FrameReader, FrameWriter } from "../protocol/frames.ts";
import type { CloseReason, EdgePort, GroupId, HubPort, HubReport, SessionId } from "./trunk.ts";
import type { Handover, Origin } from "./trunk.ts";
import type { Position } from "../protocol/messages.ts";

/** Most characters of what a frame names. */
const most = { name: 256, edge: 256, address: 128, connection: 64, epoch: 64 } as const;

const name = z.string().min(1).max(most.name);
const count = z.number().int().min(0);
const origin = z.object({
  address: z.string().max(most.address),
  edge: z.string().max(most.edge),
  acceptedAt: count,
  connection: z.string().min(1).max(most.connection),
});
const handover = z.object({
  origin,
  token: z.string().max(4_096),
  done: count,
  moves: count,
  groups: z
    .array(
      z.object({
        name,
        position: z.object({ epoch: z.string().max(most.epoch), seq: count }),
        roster: count,
      }),
    )
    .max(1_024),
});
const report = z.object({
  server: name,
  cluster: name,
  build: z.string().max(128),
  sessions: count,
  rooms: count,
  messages: count,
  backplane: z.enum(["ok", "degraded", "down"]),
  backplaneMs: z.number().min(0),
  draining: z.boolean(),
  certificate: z.object({ notBefore: z.iso.datetime(), notAfter: z.iso.datetime() }).optional(),
});

/** Frames that a hub's answers to pings and the handshake bring, which are no business of either port. */
export type Beside = (reader: FrameReader) => void;

/** Says what an edge says to a hub, as frames. */
export class HubPortEncoder implements HubPort {
  readonly #writer: FrameWriter;
  readonly #wrote: () => void;

  /** @param wrote called after each frame: there is something to flush */
  constructor(writer: FrameWriter, wrote: () => void) {
    this.#writer = writer;
    this.#wrote = wrote;
  }

  open(session: SessionId, from: Origin): void {
    const { acceptedAt, address, edge, connection } = from;
    this.#writer
      .begin(Op.Open)
      .u32(session)
      .f64(acceptedAt)
      .field(address)
      .field(edge)
      .text(connection)
      .end();
    this.#wrote();
  }

  resume(session: SessionId, moved: Handover): void {
    this.#writer.begin(Op.Resume).u32(session).json(moved).end();
    this.#wrote();
  }

  lines(session: SessionId, lines: Uint8Array): void {
    this.#writer.begin(Op.Lines).u32(session).bytes(lines).end();
    this.#wrote();
  }

  close(session: SessionId, reason: CloseReason): void {
    this.#writer.begin(Op.Close).u32(session).text(reason).end();
    this.#wrote();
  }

  /** Asks for a {@link HubReport}; answered with the same number. */
  ping(number: number): void {
    this.#writer.begin(Op.Ping).u32(number).end();
    this.#wrote();
  }
}

/**
 * Calls a hub for a frame of an edge.
 * @param beside gets whatever is not a port call: pings
 * @throws RangeError, SyntaxError or ZodError when the frame is broken; the trunk must then be closed
 */
export function decodeToHub(reader: FrameReader, hub: HubPort, beside: Beside): void {
  switch (reader.op) {
    case Op.Lines:
      hub.lines(reader.u32(), reader.rest());
      return;
    case Op.Open:
      hub.open(reader.u32(), readOrigin(reader));
      return;
    case Op.Resume:
      hub.resume(reader.u32(), handover.parse(reader.json()));
      return;
    case Op.Close:
      hub.close(reader.u32(), closeReason(reader.text()));
      return;
    default:
      beside(reader);
  }
}

/** The edge and the epoch that were named last, of which there are hardly ever two: kept once, not once a session. */
const edges = { last: "" };
const epochs = { last: "" };

function shared(known: { last: string }, text: string): string {
  if (text !== known.last) known.last = text;
  return known.last;
}

/** @throws RangeError unless `text` is of a length that it may have */
function checked(what: string, text: string, least: number, longest: number): string {
  if (text.length >= least && text.length <= longest) return text;
  throw new RangeError(`${what} of ${text.length} characters; ${least} to ${longest} are accepted`);
}

function readOrigin(reader: FrameReader): Origin {
  const acceptedAt = reader.f64();
  if (!Number.isSafeInteger(acceptedAt) || acceptedAt < 0) {
    throw new RangeError(`accepted at ${acceptedAt}; a whole number of ms is expected`);
  }
  const address = checked("address", reader.field(), 0, most.address);
  const edge = shared(edges, checked("edge", reader.field(), 0, most.edge));
  return { address, edge, acceptedAt, connection: checked("connection", reader.text(), 1, most.connection) };
}

/** An edge of a newer build may have reasons this one does not know: the client failed, then. */
function closeReason(reason: string): CloseReason {
  return reason === "ended" || isErrorCode(reason) ? reason : "failed";
}

/** Says what a hub says to an edge, as frames. */
export class EdgePortEncoder implements EdgePort {
  readonly #writer: FrameWriter;
  readonly #wrote: () => void;
  /** The last `send`: its frame, and whose it is. */
  #sent = -1;
  #sentTo: SessionId = 0;

  /** @param wrote called after each frame: there is something to flush */
  constructor(writer: FrameWriter, wrote: () => void) {
    this.#writer = writer;
    this.#wrote = wrote;
  }

  send(session: SessionId, bytes: Uint8Array, done: number): void {
    const writer = this.#writer;
    if (session === this.#sentTo && writer.frame === this.#sent) {
      writer.replaceU32(4, done).bytes(bytes).end();
    } else {
      writer.begin(Op.Send).u32(session).u32(done).bytes(bytes).end();
      this.#sent = writer.frame;
      this.#sentTo = session;
    }
    this.#wrote();
  }

  define(group: GroupId, groupName: string, position: Position, roster: number): void {
    const { epoch, seq } = position;
    this.#writer.begin(Op.Define).u32(group).u32(roster).f64(seq).field(epoch).text(groupName).end();
    this.#wrote();
  }

  group(group: GroupId, bytes: Uint8Array, seq: number, roster: number, except: SessionId): void {
    this.#writer.begin(Op.Group).u32(group).u32(except).u32(roster).f64(seq).bytes(bytes).end();
    this.#wrote();
  }

  join(session: SessionId, group: GroupId, bytes: Uint8Array, done: number): void {
    this.#writer.begin(Op.Join).u32(session).u32(group).u32(done).bytes(bytes).end();
    this.#wrote();
  }

  leave(session: SessionId, group: GroupId): void {
    this.#writer.begin(Op.Leave).u32(session).u32(group).end();
    this.#wrote();
  }

  drop(group: GroupId): void {
    this.#writer.begin(Op.Drop).u32(group).end();
    this.#wrote();
  }

  replay(session: SessionId, groupName: string, bytes: Uint8Array, seq: number): void {
    const encoded = Buffer.from(groupName);
    this.#writer.begin(Op.Replay).u32(session).f64(seq).u8(encoded.length).bytes(encoded).bytes(bytes).end();
    this.#wrote();
  }

  token(session: SessionId, token: string): void {
    this.#writer.begin(Op.Token).u32(session).text(token).end();
    this.#wrote();
  }

  close(session: SessionId, code: ErrorCode | "bye"): void {
    this.#writer.begin(Op.Kick).u32(session).text(code).end();
    this.#wrote();
  }

  drain(): void {
    this.#writer.begin(Op.Drain).end();
    this.#wrote();
  }

  /** Answers a ping. */
  pong(number: number, state: HubReport): void {
    this.#writer.begin(Op.Pong).u32(number).json(state).end();
    this.#wrote();
  }
}

/**
 * Calls an edge for a frame of a hub.
 * @param beside gets whatever is not a port call: pongs
 * @throws RangeError, SyntaxError or ZodError when the frame is broken; the trunk must then be closed
 */
export function decodeToEdge(reader: FrameReader, edge: EdgePort, beside: Beside): void {
  switch (reader.op) {
    case Op.Group: {
      const group = reader.u32();
      const except = reader.u32();
      const roster = reader.u32();
      const seq = reader.f64();
      edge.group(group, reader.rest(), seq, roster, except);
      return;
    }
    case Op.Send: {
      const session = reader.u32();
      const done = reader.u32();
      edge.send(session, reader.rest(), done);
      return;
    }
    case Op.Join: {
      const session = reader.u32();
      const group = reader.u32();
      const done = reader.u32();
      edge.join(session, group, reader.rest(), done);
      return;
    }
    case Op.Leave:
      edge.leave(reader.u32(), reader.u32());
      return;
    default:
      decodeRare(reader, edge, beside);
  }
}

function decodeRare(reader: FrameReader, edge: EdgePort, beside: Beside): void {
  switch (reader.op) {
    case Op.Define: {
      const group = reader.u32();
      const roster = reader.u32();
      const seq = reader.f64();
      const epoch = shared(epochs, checked("epoch", reader.field(), 0, most.epoch));
      edge.define(group, checked("name", reader.text(), 1, most.name), { epoch, seq }, roster);
      return;
    }
    case Op.Drop:
      edge.drop(reader.u32());
      return;
    case Op.Replay: {
      const session = reader.u32();
      const seq = reader.f64();
      const groupName = Buffer.from(reader.bytes(reader.u8())).toString("utf8");
      edge.replay(session, groupName, reader.rest(), seq);
      return;
    }
    case Op.Token:
      edge.token(reader.u32(), reader.text());
      return;
    case Op.Kick: {
      const session = reader.u32();
      const code = reader.text();
      edge.close(session, isErrorCode(code) ? code : code === "bye" ? "bye" : "internal");
      return;
    }
    case Op.Drain:
      edge.drain();
      return;
    default:
      beside(reader);
  }
}

/** Reads the answer to a ping. @throws as {@link decodeToEdge} */
export function decodePong(reader: FrameReader): { number: number; report: HubReport } {
  return { number: reader.u32(), report: report.parse(reader.json()) };
}
