// File transfer between two sides: whatever is cut or killed at whatever moment, the file arrives once and whole; and
// whatever a hostile side sends, nothing of ours is touched.
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { encodeTransferFrame, type Offer } from "../../../src/mesh/transfer/frames.ts";
import { transferLimits } from "../../../src/protocol/limits.peer.ts";
import { settle, Wire } from "./two-sides.ts";

/** Bytes that differ everywhere, so that a shifted copy is noticed. */
function pattern(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let at = 0; at < size; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Offers and accepts; the wire is up. */
async function begin(wire: Wire, bytes: Uint8Array, path = "/a/report.pdf"): Promise<void> {
  wire.a.disk.put(path, bytes);
  wire.up();
  expect(wire.a.exchange.offer("b", path)).toBe(1);
  await wire.quiet();
  expect(wire.b.last).toMatchObject({ state: "offered", name: "report.pdf", size: bytes.length, peer: "a" });
  expect(wire.b.exchange.accept(1)).toBeUndefined();
}

function expectArrived(wire: Wire, bytes: Uint8Array): void {
  expect([...wire.b.disk.files.keys()]).toEqual(["report.pdf"]);
  expect(hashOf(wire.b.disk.files.get("report.pdf")?.bytes ?? new Uint8Array())).toBe(hashOf(bytes));
  expect(wire.b.disk.parts.size).toBe(0);
  for (const side of [wire.a, wire.b]) {
    expect(side.shown.at(-1)).toMatchObject({ state: "done", done: bytes.length });
    expect(side.faults).toEqual([]);
  }
}

test.each([0, 1, transferLimits.chunkBytes, transferLimits.windowBytes, 3 * transferLimits.windowBytes + 17])(
  "a file of %d bytes arrives",
  async (size) => {
    const wire = new Wire();
    const bytes = pattern(size);
    await begin(wire, bytes);
    await wire.quiet();
    expectArrived(wire, bytes);
  },
);

/** What happens while a file is on its way. */
type Blow = { readonly frames: number; readonly next: "cut" | "kill a" | "kill b" | "wait" | "again" };

const blows = fc.array(
  fc.record<Blow>({
    frames: fc.integer({ min: 0, max: 12 }),
    next: fc.constantFrom("cut", "kill a", "kill b", "wait", "again"),
  }),
  { maxLength: 12 },
);

test("cut or killed at any frame, on either side, it goes on where it stopped", async () => {
  await fc.assert(
    fc.asyncProperty(
      blows,
      fc.integer({ min: 0, max: 500_000 }),
      fc.constantFrom(64, 40_000, 1_000_000),
      async (all, size, controlBytes) => {
        const wire = new Wire({ controlBytes });
        const bytes = pattern(size);
        await begin(wire, bytes);
        for (const { frames, next } of all) {
          wire.deliver(frames);
          await settle();
          if (next === "wait") continue;
          wire.cut();
          if (next === "kill a") wire.a.restart();
          if (next === "kill b") wire.b.restart();
          wire.up();
        }
        await wire.quiet();
        expectArrived(wire, bytes);
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);

test("after a cut nothing is sent again that has been acknowledged", async () => {
  const wire = new Wire();
  const bytes = pattern(20 * transferLimits.windowBytes);
  await begin(wire, bytes);
  while ((wire.a.last?.done ?? 0) < bytes.length / 2) {
    wire.deliver();
    await settle();
    wire.a.clock.advance(transferLimits.progressMs);
  }
  wire.cut();
  wire.b.restart();
  await settle();
  const had = [...wire.b.disk.parts.values()][0]?.length ?? 0;
  expect(had).toBeGreaterThan(bytes.length / 3);
  const [before, sent] = [wire.a.shown.length, { bytes: 0 }];
  // The carrier is wrapped to count what goes over the wire from here on.
  wire.isUp = true;
  const frames: Uint8Array[] = [];
  wire.b.exchange.linkUp("a", { send: (frame) => wire.a.exchange.receive("b", frame) === undefined });
  wire.a.exchange.linkUp("b", {
    send: (frame) => {
      frames.push(frame);
      sent.bytes += frame.length;
      return true;
    },
  });
  while (wire.a.shown.slice(before).at(-1)?.state !== "done") {
    for (const frame of frames.splice(0)) wire.b.exchange.receive("a", frame);
    await settle();
  }
  // What was missing, the overhead of its frames, and at most one window twice.
  expect(sent.bytes).toBeLessThan((bytes.length - had) * 1.01 + transferLimits.windowBytes + 1000);
  expectArrived(wire, bytes);
});

test("what a full carrier did not take is said again when it is free", async () => {
  const wire = new Wire();
  const bytes = pattern(1000);
  await begin(wire, bytes);
  // The answer to the accept, and whatever else b says, finds no room.
  const lost: Uint8Array[] = [];
  wire.b.exchange.linkUp("a", { send: (frame) => lost.push(frame) === 0 });
  await wire.quiet();
  expect(lost.length).toBeGreaterThan(0);
  const tried = lost.length;
  wire.b.exchange.drained("a");
  await wire.quiet();
  expect(lost.length).toBeGreaterThan(tried);
  wire.b.exchange.linkUp("a", { send: (frame) => wire.inject(wire.a, frame) === undefined });
  await wire.quiet();
  expectArrived(wire, bytes);
});

test("a slow disk holds back the sender: at most one window waits in memory", async () => {
  const wire = new Wire({ bulkBytes: Infinity });
  const bytes = pattern(10 * transferLimits.windowBytes);
  await begin(wire, bytes);
  while (wire.b.disk.parts.size === 0) await settle();
  const gate = Promise.withResolvers<void>();
  wire.b.disk.gate = gate.promise;
  await wire.quiet();
  const overhead = 100 * (transferLimits.windowBytes / transferLimits.chunkBytes);
  expect(wire.deliveredBytes).toBeGreaterThan(transferLimits.windowBytes);
  expect(wire.deliveredBytes).toBeLessThan(transferLimits.windowBytes + overhead);
  gate.resolve();
  await wire.quiet();
  expectArrived(wire, bytes);
});

test("a name that is taken is left alone", async () => {
  const wire = new Wire();
  wire.b.disk.put("report.pdf", pattern(5));
  const bytes = pattern(1000);
  await begin(wire, bytes);
  await wire.quiet();
  expect(wire.b.last).toMatchObject({ state: "done", path: "report (2).pdf" });
  expect(wire.b.disk.files.get("report.pdf")?.bytes).toEqual(pattern(5));
});

test("refused, and cancelled by either side: both hear of it, and nothing is left behind", async () => {
  for (const end of ["refuse", "sender", "receiver"] as const) {
    const wire = new Wire();
    wire.a.disk.put("/x/report.pdf", pattern(900_000));
    wire.up();
    wire.a.exchange.offer("b", "/x/report.pdf");
    await wire.quiet();
    if (end !== "refuse") {
      wire.b.exchange.accept(1);
      for (let turn = 0; turn < 6; turn += 1) {
        wire.deliver(2);
        await settle();
      }
      expect(wire.b.disk.parts.size).toBe(1);
    }
    const who = end === "sender" ? wire.a : wire.b;
    expect(who.exchange.cancel(1)).toBeUndefined();
    await wire.quiet();
    const code = end === "refuse" ? "refused" : "cancelled";
    for (const side of [wire.a, wire.b]) {
      expect(side.last).toMatchObject({
        state: "stopped",
        stopped: { code, by: side === who ? "us" : "them" },
      });
    }
    expect(wire.b.disk.parts.size + wire.b.disk.files.size).toBe(0);
    // Ended for good: a new run knows nothing of it.
    wire.cut();
    wire.a.restart();
    wire.b.restart();
    wire.up();
    await wire.quiet();
    expect([...wire.a.exchange.list(), ...wire.b.exchange.list()]).toEqual([]);
  }
});

test("a file that changed since it was offered is not sent", async () => {
  const wire = new Wire();
  await begin(wire, pattern(900_000));
  wire.deliver(3);
  await settle();
  wire.cut();
  wire.a.restart();
  wire.a.disk.put("/a/report.pdf", pattern(900_000, 7), 2);
  wire.up();
  await wire.quiet();
  expect(wire.a.last).toMatchObject({ state: "stopped", stopped: { code: "changed", by: "us" } });
  expect(wire.b.last).toMatchObject({ state: "stopped", stopped: { code: "changed", by: "them" } });
  expect(wire.b.disk.parts.size).toBe(0);
});

test("a full disk ends it on both sides before anything is sent", async () => {
  const wire = new Wire();
  wire.b.disk.roomBytes = 10;
  await begin(wire, pattern(1000));
  await wire.quiet();
  expect(wire.b.last).toMatchObject({
    state: "stopped",
    stopped: { code: "no-space", by: "us", detail: "full" },
  });
  expect(wire.a.last).toMatchObject({ state: "stopped", stopped: { code: "no-space", by: "them" } });
});

test("a file that cannot be read is told here and offered to nobody", async () => {
  const wire = new Wire();
  wire.up();
  wire.a.exchange.offer("b", "/nowhere");
  await wire.quiet();
  expect(wire.a.last).toMatchObject({
    state: "stopped",
    stopped: { code: "disk", by: "us", detail: "/nowhere does not exist" },
  });
  expect(wire.b.shown).toEqual([]);
});

test("accepted while the sender is away: it begins when they are back", async () => {
  const wire = new Wire();
  const bytes = pattern(100_000);
  wire.a.disk.put("/a/report.pdf", bytes);
  wire.up();
  wire.a.exchange.offer("b", "/a/report.pdf");
  await wire.quiet();
  wire.cut();
  expect(wire.b.exchange.accept(1)).toBe("later");
  expect(wire.b.last).toMatchObject({ state: "waiting" });
  wire.up();
  await wire.quiet();
  expectArrived(wire, bytes);
});

test("of many files a few come at a time, and all come", async () => {
  const wire = new Wire();
  wire.up();
  const count = transferLimits.pendingPerPeer;
  for (let number = 1; number <= count; number += 1) {
    wire.a.disk.put(`/x/${number}.bin`, pattern(400_000, number));
    wire.a.exchange.offer("b", `/x/${number}.bin`);
  }
  expect(wire.a.exchange.offer("b", "/x/1.bin")).toBe("too-many");
  await wire.quiet();
  for (let number = 1; number <= count; number += 1) wire.b.exchange.accept(number);
  const running = () => wire.b.exchange.list().filter(({ state }) => state === "running").length;
  let most = 0;
  for (let turn = 0; turn < 400; turn += 1) {
    wire.deliver(3);
    await settle();
    most = Math.max(most, running());
  }
  await wire.quiet();
  expect(most).toBe(transferLimits.incomingPerPeer);
  expect(wire.b.disk.files.size).toBe(count);
});

// From here on side a is hostile: frames are made by hand.

const id = "0123456789abcdef0123456789abcdef";
const offerOf = (offer: Partial<Offer>, of = id): Uint8Array =>
  encodeTransferFrame({
    type: "offer",
    id: of,
    offer: { name: "x.bin", size: 100, hash: "0".repeat(64), ...offer },
  });
const chunkAt = (offset: number, bytes: Uint8Array, generation = 1): Uint8Array =>
  encodeTransferFrame({ type: "chunk", id, generation, offset, bytes });

async function accepted(offer: Partial<Offer>): Promise<Wire> {
  const wire = new Wire();
  wire.up();
  wire.inject(wire.b, offerOf(offer));
  wire.b.exchange.accept(1);
  await settle();
  return wire;
}

test.each<[string, Partial<Offer>, Uint8Array[], RegExp]>([
  ["more than was offered", { size: 10 }, [chunkAt(0, pattern(11))], /more than the 10 bytes/],
  ["bytes with a hole", { size: 100 }, [chunkAt(5, pattern(3))], /byte 5 instead of 0/],
  [
    "faster than the window",
    { size: 9_000_000 },
    Array.from({ length: 9 }, (_, n) => chunkAt(n * 32_768, pattern(32_768))),
    /faster than asked for/,
  ],
])("%s ends the transfer with a fault", async (_, offer, frames, problem) => {
  const wire = await accepted(offer);
  for (const frame of frames) expect(wire.inject(wire.b, frame)).toBeUndefined();
  expect(wire.b.faults[0]).toMatch(problem);
  await settle();
  expect(wire.b.last).toMatchObject({ state: "stopped", stopped: { code: "bad-chunk", by: "us" } });
  await settle();
  expect(wire.b.disk.parts.size + wire.b.disk.files.size).toBe(0);
});

test("bytes that are not those of the hash are thrown away", async () => {
  const wire = await accepted({ size: 100, hash: hashOf(pattern(100, 3)) });
  wire.inject(wire.b, chunkAt(0, pattern(100, 4)));
  await wire.quiet();
  expect(wire.b.last).toMatchObject({ state: "stopped", stopped: { code: "wrong-hash" } });
  expect(wire.b.disk.parts.size + wire.b.disk.files.size).toBe(0);
});

test("bytes before anybody accepted are a fault, and end the offer", () => {
  const wire = new Wire();
  wire.up();
  wire.inject(wire.b, offerOf({}));
  wire.inject(wire.b, chunkAt(0, pattern(10), 0));
  expect(wire.b.faults).toEqual(["sent a file that was not accepted (x.bin)"]);
  expect(wire.b.disk.parts.size).toBe(0);
});

test("another file under the same number ends it", async () => {
  const wire = await accepted({ size: 100 });
  wire.inject(wire.b, offerOf({ size: 50 }));
  expect(wire.b.faults).toEqual(["offered another file under the number of x.bin"]);
  await settle();
  expect(wire.b.last).toMatchObject({ state: "stopped", stopped: { code: "changed" } });
});

test("10,000 offers: a few are shown, all are answered or passed over, nothing grows", () => {
  const wire = new Wire();
  wire.up();
  for (let number = 0; number < 10_000; number += 1) {
    wire.inject(wire.b, offerOf({}, number.toString(16).padStart(32, "0")));
  }
  expect(wire.b.exchange.list()).toHaveLength(transferLimits.pendingPerPeer);
  expect(wire.b.shown).toHaveLength(transferLimits.pendingPerPeer);
});

test("offers from however many peers are so many together", () => {
  const wire = new Wire();
  const { exchange } = wire.b;
  const answers: string[] = [];
  const peers = transferLimits.pendingMost / transferLimits.pendingPerPeer + 1;
  for (let peer = 0; peer < peers; peer += 1) {
    const name = `peer ${peer}`;
    exchange.linkUp(name, {
      send: (frame) => answers.push(`${name}: ${Buffer.from(frame.subarray(17)).toString("latin1")}`) > 0,
    });
    for (let number = 0; number < transferLimits.pendingPerPeer; number += 1) {
      exchange.receive(name, offerOf({}, (peer * 100 + number).toString(16).padStart(32, "0")));
    }
  }
  expect(exchange.list()).toHaveLength(transferLimits.pendingMost);
  expect(answers).toEqual(
    Array.from({ length: transferLimits.pendingPerPeer }, () => `peer ${peers - 1}: too-many`),
  );
});

test("what was not finished for a long time is forgotten by the next run", async () => {
  const wire = await accepted({ size: 100 });
  await settle();
  wire.b.clock.advance(transferLimits.rememberMs - 1);
  wire.b.restart();
  expect(wire.b.exchange.list()).toHaveLength(1);
  wire.b.clock.advance(1);
  wire.b.restart();
  expect(wire.b.exchange.list()).toEqual([]);
});

test("offers, of which nothing is remembered before they are accepted, make nobody write", () => {
  const wire = new Wire();
  wire.up();
  for (let number = 0; number < transferLimits.offersAtOnce; number += 1) {
    const of = number.toString(16).padStart(32, "0");
    wire.inject(wire.b, offerOf({}, of));
    wire.inject(wire.b, encodeTransferFrame({ type: "stop", id: of, code: "cancelled" }));
  }
  expect(wire.b.shown).toHaveLength(2 * transferLimits.offersAtOnce);
  expect(wire.b.saves).toBe(0);
});

test("offers that are taken back at once are not shown without end either", () => {
  const wire = new Wire();
  wire.up();
  for (let number = 0; number < 1000; number += 1) {
    const of = number.toString(16).padStart(32, "0");
    wire.inject(wire.b, offerOf({}, of));
    wire.inject(wire.b, encodeTransferFrame({ type: "stop", id: of, code: "cancelled" }));
  }
  expect(wire.b.shown).toHaveLength(2 * transferLimits.offersAtOnce);
  expect(wire.b.faults.length).toBeGreaterThan(0);
  wire.b.clock.advance(60_000);
  wire.inject(wire.b, offerOf({}));
  expect(wire.b.last).toMatchObject({ state: "offered" });
});

test("an offer above the limit is refused, and one of nothing that was asked for is unknown", () => {
  const wire = new Wire();
  wire.up();
  wire.inject(wire.b, offerOf({ size: transferLimits.fileBytes + 1 }));
  expect(wire.b.shown).toEqual([]);
  const answers: Uint8Array[] = [];
  wire.b.exchange.linkUp("a", { send: (frame) => answers.push(frame) > 0 });
  wire.inject(wire.b, encodeTransferFrame({ type: "accept", id, generation: 1, offset: 0 }));
  expect(answers).toEqual([encodeTransferFrame({ type: "stop", id, code: "unknown" })]);
});

test("a receiver that asks for what does not exist, or acknowledges what was not sent, is at fault", async () => {
  const wire = new Wire();
  wire.a.disk.put("/x", pattern(100));
  wire.up();
  wire.a.exchange.offer("b", "/x");
  await settle();
  await settle();
  const [own] = wire.a.exchange.list();
  const of = own?.id ?? "";
  wire.inject(wire.a, encodeTransferFrame({ type: "accept", id: of, generation: 1, offset: 101 }));
  wire.inject(wire.a, encodeTransferFrame({ type: "accept", id: of, generation: 1, offset: 0 }));
  wire.inject(wire.a, encodeTransferFrame({ type: "ack", id: of, generation: 1, offset: 100 }));
  wire.inject(wire.a, encodeTransferFrame({ type: "accept", id: of, generation: 2, offset: 50 }));
  wire.inject(wire.a, encodeTransferFrame({ type: "ack", id: of, generation: 2, offset: 49 }));
  expect(wire.a.faults).toEqual([
    "asked for what is after the end of x",
    "acknowledged what was not sent of x",
    "acknowledged what was not sent of x",
  ]);
});

test("whatever bytes come, they are read, passed over or refused by name", () => {
  const wire = new Wire();
  wire.up();
  const frames = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .tuple(fc.integer({ min: 0, max: 8 }), fc.uint8Array({ maxLength: 80 }))
      .map(([type, rest]) => Buffer.concat([Uint8Array.of(type), Buffer.from(id, "hex"), rest])),
    fc.json().map((json) => Buffer.concat([Uint8Array.of(1), Buffer.from(id, "hex"), Buffer.from(json)])),
  );
  fc.assert(
    fc.property(frames, (frame) => {
      expect(typeof (wire.inject(wire.b, frame) ?? "")).toBe("string");
      expect(wire.b.exchange.list().length).toBeLessThanOrEqual(transferLimits.pendingPerPeer);
    }),
    { numRuns: 2000 },
  );
});
