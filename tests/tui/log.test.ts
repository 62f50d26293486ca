/** A room's log: packed pages answer as a plain list of all items would. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { screenLimits } from "../../src/protocol/limits.client.ts";
import type { Message } from "../../src/protocol/messages.ts";
import { RoomLog } from "../../src/tui/model/log.ts";
import { itemOf } from "../../src/tui/model/log-page.ts";
import type { Item } from "../../src/tui/model/log.ts";
import { RoomModel } from "../../src/tui/model/room-model.ts";

const message = (seq: number): Message => ({
  type: "message",
  room: "lobby",
  seq,
  from: "ana",
  at: 1_700_000_000_000 + seq,
  text: `日本 ${seq} \u{1f44b}`,
  ...(seq % 7 === 0 ? { re: { kind: "edit", seq: seq - 1 } } : seq % 5 === 0 ? { action: true } : {}),
});
const note = (text: string): Item => ({ kind: "note", text, at: 1, warning: false });

/** The same, as simply as can be said. */
class PlainLog {
  items: Item[] = [];
  first = 0;

  seqs(): number[] {
    return this.items.flatMap((item) => ("message" in item ? [item.message.seq] : []));
  }
  prepend(messages: readonly Message[]): void {
    const oldest = Math.min(Number.POSITIVE_INFINITY, ...this.seqs());
    const older = messages.filter(({ seq }) => seq < oldest);
    const found = this.items.findIndex((item) => "message" in item);
    const lead = found === -1 ? this.items.length : found;
    this.items.splice(lead, 0, ...older.map((one) => itemOf(one)));
    this.first -= older.length;
  }
  after(seq: number): number {
    const at = this.items.findIndex((item) => item.kind === "message" && item.message.seq > seq);
    return this.first + (at === -1 ? this.items.length : at);
  }
  find(seq: number): number | undefined {
    const at = this.items.findIndex((item) => "message" in item && item.message.seq === seq);
    return at === -1 ? undefined : this.first + at;
  }
}

type Step =
  | { readonly kind: "come" | "older"; readonly count: number }
  | { readonly kind: "note" | "forget" };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("come" as const), count: fc.integer({ min: 1, max: 700 }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("older" as const), count: fc.integer({ min: 0, max: 300 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("note" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("forget" as const) }) },
);

describe("a room's log", () => {
  test("answers as a plain list does, whatever is packed", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.nat(), (steps, random) => {
        const log = new RoomLog();
        const plain = new PlainLog();
        let [oldest, newest] = [100_000, 100_000];
        for (const one of steps) {
          if (one.kind === "come") {
            for (let n = 0; n < one.count; n += 1) {
              newest += 1;
              log.add(itemOf(message(newest)));
              plain.items.push(itemOf(message(newest)));
            }
          } else if (one.kind === "older") {
            // Overlaps by one with what is there.
            const page = Array.from({ length: one.count }, (_, n) => message(oldest - one.count + n + 2));
            log.prepend(page);
            plain.prepend(page);
            oldest = Math.min(oldest, ...plain.seqs()) - 1;
          } else if (one.kind === "note") {
            log.add(note("hello"));
            plain.items.push(note("hello"));
          } else {
            plain.first += plain.items.length;
            plain.items = [];
            log.forgetMessages();
          }
          expect([log.first, log.end]).toEqual([plain.first, plain.first + plain.items.length]);
        }
        const seqs = plain.seqs();
        expect(log.messages).toBe(seqs.length);
        expect([log.oldestSeq, log.newestSeq]).toEqual([seqs[0], seqs.at(-1)]);
        expect(Array.from(plain.items, (_, n) => log.at(plain.first + n))).toEqual(plain.items);
        expect([log.at(log.end), log.at(log.first - 1)]).toEqual([undefined, undefined]);
        const asked = oldest - 1 + (random % (newest - oldest + 3));
        expect(log.find(asked)).toBe(plain.find(asked));
        expect(log.after(asked)).toBe(plain.after(asked));
        const last = plain.items.findLast((item) => item.kind === "message" && item.message.seq <= asked);
        expect(log.latest(({ seq }) => seq <= asked)).toEqual(
          last?.kind === "message" ? last.message : undefined,
        );
      }),
      { numRuns: 60 },
    );
  });

  test("stays to be read, below all that comes, when the log is started anew", () => {
    const room = new RoomModel("@bob");
    const pages = 3 * screenLimits.logPage;
    for (let seq = 1; seq <= pages; seq += 1) {
      const said = message(seq);
      room.log.add(itemOf(said));
      if (said.re?.kind === "edit") room.changes.apply(said);
    }
    const number = room.log.find(20);
    const edited = room.changes.of(20);
    expect(edited?.text).toBe(message(21).text);
    room.readSeq = pages;
    room.retire();
    expect(room.log.find(20)).toBeUndefined();
    expect(room.log.find(20 - pages)).toBe(number);
    expect([room.log.oldestSeq, room.log.newestSeq, room.readSeq, room.more]).toEqual([
      1 - pages,
      0,
      0,
      false,
    ]);
    expect(room.changes.of(20)).toBeUndefined();
    expect(room.changes.of(20 - pages)).toBe(edited);
    const kept = room.log.at(room.log.first + 20);
    expect(kept).toMatchObject({ kind: "change", message: { re: { seq: 20 - pages } } });
    // An edit in the new log is of its own message 20, and of no other.
    for (let seq = 1; seq <= 21; seq += 1) room.log.add(itemOf(message(seq)));
    room.changes.apply(message(21));
    expect(room.changes.of(20)?.text).toBe(message(21).text);
    expect(room.log.find(20)).toBe((number ?? 0) + pages);
    // Nothing new came: the second time changes nothing but what did.
    room.retire();
    room.retire();
    expect(room.log.newestSeq).toBe(0);
    expect(room.log.find(20 - pages - 21)).toBe(number);
  });

  test("forgets the oldest pages, and keeps the numbers of the others", () => {
    const log = new RoomLog();
    for (let seq = 1; seq <= 5 * screenLimits.logPage; seq += 1) log.add(itemOf(message(seq)));
    const number = log.find(4 * screenLimits.logPage);
    log.trim(3 * screenLimits.logPage);
    expect(log.messages).toBe(3 * screenLimits.logPage);
    expect(log.oldestSeq).toBe(2 * screenLimits.logPage + 1);
    expect(log.find(4 * screenLimits.logPage)).toBe(number);
    expect(log.find(1)).toBeUndefined();
    log.trim(0);
    expect(log.messages).toBe(screenLimits.logPage);
  });
});
