/**
 * Searching the keeper's log, with an index that is anywhere between nothing and complete: what is found is what is there.
 */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { dirname, join } from "node:path";
import fc from "fast-check";
import type { SearchPage } from "../../src/backplane/backplane.ts";
import { LogReader } from "../../src/backplane/keeper/reader.ts";
import { openForReading } from "../../src/backplane/keeper/schema.ts";
import { Finder, searchStatements } from "../../src/backplane/keeper/search/finder.ts";
import type { Statements } from "../../src/backplane/keeper/search/finder.ts";
import {
  indexFile,
  openIndexForReading,
  openIndexForWriting,
} from "../../src/backplane/keeper/search/index-file.ts";
import { Indexer } from "../../src/backplane/keeper/search/indexer.ts";
import { keeperLimits } from "../../src/protocol/limits.keeper.ts";
import { foldText, hasWords, readWanted } from "../../src/protocol/search.ts";
import { readFields } from "../../src/protocol/sieve.ts";
import { good, bytes, Server } from "../conformance/backplane-support.ts";
import { eventually } from "../support/deadline.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { keeperCluster } from "./keeper-support.ts";
import { Keeper, storeFiles } from "./store-support.ts";

const newFile = storeFiles();

interface Said {
  readonly from: string;
  readonly text: string;
  readonly re?: { readonly kind: "reply" | "edit" | "delete" | "reaction"; readonly seq: number };
}

const bodyOf = (room: string, said: Said): string => JSON.stringify({ room, ...said }).slice(1, -1);

/** A log, its index, and searches over both. */
class Library {
  readonly file = newFile();
  readonly indexPath = `${this.file}.index`;
  readonly reader = new LogReader(this.file);
  readonly clock = new ManualClock();
  keeper: Keeper;
  said = 0;
  #index: Database | undefined;
  #statements: Statements | undefined;

  constructor(keep?: number) {
    this.keeper = new Keeper(this.file, this.clock, 1_000, keep);
  }

  say(room: string, ...messages: readonly Said[]): void {
    this.keeper.store.begin();
    for (const said of messages) this.keeper.publish(room, `k${(this.said += 1)}`, bodyOf(room, said));
    this.keeper.store.commit();
  }

  /** Moves all of the journal to where the index is made from. */
  move(): void {
    this.clock.advance(10_000);
    while (this.keeper.compactor.due) this.keeper.compactor.slice();
  }

  /** Indexes so many steps, or all there is. */
  index(steps = Infinity, entries = 3): void {
    const log = openForReading(this.file);
    if (log === undefined) throw new Error("there is no log");
    const indexer = new Indexer(log, openIndexForWriting(this.indexPath), entries);
    for (let step = 0; step < steps && indexer.step() === "more"; step += 1);
    indexer.close();
  }

  search(room: string, words: string, more: Partial<{ before: number; limit: number; from: string }> = {}) {
    const { before = 1e9, limit = 100, from } = more;
    const query = { room, before, limit, wanted: readWanted(words, from), maxBytes: 1e6 };
    if (this.#statements === undefined) {
      this.#index = openIndexForReading(this.indexPath);
      this.#statements = this.#index === undefined ? undefined : searchStatements(this.#index);
    }
    const limits = { searchEntries: 7, searchMs: 10_000 };
    return new Finder(query, this.reader, this.#statements, limits, () => 0).run();
  }

  /** All pages, newest first. */
  searchAll(room: string, words: string, from?: string): SearchPage[] {
    const pages: SearchPage[] = [];
    for (let before: number | undefined = 1e9; before !== undefined; before = pages.at(-1)?.next) {
      pages.push(this.search(room, words, { before, limit: 2, ...(from === undefined ? {} : { from }) }));
      expect(pages.length).toBeLessThan(200);
    }
    return pages;
  }

  close(): void {
    this.#index?.close();
    this.reader.close();
    this.keeper.store.db.close();
  }
}

const texts = ({ entries }: SearchPage): string[] => entries.map(({ body }) => readFields(body).text);

describe("a search", () => {
  test("finds in the journal, in the log and in the index alike, as the messages are now", () => {
    const phrases = ["deploy done", "Déploy again", "coffee", "京都 coffee", "done 🎉", "deploying\ndone"];
    const message = fc.record({
      from: fc.constantFrom("ana", "Bob"),
      text: fc.constantFrom(...phrases),
      about: fc.option(
        fc.tuple(fc.constantFrom(...(["reply", "edit", "delete", "reaction"] as const)), fc.nat()),
        {
          freq: 2,
        },
      ),
    });
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.array(message, { minLength: 1, maxLength: 6 }) },
      { weight: 2, arbitrary: fc.constant("move" as const) },
      { weight: 2, arbitrary: fc.integer({ min: 1, max: 6 }) },
      { weight: 1, arbitrary: fc.constant("sweep" as const) },
    );
    const keep = fc.option(fc.integer({ min: 4, max: 30 }), { nil: undefined });
    const script = fc.array(step, { maxLength: 25 });
    fc.assert(
      fc.property(script, keep, (steps, kept) => {
        const library = new Library(kept);
        const said: Said[] = [];
        for (const one of steps) {
          if (one === "move") library.move();
          else if (one === "sweep") library.keeper.sweeper.slice(1);
          else if (typeof one === "number") library.index(one);
          else {
            const messages = one.map(({ about, ...rest }): Said => {
              if (about === null || said.length === 0) return rest;
              return { ...rest, re: { kind: about[0], seq: (about[1] % said.length) + 1 } };
            });
            said.push(...messages);
            library.say("lobby", ...messages);
          }
        }
        library.say("other", { from: "ana", text: "deploy elsewhere" });
        const { first } = library.reader.page({ room: "lobby", limit: 0, maxBytes: 0 });
        for (const words of ["deploy", "done", "deploy done", "都", "coff", "🎉"]) {
          for (const from of [undefined, "BOB"]) {
            const pages = library.searchAll("lobby", words, from);
            const found = pages.flatMap((page) => page.entries.toReversed());
            expect(found.map(({ seq, body }) => [seq, readFields(body).text])).toEqual(
              expected(said, first, words, from),
            );
            const looked = pages.reduce((sum, page) => sum + page.looked, 0);
            expect(looked).toBe(Math.max(0, said.length - first + 1));
          }
        }
        library.close();
      }),
      { numRuns: 25 },
    );
  }, 30_000);

  /** What a reader of the whole log would find, newest first. */
  function expected(said: readonly Said[], first: number, words: string, from: string | undefined) {
    const now = new Map<number, string | undefined>();
    for (const [index, { text, re }] of said.entries()) {
      const kind = re?.kind;
      if (kind === undefined || kind === "reply") now.set(index + 1, text);
      else if (re !== undefined && index + 1 >= first) {
        if (kind === "delete") now.set(re.seq, undefined);
        else if (kind === "edit" && now.get(re.seq) !== undefined) now.set(re.seq, text);
      }
    }
    return [...now]
      .filter(([seq, text]) => {
        if (seq < first || text === undefined) return false;
        const author = said[seq - 1]?.from.toLowerCase();
        if (from !== undefined && author !== from.toLowerCase()) return false;
        return hasWords(foldText(text), readWanted(words, undefined).words);
      })
      .sort(([a], [b]) => b - a)
      .map(([seq, text]) => [seq, text ?? ""]);
  }

  test("says where to go on when the reply is full, and finds nothing twice", () => {
    const library = new Library();
    library.say("lobby", ...Array.from({ length: 40 }, (_, n) => ({ from: "ana", text: `note ${n}` })));
    library.move();
    library.index();
    library.say("lobby", { from: "bob", text: "note in the journal" });
    const page = library.search("lobby", "note", { limit: 3 });
    expect(texts(page)).toEqual(["note 38", "note 39", "note in the journal"]);
    expect(page).toMatchObject({ looked: 3, next: 39 });
    const rest = library.searchAll("lobby", "note").flatMap((one) => texts(one).toReversed());
    expect(rest).toHaveLength(41);
    expect(new Set(rest).size).toBe(41);
    library.close();
  });

  test("is answered by looking when the words have no tokens", () => {
    const library = new Library();
    library.say("lobby", { from: "ana", text: "well..." }, { from: "ana", text: "what?!" });
    library.say(
      "lobby",
      { from: "bob", text: "gone ?!" },
      { from: "bob", text: "x", re: { kind: "delete", seq: 3 } },
    );
    library.move();
    library.index();
    expect(texts(library.search("lobby", "?!"))).toEqual(["what?!"]);
    library.close();
  });
});

describe("the index", () => {
  test("of another epoch of the log is made again", () => {
    const library = new Library();
    library.say("lobby", { from: "ana", text: "before the crash" });
    library.move();
    library.index();
    const db = new Database(library.file);
    db.run("UPDATE cluster SET epoch = 'another'");
    db.run("DELETE FROM entries");
    db.close();
    // Not used as it is, whatever it says.
    expect(texts(library.search("lobby", "crash"))).toEqual([]);
    library.index();
    const index = openIndexForReading(library.indexPath);
    expect(index?.query("SELECT count(*) AS rows FROM messages").get()).toEqual({ rows: 0 });
    index?.close();
    library.close();
  });

  test("of an earlier version is made again, and one that is no database costs nothing but the index", () => {
    const library = new Library();
    library.say("lobby", { from: "ana", text: "a message" });
    library.move();
    library.index();
    const old = new Database(library.indexPath);
    old.run("PRAGMA user_version = 99");
    old.close();
    expect(texts(library.search("lobby", "message"))).toEqual(["a message"]);
    library.index();
    const index = openIndexForReading(library.indexPath);
    expect(index?.query("SELECT high FROM rooms").get()).toEqual({ high: 1 });
    index?.close();
    library.close();
  });

  test("forgets what retention has removed", () => {
    const library = new Library(10);
    const count = 7_000;
    library.say("lobby", ...Array.from({ length: count }, (_, n) => ({ from: "ana", text: `note ${n}` })));
    library.move();
    library.index(Infinity, 1_000);
    const rows = () => {
      const index = openIndexForReading(library.indexPath);
      const row = index?.query<{ rows: number }, []>("SELECT count(*) AS rows FROM messages").get();
      index?.close();
      return row?.rows;
    };
    expect(rows()).toBe(count);
    for (let slice = 0; slice < 20; slice += 1) library.keeper.sweeper.slice(1);
    library.index();
    // Some are left: dropping them one by one would cost more than they do.
    expect(rows()).toBe(count - 2_000);
    expect(texts(library.search("lobby", "note", { limit: 1 }))).toEqual([`note ${count - 1}`]);
    library.close();
  }, 20_000);
});

test("servers of a cluster search through their threads; the keeper's makes the index", async () => {
  const cluster = await keeperCluster();
  const limits = { ...keeperLimits, journalEntries: 10, journalMs: 20, indexEveryMs: 20 };
  try {
    const one = cluster.server({ limits });
    const servers = [await new Server(one).start(), await new Server(cluster.server()).start()];
    const said = Array.from({ length: 60 }, (_, n) => ({ from: "ana", text: `deploy number ${n}` }));
    for (const [n, message] of said.entries()) {
      await good((done) =>
        one.publish({ room: "lobby", key: `k${n}`, body: bytes(bodyOf("lobby", message)) }, done),
      );
    }
    const wanted = readWanted("number deploy 5", undefined);
    const query = { room: "lobby", before: 1e9, wanted, limit: 100, maxBytes: 1e6 };
    for (const { plane } of servers) {
      const { found } = await good<{ found: SearchPage }>((done) => plane.searcher?.search(query, done));
      expect(texts(found)).toEqual(
        [5, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59].map((n) => `deploy number ${n}`),
      );
      expect(found).toMatchObject({ looked: 60 });
    }
    await eventually(
      () => {
        const index = openIndexForReading(join(dirname(cluster.file), indexFile));
        const row = index?.query<{ high: number }, []>("SELECT high FROM rooms").get();
        index?.close();
        return row?.high === 60;
      },
      () => "the index of all messages",
    );
  } finally {
    await cluster.close();
  }
});
