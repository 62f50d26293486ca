/**
 * The conversations of the pictures, played by the real program: every person is a client on a terminal of their own.
 *
 * Nothing here waits for a time: who speaks next speaks when the one whose screen is shown has seen the last words.
 */
import type { TerminalScreen, TerminalSize } from "../../tests/support/terminal.ts";
import type { Shot } from "./svg.ts";

/** What the stage is built with: a lab of the tests, or the command's own. */
export interface Stagehands {
  /** Starts a mode that serves. @returns its ready line's facts */
  serve(...args: readonly string[]): Promise<Readonly<Record<string, string>>>;
  /** Starts a program on a terminal, with a memory of its own. */
  terminal(name: string, size: TerminalSize, ...args: readonly string[]): Promise<TerminalScreen>;
}

const backstage: TerminalSize = { columns: 100, rows: 30 };

function shotOf(title: string, screen: TerminalScreen): Shot {
  return { title, cells: screen.cells(), cursor: screen.cursor(), text: screen.screen() };
}

/** Four people on a server, seen by ana on a wide terminal and on one of 80 columns. */
export async function playClient(hands: Stagehands): Promise<readonly [wide: Shot, narrow: Shot]> {
  const { listen = "" } = await hands.serve("server", "--port", "0", "--name", "chat-1");
  const join = async (nick: string, size: TerminalSize = backstage) => {
    const screen = await hands.terminal(nick, size, "client", "--connect", listen, "--nick", nick);
    await screen.see(/connected to/);
    return screen;
  };
  const ana = await join("ana", { columns: 118, rows: 27 });
  for (const room of ["garden", "ops"]) {
    ana.type(`/join ${room}\r`);
    await ana.see(new RegExp(`^ ${room} `));
  }
  ana.type("/join lobby\r");
  await ana.see(/^ lobby /);
  const ben = await join("ben");
  await ana.see(/ben joined/);
  const chloe = await join("chloe");
  await ana.see(/chloe joined/);
  const mei = await join("mei");
  await ana.see(/mei joined/);
  const say = async (who: TerminalScreen, line: string, seen: RegExp) => {
    who.type(`${line}\r`);
    await ana.see(seen);
  };
  await say(ben, "/topic Release 0.1: what is left", /what is left/);
  await say(ben, "the new balancer is up. Killed its server twice, nobody's connection broke 🎉", /broke/);
  await say(chloe, "I was in the middle of a sentence and saw nothing of it", /nothing of it/);
  await say(ana, "did we lose anything?", /ana: did we lose/);
  await ben.see(/did we lose/);
  await say(
    ben,
    "/reply nothing: 15,000 sent, 15,000 there, see https://chat.example/torture",
    /15,000 there/,
  );
  await chloe.see(/15,000 there/);
  await say(chloe, "/react 👍", /👍 1/);
  await say(mei, "/react 👍", /👍 2/);
  await say(mei, "早安! 今天可以發布嗎? ☕", /發布/);
  await say(chloe, "/me puts the kettle on", /kettle/);
  chloe.type("/join ops\r");
  await chloe.see(/^ ops /);
  await say(chloe, "disk of db-2 at 80 %", /ops 1/);
  await say(chloe, "cleaned up, 41 % now", /ops 2/);
  mei.type("/join garden\r");
  await mei.see(/^ garden /);
  await say(mei, "ana: the tomatoes are yours this week 🍅", /garden 1!/);
  await say(mei, "/msg ana coffee at ten?", /@mei 1!/);
  await say(ben, "ana: can you write the last line of the changelog?", /last line of/);
  ana.type("on it: nothing you were told was sent is ever lost, that is the line");
  ben.type("per");
  await ana.see(/ben …[^]*that is the line/);
  const wide = shotOf("rtchat client", ana);
  ana.resize({ columns: 80, rows: 24 });
  ben.type("f");
  await ana.see((screen) => screen.split("\n").length === 24 && /ben …/.test(screen) && !/│/.test(screen));
  return [wide, shotOf("rtchat client", ana)];
}

/** Two people with no server between them. */
export async function playPeers(hands: Stagehands): Promise<Shot> {
  const listen = "127.0.0.1:0";
  const ana = await hands.terminal(
    "peer-ana",
    { columns: 80, rows: 18 },
    "peer",
    "--listen",
    listen,
    "--nick",
    "ana",
  );
  const shown = await ana.see(/127\.0\.0\.1:\d+/);
  const address = /127\.0\.0\.1:\d+/.exec(shown)?.[0] ?? "";
  const where = ["--listen", listen, "--connect", address];
  const ben = await hands.terminal("peer-ben", backstage, "peer", ...where, "--nick", "ben");
  await ana.see(/ben/);
  await ben.see(/2 people/);
  ben.type("no server, no account, no cloud: this is my machine\r");
  await ana.see(/my machine/);
  ana.type("and this is mine. Shall we compare words?\r");
  await ben.see(/compare words/);
  ana.type("/verify ben\r");
  await ana.see(/if all twelve are equal[^]*ana>$/);
  return shotOf("rtchat peer", ana);
}
