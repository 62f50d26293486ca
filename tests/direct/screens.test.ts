/** A direct path as people see it: full screen, plain lines, in English and in Spanish. */
import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { openLab } from "../support/lab.ts";
import type { TerminalScreen } from "../support/terminal.ts";
import { arrive } from "./people.ts";

const lab = openLab();
let door = "";

beforeAll(async () => {
  door = (await (await lab.start("server", "--port", "0")).ready())["listen"] ?? "";
});

async function sit(nick: string, device: string, ...more: readonly string[]): Promise<TerminalScreen> {
  const folder = await lab.folder();
  const env = { TZ: "UTC", LC_ALL: "C.UTF-8", XDG_STATE_HOME: join(folder, device) };
  const data = join(folder, "devices", device);
  const args = ["client", "--connect", door, "--nick", nick, "--data", data, ...more];
  const screen = await lab.terminalWith({ env }, { columns: 200, rows: 45 }, ...args);
  // Before that nobody finds them.
  await screen.see(/(connected to|conectado a) /);
  return screen;
}

function enter(screen: TerminalScreen, line: string): void {
  screen.type(line);
  screen.press("enter");
}

/** The twelve words that stand on a screen. */
async function words(screen: TerminalScreen): Promise<string> {
  const shown = await screen.see(/(?:[a-z]{3,8} ){5}[a-z]{3,8}\s[^]*(?:[a-z]{3,8} ){5}[a-z]{3,8}\s*\n/);
  const rows = shown.split("\n").map((row) => row.replace(/^[^a-z]*/, "").trim());
  return rows.filter((row) => /^([a-z]{3,8} ){5}[a-z]{3,8}$/.test(row)).join(" ");
}

test("two people go direct, compare words, and go back; each step says what it means", async () => {
  const ana = await sit("ana", "ana");
  const bob = await sit("bob", "bob", "--plain", "--lang", "es");
  enter(ana, "/why");
  await ana.see(/no direct paths; \/p2p NICK asks for one/);
  enter(ana, "/p2p bob");
  await ana.see(/asked bob to talk directly/);
  await bob.see(/ana pide hablar directamente/);
  enter(bob, "/p2p ana");
  await bob.see(/tú y ana os escribís ahora directamente, a .*cifrado; el servidor no ve nada/);
  await ana.see(/you and bob write to each other directly now/);
  await ana.see(/nobody has checked it: compare words/);
  enter(ana, "/msg bob");
  await ana.see(/@bob.*conversation with bob.*key not verified, directly to/);
  enter(ana, "only for you");
  await bob.see(/ana\? .*only for you/);
  enter(bob, "/msg ana igualmente");
  await ana.see(/bob\?.*igualmente/);
  // What is said here cannot be changed, and both hear why, and what works.
  enter(ana, "/react 👍");
  await ana.see(/past the server stays as it was said[^]*\/p2p off bob/);
  await bob.see(/tú → ana: igualmente/);
  enter(bob, "/msg ana");
  enter(bob, "/edit otra cosa");
  await bob.see(/lo dicho sin pasar por el servidor se queda como se dijo[^]*\/p2p off ana/);
  enter(ana, "/verify bob");
  enter(bob, "/verify ana");
  const compared = await words(ana);
  expect(compared.split(" ")).toHaveLength(12);
  expect(await words(bob)).toBe(compared);
  enter(ana, "/verify bob yes");
  await ana.see(/directly to \S+ $|directly to \S+\s*\n/m);
  enter(ana, "/p2p");
  await ana.see(/bob: directly to \S+, key verified/);
  enter(ana, "/why");
  await ana.see(/key verified\s[^]*(nothing has gone wrong so far|it is tried again)/);
  enter(bob, "/p2p off ana");
  await bob.see(/lo que escribes a ana pasa por el servidor/);
  await ana.see(/bob has ended the direct path/);
  enter(ana, "not yet");
  await ana.see(/not yet[^]*not sent: the direct path is over/);
  enter(ana, "/p2p off bob");
  await ana.see(/what you write to bob goes through the server/);
  ana.type("\u001br");
  await bob.see(/not yet/);
  // Through the server it works, but not about what the server has never seen.
  enter(bob, "/edit otra cosa");
  await bob.see(/eso se dijo sin pasar por el servidor/);
  enter(bob, "/reply ya");
  await ana.see(/↪ ana: not yet\s*\n.*bob: ya/);
});

test("who is ignored cannot ask, and a changed key is refused with what to do", async () => {
  const ana = await sit("ana2", "ana2", "--plain");
  const bob = await arrive(lab, door, "bob2", "bob2");
  enter(ana, "/ignore bob2");
  await ana.see(/you read nothing of bob2/);
  bob.goDirect("ana2");
  await bob.until("ana2", "asked");
  enter(ana, "/ignore bob2");
  await ana.see(/you read bob2 again/);
  expect(ana.history()).not.toContain("asks to talk directly");
  enter(ana, "/p2p bob2");
  await ana.see(/directly now/);
  await bob.leaves();
  await ana.see(/bob2 has ended the direct path/);
  enter(ana, "/p2p off bob2");
  await ana.see(/goes through the server/);
  const eve = await arrive(lab, door, "bob2", "eve2");
  enter(ana, "/p2p bob2");
  await eve.until("ana2", "asks");
  eve.goDirect("ana2");
  await ana.see(
    /REFUSED: the key of bob2 is not the one remembered[^]*known rt1-[^]*now +rt1-[^]*\/p2p forget bob2/,
  );
  enter(ana, "/p2p forget bob2");
  await ana.see(/the key of bob2 is forgotten/);
  eve.goDirect("ana2");
  await ana.see(/bob2 asks to talk directly/);
  enter(ana, "/p2p bob2");
  await ana.see(/directly now[^]*REFUSED[^]*directly now/);
  await eve.leaves();
});

test("a client with --p2p off is asked in vain, and says so itself", async () => {
  const ana = await sit("ana3", "ana3", "--plain", "--p2p", "off");
  const bob = await arrive(lab, door, "bob3", "bob3");
  bob.goDirect("ana3");
  await bob.until("ana3", "asked");
  enter(ana, "/p2p bob3");
  await ana.see(/direct paths are switched off here/);
  expect(ana.history()).not.toContain("asks to talk");
  await bob.leaves();
});
