/** What becomes of messages written between peers: one outcome each, and a bounded memory of them. */
import { expect, test } from "bun:test";
import type { ClientEvent } from "../../src/client/events.ts";
import type { EntryHash, Holding } from "../../src/mesh/core/api.ts";
import { MeshSends } from "../../src/modes/peer/sends.ts";
import { peerConsoleLimits } from "../../src/protocol/limits.peer.ts";
import { ManualClock } from "../support/manual-clock.ts";

function setUp(untilHeld: boolean) {
  const clock = new ManualClock();
  const events: ClientEvent[] = [];
  const held = new Map<EntryHash, Holding>();
  let looked = 0;
  const sends = new MeshSends({
    clock,
    untilHeld,
    holding: (hash) => {
      looked += 1;
      return held.get(hash);
    },
    emit: (event) => events.push(event),
    notHeld: "nobody has it",
  });
  const write = (id: string): EntryHash => {
    sends.taken(id, "lobby", `text of ${id}`)(`hash of ${id}`);
    return `hash of ${id}`;
  };
  const outcomes = () => events.flatMap((event) => (event.kind === "sent" ? [event.outcome] : []));
  return { clock, events, held, sends, write, outcomes, looked: () => looked };
}

test("for a person a message is sent once it is in the log, and acks tell who holds it", () => {
  const { sends, write, outcomes, events, held } = setUp(false);
  const hash = write("a");
  expect([sends.pending, sends.idOf(hash)]).toEqual([1, "a"]);
  sends.inserted(hash, 5);
  sends.inserted(hash, 6);
  expect([sends.pending, outcomes()]).toMatchObject([0, [{ ok: true, id: "a", at: 5 }]]);
  for (const now of [2, 2, 3]) {
    held.set(hash, { held: now, of: 3 });
    sends.holdingsChanged();
  }
  const acks = events.flatMap((event) =>
    event.kind === "received" && event.message.type === "ack" ? [event.message] : [],
  );
  expect(acks).toMatchObject([
    { id: "a", held: 2, of: 3 },
    { id: "a", held: 3, of: 3 },
  ]);
  expect(outcomes()).toHaveLength(1);
});

test("for a program it is sent once another holds it, and fails with its text when nobody does in time", () => {
  const { sends, write, outcomes, held, clock } = setUp(true);
  const [one] = [write("one"), write("two")];
  sends.inserted(one, 5);
  expect(outcomes()).toEqual([]);
  held.set(one, { held: 2, of: 2 });
  sends.holdingsChanged();
  clock.advance(peerConsoleLimits.heldMs + peerConsoleLimits.lookMs);
  expect(outcomes()).toMatchObject([
    { ok: true, id: "one" },
    { ok: false, id: "two", code: "not-held", text: "text of two" },
  ]);
  expect(sends.pending).toBe(0);
});

test("only so many are remembered while a member who never comes back holds none", () => {
  const { sends, write, looked } = setUp(false);
  const most = peerConsoleLimits.sendsRemembered;
  const hashes = Array.from({ length: most + 100 }, (_, index) => {
    const hash = write(String(index));
    sends.inserted(hash, index);
    return hash;
  });
  sends.holdingsChanged();
  // The one that was written last was not yet told when the others were counted.
  expect(looked()).toBeLessThanOrEqual(most + 1);
  expect(sends.idOf(hashes[0]!)).toBeUndefined();
  expect(sends.idOf(hashes.at(-1)!)).toBe(String(most + 99));
  expect(sends.pending).toBe(0);
});
