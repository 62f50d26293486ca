/** The order, and everything computed from it, does not depend on how the entries arrive. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { StoredEntry } from "../../src/mesh/core/api.ts";
import { decodeEntry } from "../../src/mesh/core/entry.ts";
import { encodeEntries } from "../../src/mesh/core/frames.ts";
import { seededRandom } from "../../src/protocol/clock.ts";
import { Lab, lines, must, say, type Device } from "./support.ts";

/** A mesh of four that has been through partitions, clock errors, removals and a fork; entries as one of them has them. */
function history(seed: number): { lab: Lab; entries: StoredEntry[]; witness: Device } {
  const random = seededRandom(seed);
  const lab = new Lab();
  const all = lab.mesh("ann", "bob", "cleo", "dan");
  const [ann, bob, cleo, dan] = all as [Device, Device, Device, Device];
  const talk = (devices: readonly Device[], count: number): void => {
    for (let i = 0; i < count; i += 1) {
      const device = devices[Math.floor(random() * devices.length)]!;
      // Often within the same millisecond, so that ties are decided.
      lab.now += Math.floor(random() * 3);
      say(device, `${device.name} ${i}`, random() < 0.8 ? "lobby" : "games");
      if (random() < 0.5) lab.deliver();
    }
  };
  bob.setSkew(5_000);
  lab.link(ann, bob);
  lab.link(cleo, dan);
  talk(all, 20);
  must(ann.core.appoint(bob.core.self));
  must(bob.core.publish({ kind: "profile", nick: "Bob" }));
  must(cleo.core.publish({ kind: "topic", room: "lobby", text: "news" }));
  lab.settle();
  lab.link(bob, cleo);
  lab.settle();
  talk(all, 20);
  lab.settle();
  must(bob.core.remove(dan.core.self));
  say(dan, "unaware");
  talk([ann, bob, cleo], 10);
  lab.settle();
  lab.advance(60_000);
  return { lab, entries: [...ann.store.entries()], witness: ann };
}

/** Everything a person could see of the mesh. */
function seen({ core }: Device): unknown {
  return {
    order: core.order(),
    members: core.members().map(({ peerId, nick, role, removedBy }) => ({ peerId, nick, role, removedBy })),
    rooms: core.rooms().sort((a, b) => (a.room < b.room ? -1 : 1)),
    lobby: core
      .timeline({ room: "lobby" }, 1e6)
      .map(({ hash, text, afterRemoval }) => [hash, text, afterRemoval]),
  };
}

describe("the order of entries", () => {
  test("and members, topics and lines are the same for whatever order, grouping and repetition they arrive in", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer(), (seed, shuffle) => {
        const { lab, entries, witness } = history(seed);
        const random = seededRandom(shuffle);
        const late = lab.device("late");
        late.core.linkUp(witness.core.self, () => true);
        const shuffled = entries
          .flatMap((entry) => (random() < 0.2 ? [entry, entry] : [entry]))
          .map((entry) => ({ entry, at: random() }))
          .sort((a, b) => a.at - b.at)
          .map(({ entry }) => entry.bytes);
        while (shuffled.length > 0) {
          const part = shuffled.splice(0, 1 + Math.floor(random() * 10));
          late.core.receive(witness.core.self, encodeEntries(0, part));
        }
        expect(seen(late)).toEqual(seen(witness));
        expect(late.faults).toEqual([]);
        // What was told line by line, put where it was told to go, is what is shown.
        const told: string[] = [];
        for (const { item, index } of late.insertions)
          if ("room" in item.place && item.place.room === "lobby") told.splice(index, 0, item.text);
        expect(told).toEqual(lines(late));
      }),
      { numRuns: 30 },
    );
  }, 30_000);

  test("never puts an entry before one it builds on", () => {
    const { entries, witness } = history(7);
    const position = new Map(witness.core.order().map((hash, i) => [hash, i]));
    let links = 0;
    for (const { hash, bytes } of entries) {
      const { previous, parents } = decodeEntry(bytes, hash);
      for (const basis of previous === undefined ? parents : [previous, ...parents]) {
        expect(position.get(basis)).toBeLessThan(position.get(hash) ?? -1);
        links += 1;
      }
    }
    expect(links).toBeGreaterThan(entries.length);
  });
});
