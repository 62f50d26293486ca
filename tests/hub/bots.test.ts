/** Programs in rooms: in the list for everybody to see, marked, on every server and after every hand-over. */
import { expect, test } from "bun:test";
import { isBot, sessionNameOf } from "../../src/hub/bots.ts";
import { Roster } from "../../src/hub/roster.ts";
import { World } from "./support/world.ts";
import type { Site } from "./support/world.ts";

const join = { type: "join", room: "lobby" };

/** A program that has said hello and is in the lobby. */
function program(world: World, site: Site, nick: string) {
  const client = site.edge.open();
  client.say({ type: "hello", version: 1, nick, bot: true }, join);
  world.settle();
  return client;
}

test("whoever is there hears of a program's coming, renaming and going that it is one", () => {
  const world = new World();
  const [one, two] = [world.site(), world.site()];
  const ana = world.person(one, "ana", "lobby");
  const bob = world.person(two, "bob", "lobby");
  ana.heard();
  const log = program(world, two, "log");
  world.ask(log, { type: "nick", nick: "log2" });
  world.ask(log, { type: "leave", room: "lobby" });
  const presence = (nick: string, state: string, more = "") =>
    `{"type":"presence","room":"lobby","nick":"${nick}","state":"${state}",${more}"bot":true}`;
  for (const person of [ana, bob]) {
    expect(person.lines()).toEqual([
      presence("log", "join"),
      presence("log", "rename", '"to":"log2",'),
      presence("log2", "leave"),
    ]);
  }
});

test("it is in every list of members, marked, and no person is", () => {
  const world = new World();
  const site = world.site();
  const ana = world.person(site, "ana", "lobby");
  const log = program(world, world.site(), "log");
  const listed = { members: ["ana", "log"], memberCount: 2, bots: ["log"] };
  expect(log.heard()).toMatchObject([{ type: "welcome" }, { type: "joined", ...listed }]);
  ana.heard();
  expect(world.ask(ana, { type: "members", room: "lobby" })).toMatchObject([{ type: "members", ...listed }]);
  expect(world.ask(ana, join)).toMatchObject([{ type: "joined", ...listed }]);
  expect(world.ask(ana, { type: "whois", nick: "log" })).toMatchObject([{ bot: true, rooms: ["lobby"] }]);
  expect(world.ask(ana, { type: "whois", nick: "ana" })[0]).not.toHaveProperty("bot");
  world.ask(log, { type: "bye" });
  ana.heard();
  expect(world.ask(ana, { type: "members", room: "lobby" })[0]).not.toHaveProperty("bots");
});

test("it stays one when it moves to another server and when it comes back, whatever it says then", () => {
  const world = new World();
  const site = world.site();
  const ana = world.person(site, "ana", "lobby");
  const log = program(world, world.site(), "log");
  const [welcome] = log.heard();
  const third = world.site();
  const moved = third.edge.resume(log.handover());
  world.settle();
  ana.heard();
  const bots = () => world.ask(ana, { type: "members", room: "lobby" });
  expect(bots()).toMatchObject([{ bots: ["log"] }]);
  moved.close("failed");
  const back = third.edge.open();
  const resume = welcome?.type === "welcome" ? welcome.resume : "";
  back.say({ type: "hello", version: 1, nick: "log", resume }, join);
  world.settle();
  expect(back.heard()).toMatchObject([
    { type: "welcome", resumed: true },
    { type: "joined", bots: ["log"] },
  ]);
  // Nobody heard of any of this.
  expect(ana.heard()).toEqual([]);
  expect(bots()).toMatchObject([{ bots: ["log"] }]);
});

test("whoever was away while a program took a person's place, or a person a program's, gets a fresh list", () => {
  const [person, bot] = [new Roster(), new Roster()];
  person.put({ session: sessionNameOf("a", false), nick: "ana" });
  bot.put({ session: sessionNameOf("b", true), nick: "ana" });
  expect(bot.digest).not.toBe(person.digest);
  bot.remove(sessionNameOf("b", true));
  expect([bot.digest, bot.bots(9)]).toEqual([0, undefined]);
});

test("no connection's own name is taken for a program's", () => {
  for (let n = 0; n < 100; n += 1) expect(isBot(crypto.randomUUID())).toBe(false);
});
