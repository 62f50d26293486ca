/**
 * How an edge and a hub convince each other that they belong to one cluster, before anything else is said.
 *
 *   edge → hub   magic, Hello {version, build, edge, nonce}
 *   hub → edge   Challenge {version, build, server, cluster, nonce}
 *   edge → hub   Proof {proof}        HMAC-SHA256 of the cluster secret over "edge", both nonces
 *   hub → edge   Accept {proof}       the same over "hub"; or Refuse {code, message}
 *
 * Both sides prove: an edge must not hand its clients to whoever listens on a port. The role in each proof keeps one
 * side's proof from being played back as the other's. The secret itself never travels. Pure: nonces come from outside.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { Op, TRUNK_VERSION } from "../protocol/frames.ts";
import type { FrameReader, FrameWriter } from "../protocol/frames.ts";

const nonce = z.string().regex(/^[0-9a-f]{32}$/);
const label = z.string().max(256);
const proofText = z.string().max(64);

const hello = z.object({ version: z.number(), build: label, edge: label, nonce });
const challenge = z.object({ version: z.number(), build: label, server: label, cluster: label, nonce });
const proved = z.object({ proof: proofText });
const refusal = z.object({ code: z.string().max(64), message: z.string().max(1_024) });

/** Why a trunk did not come up. `wrong-…` are final until an operator acts; the others may pass. */
export type TrunkRefusal = "wrong-version" | "wrong-secret" | "draining" | "bad-handshake";

/** A handshake that failed, worded for an operator. */
export class HandshakeError extends Error {
  override readonly name = "HandshakeError";
  readonly code: TrunkRefusal;
  constructor(code: TrunkRefusal, message: string) {
    super(message);
    this.code = code;
  }
}

/** What each side says of itself. */
export interface EdgeIdentity {
  readonly build: string;
  readonly edge: string;
}
export interface HubIdentity {
  readonly build: string;
  readonly server: string;
  readonly cluster: string;
}

function proofOf(secret: Uint8Array, role: "edge" | "hub", edgeNonce: string, hubNonce: string): string {
  return createHmac("sha256", secret).update(`rtchat trunk ${role} ${edgeNonce} ${hubNonce}`).digest("hex");
}

function proves(given: string, expected: string): boolean {
  const left = Buffer.from(given);
  const right = Buffer.from(expected);
  return left.length === right.length && timingSafeEqual(left, right);
}

function read<T>(schema: z.ZodType<T>, reader: FrameReader): T {
  try {
    return schema.parse(reader.json());
  } catch {
    throw new HandshakeError(
      "bad-handshake",
      `a handshake frame (operation ${reader.op}) is not as it should be`,
    );
  }
}

function checkVersion(version: number, who: string): void {
  if (version === TRUNK_VERSION) return;
  throw new HandshakeError(
    "wrong-version",
    `the ${who} speaks trunk version ${version}, this side ${TRUNK_VERSION}; run the same rtchat on both`,
  );
}

const WRONG_SECRET =
  "the cluster secrets differ; start both with the same --data folder, or the same --cluster-secret-file";

/** The edge's half. */
export class EdgeHandshake {
  readonly #secret: Uint8Array;
  readonly #self: EdgeIdentity;
  readonly #nonce: string;
  #hub: z.output<typeof challenge> | undefined;

  /** @param edgeNonce 32 hex digits, fresh and random for each trunk */
  constructor(secret: Uint8Array, self: EdgeIdentity, edgeNonce: string) {
    this.#secret = secret;
    this.#self = self;
    this.#nonce = edgeNonce;
  }

  /** Writes Hello. The magic goes before it. */
  begin(writer: FrameWriter): void {
    writer
      .begin(Op.Hello)
      .json({ version: TRUNK_VERSION, ...this.#self, nonce: this.#nonce })
      .end();
  }

  /**
   * Takes the hub's next frame; writes an answer if one is due.
   * @returns who the hub is, once it has proved itself
   * @throws HandshakeError
   */
  receive(reader: FrameReader, writer: FrameWriter): HubIdentity | undefined {
    if (reader.op === Op.Refuse) {
      const { code, message } = read(refusal, reader);
      throw new HandshakeError(
        code === "wrong-version" || code === "wrong-secret" || code === "draining" ? code : "bad-handshake",
        message,
      );
    }
    if (this.#hub === undefined && reader.op === Op.Challenge) {
      const hub = read(challenge, reader);
      checkVersion(hub.version, "server");
      this.#hub = hub;
      writer
        .begin(Op.Proof)
        .json({ proof: proofOf(this.#secret, "edge", this.#nonce, hub.nonce) })
        .end();
      return undefined;
    }
    if (this.#hub === undefined || reader.op !== Op.Accept) {
      throw new HandshakeError("bad-handshake", `operation ${reader.op} came in the middle of the handshake`);
    }
    const { proof } = read(proved, reader);
    if (!proves(proof, proofOf(this.#secret, "hub", this.#nonce, this.#hub.nonce))) {
      throw new HandshakeError("wrong-secret", WRONG_SECRET);
    }
    const { build, server, cluster } = this.#hub;
    return { build, server, cluster };
  }
}

/** The hub's half. */
export class HubHandshake {
  readonly #secret: Uint8Array;
  readonly #self: HubIdentity;
  readonly #nonce: string;
  #edge: z.output<typeof hello> | undefined;

  /** @param hubNonce 32 hex digits, fresh and random for each trunk */
  constructor(secret: Uint8Array, self: HubIdentity, hubNonce: string) {
    this.#secret = secret;
    this.#self = self;
    this.#nonce = hubNonce;
  }

  /**
   * Takes the edge's next frame; writes the answer.
   * @returns who the edge is, once it has proved itself
   * @throws HandshakeError, after which the caller tells the edge with {@link refuse} and closes
   */
  receive(reader: FrameReader, writer: FrameWriter): EdgeIdentity | undefined {
    if (this.#edge === undefined && reader.op === Op.Hello) {
      const edge = read(hello, reader);
      checkVersion(edge.version, "edge");
      this.#edge = edge;
      writer
        .begin(Op.Challenge)
        .json({ version: TRUNK_VERSION, ...this.#self, nonce: this.#nonce })
        .end();
      return undefined;
    }
    if (this.#edge === undefined || reader.op !== Op.Proof) {
      throw new HandshakeError("bad-handshake", `operation ${reader.op} came in the middle of the handshake`);
    }
    const { proof } = read(proved, reader);
    if (!proves(proof, proofOf(this.#secret, "edge", this.#edge.nonce, this.#nonce))) {
      throw new HandshakeError("wrong-secret", WRONG_SECRET);
    }
    writer
      .begin(Op.Accept)
      .json({ proof: proofOf(this.#secret, "hub", this.#edge.nonce, this.#nonce) })
      .end();
    const { build, edge } = this.#edge;
    return { build, edge };
  }

  /** Writes why the trunk is refused. */
  static refuse(error: HandshakeError, writer: FrameWriter): void {
    writer.begin(Op.Refuse).json({ code: error.code, message: error.message }).end();
  }
}
