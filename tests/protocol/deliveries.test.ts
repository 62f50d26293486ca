/** Lines made of log entries: written, cut, and read by whoever parses JSON. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  deliveriesAfter,
  deliveriesOf,
  DeliveryWriter,
  encodeEntry,
  piecesOf,
} from "../../src/protocol/deliveries.ts";
import { entriesOf } from "../support/deliveries.ts";

const text = (lines: Uint8Array): string => new TextDecoder().decode(lines);

/** Consecutive entries of one room. */
const run = fc
  .record({
    first: fc.oneof(fc.nat(1_000), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 100 })),
    at: fc.nat(2_000_000_000_000),
    texts: fc.array(fc.string({ unit: "grapheme", maxLength: 300 }), { minLength: 1, maxLength: 20 }),
  })
  .map(({ first, at, texts }) =>
    texts.map((said, index) => ({
      seq: first + index,
      at: at + (index >> 2),
      body: Buffer.from(`"room":"lobby","text":${JSON.stringify(said)}`),
    })),
  );

describe("deliveries", () => {
  test("are one JSON object a line, with the place in the log and the stored fields", () => {
    const body = Buffer.from('"room":"lobby","from":"ana","text":"hi"');
    const made = deliveriesOf([
      { seq: 9, at: 1_700_000_000_000, body },
      { seq: 10, at: 1_700_000_000_001, body },
    ]);
    expect([made.first, made.count]).toEqual([9, 2]);
    expect(text(made.lines)).toBe(
      '{"type":"message","seq":9,"at":1700000000000,"room":"lobby","from":"ana","text":"hi"}\n' +
        '{"type":"message","seq":10,"at":1700000000001,"room":"lobby","from":"ana","text":"hi"}\n',
    );
  });

  test("of a writer are those of the encoder, whatever was written before", () => {
    const writer = new DeliveryWriter();
    fc.assert(
      fc.property(run, (entries) => {
        for (const { seq, at, body } of entries) {
          const buffer = Buffer.concat([Buffer.from("before"), body, Buffer.from("behind")]);
          const line = writer.line(seq, at, { buffer, start: 6, length: body.length });
          const bytes = line.buffer.subarray(line.start, line.start + line.length);
          expect(text(bytes)).toBe(text(encodeEntry({ seq, at, body })));
        }
      }),
    );
  });

  test("of a writer are whole also where its memory is just too small", () => {
    const [seq, at] = [Number.MAX_SAFE_INTEGER, 9_999_999_999_999];
    for (let length = 3_990; length <= 4_100; length += 1) {
      const body = Buffer.alloc(length, "x");
      const line = new DeliveryWriter().line(seq, at, { buffer: body, start: 0, length });
      const bytes = line.buffer.subarray(line.start, line.start + line.length);
      expect(text(bytes)).toBe(`{"type":"message","seq":${seq},"at":${at},${body.toString()}}\n`);
    }
  });

  test("that are a part of others keep nothing else in memory", () => {
    const body = Buffer.from(`"room":"lobby","from":"ana","text":"${"x".repeat(1_000)}"`);
    const page = deliveriesOf(Array.from({ length: 1_000 }, (_, index) => ({ seq: index + 1, at: 1, body })));
    const parts = [...piecesOf(page, 100_000), deliveriesAfter(999, page)];
    expect(parts.length).toBeGreaterThan(10);
    for (const part of parts) expect(part?.lines.buffer.byteLength).toBe(part?.lines.length);
  });

  test("after a position are the rest, or nothing", () => {
    fc.assert(
      fc.property(run, fc.integer({ min: -3, max: 25 }), (entries, offset) => {
        const all = deliveriesOf(entries);
        const rest = deliveriesAfter(all.first + offset, all);
        const left = entries.filter(({ seq }) => seq > all.first + offset);
        // Deliveries are never empty.
        expect(rest === undefined).toBe(left.length === 0);
        if (rest !== undefined) expect(entriesOf(rest)).toEqual(left);
      }),
    );
  });

  test("in pieces are the same, none longer than may be but a single line", () => {
    fc.assert(
      fc.property(run, fc.integer({ min: 1, max: 2_000 }), (entries, most) => {
        const pieces = [...piecesOf(deliveriesOf(entries), most)];
        expect(pieces.flatMap((piece) => entriesOf(piece))).toEqual(entries);
        for (const { count, lines } of pieces) {
          expect(count).toBeGreaterThan(0);
          expect(count === 1 || lines.length <= most).toBe(true);
        }
        for (const [index, piece] of pieces.entries()) {
          const next = pieces[index + 1];
          if (next === undefined) continue;
          // Each holds as much as fits.
          expect(piece.lines.length + next.lines.indexOf(0x0a) + 1).toBeGreaterThan(most);
        }
      }),
    );
  });
});
