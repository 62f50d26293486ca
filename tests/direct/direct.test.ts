/**
 * From a server to direct: two clients of the compiled binary on different servers of one cluster.
 *
 * Both servers share a data folder, so what goes between them goes through the keeper's socket.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { eventually } from "../support/deadline.ts";
import { openLab } from "../support/lab.ts";
import { arrive, meet, type Person } from "./people.ts";

const lab = openLab();
let one = "";
let two = "";

beforeAll(async () => {
  const servers = [await lab.start("server", "--port", "0"), await lab.start("server", "--port", "0")];
  const [first, second] = await Promise.all(servers.map(async (server) => (await server.ready())["listen"]));
  one = first ?? "";
  two = second ?? "";
});

/** Everything the servers keep, in one piece. */
async function kept(): Promise<Buffer> {
  const folder = join(await lab.folder(), "rtchat");
  const names = (await readdir(folder)).filter((name) => !name.endsWith(".sock"));
  return Buffer.concat(
    await Promise.all(names.map((name) => readFile(join(folder, name)).catch(() => Buffer.alloc(0)))),
  );
}

async function bothLeave(...people: readonly Person[]): Promise<void> {
  await Promise.all(people.map((person) => person.leaves()));
}

describe("two people on two servers", () => {
  test("meet directly: the path and the key are told, and the servers keep nothing of what is said", async () => {
    const ana = await arrive(lab, one, "ana1", "ana1");
    const bob = await arrive(lab, two, "bob1", "bob1");
    ana.say("bob1", "through the server first");
    await bob.hears("ana1", "through the server first");
    await meet(ana, bob);
    for (const [person, other] of [
      [ana, "bob1"],
      [bob, "ana1"],
    ] as const) {
      const told = await person.until(other, "direct");
      expect(told).toMatchObject({
        address: expect.stringMatching(/:\d+$/),
        key: expect.stringMatching(/^rt1/),
      });
      expect(told["verified"]).toBe(false);
    }
    ana.say("bob1", "for bob alone, and longer than any name");
    await bob.hears("ana1", "for bob alone, and longer than any name");
    bob.say("ana1", "for ana alone");
    await ana.hears("bob1", "for ana alone");
    await ana.running.line(/"type":"ack","id":"ana1-2","room":"@bob1"/);
    const message = bob.events.find((event) => event["text"] === "for bob alone, and longer than any name");
    expect(message).toMatchObject({ from: "ana1", unverified: true });
    const keptNow = await kept();
    expect(keptNow.includes("through the server first")).toBe(true);
    expect(keptNow.includes("for bob alone, and longer than any name")).toBe(false);
    await bothLeave(ana, bob);
  });

  test("go back: what the other did not have fails, and nothing goes through the server unasked", async () => {
    const ana = await arrive(lab, one, "ana2", "ana2");
    const bob = await arrive(lab, two, "bob2", "bob2");
    await meet(ana, bob);
    await Promise.all([ana.until("bob2", "direct"), bob.until("ana2", "direct")]);
    // Out of all rooms, so that only the introduction tells of the new name.
    bob.do({ type: "leave", room: "lobby" });
    bob.do({ type: "nick", nick: "robert2" });
    await ana.until("robert2", "renamed");
    ana.say("robert2", "under the new name");
    await bob.hears("ana2", "under the new name");
    bob.do({ type: "nick", nick: "bob2" });
    await ana.until("bob2", "renamed");
    bob.do({ type: "introduce", to: "ana2", end: true });
    await Promise.all([ana.until("bob2", "over"), bob.until("ana2", "off")]);
    ana.say("bob2", "not for the server");
    await ana.running.line(/"code":"not-delivered"/);
    ana.do({ type: "introduce", to: "bob2", end: true });
    await ana.until("bob2", "off");
    ana.say("bob2", "for the server too");
    await bob.hears("ana2", "for the server too");
    expect(bob.texts("ana2")).toEqual(["under the new name", "for the server too"]);
    // And there again.
    await meet(bob, ana);
    await Promise.all([ana.until("bob2", "direct"), bob.until("ana2", "direct")]);
    await bothLeave(ana, bob);
  });

  test("who is asked may say no, or nothing, and who leaves is missed", async () => {
    const ana = await arrive(lab, one, "ana3", "ana3");
    const bob = await arrive(lab, two, "bob3", "bob3");
    ana.goDirect("bob3");
    await bob.until("ana3", "asks");
    // Asking again does not ring again.
    ana.goDirect("bob3");
    await eventually(
      () => ana.states("bob3").length === 2,
      () => "the second question",
    );
    ana.say("bob3", "did you see?");
    await bob.hears("ana3", "did you see?");
    expect(bob.states("ana3")).toEqual(["asks"]);
    bob.do({ type: "introduce", to: "ana3", end: true });
    await ana.until("bob3", "declined");
    expect(bob.states("ana3")).toEqual(["asks", "off"]);
    expect(ana.states("bob3").includes("agreed")).toBe(false);
    ana.goDirect("nobody-there");
    await ana.running.line(/"code":"no-such-nick"/);
    await meet(bob, ana);
    await Promise.all([ana.until("bob3", "direct"), bob.until("ana3", "direct")]);
    await bob.leaves();
    await ana.until("bob3", "over");
    await ana.leaves();
  });

  test("one who comes back with the same key and forgot everything is found again, and gets what waited", async () => {
    const ana = await arrive(lab, one, "ana4", "ana4");
    const bob = await arrive(lab, two, "bob4", "bob4");
    await meet(ana, bob);
    await Promise.all([ana.until("bob4", "direct"), bob.until("ana4", "direct")]);
    await bob.running.stop("SIGKILL");
    await ana.until("bob4", "waiting");
    ana.say("bob4", "this waits");
    const again = await arrive(lab, one, "bob4", "bob4");
    again.goDirect("ana4");
    // Ana's program looks for bob by itself now and then: if it does so before he asks, his asking is his consent to a path
    // that she has never given up, and she is not asked again.
    await ana.until("bob4", "asks", "direct");
    ana.goDirect("bob4");
    await again.hears("ana4", "this waits");
    expect(again.texts("ana4").filter((text) => text === "this waits")).toHaveLength(1);
    await bothLeave(ana, again);
  });

  test("another key under a remembered name is refused, loudly, and told nothing", async () => {
    const ana = await arrive(lab, one, "ana5", "ana5");
    const bob = await arrive(lab, two, "bob5", "bob5");
    await meet(ana, bob);
    const { key } = await ana.until("bob5", "direct");
    await bob.leaves();
    await ana.until("bob5", "over");
    ana.do({ type: "introduce", to: "bob5", end: true });
    await ana.until("bob5", "off");
    const eve = await arrive(lab, two, "bob5", "eve5");
    await meet(ana, eve);
    const refused = await ana.until("bob5", "key-changed");
    expect(refused["known"]).toBe(key);
    expect(refused["found"]).not.toBe(key);
    await eve.until("ana5", "declined");
    expect(eve.states("ana5")).not.toContain("agreed");
    await bothLeave(ana, eve);
  });
});

test("hostile introductions and frames hurt nobody who talks to somebody else", async () => {
  const ana = await arrive(lab, one, "ana6", "ana6");
  const bob = await arrive(lab, two, "bob6", "bob6");
  const [host = "", port = ""] = one.split(":");
  const eve = connect(Number(port), host);
  let heard = "";
  eve.on("data", (chunk: Buffer) => (heard += chunk.toString()));
  const say = (object: object): void => void eve.write(`${JSON.stringify(object)}\n`);
  say({ type: "hello", version: 1, nick: "eve6" });
  const bad = `rt1${"q".repeat(59)}`;
  say({
    type: "introduce",
    to: "ana6",
    key: bad,
    addresses: ["example.org:1", "999.1.1.1:x", "127.0.0.1:1"],
  });
  await ana.until("eve6", "asks");
  ana.goDirect("eve6");
  await eventually(
    () => heard.includes('"pass"'),
    () => `a pass for eve: ${heard}`,
  );
  const pass = /"pass":"([^"]+)"/.exec(heard)?.[1] ?? "";
  // No peer ID, whatever it looks like: nothing is opened for it.
  say({ type: "introduce", to: "ana6", key: bad, addresses: ["127.0.0.1:1"] });
  for (let seq = 0; seq < 40; seq += 1) {
    say({ type: "relay", id: `f${seq}`, pass, stream: "x".repeat(32), seq, data: "A".repeat(16_384) });
  }
  await eventually(
    () => heard.includes('"relay-full"'),
    () => `eve is stopped: ${heard.slice(-2_000)}`,
  );
  say({ type: "relay", pass, stream: "s", seq: 0, data: "not base64 \u0007" });
  await meet(ana, bob);
  await Promise.all([ana.until("bob6", "direct"), bob.until("ana6", "direct")]);
  ana.say("bob6", "still well");
  await bob.hears("ana6", "still well");
  expect(ana.states("eve6")).not.toContain("agreed");
  eve.destroy();
  await bothLeave(ana, bob);
});

test("files go over the path, directly and over the relay, and nowhere else", async () => {
  const folder = await lab.folder();
  const downloads = join(folder, "of-bob7");
  const ana = await arrive(lab, one, "ana7", "ana7");
  const bob = await arrive(lab, two, "bob7", "bob7", "--downloads", downloads);
  const content = Buffer.from("what is in the file, ".repeat(20_000));
  const path = join(folder, "notes.txt");
  await writeFile(path, content);
  ana.do({ type: "file-offer", to: "bob7", path });
  await ana.running.line(/"code":"no-such-nick"/);
  await meet(ana, bob);
  await Promise.all([ana.until("bob7", "direct"), bob.until("ana7", "direct")]);
  ana.do({ type: "file-offer", to: "bob7", path });
  const offered = Object(JSON.parse(await bob.running.line(/"state":"offered"/))) as { number: number };
  bob.do({ type: "file-accept", number: offered.number });
  const done = Object(JSON.parse(await bob.running.line(/"state":"done"/))) as { path: string };
  expect((await readFile(done.path)).equals(content)).toBe(true);
  // The same person again, over the relay: another path, and a number of its own.
  for (const [person, other] of [
    [ana, "bob7"],
    [bob, "ana7"],
  ] as const) {
    person.do({ type: "introduce", to: other, end: true });
    await person.until(other, "off");
  }
  const eve = await arrive(lab, one, "eve7", "eve7", "--p2p", "relay");
  await meet(eve, bob);
  await Promise.all([eve.until("bob7", "relay"), bob.until("eve7", "relay")]);
  eve.do({ type: "file-offer", to: "bob7", path });
  const again = Object(JSON.parse(await bob.running.line(/"state":"offered"/))) as { number: number };
  expect(again.number).not.toBe(offered.number);
  bob.do({ type: "file-accept", number: again.number });
  eve.say("bob7", "and while it runs");
  await bob.hears("eve7", "and while it runs");
  const second = Object(JSON.parse(await bob.running.line(/"state":"done"/))) as { path: string };
  expect(second.path).not.toBe(done.path);
  expect((await readFile(second.path)).equals(content)).toBe(true);
  await bothLeave(ana, bob, eve);
});

test("two who ask each other at the same moment have agreed", async () => {
  const ana = await arrive(lab, one, "ana8", "ana8");
  const bob = await arrive(lab, two, "bob8", "bob8");
  ana.goDirect("bob8");
  bob.goDirect("ana8");
  // Whoever was asked before having asked is rung, and has agreed by asking.
  await Promise.all([ana.until("bob8", "direct"), bob.until("ana8", "direct")]);
  ana.say("bob8", "hello");
  await bob.hears("ana8", "hello");
  await bothLeave(ana, bob);
});
