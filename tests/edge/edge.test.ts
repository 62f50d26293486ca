import { afterEach, describe, expect, test } from "bun:test";
import { TRUNK_MAGIC } from "../../src/protocol/frames.ts";
import { currentTurn } from "../../src/net/turn.ts";
import { edgeLimits } from "../../src/protocol/limits.ts";
import { until, type Bare } from "../net/helpers.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { FakeHub, startEdge } from "./fake-hub.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function start(...options: Parameters<typeof startEdge>) {
  const parts = startEdge(...options);
  cleanups.push(parts.stop);
  return parts;
}

/** A hub that says nothing by itself. */
function silentHub(): FakeHub {
  const hub = new FakeHub();
  hub.onLine = () => {};
  return hub;
}

function errorOf(bare: Bare): { code?: string; message?: string } {
  const last = bare.text.trimEnd().split("\n").at(-1) ?? "{}";
  return JSON.parse(last) as { code?: string; message?: string };
}

const ended = (bare: Bare) =>
  bare.events.includes("end") || bare.events.some((one) => one.startsWith("close"));

const NOTHING = new Uint8Array(0);

describe("a client", () => {
  test("gets its lines answered, in order, however they are cut", async () => {
    const hub = new FakeHub();
    const { client } = start({}, [hub]);
    const bare = await client();
    for (const part of ["on", "e\ntwo\nth", "ree\r", "\n"]) {
      bare.open.write(part);
      await Bun.sleep(2);
    }
    await until(() => bare.text === "one\ntwo\nthree\n");
    expect(hub.last.origin).toEqual({
      edge: "edge-1",
      address: `127.0.0.1:${bare.open.localPort}`,
      acceptedAt: expect.any(Number) as number,
      connection: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
    });
    expect(hub.last.handover).toBeUndefined();
  });

  test("that ends its side gets the rest of its answers, and then the end", async () => {
    const hub = new FakeHub();
    const late: (() => void)[] = [];
    hub.onLine = (session, line, number) => void late.push(() => hub.say(session, line, number));
    const { client } = start({}, [hub]);
    const bare = await client("one\ntwo\nno newline");
    bare.open.shutdown();
    await until(() => late.length === 2);
    expect(hub.last.closed).toBeUndefined();
    for (const answer of late) answer();
    await until(() => bare.events.includes("close"));
    expect(bare.text).toBe("one\ntwo\n");
    expect(hub.last.closed).toBe("ended");
  });

  test("that ends its side is not waited for without end", async () => {
    const clock = new ManualClock();
    const hub = silentHub();
    const { client, edge } = start({ clock, limits: { endedMs: 500, sweepMs: 50 } }, [hub]);
    const bare = await client("one\n");
    bare.open.shutdown();
    await until(() => [...edge.sessions].some(({ connection }) => connection.peerEnded));
    clock.advance(450);
    expect(hub.last.closed).toBeUndefined();
    clock.advance(100);
    expect(hub.last.closed).toBe("ended");
  });

  test("may hear the hub first", async () => {
    const hub = silentHub();
    hub.onOpen = (session) => hub.say(session, "hello from the hub", 0);
    const { client } = start({}, [hub]);
    const bare = await client("x\n");
    await until(() => bare.text === "hello from the hub\n");
  });

  test("that vanishes with lines in flight loses none of them, and its hub hears of the end once", async () => {
    const hub = silentHub();
    const { client, edge } = start({ limits: { unackedLines: 100_000, unackedBytes: 1 << 24 } }, [hub]);
    const bare = await client();
    const lines = Array.from({ length: 5_000 }, (_, index) => `line ${index}`);
    bare.open.write(`${lines.join("\n")}\n`);
    bare.open.shutdown();
    await until(() => hub.sessions[0]?.lines.length === 5_000);
    expect(hub.last.lines).toEqual(lines);
    bare.open.terminate();
    await until(() => hub.last.closed !== undefined);
    expect(edge.connections).toBe(0);
  });

  test("that the hub closes gets everything said before, and then the end", async () => {
    const hub = new FakeHub();
    hub.onLine = (session) => {
      for (let index = 0; index < 400; index += 1) hub.port.send(session.id, Buffer.alloc(10_000, 0x61), 1);
      hub.port.close(session.id, "kicked");
      hub.say(session, "nobody hears this");
    };
    const { client } = start({ limits: { outboxBytes: 1 << 23 } }, [hub]);
    const bare = await client("x\n");
    await until(() => ended(bare));
    expect(bare.text).toBe("a".repeat(4_000_000));
    // The hub closed it, so it is told nothing.
    expect(hub.last.closed).toBeUndefined();
  });

  test("that fails is told apart from one that ends", async () => {
    const hub = new FakeHub();
    const { client } = start({}, [hub]);
    const bare = await client("x\n");
    await until(() => bare.text === "x\n");
    bare.open.terminate();
    await until(() => hub.last.closed !== undefined);
    expect(hub.last.closed).toBe("failed");
  });
});

describe("bad input", () => {
  test("a line over the limit, ended or not, is refused by name, and costs only its sender", async () => {
    const hub = new FakeHub();
    const { client } = start({ limits: { lineBytes: 100 } }, [hub]);
    const good = await client("good\n");
    await until(() => good.text === "good\n");
    for (const bad of [`${"x".repeat(101)}\nlost\n`, "y".repeat(150)]) {
      const bare = await client("first\n");
      await until(() => bare.text === "first\n");
      const session = hub.last;
      bare.open.write(bad);
      await until(() => ended(bare));
      expect(errorOf(bare).code).toBe("line-too-long");
      expect(errorOf(bare).message).toContain("100 bytes");
      expect(session.closed).toBe("line-too-long");
      expect(session.lines).toEqual(["first"]);
    }
    good.open.write("still\n");
    await until(() => good.text === "good\nstill\n");
  });

  test("lines before one over the limit are served, in the same chunk too, and the error comes after their answers", async () => {
    const hub = new FakeHub();
    const late: (() => void)[] = [];
    hub.onLine = (session, line, number) => void late.push(() => hub.say(session, line, number));
    const { client } = start({ limits: { lineBytes: 100 } }, [hub]);
    const bare = await client(`one\ntwo\n${"x".repeat(101)}\nthree\n`);
    await until(() => late.length === 2);
    bare.open.write("four\n");
    await Bun.sleep(20);
    expect([bare.text, ended(bare)]).toEqual(["", false]);
    for (const answer of late) answer();
    await until(() => ended(bare));
    expect(bare.text).toStartWith("one\ntwo\n{");
    expect(errorOf(bare).code).toBe("line-too-long");
    expect([hub.last.lines, hub.last.closed]).toEqual([["one", "two"], "line-too-long"]);
  });

  test("a line over the limit behind more lines than a window takes waits for all of them", async () => {
    const { client } = start({ limits: { lineBytes: 100, unackedLines: 4 } });
    const lines = Array.from({ length: 50 }, (_, index) => `${index}\n`).join("");
    const bare = await client(`${lines}${"x".repeat(101)}\n`);
    await until(() => ended(bare));
    expect(bare.text).toStartWith(`${lines}{`);
    expect(errorOf(bare).code).toBe("line-too-long");
  });

  test("a line over the limit is refused in time though the hub does not answer the lines before it", async () => {
    const clock = new ManualClock();
    const hub = silentHub();
    const { client } = start({ clock, limits: { lineBytes: 100, endedMs: 500, sweepMs: 50 } }, [hub]);
    const bare = await client(`one\n${"x".repeat(101)}\n`);
    await until(() => hub.sessions.length === 1);
    clock.advance(450);
    await Bun.sleep(10);
    expect(ended(bare)).toBe(false);
    clock.advance(100);
    await until(() => ended(bare));
    expect(errorOf(bare).code).toBe("line-too-long");
    expect(hub.last.closed).toBe("line-too-long");
  });

  test("a line that never ends costs no more than the limit", async () => {
    const { client, edge } = start({ limits: { lineBytes: 1_000 } });
    const bare = await client();
    for (let index = 0; index < 9; index += 1) {
      bare.open.write("x".repeat(100));
      await Bun.sleep(1);
    }
    expect(edge.connections).toBe(1);
    bare.open.write("x".repeat(101));
    await until(() => ended(bare));
    expect(errorOf(bare).code).toBe("line-too-long");
  });

  test("strangers are answered in their own protocol", async () => {
    const hub = new FakeHub();
    const { client } = start({}, [hub]);
    const http = await client("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const ssh = await client("SSH-2.0-OpenSSH_9.6\r\n");
    const tls = await client();
    tls.open.write(new Uint8Array([0x16, 3, 1, 2, 0, 1, 0]));
    const trunk = await client();
    trunk.open.write(TRUNK_MAGIC);
    await until(() => [http, ssh, tls, trunk].every(ended));
    expect(http.text).toStartWith("HTTP/1.1 400 Bad Request\r\n");
    for (const bare of [http, ssh, trunk]) expect(errorOf(bare).code).toBe("not-a-client");
    expect(errorOf(trunk).message).toContain("no server that takes trunks");
    expect(Buffer.concat(tls.chunks).toString("hex")).toBe("15030100020228");
    expect(hub.sessions).toEqual([]);
  });

  test("who says nothing, or never ends the first line, is closed in time; who speaks is not", async () => {
    const clock = new ManualClock();
    const { client, edge } = start({ clock, limits: { helloMs: 1_000, sweepMs: 100 } });
    const [silent, slow, talker] = [await client(), await client("half a li"), await client("hello\n")];
    await until(() => edge.connections === 3 && [...edge.sessions].length === 2 && talker.text === "hello\n");
    clock.advance(900);
    expect(edge.connections).toBe(3);
    clock.advance(200);
    await until(() => ended(silent) && ended(slow));
    for (const bare of [silent, slow]) expect(errorOf(bare).code).toBe("hello-timeout");
    expect(errorOf(silent).message).toContain("within 1 s");
    for (const bare of [silent, slow]) bare.open.end();
    await until(() => edge.connections === 1);
    talker.open.write("still\n");
    await until(() => talker.text === "hello\nstill\n");
  });
});

describe("groups", () => {
  test("a frame goes to every member but the exception, in order with what is said to one", async () => {
    const hub = silentHub();
    const { client } = start({}, [hub]);
    const bares = [await client("x\n"), await client("x\n"), await client("x\n")];
    await until(() => hub.sessions.length === 3);
    const [a, b, c] = hub.sessions.map(({ id }) => id) as [number, number, number];
    const { port } = hub;
    port.define(7, "lobby", { epoch: "e", seq: 0 }, 1);
    port.join(a, 7, NOTHING, 0);
    port.join(b, 7, NOTHING, 0);
    port.group(7, Buffer.from("to a and b\n"), 1, 1, 0);
    port.join(c, 7, NOTHING, 0);
    port.send(b, Buffer.from("to b alone\n"), 0);
    port.group(7, Buffer.from("to a and c\n"), 2, 1, b);
    port.leave(a, 7);
    port.leave(a, 7);
    port.group(7, Buffer.from("to b and c\n"), 3, 1, 0);
    port.drop(7);
    port.group(7, Buffer.from("to nobody\n"), 4, 1, 0);
    for (const id of [a, b, c]) port.send(id, Buffer.from("end\n"), 0);
    await until(() => bares.every((bare) => bare.text.endsWith("end\n")));
    const byPort = new Map(hub.sessions.map(({ id, origin }) => [origin.address.split(":")[1], id]));
    const texts = Object.fromEntries(
      bares.map((bare) => [byPort.get(String(bare.open.localPort)) ?? 0, bare.text]),
    );
    expect(texts).toEqual({
      [a]: "to a and b\nto a and c\nend\n",
      [b]: "to a and b\nto b alone\nto b and c\nend\n",
      [c]: "to a and c\nto b and c\nend\n",
    });
  });

  test("names that nobody knows any more are ignored", async () => {
    const hub = new FakeHub();
    const { client, links } = start({}, [hub]);
    const bare = await client("x\n");
    await until(() => bare.text === "x\n");
    const { port } = hub;
    const words = Buffer.from("lost\n");
    port.send(99, words, 1);
    port.group(99, words, 1, 1, 0);
    port.join(hub.last.id, 99, NOTHING, 0);
    port.define(1, "a", { epoch: "e", seq: 0 }, 0);
    port.join(99, 1, NOTHING, 0);
    port.leave(99, 1);
    port.replay(99, "a", words, 3);
    port.token(99, "t");
    port.close(99, "bye");
    port.drop(99);
    bare.open.write("y\n");
    await until(() => bare.text === "x\ny\n");
    expect([links[0]?.size, links[0]?.groupCount]).toEqual([1, 1]);
  });

  test("members that come and go in any order keep what they should", async () => {
    const hub = silentHub();
    const { client } = start({}, [hub]);
    const bares: Bare[] = [];
    for (let index = 0; index < 20; index += 1) bares.push(await client("x\n"));
    await until(() => hub.sessions.length === 20);
    const { port } = hub;
    const expected = new Map<number, string>(hub.sessions.map(({ id }) => [id, ""]));
    const members = [new Set<number>(), new Set<number>(), new Set<number>()];
    for (const index of members.keys()) port.define(index + 1, `room${index}`, { epoch: "e", seq: 0 }, 0);
    let seed = 12_345;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    for (let step = 0; step < 2_000; step += 1) {
      const room = random(3);
      const { id } = hub.sessions[random(20)] ?? hub.last;
      if (random(3) === 0) {
        port.leave(id, room + 1);
        members[room]?.delete(id);
      } else {
        port.join(id, room + 1, NOTHING, 0);
        members[room]?.add(id);
      }
      if (step % 20 === 0) {
        port.group(room + 1, Buffer.from(`${step}\n`), step, 0, 0);
        for (const member of members[room] ?? []) expected.set(member, `${expected.get(member)}${step}\n`);
      }
    }
    const ids = new Map(hub.sessions.map(({ id, origin }) => [origin.address.split(":")[1], id]));
    const wanted = (bare: Bare) => expected.get(ids.get(String(bare.open.localPort)) ?? 0);
    await until(() => bares.every((bare) => bare.text === wanted(bare)), "everybody has theirs");
  });
});

describe("slow readers", () => {
  /** Two clients in one group. The first does not read. */
  async function room(limits: Parameters<typeof startEdge>[0]) {
    const hub = silentHub();
    const parts = start(limits, [hub]);
    const slow = await parts.client("x\n");
    await until(() => hub.sessions.length === 1);
    const fast = await parts.client("x\n");
    await until(() => hub.sessions.length === 2);
    slow.open.pause();
    hub.port.define(1, "lobby", { epoch: "e", seq: 0 }, 0);
    for (const { id } of hub.sessions) hub.port.join(id, 1, NOTHING, 0);
    return { hub, slow, fast, ...parts };
  }
  const line = Buffer.from(`${"m".repeat(9_999)}\n`);

  test("are dropped at the hard limit with a whole last line; nobody else waits for them", async () => {
    // A clock that stands still: how long the last words are kept for the slow one is not what this is about.
    const { hub, slow, fast, edge } = await room({
      clock: new ManualClock(),
      limits: { outboxBytes: 1 << 20 },
    });
    let most = 0;
    for (let seq = 1; seq <= 5_000; seq += 1) {
      hub.port.group(1, line, seq, 0, 0);
      if (seq % 20 !== 0) continue;
      await Bun.sleep(0);
      for (const session of edge.sessions) most = Math.max(most, session.connection.outboxBytes);
    }
    await until(() => fast.bytes === 50_000_000, "the other has 50 MB");
    await until(() => hub.sessions[0]?.closed !== undefined);
    expect(hub.sessions[0]?.closed).toBe("slow-consumer");
    expect(hub.sessions[1]?.closed).toBeUndefined();
    // What the limit allows, and what one turn of the loop may bring on top.
    expect(most).toBeLessThan((1 << 20) + 20 * line.length);
    slow.open.resume();
    await until(() => ended(slow));
    const lines = slow.text.split("\n");
    expect(errorOf(slow).code).toBe("slow-consumer");
    expect(lines.slice(0, -2).every((one) => one.length === 9_999)).toBe(true);
  });

  test("may be a little behind for a while, but not for long", async () => {
    const clock = new ManualClock();
    const limits = { outboxBytes: 1 << 26, outboxSoftBytes: 100_000, outboxSoftMs: 1_000, sweepMs: 100 };
    const { hub, slow, fast, edge } = await room({ clock, limits });
    const [session] = hub.sessions;
    const send = async (from: number): Promise<void> => {
      for (let seq = from; seq < from + 1_000; seq += 1) hub.port.group(1, line, seq, 0, 0);
      await until(() => fast.bytes === (from + 999) * line.length && edge.slowReaders === 1);
    };
    await send(1);
    clock.advance(900);
    // It catches up in time, and is slow again later.
    slow.open.resume();
    await until(() => slow.bytes === 10_000_000 && edge.slowReaders === 0);
    clock.advance(500);
    expect(session?.closed).toBeUndefined();
    slow.open.pause();
    await send(1_001);
    clock.advance(900);
    expect(session?.closed).toBeUndefined();
    clock.advance(200);
    expect(session?.closed).toBe("slow-consumer");
  });
});

describe("flow control", () => {
  test("a hub that finishes nothing gets a window of lines, and the client is not read any further", async () => {
    const hub = silentHub();
    const limits = { unackedLines: 16, unackedBytes: 4_000 };
    const { client, edge } = start({ limits }, [hub]);
    const bare = await client();
    const text = Array.from({ length: 200_000 }, (_, index) => `line ${index}\n`).join("");
    const bytes = Buffer.from(text);
    let at = 0;
    const push = (): void => {
      const taken = bare.open.write(bytes.subarray(at));
      if (taken > 0) at += taken;
    };
    push();
    await until(() => hub.sessions[0]?.lines.length === 16);
    const [session] = edge.sessions;
    await until(() => session?.connection.isPaused === true);
    await Bun.sleep(10);
    expect(hub.last.lines.length).toBe(16);
    // One chunk of the socket at most beyond the window.
    expect(session?.unfinishedBytes).toBeLessThan(600_000);
    while (hub.last.received < 200_000) {
      hub.port.send(hub.last.id, Buffer.alloc(0), hub.last.received);
      if (at < bytes.length) push();
      await Bun.sleep(0);
    }
    hub.port.send(hub.last.id, Buffer.alloc(0), 200_000);
    await until(() => session?.connection.isPaused === false);
    expect(hub.last.lines.join("\n")).toBe(text.trimEnd());
  });

  test("never more unfinished lines than the window, also when a chunk holds thousands", async () => {
    const hub = new FakeHub();
    let unfinished = 0;
    let most = 0;
    const answers: (() => void)[] = [];
    hub.onLine = (session, line, number) => {
      unfinished += 1;
      most = Math.max(most, unfinished);
      answers.push(() => {
        unfinished -= 1;
        hub.say(session, line, number);
      });
    };
    const { client } = start({ limits: { unackedLines: 7 } }, [hub]);
    const text = Array.from({ length: 5_000 }, (_, index) => `${index}\n`).join("");
    const bare = await client(text);
    while (bare.text.length < text.length) {
      for (const answer of answers.splice(0, 3)) answer();
      await Bun.sleep(0);
    }
    expect(bare.text).toBe(text);
    expect(most).toBe(7);
  });

  test("a client with thousands of lines that are answered at once takes turns with everybody else", async () => {
    const hub = new FakeHub();
    const { client } = start({}, [hub]);
    const [flood, person] = [await client("begin\n"), await client("begin\n")];
    await until(() => hub.sessions.length === 2 && hub.sessions.every(({ received }) => received === 1));
    const lines = Array.from({ length: 20_000 }, (_, index) => `x${index}`);
    let given = 0;
    let inTurn = 0;
    let most = 0;
    let before: number | undefined;
    hub.onLine = (session, line, number) => {
      hub.say(session, line, number);
      if (line === "quick") before = given;
      else {
        given += 1;
        inTurn += 1;
      }
      if (line === "x0") person.open.write("quick\n");
    };
    const watch = (): void => {
      most = Math.max(most, inTurn);
      inTurn = 0;
      if (given < lines.length) setImmediate(watch);
    };
    setImmediate(watch);
    flood.open.write(`${lines.join("\n")}\n`);
    await until(() => flood.text.endsWith("x19999\n"));
    await until(() => person.text.endsWith("quick\n"));
    expect(before).toBeLessThan(2_000);
    // The watch and the edge do not look at the same moment of a turn.
    expect(most).toBeLessThanOrEqual(2 * edgeLimits.turnLines);
    expect(flood.text).toBe(`begin\n${lines.join("\n")}\n`);
  });

  test("a client with long lines has a share of each turn too", async () => {
    const hub = new FakeHub();
    const { client } = start({}, [hub]);
    const flood = await client("begin\n");
    await until(() => hub.sessions.length === 1 && hub.last.received === 1);
    const lines = Array.from({ length: 60 }, (_, index) => `${index} ${"x".repeat(8_000)}`);
    const inTurn = new Map<number, number>();
    hub.onLine = (session, line, number) => {
      hub.say(session, line, number);
      inTurn.set(currentTurn(), (inTurn.get(currentTurn()) ?? 0) + line.length + 1);
    };
    flood.open.write(`${lines.join("\n")}\n`);
    await until(() => flood.text.length === "begin\n".length + lines.length + lines.join("").length);
    expect(Math.max(...inTurn.values())).toBeLessThanOrEqual(edgeLimits.turnBytes + 8_010);
  });

  test("a trunk that is behind stops the reading of its clients and of nobody else's; pauses equal resumes", async () => {
    const hubs = [new FakeHub(), new FakeHub()];
    const told: string[] = [];
    let turn = 0;
    const parts = start(
      {
        router: {
          place: () => parts.links[turn++ % 2] ?? "wait",
          move: () => "wait",
        },
        observer: {
          pressed: ({ label }) => told.push(`+${label}`),
          eased: ({ label }) => told.push(`-${label}`),
        },
      },
      hubs,
    );
    const [first, second] = [await parts.client("a\n"), await parts.client("b\n")];
    await until(() => first.text === "a\n" && second.text === "b\n");
    parts.fate(0).pressed();
    parts.fate(0).pressed();
    const third = await parts.client("c\n");
    await until(() => third.text === "c\n");
    first.open.write("late\n");
    second.open.write("soon\n");
    await until(() => second.text === "b\nsoon\n");
    await Bun.sleep(10);
    expect(first.text).toBe("a\n");
    const paused = [...parts.edge.sessions].map(({ connection, link }) => [link?.label, connection.isPaused]);
    expect(paused).toEqual([
      ["hub-1", true],
      ["hub-2", false],
      ["hub-1", true],
    ]);
    parts.fate(0).eased();
    await until(() => first.text === "a\nlate\n");
    expect(told).toEqual(["+hub-1", "-hub-1"]);
  });
});

describe("going away", () => {
  test("finishes the lines taken, tells everybody, and takes nobody more", async () => {
    const hub = silentHub();
    const { client, edge } = start({}, [hub]);
    const [busy, idle] = [await client("one\n"), await client("two\n")];
    await until(() => hub.sessions.length === 2);
    const [first, second] = hub.sessions as [FakeHub["last"], FakeHub["last"]];
    const [busyIsFirst] = [first.lines[0] === "one"];
    const [busySession, idleSession] = busyIsFirst ? [first, second] : [second, first];
    hub.say(idleSession, "two", 1);
    const gone = edge.shutdown({ afterMs: 100, jitterMs: 900, deadlineMs: 4_000 });
    await until(() => ended(idle));
    expect(idle.text).toBe('two\n{"type":"going-away","afterMs":100,"jitterMs":900}\n');
    expect([idleSession.closed, busySession.closed]).toEqual(["going-away", undefined]);
    busy.open.write("three\n");
    await until(() => busy.text.includes("going-away"));
    expect(ended(busy)).toBe(false);
    hub.say(busySession, "one", 1);
    await until(() => ended(busy));
    expect(busy.text.endsWith("one\n")).toBe(true);
    expect(busySession.lines).toEqual(["one"]);
    for (const bare of [busy, idle]) bare.open.end();
    await gone;
    expect([edge.connections, hub.detached]).toEqual([0, 1]);
    expect(client()).rejects.toThrow();
  });

  test("does not wait longer than its deadline", async () => {
    const clock = new ManualClock();
    const hub = silentHub();
    const { client, edge } = start({ clock }, [hub]);
    const [busy] = [await client("one\n"), await client()];
    await until(() => hub.sessions.length === 1 && edge.connections === 2);
    let isGone = false;
    const gone = edge.shutdown({ afterMs: 0, jitterMs: 0, deadlineMs: 1_000 }).then(() => {
      isGone = true;
    });
    clock.advance(900);
    await Bun.sleep(5);
    expect(isGone).toBe(false);
    clock.advance(200);
    await gone;
    await until(() => ended(busy));
    expect([edge.connections, hub.detached]).toEqual([0, 1]);
  });
});
