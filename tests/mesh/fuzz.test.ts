// Everything that peers read from a network or from a person, fed with rubbish: it is read, or refused by its own error.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { decodeBody, encodeText } from "../../src/mesh/core/bodies.ts";
import { FormatError } from "../../src/mesh/core/bytes.ts";
import { entryKinds, type EntryContent } from "../../src/mesh/core/entry.ts";
import {
  decodeFrame,
  encodeDigest,
  encodeHave,
  encodeLinks,
  encodeWant,
} from "../../src/mesh/core/frames.ts";
import { makeBeacon, readBeacon } from "../../src/mesh/lan/beacon.ts";
import { encodeFrame, FrameReader, FrameTooLong } from "../../src/mesh/link/frames.ts";
import { formatInvite, InviteError, parseInvite } from "../../src/mesh/pairing/invite.ts";
import {
  decodeTransferFrame,
  encodeTransferFrame,
  type TransferFrame,
} from "../../src/mesh/transfer/frames.ts";
import { formatPeerId, parsePeerId, peerIdOf, PeerIdError } from "../../src/identity/peer-id.ts";
import { peerLinkLimits, transferLimits } from "../../src/protocol/limits.peer.ts";
import { forAWhile, fuzzTimeoutMs, tampered } from "./fuzzing.ts";
import { Wire } from "./transfer/two-sides.ts";

/** Bytes of exactly this length. */
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const hex = (length: number) => bytes(length).map((made) => Buffer.from(made).toString("hex"));
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });

/** What `read` gives, or undefined when it refuses with an error of the kind it says. */
function readOrRefused<Value>(
  read: () => Value,
  refusal: abstract new (...args: never[]) => Error,
): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof refusal)) throw error;
    expect(error.message).not.toBe("");
    return undefined;
  }
}

/** Fuzzes for its share of the time, and fails if nothing was both read and refused: then it did not reach anything. */
function fuzz(name: string, inputs: fc.Arbitrary<Uint8Array>, look: (input: Uint8Array) => boolean): void {
  test(
    name,
    () => {
      const count = { read: 0, refused: 0 };
      fc.assert(
        fc.property(fc.oneof(inputs, fc.uint8Array({ maxLength: 300 })), (input) => {
          count[look(input) ? "read" : "refused"] += 1;
        }),
        forAWhile,
      );
      expect(count.read).toBeGreaterThan(0);
      expect(count.refused).toBeGreaterThan(0);
    },
    fuzzTimeoutMs,
  );
}

const tip = fc.record({ author: hex(32), chain: hex(8), sequence: u32, hash: hex(32) });
const wish = fc.record({ tip: hex(32), locator: fc.array(hex(32), { maxLength: 3 }) });
const coreFrames = fc.oneof(
  fc.tuple(fc.nat(), bytes(32)).map(([now, digest]) => encodeDigest(now, digest)),
  fc
    .tuple(fc.boolean(), fc.boolean(), fc.array(tip, { maxLength: 4 }))
    .map(([full, answer, tips]) => encodeHave(full, answer, tips)),
  fc.tuple(u32, fc.array(wish, { maxLength: 4 })).map(([page, wishes]) => encodeWant(page, wishes)),
  fc.array(hex(32), { maxLength: 4 }).map((keys) => encodeLinks(keys)),
);
fuzz("frames of the mesh", tampered(coreFrames), (input) => {
  return readOrRefused(() => decodeFrame(input), FormatError) !== undefined;
});

const jsonBodies = fc.json({ maxDepth: 2 }).map((text) => Buffer.from(text));
const bodies = fc.oneof(
  jsonBodies,
  fc.string({ maxLength: 40 }).map(encodeText),
  fc.record({ member: hex(32) }).map((body) => Buffer.from(JSON.stringify(body))),
  fc.record({ nick: fc.string() }).map((body) => Buffer.from(JSON.stringify(body))),
);
const kinds = Object.values(entryKinds);
fuzz(
  "bodies of entries",
  fc
    .tuple(fc.constantFrom(...kinds), tampered(bodies))
    .map(([kind, body]) => Buffer.concat([Uint8Array.of(kind), body])),
  (input) => {
    const [kind = 1] = input;
    const entry: EntryContent = {
      kind,
      author: "00".repeat(32),
      chain: "00".repeat(8),
      sequence: 1,
      previous: undefined,
      clock: 1,
      parents: [],
      room: kind >= entryKinds.chat && kind <= entryKinds.topic ? "lobby" : "",
      body: input.subarray(1),
    };
    return readOrRefused(() => decodeBody(entry), FormatError) !== undefined;
  },
);

const linkFrames = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 60 })), { maxLength: 5 })
  .map((frames) => Buffer.concat(frames.map(([type, payload]) => encodeFrame(type, payload))));
fuzz("frames of a link, in any chunks", tampered(linkFrames), (input) => {
  let frames = 0;
  const reader = new FrameReader(() => (frames += 1));
  const [size = 1] = input;
  for (let at = 0; at < input.length; at += size + 1) {
    readOrRefused(() => reader.push(input.subarray(at, at + size + 1)), FrameTooLong);
    expect(reader.length).toBeLessThanOrEqual(4 + peerLinkLimits.strangerFrameBytes);
  }
  return frames > 0;
});

const place = { id: hex(16), generation: u32, offset: fc.nat() };
const offer = fc.record({ name: fc.string({ minLength: 1 }), size: fc.nat(), hash: hex(32) });
const transferFrames = fc
  .oneof<fc.Arbitrary<TransferFrame>[]>(
    fc.record({ type: fc.constant("offer" as const), id: hex(16), offer }),
    fc.record({ type: fc.constantFrom("accept" as const, "ack" as const), ...place }),
    fc.record({
      type: fc.constant("chunk" as const),
      ...place,
      bytes: fc.uint8Array({ minLength: 1, maxLength: 50 }),
    }),
    fc.record({ type: fc.constant("done" as const), id: hex(16) }),
    fc.record({
      type: fc.constant("stop" as const),
      id: hex(16),
      code: fc.constantFrom("refused" as const, "other" as const),
    }),
  )
  .map(encodeTransferFrame);
const wire = new Wire();
wire.up();
fuzz("frames about files, and what becomes of them", tampered(transferFrames), (input) => {
  const frame = readOrRefused(() => decodeTransferFrame(input), FormatError);
  // What is read says exactly what was sent, but for JSON and codes of later versions.
  if (frame !== undefined && frame.type !== "offer" && frame.type !== "stop")
    expect(Buffer.from(encodeTransferFrame(frame))).toEqual(Buffer.from(input));
  const problem = wire.inject(wire.b, input);
  if (frame !== undefined) expect(problem).toBeUndefined();
  for (const { number, state } of wire.b.exchange.list())
    if (state === "offered") wire.b.exchange.accept(number);
  expect(wire.b.exchange.list().length).toBeLessThanOrEqual(
    transferLimits.endedListed + transferLimits.pendingMost,
  );
  return frame !== undefined;
});

const now = 1_800_000_000_000;
const secret = new Uint8Array(32).fill(7);
const beacons = fc
  .tuple(fc.integer({ min: 1, max: 65_535 }), bytes(32))
  .map(([port, salt]) => makeBeacon([secret], port, now, (length) => salt.subarray(0, length)));
fuzz("beacons", tampered(beacons), (input) => readBeacon(input, [secret], now) !== undefined);

const invites = fc
  .record({ peerId: bytes(32).map(peerIdOf), meshId: bytes(32), token: bytes(16), host: fc.ipV4() })
  .map(({ host, ...rest }) => formatInvite({ ...rest, addresses: [{ host, port: 5002 }], expiresAt: now }));
fuzz("invites", tampered(invites.map((text) => Buffer.from(text))), (input) => {
  const invite = readOrRefused(() => parseInvite(Buffer.from(input).toString()), InviteError);
  if (invite !== undefined) expect(parseInvite(formatInvite(invite))).toEqual(invite);
  return invite !== undefined;
});

const ids = bytes(32).map((key) => Buffer.from(formatPeerId(peerIdOf(key))));
fuzz("peer IDs", tampered(ids), (input) => {
  const id = readOrRefused(() => parsePeerId(Buffer.from(input).toString()), PeerIdError);
  if (id !== undefined) expect(parsePeerId(formatPeerId(id))).toBe(id);
  return id !== undefined;
});
