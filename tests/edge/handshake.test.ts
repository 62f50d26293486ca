/** Both sides of a trunk prove that they know the cluster secret, and every failure has its name. */
import { describe, expect, test } from "bun:test";
import { EdgeHandshake, HandshakeError, HubHandshake } from "../../src/edge/handshake.ts";
import { FrameDecoder, FrameWriter, Op, TRUNK_VERSION } from "../../src/protocol/frames.ts";
import type { FrameReader } from "../../src/protocol/frames.ts";

const secret = Buffer.alloc(32, 1);
const edgeNonce = "0".repeat(32);
const hubNonce = "f".repeat(32);
const edgeSelf = { build: "1.0.0", edge: "balancer" };
const hubSelf = { build: "1.0.1", server: "s1", cluster: "c1" };

function pass<T>(writer: FrameWriter, receive: (reader: FrameReader) => T): T[] {
  const results: T[] = [];
  new FrameDecoder().push(writer.take().slice(), (reader) => results.push(receive(reader)));
  return results;
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HandshakeError) return error.code;
    throw error;
  }
  return "none";
}

function shake(edgeSecret: Uint8Array, hubSecret: Uint8Array): { edge: unknown; hub: unknown } {
  const edge = new EdgeHandshake(edgeSecret, edgeSelf, edgeNonce);
  const hub = new HubHandshake(hubSecret, hubSelf, hubNonce);
  const [toHub, toEdge] = [new FrameWriter(), new FrameWriter()];
  edge.begin(toHub);
  pass(toHub, (reader) => hub.receive(reader, toEdge));
  pass(toEdge, (reader) => edge.receive(reader, toHub));
  const [seenEdge] = pass(toHub, (reader) => hub.receive(reader, toEdge));
  const [seenHub] = pass(toEdge, (reader) => edge.receive(reader, toHub));
  return { edge: seenEdge, hub: seenHub };
}

describe("the trunk handshake", () => {
  test("tells each side who the other is when both know the secret", () => {
    expect(shake(secret, secret)).toEqual({ edge: edgeSelf, hub: hubSelf });
  });

  test("refuses an edge with another secret", () => {
    expect(codeOf(() => shake(Buffer.alloc(32, 2), secret))).toBe("wrong-secret");
  });

  test("refuses a hub that cannot prove itself", () => {
    const edge = new EdgeHandshake(secret, edgeSelf, edgeNonce);
    const writer = new FrameWriter();
    writer
      .begin(Op.Challenge)
      .json({ version: TRUNK_VERSION, ...hubSelf, nonce: hubNonce })
      .end();
    pass(writer, (reader) => edge.receive(reader, new FrameWriter()));
    writer
      .begin(Op.Accept)
      .json({ proof: "00".repeat(32) })
      .end();
    expect(codeOf(() => pass(writer, (reader) => edge.receive(reader, new FrameWriter())))).toBe(
      "wrong-secret",
    );
  });

  test.each(["", "00", "00".repeat(32), "f".repeat(63)])(
    "accepts no proof like %j from either side",
    (proof) => {
      const hub = new HubHandshake(secret, hubSelf, hubNonce);
      const writer = new FrameWriter();
      new EdgeHandshake(secret, edgeSelf, edgeNonce).begin(writer);
      pass(writer, (reader) => hub.receive(reader, new FrameWriter()));
      writer.begin(Op.Proof).json({ proof }).end();
      expect(codeOf(() => pass(writer, (reader) => hub.receive(reader, new FrameWriter())))).toBe(
        "wrong-secret",
      );
      const edge = new EdgeHandshake(secret, edgeSelf, edgeNonce);
      writer
        .begin(Op.Challenge)
        .json({ version: TRUNK_VERSION, ...hubSelf, nonce: hubNonce })
        .end();
      pass(writer, (reader) => edge.receive(reader, new FrameWriter()));
      writer.begin(Op.Accept).json({ proof }).end();
      expect(codeOf(() => pass(writer, (reader) => edge.receive(reader, new FrameWriter())))).toBe(
        "wrong-secret",
      );
    },
  );

  test("does not accept an edge's own proof played back to it", () => {
    const edge = new EdgeHandshake(secret, edgeSelf, edgeNonce);
    const [fromHub, toHub] = [new FrameWriter(), new FrameWriter()];
    fromHub
      .begin(Op.Challenge)
      .json({ version: TRUNK_VERSION, ...hubSelf, nonce: hubNonce })
      .end();
    pass(fromHub, (reader) => edge.receive(reader, toHub));
    const [proof] = pass(toHub, (reader) => reader.json());
    fromHub.begin(Op.Accept).json(proof).end();
    expect(codeOf(() => pass(fromHub, (reader) => edge.receive(reader, toHub)))).toBe("wrong-secret");
  });

  test("names a version that differs, on either side", () => {
    const writer = new FrameWriter();
    writer
      .begin(Op.Hello)
      .json({ version: 99, ...edgeSelf, nonce: edgeNonce })
      .end();
    const hub = new HubHandshake(secret, hubSelf, hubNonce);
    expect(codeOf(() => pass(writer, (reader) => hub.receive(reader, new FrameWriter())))).toBe(
      "wrong-version",
    );
    writer
      .begin(Op.Challenge)
      .json({ version: 0, ...hubSelf, nonce: hubNonce })
      .end();
    const edge = new EdgeHandshake(secret, edgeSelf, edgeNonce);
    expect(codeOf(() => pass(writer, (reader) => edge.receive(reader, new FrameWriter())))).toBe(
      "wrong-version",
    );
  });

  test("passes a refusal on with its code and words", () => {
    const writer = new FrameWriter();
    HubHandshake.refuse(new HandshakeError("draining", "server s1 is stopping"), writer);
    const edge = new EdgeHandshake(secret, edgeSelf, edgeNonce);
    expect(() => pass(writer, (reader) => edge.receive(reader, new FrameWriter()))).toThrow(
      "server s1 is stopping",
    );
  });

  test.each([
    ["a frame out of turn", Op.Lines, {}],
    ["a nonce that is none", Op.Hello, { version: TRUNK_VERSION, ...edgeSelf, nonce: "x" }],
  ])("refuses %s", (_, op, body) => {
    const writer = new FrameWriter();
    writer.begin(op).json(body).end();
    const hub = new HubHandshake(secret, hubSelf, hubNonce);
    expect(codeOf(() => pass(writer, (reader) => hub.receive(reader, new FrameWriter())))).toBe(
      "bad-handshake",
    );
  });
});
