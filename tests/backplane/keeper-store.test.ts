/**
 * The log file under a keeper that commits, fails, moves entries, trims and dies at any point, against a plain model; and
 * a reader that looks at any moment, as a server of another process would.
 */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { readBatch } from "../../src/backplane/keeper/journal.ts";
import { KeyBlock, KeyWindow } from "../../src/backplane/keeper/key-window.ts";
import { MarkExpiry } from "../../src/backplane/keeper/mark-expiry.ts";
import { TermLost } from "../../src/backplane/keeper/problem.ts";
import { LogReader } from "../../src/backplane/keeper/reader.ts";
import { openForReading, openForWriting, pageBytesOf } from "../../src/backplane/keeper/schema.ts";
import { Tail } from "../../src/backplane/keeper/tail.ts";
import { backplaneLimits } from "../../src/protocol/limits.ts";
import { bytes, text } from "../conformance/backplane-support.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { Keeper, part, storeFiles } from "./store-support.ts";

const newFile = storeFiles();

type Step =
  | {
      readonly kind: "turn";
      readonly publishes: readonly (readonly [string, string])[];
      readonly fails: boolean;
    }
  | { readonly kind: "slice" | "sweep" | "die" | "read" };

const rooms = ["a", "b", "c"];
const turn = fc.record({
  kind: fc.constant("turn" as const),
  publishes: fc.array(fc.tuple(fc.constantFrom(...rooms), fc.integer({ min: 0, max: 400 }).map(String)), {
    maxLength: 6,
  }),
  fails: fc.boolean().map((fails) => fails),
});
const other = fc.record({ kind: fc.constantFrom("slice", "sweep", "die", "read") }) as fc.Arbitrary<Step>;
const steps = fc.array(fc.oneof({ weight: 3, arbitrary: turn }, { weight: 2, arbitrary: other }), {
  maxLength: 60,
});

describe("the keeper's store", () => {
  test("holds what was committed, once, in order, whatever happens in between", () => {
    fc.assert(
      fc.property(steps, fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }), (script, keep) => {
        const file = newFile();
        const clock = new ManualClock();
        let keeper = new Keeper(file, clock, 100_000, keep);
        const reader = new LogReader(file);
        const model = new Map<string, { texts: string[]; keys: Map<string, number> }>();
        const logOf = (room: string) => {
          const log = model.get(room) ?? { texts: [], keys: new Map<string, number>() };
          model.set(room, log);
          return log;
        };
        for (const step of script) {
          if (step.kind === "turn") {
            keeper.store.begin();
            const results = step.publishes.map(([room, key]) => keeper.publish(room, key, `${room}${key}`));
            if (step.fails) keeper.fail();
            else {
              keeper.store.commit();
              for (const [index, [room, key]] of step.publishes.entries()) {
                const log = logOf(room);
                const before = log.keys.get(key);
                if (before === undefined) {
                  log.texts.push(`${room}${key}`);
                  log.keys.set(key, log.texts.length);
                }
                expect(results[index]).toBe(log.keys.get(key));
              }
            }
          } else if (step.kind === "slice" && keeper.compactor.due) keeper.compactor.slice();
          else if (step.kind === "sweep" && keeper.sweeper.wanted) keeper.sweeper.slice(1);
          else if (step.kind === "die") {
            keeper.store.db.close();
            keeper = new Keeper(file, clock, 100_000, keep);
          }
          for (const room of step.kind === "read" ? rooms : [])
            expectLog(reader, room, logOf(room).texts, keep);
        }
        for (const room of rooms) {
          expectLog(reader, room, logOf(room).texts, keep);
          expect(keeper.room(room).last).toBe(logOf(room).texts.length);
        }
        reader.close();
        keeper.store.db.close();
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  function expectLog(
    reader: LogReader,
    room: string,
    texts: readonly string[],
    keep: number | undefined,
  ): void {
    const page = reader.page({ room, limit: 1_000, maxBytes: 1e9 });
    expect(page.last).toBe(texts.length);
    expect(page.first).toBeLessThanOrEqual(Math.max(1, texts.length - (keep ?? texts.length) + 1));
    expect(page.entries.map((entry) => [entry.seq, text(entry.body)])).toEqual(
      texts.map((body, index) => [index + 1, body] as const).filter(([seq]) => seq >= page.first) as never,
    );
  }

  test("of a superseded keeper commits nothing more", () => {
    const file = newFile();
    const clock = new ManualClock();
    const old = new Keeper(file, clock, 100);
    old.store.begin();
    old.publish("a", "k", "before");
    old.store.commit();
    const next = new Keeper(file, clock, 100);
    expect(() => old.store.begin()).toThrow(TermLost);
    expect(() => old.compactor.slice()).toThrow(TermLost);
    expect(() => old.sweeper.slice(1)).toThrow(TermLost);
    expect(old.store.db.inTransaction).toBe(false);
    next.store.begin();
    expect(next.publish("a", "k", "again")).toBe(1);
    expect(next.publish("a", "l", "after")).toBe(2);
    next.store.commit();
    old.store.db.close();
    next.store.db.close();
  });

  test("gives no position twice when retention has removed a whole room", () => {
    const file = newFile();
    const clock = new ManualClock();
    const first = new Keeper(file, clock, 100, 0);
    first.store.begin();
    for (let i = 0; i < 20; i += 1) first.publish("a", `k${i}`, "x");
    first.store.commit();
    while (first.compactor.due) first.compactor.slice();
    first.sweeper.slice(1);
    const reader = new LogReader(file);
    expect(reader.page({ room: "a", limit: 10, maxBytes: 1e6 })).toMatchObject({
      first: 21,
      last: 20,
      entries: [],
    });
    first.store.db.close();
    const second = new Keeper(file, clock, 100, 0);
    second.store.begin();
    expect(second.publish("a", "new", "x")).toBe(21);
    second.store.commit();
    expect(reader.page({ room: "a", limit: 10, maxBytes: 1e6 })).toMatchObject({ first: 21, last: 21 });
    reader.close();
    second.store.db.close();
  });

  test("reads keys of a million entries back into the window", () => {
    const file = newFile();
    const clock = new ManualClock();
    let keeper = new Keeper(file, clock, 1_000);
    const all = 5_000;
    for (let from = 0; from < all; from += 250) {
      keeper.store.begin();
      for (let i = from; i < from + 250; i += 1) keeper.publish("a", `key ${i}`, "x");
      keeper.store.commit();
      while (keeper.compactor.due && from % 1_000 === 0) keeper.compactor.slice();
    }
    keeper.store.db.close();
    keeper = new Keeper(file, clock, 1_000);
    keeper.store.begin();
    for (let i = all - 1_000; i < all; i += 1) expect(keeper.publish("a", `key ${i}`, "y")).toBe(i + 1);
    keeper.store.commit();
    const blocks = new Database(file, { readonly: true });
    const kept = blocks.query<{ n: number }, []>("SELECT sum(length(block)) / 16 AS n FROM keys").get()!.n;
    expect(kept).toBeLessThan(3_000);
    blocks.close();
    keeper.store.db.close();
  });
});

describe("a log file that another server is just making", () => {
  test("is not there yet, or empty, but never a problem: servers start together", () => {
    const directory = mkdtempSync(join(tmpdir(), "rtchat-made-"));
    const count = 800;
    // Of each file: which one the maker may make, and which it has made. It waits a little, each time another little.
    const order = new Int32Array(new SharedArrayBuffer(8));
    const source = `
      const { writeFileSync } = require("node:fs");
      onmessage = ({ data: { order, directory, count } }) => {
        for (let file = 1; file <= count; file += 1) {
          while (Atomics.load(order, 0) < file) Atomics.wait(order, 0, file - 1);
          for (let left = (file * 7919) % 4000; left > 0; left -= 1) Atomics.load(order, 0);
          writeFileSync(directory + "/" + file, "");
          Atomics.store(order, 1, file);
          Atomics.notify(order, 1);
        }
      };`;
    const maker = new Worker(URL.createObjectURL(new Blob([source])));
    const problems: unknown[] = [];
    try {
      maker.postMessage({ order, directory, count });
      for (let file = 1; file <= count; file += 1) {
        Atomics.store(order, 0, file);
        Atomics.notify(order, 0);
        try {
          expect(openForReading(join(directory, String(file)))).toBeUndefined();
        } catch (error) {
          problems.push(error);
        }
        while (Atomics.load(order, 1) < file) Atomics.wait(order, 1, file - 1);
      }
    } finally {
      maker.terminate();
      rmSync(directory, { recursive: true });
    }
    expect(problems).toEqual([]);
  });
});

describe("how far people have read", () => {
  test("is forgotten when it has not changed for long, and topics are not", () => {
    const clock = new ManualClock();
    const keeper = new Keeper(newFile(), clock, 100);
    const { store } = keeper;
    const room = (name: string) => keeper.room(name);
    const mark = (at: number) => JSON.stringify({ epoch: "e", seq: 1, at });
    store.begin();
    store.putRecord(room("=old"), "lobby", mark(clock.now()));
    store.putRecord(room("=old"), "ops", mark(clock.now() + backplaneLimits.markMs));
    store.putRecord(room("lobby"), "topic", mark(0));
    store.commit();
    const expiry = new MarkExpiry(store, clock);
    expect(expiry.due).toBe(false);
    clock.advance(backplaneLimits.markMs + 1);
    for (let slice = 0; expiry.due; slice += 1) {
      expiry.slice();
      expect(slice).toBeLessThan(5);
    }
    const kept = (name: string) => [...store.load(name).records].map(([key]) => key);
    expect([kept("=old"), kept("lobby")]).toEqual([["ops"], ["topic"]]);
    store.db.close();
  });
});

describe("a log file of an earlier version", () => {
  test("is brought to this one by whoever opens it for writing, with all that is in it", () => {
    const file = newFile();
    const beginning = { cluster: "c", epoch: "e", seed: 77 };
    const old = openForWriting(file, beginning);
    old.run("INSERT INTO rooms (name, last, last_at) VALUES ('lobby', 7, 8)");
    old.run("ALTER TABLE sessions DROP COLUMN away");
    old.run("ALTER TABLE cluster DROP COLUMN file");
    old.run("DROP TABLE entries");
    old.run(
      "CREATE TABLE entries (room INTEGER, seq INTEGER, at INTEGER, body BLOB, PRIMARY KEY (room, seq)) WITHOUT ROWID",
    );
    old.run("INSERT INTO entries VALUES (1, 8, 9, x'6265666f7265')");
    old.run("INSERT INTO sessions VALUES ('s', 'ana', 'one', 3)");
    old.run("PRAGMA user_version = 1");
    old.close();
    const reader = new LogReader(file);
    expect(reader.holder()).toMatchObject({ cluster: "c", term: 0, file: "" });
    openForWriting(file, { ...beginning, cluster: "other" }).close();
    const store = new Keeper(file, new ManualClock(), 100).store;
    expect([...store.sessions()]).toEqual([
      { session: "s", nick: "ana", owner: "one", fence: 3, away: undefined, rooms: [] },
    ]);
    expect(store.load("lobby")).toMatchObject({ last: 8, lastAt: 9 });
    expect(reader.holder()).toMatchObject({ cluster: "c" });
    const { entries } = reader.page({ room: "lobby", limit: 10, maxBytes: 100 });
    expect(entries.map((entry) => [entry.seq, entry.at, text(entry.body)])).toEqual([[8, 9, "before"]]);
    reader.close();
    store.db.close();
  });
});

describe("the log file's pages", () => {
  test("are of 8 KiB in a new file, and stay as they are in another", () => {
    const [made, copy] = [newFile(), newFile()];
    const beginning = { cluster: "c", epoch: "e", seed: 77 };
    const first = openForWriting(made, beginning);
    expect(pageBytesOf(first)).toBe(8_192);
    first.run("PRAGMA page_size = 4096");
    first.run("VACUUM INTO ?", [copy]);
    first.close();
    const { store } = new Keeper(copy, new ManualClock(), 100);
    expect(pageBytesOf(store.db)).toBe(4_096);
    store.db.close();
  });
});

describe("the key window", () => {
  test("finds the newest keys, forgets old ones, and takes back what was not committed", () => {
    const key = fc.record({ room: fc.integer({ min: 1, max: 3 }), text: fc.string({ maxLength: 8 }) });
    const act = fc.record({ key, takeBack: fc.boolean(), reload: fc.nat(30).map((n) => n === 0) });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 300 }), fc.integer({ min: 1, max: 100 }), (acts, size) => {
        let window = new KeyWindow(size, 12_345);
        const model: { id: string; room: number; text: string; seq: number }[] = [];
        let seq = 0;
        for (const {
          key: { room, text: word },
          takeBack,
          reload,
        } of acts) {
          const id = `${room} ${word}`;
          const { ...hash } = window.hash(room, part(bytes(word)));
          const known = model.find((one) => one.id === id);
          const found = window.find(hash);
          if (known !== undefined && model.length - model.indexOf(known) <= size)
            expect(found).toBe(known.seq);
          if (known === undefined) expect(found).toBe(0);
          if (found !== 0) continue;
          seq += 1;
          window.add(hash.high, hash.low, seq);
          if (takeBack) {
            window.takeBack(hash);
            expect(window.find(hash)).toBe(0);
            continue;
          }
          if (known !== undefined) model.splice(model.indexOf(known), 1);
          model.push({ id, room, text: word, seq });
          if (!reload) continue;
          const block = new KeyBlock();
          for (const one of model.slice(-size)) {
            const { high, low } = window.hash(one.room, part(bytes(one.text)));
            block.add(high, low, one.seq);
          }
          window = new KeyWindow(size, 12_345);
          window.load(block.bytes);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("finds the newest keys however long it goes on, also where many want the same line", () => {
    for (const lines of [1, 3, 1_000]) {
      const window = new KeyWindow(40, 1);
      const keyOf = (seq: number) => ({ high: Math.imul(seq, 0x9e3779b1), low: (seq * 7) % lines });
      for (let seq = 1; seq <= 20_000; seq += 1) {
        expect(window.find(keyOf(seq))).toBe(0);
        const { high, low } = keyOf(seq);
        window.add(high, low, seq);
        for (const back of [0, 1, 15, 39])
          if (back < seq) expect(window.find(keyOf(seq - back))).toBe(seq - back);
        if (seq > 140) expect(window.find(keyOf(seq - 140))).toBe(0);
      }
    }
  });

  test("takes blocks from the file for as long", () => {
    const window = new KeyWindow(40, 1);
    const keyOf = (seq: number) => ({ high: Math.imul(seq, 0x9e3779b1), low: Math.imul(seq, 0x85ebca6b) });
    for (let seq = 0; seq < 5_000;) {
      const block = new KeyBlock();
      for (const end = seq + 1 + (seq % 37); seq < end; seq += 1) {
        block.add(keyOf(seq + 1).high, keyOf(seq + 1).low, seq + 1);
      }
      window.load(Uint8Array.from([0, ...block.bytes]).subarray(1));
      for (let back = 0; back < Math.min(seq, 40); back += 1)
        expect(window.find(keyOf(seq - back))).toBe(seq - back);
      expect(window.find(keyOf(seq + 1))).toBe(0);
    }
  });

  test("tells a seq beyond 32 bits", () => {
    const window = new KeyWindow(10, 1);
    window.add(1, 2, 2 ** 40 + 5);
    expect(window.find({ high: 1, low: 2 })).toBe(2 ** 40 + 5);
  });
});

describe("a journal's batch", () => {
  test("comes back as it was written", () => {
    const record = fc.record({
      room: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      at: fc.integer({ min: 0, max: 4e12 }),
      body: fc.uint8Array({ maxLength: 100_000 }),
      high: fc.integer(),
      low: fc.integer(),
    });
    fc.assert(
      fc.property(fc.array(fc.array(record, { maxLength: 20 }), { maxLength: 3 }), (batches) => {
        const tail = new Tail();
        for (const records of batches) {
          for (const { room, seq, at, body, high, low } of records)
            tail.add(room, { seq, at, body: part(body) }, { high, low });
          const back = [...readBatch(Buffer.from(tail.batch))].map(({ room, entry, key }) => ({
            room,
            ...entry,
            ...key,
          }));
          expect(back).toEqual(records);
          tail.commit();
        }
      }),
    );
  });
});
