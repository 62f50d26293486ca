/**
 * What a person sees of a hand-over: nothing.
 *
 * Two people talk through a balancer, each on a screen of 80 × 24. The server of one is killed in the middle of the
 * conversation, then the server that took over; what stands on both screens afterwards is the conversation alone.
 */
import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { openLab } from "../support/lab.ts";
import type { Running } from "../support/lab.ts";
import type { TerminalScreen } from "../support/terminal.ts";

const lab = openLab();
const servers: Running[] = [];
let door = "";

beforeAll(async () => {
  const addresses: string[] = [];
  for (let n = 1; n <= 3; n += 1) {
    const server = await lab.start("server", "--port", "0", "--name", `s${n}`);
    servers.push(server);
    addresses.push((await server.ready())["listen"] ?? "");
  }
  const balancer = await lab.start(
    "balancer",
    "--backends",
    addresses.join(","),
    "--port",
    "0",
    "--no-admin",
  );
  door = (await balancer.ready())["listen"] ?? "";
});

async function sit(nick: string): Promise<TerminalScreen> {
  const env = { TZ: "UTC", LC_ALL: "C.UTF-8", XDG_STATE_HOME: join(await lab.folder(), nick) };
  const size = { columns: 80, rows: 24 };
  const screen = await lab.terminalWith({ env }, size, "client", "--connect", door, "--nick", nick);
  await screen.see(/[12] (person|people)[^]*● /);
  return screen;
}

/** The server that a screen says it is connected to. */
function serverOf(screen: TerminalScreen): Running | undefined {
  const name = /connected to s(\d)/.exec(screen.screen())?.[1];
  return servers[Number(name) - 1];
}

/** The lines of the conversation and whatever else stands between the title and the status line. */
function spoken(screen: TerminalScreen): string[] {
  const rows = screen.lines().filter((line) => line.trim() !== "");
  const first = rows.findIndex((line) => line.startsWith("──"));
  return rows.slice(first + 1, -2).map((line) => line.replace(/^\d\d:\d\d /, ""));
}

test("two people talk on while the servers under them are killed; their screens show nothing else", async () => {
  const ana = await sit("ana");
  const bob = await sit("bob");
  await ana.see(/2 people/);
  const conversation = [
    "ana: shall we begin?",
    "bob: yes",
    "ana: now",
    "bob: did you notice?",
    "ana: notice what",
    "bob: me neither",
  ];
  const victims = [undefined, undefined, serverOf(bob), undefined, serverOf(ana), undefined];
  for (const [index, line] of conversation.entries()) {
    await victims[index]?.stop("SIGKILL");
    const [who = "", words = ""] = line.split(": ");
    (who === "ana" ? ana : bob).type(`${words}\r`);
    // With its time, once it is safe in the log; until then an own line has a mark in its place.
    const said = new RegExp(`\\d\\d:\\d\\d ${line.replace("?", "\\?")}`);
    for (const screen of [ana, bob]) await screen.see(said);
  }
  const withoutArrivals = (lines: string[]) => lines.filter((line) => !/· bob joined/.test(line));
  expect(withoutArrivals(spoken(ana))).toEqual(conversation);
  expect(withoutArrivals(spoken(bob))).toEqual(conversation);
  for (const screen of [ana, bob]) expect(screen.screen()).toMatch(/2 people[^]*● /);
});
