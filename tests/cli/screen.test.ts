/**
 * The chat screen against a real cluster, at 80 × 24 and 160 × 50: what people do in their first hour, with the compiled
 * binary on a pseudo-terminal and whole screens compared as text. Times and dates are put away before comparing.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { rtchatBinary } from "../support/binary.ts";
import { openLab } from "../support/lab.ts";
import type { TerminalScreen, TerminalSize } from "../support/terminal.ts";
import { awkward } from "../tui/awkward.ts";

const lab = openLab();
let door = "";

beforeAll(async () => {
  const cluster = await lab.start("up", "--servers", "2", "--port", "0", "--admin", "127.0.0.1:0");
  door = (await cluster.ready())["listen"] ?? "";
});

/** A client with a memory of its own. */
async function start(who: string, size: TerminalSize, ...args: readonly string[]): Promise<TerminalScreen> {
  const folder = join(await lab.folder(), who);
  const env = { TZ: "UTC", LC_ALL: "C.UTF-8", XDG_STATE_HOME: folder, XDG_CONFIG_HOME: folder };
  return lab.terminalWith({ env }, size, "client", ...args);
}

/** Welcomed, and in a room. */
async function sit(nick: string, room: string, size: TerminalSize, address = door): Promise<TerminalScreen> {
  const screen = await start(nick, size, "--connect", address, "--nick", nick, "--room", room);
  await screen.see(/[1-9]\d* (person|people)[^]*● /);
  return screen;
}

/** What stands in the column of messages, of every row that is not empty, without times and dates. */
function pane(screen: string): string[] {
  const rows = screen.split("\n").map((row) => {
    const cells = row.split("│");
    // Messages may have such a line too.
    return (cells.length >= 3 ? cells.slice(1, -1).join("│") : row).trimEnd();
  });
  return rows
    .filter((row) => row !== "")
    .map((row) => row.replace(/^\d\d:\d\d /, "").replace(/^─+ (?:[A-Z][a-z]+day), [^─]+ ─+$/, "── date ──"));
}

describe.each([
  { columns: 80, rows: 24 },
  { columns: 160, rows: 50 },
])("at $columns × $rows", (size) => {
  /** Names of this size's own: both sizes talk on one cluster. */
  const own = (name: string) => `${name}${size.columns}`;
  const leave = async (...screens: readonly TerminalScreen[]) => {
    for (const screen of screens) {
      screen.press("ctrl-d");
      expect(await screen.ended()).toBe(0);
    }
  };

  test("the first start asks for a nick once and shows the last fifty, the second where new ones begin", async () => {
    const [nick, room] = [own("mia"), own("first")];
    const lines = Array.from({ length: 60 }, (_, n) => `line ${n + 1}`);
    const said = await lab.startWith(
      { input: lines.join("\n") },
      "client",
      "--connect",
      door,
      "--nick",
      own("bot"),
      "--room",
      room,
    );
    expect(await said.ended()).toMatchObject({ code: 0 });
    const mia = await start(nick, size, "--connect", door, "--room", room);
    expect((await mia.see(/What shall others call you\?[^]*\]/)).split("\n")).toEqual([
      "What shall others call you?",
      "(letters, digits, - and _; it is remembered, and /nick changes it)",
      "[tester]",
    ]);
    mia.type("no good\r");
    await mia.see(/nick "no good" is not usable; use 1 to 32 letters/);
    mia.type(`${nick}\r`);
    expect(pane(await mia.see(/line 60[^]*● mia/)).slice(-4)).toEqual([
      `${own("bot")}: line 59`,
      `${own("bot")}: line 60`,
      expect.stringMatching(/● mia\d+$/),
      `${nick}>`,
    ]);
    await leave(mia);
    const { code } = await lab.run("send", "--connect", door, "--room", room, "--nick", own("bob"), "new");
    expect(code).toBe(0);
    const again = await start(nick, size, "--connect", door, "--room", room);
    expect(pane(await again.see(/: new\s/)).slice(-5, -2)).toEqual([
      `${own("bot")}: line 60`,
      expect.stringMatching(/^─+ new from here ─+$/),
      `${own("bob")}: new`,
    ]);
    await leave(again);
  });

  test("who comes back is in the rooms of last time, with what is silent and whom they ignore", async () => {
    const [nick, one, two, out] = [own("rae"), own("one"), own("two"), own("out")];
    const first = await start(nick, size, "--connect", door);
    await first.see(/What shall others call you/);
    first.type(`${nick}\r`);
    await first.see(/lobby[^]*● rae/);
    for (const room of [one, out, two]) {
      first.type(`/join ${room}\r`);
      await first.see(new RegExp(`^ ${room} {2}no topic`));
    }
    first.type(`/mute ${one}\r`);
    await first.see(/is silent from now on/);
    first.type(`/ignore ${own("pest")}\r`);
    await first.see(/you read nothing of pest/);
    first.type("/highlight Teapot\r");
    await first.see(/Teapot is as good as your name/);
    first.type(`/leave ${out}\r`);
    first.type("/leave lobby\r");
    await first.see((shown) => !/^(?:\d? )?lobby/m.test(shown));
    await leave(first);

    const post = (nickname: string, room: string, text: string) =>
      lab.run("send", "--connect", door, "--nick", nickname, "--room", room, text);
    await post(own("pest"), two, "read me");
    await post(own("bob"), two, "the end");
    await post(own("bob"), one, "a TEAPOT!");
    const again = await start(nick, size, "--connect", door);
    const screen = await again.see(/: the end/);
    expect(screen).toMatch(new RegExp(`^ ${two} {2}no topic`));
    expect(screen).not.toContain("read me");
    expect(screen).not.toMatch(/lobby/);
    await again.see(new RegExp(`${one} 1!`));
    again.type(`/mute ${one}\r`);
    await again.see(/may be heard again/);
    again.type("/names\r");
    await again.see(new RegExp(`1 person in ${two}`));
    await leave(again);

    // Whoever names a room is there and nowhere else, and next time where they were before.
    const named = await start(nick, size, "--connect", door, "--room", out);
    expect(await named.see(new RegExp(`^ ${out} {2}no topic[^]*● rae`))).not.toContain(two);
    await leave(named);
    const last = await start(nick, size, "--connect", door);
    await last.see(/: the end/);
    await leave(last);
  });

  test("two people talk", async () => {
    const room = own("talk");
    const ana = await sit(own("ana"), room, size);
    const ben = await sit(own("ben"), room, size);
    await ana.see(/2 people/);
    ana.type("hello, is anybody here?\r");
    await ben.see(/: hello, is anybody here\?/);
    ben.type("hi!\r");
    const screen = await ana.see(/: hi!/);
    expect(screen.split("\n")).toHaveLength(size.rows);
    expect(pane(screen)).toEqual([
      expect.stringMatching(new RegExp(`^ ${room} {2}no topic +2 people$`)),
      expect.stringMatching(
        new RegExp(`^ +· connected to server-\\d as ${own("ana")}; /help shows the commands$`),
      ),
      `      · ${own("ben")} joined ${room}`,
      "── date ──",
      `${own("ana")}: hello, is anybody here?`,
      `${own("ben")}: hi!`,
      expect.stringMatching(/● ana\d+$/),
      `${own("ana")}>`,
    ]);
    if (size.columns > 100)
      expect(screen).toMatch(
        new RegExp(`\nrooms +│ +│2 people\n1 ${room} +│ +│ ${own("ana")}\n +│ +│ ${own("ben")}\n`),
      );
    else expect(screen.split("\n").at(-2)).toStartWith(room);
    await leave(ana, ben);
  });

  test("Tab completes, a paste asks first, and what was written is changed", async () => {
    const room = own("typing");
    const ana = await sit(own("lea"), room, size);
    const ben = await sit(own("barbara"), room, size);
    await ana.see(/2 people/);
    ana.type("bar\t");
    await ana.see(new RegExp(`lea\\d+> ${own("barbara")}:`));
    ana.press("ctrl-u");
    ana.type("/who\t");
    await ana.see(/lea\d+> \/who(is)?/);
    ana.press("ctrl-u");
    ana.type(":tada\t");
    await ana.see(/lea\d+> 🎉/);
    ana.press("ctrl-u");
    ana.type("\u001b[200~one\ntwo\nthree\u001b[201~");
    await ana.see(/3 lines pasted: Enter sends them as one message, e edits/);
    ana.press("enter");
    await ben.see((shown) => /: one\n +two\n +three\n/.test(pane(shown).join("\n")));
    // Ana may hear after ben that it is no longer under way.
    const arrived = (text: string) =>
      ana.see((shown) => shown.includes(`: ${text}`) && !shown.includes("…   lea"));
    await arrived("one");
    ana.type("/edit one and only\r");
    await ben.see(/: one and only \(edited\)/);
    ana.type("oops\r");
    await ben.see(/: oops/);
    await arrived("oops");
    ana.type("/delete\r");
    await ben.see(/: message deleted/);
    expect(pane(await ana.see(/: message deleted/)).slice(-4, -2)).toEqual([
      `${own("lea")}: one and only (edited)`,
      `${own("lea")}: message deleted`,
    ]);
    ana.type(`/msg ${own("barbara")} between us\r`);
    await ana.see(/\d\d:\d\d lea\d+: between us/);
    ana.type("/close @nobody\r");
    await ana.see(/you are not in @nobody/);
    ana.type("/close\r");
    await ana.see((shown) => shown.startsWith(` ${room} `) && !shown.includes("@barbara"));
    await leave(ana, ben);
  });

  test("search finds, and jumps to what was said around it", async () => {
    const room = own("hay");
    const lines = Array.from({ length: 200 }, (_, n) => (n === 20 ? "the needle in it" : `hay ${n}`));
    const bot = await lab.startWith(
      { input: lines.join("\n") },
      "client",
      "--connect",
      door,
      "--nick",
      own("farmer"),
      "--room",
      room,
    );
    expect(await bot.ended()).toMatchObject({ code: 0 });
    const ana = await sit(own("eva"), room, size);
    await ana.see(/hay 199/);
    // The last fifty are here; older ones are asked for.
    ana.type("/history\r");
    await ana.see(/: hay 148\s[^]*: hay 149\s[^]*messages below/);
    ana.press("escape");
    await ana.see(/hay 199/);
    ana.type("/search NEEDLE\r");
    const found = await ana.see(/\/jump NUMBER goes to one/);
    expect(pane(found).slice(-5, -2)).toEqual([
      "      · 1 message found among the last 200:",
      `        21  ${own("farmer")}: the needle in it`,
      "      · /jump NUMBER goes to one; say more words for fewer",
    ]);
    ana.type("/jump 21\r");
    const rows = pane(await ana.see(/messages below/));
    const at = rows.indexOf(`${own("farmer")}: the needle in it`);
    expect(rows.slice(at - 1, at + 2)).toEqual([
      `${own("farmer")}: hay 19`,
      `${own("farmer")}: the needle in it`,
      `${own("farmer")}: hay 21`,
    ]);
    ana.press("escape");
    await ana.see(/hay 199/);
    await leave(ana);
  });

  test("awkward strings keep their width, and nothing of them reaches the terminal unescaped", async () => {
    const ana = await sit(own("uma"), own("unicode"), size);
    const long = awkward.map(([, text]) => text).filter((text) => text.length > 1_000);
    const short = awkward.flatMap(([, text], index) => (text.length > 1_000 ? [] : [`${text}|${index}|`]));
    // As JSON, so that nothing is taken out of them on the way; the server itself takes no control characters.
    const refused = short.filter((text) => /[^\P{Cc}\t\n]/u.test(text));
    const bot = await lab.startWith(
      {
        input: [...long, ...short, "the end"]
          .map((text) => JSON.stringify({ type: "send", room: own("unicode"), text }))
          .join("\n"),
      },
      "client",
      "--connect",
      door,
      "--nick",
      "b",
      "--room",
      own("unicode"),
      "--json",
    );
    expect(await bot.ended()).toMatchObject({
      code: 1,
      stderr: `rtchat client: ${refused.length} messages were refused\n`,
    });
    // Afterwards nothing but keys changes the picture: two pages at once would leave one unseen.
    await ana.see(/b: the end[^]*b left/);
    // All of them were shown, page by page.
    const shown = new Map<number, string>();
    for (;;) {
      const before = ana.screen();
      for (const row of pane(before)) {
        const index = /\|(\d+)\|$/.exec(row)?.[1];
        if (index !== undefined) shown.set(Number(index), row);
      }
      for (const cells of ana.cells()) {
        expect(cells.reduce((sum, { width }) => sum + width, 0)).toBe(size.columns);
      }
      if (shown.size === short.length - refused.length) break;
      ana.press("page-up");
      await ana.see((now) => now !== before);
    }
    for (const [index, row] of shown) {
      const [, text = "", line = ""] = awkward[index] ?? [];
      // In a message a line separator begins a new row.
      expect(row).toBe(text.includes("\u2028") ? `      b|${index}|` : `b: ${line}|${index}|`);
    }
    for (const sequence of ["\u001b]0;", "\u009b", "\u202e", "\u2067", "\u200b", "\b", "\u0000", "\f"]) {
      expect(ana.raw.includes(sequence)).toBeFalse();
    }
    await leave(ana);
  });

  test("a change of size draws everything anew", async () => {
    const ana = await sit(own("rita"), own("resize"), size);
    ana.type("something to see\r");
    await ana.see(/\d\d:\d\d rita\d+: something to see/);
    ana.type("a draft");
    ana.resize({ columns: 60, rows: 12 });
    const small = await ana.see(
      (shown) => shown.split("\n").length === 12 && !shown.includes("│") && shown.includes("> a draft"),
    );
    expect(small).toMatch(/: something to see/);
    ana.resize({ columns: 30, rows: 2 });
    await ana.see(/see *\nrita\d+> a draft$/);
    ana.resize({ columns: 9, rows: 5 });
    await ana.see(/too small/);
    ana.resize(size);
    const screen = await ana.see(
      (shown) => shown.split("\n").length === size.rows && shown.includes("> a draft"),
    );
    expect(pane(screen).slice(-3)).toEqual([
      `${own("rita")}: something to see`,
      expect.stringMatching(/● rita\d+$/),
      `${own("rita")}> a draft`,
    ]);
    ana.press("ctrl-u");
    await leave(ana);
  });

  test("what is typed while the server is gone is sent when it is back, once", async () => {
    const data = join(await lab.folder(), own("alone"));
    const server = (port: string) => lab.start("server", "--port", port, "--data", data);
    const first = await server("0");
    const address = (await first.ready())["listen"] ?? "";
    const ana = await sit(own("olga"), "lobby", size, address);
    ana.type("before\r");
    await ana.see(/\d\d:\d\d olga\d+: before/);
    await first.stop("SIGKILL");
    await ana.see(/○ (reconnecting|connecting)/);
    ana.type("written in the dark\r");
    await ana.see(/… {3}olga\d+: written in the dark/);
    ana.type("and a draft");
    await (await server(address.split(":")[1] ?? "")).ready();
    const screen = await ana.see(/\d\d:\d\d olga\d+: written in the dark[^]*●/);
    expect(screen).toMatch(/> and a draft$/);
    expect(screen.match(/written in the dark/g)).toHaveLength(1);
    expect(pane(screen).filter((row) => row.startsWith("olga"))).toEqual([
      `${own("olga")}: before`,
      `${own("olga")}: written in the dark`,
      `${own("olga")}> and a draft`,
    ]);
    ana.press("ctrl-u");
    await leave(ana);
  });
});

test("a dumb terminal is only written to: no escape sequence, no prompt, lines below each other", async () => {
  const args = ["client", "--connect", door, "--nick", "dumb", "--room", "teletype"];
  const command = ["env", "-u", "COLORTERM", "TERM=dumb", await rtchatBinary()];
  const screen = await lab.terminalWith({ command }, { columns: 80, rows: 24 }, ...args);
  await screen.see(/you are in teletype/);
  screen.type("hello\n");
  await screen.see(/\d\d:\d\d dumb: hello/);
  screen.type("/help\n");
  await screen.see(/\/quit/);
  expect(screen.raw).not.toContain("\u001b");
  expect(screen.raw).not.toContain("teletype>");
  screen.type("/quit\n");
  expect(await screen.ended()).toBe(0);
  expect(screen.raw).not.toContain("\u001b");
});
