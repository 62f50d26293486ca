/** Who is in a room, as a client knows it from lists and from what it hears. */
import { expect, test } from "bun:test";
import { Room } from "../../src/client/rooms.ts";
import type { Presence } from "../../src/protocol/messages.ts";

test("which members are programs is known from the list, and follows their coming, renaming and going", () => {
  const room = new Room("lobby", 0);
  const hear = (nick: string, state: Presence["state"], more: Partial<Presence> = {}) =>
    room.presence({ type: "presence", room: "lobby", nick, state, ...more });
  room.list({ members: ["Log", "ana"], memberCount: 2, bots: ["Log"] });
  hear("cron", "join", { bot: true });
  hear("ben", "join");
  expect([...room.bots].sort()).toEqual(["cron", "log"]);
  hear("cron", "rename", { to: "Cron2", bot: true });
  hear("ben", "rename", { to: "cron" });
  expect([...room.bots].sort()).toEqual(["cron2", "log"]);
  hear("Cron2", "leave", { bot: true });
  // A person who takes a program's nick is none.
  hear("cron2", "join");
  expect([...room.bots]).toEqual(["log"]);
  room.list({ members: ["ana"], memberCount: 1 });
  expect([...room.bots]).toEqual([]);
});
