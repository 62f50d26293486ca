/** What every backplane promises of subscriptions, nicks, members, records and its own life. */
import { describe, expect } from "bun:test";
import type { Member, Snapshot } from "../../src/backplane/backplane.ts";
import { backplaneLimits } from "../../src/protocol/limits.ts";
import { answer, bytes, Follower, good, Server } from "./backplane-support.ts";
import type { Declare } from "./backplane-support.ts";

export function peopleConformance(driver: string, promise: Declare): void {
  describe(`${driver}: subscriptions`, () => {
    promise(
      "a snapshot and what follows it join without gap or overlap under concurrent publishing",
      async ([a, b]) => {
        let stop = false;
        let sent = 0;
        const publisher = (async () => {
          for (; !stop; sent += 1) await a!.publish("lobby", `k${sent}`);
        })();
        for (let round = 0; round < 30; round += 1) {
          const follower = await b!.follow("lobby");
          await follower.when(() => follower.entries.length >= 3);
          expect(follower.wrong).toEqual([]);
          expect(follower.entries[0]!.seq).toBe(follower.since + 1);
          b!.plane.unsubscribe("lobby");
        }
        stop = true;
        await publisher;
        expect((await b!.page({ room: "lobby", limit: 1 })).last).toBe(sent);
      },
    );

    promise("a snapshot has members, records and position as of one moment", async ([a, b]) => {
      await a!.claim("s1", "Ana");
      await a!.enter("lobby", "s1");
      await a!.setRecord("lobby", "topic", `"x"`, "s1");
      await a!.publish("lobby", "k");
      const follower = await b!.follow("lobby");
      expect([...follower.members]).toEqual([["s1", "Ana"]]);
      expect([...follower.records]).toEqual([["topic", `"x"`]]);
      expect(follower.last).toBe(1);
    });

    promise("an ended subscription is silent at once, whatever was under way", async ([a, b]) => {
      await b!.claim("s1", "ana");
      const follower = await a!.follow("lobby");
      const under = [
        ...Array.from({ length: 20 }, (_, i) => b!.publish("lobby", `k${i}`)),
        b!.enter("lobby", "s1"),
        b!.setRecord("lobby", "topic", "1", "s1"),
      ];
      a!.plane.unsubscribe("lobby");
      const heard = follower.heard.length;
      await Promise.all(under);
      const again = await a!.follow("lobby");
      await b!.publish("lobby", "end");
      await again.hears("entry end");
      expect(follower.heard).toHaveLength(heard);
      expect(again.wrong).toEqual([]);
    });

    promise(
      "a subscription ended before its answer fails and stays silent; a new one at once works",
      async ([a, b]) => {
        const ended = new Follower();
        const first = answer((done) => a!.plane.subscribe("lobby", ended, done));
        a!.plane.unsubscribe("lobby");
        const again = await a!.follow("lobby");
        expect(await first).toMatchObject({ ok: false, code: "unavailable" });
        await b!.publish("lobby", "k");
        await again.hears("entry k");
        expect(ended.heard).toEqual([]);
        expect(again.texts).toEqual(["k"]);
      },
    );

    promise(
      "a store that lost its tail resets its subscribers under a new epoch",
      async ([a, b], cluster) => {
        await a!.claim("s1", "ana");
        await a!.enter("lobby", "s1");
        const follower = await b!.follow("lobby");
        await a!.publish("lobby", "before");
        await follower.hears("entry before");
        const { epoch } = follower;
        await cluster.changeEpoch();
        await follower.hears("reset");
        expect(follower.epoch).not.toBe(epoch);
        const { position } = await a!.publish("lobby", "after");
        expect(position.epoch).toBe(follower.epoch);
        await follower.hears("entry after");
        expect(follower.wrong).toEqual([]);
        expect(follower.resets).toBe(1);
      },
    );
  });

  describe(`${driver}: nicks`, () => {
    promise(
      "are nobody's who only looks like whoever has one, and are found by no look-alike",
      async ([a, b]) => {
        await a!.claim("s1", "ana");
        const claim = (server: typeof a, session: string, nick: string) =>
          answer((done) => server!.plane.claim(session, nick, 1, done));
        for (const nick of ["\u0430n\u0430", "an\u034fa", "\u0251na"]) {
          expect(await claim(b, "s2", nick)).toMatchObject({ ok: false, code: "nick-taken", value: nick });
          expect(await b!.owner(nick)).toBeUndefined();
        }
        // Another spelling of one's own is one's own, and leaves nothing behind.
        expect(await claim(a, "s1", "\u0430n\u0430")).toMatchObject({ ok: true });
        expect(await b!.owner("\u0430n\u0430")).toBe("s1");
        expect(await b!.owner("ana")).toBeUndefined();
        expect(await claim(b, "s2", "ana")).toMatchObject({ ok: false, code: "nick-taken" });
        expect(await claim(a, "s1", "bea")).toMatchObject({ ok: true });
        expect(await claim(b, "s2", "ana")).toMatchObject({ ok: true });
      },
    );

    promise("are unique in the cluster by their key", async ([a, b]) => {
      await a!.claim("s1", "Straße");
      for (const nick of ["Straße", "STRASSE", "ｓtrasse"]) {
        const result = await answer((done) => b!.plane.claim("s2", nick, 1, done));
        expect(result).toMatchObject({ ok: false, code: "nick-taken" });
        expect(await b!.owner(nick)).toBe("s1");
      }
      const { member } = await good<{ member: Member | undefined }>((done) =>
        b!.plane.lookup("strasse", done),
      );
      expect(member).toEqual({ session: "s1", nick: "Straße" });
      expect(await b!.owner("nobody")).toBeUndefined();
    });

    promise("claimed at the same time go to exactly one", async (servers) => {
      const results = await Promise.all(
        servers.flatMap((server, s) =>
          [1, 2, 3, 4, 5].map((i) =>
            answer((done) => server.plane.claim(`s${s}-${i}`, i % 2 ? "ana" : "ANA", 1, done)),
          ),
        ),
      );
      expect(results.filter((result) => result.ok)).toHaveLength(1);
    });

    promise("are free again after release and after a change", async ([a, b]) => {
      await a!.claim("s1", "ana");
      await a!.claim("s1", "bea");
      await b!.claim("s2", "ana");
      expect(await a!.owner("bea")).toBe("s1");
      a!.plane.release("s1");
      // A release has no answer.
      while ((await a!.owner("bea")) !== undefined);
      await b!.claim("s3", "Bea");
      expect(await a!.owner("bea")).toBe("s3");
    });

    promise("a failed change keeps the old one", async ([a, b]) => {
      await a!.claim("s1", "ana");
      await b!.claim("s2", "bob");
      expect(await answer((done) => b!.plane.claim("s2", "Ana", 1, done))).toMatchObject({
        code: "nick-taken",
      });
      expect(await a!.owner("bob")).toBe("s2");
    });

    promise(
      "a change, also of case alone, is heard as a rename in the session's rooms only",
      async ([a, b]) => {
        const lobby = await b!.follow("lobby");
        const other = await b!.follow("other");
        await a!.claim("s1", "ana");
        await a!.enter("lobby", "s1");
        await a!.claim("s1", "Ana");
        await a!.claim("s1", "bea");
        await a!.claim("s1", "bea");
        await a!.leave("lobby", "s1");
        await lobby.hears("leave bea");
        expect(lobby.presences).toEqual(["join ana", "rename ana Ana", "rename Ana bea", "leave bea"]);
        await a!.publish("other", "end");
        await other.hears("entry end");
        expect(other.presences).toEqual([]);
        expect(lobby.wrong).toEqual([]);
      },
    );
  });

  describe(`${driver}: members`, () => {
    promise(
      "coming and going is heard everywhere, by the own subscriber before the answer",
      async ([a, b]) => {
        const here = await a!.follow("lobby");
        const there = await b!.follow("lobby");
        await a!.claim("s1", "ana");
        await a!.enter("lobby", "s1");
        expect(here.presences).toEqual(["join ana"]);
        await a!.enter("lobby", "s1");
        await a!.leave("lobby", "s1");
        expect(here.presences).toEqual(["join ana", "leave ana"]);
        await a!.leave("lobby", "s1");
        await a!.enter("lobby", "s1");
        a!.plane.release("s1");
        await there.when(() => there.presences.length === 4);
        expect(there.presences).toEqual(["join ana", "leave ana", "join ana", "leave ana"]);
        expect(there.wrong).toEqual([]);
      },
    );

    promise("only a claimed session may enter", async ([a]) => {
      expect(await answer((done) => a!.plane.enter("lobby", "ghost", done))).toMatchObject({
        ok: false,
        code: "internal",
      });
      expect([...(await a!.follow("lobby")).members]).toEqual([]);
    });

    promise("a session that another server claims is taken over without noise", async ([a, b]) => {
      const here = await a!.follow("lobby");
      const there = await b!.follow("lobby");
      expect(await a!.claim("s1", "ana")).toEqual([]);
      await a!.enter("lobby", "s1");
      expect(await b!.claim("s1", "ana")).toEqual(["lobby"]);
      await a!.when(() => a!.takenSessions.length > 0);
      expect(a!.takenSessions).toEqual(["s1"]);
      await b!.enter("lobby", "s1");
      // What the former holder still says about it counts no longer.
      a!.plane.release("s1");
      await answer((done) => a!.plane.leave("lobby", "s1", done));
      expect(await answer((done) => a!.plane.enter("other", "s1", done))).toMatchObject({ ok: false });
      expect(await a!.owner("ana")).toBe("s1");
      await b!.leave("lobby", "s1");
      await here.hears("leave ana");
      await there.hears("leave ana");
      expect(here.presences).toEqual(["join ana", "leave ana"]);
      expect(there.presences).toEqual(["join ana", "leave ana"]);
      expect(b!.takenSessions).toEqual([]);
    });

    promise("of two connections the later one has the session, whichever claims last", async ([a, b]) => {
      const here = await a!.follow("lobby");
      await a!.claim("s1", "ana", 5);
      await a!.enter("lobby", "s1");
      await b!.claim("s1", "ana", 7);
      for (const nick of ["ana", "bea"]) {
        const late = await answer((done) => a!.plane.claim("s1", nick, 6, done));
        expect(late).toMatchObject({ ok: false, code: "stale" });
      }
      await b!.enter("lobby", "s1");
      await b!.claim("s1", "bob", 7);
      await here.hears("rename ana bob");
      expect(here.presences).toEqual(["join ana", "rename ana bob"]);
      expect(b!.takenSessions).toEqual([]);
      b!.plane.release("s1");
      await here.hears("leave bob");
      // A session that ended may begin again.
      await a!.claim("s1", "ana", 1);
    });

    promise("a takeover may change the nick", async ([a, b]) => {
      const here = await a!.follow("lobby");
      await a!.claim("s1", "ana");
      await a!.enter("lobby", "s1");
      await b!.claim("s1", "bea");
      await here.hears("rename ana bea");
      await b!.claim("s2", "ana");
      expect(await a!.owner("ana")).toBe("s2");
    });

    promise(
      "of a vanished server keep their place for the grace, and only those not taken over leave",
      async ([a, b, c], cluster) => {
        const follower = await b!.follow("lobby");
        for (const nick of ["ana", "bob"]) {
          await a!.claim(`s-${nick}`, nick);
          await a!.enter("lobby", `s-${nick}`);
        }
        await cluster.vanish(a!.plane);
        expect(await answer((done) => b!.plane.claim("s3", "ana", 1, done))).toMatchObject({
          code: "nick-taken",
        });
        expect(await c!.claim("s-ana", "ana")).toEqual(["lobby"]);
        await follower.hears("leave bob");
        expect(follower.presences).toEqual(["join ana", "join bob", "leave bob"]);
        expect([...follower.members.values()]).toEqual(["ana"]);
        expect(await b!.owner("bob")).toBeUndefined();
        await b!.claim("s4", "bob");
        expect([...(await c!.follow("lobby")).members.values()]).toEqual(["ana"]);
      },
      { graceMs: 1_000 },
      3,
    );

    promise(
      "of a server that stops stay in grace, or leave at once if it releases",
      async ([a, b, c]) => {
        const follower = await c!.follow("lobby");
        await a!.claim("s1", "ana");
        await a!.enter("lobby", "s1");
        await b!.claim("s2", "bob");
        await b!.enter("lobby", "s2");
        await b!.plane.stop(false);
        await a!.plane.stop(true);
        await follower.hears("leave ana");
        expect(follower.presences).toEqual(["join ana", "join bob", "leave ana"]);
        expect(await c!.owner("ana")).toBeUndefined();
        expect(await c!.owner("bob")).toBe("s2");
        await c!.claim("s2", "bob");
        await c!.claim("s3", "ana");
      },
      {},
      3,
    );
  });

  describe(`${driver}: records, rooms, words`, () => {
    promise(
      "a record is heard everywhere, by the own subscriber before the answer, and stays",
      async ([a, b], cluster) => {
        const here = await a!.follow("lobby");
        const there = await b!.follow("lobby");
        await a!.claim("s1", "ana");
        await b!.claim("s2", "ben");
        await a!.setRecord("lobby", "topic", `"one"`, "s1");
        expect(here.records.get("topic")).toBe(`"one"`);
        await b!.setRecord("lobby", "topic", `"two"`, "s2");
        await b!.setRecord("lobby", "ban:x", "1", "s2");
        await here.hears("record ban:x 1");
        await there.hears("record ban:x 1");
        const late = await new Server(cluster.server()).start();
        expect(Object.fromEntries((await late.follow("lobby")).records)).toEqual({
          "ban:x": "1",
          topic: `"two"`,
        });
      },
    );

    promise(
      "a record is set only where its session is: a server that wakes up sets nothing",
      async ([a, b]) => {
        const change = { room: "lobby", key: "topic", value: "old", session: "s1", once: "s1#1" };
        const set = (server: Server) => answer((done) => server.plane.setRecord(change, done));
        expect(await set(a!)).toMatchObject({ ok: false, code: "internal" });
        await a!.claim("s1", "ana", 1);
        await b!.claim("s1", "ana", 2);
        expect(await set(a!)).toMatchObject({ ok: false, code: "internal" });
        expect((await a!.follow("lobby")).records.size).toBe(0);
        expect(await set(b!)).toMatchObject({ ok: true });
      },
    );

    promise(
      "a change of a record that is repeated, anywhere and after newer ones, is made once",
      async ([a, b], cluster) => {
        const there = await b!.follow("lobby");
        await a!.claim("s1", "ana", 1);
        await b!.claim("s2", "ben", 1);
        await a!.setRecord("lobby", "topic", "first", "s1", "s1#1");
        await a!.setRecord("lobby", "topic", "first", "s1", "s1#1");
        await b!.setRecord("lobby", "topic", "second", "s2", "s2#1");
        await b!.claim("s1", "ana", 2);
        await b!.setRecord("lobby", "topic", "first again", "s1", "s1#1");
        // Also by a server that was not there, and after the one that may have kept it.
        await cluster.vanish(a!.plane);
        const late = await new Server(cluster.server()).start();
        await late.claim("s1", "ana", 3);
        await late.setRecord("lobby", "topic", "first once more", "s1", "s1#1");
        await late.setRecord("lobby", "topic", "third", "s1", "s1#2");
        await there.hears("record topic third");
        expect(there.heard.filter((word) => word.startsWith("record"))).toEqual([
          "record topic first",
          "record topic second",
          "record topic third",
        ]);
        expect([...(await late.follow("lobby")).records]).toEqual([["topic", "third"]]);
      },
    );

    promise("rooms with members are listed, the fullest first", async ([a, b]) => {
      for (const [nick, rooms] of [
        ["ana", ["x", "y", "z"]],
        ["bob", ["y", "z"]],
        ["cy", ["z"]],
      ] as const) {
        const server = nick === "bob" ? b! : a!;
        await server.claim(nick, nick);
        for (const room of rooms) await server.enter(room, nick);
      }
      await a!.setRecord("z", "topic", "1", "ana");
      await a!.publish("empty", "k");
      const list = async (limit: number) =>
        (
          await good<{
            rooms: readonly { room: string; members: number; records: ReadonlyMap<string, string> }[];
          }>((done) => b!.plane.rooms(limit, done))
        ).rooms;
      expect((await list(10)).map(({ room, members }) => [room, members])).toEqual([
        ["z", 3],
        ["y", 2],
        ["x", 1],
      ]);
      expect([...(await list(1))[0]!.records]).toEqual([["topic", "1"]]);
      expect(await list(1)).toHaveLength(1);
      await a!.leave("x", "ana");
      expect((await list(10)).map(({ room }) => room)).toEqual(["z", "y"]);
    });

    promise("a word reaches the hub that has the session, and only that one, in order", async ([a, b]) => {
      await b!.claim("s1", "ana");
      for (let i = 0; i < 5; i += 1) a!.plane.tell("s1", `word ${i}`);
      a!.plane.tell("nobody", "lost");
      b!.plane.tell("s1", "own");
      await b!.when(() => b!.words.includes("s1 word 4") && b!.words.includes("s1 own"));
      expect(b!.words.filter((word) => word !== "s1 own")).toEqual(
        [0, 1, 2, 3, 4].map((i) => `s1 word ${i}`),
      );
      expect(a!.words).toEqual([]);
    });
  });

  describe(`${driver}: being away`, () => {
    const away = (server: Server, session: string, words: string | undefined) =>
      good((done) => server.plane.setAway(session, words, done));
    const found = async (server: Server, nick: string) =>
      (await good<{ member: Member | undefined }>((done) => server.plane.lookup(nick, done))).member;

    promise("is heard in the session's rooms, by its own server before the answer", async ([a, b]) => {
      await a!.claim("s1", "ana");
      await a!.enter("lobby", "s1");
      const here = await a!.follow("lobby");
      const there = await b!.follow("lobby");
      const other = await b!.follow("other");
      await away(a!, "s1", "lunch: back at 2, ok?");
      expect([...here.away]).toEqual([["s1", "lunch: back at 2, ok?"]]);
      await away(a!, "s1", "lunch: back at 2, ok?");
      await away(a!, "s1", "");
      await there.hears("away ana: ");
      expect(await found(b!, "ANA")).toEqual({ session: "s1", nick: "ana", away: "" });
      await away(a!, "s1", undefined);
      await there.hears("away ana: back");
      expect(there.presences).toEqual(["away ana: lunch: back at 2, ok?", "away ana: ", "away ana: back"]);
      expect(await found(b!, "ana")).toEqual({ session: "s1", nick: "ana" });
      expect([...here.wrong, ...there.wrong, ...other.presences]).toEqual([]);
    });

    promise(
      "is told to who comes later, and goes with the session to other rooms and nicks",
      async ([a, b]) => {
        await a!.claim("s1", "ana");
        await away(a!, "s1", "asleep");
        const other = await b!.follow("other");
        await a!.enter("lobby", "s1");
        await a!.enter("other", "s1");
        await other.hears("join ana");
        expect([...other.away]).toEqual([["s1", "asleep"]]);
        await a!.claim("s1", "bea");
        await other.hears("rename ana bea");
        expect([...(await b!.follow("lobby")).away]).toEqual([["s1", "asleep"]]);
        expect(other.wrong).toEqual([]);
      },
    );

    promise(
      "survives the server: whoever claims the session finds it, and nobody hears of that",
      async ([a, b], cluster) => {
        await a!.claim("s1", "ana");
        await a!.enter("lobby", "s1");
        await away(a!, "s1", "asleep");
        const follower = await b!.follow("lobby");
        await cluster.vanish(a!.plane);
        const claimed = await good<{ away?: string }>((done) => b!.plane.claim("s1", "ana", 2, done));
        expect(claimed.away).toBe("asleep");
        await away(b!, "s1", undefined);
        await follower.hears("away ana: back");
        expect(follower.presences).toEqual(["away ana: back"]);
      },
    );

    promise("ends with the session", async ([a, b]) => {
      await a!.claim("s1", "ana");
      await away(a!, "s1", "asleep");
      a!.plane.release("s1");
      const again = await good<{ away?: string }>((done) => a!.plane.claim("s2", "ana", 1, done));
      expect(again.away).toBeUndefined();
      expect(await answer((done) => b!.plane.setAway("s1", "x", done))).toMatchObject({ ok: false });
    });
  });

  describe(`${driver}: how far somebody has read`, () => {
    const raise = (server: Server, reader: string, room: string, epoch: string, seq: number) =>
      good((done) => server.plane.raiseMark(reader, { room, epoch, seq }, done));
    const marks = ({ records }: { records: ReadonlyMap<string, string> }) =>
      Object.fromEntries(
        [...records].map(([room, value]) => {
          const { epoch, seq } = JSON.parse(value) as { epoch: string; seq: number };
          return [room, `${epoch} ${seq}`];
        }),
      );

    promise("never goes back within an epoch, whoever says it, and is heard everywhere", async ([a, b]) => {
      const here = await a!.follow("=ana");
      const there = await b!.follow("=ana");
      await raise(a!, "ana", "lobby", "e1", 7);
      expect(marks(here)).toEqual({ lobby: "e1 7" });
      await Promise.all([
        raise(b!, "ana", "lobby", "e1", 9),
        raise(a!, "ana", "lobby", "e1", 8),
        raise(b!, "ana", "ops", "e1", 3),
        raise(a!, "bob", "lobby", "e1", 99),
      ]);
      await raise(a!, "ana", "lobby", "e1", 5);
      await there.when(() => there.records.size === 2 && marks(there)["lobby"] === "e1 9");
      await here.when(() => marks(here)["lobby"] === "e1 9");
      const said = there.heard.filter((word) => word.startsWith("record lobby"));
      const seqs = said.map((word) => Number(/"seq":(\d+)/.exec(word)?.[1]));
      expect(seqs).toEqual(seqs.toSorted((one, other) => one - other));
      // The room was started anew: what was read of the former log says nothing.
      await raise(b!, "ana", "lobby", "e2", 1);
      await here.when(() => marks(here)["lobby"] === "e2 1");
      expect(marks(await a!.follow("=bob"))).toEqual({ lobby: "e1 99" });
    });

    promise("is kept for the rooms that were read last, and survives a server", async ([a, b], cluster) => {
      const rooms = backplaneLimits.marks + 3;
      for (let n = 1; n <= rooms; n += 1) await raise(a!, "ana", `room${n}`, "e1", n);
      await raise(a!, "ana", "room4", "e1", 40);
      await cluster.vanish(a!.plane);
      const { records } = await b!.follow("=ana");
      expect(records.size).toBe(backplaneLimits.marks);
      expect(marks({ records })["room4"]).toBe("e1 40");
      expect(marks({ records })[`room${rooms}`]).toBe(`e1 ${rooms}`);
    });
  });

  describe(`${driver}: life`, () => {
    promise("a stopped backplane answers every call with a failure and hears nothing", async ([a, b]) => {
      const follower = await a!.follow("lobby");
      await a!.plane.stop(true);
      expect(a!.plane.health().state).toBe("down");
      const body = bytes("x");
      const failed = await Promise.all([
        answer((done) => a!.plane.publish({ room: "lobby", key: "k", body }, done)),
        answer((done) => a!.plane.history({ room: "lobby", limit: 1, maxBytes: 1 }, done)),
        answer((done) => a!.plane.subscribe("lobby", new Follower(), done)),
        answer((done) => a!.plane.claim("s", "n", 1, done)),
        answer((done) => a!.plane.lookup("n", done)),
        answer((done) => a!.plane.setAway("s", "x", done)),
        answer((done) => a!.plane.enter("lobby", "s", done)),
        answer((done) => a!.plane.leave("lobby", "s", done)),
        answer((done) =>
          a!.plane.setRecord({ room: "lobby", key: "k", value: "v", session: "s", once: "1" }, done),
        ),
        answer((done) => a!.plane.raiseMark("r", { room: "lobby", epoch: "e", seq: 1 }, done)),
        answer((done) => a!.plane.rooms(1, done)),
      ]);
      expect(failed.map((result) => (result.ok ? "ok" : result.code))).toEqual(
        Array.from({ length: 11 }, () => "unavailable"),
      );
      a!.plane.release("s");
      a!.plane.tell("s", "x");
      a!.plane.unsubscribe("lobby");
      await b!.publish("lobby", "k");
      expect(follower.heard).toEqual([]);
      expect((await b!.page({ room: "lobby" })).last).toBe(1);
    });

    promise("what is under way at a stop is answered, one way or the other", async ([a, b]) => {
      const under = Array.from({ length: 50 }, (_, i) =>
        answer<{ position: Snapshot["position"] }>((done) =>
          a!.plane.publish({ room: "lobby", key: `k${i}`, body: bytes(`${i}`) }, done),
        ),
      );
      await a!.plane.stop(false);
      const results = await Promise.all(under);
      const logged = new Set((await b!.page({ room: "lobby" })).entries.map((entry) => entry.seq));
      for (const result of results) {
        if (result.ok) expect(logged).toContain(result.position.seq);
        else expect(result.code).toBe("unavailable");
      }
    });

    promise("a healthy backplane says so", async ([a]) => {
      await a!.publish("lobby", "k");
      expect(a!.plane.health()).toMatchObject({ state: "ok" });
      expect(a!.plane.health().detail).not.toBe("");
    });
  });
}
