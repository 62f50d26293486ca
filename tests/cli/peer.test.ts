// `rtchat peer` and `rtchat id` as people and programs meet them: the compiled binary, terminals and pipes.
import { describe, expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openLab, type Running } from "../support/lab.ts";
import type { TerminalScreen } from "../support/terminal.ts";

const lab = openLab();
let folders = 0;

/** A data folder of its own. */
async function folder(): Promise<string> {
  folders += 1;
  return join(await lab.folder(), `peer-${folders}`);
}

/** A peer in a pipe that stays. */
async function background(
  nick: string,
  ...args: readonly string[]
): Promise<{ process: Running; listen: string }> {
  const running = await lab.start(
    "peer",
    "--json",
    "--nick",
    nick,
    "--data",
    await folder(),
    "--listen",
    "127.0.0.1:0",
    ...args,
  );
  return { process: running, listen: (await running.ready())["listen"] ?? "" };
}

const size = { columns: 100, rows: 40 };

/** A peer on a terminal, in lines. */
async function atTerminal(nick: string, ...args: readonly string[]): Promise<TerminalScreen> {
  const all = [
    "peer",
    "--plain",
    "--nick",
    nick,
    "--data",
    await folder(),
    "--listen",
    "127.0.0.1:0",
    ...args,
  ];
  return lab.terminal(size, ...all);
}

function enter(screen: TerminalScreen, line: string): void {
  screen.type(line);
  screen.press("enter");
}

describe("rtchat id", () => {
  test("makes a key once and shows the same ID ever after", async () => {
    const data = await folder();
    const first = await lab.run("id", "--data", data);
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/^rt1-([02-9ac-hj-np-z]{5}-){11}[02-9ac-hj-np-z]{4}\n$/);
    expect(first.stderr).toContain(`made a new key in ${data}/identity.pem`);
    const second = await lab.run("id", "--data", data);
    expect(second.stdout).toBe(first.stdout);
    expect(second.stderr).toBe("");
    const json: unknown = JSON.parse((await lab.run("id", "--json", "--data", data)).stdout);
    expect(json).toEqual({
      peerId: first.stdout.trim().replaceAll("-", ""),
      path: join(data, "identity.pem"),
      created: false,
    });
  });

  test("refuses a key that others can read, with what to do", async () => {
    const data = await folder();
    await lab.run("id", "--data", data);
    await chmod(join(data, "identity.pem"), 0o644);
    const { code, stderr } = await lab.run("id", "--data", data);
    expect(code).toBe(1);
    expect(stderr).toContain("others can read the key file");
    expect(stderr).toContain("chmod 600");
  });
});

describe("from a pipe", () => {
  test("exits 0 once somebody else holds every line", async () => {
    const ana = await background("ana");
    const sent = await lab.startWith(
      { input: "one\ntwo\n" },
      "peer",
      "--nick",
      "bot",
      "--data",
      await folder(),
      "--listen",
      "127.0.0.1:0",
      "--connect",
      ana.listen,
    );
    expect(await sent.ended()).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(await ana.process.line(/"text":"one"/)).toContain('"from":"bot"');
    await ana.process.line(/"text":"two"/);
  });

  test("exits 1 when nobody is there, and says what was tried", async () => {
    const gone = await background("gone");
    await gone.process.stop();
    const sent = await lab.startWith(
      { input: "hello?\n" },
      "peer",
      "--nick",
      "bot",
      "--data",
      await folder(),
      "--listen",
      "127.0.0.1:0",
      "--connect",
      gone.listen,
    );
    const { code, stdout, stderr } = await sent.ended();
    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain(`no connection to ${gone.listen}`);
    expect(stderr).toContain("nothing listens there");
  });

  test("JSON in, JSON out: rooms, direct messages, topics, members", async () => {
    const ana = await background("ana");
    const ben = await background("ben", "--connect", ana.listen);
    await ben.process.line(/"type":"presence".*"nick":"ana","state":"join"/);
    await ana.process.line(/"type":"presence".*"nick":"ben","state":"join"/);
    ana.process.write('{"type":"join","room":"garden"}\n');
    await ana.process.line(/"type":"joined","room":"garden"/);
    ben.process.write('{"type":"send","room":"garden","id":"x1","text":"in the garden"}\n');
    expect(JSON.parse(await ana.process.line(/in the garden/))).toMatchObject({
      type: "message",
      room: "garden",
      from: "ben",
      unverified: true,
    });
    expect(JSON.parse(await ben.process.line(/"type":"ack","id":"x1"/))).toMatchObject({ held: 2, of: 2 });
    ben.process.write('{"type":"send","room":"@ana","text":"only you"}\n');
    expect(JSON.parse(await ana.process.line(/only you/))).toMatchObject({ room: "@ben", from: "ben" });
    ben.process.write('{"type":"topic","room":"garden","text":"flowers"}\n');
    expect(JSON.parse(await ana.process.line(/"type":"topic"/))).toMatchObject({
      room: "garden",
      text: "flowers",
      by: "ben",
    });
    ben.process.write('{"type":"nick","nick":"benny"}\n');
    await ana.process.line(/"state":"rename","to":"benny"/);
    ana.process.write('{"type":"members","room":"garden"}\n');
    expect(JSON.parse(await ana.process.line(/"type":"members"/))).toMatchObject({
      members: ["ana", "benny"],
    });
    ana.process.write('{"type":"send","room":"@nobody","text":"hm"}\n');
    expect(JSON.parse(await ana.process.line(/"type":"error"/))).toMatchObject({ code: "no-such-nick" });
  });
});

describe("on a terminal", () => {
  test("two people meet by an invite, verify each other, and see how they are connected", async () => {
    const ana = await atTerminal("ana", "--invite-only");
    const shown = await ana.see(/rtchat peer 'rtchat:\/\/[^']+'/);
    const invite = /'(rtchat:\/\/[^']+)'/.exec(shown.replaceAll(/\s/g, ""))?.[1] ?? "";
    const ben = await atTerminal("ben", invite);
    await ben.see(/ana joined lobby/);
    await ana.see(/ben came in with an invite/);
    enter(ben, "hello");
    await ana.see(/ben: hello/);

    enter(ana, "/verify ben");
    enter(ben, "/verify ana");
    const pattern = /compare these words[^]*?name:\s+([a-z ]+?)\n\s+([a-z ]+?)\n/;
    const here = pattern.exec(await ana.see(pattern));
    const there = pattern.exec(await ben.see(pattern));
    expect(here?.slice(1).join(" ").trim().split(/\s+/)).toHaveLength(12);
    expect(there?.slice(1)).toEqual(here?.slice(1) ?? []);
    enter(ana, "/verify ben yes");
    await ana.see(/ben is verified on this device/);
    enter(ana, "/peers");
    await ana.see(/ben\s+verified\s+on this machine, [\d.]+ ms\s+rt1-/);
    enter(ana, "/quit");
    expect(await ana.ended()).toBe(0);
    await ben.see(/ana left lobby/);
  });

  test("what was said stays as it was said, and that is told in each language", async () => {
    const ana = await background("ana");
    const ben = await atTerminal("ben", "--lang", "es", "--connect", ana.listen);
    await ben.see(/ana[^\n]*lobby/);
    await ana.process.line(/"type":"presence".*"nick":"ben","state":"join"/);
    for (const place of ["@ana", "lobby"]) {
      enter(ben, `/join ${place}`);
      await ben.see(new RegExp(`\\n${place}>`));
      enter(ben, `hello in ${place}`);
      await ana.process.line(new RegExp(`hello in ${place}`));
      await ben.see(new RegExp(`: hello in ${place}`));
      enter(ben, `/edit other in ${place}`);
      await ben.see(new RegExp(`no enviado[^\\n]*other in ${place}[^]*entre pares lo dicho se queda`));
    }
    // An answer is said as a message.
    ana.process.write('{"type":"send","room":"@ben","text":"well?"}\n');
    await ben.see(/well\?/);
    enter(ben, "/join @ana");
    enter(ben, "/reply indeed");
    expect(JSON.parse(await ana.process.line(/indeed/))).toMatchObject({ room: "@ben", text: "indeed" });
  });

  test("somebody without an invite is let in loudly, and marked until verified", async () => {
    const ana = await atTerminal("ana");
    await ana.see(/listening on port (\d+)/);
    const port = /listening on port (\d+)/.exec(ana.raw)?.[1] ?? "";
    const ben = await atTerminal("ben", "--connect", `127.0.0.1:${port}`);
    await ana.see(/ben\? came in without an invite: trusted on first use, not verified/);
    enter(ben, "hi");
    await ana.see(/ben\?: hi/);
    enter(ana, "/verify ben yes");
    await ana.see(/ben is verified on this device/);
    enter(ben, "hi again");
    await ana.see(/ben: hi again/);
    enter(ana, "/remove ben");
    await ana.see(/ben is out for good/);
    await ben.see(/ana left lobby/);
  });

  test("a key that has changed is refused loudly, until it is forgotten", async () => {
    const data = await folder();
    const args = ["--data", data, "--listen", "127.0.0.1:0", "--json"];
    const ana = await background("ana");
    const ben = await lab.start("peer", ...args, "--connect", ana.listen);
    await ben.line(/"state":"join"/);
    await Promise.all([ben.stop(), ana.process.stop()]);
    const other = await lab.start(
      "peer",
      "--json",
      "--nick",
      "eva",
      "--data",
      await folder(),
      "--listen",
      ana.listen,
    );
    await other.ready();
    const screen = await lab.terminal(
      size,
      "peer",
      "--plain",
      "--data",
      data,
      "--listen",
      "127.0.0.1:0",
      "--connect",
      ana.listen,
    );
    await screen.see(/REFUSED: the key of 127\.0\.0\.1:\d+ has changed/);
    await screen.see(/--forget 127\.0\.0\.1:/);
    enter(screen, "/quit");
    await screen.ended();
    const again = await lab.start("peer", ...args, "--connect", ana.listen, "--forget", ana.listen);
    await again.line(/"type":"linked"/);
  });

  test("the full screen works as with a server", async () => {
    const ana = await background("ana");
    const data = await folder();
    const screen = await lab.terminal(
      size,
      "peer",
      "--nick",
      "ben",
      "--data",
      data,
      "--listen",
      "127.0.0.1:0",
      "--connect",
      ana.listen,
    );
    await screen.see(/ana joined lobby/);
    enter(screen, "hello from the full screen");
    await ana.process.line(/hello from the full screen/);
    ana.process.write("and back\n");
    await screen.see(/ana\?.*and back/);
    enter(screen, "/peers");
    await screen.see(/not verified/);
    enter(screen, "/help verify");
    await screen.see(/twelve words to compare/);
    enter(screen, "/quit");
    expect(await screen.ended()).toBe(0);
  });

  test("nobody's escape sequences reach a terminal", async () => {
    const ana = await background("ana");
    const screen = await atTerminal("ben", "--connect", ana.listen);
    await screen.see(/ana joined lobby/);
    ana.process.write(`${JSON.stringify({ type: "send", room: "lobby", text: "\u202Eevil\u200B" })}\n`);
    await screen.see(/ana\?: evil/);
    ana.process.write(`${JSON.stringify({ type: "topic", room: "lobby", text: "\u202Etopic" })}\n`);
    await screen.see(/set the topic of lobby: topic/);
    expect(screen.raw).not.toContain("\u202E");
    expect(screen.raw).not.toContain("\u200B");
  });
});

describe("refuses with a reason", () => {
  test("an invite that is damaged, or is none", async () => {
    for (const [text, problem] of [
      ["rtchat://1.2.3.4:5002/rt1x/AQAA", "the invite is damaged or cut off"],
      ["hello", "is not a whole invite"],
    ] as const) {
      const { code, stderr } = await lab.run("peer", text, "--data", await folder());
      expect(code).toBe(2);
      expect(stderr).toContain(problem);
    }
  });

  test("whoever comes to the port with another protocol, and /why tells who", async () => {
    const ana = await atTerminal("ana");
    await ana.see(/rtchat:\/\/127\.0\.0\.1:\d+/);
    const [, port = ""] = /rtchat:\/\/127\.0\.0\.1:(\d+)/.exec(ana.screen()) ?? [];
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(400);
    for (const bytes of ["SSH-2.0-OpenSSH_9.6\r\n", '{"type":"hello","version":1,"nick":"eve"}\n']) {
      const ended = Promise.withResolvers<void>();
      const socket = { data: () => {}, close: () => ended.resolve(), error: () => ended.resolve() };
      const connection = await Bun.connect({ hostname: "127.0.0.1", port: Number(port), socket });
      connection.write(bytes);
      await ended.promise;
    }
    enter(ana, "/why");
    await ana.see(/from 127\.0\.0\.1:\d+: a browser or another program that speaks HTTP came to this port/);
    await ana.see(/: another program came to this port \(an SSH client\)/);
    await ana.see(/: a chat client came to this port, which is for peers/);
    enter(ana, "still fine");
    await ana.see(/ana: still fine/);
  });

  test("a port in use, a folder in use, a damaged file", async () => {
    const ana = await background("ana");
    const inUse = await lab.run("peer", "--listen", ana.listen, "--data", await folder());
    expect(inUse).toMatchObject({ code: 1, stdout: "" });
    expect(inUse.stderr).toContain(`cannot listen on ${ana.listen}: another process does`);

    const data = await folder();
    const first = await lab.start("peer", "--json", "--data", data, "--listen", "127.0.0.1:0");
    await first.ready();
    const second = await lab.run("peer", "--data", data, "--listen", "127.0.0.1:0");
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`another rtchat peer is running with ${data}`);
    await first.stop("SIGKILL");

    await writeFile(join(data, "peer", "known-peers.json"), "{oops");
    const damaged = await lab.run("peer", "--data", data, "--listen", "127.0.0.1:0");
    expect(damaged.code).toBe(1);
    expect(damaged.stderr).toContain("known-peers.json is damaged");
  });
});
