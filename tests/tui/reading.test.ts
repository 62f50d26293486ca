/** The chat model by itself: how far a room is read, in whatever order news comes, and what writing does. */
import { describe, expect, test } from "bun:test";
import type { ClientListener } from "../../src/client/events.ts";
import type { Message, ServerMessage } from "../../src/protocol/messages.ts";
import { english } from "../../src/tui/language/english.ts";
import type { ChatBackend, RoomView } from "../../src/tui/backend.ts";
import { ChatModel } from "../../src/tui/model/chat-model.ts";
import { ManualClock } from "../support/manual-clock.ts";

const epoch = "e1";
const said = (seq: number, from = "bob"): Message => ({
  type: "message",
  room: "lobby",
  seq,
  from,
  at: 1_700_000_000_000 + seq,
  text: `message ${seq}`,
});

/** A model of a chat in one room, whose server says what the test wants; and what it told of reading. */
function open(remembered: number) {
  const view: RoomView = {
    name: "lobby",
    state: "joined",
    position: { epoch, seq: 0 },
    members: new Map(),
    away: new Map(),
    bots: new Set(),
    memberCount: 1,
    topic: "",
  };
  const told: number[] = [];
  let retried = 0;
  let hear: ClientListener = () => {};
  const backend: ChatBackend = {
    session: {
      nick: "ana",
      online: true,
      away: undefined,
      rooms: new Map([["lobby", view]]),
      unacknowledged: 0,
      join: () => view,
      leave: () => true,
      send: () => ({ ok: true, id: "1" }),
      markRead: (_, seq) => void told.push(seq),
      request: () => ({ ok: true, id: "1" }),
    },
    connection: { state: "idle" },
    on: (listener) => {
      hear = listener;
      return () => {};
    },
    connect() {},
    retryNow: () => void (retried += 1),
    changeNick() {},
    close() {},
  };
  const clock = new ManualClock();
  const model = new ChatModel(
    { backend, words: english, clock, changed() {}, alert() {}, remembered: () => remembered },
    "lobby",
  );
  const say = (message: ServerMessage) => hear({ kind: "received", message, rejoined: false });
  const joined = (newest: number) =>
    say({
      type: "joined",
      room: "lobby",
      epoch,
      seq: newest,
      members: ["ana"],
      memberCount: 1,
      topic: "",
      messages: Array.from({ length: newest }, (_, index) => said(index + 1)),
      recovered: true,
    });
  const read = (seq: number) => say({ type: "read", positions: { lobby: { epoch, seq } } });
  return { clock, model, room: model.active, told, retried: () => retried, say, joined, read };
}

describe("the line where new messages begin", () => {
  test("moves on when another device's reading is told after the room was shown", () => {
    const { room, told, joined, read } = open(1);
    joined(3);
    expect(room.markerSeq).toBe(1);
    expect(told.at(-1)).toBe(3);
    read(2);
    expect(room.markerSeq).toBe(2);
    expect(room.readSeq).toBe(3);
  });

  test("stands still when what this device told comes back, also late", () => {
    const { room, say, joined, read } = open(1);
    joined(3);
    read(3);
    expect(room.markerSeq).toBe(1);
    say(said(4));
    say(said(5));
    read(4);
    expect(room.markerSeq).toBe(1);
    read(5);
    expect(room.markerSeq).toBe(1);
  });

  test("moves on while nobody looks here and another device reads", () => {
    const { model, room, say, joined, read } = open(2);
    joined(2);
    model.look(false);
    say(said(3));
    say(said(4));
    expect([room.markerSeq, room.unread]).toEqual([2, 2]);
    read(3);
    expect([room.markerSeq, room.unread]).toEqual([3, 1]);
    read(4);
    expect([room.markerSeq, room.unread]).toEqual([4, 0]);
    say(said(5));
    expect([room.markerSeq, room.unread]).toEqual([4, 1]);
    model.look(true);
    read(5);
    expect([room.markerSeq, room.unread]).toEqual([4, 0]);
  });

  test("never goes back", () => {
    const { room, joined, read } = open(2);
    joined(4);
    read(1);
    expect(room.markerSeq).toBe(2);
  });
});

test("writing without a connection tries for one at once, and does not wait for the next attempt", () => {
  const { model, retried } = open(1);
  model.send("lobby", "are we back?");
  expect(retried()).toBe(1);
  expect(model.active.pending).toMatchObject([{ text: "are we back?", state: "sending" }]);
});

test("who is typing is shown for a while, also when the clock is set back meanwhile", () => {
  const { clock, model, room, say, joined } = open(1);
  joined(1);
  say({ type: "typing", room: "lobby", nick: "ben" });
  expect(model.typing(room)).toEqual(["ben"]);
  clock.step(-3_600_000);
  clock.advance(6_001);
  expect(model.typing(room)).toEqual([]);
});
