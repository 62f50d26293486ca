/** The full screen as people see it: the compiled binary on a pseudo-terminal, compared as text. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { listenFake } from "../client/fake-listener.ts";
import type { Listening } from "../client/fake-listener.ts";
import { FakeServer } from "../client/fake-server.ts";
import { eventually } from "../support/deadline.ts";
import { openLab } from "../support/lab.ts";
import { awkward } from "./awkward.ts";

const lab = openLab();
const small = { columns: 80, rows: 24 };
const large = { columns: 160, rows: 50 };
let opened = 0;
let server: FakeServer;
let listening: Listening;

beforeEach(() => {
  server = new FakeServer();
  listening = listenFake(server);
});
afterEach(() => listening.stop());

async function open(nick: string, size = small, ...args: readonly string[]) {
  // Each with its own memory: the fake servers of all tests call their logs the same.
  opened += 1;
  const state = join(await lab.folder(), `state-${opened}`);
  const env = { TZ: "UTC", LC_ALL: "C.UTF-8", XDG_STATE_HOME: state };
  const screen = await lab.terminalWith(
    { env },
    size,
    "client",
    "--connect",
    String(listening.port),
    "--nick",
    nick,
    ...args,
  );
  // Welcomed, and in the room.
  await screen.see(/[1-9]\d* (person|people)[^]*● /);
  return screen;
}

/** The rows that have something on them, without trailing spaces. */
const written = (screen: string) => screen.split("\n").filter((line) => line.trim() !== "");

describe("the screen", () => {
  test("shows two people talking, at 80 × 24", async () => {
    server.post("lobby", "zoe", "was here before");
    const ana = await open("ana");
    await ana.see(/was here before/);
    const bob = await open("bob");
    await bob.see(/2 people/);
    ana.type("hello bob");
    await ana.see(/ana> hello bob/);
    ana.press("enter");
    await bob.see(/ana: hello bob/);
    bob.type("hello ana\r");
    const screen = await ana.see(/bob: hello ana/);
    expect(written(screen)).toEqual([
      expect.stringMatching(/^ lobby {2}no topic +(1 person|2 people) $/),
      "      · connected to fake as ana; /help shows the commands",
      `${"─".repeat(26)} Tuesday, 14 November 2023 ${"─".repeat(27)}`,
      "22:13 zoe: was here before",
      "22:13 ana: hello bob",
      "22:13 bob: hello ana",
      expect.stringMatching(/^lobby +● ana$/),
      "ana>",
    ]);
    expect(screen.split("\n")).toHaveLength(24);
    ana.press("ctrl-d");
    expect(await ana.ended()).toBe(0);
  });

  test("has panels for rooms and members at 160 × 50, which can be put away", async () => {
    const ana = await open("ana", large);
    ana.type("/join ops\r");
    await ana.see(/ops {2}no topic/);
    server.post("lobby", "bob", "ana: look");
    await ana.see(/lobby 1!/);
    const screen = await ana.see(/│1 person\n1 lobby 1! .*│ ana\n2 ops +│/);
    expect(screen.split("\n")).toHaveLength(50);
    expect(screen.split("\n").slice(1, 4)).toEqual([
      expect.stringMatching(/^rooms {15}│ +│1 person/),
      expect.stringMatching(/^1 lobby 1! +│ +│ ana/),
      expect.stringMatching(/^2 ops +│/),
    ]);
    ana.type("\u001bN");
    await ana.see((shown) => !shown.includes("│"));
    ana.type("\u001ba");
    await ana.see(/bob: ana: look/);
    ana.resize({ columns: 60, rows: 12 });
    // The emulator cuts what it shows to the new size before the program has drawn anew.
    await ana.see((shown) => shown.split("\n").length === 12 && /lobby {2}ops/.test(shown));
    ana.resize({ columns: 9, rows: 5 });
    await ana.see(/too small/);
    ana.resize(large);
    await ana.see(/bob: ana: look/);
  });

  test("keeps what is typed over a reconnect and sends it once it is back", async () => {
    const ana = await open("ana");
    const { port } = listening;
    listening.stop();
    await ana.see(/reconnecting in|connecting/);
    ana.type("written in the dark\r");
    await ana.see(/… {3}ana: written in the dark/);
    ana.type("and a draft");
    listening = listenFake(server, port);
    server.post("lobby", "bob", "meanwhile");
    const screen = await ana.see(/22:13 ana: written in the dark/);
    expect(screen).toMatch(/bob: meanwhile/);
    expect(screen).toMatch(/ana> and a draft/);
    expect(screen).not.toContain("…   ana");
  }, 30_000);

  test("shows what was not sent, sends it again with Alt+R, drops it with Alt+X", async () => {
    let refuse = true;
    server.intercept = (connection, request) => {
      if (request.type !== "send" || !refuse) return false;
      connection.say({ type: "error", code: "bad-text", message: "not that", id: request.id! });
      return true;
    };
    const ana = await open("ana");
    ana.type("try\r");
    await ana.see(/✗ {3}ana: try\n +not sent: not that; Alt\+R/);
    refuse = false;
    ana.type("\u001br");
    await ana.see(/22:13 ana: try/);
    refuse = true;
    ana.type("again\r");
    await ana.see(/✗ {3}ana: again/);
    ana.type("\u001bx");
    await ana.see((shown) => !shown.includes("✗"));
    ana.press("up");
    await ana.see(/ana> again$/);
  });

  test("asks before it sends a paste of many lines", async () => {
    const ana = await open("ana");
    ana.type("\u001b[200~one\ntwo\nthree\n\u001b[201~");
    await ana.see(/3 lines pasted: Enter sends them as one message/);
    expect(server.log("lobby")).toEqual([]);
    ana.press("escape");
    await ana.see((shown) => !shown.includes("pasted"));
    ana.type("\u001b[200~four\nfive\u001b[201~");
    await ana.see(/2 lines pasted/);
    ana.type("e");
    await ana.see(/ana> four\n {5}five/);
    ana.type("!");
    ana.press("enter");
    await ana.see(/22:13 ana: four\n {6}five!/);
    expect(server.log("lobby").map(({ text }) => text)).toEqual(["four\nfive!"]);
    ana.type("\u001b[200~one line\u001b[201~");
    await ana.see(/ana> one line$/);
  });

  test("asks before it sends a paste that makes several messages, and says that the end of one is missing", async () => {
    const ana = await open("ana");
    ana.type(`\u001b[200~${"word ".repeat(4_000)}\u001b[201~`);
    await ana.see(/a long line pasted: Enter sends it as 3 messages/);
    ana.press("escape");
    await ana.see((shown) => !shown.includes("pasted"));
    ana.type(`\u001b[200~${"word\n".repeat(60_000)}\u001b[201~`);
    await ana.see(/too long, cut after 262144 characters: Enter sends 33 messages/);
    ana.press("escape");
    await ana.see((shown) => !shown.includes("pasted"));
    expect(server.log("lobby")).toEqual([]);
  });

  test("shows itself bare with Alt+L, so that what takes several rows is copied as one line", async () => {
    const ana = await open("ana");
    const long = `https://example.org/${"path/".repeat(40)}end`;
    server.post("lobby", "bob", `first ${long}`);
    await ana.see(/end/);
    expect(ana.copied()).not.toContain(long);
    ana.type("a draft");
    ana.type("\u001bl");
    await ana.see(/any other key leads back/);
    expect(ana.copied()).toContain(`bob: first ${long}\n`);
    // Nothing moves under the mouse until a key is pressed; the key is not typed.
    server.post("lobby", "bob", "meanwhile");
    // What came is in the next picture, which only another size brings: so sizes change until it has come.
    let rows = 20;
    const sizes = setInterval(() => {
      rows = rows === 20 ? 21 : 20;
      ana.resize({ columns: 100, rows });
    }, 20);
    await ana.see(/meanwhile[^]*any other key leads back/);
    clearInterval(sizes);
    expect(ana.copied()).toContain(`bob: first ${long}\n`);
    ana.type("x");
    const screen = await ana.see(/ana> a draft$/m);
    expect(screen).toMatch(/new from here[^]*meanwhile/);
  });

  test("writes several lines with Alt+Enter, and completes commands and nicks with Tab", async () => {
    const ana = await open("ana");
    server.post("lobby", "barbara", "hi");
    server.post("lobby", "basil", "hi");
    await ana.see(/basil: hi/);
    ana.type("/he\t");
    await ana.see(/ana> \/help$/);
    ana.press("ctrl-u");
    ana.type("ba\t");
    await ana.see(/ana> ba(rbara|sil): $|basil {2}barbara|ana> basil/);
    ana.type("\t");
    await ana.see(/ana> (barbara|basil):/);
    ana.press("ctrl-u");
    ana.type("first\u001b\rsecond");
    await ana.see(/ana> first\n {5}second$/);
    ana.press("enter");
    await ana.see(/ana: first\n {6}second/);
  });

  test("fetches older messages when one scrolls up, and comes back to the end", async () => {
    for (let n = 1; n <= 300; n += 1) server.post("lobby", "bob", `message ${n}`);
    const ana = await open("ana");
    await ana.see(/message 300/);
    for (;;) {
      const before = ana.screen();
      if (/message 1\n/.test(before)) break;
      ana.press("page-up");
      await ana.see((shown) => shown !== before);
    }
    server.post("lobby", "bob", "a new one");
    await ana.see(/messages below/);
    ana.press("escape");
    await ana.see(/a new one/);
  });

  test("scrolls by what the wheel turns, and leaves the line being typed alone", async () => {
    for (let n = 1; n <= 100; n += 1) server.post("lobby", "bob", `message ${n}`);
    const ana = await open("ana");
    await ana.see(/message 100/);
    ana.type("half a th");
    await ana.see(/ana> half a th/);
    ana.type("\u001b[A".repeat(3));
    await ana.see((shown) => !shown.includes("message 98") && shown.includes("message 97"));
    ana.type("\u001b[A".repeat(6));
    await ana.see((shown) => !shown.includes("message 92") && shown.includes("message 91"));
    expect(ana.screen()).toMatch(/ana> half a th/);
    ana.type("\u001b[B".repeat(9));
    await ana.see(/message 100/);
  });

  test("marks where the new messages begin when it was away", async () => {
    const ana = await open("ana");
    server.post("lobby", "bob", "seen");
    await ana.see(/bob: seen/);
    ana.type("\u001b[Ox");
    await ana.see(/ana> x/);
    server.post("lobby", "bob", "ana: are you there?");
    await ana.see(/new from here/);
    // The bell and the title follow the picture.
    await eventually(
      () => ana.raw.includes("\u0007") && ana.raw.includes("\u001b]2;(1) lobby – rtchat"),
      () => "the bell and the title",
    );
    ana.type("\u001b[I");
    const screen = await ana.see(/new from here/);
    expect(written(screen).slice(-4, -2)).toEqual([
      expect.stringContaining("new from here"),
      "22:13 bob: ana: are you there?",
    ]);
  });

  test("gives the terminal back while it is suspended, and draws all of it again in front", async () => {
    const ana = await open("ana");
    ana.type("a draft");
    await ana.see(/ana> a draft/);
    const stopped = async () => {
      // The shell would say here that the job was stopped; the alternate screen is gone.
      await ana.see((shown) => shown === "");
      await eventually(
        () => readFileSync(`/proc/${ana.pid}/stat`, "utf8").includes(") T "),
        () => "the client to stop",
      );
    };
    ana.type("\u001a");
    await stopped();
    expect(ana.raw).toEndWith("\u001b[?25h\u001b[?1004l\u001b[?2004l\u001b[?7h\u001b[?1049l\u001b[23;2t");
    server.post("lobby", "bob", "while you were away");
    ana.resize({ columns: 100, rows: 30 });
    ana.kill("SIGCONT");
    const screen = await ana.see(/bob: while you were away[^]*ana> a draft/);
    expect(screen.split("\n")).toHaveLength(30);
    ana.kill("SIGTSTP");
    await stopped();
    ana.kill("SIGCONT");
    await ana.see(/ana> a draft/);
  });

  test("leaves the terminal as it was, however it ends", async () => {
    for (const end of ["SIGTERM", "SIGHUP", "SIGINT"] as const) {
      const ana = await open(`ana-${end.toLowerCase()}`);
      ana.kill(end);
      await ana.see((shown) => shown === "");
      await ana.ended();
      expect(ana.raw).toContain("\u001b[?25h\u001b[?1004l\u001b[?2004l\u001b[?7h\u001b[?1049l");
    }
  });

  test("shows sixty awkward strings, and no control character of theirs reaches the terminal", async () => {
    const ana = await open("ana");
    for (const [index, [, text]] of awkward.entries()) {
      server.post("lobby", "bob", `${text}\u0007 «${index}»`);
      await ana.see(new RegExp(`␇ «${index}»`));
    }
    // What the screen itself sends has none of these; what people wrote had them all.
    for (const sequence of ["\u001b]0;", "\u009b", "\u202e", "\u2067", "\u200b", "\b", "\u0000", "\f"]) {
      expect(ana.raw.includes(sequence)).toBeFalse();
    }
    expect(ana.raw.split("\u0007")).toHaveLength(1);
  });
});
