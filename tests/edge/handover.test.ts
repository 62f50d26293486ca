import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Edge } from "../../src/edge/edge.ts";
import type { TrunkLink } from "../../src/edge/link.ts";
import { seededRandom, systemClock } from "../../src/protocol/clock.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { Bare, until } from "../net/helpers.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { FakeHub, startEdge } from "./fake-hub.ts";
import { ModelCluster, ModelTrunk } from "./model-cluster.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function start(...options: Parameters<typeof startEdge>) {
  const parts = startEdge(...options);
  cleanups.push(parts.stop);
  return parts;
}

const nothing = new Uint8Array(0);

/** A hub that gives a token with the first line, and answers when it is told to. */
function slowHub(): FakeHub & { answerAll(): void } {
  const answers: (() => void)[] = [];
  const hub = Object.assign(new FakeHub(), {
    answerAll: () => {
      for (const answer of answers.splice(0)) answer();
    },
  });
  hub.onLine = (session, line, number) => {
    if (number === 1) hub.port.token(session.id, `token of ${session.id}`);
    answers.push(() => hub.say(session, `${line} by hub`, number));
  };
  return hub;
}

describe("a session whose hub dies", () => {
  test("goes on at another with its token, its place in each group, and the lines that were not finished", async () => {
    const [first, second] = [slowHub(), slowHub()];
    const { client, fate, attach } = start({}, [first]);
    const bare = await client("one\ntwo\nthree\n");
    await until(() => first.sessions[0]?.lines.length === 3);
    const { id } = first.last;
    first.port.define(4, "lobby", { epoch: "e1", seq: 10 }, 77);
    first.port.define(5, "old", { epoch: "e1", seq: 5 }, 1);
    first.port.join(id, 4, nothing, 0);
    first.port.join(id, 5, nothing, 0);
    first.port.group(4, Buffer.from("message 11\n"), 11, 78, 0);
    first.port.leave(id, 5);
    first.say(first.last, "one done", 1);
    attach(second);
    fate(0).gone();
    await until(() => second.sessions[0]?.lines.length === 2);
    expect(second.last.handover).toEqual({
      origin: first.last.origin,
      token: `token of ${id}`,
      done: 1,
      moves: 1,
      groups: [{ name: "lobby", position: { epoch: "e1", seq: 11 }, roster: 78 }],
    });
    expect(second.last.lines).toEqual(["two", "three"]);
    second.answerAll();
    bare.open.write("four\n");
    await until(() => second.last.lines.length === 3);
    second.answerAll();
    await until(() => bare.text.includes("four by hub"));
    expect(bare.text).toBe("message 11\none done\ntwo by hub\nthree by hub\nfour by hub\n");
  });

  test("is told of a line over the limit after the other hub has answered the lines before it", async () => {
    const [first, second] = [slowHub(), slowHub()];
    const { client, fate, attach } = start({ limits: { lineBytes: 100 } }, [first]);
    const bare = await client(`one\ntwo\n${"x".repeat(101)}\n`);
    await until(() => first.sessions[0]?.lines.length === 2);
    first.say(first.last, "one done", 1);
    attach(second);
    fate(0).gone();
    await until(() => second.sessions[0]?.lines.length === 1);
    second.answerAll();
    await until(() => bare.text.includes("line-too-long"));
    expect(bare.text).toStartWith("one done\ntwo by hub\n{");
    expect([second.last.lines, second.last.closed]).toEqual([["two"], "line-too-long"]);
  });

  test("brings what a second hub had replayed when that one dies too, before it was back in its groups", async () => {
    const [first, second, third] = [slowHub(), slowHub(), slowHub()];
    const { client, fate, attach } = start({}, [first]);
    await client("one\n");
    await until(() => first.sessions[0]?.lines.length === 1);
    for (const [index, name] of ["a", "b", "c"].entries()) {
      first.port.define(index + 1, name, { epoch: "e", seq: 10 }, 1);
      first.port.join(first.last.id, index + 1, nothing, 0);
    }
    attach(second);
    fate(0).gone();
    await until(() => second.sessions.length === 1);
    // Back in a; half way back to b; c not begun.
    second.port.replay(second.last.id, "a", Buffer.from("a11\n"), 11);
    second.port.define(1, "a", { epoch: "e", seq: 11 }, 2);
    second.port.join(second.last.id, 1, nothing, 0);
    second.port.replay(second.last.id, "b", Buffer.from("b11\nb12\n"), 12);
    second.port.group(1, Buffer.from("a12\n"), 12, 3, 0);
    attach(third);
    fate(1).gone();
    await until(() => third.sessions.length === 1);
    const groups = [...(third.last.handover?.groups ?? [])].sort((x, y) => (x.name < y.name ? -1 : 1));
    expect(groups.map(({ name, position, roster }) => [name, position.seq, roster])).toEqual([
      ["a", 12, 3],
      ["b", 12, 1],
      ["c", 10, 1],
    ]);
  });

  test("does not bring a group that it left after it was moved", async () => {
    const [first, second, third] = [slowHub(), slowHub(), slowHub()];
    const { client, fate, attach } = start({}, [first]);
    await client("one\n");
    await until(() => first.sessions[0]?.lines.length === 1);
    for (const [index, name] of ["a", "b"].entries()) {
      first.port.define(index + 1, name, { epoch: "e", seq: 10 }, 1);
      first.port.join(first.last.id, index + 1, nothing, 0);
    }
    attach(second);
    fate(0).gone();
    await until(() => second.sessions.length === 1);
    for (const [index, name] of ["a", "b"].entries()) {
      second.port.define(index + 1, name, { epoch: "e", seq: 10 }, 1);
      second.port.join(second.last.id, index + 1, nothing, 0);
    }
    second.port.leave(second.last.id, 1);
    attach(third);
    fate(1).gone();
    await until(() => third.sessions.length === 1);
    expect(third.last.handover?.groups.map(({ name }) => name)).toEqual(["b"]);
    expect(third.last.handover?.moves).toBe(2);
  });

  test("of two groups of one name, the later is what it brings", async () => {
    const [first, second] = [slowHub(), slowHub()];
    const { client, fate, attach } = start({}, [first]);
    await client("one\n");
    await until(() => first.sessions[0]?.lines.length === 1);
    const { id } = first.last;
    first.port.define(1, "a", { epoch: "old", seq: 10 }, 1);
    first.port.join(id, 1, nothing, 0);
    first.port.define(2, "a", { epoch: "new", seq: 2 }, 1);
    first.port.join(id, 2, nothing, 0);
    attach(second);
    fate(0).gone();
    await until(() => second.sessions.length === 1);
    expect(second.last.handover?.groups.map(({ position }) => position)).toEqual([{ epoch: "new", seq: 2 }]);
  });

  test("before it said anything starts over elsewhere, and never at a hub that failed it", async () => {
    const hubs = [new FakeHub(), new FakeHub()];
    for (const hub of hubs) hub.onLine = () => {};
    const failed: (readonly string[])[] = [];
    const told: string[] = [];
    const parts = start(
      {
        router: {
          place: (_origin, links) => {
            failed.push([...links].map(({ label }) => label));
            return parts.links.find((link) => link.isOpen) ?? "wait";
          },
          move: () => "wait",
        },
        observer: {
          failed: ({ label }) => told.push(`failed ${label}`),
          placed: ({ label }, retried) => told.push(`placed ${label} ${retried}`),
        },
      },
      hubs,
    );
    const bare = await parts.client("hello\nmore\n");
    const [first, second] = hubs as [FakeHub, FakeHub];
    await until(() => first.sessions[0]?.lines.length === 2);
    parts.fate(0).gone();
    await until(() => second.sessions[0]?.lines.length === 2);
    // The count of moves tells the hubs who has it now.
    expect(second.last.handover).toMatchObject({ token: "", done: 0, moves: 1, groups: [] });
    second.say(second.last, "welcome", 1);
    await until(() => bare.text === "welcome\n");
    expect(failed).toEqual([[], ["hub-1"]]);
    expect(told).toEqual(["failed hub-1", "placed hub-2 true"]);
  });

  test("with lines answered but no welcome keeps the count of its lines", async () => {
    const [first, second] = [new FakeHub(), new FakeHub()];
    const { client, fate, attach } = start({}, [first]);
    const bare = await client("not json\n");
    await until(() => bare.text === "not json\n");
    attach(second);
    fate(0).gone();
    await until(() => second.sessions.length === 1);
    bare.open.write("hello\n");
    await until(() => bare.text === "not json\nhello\n");
    expect(second.last.handover).toMatchObject({ token: "", done: 1, groups: [] });
  });
});

describe("a session with no hub", () => {
  const limits = { holdMs: 30_000, holdNoticeMs: 1_000, sweepMs: 100 };

  test("is held, told after a while, and goes on when there is one again", async () => {
    const clock = new ManualClock();
    const [first, second] = [slowHub(), slowHub()];
    const { client, fate, attach, edge } = start({ clock, limits }, [first]);
    const bare = await client("one\n");
    await until(() => first.sessions[0]?.lines.length === 1);
    first.answerAll();
    await until(() => bare.text === "one by hub\n");
    fate(0).gone();
    clock.advance(500);
    expect(edge.held).toBe(1);
    bare.open.write("two\n");
    await Bun.sleep(5);
    expect(bare.text).toBe("one by hub\n");
    clock.advance(1_000);
    await until(() => bare.text.includes('"code":"holding"'));
    // Told once, however often it is tried in vain.
    edge.retry();
    clock.advance(5_000);
    attach(second);
    edge.retry();
    clock.advance(0);
    expect(second.last.lines).toEqual(["two"]);
    expect(second.last.handover).toMatchObject({ token: `token of ${first.last.id}`, done: 1 });
    expect(edge.held).toBe(0);
    second.answerAll();
    await until(() => bare.text.endsWith("two by hub\n"));
    const codes = bare.text.split("\n").filter((line) => line.startsWith("{"));
    expect(codes.map((line) => (JSON.parse(line) as { code: string }).code)).toEqual(["holding", "restored"]);
  });

  test("is not told of a pause that is short", async () => {
    const clock = new ManualClock();
    const [first, second] = [slowHub(), slowHub()];
    const { client, fate, attach, edge } = start({ clock, limits }, [first]);
    const bare = await client("one\n");
    await until(() => first.sessions[0]?.lines.length === 1);
    fate(0).gone();
    clock.advance(900);
    attach(second);
    edge.retry();
    clock.advance(0);
    second.answerAll();
    await until(() => bare.text.length > 0);
    clock.advance(10_000);
    expect(bare.text).toBe("one by hub\n");
  });

  test("also waits when it is new, and is closed with a code to come back when it takes too long", async () => {
    const clock = new ManualClock();
    const told: string[] = [];
    const { client, edge } = start(
      { clock, limits, observer: { ended: () => told.push("ended"), placed: () => told.push("placed") } },
      [],
    );
    const bare = await client("hello\n");
    await until(() => edge.held === 1);
    clock.advance(29_000);
    expect(edge.held).toBe(1);
    clock.advance(1_200);
    await until(() => bare.events.includes("end"));
    expect(bare.text).toContain('"code":"holding"');
    expect(bare.text).toContain('"code":"no-backend"');
    expect(bare.text).toContain("for 30 s");
    expect(edge.held).toBe(0);
    // It was never on any backend.
    expect(told).toEqual([]);
  });

  test("costs a bounded amount of memory, however much it sends", async () => {
    const clock = new ManualClock();
    const { client, edge } = start({ clock, limits: { ...limits, unackedBytes: 100_000 } }, []);
    const bare = await client("hello\n");
    await until(() => edge.held === 1);
    const line = Buffer.from(`${"x".repeat(999)}\n`);
    let sent = 0;
    let blocked = 0;
    while (blocked < 20) {
      const taken = bare.open.write(line);
      if (taken === line.length) sent += taken;
      else {
        blocked += 1;
        await Bun.sleep(1);
      }
    }
    expect(sent).toBeGreaterThan(200_000);
    const [session] = edge.sessions;
    expect(session?.connection.isPaused).toBe(true);
    // The window, and one chunk of the socket.
    expect(session?.unfinishedBytes).toBeLessThan(100_000 + 600_000);
  });

  test("may leave", async () => {
    const { client, edge } = start({}, []);
    const bare = await client("hello\n");
    await until(() => edge.held === 1);
    bare.open.terminate();
    await until(() => edge.connections === 0);
    expect(edge.held).toBe(0);
  });
});

describe("moving sessions off a hub that lives", () => {
  test("takes so many, tells the old hub to expect them elsewhere, and loses nothing", async () => {
    const [first, second] = [slowHub(), slowHub()];
    const told: string[] = [];
    const parts = start(
      {
        router: {
          place: () => parts.links[0] ?? "wait",
          move: () => parts.links.find((link) => link.isOpen && !link.isDraining) ?? "wait",
        },
        observer: {
          movedOut: ({ label }) => told.push(`out ${label}`),
          movedIn: ({ label }) => told.push(`in ${label}`),
          resumed: ({ label }, pauseMs) => told.push(`resumed ${label} ${pauseMs >= 0}`),
          draining: ({ label }) => told.push(`draining ${label}`),
        },
      },
      [first, second],
    );
    const bares: Bare[] = [];
    for (let index = 0; index < 5; index += 1) bares.push(await parts.client(`line ${index}\n`));
    await until(() => first.sessions.length === 5);
    const [link] = parts.links as [TrunkLink];
    // Nobody is moved while there is no other place.
    expect(parts.edge.move(link, 10)).toBe(0);
    first.port.drain();
    first.port.drain();
    expect(parts.edge.move(link, 3)).toBe(3);
    expect(first.sessions.map(({ closed }) => closed)).toEqual([
      "going-away",
      "going-away",
      "going-away",
      undefined,
      undefined,
    ]);
    second.answerAll();
    expect(parts.edge.move(link, 10)).toBe(2);
    expect(link.size).toBe(0);
    second.answerAll();
    first.answerAll();
    await until(() => bares.every((bare) => bare.text.length > 0));
    expect(bares.map((bare) => bare.text).sort()).toEqual(
      [0, 1, 2, 3, 4].map((index) => `line ${index} by hub\n`),
    );
    expect(told.filter((one) => one.startsWith("out"))).toHaveLength(5);
    expect(told.filter((one) => one === "in hub-2")).toHaveLength(5);
    expect(told.filter((one) => one === "resumed hub-2 true")).toHaveLength(5);
    expect(told.filter((one) => one.startsWith("draining"))).toEqual(["draining hub-1"]);
  });
});

/** What a client of the model must have seen, whatever happened to the hubs. */
function judge(text: string, lines: readonly string[], cluster: ModelCluster): void {
  const acks: number[] = [];
  const positions = new Map<string, number>();
  for (const line of text.split("\n").slice(0, -1)) {
    const words = line.split(" ");
    if (words[0] === "ack") {
      const number = Number(words[1]);
      acks.push(number);
      expect(lines[number - 1]).toStartWith(`${words[2]} ${words[3]}`);
      if (words[2] === "join" && !positions.has(words[3] ?? ""))
        positions.set(words[3] ?? "", Number(words[5]));
    } else {
      const [room = "", seq = "", message] = words;
      expect(Number(seq)).toBe((positions.get(room) ?? Number.NaN) + 1);
      positions.set(room, Number(seq));
      expect(cluster.log(room)[Number(seq) - 1]).toBe(message);
    }
  }
  expect(acks).toEqual(lines.map((_, index) => index + 1));
  for (const [room, seq] of positions) expect([room, seq]).toEqual([room, cluster.log(room).length]);
}

test("whatever is cut when: every line is finished once, every message arrives once and in order", async () => {
  const scenario = fc.record({
    seed: fc.integer(),
    clients: fc.integer({ min: 2, max: 5 }),
    lines: fc.integer({ min: 2, max: 14 }),
    cuts: fc.integer({ min: 0, max: 8 }),
    moves: fc.integer({ min: 0, max: 3 }),
  });
  let handovers = 0;
  await fc.assert(
    fc.asyncProperty(scenario, async ({ seed, clients, lines, cuts, moves }) => {
      const random = seededRandom(seed);
      const below = (most: number): number => Math.floor(random() * most);
      const cluster = new ModelCluster();
      const trunks = new Map<TrunkLink, ModelTrunk>();
      const pick = (): TrunkLink | "wait" => {
        const open = [...trunks.keys()].filter((link) => link.isOpen);
        return open[below(open.length)] ?? "wait";
      };
      const edge = new Edge({
        name: "edge",
        clock: systemClock,
        logger: silentLogger,
        router: { place: pick, move: pick },
        observer: {
          resumed: () => {
            handovers += 1;
          },
        },
        limits: { unackedLines: 3, placedPerTurn: 2 },
      });
      const addTrunk = (): void => {
        const trunk = new ModelTrunk(cluster);
        trunks.set(edge.attach(trunk, "model"), trunk);
        edge.retry();
      };
      const listener = edge.listen({ at: { host: "127.0.0.1", port: 0 } });
      addTrunk();
      addTrunk();
      const rooms = ["a", "b"];
      const said = Array.from({ length: clients }, (_, client) =>
        Array.from({ length: lines }, (_unused, index) =>
          index < 2 ? `join ${rooms[index]}` : `say ${rooms[below(2)]} c${client}l${index}`,
        ),
      );
      const bares: Bare[] = [];
      for (let index = 0; index < clients; index += 1) {
        bares.push(await Bare.to({ host: "127.0.0.1", port: listener.port }));
      }
      const unsent = said.map((one) => Buffer.from(`${one.join("\n")}\n`));
      const answered = (): boolean =>
        bares.every((bare, index) => bare.text.includes(`ack ${said[index]?.length} `));
      let [cutsLeft, movesLeft] = [cuts, moves];
      const deadline = performance.now() + 4_000;
      while (!answered() || cutsLeft > 0) {
        if (performance.now() > deadline) throw new Error("the model came to a standstill");
        for (const [index, bytes] of unsent.entries()) {
          const part = bytes.subarray(0, below(40));
          if (part.length > 0) bares[index]?.open.write(part);
          unsent[index] = bytes.subarray(part.length);
        }
        for (const trunk of trunks.values()) trunk.step(below(60), below(90));
        const open = [...trunks.keys()].filter((link) => link.isOpen);
        const victim = open[below(open.length)];
        if (cutsLeft > 0 && victim !== undefined && below(4) === 0) {
          trunks.get(victim)?.cut();
          cutsLeft -= 1;
        } else if (movesLeft > 0 && victim !== undefined && below(4) === 0) {
          edge.move(victim, 1 + below(2));
          movesLeft -= 1;
        }
        if (open.length < 2 && below(3) === 0) addTrunk();
        await Bun.sleep(0);
      }
      // Quiet: everything on its way arrives.
      if (![...trunks.keys()].some((link) => link.isOpen)) addTrunk();
      const total = (): number =>
        [...trunks.values()].reduce((sum, trunk) => sum + (trunk.isOpen ? trunk.waiting : 0), 0);
      let quiet = 0;
      while (quiet < 5) {
        for (const trunk of trunks.values()) trunk.step(1 << 20, 1 << 20);
        await Bun.sleep(1);
        quiet = total() === 0 && edge.held === 0 ? quiet + 1 : 0;
        if (performance.now() > deadline) throw new Error("the model does not become quiet");
      }
      for (const [index, bare] of bares.entries()) judge(bare.text, said[index] ?? [], cluster);
      const sayings = said.flat().filter((line) => line.startsWith("say"));
      expect([...cluster.logs.values()].flat().sort()).toEqual(
        sayings.map((line) => line.split(" ")[2] ?? "").sort(),
      );
      for (const bare of bares) bare.open.terminate();
      await edge.shutdown({ afterMs: 0, jitterMs: 0, deadlineMs: 1_000 });
    }),
    { numRuns: 60 },
  );
  expect(handovers).toBeGreaterThan(5);
}, 60_000);
