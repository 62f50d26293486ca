/** Starting and stopping, tried on a small mode of its own in a process of its own. */
import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { openLab } from "../support/lab.ts";

const lab = openLab();
const source = (path: string) => JSON.stringify(resolve(import.meta.dir, "../../src", path));

/** A mode that is ready at once, and when it is told to stop takes its time: until a line arrives on stdin. */
const mode = `
  import { defineMode } from ${source("cli/flag.ts")};
  import { Failure } from ${source("cli/errors.ts")};
  import { logFlags } from ${source("cli/log.ts")};
  import { modeStarter } from ${source("cli/run.ts")};
  const trial = defineMode({ name: "trial", summary: "s", description: "d", flags: { ...logFlags }, examples: [] });
  await modeStarter(trial, async (config, context) => {
    if (process.env.STARTING) await new Promise((resolve) => setTimeout(resolve, 60_000));
    if (process.env.FAIL) throw new Failure("it cannot", "do not try");
    context.ready({ listen: "127.0.0.1:7" });
    const reason = await context.stopped();
    console.log("stopping: " + reason);
    if (process.env.SLOW) await new Promise((resolve) => setTimeout(resolve, 60_000));
    process.stdout.write("x".repeat(300_000));
    return Number(process.env.CODE ?? 0);
  })([]);
`;
const start = (env: Record<string, string> = {}) =>
  lab.startWith({ command: [process.execPath, "-e", mode], env });

describe("a mode", () => {
  test("says that it is ready, to people and to its starter", async () => {
    const running = await start();
    expect(await running.ready()).toEqual({ mode: "trial", pid: String(running.pid), listen: "127.0.0.1:7" });
    expect(await running.line(/ready/, "stderr")).toEndWith("info  ready listen=127.0.0.1:7");
    await running.stop("SIGTERM");
  });

  test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
    "stops on %s, with all its output written",
    async (signal) => {
      const running = await start({ CODE: "5" });
      await running.ready();
      const { code, stdout } = await running.stop(signal);
      expect(code).toBe(5);
      expect(stdout).toStartWith(`stopping: ${signal}\n`);
      expect(stdout.length).toBeGreaterThan(300_000);
    },
  );

  test.each(["up", "server", "balancer"])("stops when the terminal of rtchat %s is closed", async (name) => {
    const admin = name === "server" ? [] : ["--no-admin"];
    const backends = name === "balancer" ? ["--backends", "1"] : [];
    const data = await lab.folder();
    const args = [name, "--port", "0", "--data", data, ...admin, ...backends];
    const running = await lab.terminal({ columns: 100, rows: 30 }, ...args);
    await running.see(name === "up" ? /rtchat is up/ : /ready/);
    running.hangUp();
    await running.ended();
  });

  test("exits at once on a second signal", async () => {
    const running = await start({ SLOW: "1" });
    await running.ready();
    running.kill("SIGINT");
    await running.line(/stopping/);
    expect((await running.stop("SIGINT")).code).toBe(130);
  });

  test("does not stop when stdin ends, unless it is supervised", async () => {
    const running = await start();
    await running.ready();
    running.endInput();
    const { stdout } = await running.stop("SIGTERM");
    expect(stdout).toStartWith("stopping: SIGTERM\n");

    const supervised = await start({ RTCHAT_SUPERVISED: "1" });
    await supervised.ready();
    supervised.endInput();
    const ended = await supervised.ended();
    expect(ended.code).toBe(0);
    expect(ended.stdout).toStartWith("stopping: parent gone\n");
  });

  test("ends when its supervisor is gone while it is still starting, however long that takes", async () => {
    const running = await start({ RTCHAT_SUPERVISED: "1", STARTING: "1" });
    running.endInput();
    expect(await running.ended()).toMatchObject({ code: 1, stdout: "" });
  });

  test("leaves Ctrl-C to its supervisor", async () => {
    const running = await start({ RTCHAT_SUPERVISED: "1" });
    await running.ready();
    running.kill("SIGINT");
    running.kill("SIGHUP");
    const { stdout } = await running.stop("SIGTERM");
    expect(stdout).toStartWith("stopping: SIGTERM\n");
  });

  test("that cannot do what was asked says so and exits with 1", async () => {
    const running = await start({ FAIL: "1" });
    expect(await running.ended()).toMatchObject({
      code: 1,
      stdout: "",
      stderr: "rtchat trial: it cannot\nhint: do not try\n",
    });
  });

  test("survives a ready descriptor that is nonsense", async () => {
    const running = await start({ RTCHAT_READY_FD: "one" });
    await running.line(/ready/, "stderr");
    expect((await running.stop("SIGTERM")).code).toBe(0);
  });
});
