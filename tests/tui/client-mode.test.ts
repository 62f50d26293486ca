/** `rtchat client` as people and scripts use it: the compiled binary, real pipes, a real pseudo-terminal. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { listenFake } from "../client/fake-listener.ts";
import type { Listening } from "../client/fake-listener.ts";
import { FakeServer } from "../client/fake-server.ts";
import { openLab } from "../support/lab.ts";

const lab = openLab();
const plain = { env: { TZ: "UTC", LC_ALL: "C.UTF-8" } };
let server: FakeServer;
let listening: Listening;

beforeEach(() => {
  server = new FakeServer();
  listening = listenFake(server);
});
afterEach(() => listening.stop());

const texts = (room = "lobby") => server.log(room).map(({ text }) => text);
const client = (...args: readonly string[]) => ["client", "--connect", String(listening.port), ...args];

describe("in a pipe", () => {
  test("exits 0 only after the acknowledgement, and prints nothing", async () => {
    const bot = await lab.startWith({ input: "hi\n" }, ...client("--nick", "bot"));
    expect(await bot.ended()).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(texts()).toEqual(["hi"]);
  });

  test("exits 1 when the message was not acknowledged, and says so", async () => {
    server.intercept = (connection, request) => {
      if (request.type !== "send") return false;
      connection.say({ type: "error", code: "kicked", message: "not here" });
      connection.end();
      return true;
    };
    const bot = await lab.startWith({ input: "hi\n" }, ...client("--nick", "bot"));
    const { code, stderr } = await bot.ended();
    expect(code).toBe(1);
    expect(stderr).toContain("not here");
  });

  test("survives a cut in the middle: each line is logged once, in order", async () => {
    let count = 0;
    server.intercept = (connection, request) => {
      if (request.type === "send") count += 1;
      if (count === 150 || count === 301) {
        connection.deaf = true;
        for (const socket of listening.sockets) socket.terminate();
        count += 1;
        return true;
      }
      return false;
    };
    const lines = Array.from({ length: 500 }, (_, n) => `line ${n}`);
    const bot = await lab.startWith({ input: lines.join("\n") }, ...client("--nick", "bot"));
    expect(await bot.ended()).toMatchObject({ code: 0 });
    expect(texts()).toEqual(lines);
    expect(server.history.length).toBeGreaterThan(2);
  });

  test("with --json and --follow prints every event until it is stopped", async () => {
    const reader = await lab.start(...client("--nick", "reader", "--json", "--follow"));
    reader.endInput();
    await reader.line(/"type":"joined"/);
    server.post("lobby", "bob", "over \u001b[31mthere\u0085");
    const line = await reader.line(/"type":"message"/);
    expect(line).toContain(String.raw`over \u001b[31mthere\u0085`);
    const { code, stdout } = await reader.stop("SIGTERM");
    expect(code).toBe(0);
    for (const each of stdout.trim().split("\n")) expect(JSON.parse(each)).toHaveProperty("type");
  });

  test("with --follow prints lines to read, with nothing a terminal would obey", async () => {
    server.post("lobby", "b\u001bob", "\u001b]0;owned\u0007");
    const reader = await lab.startWith(plain, ...client("--nick", "reader", "--follow"));
    reader.endInput();
    expect(await reader.line(/owned/)).toBe("22:13 b␛ob: ␛]0;owned␇");
    expect(await reader.stop("SIGINT")).toMatchObject({ code: 0 });
  });

  test("ends quietly when its reader goes away", async () => {
    for (let n = 0; n < 40; n += 1) server.post("lobby", "bob", "x".repeat(8_000));
    const [, binary] = ["", await import("../support/binary.ts").then((found) => found.rtchatBinary())];
    const shell = await lab.startWith(
      { command: ["bash", "-c"], input: "" },
      `"${binary}" ${client("--nick", "r", "--json", "--follow").join(" ")} < /dev/null | head -n 1; echo "\${PIPESTATUS[0]}"`,
    );
    await shell.line(/"type":"connection"/);
    for (let n = 0; n < 40; n += 1) server.post("lobby", "bob", "x".repeat(8_000));
    const { stdout, stderr } = await shell.ended();
    expect(stdout.trim().split("\n").at(-1)).toBe("141");
    expect(stderr).toBe("");
  });

  test("says what to do when nobody is there", async () => {
    listening.stop();
    const bot = await lab.startWith({ input: "hi\n" }, ...client("--nick", "bot"));
    const { code, stderr } = await bot.ended();
    expect(code).toBe(1);
    expect(stderr).toContain(`cannot reach 127.0.0.1:${listening.port}`);
    expect(stderr).toContain("rtchat up");
  }, 20_000);
});

describe("on a terminal", () => {
  const size = { columns: 80, rows: 24 };

  test("two people talk, one leaves with Ctrl-D", async () => {
    const ana = await lab.terminalWith(plain, size, ...client("--nick", "ana", "--plain"));
    await ana.see(/you are in lobby, alone so far/);
    const bob = await lab.terminalWith(plain, size, ...client("--nick", "bob", "--plain"));
    await bob.see(/with 2 people/);
    ana.type("hello bob");
    ana.press("enter");
    await bob.see(/ana: hello bob/);
    bob.type("hello ana");
    bob.press("enter");
    const screen = await ana.see(/bob: hello ana\nlobby>$/);
    expect(screen.split("\n").slice(-3)).toEqual(["22:13 ana: hello bob", "22:13 bob: hello ana", "lobby>"]);
    ana.press("ctrl-d");
    expect(await ana.ended()).toBe(0);
    bob.kill("SIGTERM");
    expect(await bob.ended()).toBe(0);
  });

  test("what is being typed survives what is printed and a reconnect", async () => {
    const ana = await lab.terminalWith(plain, size, ...client("--nick", "ana", "--plain"));
    await ana.see(/alone so far/);
    ana.type("half a sen");
    await ana.see(/half a sen$/);
    server.post("lobby", "bob", "in between");
    await ana.see(/bob: in between\nlobby> half a sen$/);
    for (const socket of listening.sockets) socket.terminate();
    await ana.see(/connected again, to fake\nlobby> half a sen$/);
    ana.type("tence");
    ana.press("enter");
    const screen = await ana.see(/ana: half a sentence\nlobby>$/);
    expect(screen).not.toContain("lobby> half");
    ana.press("ctrl-c");
    expect(await ana.ended()).toBe(0);
  });
});
