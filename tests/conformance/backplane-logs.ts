/** What every backplane promises of its logs: order, once, history. */
import { describe, expect } from "bun:test";
import type { HistoryPage, Snapshot } from "../../src/backplane/backplane.ts";
import { backplaneLimits } from "../../src/protocol/limits.ts";
import { eventually } from "../support/deadline.ts";
import { answer, bytes, good, text } from "./backplane-support.ts";
import type { Declare, Server } from "./backplane-support.ts";

export function logConformance(driver: string, promise: Declare): void {
  describe(`${driver}: logs`, () => {
    promise(
      "repeats among what one turn brings are told their places, and the others are in order",
      async ([a, b]) => {
        const follower = await b!.follow("lobby");
        const first = await a!.publish("lobby", "k1");
        const keys = ["k2", "k1", "k3", "k2", "k4", "k1", "k5", "k4"];
        const told = await Promise.all(keys.map((key) => a!.publish("lobby", key, `${key} é`)));
        expect(told.map(({ position, duplicate }) => [position.seq, duplicate])).toEqual([
          [2, false],
          [1, true],
          [3, false],
          [2, true],
          [4, false],
          [1, true],
          [5, false],
          [4, true],
        ]);
        expect([told[1]!.at, told[5]!.at]).toEqual([first.at, first.at]);
        await follower.when(() => follower.last >= 5);
        expect(follower.texts).toEqual(["k1", "k2 é", "k3 é", "k4 é", "k5 é"]);
        expect(follower.wrong).toEqual([]);
        expect((await b!.page({ room: "lobby" })).entries).toEqual(follower.entries);
        // A repeat alone, and what comes after it.
        expect((await a!.publish("lobby", "k5")).position.seq).toBe(5);
        expect((await a!.publish("lobby", "k6")).position.seq).toBe(6);
      },
    );

    promise("servers of one store report one cluster id", async ([a, b]) => {
      expect(a!.plane.cluster).not.toBe("");
      expect(b!.plane.cluster).toBe(a!.plane.cluster);
    });

    promise("entries are numbered from 1 and heard by every server, the publisher too", async ([a, b]) => {
      const here = await a!.follow("lobby");
      const there = await b!.follow("lobby");
      expect(here.last).toBe(0);
      const first = await a!.publish("lobby", "one");
      const second = await b!.publish("lobby", "two");
      expect([first.position.seq, second.position.seq]).toEqual([1, 2]);
      expect([first.duplicate, second.duplicate]).toEqual([false, false]);
      expect(first.position.epoch).toBe(here.epoch);
      await Promise.all([here.hears("entry two"), there.hears("entry two")]);
      expect(here.texts).toEqual(["one", "two"]);
      expect(there.texts).toEqual(["one", "two"]);
      expect(here.entries[0]!.at).toBe(first.at);
      expect(Math.abs(first.at - Date.now())).toBeLessThan(60_000);
      expect([...here.wrong, ...there.wrong]).toEqual([]);
    });

    promise("bodies come back byte for byte, empty and at the limit", async ([a, b]) => {
      const there = await b!.follow("lobby");
      // JSON has no newline in it.
      const but = (byte: number): number => (byte === 0x0a ? 0x20 : byte);
      const all = new Uint8Array(256).map((_, i) => but(i));
      const most = new Uint8Array(backplaneLimits.bodyBytes).map((_, i) => but((i * 7) % 251));
      const bodies = [all, new Uint8Array(0), most];
      for (const [i, body] of bodies.entries()) {
        await good((done) => a!.plane.publish({ room: "lobby", key: `k${i}`, body }, done));
      }
      await there.when(() => there.entries.length === 3);
      const { entries } = await b!.page({ room: "lobby" });
      for (const [i, body] of bodies.entries()) {
        expect(Buffer.compare(there.entries[i]!.body, body)).toBe(0);
        expect(Buffer.compare(entries[i]!.body, body)).toBe(0);
      }
    });

    promise("an entry over the limit is refused and leaves no trace", async ([a]) => {
      const body = new Uint8Array(backplaneLimits.bodyBytes + 1);
      const result = await answer((done) => a!.plane.publish({ room: "lobby", key: "k", body }, done));
      expect(result).toMatchObject({ ok: false, code: "internal" });
      expect((await a!.page({ room: "lobby" })).last).toBe(0);
    });

    promise(
      "concurrent publishing from several servers gives all one order without gaps",
      async (servers) => {
        const followers = await Promise.all(servers.map((server) => server.follow("lobby")));
        const published = await Promise.all(
          servers.flatMap((server, s) =>
            Array.from({ length: 100 }, (_, i) => server.publish("lobby", `${s}-${i}`)),
          ),
        );
        expect(published.map(({ position }) => position.seq).sort((x, y) => x - y)).toEqual(
          Array.from({ length: 300 }, (_, i) => i + 1),
        );
        await Promise.all(followers.map((follower) => follower.when(() => follower.entries.length === 300)));
        for (const follower of followers) {
          expect(follower.wrong).toEqual([]);
          expect(follower.texts).toEqual(followers[0]!.texts);
        }
        for (const s of [0, 1, 2]) {
          const own = followers[0]!.texts.filter((word) => word.startsWith(`${s}-`));
          expect(own).toEqual(Array.from({ length: 100 }, (_, i) => `${s}-${i}`));
        }
      },
      {},
      3,
    );

    promise("an acknowledged entry is in the history of every server", async ([a, b]) => {
      for (let i = 1; i <= 20; i += 1) {
        await a!.publish("lobby", `k${i}`);
        const page = await b!.page({ room: "lobby", limit: 1 });
        expect([page.last, text(page.entries[0]!.body)]).toEqual([i, `k${i}`]);
      }
    });

    promise("rooms do not share numbers or entries", async ([a, b]) => {
      const other = await b!.follow("other");
      await a!.publish("lobby", "x");
      expect((await a!.publish("other", "x")).position.seq).toBe(1);
      await other.hears("entry x");
      expect(other.texts).toEqual(["x"]);
    });
  });

  describe(`${driver}: idempotency`, () => {
    promise("a repeated key is answered with the first result, on any server", async ([a, b]) => {
      const there = await b!.follow("lobby");
      const first = await a!.publish("lobby", "k", "text");
      await a!.publish("lobby", "other");
      const here = await a!.publish("lobby", "k", "different text");
      const second = await b!.publish("lobby", "k", "text");
      for (const repeat of [here, second]) {
        expect(repeat).toEqual({
          ok: true,
          position: first.position,
          at: first.at,
          duplicate: true,
        } as never);
      }
      await b!.publish("lobby", "end");
      await there.hears("entry end");
      expect(there.texts).toEqual(["text", "other", "end"]);
    });

    promise("the same key in another room is another entry", async ([a]) => {
      await a!.publish("lobby", "k");
      expect((await a!.publish("other", "k")).duplicate).toBe(false);
    });

    promise("the same key published concurrently is logged once", async (servers) => {
      const results = await Promise.all(
        servers.flatMap((server) => Array.from({ length: 20 }, () => server.publish("lobby", "k"))),
      );
      expect(results.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
      expect(new Set(results.map(({ position }) => position.seq))).toEqual(new Set([1]));
      expect((await servers[0]!.page({ room: "lobby" })).last).toBe(1);
    });

    promise(
      "keys are remembered for as many entries as agreed, and at least so many",
      async ([a]) => {
        await a!.publish("lobby", "k0");
        for (let i = 1; i < 50; i += 1) await a!.publish("lobby", `k${i}`);
        expect((await a!.publish("lobby", "k0")).duplicate).toBe(true);
      },
      { keyWindowEntries: 50 },
    );

    promise("a copy is logged with the original, once, and heard in its own words", async ([a, b]) => {
      const to = await b!.follow("@bob");
      const from = await a!.follow("@ana");
      const message = {
        room: "@bob",
        key: "k",
        body: bytes("in"),
        copy: { room: "@ana", body: bytes("out") },
      };
      const first = await good<{ position: Snapshot["position"] }>((done) => a!.plane.publish(message, done));
      const second = await good<{ duplicate: boolean }>((done) => b!.plane.publish(message, done));
      expect([first.position.seq, second.duplicate]).toEqual([1, true]);
      expect((await a!.page({ room: "@ana" })).last).toBe(1);
      await a!.publish("@bob", "end");
      await a!.publish("@ana", "end");
      await Promise.all([to.hears("entry end"), from.hears("entry end")]);
      expect([to.texts, from.texts]).toEqual([
        ["in", "end"],
        ["out", "end"],
      ]);
    });

    promise("concurrent copies are logged once on both sides", async (servers) => {
      const message = {
        room: "@bob",
        key: "k",
        body: bytes("in"),
        copy: { room: "@ana", body: bytes("out") },
      };
      await Promise.all(
        servers.flatMap((server) => [1, 2, 3].map(() => good((done) => server.plane.publish(message, done)))),
      );
      expect((await servers[0]!.page({ room: "@ana" })).last).toBe(1);
      expect((await servers[1]!.page({ room: "@bob" })).last).toBe(1);
    });

    promise("a repeat is not copied to somebody else, whoever has the nick by now", async ([a, b]) => {
      const message = { room: "@ana", key: "k", body: bytes("out") };
      const copyTo = (room: string) => ({ ...message, copy: { room, body: bytes("in") } });
      await good((done) => a!.plane.publish(copyTo("@bob"), done));
      const repeat = await good<{ position: Snapshot["position"]; duplicate: boolean }>((done) =>
        b!.plane.publish(copyTo("@eve"), done),
      );
      expect([repeat.position.seq, repeat.duplicate]).toEqual([1, true]);
      expect((await a!.page({ room: "@eve" })).entries).toEqual([]);
      expect((await a!.page({ room: "@bob" })).last).toBe(1);
    });

    promise("a copy to the same log is left out", async ([a]) => {
      const message = {
        room: "@ana",
        key: "k",
        body: bytes("in"),
        copy: { room: "@ana", body: bytes("out") },
      };
      await good((done) => a!.plane.publish(message, done));
      expect((await a!.page({ room: "@ana" })).entries.map((entry) => text(entry.body))).toEqual(["in"]);
    });
  });

  describe(`${driver}: history`, () => {
    const seqs = (page: HistoryPage): number[] => page.entries.map((entry) => entry.seq);
    async function filled(server: Server, count: number): Promise<void> {
      await Promise.all(
        Array.from({ length: count }, (_, i) => server.publish("lobby", `m${i + 1}`, `body ${i + 1}`)),
      );
    }

    promise("of an empty log names its position", async ([a]) => {
      expect(await a!.page({ room: "nowhere" })).toMatchObject({ first: 1, last: 0, entries: [] });
    });

    promise("bounds are exclusive, pages ascend, the nearest to the bound are chosen", async ([a, b]) => {
      await filled(a!, 30);
      const { position } = await a!.publish("lobby", "m30");
      const newest = await b!.page({ room: "lobby", limit: 3 });
      expect(newest).toMatchObject({ epoch: position.epoch, first: 1, last: 30 });
      expect(seqs(newest)).toEqual([28, 29, 30]);
      expect(newest.entries.map((entry) => text(entry.body))).toEqual(["body 28", "body 29", "body 30"]);
      expect(seqs(await b!.page({ room: "lobby", before: 10, limit: 3 }))).toEqual([7, 8, 9]);
      expect(seqs(await b!.page({ room: "lobby", after: 10, limit: 3 }))).toEqual([11, 12, 13]);
      expect(seqs(await b!.page({ room: "lobby", after: 10, before: 13 }))).toEqual([11, 12]);
      expect(seqs(await b!.page({ room: "lobby", after: 0, limit: 2 }))).toEqual([1, 2]);
      expect(seqs(await b!.page({ room: "lobby", before: 3 }))).toEqual([1, 2]);
      expect(seqs(await b!.page({ room: "lobby", before: 1 }))).toEqual([]);
      expect(seqs(await b!.page({ room: "lobby", after: 30 }))).toEqual([]);
      expect(seqs(await b!.page({ room: "lobby", after: 40 }))).toEqual([]);
      expect(seqs(await b!.page({ room: "lobby", before: 100, limit: 1 }))).toEqual([30]);
      expect(seqs(await b!.page({ room: "lobby", limit: 0 }))).toEqual([]);
    });

    promise("bytes are bounded, but one entry is always given", async ([a]) => {
      for (const [i, size] of [100, 100, 100, 500, 100].entries()) {
        await good((done) =>
          a!.plane.publish({ room: "lobby", key: `k${i}`, body: new Uint8Array(size) }, done),
        );
      }
      expect(seqs(await a!.page({ room: "lobby", maxBytes: 600 }))).toEqual([4, 5]);
      expect(seqs(await a!.page({ room: "lobby", maxBytes: 599 }))).toEqual([5]);
      expect(seqs(await a!.page({ room: "lobby", after: 0, maxBytes: 250 }))).toEqual([1, 2]);
      expect(seqs(await a!.page({ room: "lobby", after: 3, maxBytes: 1 }))).toEqual([4]);
      expect(seqs(await a!.page({ room: "lobby", before: 5, maxBytes: 1 }))).toEqual([4]);
    });

    promise(
      "what retention removed shows in `first`",
      async ([a, b]) => {
        await filled(a!, 200);
        let page = await b!.page({ room: "lobby" });
        // Trimming may lag behind the bound, and wait for the next publish.
        await eventually(
          async () => {
            await a!.publish("lobby", `more ${page.last}`);
            page = await b!.page({ room: "lobby" });
            return page.first > 1;
          },
          () => `retention; kept are ${page.first} to ${page.last}`,
        );
        expect(page.last - page.first + 1).toBeGreaterThanOrEqual(10);
        const oldest = await b!.page({ room: "lobby", after: 0, limit: 1 });
        expect(seqs(oldest)).toEqual([oldest.first]);
      },
      { keepMessages: 10 },
    );
  });
}
