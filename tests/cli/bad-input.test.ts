/**
 * Bad input at the door of a real server behind a real balancer: each kind gets one clear answer, and a person who chats
 * meanwhile notices nothing.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Socket } from "bun";
import { openLab } from "../support/lab.ts";
import type { Running } from "../support/lab.ts";
import { withDeadline } from "../support/deadline.ts";

const lab = openLab();
const HELLO = '{"type":"hello","version":1,"nick":"NICK"}\n';
let door = { hostname: "127.0.0.1", port: 0 };
let backend = "";
let bystander: Running;
let nicks = 0;

/** A bare connection that collects what it is told. */
class Wire {
  text = "";
  closed = false;
  #socket: Socket | undefined;
  #look: () => void = () => {};

  static async open(): Promise<Wire> {
    const wire = new Wire();
    const decoder = new TextDecoder();
    wire.#socket = await Bun.connect({
      ...door,
      socket: {
        data: (_, bytes) => {
          wire.text += decoder.decode(bytes, { stream: true });
          wire.#look();
        },
        close: () => {
          wire.closed = true;
          wire.#look();
        },
        error() {},
      },
    });
    return wire;
  }

  /** Says hello first, so that what follows is judged as a request. */
  static async welcomed(): Promise<Wire> {
    const wire = await Wire.open();
    nicks += 1;
    wire.say(HELLO.replace("NICK", `guest${nicks}`));
    await wire.hears('"type":"welcome"');
    wire.text = "";
    return wire;
  }

  say(bytes: string | Uint8Array): void {
    this.#socket?.write(bytes);
  }

  /** Waits until it was told `words`. @returns the error objects so far */
  async hears(words: string): Promise<void> {
    await this.#until(() => this.text.includes(words), `"${words}"`);
  }

  async ends(): Promise<void> {
    await this.#until(() => this.closed, "the end");
  }

  async #until(done: () => boolean, what: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#look = () => {
      if (done()) resolve();
    };
    this.#look();
    await withDeadline(promise, () => `${what}; heard so far: ${JSON.stringify(this.text.slice(0, 500))}`);
  }

  close(): void {
    this.#socket?.end();
  }
}

beforeAll(async () => {
  const server = await lab.start("server", "--port", "0");
  backend = (await server.ready())["listen"] ?? "";
  const balancer = await lab.start("balancer", "--backends", backend, "--port", "0", "--no-admin");
  const { listen = "" } = await balancer.ready();
  door = { hostname: "127.0.0.1", port: Number(listen.split(":").at(-1)) };
  bystander = await lab.start("client", "--connect", listen, "--nick", "bystander", "--json");
  await bystander.line(/"type":"joined"/);
});

describe("a request that cannot be used", () => {
  test.each<[string, string | Uint8Array, string]>([
    ["text that is not JSON", "hello there\n", '"code":"bad-json"'],
    ["JSON that is no object", "[1,2,3]\n", '"code":"bad-json"'],
    ["an object without a type", '{"room":"lobby"}\n', '"code":"bad-message"'],
    ["a type nobody knows", '{"type":"fly"}\n', '"code":"unknown-type"'],
    ["a field of the wrong type", '{"type":"join","room":7}\n', 'field \\"room\\"'],
    ["a number out of range", '{"type":"join","room":"lobby","history":9999}\n', 'field \\"history\\"'],
    ["a room with spaces", '{"type":"join","room":"a room"}\n', '"code":"bad-room"'],
    ["a text with an escape", '{"type":"send","room":"@guest1","text":"\\u001b[2J"}\n', "U+001B"],
    [
      "a text over 8 KiB",
      `{"type":"send","room":"@guest1","text":"${"x".repeat(8_193)}"}\n`,
      '"code":"text-too-long"',
    ],
    ["a room one is not in", '{"type":"members","room":"elsewhere"}\n', '"code":"not-in-room"'],
    ["a nick nobody has", '{"type":"send","room":"@nobody","text":"hi"}\n', '"code":"no-such-nick"'],
    ["bytes that are not UTF-8", new Uint8Array([0x7b, 0xff, 0xfe, 0x7d, 0x0a]), '"code":"bad-utf8"'],
    ["binary garbage in a line", new Uint8Array([1, 2, 3, 0x80, 0x81, 0x0a]), '"code":"bad-utf8"'],
  ])("%s is answered, and the connection goes on", async (_, bytes, words) => {
    const wire = await Wire.welcomed();
    wire.say(bytes);
    await wire.hears(words);
    wire.say('{"type":"ping","id":"after"}\n');
    await wire.hears('"type":"pong","id":"after"');
    wire.close();
  });

  test("a nick that looks like another's by case or width is taken", async () => {
    for (const nick of ["BYSTANDER", "ｂｙｓｔａｎｄｅｒ"]) {
      const wire = await Wire.open();
      wire.say(HELLO.replace("NICK", nick));
      await wire.hears('"code":"nick-taken"');
      wire.close();
    }
  });

  test("a request before hello is refused by name", async () => {
    const wire = await Wire.open();
    wire.say('{"type":"join","room":"lobby"}\n');
    await wire.hears('"code":"hello-first"');
    wire.close();
  });
});

describe("a connection that cannot go on", () => {
  test("another protocol version is told both versions", async () => {
    const wire = await Wire.open();
    wire.say('{"type":"hello","version":2,"nick":"future"}\n');
    await wire.hears('"code":"version-mismatch"');
    await wire.ends();
    expect(wire.text).toMatch(/version 2 and this server 1/);
  });

  test("a line over 64 KiB, whole or never ending, ends it", async () => {
    for (const end of ["\n", ""]) {
      const wire = await Wire.welcomed();
      wire.say(`${"x".repeat(70_000)}${end}`);
      await wire.hears('"code":"line-too-long"');
      await wire.ends();
    }
  });

  test("an HTTP, an SSH and a TLS client are told that this is chat", async () => {
    for (const [first, words] of [
      ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "not HTTP"],
      ["SSH-2.0-OpenSSH_9.2\r\n", "not SSH"],
    ] as const) {
      const wire = await Wire.open();
      wire.say(first);
      await wire.hears(words);
      await wire.ends();
    }
    const wire = await Wire.open();
    wire.say(new Uint8Array([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]));
    await wire.ends();
  });

  test("whoever never says hello is closed after ten seconds, with or without a first byte", async () => {
    const silent = await Wire.open();
    const slow = await Wire.open();
    slow.say('{"type":"hel');
    await Promise.all([silent, slow].map((wire) => wire.hears('"code":"hello-timeout"')));
    await Promise.all([silent, slow].map((wire) => wire.ends()));
  });
});

describe("a server that cannot start", () => {
  test("names the port that is in use", async () => {
    const { code, stderr } = await lab.run("server", "--port", backend.split(":").at(-1) ?? "");
    expect(code).toBe(1);
    expect(stderr).toContain(`cannot listen on ${backend}: another process does`);
  });

  test("names the data folder that it cannot use", async () => {
    const file = join(await lab.folder(), "a-file");
    writeFileSync(file, "");
    const { code, stderr } = await lab.run("server", "--port", "0", "--data", file);
    expect(code).toBe(1);
    expect(stderr).toContain(file);
    expect(stderr).toMatch(/another (directory|folder)|choose another/);
  });

  test("refuses a secret that others can read", async () => {
    const data = join(await lab.folder(), "open");
    mkdirSync(data);
    const secret = join(data, "cluster.secret");
    writeFileSync(secret, "00".repeat(32));
    chmodSync(secret, 0o644);
    const { code, stderr } = await lab.run("server", "--port", "0", "--data", data);
    expect(code).toBe(1);
    expect(stderr).toContain("wanted 0600");
  });

  test("refuses a log file of another program", async () => {
    const data = join(await lab.folder(), "foreign");
    mkdirSync(data);
    writeFileSync(join(data, "log.sqlite"), "this is a diary\n".repeat(500));
    const { code, stderr } = await lab.run("server", "--port", "0", "--data", data);
    expect(code).toBe(1);
    expect(stderr).toContain(join(data, "log.sqlite"));
  });
});

test("whoever chatted meanwhile noticed nothing and still talks on its first connection", async () => {
  bystander.write("still here\n");
  await bystander.line(/"type":"message".*still here/);
  expect(bystander.output.stdout.match(/"type":"welcome"/g)).toHaveLength(1);
});
