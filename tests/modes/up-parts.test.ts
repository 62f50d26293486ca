/** The parts of `rtchat up` that touch the machine: child processes, their log, ports. */
import { describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { devNull } from "node:os";
import { flag } from "../../src/cli/flag.ts";
import { pathSchema } from "../../src/cli/schemas.ts";
import { engineVariables } from "../../src/modes/engine.ts";
import { childEnvironment, handOn, spawnChild } from "../../src/modes/up/child.ts";
import { eachLogLine, labelLines } from "../../src/modes/up/log-lines.ts";
import { isFree, nextFreePorts, requireFree } from "../../src/modes/ports.ts";
import { Quiet } from "../../src/modes/up/quiet.ts";
import { ManualClock } from "../support/manual-clock.ts";

const run = (source: string, lines: string[] = []) =>
  spawnChild(
    [process.execPath, "-e", source],
    childEnvironment(process.env, {}, false),
    (line) => void lines.push(line),
  );

describe("a child process", () => {
  test("says when it is ready, and where", async () => {
    const child = run(
      `require("fs").writeSync(3, '{"listen":"127.0.0.1:7"}\\n'); setInterval(() => {}, 1000)`,
    );
    expect(await child.ready).toEqual({ listen: "127.0.0.1:7" });
    child.kill("SIGKILL");
    expect(await child.exited).toEqual({ code: null, signal: "SIGKILL" });
  });

  test.each([
    "",
    `require("fs").writeSync(3, "nonsense\\n")`,
    `require("fs").writeSync(3, '{"listen":[]}\\n')`,
  ])("without a proper ready line is not ready: %p", async (source) => {
    const child = run(source);
    expect(await child.ready).toBeUndefined();
    expect(await child.exited).toEqual({ code: 0, signal: null });
  });

  test("has written its last line before it counts as gone", async () => {
    const lines: string[] = [];
    const child = run(
      `console.error("one"); process.stdout.write("last words"); process.exitCode = 4`,
      lines,
    );
    expect(await child.exited).toEqual({ code: 4, signal: null });
    expect(lines.toSorted()).toEqual(["last words", "one"]);
  });

  test("gets none of our variables but those handed on and those that make it a child", () => {
    const parent = { PATH: "/bin", RTCHAT_PORT: "1", RTCHAT_ADMIN_TOKEN: "x", GONE: undefined };
    expect(childEnvironment(parent, { RTCHAT_POLICY: "two-choices" }, true)).toEqual({
      ...engineVariables,
      PATH: "/bin",
      RTCHAT_POLICY: "two-choices",
      RTCHAT_READY_FD: "3",
      RTCHAT_SUPERVISED: "1",
      FORCE_COLOR: "1",
    });
    expect(childEnvironment({}, {}, false)).not.toHaveProperty("FORCE_COLOR");
  });

  test("is handed what a person wrote for it, as a flag of the parent, a variable or a setting", () => {
    const row = (hint: string) => flag(pathSchema, { hint, summary: "s", fallback: "f" });
    const own = { port: row("P"), policy: row("P"), token: row("T"), admin: row("A") };
    const table = { ...own, hold: row("H"), name: row("N"), rate: row("R") };
    const parent = {
      RTCHAT_HOLD: "1m",
      RTCHAT_NAME: "x",
      RTCHAT_TOKEN: "old",
      RTCHAT_OTHER: "o",
      RTCHAT_PORT: "1",
    };
    const written = new Map([
      ["port", "9"],
      ["token", "new"],
    ]);
    const file: Record<string, string> = { hold: "9m", token: "filed", name: "y", policy: "p", rate: "7" };
    const settings = {
      flag: (mode: string, name: string) =>
        mode === "balancer" && file[name] !== undefined
          ? { text: file[name], source: "the file" }
          : undefined,
    };
    const from = { mode: "balancer", table, settings, decided: ["port", "name"], own, written };
    expect(handOn(parent, from)).toEqual({
      RTCHAT_HOLD: "1m",
      RTCHAT_TOKEN: "new",
      RTCHAT_POLICY: "p",
      RTCHAT_RATE: "7",
      // It is for the parent to read.
      RTCHAT_CONFIG: devNull,
    });
  });
});

describe("the common log", () => {
  async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array> {
    for (const part of parts) yield await Promise.resolve(Buffer.from(part, "latin1"));
  }
  const linesOf = async (limit: number, ...parts: string[]) => {
    const lines: string[] = [];
    await eachLogLine(chunks(...parts), (line) => void lines.push(line), limit);
    return lines;
  };

  test("has whole lines, whatever the chunks", async () => {
    expect(await linesOf(100, "a", "b\nc\r\n\nd", "e")).toEqual(["ab", "c", "", "de"]);
    expect(
      await linesOf(100, Buffer.from("grüß\n").toString("latin1").slice(0, 3), "\u00bc\u00c3\u009f\n"),
    ).toEqual(["grüß"]);
    expect(await linesOf(100)).toEqual([]);
  });

  test("cuts a line that never ends", async () => {
    expect(await linesOf(4, "abc", "def", "ghi\nxy\n")).toEqual(["abcd", "xy"]);
  });

  test("names the child before a line of text", () => {
    const label = labelLines("server-1", 8, 0, "text", process.stderr);
    expect(Bun.stripANSI(label("12:00:00 info ready"))).toBe("server-1 | 12:00:00 info ready");
    expect(Bun.stripANSI(labelLines("up", 8, 1, "text", process.stderr)("x"))).toBe("up       | x");
  });

  test("names the child inside a line of JSON, and wraps what is none", () => {
    const label = labelLines("server-1", 8, 0, "json", process.stderr);
    // What is escaped in a child's line stays so.
    expect(label(String.raw`{"from":"\u009b31m"}`)).toBe(
      String.raw`{"from":"\u009b31m","process":"server-1"}`,
    );
    expect(JSON.parse(label(`{"level":"warn","message":"m"}`))).toEqual({
      level: "warn",
      message: "m",
      process: "server-1",
    });
    expect(JSON.parse(label("{ no JSON"))).toMatchObject({
      level: "info",
      message: "{ no JSON",
      process: "server-1",
    });
  });
});

describe("ports", () => {
  const listen = async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    return { port: address.port, close: () => new Promise((resolve) => server.close(resolve)) };
  };

  test("that are taken are refused, with the flag to change", async () => {
    const { port, close } = await listen();
    expect(await isFree({ host: "127.0.0.1", port })).toBe(false);
    await expect(requireFree({ host: "127.0.0.1", port }, "--port")).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port}`,
    );
    await close();
    expect(await isFree({ host: "127.0.0.1", port: 0 })).toBe(true);
    await requireFree({ host: "127.0.0.1", port: 0 }, "--port");
  });

  test("that are taken or to be avoided are passed over", async () => {
    const { port, close } = await listen();
    const ports = await nextFreePorts(2, port - 1, new Set([port + 1]));
    expect(ports).toHaveLength(2);
    expect(ports).not.toContain(port);
    expect(ports).not.toContain(port + 1);
    await close();
    await expect(nextFreePorts(2, 65_534, new Set())).rejects.toThrow(
      "there are no 2 free ports after 65534",
    );
  });

  test("a name that does not resolve is said to be one", async () => {
    await expect(requireFree({ host: "no-such-host.invalid", port: 8000 }, "--port")).rejects.toThrow(
      "cannot listen on no-such-host.invalid:8000: the host name does not resolve",
    );
  });

  test("an address of another machine is not free", async () => {
    await expect(requireFree({ host: "192.0.2.1", port: 8000 }, "--host")).rejects.toThrow("192.0.2.1:8000");
  });
});

test("a log is quiet when nothing was written for a while, and at the latest when patience ends", async () => {
  const clock = new ManualClock();
  const quiet = new Quiet(clock);
  let calm = false;
  void quiet.comes(200, 1_000).then(() => (calm = true));
  for (const ms of [150, 150, 150]) {
    clock.advance(ms);
    quiet.broken();
  }
  clock.advance(199);
  await Promise.resolve();
  expect(calm).toBe(false);
  clock.advance(1);
  await Promise.resolve();
  expect(calm).toBe(true);
  let late = false;
  void quiet.comes(200, 1_000).then(() => (late = true));
  for (let ms = 0; ms < 1_000; ms += 100) {
    quiet.broken();
    clock.advance(100);
  }
  await Promise.resolve();
  expect([late, clock.timers]).toEqual([true, 0]);
});
