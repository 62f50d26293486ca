/** What people are called: no two are ever called the same on one screen. */
import { expect, test } from "bun:test";
import { peerIdOf } from "../../src/identity/peer-id.ts";
import { findPeer, plainName } from "../../src/mesh/console/names.ts";
import type { Member } from "../../src/mesh/core/api.ts";
import { markLookAlikes } from "../../src/mesh/node/look-alikes.ts";
import type { PeerView } from "../../src/mesh/node/views.ts";
import { english } from "../../src/tui/language/english.ts";
import { Lab, must, say, type Device } from "./support.ts";

const viewsOf = (device: Device): PeerView[] =>
  device.core
    .members()
    .map((member) => ({ ...member, path: undefined, roundTripMs: undefined, known: undefined }));

test("who took another's name keeps its mark when it is removed, and the other needs none", () => {
  const lab = new Lab();
  const [ann, bob, mal] = lab.mesh("ann", "bob", "mal") as [Device, Device, Device];
  lab.link(ann, bob);
  lab.link(ann, mal);
  for (const [device, nick] of [
    [ann, "ann"],
    [bob, "bob"],
    [mal, "Bob"],
  ] as const)
    must(device.core.publish({ kind: "profile", nick }));
  say(mal, "I am bob");
  lab.settle();
  const nameOf = (device: Device) =>
    plainName(viewsOf(ann).find(({ peerId }) => peerId === device.core.self)!);
  expect(nameOf(bob)).toMatch(/^bob~/);
  must(ann.core.remove(mal.core.self));
  expect(nameOf(bob)).toBe("bob");
  expect(nameOf(mal)).toMatch(/^Bob~/);
});

test("heads of IDs are as long as it takes to tell those apart who chose keys that begin alike", () => {
  const lab = new Lab();
  const [ann] = lab.mesh("ann") as [Device];
  const keys = [0, 0, 1].map((third, index) => {
    const key = new Uint8Array(32).fill(index + 1);
    key.set([7, 7, third]);
    return peerIdOf(key);
  });
  for (const key of keys) must(ann.core.admit(key));
  const views = viewsOf(ann).filter(({ peerId }) => keys.includes(peerId));
  const names = views.map(plainName);
  expect(new Set(names).size).toBe(3);
  for (const [index, name] of names.entries())
    expect(findPeer(name, views, english.peers)).toMatchObject({ peerId: views[index]!.peerId });
  expect(findPeer(names[0]!.slice(0, 5), views, english.peers)).toHaveProperty("problem");
});

test("whose names only look alike are told apart like namesakes, and the honest one alone needs no mark", () => {
  const lab = new Lab();
  const [ann, bob, mal] = lab.mesh("ann", "bob", "mal") as [Device, Device, Device];
  lab.link(ann, bob);
  lab.link(ann, mal);
  for (const [device, nick] of [
    [ann, "ann"],
    [bob, "bob"],
    [mal, "b\u043eb"],
  ] as const)
    must(device.core.publish({ kind: "profile", nick }));
  lab.settle();
  const nameOf = (device: Device) => {
    const found = markLookAlikes(ann.core.members()).find(({ peerId }) => peerId === device.core.self);
    return plainName(found!);
  };
  expect(nameOf(ann)).toBe("ann");
  expect(nameOf(bob)).toMatch(/^bob~[0-9a-z]{5}$/);
  expect(nameOf(mal)).toMatch(/^b\u043eb~[0-9a-z]{5}$/);
  must(ann.core.remove(mal.core.self));
  expect(nameOf(bob)).toBe("bob");
  expect(nameOf(mal)).toMatch(/^b\u043eb~/);
});

test("nobody's head is the look-alike's, however alike the keys begin", () => {
  const member = (nick: string, ...head: number[]): Member => {
    const key = new Uint8Array(32).fill(9);
    key.set(head);
    const none = { role: "member", removedBy: undefined, admittedBy: undefined, presence: "away" } as const;
    return {
      ...none,
      peerId: peerIdOf(key),
      nick,
      nickShared: false,
      headSymbols: 5,
      addresses: [],
      forked: false,
      via: [],
    };
  };
  const alike = [member("ana", 1, 2, 3, 4, 5, 6), member("\u0430na", 1, 2, 3, 4, 5, 7), member("zoe", 1)];
  const names = markLookAlikes(alike).map(plainName);
  expect(new Set(names.map((name) => name.split("~")[1])).size).toBe(3);
  expect(names[2]).toBe("zoe");
});
