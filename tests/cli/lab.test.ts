/** The harness itself: it must not pass where nothing happened, and must leave nothing behind. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { eventually } from "../support/deadline.ts";
import { Lab, openLab } from "../support/lab.ts";

const lab = openLab();
const script = (source: string) => ({ command: [process.execPath, "-e", source] });

describe("a process in a lab", () => {
  test("tells its ready line", async () => {
    const running = await lab.startWith(
      script(`require("fs").writeSync(3, '{"listen":"127.0.0.1:7","n":1}\\n'); setInterval(() => {}, 1000)`),
    );
    expect(await running.ready()).toEqual({ listen: "127.0.0.1:7", n: "1" });
    expect(await running.stop("SIGKILL")).toMatchObject({ code: null, signal: "SIGKILL" });
  });

  test("that ends without a ready line fails with its output", async () => {
    const running = await lab.startWith(script(`console.error("the reason"); process.exit(3)`));
    await expect(running.ready()).rejects.toThrow("the reason");
    expect(await running.ended()).toEqual({ code: 3, signal: null, stdout: "", stderr: "the reason\n" });
  });

  test("is read line by line, each line once, also when a line comes in pieces", async () => {
    const running = await lab.startWith(
      script(`process.stdout.write("a1\\nb"); process.stdin.on("data", (d) => process.stdout.write(d))`),
    );
    expect(await running.line(/^a/)).toBe("a1");
    running.write("2\na3\n");
    expect(await running.line(/^b/)).toBe("b2");
    expect(await running.line(/a/)).toBe("a3");
    running.endInput();
    await expect(running.line(/a/)).rejects.toThrow("ended before a line /a/ on stdout");
    expect((await running.ended()).code).toBe(0);
  });

  test("sees nothing of the caller's environment but what it needs", async () => {
    process.env["RTCHAT_NICK"] = "leak";
    const running = await lab.startWith(script(`console.log(Object.keys(process.env).join(" "))`));
    const { stdout } = await running.ended();
    delete process.env["RTCHAT_NICK"];
    expect(stdout).not.toContain("RTCHAT_NICK");
    expect(stdout).toContain("XDG_DATA_HOME");
  });

  test("opens no descriptor for good", async () => {
    const descriptors = () => readdirSync("/proc/self/fd").length;
    const once = async () => (await lab.startWith({ ...script(""), input: "" })).ended();
    await once();
    const before = descriptors();
    for (let n = 0; n < 5; n += 1) await once();
    await eventually(
      () => descriptors() <= before,
      () => `${descriptors()} descriptors to become ${before}`,
    );
  });

  test("is gone with its folder when the lab closes", async () => {
    const other = new Lab();
    const running = await other.startWith(script("setInterval(() => {}, 1000)"));
    const folder = await other.folder();
    expect(existsSync(folder)).toBe(true);
    await other.close();
    expect(existsSync(folder)).toBe(false);
    expect(() => process.kill(running.pid, 0)).toThrow();
  });

  test("takes what it has started with it", async () => {
    const other = new Lab();
    const running = await other.startWith({ command: ["/bin/sh", "-c", "sleep 60 & echo $!; wait"] });
    const child = Number(await running.line(/^\d+$/));
    process.kill(child, 0);
    await other.close();
    // Whoever inherits it may take a moment to be told of its end.
    await eventually(
      () => !existsSync(`/proc/${child}`),
      () => `the end of ${child}`,
    );
  });
});

describe("a screen", () => {
  test("shows what a person would see, not the bytes", async () => {
    const screen = await lab.terminalWith(
      {
        command: [
          "/bin/sh",
          "-c",
          String.raw`printf 'hello\r\033[1mHE\033[0m\n'; read -r line; printf '\033[2J\033[Hgot %s' "$line"; read -r end`,
        ],
      },
      { columns: 40, rows: 5 },
    );
    expect(await screen.see(/HE/)).toBe("HEllo");
    expect(screen.raw).toContain("\u001b[1m");
    screen.type("ana");
    screen.press("backspace", "enter");
    expect(await screen.see(/got/)).toBe("got an");
    expect(screen.cursor()).toEqual([6, 0]);
    screen.press("ctrl-d");
    expect(await screen.ended()).toBe(1);
  });

  test("has the size it is given, and changes it", async () => {
    const screen = await lab.terminalWith(
      { command: ["/bin/sh", "-c", "trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done"] },
      { columns: 40, rows: 5 },
    );
    await screen.see(/5 40/);
    screen.resize({ columns: 60, rows: 9 });
    await screen.see(/9 60/);
  });

  test("is not looked at while a frame is being painted", async () => {
    const source = String.raw`printf '\033[?2026hhalf'; read -r line; printf ' a frame\033[?2026l'; read -r end`;
    const screen = await lab.terminalWith({ command: ["/bin/sh", "-c", source] }, { columns: 40, rows: 5 });
    const seen = screen.see(/half/);
    await eventually(
      () => screen.raw.includes("half"),
      () => screen.raw,
    );
    screen.press("enter");
    expect(await seen).toMatch(/half\s* a frame/);
  });
});
