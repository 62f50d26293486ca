/** What one side of a trunk says is what the other hears, however the bytes are cut. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { FrameDecoder, FrameWriter, Op } from "../../src/protocol/frames.ts";
import type { FrameReader } from "../../src/protocol/frames.ts";
import {
  decodePong,
  decodeToEdge,
  decodeToHub,
  EdgePortEncoder,
  HubPortEncoder,
} from "../../src/edge/trunk-wire.ts";
import type { EdgePort, HubPort } from "../../src/edge/trunk.ts";

type Call = readonly [string, ...unknown[]];

/** A port that writes down what it is told, byte arrays as plain lists. */
function recorder(calls: Call[]): EdgePort & HubPort {
  const plain = (value: unknown): unknown => (value instanceof Uint8Array ? [...value] : value);
  return new Proxy({} as EdgePort & HubPort, {
    get:
      (_, method: string) =>
      (...args: unknown[]) => {
        calls.push([method, ...args.map(plain)]);
      },
  });
}

const id = fc.integer({ min: 1, max: 0xffff_ffff });
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const seq = fc.nat(Number.MAX_SAFE_INTEGER);
const bytes = fc.uint8Array({ maxLength: 300 });
const word = fc
  .string({ minLength: 1, maxLength: 32, unit: "grapheme" })
  .filter((text) => Buffer.byteLength(text) < 200);
const position = fc.record({ epoch: word, seq });
const origin = fc.record({ address: word, edge: word, acceptedAt: seq, connection: word });
const handover = fc.record({
  origin,
  token: word,
  done: seq,
  moves: id,
  groups: fc.array(fc.record({ name: word, position, roster: u32 }), { maxLength: 5 }),
});

const toEdge = fc.oneof(
  // Often to the same few, because what follows one to the same session is written into the same frame.
  { weight: 8, arbitrary: fc.tuple(fc.constant("send"), fc.constantFrom(7, 8), bytes, u32) },
  fc.tuple(fc.constant("send"), id, bytes, u32),
  fc.tuple(fc.constant("define"), id, word, position, u32),
  fc.tuple(fc.constant("group"), id, bytes, seq, u32, u32),
  fc.tuple(fc.constant("join"), id, id, bytes, u32),
  fc.tuple(fc.constant("leave"), id, id),
  fc.tuple(fc.constant("drop"), id),
  fc.tuple(fc.constant("replay"), id, word, bytes, seq),
  fc.tuple(fc.constant("token"), id, word),
  fc.tuple(fc.constant("close"), id, fc.constantFrom("bye", "replaced", "slow-consumer")),
  fc.tuple(fc.constant("drain")),
);
const toHub = fc.oneof(
  fc.tuple(fc.constant("open"), id, origin),
  fc.tuple(fc.constant("resume"), id, handover),
  fc.tuple(fc.constant("lines"), id, bytes),
  fc.tuple(fc.constant("close"), id, fc.constantFrom("ended", "failed", "slow-consumer")),
);

function roundTrip(calls: readonly Call[], cuts: readonly number[], direction: "edge" | "hub"): void {
  const writer = new FrameWriter(16);
  const port =
    direction === "edge" ? new EdgePortEncoder(writer, () => {}) : new HubPortEncoder(writer, () => {});
  const methods = new Map(Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(port))));
  for (const [method, ...args] of calls) {
    const call: unknown = methods.get(method)?.value;
    if (typeof call === "function") Reflect.apply(call, port, args);
  }
  const heard: Call[] = [];
  const sink = recorder(heard);
  const decoder = new FrameDecoder();
  const stream = writer.take().slice();
  const edges = [...cuts.map((cut) => cut % (stream.length + 1)), stream.length].toSorted((a, b) => a - b);
  let from = 0;
  for (const to of edges) {
    decoder.push(stream.slice(from, to), (reader) => {
      if (direction === "edge") decodeToEdge(reader, sink, () => heard.push(["beside"]));
      else decodeToHub(reader, sink, () => heard.push(["beside"]));
    });
    from = to;
  }
  const plain = calls.map((call) => call.map((value) => (value instanceof Uint8Array ? [...value] : value)));
  expect(heard as unknown[]).toEqual(direction === "edge" ? joinAnswers(plain) : plain);
}

/** What an edge is to hear: answers to one session that follow each other arrive as one, with the last `done`. */
function joinAnswers(calls: readonly unknown[][]): unknown[][] {
  const joined: unknown[][] = [];
  for (const call of calls) {
    const [method, session, given, done] = call;
    const before = joined.at(-1);
    if (method === "send" && before?.[0] === "send" && before[1] === session) {
      joined[joined.length - 1] = [method, session, [before[2], given].flat(), done];
    } else joined.push(call);
  }
  return joined;
}

test("an edge hears what a hub says, at any chunk boundaries", () => {
  fc.assert(
    fc.property(
      fc.array(toEdge, { maxLength: 30 }),
      fc.array(fc.nat(20_000), { maxLength: 40 }),
      (calls, cuts) => roundTrip(calls as Call[], cuts, "edge"),
    ),
  );
});

test("a hub hears what an edge says, at any chunk boundaries", () => {
  fc.assert(
    fc.property(
      fc.array(toHub, { maxLength: 30 }),
      fc.array(fc.nat(20_000), { maxLength: 40 }),
      (calls, cuts) => roundTrip(calls as Call[], cuts, "hub"),
    ),
  );
});

test("a pong carries its number and the hub's report", () => {
  const report = {
    server: "s1",
    cluster: "c",
    build: "0.1.0",
    sessions: 3,
    rooms: 2,
    messages: 12,
    backplane: "ok",
    backplaneMs: 0.4,
    draining: false,
  } as const;
  const writer = new FrameWriter();
  new EdgePortEncoder(writer, () => {}).pong(77, report);
  const heard: unknown[] = [];
  new FrameDecoder().push(writer.take().slice(), (reader) => {
    decodeToEdge(reader, recorder([]), (beside) => heard.push(decodePong(beside)));
  });
  expect(heard).toEqual([{ number: 77, report }]);
});

test("reasons and codes of another build become the nearest that this one knows", () => {
  const heard: Call[] = [];
  type Decode = (reader: FrameReader, port: EdgePort & HubPort, beside: () => void) => void;
  const hear = (writer: FrameWriter, decode: Decode): void =>
    new FrameDecoder().push(writer.take().slice(), (reader) => decode(reader, recorder(heard), () => {}));
  const writer = new FrameWriter();
  for (const code of ["bye", "replaced", "moonlight"]) {
    writer.begin(Op.Kick).u32(1).text(code).end();
    hear(writer, decodeToEdge);
    writer.begin(Op.Close).u32(1).text(code).end();
    hear(writer, decodeToHub);
  }
  expect(heard.map(([, , code]) => code)).toEqual([
    "bye",
    "failed",
    "replaced",
    "replaced",
    "internal",
    "failed",
  ]);
});

test("a short frame is refused, not guessed", () => {
  const writer = new FrameWriter();
  writer.begin(37).u32(1).end();
  expect(() =>
    new FrameDecoder().push(writer.take().slice(), (reader) => decodeToEdge(reader, recorder([]), () => {})),
  ).toThrow(RangeError);
});

test("names and times that cannot be break the trunk, not the hub", () => {
  const good = { address: "a", edge: "e", acceptedAt: 1, connection: "c" };
  const opens = [
    { ...good, address: "a".repeat(129) },
    { ...good, edge: "e".repeat(257) },
    { ...good, connection: "" },
    { ...good, connection: "c".repeat(65) },
    { ...good, acceptedAt: -1 },
    { ...good, acceptedAt: 0.5 },
    { ...good, acceptedAt: Number.NaN },
  ];
  const push = (writer: FrameWriter, heard: Call[]): void => {
    new FrameDecoder().push(writer.take().slice(), (reader) => {
      if (reader.op === Op.Open) decodeToHub(reader, recorder(heard), () => {});
      else decodeToEdge(reader, recorder(heard), () => {});
    });
  };
  const heard: Call[] = [];
  for (const open of opens) {
    const writer = new FrameWriter();
    new HubPortEncoder(writer, () => {}).open(1, open);
    expect(() => push(writer, heard)).toThrow(RangeError);
  }
  for (const [name, epoch] of [
    ["", "e"],
    ["n".repeat(257), "e"],
    ["n", "e".repeat(65)],
  ] as const) {
    const writer = new FrameWriter();
    new EdgePortEncoder(writer, () => {}).define(1, name, { epoch, seq: 0 }, 0);
    expect(() => push(writer, heard)).toThrow(RangeError);
  }
  expect(heard).toEqual([]);
});
