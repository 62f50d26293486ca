/** rtchat.toml: read where it should be, beaten by what should beat it, refused with its name. */
import { describe, expect, test } from "bun:test";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { openLab } from "../support/lab.ts";

const lab = openLab();

/** A folder with this file in it, as XDG_CONFIG_HOME. */
async function withFile(text: string): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(await lab.folder(), "config-"));
  await Bun.write(join(folder, "rtchat", "rtchat.toml"), text);
  return { XDG_CONFIG_HOME: folder };
}

async function run(env: Record<string, string>, ...args: readonly string[]) {
  const running = await lab.startWith({ env, input: "hola\n" }, ...args);
  return running.ended();
}

describe("the file of settings", () => {
  test("is beaten by variables, these by flags; a mode's table beats the top", async () => {
    const env = await withFile(
      `nick = "top"\nlang = "es"\n[client]\nnick = "fromfile"\nroom = "garden"\njson = true\n`,
    );
    const shown = await run({ ...env, RTCHAT_ROOM: "ops" }, "config", "client");
    expect([shown.code, shown.stderr]).toEqual([0, ""]);
    const rows = shown.stdout.split("\n").map((line) => line.trim().split(/\s{2,}/));
    expect(rows).toContainEqual(["nick", "fromfile", "rtchat.toml"]);
    expect(rows).toContainEqual(["room", "ops", "RTCHAT_ROOM"]);
    expect(rows).toContainEqual(["lang", "es", "rtchat.toml"]);
    expect(rows).toContainEqual(["follow", "off", "default"]);
    const { stdout, stderr } = await run(env, "client", "--connect", "127.0.0.1:1", "--nick", "flagged");
    // Spanish, and JSON, as the file says.
    expect(stderr).toContain("no se puede llegar a 127.0.0.1:1");
    expect(stdout).toContain('"type":"connection"');
  }, 15_000);

  test("config shows no password and no token, wherever they are from", async () => {
    const env = await withFile(
      `[up]\nbackplane = "rediss://chat:hunter2@store.lan:6380/2"\n[server]\nbackplane = "redis://:an@hunter2@10.0.0.8"\n`,
    );
    const variables = {
      RTCHAT_BACKPLANE: "redis://:hunter2@10.0.0.9",
      RTCHAT_ADMIN_TOKEN: "hunter2hunter2hunter2",
    };
    const [file, both] = [await run(env, "config", "up"), await run({ ...env, ...variables }, "config")];
    expect([file.code, both.code]).toEqual([0, 0]);
    expect(file.stdout).toContain("rediss://chat:(secret)@store.lan:6380/2");
    expect(both.stdout).toContain("redis://:(secret)@10.0.0.9");
    expect(file.stdout + both.stdout).not.toContain("hunter2");
  });

  test("names itself in the error when a value cannot be used", async () => {
    const wrong = await run(await withFile(`[up]\nservers = 0\n`), "up");
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/rtchat up: up\.servers in .*rtchat\.toml: "0" is not a whole number/);
    const broken = await run(await withFile("this is not TOML"), "id");
    expect(broken.code).toBe(2);
    expect(broken.stderr).toMatch(/the settings in .*rtchat\.toml are not TOML/);
    const missing = await run({ RTCHAT_CONFIG: "/nonexistent/rtchat.toml" }, "id");
    expect(missing.stderr).toContain(
      "cannot read the settings in /nonexistent/rtchat.toml: it does not exist",
    );
  });

  test("an empty HOME names no folder: nothing is looked for where the program starts", async () => {
    const { code, stdout } = await run({ HOME: "", XDG_CONFIG_HOME: "" }, "config", "id");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\/.*\/\.config\/rtchat\/rtchat\.toml/);
  });

  test("config names what nobody reads, with the nearest name", async () => {
    const env = await withFile(
      `nik = "x"\n[clinet]\nroom = "a"\n[client]\nrom = "b"\n[keys]\n"ctrl-g" = "next-unred"\n[colours]\nmention = 5\n`,
    );
    const { code, stderr } = await run(env, "config", "client");
    expect(code).toBe(1);
    for (const near of ["nick", "client", "room", "next-unread"])
      expect(stderr).toContain(`did you mean ${near}?`);
    expect(stderr.trim().split("\n")).toHaveLength(4);
  });
});

test("keys and colours of the file reach the screen", async () => {
  const server = await lab.start("server", "--port", "0", "--backplane", "memory");
  const { listen = "" } = await server.ready();
  const env = await withFile(`[keys]\n"ctrl-g" = "panels"\n"ctrl-x" = "send"\n[colours]\ngood = 201\n`);
  const screen = await lab.terminalWith(
    { env: { ...env, LC_ALL: "C.UTF-8" } },
    { columns: 120, rows: 20 },
    "client",
    "--connect",
    listen,
    "--nick",
    "ana",
  );
  await screen.see(/│1 person/);
  screen.type("\u0007");
  await screen.see((shown) => !shown.includes("│"));
  screen.type("hello\u0018");
  await screen.see(/ana: hello/);
  expect(screen.raw).toContain(";38;5;201m● ");
});
