/** How far a person has read, over several devices on several servers. */
import { expect, test } from "bun:test";
import { backplaneLimits } from "../../src/protocol/limits.ts";
import { World } from "./support/world.ts";

const secret = "a secret that the devices of one person share";
const identify = { type: "identify", secret };
const read = (seq: number, epoch = "e1") => ({ type: "read", room: "lobby", position: { epoch, seq } });

function devices() {
  const world = new World();
  const one = world.site();
  const two = world.site();
  const desk = world.person(one, "ana", "lobby");
  const phone = world.person(two, "ana-phone", "lobby");
  for (let n = 1; n <= 9; n += 1) world.ask(desk, { type: "send", room: "lobby", text: `message ${n}` });
  desk.heard();
  phone.heard();
  return { world, one, two, desk, phone };
}

test("one device reads, the other hears of it on its own server, and a third is told when it comes", () => {
  const { world, one, desk, phone } = devices();
  expect(world.ask(desk, { ...identify, id: "i" })).toEqual([{ type: "read", id: "i", positions: {} }]);
  world.ask(phone, identify);
  expect(world.ask(desk, { ...read(5), id: "r" })).toContainEqual({
    type: "read",
    id: "r",
    positions: { lobby: { epoch: "e1", seq: 5 } },
  });
  expect(phone.heard()).toMatchObject([{ type: "read", positions: { lobby: { epoch: "e1", seq: 5 } } }]);
  const third = world.person(one, "ana-tablet");
  expect(world.ask(third, identify)).toMatchObject([{ positions: { lobby: { epoch: "e1", seq: 5 } } }]);
});

test("nobody goes back, beyond the room, into another epoch, or anywhere without saying who it is", () => {
  const { world, desk, phone } = devices();
  expect(world.ask(desk, read(3))).toMatchObject([{ type: "error", code: "bad-message" }]);
  world.ask(desk, identify);
  world.ask(desk, read(8));
  world.clock.advance(10_000);
  expect(world.ask(desk, read(4)).at(-1)).toMatchObject({ positions: { lobby: { seq: 8 } } });
  expect(world.ask(desk, read(99, "another")).at(-1)).toMatchObject({ positions: { lobby: { seq: 8 } } });
  expect(world.ask(desk, read(99)).at(-1)).toMatchObject({ positions: { lobby: { seq: 9 } } });
  world.ask(phone, { type: "identify", secret: "the secret of somebody else altogether" });
  expect(world.ask(phone, read(2)).at(-1)).toMatchObject({ positions: { lobby: { seq: 2 } } });
  world.clock.advance(2_000);
  world.settle();
  expect(desk.heard()).toEqual([]);
  const elsewhere = { type: "read", room: "ops", position: { epoch: "e1", seq: 1 } };
  expect(world.ask(phone, elsewhere)).toMatchObject([{ code: "not-in-room" }]);
  // The store has no secret, and nothing that could be made into one.
  expect(JSON.stringify([...world.cluster.logs.keys()])).not.toContain(secret);
});

test("a room may be named like what every object has", () => {
  const { world, one } = devices();
  const reader = world.person(one, "eva", "__proto__", "constructor");
  world.ask(reader, identify);
  for (const room of ["__proto__", "constructor"]) {
    const [answer] = world.ask(reader, { type: "read", room, position: { epoch: "another", seq: 1 } });
    expect(JSON.stringify(answer)).toBe('{"type":"read","positions":{}}');
  }
});

test("a busy reader is written now and then, and at the end as it was last", () => {
  const { world, one, desk } = devices();
  world.ask(desk, identify);
  for (const seq of [1, 2, 3, 4, 5]) world.ask(desk, read(seq));
  const writes = () => one.backplane.calls.filter((call) => call.startsWith("setRecord =")).length;
  expect(writes()).toBe(1);
  world.clock.advance(2_000);
  world.settle();
  expect(writes()).toBe(2);
  world.ask(desk, read(6));
  world.ask(desk, read(7));
  desk.say({ type: "bye" });
  world.settle();
  const again = world.person(one, "ana", "lobby");
  expect(world.ask(again, identify).at(-1)).toMatchObject({ positions: { lobby: { seq: 7 } } });
});

test("a device that comes while marks wait to be written is told the furthest", () => {
  const { world, one, desk } = devices();
  world.ask(desk, identify);
  for (const seq of [1, 5, 4]) world.ask(desk, read(seq));
  const tablet = world.person(one, "ana-tablet");
  expect(world.ask(tablet, identify)).toMatchObject([{ positions: { lobby: { epoch: "e1", seq: 5 } } }]);
});

test("a session that comes over from another hub is still that person", () => {
  const { world, two, desk, phone } = devices();
  world.ask(desk, identify);
  world.ask(phone, identify);
  const moved = two.edge.resume(desk.handover());
  world.settle();
  moved.heard();
  phone.heard();
  expect(world.ask(moved, read(6)).at(-1)).toMatchObject({ positions: { lobby: { seq: 6 } } });
  expect(phone.heard()).toMatchObject([{ type: "read", positions: { lobby: { seq: 6 } } }]);
  world.clock.advance(2_000);
  world.ask(phone, read(7));
  expect(moved.heard().at(-1)).toMatchObject({ type: "read", positions: { lobby: { seq: 7 } } });
});

test("a hand-over while the log cannot be followed forgets nobody's name", () => {
  const { world, one, desk, phone } = devices();
  world.ask(desk, identify);
  world.ask(phone, identify);
  const handover = desk.handover();
  one.backplane.die();
  const third = world.site();
  third.backplane.failing.add("subscribe");
  const moved = third.edge.resume(handover);
  world.settle();
  world.clock.advance(1_000);
  world.settle();
  third.backplane.failing.clear();
  for (let step = 0; step < 10; step += 1) {
    world.clock.advance(2_000);
    world.settle();
  }
  moved.heard();
  const lines = world.ask(moved, { ...read(6), id: "r" });
  expect(lines).toContainEqual({ type: "read", id: "r", positions: { lobby: { epoch: "e1", seq: 6 } } });
  expect(phone.heard().at(-1)).toMatchObject({ type: "read", positions: { lobby: { seq: 6 } } });
});

test("a nick may be what every object has, and is away like any other", () => {
  const world = new World();
  const site = world.site();
  for (const nick of ["__proto__", "constructor"]) {
    world.ask(world.person(site, nick, "lobby"), { type: "away", away: true, text: `${nick} eats` });
  }
  const bob = world.person(site, "bob", "lobby");
  const [members] = world.ask(bob, { type: "members", room: "lobby" });
  if (members?.type !== "members") throw new Error("no members");
  // In the order of their keys.
  expect(Object.entries(members.away ?? {})).toEqual([
    ["__proto__", "__proto__ eats"],
    ["constructor", "constructor eats"],
  ]);
});

test("of a person who reads one room after the other no more is kept than the log keeps: those read last", () => {
  const world = new World({ requestsBurst: 10_000 });
  const site = world.site();
  const ana = world.person(site, "ana");
  world.ask(ana, identify);
  const rooms = Array.from({ length: backplaneLimits.marks + 20 }, (_, number) => `room-${number}`);
  for (const room of rooms) {
    const position = { epoch: "e1", seq: 0 };
    world.ask(ana, { type: "join", room }, { type: "read", room, position }, { type: "leave", room });
    if (room === "room-30")
      world.ask(ana, { type: "join", room: "room-0" }, { type: "send", room: "room-0", text: "x" });
    world.clock.advance(3_000);
  }
  world.ask(ana, { type: "read", room: "room-0", position: { epoch: "e1", seq: 1 } });
  const [told] = world.ask(world.person(site, "ana-phone"), identify);
  const known = told?.type === "read" ? Object.keys(told.positions) : [];
  expect(known.sort()).toEqual(["room-0", ...rooms.slice(-backplaneLimits.marks + 1)].sort());
});
