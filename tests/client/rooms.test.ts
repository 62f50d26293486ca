/** Rooms as a client knows them: who is there, how far it has read, and when it asks to be in one. */
import { describe, expect, test } from "bun:test";
import type { ClientEvent } from "../../src/client/events.ts";
import { RoomSet } from "../../src/client/room-set.ts";
import { Room } from "../../src/client/rooms.ts";
import { INBOX } from "../../src/protocol/messages.ts";
import type { Joined, Presence, Welcome } from "../../src/protocol/messages.ts";
import { SimClock } from "./sim-clock.ts";

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

function joinedAt(seq: number, messages: readonly number[] = [], more: Partial<Joined> = {}): Joined {
  return {
    type: "joined",
    room: "lobby",
    epoch: "e1",
    seq,
    members: [],
    memberCount: 0,
    topic: "",
    messages: messages.map((one) => ({
      type: "message",
      room: "lobby",
      seq: one,
      from: "ana",
      at: 0,
      text: String(one),
    })),
    recovered: true,
    ...more,
  };
}

test("a join that brings less than the log has since is a gap, whatever it says of itself", () => {
  const room = new Room("lobby", 50);
  room.join(joinedAt(5, [4, 5]));
  room.suspend();
  expect(room.join(joinedAt(8, [6, 7])).gap).toEqual({ room: "lobby", after: 7, before: undefined });
  room.suspend();
  expect(room.join(joinedAt(12, [10, 11, 12])).gap).toEqual({ room: "lobby", after: 8, before: 10 });
  room.suspend();
  expect(room.join(joinedAt(12)).gap).toBeUndefined();
});

test("a log that is shorter than what was seen of it is another one, also by the same name", () => {
  const room = new Room("lobby", 50);
  room.join(joinedAt(5, [4, 5]));
  room.suspend();
  const { messages, gap } = room.join(joinedAt(3, [2, 3]));
  expect(messages.map(({ seq }) => seq)).toEqual([2, 3]);
  expect(gap).toEqual({ room: "lobby", after: undefined, before: 2 });
  expect(room.position).toEqual({ epoch: "e1", seq: 3 });
});

test("who was not listed changes the count only where not everybody was listed", () => {
  const room = new Room("lobby", 0);
  const count = () => [room.memberCount, [...room.members.values()].join()];
  const presence = (nick: string, state: Presence["state"], to?: string) =>
    room.presence({ type: "presence", room: "lobby", nick, state, ...(to === undefined ? {} : { to }) });
  room.join(joinedAt(0, [], { members: ["ana", "ben"], memberCount: 2 }));
  presence("zoe", "leave");
  presence("zoe", "rename", "zara");
  expect(count()).toEqual([2, "ana,ben"]);
  room.join(joinedAt(0, [], { members: ["ana", "ben"], memberCount: 5 }));
  presence("zoe", "leave");
  expect(count()).toEqual([4, "ana,ben"]);
  presence("zoe", "rename", "zara");
  expect(count()).toEqual([4, "ana,ben,zara"]);
});

describe("a set of rooms", () => {
  function setUp() {
    const clock = new SimClock();
    const written: { type: string; room?: unknown }[] = [];
    const events: ClientEvent[] = [];
    let [ids, isOnline] = [0, true];
    const rooms = new RoomSet({
      clock,
      random: () => 0.5,
      emit: (event) => events.push(event),
      newId: () => `id${(ids += 1)}`,
      online: () => isOnline,
      write: (object) => written.push(object),
      ready: () => {},
      refused: () => {},
    });
    const setOnline = (is: boolean): void => {
      isOnline = is;
      if (!is) rooms.disconnected();
    };
    return { clock, written, events, rooms, setOnline };
  }
  const welcome = (session: string, resumed: boolean): Welcome => ({
    type: "welcome",
    version: 1,
    server: "s",
    cluster: "c",
    session,
    nick: "ana",
    resume: "r",
    resumed,
    inbox: { epoch: "e1", seq: 0 },
  });

  test("asks once for a room on each connection, also when it was to ask again later", () => {
    const { clock, written, rooms, setOnline } = setUp();
    rooms.join("lobby", 0);
    rooms.failed({ type: "error", code: "unavailable", message: "not now", id: "id1" });
    setOnline(false);
    setOnline(true);
    rooms.welcomed(welcome("one", true));
    clock.advance(60_000);
    expect(written.map(({ type }) => type)).toEqual(["join", "join"]);
  });

  test("takes the refusal of a join that was given up for no word about the next one", () => {
    const { written, rooms } = setUp();
    rooms.join("lobby", 0);
    rooms.leave("lobby", "leave");
    rooms.join("lobby", 0);
    expect(written.map(({ type }) => type)).toEqual(["join", "leave", "join"]);
    expect(rooms.failed({ type: "error", code: "too-many-rooms", message: "no", id: "id1" })).toBeFalse();
    expect(rooms.has("lobby")).toBeTrue();
  });

  test("of another session's inbox says that what was missed in the former one is lost", () => {
    const { events, rooms, setOnline } = setUp();
    rooms.welcomed(welcome("one", false));
    expect(events).toEqual([]);
    setOnline(false);
    setOnline(true);
    rooms.welcomed(welcome("one", true));
    expect(events).toEqual([]);
    setOnline(false);
    setOnline(true);
    rooms.welcomed(welcome("two", false));
    expect(events).toEqual([{ kind: "gap", gap: { room: INBOX, after: undefined, before: undefined } }]);
  });
});
