/** `rtchat send`, `tail` and `export` against a real server: what scripts build on. */
import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { openLab } from "../support/lab.ts";

const lab = openLab();
let address = "";

beforeAll(async () => {
  const server = await lab.start("server", "--port", "0", "--backplane", "memory");
  address = (await server.ready())["listen"] ?? "";
});

const to = (...args: readonly string[]) => [...args, "--connect", address];

describe("send", () => {
  test("sends its argument, or all of stdin as one message, and says nothing", async () => {
    expect(await lab.run(...to("send", "--room", "ops", "deploy done"))).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "",
    });
    const piped = await lab.startWith(
      { input: "two\nlines\n" },
      ...to("send", "--room", "ops", "--nick", "web1"),
    );
    expect(await piped.ended()).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const { stdout } = await lab.run(...to("tail", "--room", "ops", "--json"));
    const messages = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(messages).toMatchObject([
      { from: "tester", text: "deploy done" },
      { from: "web1", text: "two\nlines" },
    ]);
  });

  test("tells a person at a terminal what it waits for", async () => {
    const screen = await lab.terminal({ columns: 80, rows: 24 }, ...to("send", "--room", "typed"));
    await screen.see(/type the message; Ctrl-D on an empty line sends it/);
    screen.type("by hand\n");
    screen.press("ctrl-d");
    expect(await screen.ended()).toBe(0);
    const { stdout } = await lab.run(...to("tail", "--room", "typed"));
    expect(stdout).toContain("by hand");
  });

  test("does not call it a success when there was nothing to send", async () => {
    expect(await lab.run(...to("send", "--room", "ops"))).toEqual({
      code: 1,
      signal: null,
      stdout: "",
      stderr: "rtchat send: there was nothing to send\n",
    });
  });

  test("takes another nick when its own is in use, unless that was asked for", async () => {
    const sitting = await lab.start(
      ...to("client", "--json", "--follow", "--nick", "tester", "--room", "nicks"),
    );
    await sitting.line(/"type":"joined"/);
    expect(await lab.run(...to("send", "--room", "nicks", "hello"))).toMatchObject({ code: 0 });
    expect(await sitting.line(/"type":"message"/)).toMatch(/"from":"tester-[0-9a-f]{6}"/);
    const refused = await lab.run(...to("send", "--room", "nicks", "--nick", "tester", "hello"));
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("hint: choose another with --nick");
    await sitting.stop();
  });

  test("speaks the language it is asked for", async () => {
    const { code, stderr } = await lab.run("send", "--lang", "es", "--connect", "127.0.0.1:1", "hola");
    expect(code).toBe(1);
    expect(stderr).toContain("no se puede llegar a 127.0.0.1:1");
  }, 15_000);
});

describe("tail and export", () => {
  const many = 450;
  beforeAll(async () => {
    const lines = Array.from({ length: many }, (_, n) => `line ${n + 1} <b>*x*</b>`).join("\n");
    const bot = await lab.startWith({ input: lines }, ...to("client", "--nick", "bot", "--room", "log"));
    expect(await bot.ended()).toMatchObject({ code: 0 });
  });

  test("tail shows the last ten, as many as asked, or those since a time", async () => {
    const texts = async (...args: readonly string[]) => {
      const { stdout, code } = await lab.run(...to("tail", "--room", "log", "--json", ...args));
      expect(code).toBe(0);
      return stdout
        .trim()
        .split("\n")
        .filter(Boolean)
        .map((line) => Number(JSON.parse(line).text.split(" ")[1]));
    };
    expect(await texts()).toEqual(Array.from({ length: 10 }, (_, n) => many - 9 + n));
    expect(await texts("--lines", "300")).toEqual(Array.from({ length: 300 }, (_, n) => many - 299 + n));
    expect((await texts("--since", "1h")).length).toBe(many);
    expect(await texts("--since", "0")).toEqual([]);
  });

  test("tail --follow goes on with what comes, without a hole", async () => {
    const tail = await lab.start(...to("tail", "--room", "log2", "--follow", "--json"));
    for (let n = 0; n < 5; n += 1) {
      expect(await lab.run(...to("send", "--room", "log2", `message ${n}`))).toMatchObject({ code: 0 });
    }
    for (let n = 0; n < 5; n += 1) expect(await tail.line(/"type":"message"/)).toContain(`message ${n}`);
    expect(await tail.stop("SIGTERM")).toMatchObject({ code: 0, stderr: "" });
  });

  test("export writes every message once, in order, in each format, and no markup of theirs", async () => {
    const jsonl = await lab.run(...to("export", "--room", "log"));
    expect(jsonl.stderr).toBe("");
    const seqs = jsonl.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).seq);
    expect(seqs).toEqual(Array.from({ length: many }, (_, n) => n + 1));
    const md = await lab.run(...to("export", "--room", "log", "--format", "md"));
    expect(md.stdout.split("\n")[2]).toEndWith(String.raw`**bot**: line 1 \<b\>\*x\*\</b\>`);
    const html = await lab.run(...to("export", "--room", "log", "--format", "html"));
    expect(html.stdout).toContain("line 450 &lt;b&gt;*x*&lt;/b&gt;");
    expect(html.stdout).not.toContain("<b>*x*");
  });

  test("export says that there was nothing, which a misspelt room looks like", async () => {
    const nothing = await lab.run(...to("export", "--room", "lgo"));
    expect(nothing).toMatchObject({ code: 0, stdout: "", stderr: "0 messages of lgo\n" });
  });

  test("export to a file leaves the whole file or none", async () => {
    const path = join(await lab.folder(), "log.jsonl");
    const { code, stderr } = await lab.run(...to("export", "--room", "log", "--out", path));
    expect([code, stderr]).toEqual([0, `${many} messages of log: ${path}\n`]);
    expect((await Bun.file(path).text()).trim().split("\n")).toHaveLength(many);
    const nowhere = join(await lab.folder(), "missing", "log.jsonl");
    expect(await lab.run(...to("export", "--room", "log", "--out", nowhere))).toMatchObject({ code: 1 });
    expect(existsSync(`${nowhere}.part`)).toBeFalse();
    const folder = await lab.folder();
    const onto = await lab.run(...to("export", "--room", "log", "--out", folder));
    expect(onto.code).toBe(1);
    expect(onto.stderr).toStartWith(`rtchat export: ${folder} is a folder\nhint: name a file in it\n`);
    expect(existsSync(`${folder}.part`)).toBeFalse();
  });

  test("export to a named pipe goes through it, and leaves it a pipe", async () => {
    const pipe = join(await lab.folder(), "pipe");
    expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
    const reader = Bun.spawn(["cat", pipe], { stdout: "pipe" });
    const { code } = await lab.run(...to("export", "--room", "log", "--out", pipe));
    expect(code).toBe(0);
    expect((await reader.stdout.text()).trim().split("\n")).toHaveLength(many);
    expect(statSync(pipe).isFIFO()).toBeTrue();
  });
});

describe("the first minute", () => {
  test("asks for a nick once, remembers it, and shows where the new messages begin", async () => {
    const env = { TZ: "UTC", LC_ALL: "C.UTF-8", XDG_STATE_HOME: join(await lab.folder(), "state") };
    const size = { columns: 80, rows: 24 };
    const first = await lab.terminalWith({ env }, size, ...to("client", "--room", "first"));
    await first.see(/What shall others call you\?/);
    first.type("not a nick\r");
    await first.see(/not usable/);
    first.type("mia\r");
    await first.see(/● mia/);
    first.type("one\r");
    await first.see(/\d\d:\d\d mia: one/);
    first.press("ctrl-d");
    expect(await first.ended()).toBe(0);
    await lab.run(...to("send", "--room", "first", "--nick", "bob", "while you were away"));
    // Neither nick nor address are said again.
    const again = await lab.terminalWith({ env }, size, "client", "--room", "first");
    const screen = await again.see(/while you were away/);
    expect(screen).toMatch(/mia: one\n─+ new from here ─+\n\d\d:\d\d bob: while you were away/);
    again.press("ctrl-d");
    expect(await again.ended()).toBe(0);
  });
});
