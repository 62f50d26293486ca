/** The keeper's own encoders against their plain meaning: publishes on the wire, blocks of entries, hashes, calls. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Publication } from "../../src/backplane/backplane.ts";
import { unavailable } from "../../src/backplane/failures.ts";
import {
  after,
  BlockWriter,
  entriesOf,
  ENTRY_HEAD,
  entryIn,
  firstOf,
} from "../../src/backplane/keeper/blocks.ts";
import { CallTable } from "../../src/backplane/keeper/calls.ts";
import type { Call } from "../../src/backplane/keeper/calls.ts";
import { murmur32, xxHash32 } from "../../src/backplane/keeper/hash.ts";
import { KeyWindow } from "../../src/backplane/keeper/key-window.ts";
import { KeysAhead } from "../../src/backplane/keeper/keys-ahead.ts";
import { PublicationReader, PublicationWriter } from "../../src/backplane/keeper/publications.ts";
import type { Part } from "../../src/protocol/frames.ts";
import { Op } from "../../src/backplane/keeper/wire.ts";
import { FrameDecoder, FrameWriter } from "../../src/protocol/frames.ts";
import { text } from "../conformance/backplane-support.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { part } from "./store-support.ts";

const bodyOf = ({ buffer, start, length }: Part): string => text(buffer.subarray(start, start + length));

describe("publishes on the wire", () => {
  const room = fc.constantFrom("a", "b", "ä", "@anna", "@bo", "");
  const body = fc.string({ unit: "binary", maxLength: 30 });
  const publication = fc.record({
    room,
    key: fc.string({ unit: "binary", maxLength: 10 }),
    body,
    copy: fc.option(fc.record({ room, body }), { nil: undefined }),
    /** What is done before it. */
    before: fc.constantFrom("nothing", "another frame", "a write", "another connection"),
  });

  test("are read as they were written, whatever is written in between and however few rooms have numbers", () => {
    fc.assert(
      fc.property(fc.array(publication, { maxLength: 40 }), fc.integer({ min: 2, max: 8 }), (list, most) => {
        const encoder = new PublicationWriter(most);
        let reader = new PublicationReader(most);
        let decoder = new FrameDecoder(1e6);
        const writer = new FrameWriter();
        const read: unknown[] = [];
        let others = 0;
        const deliver = (): void =>
          decoder.push(writer.take().slice(), (frame) => {
            if (frame.op !== Op.Publish) return void (others += 1);
            while (!frame.isAtEnd) {
              const number = frame.u32();
              const { room: name, key, body: said, copy } = reader.read(frame);
              const copied = copy === undefined ? undefined : { room: copy.room, body: bodyOf(copy.body) };
              read.push({ number, room: name, key: bodyOf(key), body: bodyOf(said), copy: copied });
            }
          });
        for (const [number, { before, room: name, key, body: said, copy }] of list.entries()) {
          if (before === "another frame") writer.begin(Op.Ping).u32(7).end();
          if (before === "a write" || before === "another connection") deliver();
          if (before === "another connection") {
            encoder.startOver();
            reader = new PublicationReader(most);
            decoder = new FrameDecoder(1e6);
          }
          const bytes = (content: string) => new TextEncoder().encode(content);
          const what: Publication = { room: name, key, body: bytes(said) };
          const copied = copy === undefined ? {} : { copy: { room: copy.room, body: bytes(copy.body) } };
          encoder.write(writer, number, { ...what, ...copied });
        }
        deliver();
        expect(read).toEqual(list.map(({ before: _, ...what }, number) => ({ number, ...what })));
        expect(others).toBe(list.filter(({ before }) => before === "another frame").length);
      }),
    );
  });

  test("are foretold without being read, and what was foretold wrongly or not at all is hashed all the same", () => {
    const many = fc.array(publication, { maxLength: 40 });
    fc.assert(
      fc.property(many, fc.integer({ min: 2, max: 8 }), fc.boolean(), (list, most, moves) => {
        const keys = new KeyWindow(100, 1);
        const ahead = new KeysAhead(keys);
        const encoder = new PublicationWriter(most);
        const reader = new PublicationReader(most);
        const decoder = new FrameDecoder(1e6);
        const writer = new FrameWriter();
        let round = 0;
        const idOf = (name: string): number => name.length + (moves ? round : 1) * 100;
        const seen: string[] = [];
        for (const [number, { before, room: name, key, body: said, copy }] of list.entries()) {
          const bytes = (content: string) => new TextEncoder().encode(content);
          const copied = copy === undefined ? {} : { copy: { room: copy.room, body: bytes(copy.body) } };
          encoder.write(writer, number, { room: name, key, body: bytes(said), ...copied });
          if (before === "nothing" && number < list.length - 1) continue;
          round += 1;
          decoder.push(writer.take().slice(), (frame) => {
            reader.foretell(frame, ahead);
            while (!frame.isAtEnd) {
              frame.u32();
              const { room: to, key: read, copy: second } = reader.read(frame);
              for (const each of second === undefined ? [to] : [to, second.room]) {
                const { ...hash } = ahead.of(idOf(each), read);
                expect(hash).toEqual({ ...keys.hash(idOf(each), read) });
              }
              seen.push(bodyOf(read));
              if (!reader.isStored) reader.stored(idOf(to));
            }
          });
        }
        expect(seen).toEqual(list.map(({ key }) => key));
      }),
    );
  });

  test("are foretold, as many as there is room for", () => {
    const keys = new KeyWindow(100, 1);
    const ahead = new KeysAhead(keys);
    const reader = new PublicationReader();
    const encoder = new PublicationWriter();
    const writer = new FrameWriter();
    for (let number = 0; number < 1_200; number += 1) {
      encoder.write(writer, number, { room: "a", key: String(number), body: new Uint8Array() });
    }
    let read = 0;
    new FrameDecoder(1e6).push(writer.take(), (frame) => {
      reader.foretell(frame, ahead);
      for (; !frame.isAtEnd; read += 1) {
        frame.u32();
        const { key } = reader.read(frame);
        expect({ ...ahead.of(5, key) }).toEqual({ ...keys.hash(5, key) });
        reader.stored(5);
      }
    });
    expect(read).toBe(1_200);
  });

  test("of a room that was never named, or out of turn, are refused", () => {
    const frame = (flags: number, number: number, then: (writer: FrameWriter) => void): Error | undefined => {
      const writer = new FrameWriter();
      writer.begin(Op.Publish).u8(flags).u32(number);
      then(writer);
      writer.end();
      let problem: Error | undefined;
      try {
        new FrameDecoder().push(writer.take(), (reader) => new PublicationReader().read(reader));
      } catch (error) {
        problem = error as Error;
      }
      return problem;
    };
    const rest = (writer: FrameWriter): unknown => writer.field("key").u32(0);
    expect(frame(0, 0, rest)?.message).toBe("room 0 has not been named");
    expect(frame(2, 1, (writer) => rest(writer.field("b")))?.message).toBe("room 1 is named out of turn");
    expect(frame(2, 0, (writer) => rest(writer.field("a")))).toBeUndefined();
    expect(frame(2, 0, (writer) => writer.field("a").u32(100))).toBeInstanceOf(RangeError);
  });
});

describe("a block of entries", () => {
  const entry = fc.record({ at: fc.integer({ min: 0, max: 4e12 }), body: fc.uint8Array({ maxLength: 50 }) });

  test("gives back what was put in, whole and cut at any place", () => {
    const writer = new BlockWriter();
    fc.assert(
      fc.property(
        fc.array(entry, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 12, max: 1e9 }),
        (list, seq) => {
          for (const { at, body } of list) {
            const { buffer, start, length } = part(body);
            writer.add(at, buffer, start, start + length);
          }
          const block = writer.take();
          const count = list.length;
          const row = {
            seq,
            at: list.at(-1)!.at,
            count,
            body: count === 1 ? block.subarray(ENTRY_HEAD) : block,
          };
          const expected = list.map(({ at, body }, index) => ({ seq: seq - count + 1 + index, at, body }));
          const plain = (entries: readonly { seq: number; at: number; body: Uint8Array }[]) =>
            entries.map((one) => ({ ...one, body: Uint8Array.from(one.body) }));
          expect(plain(entriesOf(row))).toEqual(expected);
          for (let upTo = firstOf(row); upTo < seq; upTo += 1) {
            const rest = after(row, upTo);
            expect(plain(entriesOf(rest))).toEqual(expected.filter((one) => one.seq > upTo));
            expect(entryIn(row, upTo)?.at).toBe(expected.find((one) => one.seq === upTo)?.at);
          }
        },
      ),
    );
  });

  test("that is cut short is noticed", () => {
    const writer = new BlockWriter();
    for (const at of [1, 2]) writer.add(at, Buffer.from("abc"), 0, 3);
    const body = writer.take().subarray(0, -1);
    expect(() => entriesOf({ seq: 9, at: 2, count: 2, body })).toThrow(RangeError);
  });
});

describe("hashes of keys", () => {
  test("are those of Bun", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(2 ** 32 - 1), (content, seed) => {
        const { buffer, start, length } = part(content);
        expect(xxHash32(buffer, start, length, seed) >>> 0).toBe(Bun.hash.xxHash32(content, seed));
        expect(murmur32(buffer, start, length, seed) >>> 0).toBe(Bun.hash.murmur32v3(content, seed));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("calls under way", () => {
  const act = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("add" as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("answer" as const), which: fc.nat(100) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("skip" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(60) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("repeat" as const) }) },
  );

  test("are answered once, repeated in order, and fail when their time is over, at any rate of each", () => {
    fc.assert(
      fc.property(fc.array(act, { maxLength: 1_500, size: "max" }), (acts) => {
        const clock = new ManualClock();
        const table = new CallTable(clock, { callsUnderWay: 600, callBytesUnderWay: 1e6 }, 100);
        const model = new Map<number, { at: number; call: Call }>();
        const failed: number[] = [];
        let written: number[] = [];
        let number = 0;
        for (const step of acts) {
          if (step.kind === "add") {
            const id = (number += 1);
            const write = (_: FrameWriter, as: number): void => void written.push(as);
            const call: Call = { bytes: 3, write, answered() {}, failed: () => void failed.push(id) };
            written = [];
            if (!table.add(call, new FrameWriter())) number -= 1;
            else {
              expect(written).toEqual([id]);
              model.set(id, { at: clock.monotonic(), call });
            }
          } else if (step.kind === "skip") expect(table.nextNumber()).toBe((number += 1));
          else if (step.kind === "answer") {
            const id = [...model.keys()][step.which] ?? number + 5;
            expect(table.take(id)).toBe(model.get(id)?.call as Call);
            expect(table.take(id)).toBeUndefined();
            model.delete(id);
          } else if (step.kind === "wait") {
            clock.advance(step.ms);
            failed.length = 0;
            table.expire();
            for (const id of failed) {
              expect(clock.monotonic() - model.get(id)!.at).toBeGreaterThanOrEqual(100);
              model.delete(id);
            }
            for (const { at } of model.values()) expect(clock.monotonic() - at).toBeLessThan(100 + 60 + 1);
          } else {
            written = [];
            table.repeat(new FrameWriter());
            expect(written).toEqual([...model.keys()]);
          }
          expect(table.size).toBe(model.size);
        }
        failed.length = 0;
        table.failAll(unavailable("over"));
        expect(failed).toEqual([...model.keys()]);
        expect(table.size).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
