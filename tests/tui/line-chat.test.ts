/** Line mode and pipe mode over a real client and a simulated network: what a person reads, what a script gets. */
import { describe, expect, test } from "bun:test";
import { Client } from "../../src/client/client.ts";
import { parseAddress } from "../../src/protocol/address.ts";
import { seededRandom, systemClock } from "../../src/protocol/clock.ts";
import { pipeLimits } from "../../src/protocol/limits.client.ts";
import { noPaint } from "../../src/tui/colours.ts";
import { english } from "../../src/tui/language/english.ts";
import { LineChat } from "../../src/tui/line/line-chat.ts";
import { runPipe } from "../../src/tui/line/pipe.ts";
import { FakeServer } from "../client/fake-server.ts";
import { SimClock } from "../client/sim-clock.ts";
import { SimNetwork } from "../client/sim-network.ts";

const A = "127.0.0.1:8001";

function world(server = new FakeServer()) {
  const clock = new SimClock();
  const network = new SimNetwork(clock, seededRandom(3), new Map([[A, server]]));
  let ids = 0;
  const client = new Client({
    addresses: [parseAddress(A)],
    nick: "ana",
    client: "test",
    dial: network.dial,
    clock,
    random: seededRandom(1),
    newId: () => `id${(ids += 1)}`,
  });
  return { clock, network, client, server };
}

function chat(server?: FakeServer) {
  const all = world(server);
  const printed: string[] = [];
  let prompt = "";
  let quits = 0;
  const screen = {
    print: (lines: readonly string[]) => void printed.push(...lines.filter((line) => !line.startsWith("—"))),
    prompt: (text: string) => void (prompt = text),
  };
  const line = new LineChat({
    backend: all.client,
    screen,
    words: english,
    paint: noPaint,
    room: "lobby",
    suggest: (word, candidates) => candidates.find((one) => one.startsWith(word.slice(0, 2))),
    quit: () => void (quits += 1),
    timeZone: "UTC",
  });
  line.start();
  all.clock.advance(100);
  /** Types, waits for answers, and gives what was printed since. */
  const type = (text: string) => {
    printed.length = 0;
    line.typed(text);
    all.clock.advance(100);
    return [...printed];
  };
  return { ...all, line, printed, type, prompt: () => prompt, quits: () => quits };
}

describe("line mode", () => {
  test("greets, shows history and where one is, then what one says", () => {
    const server = new FakeServer();
    server.post("lobby", "bob", "before");
    const { printed, type, prompt } = chat(server);
    expect(printed).toEqual([
      "· connected to fake as ana; /help shows the commands",
      "22:13 bob: before",
      "· you are in lobby, alone so far",
    ]);
    expect(prompt()).toBe("lobby> ");
    expect(type("hello \u001b[31mthere\u001b[0m")).toEqual(["22:13 ana: hello there"]);
  });

  test("says that a server stops, unless there is a successor already", () => {
    const { server, clock, printed } = chat();
    printed.length = 0;
    const away = (afterMs: number): void => {
      [...server.connections].at(-1)?.say({ type: "going-away", afterMs, jitterMs: 0 });
      clock.advance(100);
    };
    away(0);
    expect(printed).toEqual([]);
    away(3_000);
    expect(printed).toEqual(["· the server is about to stop; another connection follows by itself"]);
  });

  test("changes no earlier message while the last one is under way", () => {
    const { type, line, printed, clock, server } = chat();
    expect(type("to be kept")).toEqual(["22:13 ana: to be kept"]);
    printed.length = 0;
    line.typed("oops");
    line.typed("/delete");
    line.typed("/edit something else");
    const later = "! your last message is still on its way; change it when it is there";
    expect(printed).toEqual([later, later]);
    clock.advance(100);
    expect(printed.slice(2)).toEqual(["22:13 ana: oops"]);
    type("/delete");
    const changes = server.log("lobby").flatMap(({ re }) => (re === undefined ? [] : [re]));
    expect(changes).toEqual([{ kind: "delete", seq: 2 }]);
  });

  test("does what commands say", () => {
    const { type, prompt, server, quits, client, clock, printed } = chat();
    server.post("ops", "bob", "in ops");
    expect(type("/join #ops")).toEqual([
      "· you now write to ops",
      "22:13 bob: in ops",
      "· you are in ops, alone so far",
    ]);
    expect(prompt()).toBe("ops> ");
    expect(type("here")).toEqual(["22:13 ana: here"]);
    expect(type("/names")).toEqual(["· 1 person in ops:", "  ana"]);
    expect(type("/rooms")).toEqual(["· 2 rooms:", "  lobby (1 person)", "  ops (1 person)"]);
    expect(type("/topic Pager duty")).toEqual(["· ana set the topic of ops: Pager duty"]);
    expect(type("/topic")).toEqual(["· topic of ops: Pager duty"]);
    expect(type("/topic -")).toEqual(["· ana removed the topic of ops"]);
    expect(type("/leave")).toEqual(["· you left ops", "· you now write to lobby"]);
    expect(type("/nick ana2")).toEqual(["· you are now called ana2"]);
    // A real server tells the room first.
    const [connection] = server.connections;
    connection!.say({ type: "presence", room: "lobby", nick: "ana2", state: "rename", to: "ana3" });
    clock.advance(100);
    expect(printed).toEqual(["· you are now called ana2"]);
    expect(client.session.nick).toBe("ana2");
    expect(type("/msg ana2 to myself")).toEqual(["22:13 ana2 → you: to myself"]);
    expect(type("/msg nobody hi")).toEqual([
      "! not sent to @nobody: hi: nobody with this nick is connected; /names shows who is here",
    ]);
    expect(type("/jo x")).toEqual(["! there is no command /jo; did you mean /join?"]);
    expect(type("/leave nowhere")).toEqual(["! you are not in nowhere"]);
    expect(type("/join bad room")).toEqual(["! write it as /join ROOM"]);
    expect(type("/join b@d")).toEqual([expect.stringContaining("not usable")]);
    expect(type("/help topic")).toEqual([expect.stringContaining("/topic [TEXT]")]);
    expect(type("/help").length).toBeGreaterThan(10);
    expect(type("/quit")).toEqual([]);
    expect(quits()).toBe(1);
  });

  test("pages back through history", () => {
    const server = new FakeServer();
    for (let n = 1; n <= 60; n += 1) server.post("lobby", "bob", `m${n}`);
    const { type } = chat(server);
    expect(type("/history 3")).toEqual([
      "· earlier in lobby:",
      "22:13 bob: m8",
      "22:13 bob: m9",
      "22:13 bob: m10",
      "· end of the earlier messages",
    ]);
    expect(type("/history")[1]).toBe("22:13 bob: m1");
    expect(type("/history")).toEqual(["· nothing earlier in lobby"]);
  });

  test("says that the connection is gone, waits, comes back, and shows what was said meanwhile", () => {
    const { printed, network, clock, server } = chat();
    printed.length = 0;
    network.cutAll();
    server.post("lobby", "bob", "meanwhile");
    clock.advance(3_000);
    expect(printed).toEqual([
      "! connection lost: it was cut; trying again in 1 s",
      "· connected again, to fake",
      "22:13 bob: meanwhile",
    ]);
  });

  test("offers what to do when nobody is there, and says what was not sent", () => {
    const all = world();
    const printed: string[] = [];
    const empty = new SimNetwork(all.clock, seededRandom(1), new Map());
    const client = new Client({
      addresses: [parseAddress(A)],
      nick: "ana",
      client: "test",
      dial: empty.dial,
      clock: all.clock,
      random: seededRandom(1),
      newId: () => crypto.randomUUID(),
    });
    const line = new LineChat({
      backend: client,
      screen: { print: (lines) => void printed.push(...lines), prompt: () => {} },
      words: english,
      paint: noPaint,
      room: "lobby",
      suggest: () => undefined,
      quit: () => {},
    });
    line.start();
    all.clock.advance(100);
    expect(printed[0]).toStartWith(`! no connection to ${A}: nobody listens there; trying again in`);
    expect(printed[1]).toContain("rtchat up");
    line.typed("hello");
    client.close();
    expect(printed.at(-1)).toBe("! not sent to lobby: hello: the client was closed");
  });

  test("completes nicks of the room and of who spoke", () => {
    const { server, line, clock } = chat();
    server.post("lobby", "barbara", "hi");
    clock.advance(50);
    expect(line.complete("ba")).toEqual({ from: 0, candidates: ["barbara: "] });
    expect(line.complete("/jo")).toEqual({ from: 0, candidates: ["/join "] });
  });
});

describe("pipe mode", () => {
  async function* chunks(...parts: readonly string[]) {
    for (const part of parts) yield Buffer.from(part);
  }

  /** Runs to the end, letting simulated time pass. */
  async function pipe(
    parts: readonly string[],
    options: {
      json?: boolean;
      server?: FakeServer;
      up?: boolean;
      each?: (now: number) => void;
      stepMs?: number;
    } = {},
  ) {
    const all = world(options.server);
    const out: string[] = [];
    const err: string[] = [];
    if (options.up === false) all.network.refused = 1;
    const running = runPipe({
      backend: all.client,
      words: english,
      clock: all.clock,
      room: "lobby",
      history: 0,
      json: options.json ?? false,
      follow: false,
      input: chunks(...parts),
      print: (line) => void out.push(line),
      warn: (line) => void err.push(line),
      format: () => [],
      stopped: new Promise(() => {}),
    });
    let result: Awaited<typeof running> | undefined;
    void running.then((given) => (result = given));
    const { stepMs = 10 } = options;
    for (let turn = 0; turn < 200_000 && result === undefined; turn += 1) {
      all.clock.advance(stepMs);
      options.each?.(turn * stepMs);
      await Promise.resolve();
    }
    const texts = all.server.log("lobby").map(({ text }) => text);
    return { result, out, err, texts };
  }

  test("sends every line in order and is well only when each is acknowledged", async () => {
    const lines = Array.from({ length: 700 }, (_, n) => `line ${n}`);
    const { result, texts, out } = await pipe([`${lines.join("\n")}\n`]);
    expect(result).toEqual({ ok: true });
    expect(texts).toEqual(lines);
    expect(out).toEqual([]);
  });

  test.each([
    ["empty lines", "\n".repeat(4_096), false],
    ["objects that are refused", '{"type":"nonsense"}\n'.repeat(512), true],
  ])("ends when it is told to, however many %s come without a pause", async (_, part, json) => {
    const all = world();
    all.client.session.join("lobby", 0);
    all.client.connect();
    all.clock.advance(100);
    let heard = false;
    const givenUpAt = performance.now() + 3_000;
    async function* flood() {
      while (!heard && performance.now() < givenUpAt) yield Buffer.from(part);
    }
    const stopped = Bun.sleep(20).then(() => (heard = true));
    const result = await runPipe({
      backend: all.client,
      words: english,
      clock: systemClock,
      room: "lobby",
      history: 0,
      json,
      follow: false,
      input: flood(),
      print: () => {},
      warn: () => {},
      format: () => [],
      stopped,
    });
    expect(heard).toBe(true);
    expect(result.ok).toBe(!json);
  });

  test("skips empty lines, cleans others, splits long ones", async () => {
    const long = "word ".repeat(4_000).trim();
    const { result, texts } = await pipe(["\n\u001b[1mbold\u001b[0m\r\n  \n", long]);
    expect(result).toEqual({ ok: true });
    expect(texts[0]).toBe("bold");
    expect(texts.slice(1).join(" ")).toBe(long);
    expect(texts.length).toBe(4);
  });

  test("is not well when a line is refused, and says why", async () => {
    const server = new FakeServer();
    server.intercept = (connection, request) => {
      if (request.type !== "send" || request.text !== "no") return false;
      connection.say({ type: "error", code: "bad-text", message: "not that", id: request.id! });
      return true;
    };
    const { result, err, texts } = await pipe(["yes\nno\nalso"], { server });
    expect(result).toMatchObject({ ok: false, message: "1 message was refused" });
    expect(err).toEqual([expect.stringContaining("not that")]);
    expect(texts).toEqual(["yes", "also"]);
  });

  test("gives up when nobody answers, and when the nick is taken", async () => {
    const { result } = await pipe(["hi\n"], { up: false });
    expect(result).toMatchObject({
      ok: false,
      message: `cannot reach ${A}: nobody listens there`,
      hint: expect.stringContaining("rtchat up"),
    });
    const silent = new FakeServer();
    silent.intercept = () => true;
    expect((await pipe(["hi\n"], { server: silent })).result).toMatchObject({
      message: `cannot reach ${A}: no answer within 5 s`,
    });
    const server = new FakeServer();
    server.intercept = (connection, request) => {
      connection.say({ type: "error", code: "nick-taken", message: "nick ana is taken", id: request.id! });
      return true;
    };
    expect((await pipe(["hi\n"], { server })).result).toMatchObject({
      ok: false,
      message: "nick ana is taken",
    });
  });

  test("says so when somebody takes the connection and then says nothing", async () => {
    const server = new FakeServer();
    server.intercept = () => true;
    const { result } = await pipe(["hi\n"], { server });
    expect(result).toMatchObject({ ok: false, message: `cannot reach ${A}: no answer within 5 s` });
  });

  test("waits while a balancer keeps its place, as long as once it was connected, and says so once", async () => {
    const held = { type: "notice", code: "holding", message: "no server can be reached now" } as const;
    const server = new FakeServer();
    let restore = (): void => {};
    server.intercept = (connection, request) => {
      connection.say(held);
      restore = () => {
        server.intercept = () => false;
        restore = () => {};
        server.handle(connection, request);
      };
      return true;
    };
    const each = (now: number): void => {
      if (now > 25_000) restore();
    };
    const { result, err, texts } = await pipe(["hi\n"], { server, each });
    expect(result).toEqual({ ok: true });
    expect(texts).toEqual(["hi"]);
    expect(err).toEqual([`${A} has no server now and keeps this place; waiting`]);

    const dead = new FakeServer();
    dead.intercept = (connection) => {
      connection.say(held);
      return true;
    };
    let took = 0;
    const late = await pipe(["hi\n"], { server: dead, each: (now) => (took = now) });
    expect(late.result).toMatchObject({
      ok: false,
      message: `cannot reach ${A}: no server is there behind it`,
      hint: "",
    });
    expect(took).toBeGreaterThan(55_000);
  });

  test("waits for a nick that a crashed run before it still holds, longer than for a server, and says so once", async () => {
    const server = new FakeServer();
    let refusals = 6;
    server.intercept = (connection, request) => {
      if (request.type !== "hello" || refusals === 0) return false;
      refusals -= 1;
      connection.say({ type: "error", code: "nick-taken", message: "nick ana is taken", id: request.id! });
      return true;
    };
    const { result, err, texts } = await pipe(["hi\n"], { server });
    expect(result).toEqual({ ok: true });
    expect(texts).toEqual(["hi"]);
    expect(err).toEqual([expect.stringMatching(/^the nick ana is taken, .*; if it was yours a moment ago/)]);
  });

  test("with JSON reads requests only as fast as they are answered", async () => {
    const count = 8 * pipeLimits.unacknowledged;
    const requests = Array.from({ length: count }, (_, n) => `{"type":"rooms","id":"r${n}"}`);
    // Hundreds of lines can be read while one is answered.
    const { result, out } = await pipe([`${requests.join("\n")}\n`], { json: true, stepMs: 0.02 });
    expect(result).toEqual({ ok: true });
    expect(out.filter((line) => line.includes('"type":"rooms"'))).toHaveLength(count);
  });

  test("with JSON prints every event, takes objects and text, and answers mistakes with errors", async () => {
    const { result, out, texts } = await pipe(
      [
        '{"type":"join","room":"ops"}\n{"type":"send","room":"ops","text":"x","id":"mine"}\nplain\n',
        '{"type":"rooms","id":"r"}\n{"type":"nonsense","id":"n"}\n{oops\n',
        `{"type":"send","text":"${"x".repeat(70_000)}"}\n{"type":"hello"}\n`,
      ],
      { json: true },
    );
    const objects = out.map((line) => JSON.parse(line));
    const types = objects.map(({ type }) => type);
    expect(types.slice(0, 3)).toEqual(["connection", "connection", "welcome"]);
    // With the resume token somebody who reads the output could take the session over.
    expect(objects[2]).toMatchObject({ nick: expect.any(String), session: expect.any(String) });
    expect(objects[2]).not.toHaveProperty("resume");
    expect(objects).toContainEqual(expect.objectContaining({ type: "ack", id: "mine", room: "ops" }));
    expect(objects).toContainEqual(expect.objectContaining({ type: "rooms", id: "r" }));
    const codes = objects.filter(({ type }) => type === "error").map(({ code, id }) => [code, id]);
    expect(codes).toEqual([
      ["unknown-type", "n"],
      ["bad-json", undefined],
      ["line-too-long", undefined],
      ["bad-message", undefined],
    ]);
    expect(texts).toEqual(["plain"]);
    expect(result).toMatchObject({ ok: false, message: "4 messages were refused" });
  });
});
