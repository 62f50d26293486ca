/** Two screens on two servers of one cluster: everything people do with messages, through the compiled binary. */
import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openLab } from "../support/lab.ts";

const lab = openLab();
const size = { columns: 80, rows: 24 };
let addresses: string[] = [];

beforeAll(async () => {
  const data = join(await lab.folder(), "cluster");
  const servers = [];
  for (let n = 0; n < 2; n += 1) servers.push(await lab.start("server", "--port", "0", "--data", data));
  addresses = await Promise.all(servers.map(async (one) => (await one.ready())["listen"] ?? ""));
});

async function open(nick: string, room: string, server: number) {
  const env = { TZ: "UTC", LC_ALL: "C.UTF-8", XDG_STATE_HOME: join(await lab.folder(), nick) };
  const args = ["client", "--connect", addresses[server] ?? "", "--nick", nick, "--room", room];
  const screen = await lab.terminalWith({ env }, size, ...args);
  // Welcomed, and in the room.
  await screen.see(/[1-9]\d* (person|people)[^]*● /);
  return screen;
}

describe("two people", () => {
  test("edit, take back, answer and react, and both see the same", async () => {
    const ana = await open("ana", "talk", 0);
    const bob = await open("bob", "talk", 1);
    await ana.see(/2 people/);
    // Ana may hear after bob that something of hers has arrived.
    const arrived = (text: string) =>
      ana.see((shown) => shown.includes(`ana: ${text}`) && !shown.includes("…   ana"));
    ana.type("helo bob\r");
    await bob.see(/ana: helo bob/);
    await arrived("helo bob");
    ana.type("/edit hello bob\r");
    await bob.see(/ana: hello bob \(edited\)/);
    bob.type("/reply hello ana\r");
    await ana.see(/↪ ana: hello bob\n\d\d:\d\d bob: hello ana/);
    bob.type("/react 👍\r");
    await ana.see(/hello bob \(edited\)\n +👍 1/);
    bob.type("/me waves\r");
    await ana.see(/\* bob waves/);
    ana.type("oops\r");
    await bob.see(/ana: oops/);
    await arrived("oops");
    ana.type("/delete\r");
    await bob.see(/ana: message deleted/);
    const seen = await ana.see(/ana: message deleted/);
    expect(seen).not.toContain("oops");
    bob.type("/edit not mine to change\r");
    await ana.see(/\* bob not mine to change \(edited\)/);
    bob.type("/whois ana\r");
    await bob.see(/ana is connected; you meet in talk/);
    ana.type("/away at lunch\r");
    await ana.see(/you are away: at lunch[^]*◐ ana \(away\)/);
    bob.type("/msg ana are you there?\r");
    await bob.see(/ana is away: at lunch/);
    bob.type("still?\r");
    await ana.see(/@bob 2!/);
    expect(bob.screen().match(/ana is away/g)).toHaveLength(1);
    bob.type("/join talk\r");
    bob.type("/names\r");
    await bob.see(/ana \(away: at lunch\), bob/);
    ana.type("here again\r");
    await ana.see(/you are back[^]*● ana/);
    await bob.see(/ana: here again/);
    bob.type("/whois ana\r");
    await bob.see(/you meet in talk[^]*you meet in talk\s/);
    expect(bob.screen()).not.toContain("ana is away: at lunch\n");
    // Older clients see all of it as text.
    const { stdout } = await lab.run(
      "tail",
      "--connect",
      addresses[0] ?? "",
      "--room",
      "talk",
      "--lines",
      "50",
    );
    expect(stdout).toMatch(/ana \(edit\): hello bob\n.*bob \(reply\): hello ana\n.*bob \(reaction\): 👍/);
  });

  test("do the same in a conversation, in which each side counts for itself", async () => {
    const ana = await open("iris", "direct", 0);
    const bob = await open("noah", "direct", 1);
    await ana.see(/2 people/);
    // One side's inbox has counted further.
    bob.type("/msg noah a note to myself\r");
    await bob.see(/@noah/);
    ana.type("/msg noah helo noah\r");
    await bob.see(/@iris 1!/);
    bob.type("/msg iris\r");
    await bob.see(/iris: helo noah/);
    ana.type("/msg noah\r");
    await ana.see((shown) => shown.includes("iris: helo noah") && !shown.includes("…   iris"));
    ana.type("/edit hello noah\r");
    await bob.see(/iris: hello noah \(edited\)/);
    await ana.see(/iris: hello noah \(edited\)/);
    bob.type("/reply hello iris\r");
    await ana.see(/↪ iris: hello noah\n\d\d:\d\d noah: hello iris/);
    await bob.see(/↪ iris: hello noah\n\d\d:\d\d noah: hello iris/);
    ana.type("/react 👍\r");
    await bob.see(/noah: hello iris\n +👍 1/);
    bob.type("oops\r");
    await ana.see(/noah: oops/);
    await bob.see((shown) => shown.includes("noah: oops") && !shown.includes("…   noah"));
    bob.type("/delete\r");
    await ana.see(/noah: message deleted/);
    expect(await bob.see(/noah: message deleted/)).not.toContain("oops");
    // In lines, as clients see it that do not know these messages: as text.
    const line = await lab.startWith(
      { env: { TZ: "UTC", XDG_STATE_HOME: join(await lab.folder(), "mia") } },
      "client",
      "--connect",
      addresses[0] ?? "",
      "--nick",
      "mia",
      "--room",
      "direct",
      "--json",
      "--follow",
    );
    await line.line(/"type":"joined"/);
    ana.type("/msg mia for mia\r");
    const seen = JSON.parse(await line.line(/for mia/)) as { readonly seq: number };
    line.write(`{"type":"send","room":"@iris","text":"thanks","re":{"kind":"reply","seq":${seen.seq}}}\n`);
    await line.line(/"type":"ack".*"room":"@iris"/);
    await ana.see(/↪ iris: for mia\n\d\d:\d\d mia: thanks/);
    line.write(`{"type":"send","room":"@iris","text":"forged","re":{"kind":"edit","seq":${seen.seq}}}\n`);
    await line.line(/not-yours/);
  });

  test("search, and jump to what was found with what was said around it", async () => {
    const lines = Array.from({ length: 400 }, (_, n) => (n === 30 ? "the needle in it" : `hay ${n}`));
    const bot = await lab.startWith(
      { input: lines.join("\n") },
      "client",
      "--connect",
      addresses[1] ?? "",
      "--nick",
      "bot",
      "--room",
      "hay",
    );
    expect(await bot.ended()).toMatchObject({ code: 0 });
    const ana = await open("eva", "hay", 0);
    await ana.see(/hay 399/);
    ana.type("/search NEEDLE from:bot\r");
    await ana.see(/1 message found among the last 400:\n +31 {2}bot: the needle in it/);
    ana.type("/jump 31\r");
    const screen = await ana.see(/bot: hay 29\n\d\d:\d\d bot: the needle in it\n\d\d:\d\d bot: hay 31/);
    expect(screen).toMatch(/messages below/);
    ana.press("escape");
    await ana.see(/hay 399/);
    ana.type("/search needle from:nobody\r");
    await ana.see(/nothing found in all 400 messages/);
  });

  test("see who is typing, ignore somebody, and list what was said to them", async () => {
    const ana = await open("lea", "quiet", 0);
    const bob = await open("max", "quiet", 1);
    await ana.see(/2 people/);
    bob.type("h");
    await ana.see(/max …/);
    bob.type("ello LEA\r");
    await ana.see(/max: hello LEA/);
    ana.type("/mentions\r");
    await ana.see(/messages that speak to you:\n +quiet {2}1 {2}max: hello LEA/);
    ana.type("/ignore max\r");
    await ana.see((shown) => !/max: hello LEA\n\d/.test(shown) && /you read nothing of max/.test(shown));
    ana.type("/ignore max\r");
    await ana.see(/you read max again/);
    await ana.see(/\d\d:\d\d max: hello LEA/);
  });
});
