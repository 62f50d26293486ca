/**
 * Through the relay: no direct way, a cluster of two servers behind a balancer, and taps on every socket on the way.
 *
 * The second server reaches the first one's keeper through a tap as well: the keeper's socket is put aside and the tap
 * put in its place before the second server starts.
 */
import { beforeAll, expect, test } from "bun:test";
import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../support/deadline.ts";
import { openLab, type Running } from "../support/lab.ts";
import { arrive, inBase64, meet, Tap, type Person } from "./people.ts";

const lab = openLab();
const taps = new Map<string, Tap>();
const servers = new Map<string, Running>();
let door = "";

function tap(name: string): Tap {
  const found = taps.get(name);
  if (found === undefined) throw new Error(`no tap ${name}`);
  return found;
}

async function server(name: string): Promise<string> {
  const running = await lab.start("server", "--port", "0", "--name", name);
  servers.set(name, running);
  return (await running.ready())["listen"] ?? "";
}

const addressOf = (listen: string) => {
  const [host = "", port = ""] = listen.split(":");
  return { host, port: Number(port) };
};

beforeAll(async () => {
  const first = await server("s1");
  const folder = join(await lab.folder(), "rtchat");
  const isSocket = (name: string) => /^keeper-\d.*\.sock$/.test(name);
  const socket = (await readdir(folder)).find(isSocket) ?? "no socket";
  const aside = join(await lab.folder(), "keeper.sock");
  await rename(join(folder, socket), aside);
  taps.set("keeper", await Tap.open(lab, { path: aside }, join(folder, socket)));
  const second = await server("s2");
  const backends: string[] = [];
  for (const [name, listen] of [
    ["s1", first],
    ["s2", second],
  ] as const) {
    taps.set(name, await Tap.open(lab, addressOf(listen)));
    backends.push(tap(name).address);
  }
  const balancer = await lab.start("balancer", "--backends", backends.join(","), "--port", "0", "--no-admin");
  door = (await balancer.ready())["listen"] ?? "";
});

/** A client whose connection to the balancer is tapped, and that uses the relay only. */
async function relayed(nick: string): Promise<Person> {
  taps.set(nick, await Tap.open(lab, addressOf(door)));
  return arrive(lab, tap(nick).address, nick, nick, "--p2p", "relay");
}

/** The server that a person's session is on, as its welcome said. */
function serverOf(person: Person): string {
  const welcome = person.events.find(({ type }) => type === "welcome");
  return String(welcome?.["server"]);
}

test("what is said over the relay passes no socket in the clear, and the same taps see what goes through the server", async () => {
  const ana = await relayed("ana");
  const bob = await relayed("bob");
  expect([serverOf(ana), serverOf(bob)].toSorted()).toEqual(["s1", "s2"]);
  await meet(ana, bob);
  const told = await ana.until("bob", "relay");
  expect(told).not.toHaveProperty("address");
  await bob.until("ana", "relay");
  const sealed = "the text that only bob may read, sealed";
  ana.say("bob", sealed);
  await bob.hears("ana", sealed);
  const answer = "and the answer for ana, sealed as well";
  bob.say("ana", answer);
  await ana.hears("bob", answer);
  const everywhere = ["ana", "bob", "s1", "s2", "keeper"];
  for (const name of everywhere) {
    expect([name, tap(name).bytes > 2_000, tap(name).saw(sealed), tap(name).saw(answer)]).toEqual([
      name,
      true,
      false,
      false,
    ]);
  }
  // The check itself: the same people, through the server.
  for (const [person, other] of [
    [ana, "bob"],
    [bob, "ana"],
  ] as const) {
    person.do({ type: "introduce", to: other, end: true });
    await person.until(other, "off");
  }
  const open = "the text that the server may read, in the open";
  ana.say("bob", open);
  await bob.hears("ana", open);
  for (const name of everywhere) expect([name, tap(name).saw(open)]).toEqual([name, true]);
  // And text that is only put into base64, at any offset.
  for (const [offset, hidden] of inBase64(open).entries()) {
    expect(Buffer.from(`${"x".repeat(offset)}${open} and more`).toString("base64")).toContain(hidden);
  }
  await Promise.all([ana.leaves(), bob.leaves()]);
});

test("a server that is killed under the relay costs a moment and no message", async () => {
  const ana = await relayed("ana2");
  const bob = await relayed("bob2");
  await meet(ana, bob);
  await Promise.all([ana.until("bob2", "relay"), bob.until("ana2", "relay")]);
  ana.say("bob2", "before");
  await bob.hears("ana2", "before");
  const said = ["before"];
  // The one that is not the keeper behind the tap: bob's or ana's.
  const victim = servers.get("s2");
  victim?.kill("SIGKILL");
  for (let n = 1; n <= 20; n += 1) {
    said.push(`during ${n}`);
    ana.say("bob2", `during ${n}`);
  }
  await bob.hears("ana2", "during 20");
  expect(bob.texts("ana2")).toEqual(said);
  await eventually(
    () => ana.events.filter(({ type }) => type === "ack").length === said.length,
    () => `all acknowledged: ${ana.running.output.stdout}`,
  );
  bob.say("ana2", "after");
  await ana.hears("bob2", "after");
  expect(ana.states("bob2").filter((state) => state === "over")).toEqual([]);
  await Promise.all([ana.leaves(), bob.leaves()]);
});
