/** Operators at work, through real processes: whom they put out, from where nobody comes in, and what all of them read. */
import { expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/deadline.ts";
import { openLab } from "../support/lab.ts";

const lab = openLab();
const secret = "sesame-sesame-sesame";

async function secretFile(name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(await lab.folder(), name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

/** Somebody whose balancer is told by a proxy that they come from this address. */
class Guest {
  text = "";
  ended = false;
  readonly #socket: Promise<unknown>;

  constructor(door: string, ip: string, nick: string) {
    const hello = { type: "hello", version: 1, nick };
    const lines = [hello, { type: "join", room: "lobby" }].map((line) => JSON.stringify(line));
    const [hostname = "", port] = door.split(":");
    this.#socket = Bun.connect({
      hostname,
      port: Number(port),
      socket: {
        open: (socket) => void socket.write(`PROXY TCP4 ${ip} 127.0.0.1 4711 8000\r\n${lines.join("\n")}\n`),
        data: (_, bytes) => void (this.text += bytes.toString()),
        close: () => void (this.ended = true),
      },
    });
  }

  async hears(pattern: RegExp): Promise<void> {
    await this.#socket;
    await eventually(
      () => pattern.test(this.text),
      () => `${pattern} in ${this.text}`,
    );
  }

  async ends(): Promise<void> {
    await eventually(
      () => this.ended,
      () => `the end after ${this.text}`,
    );
  }
}

test("an operator at the screen puts out and bans, across servers; the banned read why", async () => {
  const data = join(await lab.folder(), "cluster");
  const file = await secretFile("operators", `${secret}\n`);
  const addresses: string[] = [];
  for (const name of ["s1", "s2"]) {
    const flags = ["--port", "0", "--name", name, "--data", data, "--operator-secret-file", file];
    addresses.push((await (await lab.start("server", ...flags)).ready())["listen"] ?? "");
  }
  const balancer = async (...flags: readonly string[]): Promise<string> => {
    const common = ["--backends", addresses.join(","), "--port", "0", "--no-admin", "--data", data];
    return (await (await lab.start("balancer", ...common, ...flags)).ready())["listen"] ?? "";
  };
  const door = await balancer();
  const proxied = await balancer("--proxy-protocol-from", "127.0.0.0/8");
  const env = { TZ: "UTC", LC_ALL: "C.UTF-8", XDG_STATE_HOME: join(await lab.folder(), "ops") };
  const size = { columns: 120, rows: 24 };
  const flags = ["--connect", door, "--nick", "ops", "--operator-secret-file", file];
  const ops = await lab.terminalWith({ env }, size, "client", ...flags);
  await ops.see(/1 person[^]*● /);
  const troll = new Guest(proxied, "203.0.113.7", "troll");
  const second = new Guest(proxied, "203.0.113.7", "second");
  const friend = new Guest(proxied, "203.0.113.8", "friend");
  for (const guest of [troll, second, friend]) await guest.hears(/"joined"/);
  await ops.see(/4 people/);

  ops.type("/kick troll that is enough\r");
  await ops.see(/troll was put out/);
  await troll.hears(/"kicked","message":"an operator ended the session: that is enough"/);
  await troll.ends();

  const again = new Guest(proxied, "203.0.113.7", "troll");
  await again.hears(/"joined"/);
  ops.type("/ban troll 2h spam\r");
  await ops.see(/troll may not connect/);
  for (const guest of [again, second]) {
    await guest.hears(
      /"banned","message":"an operator refuses connections from your address until [^"]*: spam"/,
    );
    await guest.ends();
  }
  const late = new Guest(proxied, "203.0.113.7", "innocent");
  await late.hears(/"banned"/);
  await late.ends();
  expect(friend.ended).toBe(false);

  ops.type("/bans\r");
  await ops.see(/203\.0\.113\.7\/32 until \d{4}-\d\d-\d\d \d\d:\d\d, by ops: spam/);
  ops.type("/unban 203.0.113.7\r");
  await ops.see(/203\.0\.113\.7\/32 may connect again/);
  const back = new Guest(proxied, "203.0.113.7", "troll");
  await back.hears(/"joined"/);
  ops.type("/ban 127.0.0.1\r");
  await ops.see(/has your own address/);
  ops.press("ctrl-d");
});

test("the commands are for those who have the secret, and a wrong one is refused", async () => {
  const server = await lab.start("server", "--port", "0", "--backplane", "memory");
  const { listen = "" } = await server.ready();
  const env = { LC_ALL: "C.UTF-8", XDG_STATE_HOME: join(await lab.folder(), "ana") };
  const flags = ["client", "--plain", "--connect", listen, "--nick", "ana"];
  const ana = await lab.terminalWith({ env }, { columns: 100, rows: 24 }, ...flags);
  await ana.see(/connected/);
  ana.type("/kick ben\r");
  await ana.see(/no command \/kick|unknown|there is no/i);
  ana.press("ctrl-d");
  const file = await secretFile("wrong", secret);
  const eve = await lab.terminalWith(
    { env },
    { columns: 100, rows: 24 },
    ...flags.slice(0, -1),
    "eve",
    "--operator-secret-file",
    file,
  );
  await eve.see(/connected/);
  eve.type("/kick ana\r");
  await eve.see(/this server has no operators/);
  eve.press("ctrl-d");
});

test("a secret that is short, missing, or open to others is refused by name", async () => {
  const short = await secretFile("short", "abc\n");
  const open = await secretFile("open", secret, 0o644);
  for (const [path, code, message] of [
    [short, 2, "is not one word of 16 to 128 characters"],
    [open, 1, "others can read the operators' secret"],
    [join(await lab.folder(), "none"), 1, "there is no operators' secret at"],
  ] as const) {
    const flags = ["--port", "0", "--backplane", "memory", "--operator-secret-file", path];
    const { stderr, ...end } = await lab.run("server", ...flags);
    expect(end).toMatchObject({ code });
    expect(stderr).toContain(message);
    expect(stderr).not.toContain(secret);
  }
});
