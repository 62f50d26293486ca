/** The core as a whole: a few devices on a table. */
import { describe, expect, test } from "bun:test";
import { toHex } from "../../src/mesh/core/bytes.ts";
import { hashOf } from "../../src/mesh/core/entry.ts";
import { decodeFrame } from "../../src/mesh/core/frames.ts";
import { chainNote } from "../../src/mesh/core/own-chain.ts";
import { StoreError } from "../../src/mesh/core/store-error.ts";
import { MemoryStore } from "../../src/mesh/store/memory.ts";
import { floodLimits, logLimits, syncLimits } from "../../src/protocol/limits.mesh.ts";
import { SimDisk } from "./sim/peer.ts";
import { codes, Lab, lines, must, say, startMs, type Device } from "./support.ts";

describe("messages", () => {
  test("reach a linked peer at once, and everybody shows the same lines", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    lab.link(ann!, bob!);
    lab.settle();
    say(ann!, "one");
    lab.deliver();
    say(bob!, "two");
    lab.deliver();
    expect(lines(ann!)).toEqual(["one", "two"]);
    expect(lines(bob!)).toEqual(["one", "two"]);
    expect(bob!.insertions.map(({ index, earlier }) => [index, earlier])).toEqual([
      [0, false],
      [1, false],
    ]);
  });

  test("go from A to C through B when A and C have no link", () => {
    const lab = new Lab();
    const [bob, ann, cleo] = lab.mesh("bob", "ann", "cleo");
    lab.link(ann!, bob!);
    lab.link(bob!, cleo!);
    lab.settle();
    say(ann!, "hello cleo");
    lab.deliver();
    expect(lines(cleo!)).toEqual(["hello cleo"]);
    say(cleo!, "hello ann");
    lab.deliver();
    expect(lines(ann!)).toEqual(["hello cleo", "hello ann"]);
  });

  test("are pushed once to each peer in a full mesh, and passed on to nobody who has a link with their author", () => {
    const lab = new Lab();
    const all = lab.mesh("a", "b", "c", "d", "e");
    for (const [i, one] of all.entries()) for (const two of all.slice(i + 1)) lab.link(one, two);
    lab.settle();
    lab.delivered.length = 0;
    const hash = say(all[0]!, "once");
    lab.deliver();
    const pushes = lab.delivered.filter(({ frame }) => frame?.type === "entries");
    expect(pushes.map(({ from, to }) => `${from}${to}`).sort()).toEqual(["ab", "ac", "ad", "ae"]);
    for (const one of all) expect(one.core.order()).toContain(hash);
  });

  test("written on both sides of a partition end in one order, and the late ones say that they are earlier", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    say(ann!, "a1");
    lab.now += 1_000;
    say(bob!, "b1");
    lab.now += 1_000;
    say(ann!, "a2");
    bob!.insertions.length = 0;
    lab.link(ann!, bob!);
    lab.settle();
    expect(lines(ann!)).toEqual(["a1", "b1", "a2"]);
    expect(lines(bob!)).toEqual(["a1", "b1", "a2"]);
    expect(bob!.insertions.map(({ item, index, earlier }) => [item.text, index, earlier])).toEqual([
      ["a1", 0, true],
      ["a2", 2, false],
    ]);
  });

  test("of rooms that differ only in case or width are in one room", () => {
    const lab = new Lab();
    const [ann] = lab.mesh("ann");
    say(ann!, "one", "Zürich");
    say(ann!, "two", "ｚÜRICH");
    expect(lines(ann!, "zürich")).toEqual(["one", "two"]);
    expect(ann!.core.rooms()).toEqual([{ room: "zürich", topic: undefined, messages: 2 }]);
  });

  test("with control characters, no text or no room are refused before they are signed", () => {
    const lab = new Lab();
    const [ann] = lab.mesh("ann");
    const before = ann!.core.order().length;
    for (const [room, text] of [
      ["lobby", "\u001b[31mred"],
      ["lobby", ""],
      ["lobby", "x".repeat(8193)],
      ["", "text"],
      ["two words", "text"],
    ] as const) {
      expect(ann!.core.publish({ kind: "chat", room, text })).toMatchObject({ ok: false, code: "bad-text" });
    }
    expect(ann!.core.order().length).toBe(before);
  });

  test("say when they were written, but never later than they were received", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    ann!.setSkew(3_600_000);
    say(ann!, "from the future");
    lab.link(ann!, bob!);
    lab.settle();
    const at = (device: typeof bob) => device!.core.timeline({ room: "lobby" }, 1)[0]!.at - startMs;
    expect(at(ann)).toBeGreaterThanOrEqual(3_600_000);
    expect(at(bob)).toBeLessThanOrEqual(lab.now);
  });

  test("are on the disk before the first byte of them leaves", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    const seen: boolean[] = [];
    must(ann!.core.publish({ kind: "profile", nick: "ann" }));
    ann!.core.linkUp(bob!.core.self, (frame) => {
      const decoded = decodeFrame(frame);
      if (decoded?.type === "entries")
        for (const bytes of decoded.entries) seen.push(ann!.store.get(hashOf(bytes)) !== undefined);
      return true;
    });
    say(ann!, "one");
    say(ann!, "two");
    expect(seen).toEqual([true, true]);
  });

  test("are read from the store in pages, the last page first", () => {
    const lab = new Lab();
    const [ann] = lab.mesh("ann");
    for (let i = 0; i < 10; i += 1) say(ann!, String(i));
    const texts = (limit: number, before?: number) =>
      ann!.core.timeline({ room: "lobby" }, limit, before).map(({ text }) => text);
    expect(texts(3)).toEqual(["7", "8", "9"]);
    expect(texts(3, 7)).toEqual(["4", "5", "6"]);
    expect(texts(3, 1)).toEqual(["0"]);
    expect(texts(3, 0)).toEqual([]);
    expect(texts(3, 99)).toEqual(["7", "8", "9"]);
    expect(ann!.core.timeline({ room: "nowhere" }, 5)).toEqual([]);
  });

  test("change topics, the latest by order counts, and an empty one clears", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    must(bob!.core.publish({ kind: "topic", room: "lobby", text: "older" }));
    lab.now += 1;
    must(ann!.core.publish({ kind: "topic", room: "lobby", text: "newer" }));
    lab.link(ann!, bob!);
    lab.settle();
    expect(ann!.core.rooms()[0]?.topic).toBe("newer");
    expect(bob!.core.rooms()[0]?.topic).toBe("newer");
    expect(ann!.topics).toEqual(["newer"]);
    must(ann!.core.publish({ kind: "topic", room: "lobby", text: "" }));
    lab.deliver();
    expect(bob!.core.rooms()[0]?.topic).toBeUndefined();
    expect(bob!.topics).toEqual(["older", "newer", undefined]);
  });
});

describe("direct messages", () => {
  test("can be read by the pair, and by nobody who passes them on", () => {
    const lab = new Lab();
    const [bob, ann, cleo] = lab.mesh("bob", "ann", "cleo");
    lab.link(ann!, bob!);
    lab.link(bob!, cleo!);
    lab.settle();
    const hash = must(ann!.core.publish({ kind: "direct", to: cleo!.core.self, text: "only you" }));
    lab.deliver();
    const texts = (device: typeof bob, other: typeof bob) =>
      device!.core.timeline({ direct: other!.core.self }, 10).map(({ text }) => text);
    expect(texts(ann, cleo)).toEqual(["only you"]);
    expect(texts(cleo, ann)).toEqual(["only you"]);
    expect(bob!.core.order()).toContain(hash);
    expect(bob!.core.conversations()).toEqual([]);
    expect(texts(bob, ann)).toEqual([]);
    expect(cleo!.core.conversations()).toEqual([ann!.core.self]);
  });

  test("to oneself or to a stranger are refused", () => {
    const lab = new Lab();
    const [ann] = lab.mesh("ann");
    const direct = (to: typeof ann) => ann!.core.publish({ kind: "direct", to: to!.core.self, text: "x" });
    expect(direct(ann)).toMatchObject({ ok: false, code: "own-key" });
    expect(direct(lab.device("stranger"))).toMatchObject({ ok: false, code: "not-a-member" });
  });

  test("survive a restart of both", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    lab.link(ann!, bob!);
    lab.settle();
    must(ann!.core.publish({ kind: "direct", to: bob!.core.self, text: "kept" }));
    lab.deliver();
    for (const device of [ann!, bob!]) {
      const other = device === ann ? bob! : ann!;
      const again = lab.device("again", { signer: device.signer, store: device.store });
      expect(again.core.timeline({ direct: other.core.self }, 9).map(({ text }) => text)).toEqual(["kept"]);
    }
  });
});

describe("who holds what", () => {
  test("counts this device at once, a linked peer when it says so, and nobody by hope", () => {
    const lab = new Lab();
    const [ann, bob, cleo] = lab.mesh("ann", "bob", "cleo");
    lab.link(ann!, bob!);
    lab.settle();
    const hash = say(ann!, "who has this?");
    expect(ann!.core.holding(hash)).toEqual({ held: 1, of: 3 });
    lab.deliver();
    expect(ann!.core.holding(hash)).toEqual({ held: 1, of: 3 });
    lab.advance(syncLimits.receiptMs + 100);
    expect(ann!.core.holding(hash)).toEqual({ held: 2, of: 3 });
    lab.link(ann!, cleo!);
    lab.settle();
    expect(ann!.core.holding(hash)).toEqual({ held: 3, of: 3 });
    expect(ann!.core.holding("00".repeat(32))).toBeUndefined();
  });

  test("counts somebody without a link when they build on it with their signature", () => {
    const lab = new Lab();
    const [bob, ann, cleo] = lab.mesh("bob", "ann", "cleo");
    lab.link(ann!, bob!);
    lab.link(bob!, cleo!);
    lab.settle();
    const hash = say(ann!, "ping");
    lab.settle();
    expect(ann!.core.holding(hash)).toEqual({ held: 2, of: 3 });
    say(cleo!, "pong");
    lab.deliver();
    expect(ann!.core.holding(hash)).toEqual({ held: 3, of: 3 });
  });

  test("goes down again when a peer comes back with an empty disk", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    lab.link(ann!, bob!);
    const hash = say(ann!, "keep this");
    lab.settle();
    expect(ann!.core.holding(hash)).toEqual({ held: 2, of: 2 });
    lab.unlink(ann!, bob!);
    const empty = lab.device("bob", { signer: bob!.signer });
    lab.link(ann!, empty);
    lab.directions.find(({ from }) => from === ann)!.isOpen = false;
    lab.deliver();
    expect(ann!.core.holding(hash)).toEqual({ held: 1, of: 2 });
  });
});

describe("presence", () => {
  test("tells who is linked, who is seen by others, and who is away", () => {
    const lab = new Lab();
    const [bob, ann, cleo, dan] = lab.mesh("bob", "ann", "cleo", "dan");
    lab.link(ann!, bob!);
    lab.link(bob!, cleo!);
    lab.settle();
    const presence = () => [ann, bob, cleo, dan].map((of) => ann!.core.member(of!.core.self)!.presence);
    expect(presence()).toEqual(["self", "linked", "via", "away"]);
    expect(ann!.core.member(cleo!.core.self)!.via).toEqual([bob!.core.self]);
    ann!.changed.length = 0;
    lab.unlink(bob!, cleo!);
    lab.settle();
    expect(presence()).toEqual(["self", "linked", "away", "away"]);
    expect(ann!.changed).toContain(cleo!.core.self);
  });
});

describe("sync", () => {
  test("brings a newcomer the whole log in pages, each asked for once and from one peer", () => {
    const lab = new Lab();
    const [ann, bob, cleo] = lab.mesh("ann", "bob", "cleo");
    lab.link(ann!, bob!);
    lab.settle();
    for (let i = 0; i < 1_000; i += 1) say(i % 2 === 0 ? ann! : bob!, `message ${i}`);
    lab.settle();
    lab.delivered.length = 0;
    lab.link(ann!, cleo!);
    lab.link(bob!, cleo!);
    lab.settle();
    expect(lines(cleo!)).toEqual(lines(ann!));
    const carried = lab.delivered.flatMap(({ frame, to }) =>
      to === "cleo" && frame?.type === "entries" ? frame.entries.map(toHex) : [],
    );
    expect(carried.length).toBe(1_000);
    expect(new Set(carried).size).toBe(1_000);
  });

  test("of a long log is at no moment a flood for the peer that answers", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    const pages = floodLimits.pagesBurst + 50;
    const perPage = Math.ceil(syncLimits.pageBytes / 8_192);
    for (let i = 0; i < pages * perPage; i += 1) say(ann!, `${i} ${"x".repeat(8_100)}`);
    lab.link(ann!, bob!);
    lab.advance(10_000);
    expect(bob!.core.order()).toEqual(ann!.core.order());
    expect(lab.delivered.filter(({ frame }) => frame?.type === "want").length).toBeGreaterThanOrEqual(pages);
    expect(codes(ann!).concat(codes(bob!))).toEqual([]);
  });

  test("says nothing but digests while nothing is new", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    lab.link(ann!, bob!);
    lab.settle();
    lab.delivered.length = 0;
    lab.advance(120_000);
    const types = lab.delivered.map(({ frame }) => frame?.type);
    expect(new Set(types)).toEqual(new Set(["digest"]));
    // Each side every 25 to 30 s.
    expect(types.length).toBeGreaterThanOrEqual(8);
    expect(types.length).toBeLessThanOrEqual(10);
  });

  test("finds within a round what a full link did not take, though nobody says so", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    lab.link(ann!, bob!);
    lab.settle();
    const there = lab.direction(ann!, bob!);
    there.isOpen = false;
    say(ann!, "dropped at the door");
    there.isOpen = true;
    lab.settle();
    expect(lines(bob!)).toEqual([]);
    ann!.core.linkDrained(bob!.core.self);
    lab.settle();
    expect(lines(bob!)).toEqual(["dropped at the door"]);
    expect(codes(ann!).concat(codes(bob!))).toEqual([]);
  });

  test("answers a page that a full link did not take once the link takes frames again", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    for (let i = 0; i < 5; i += 1) say(ann!, String(i));
    lab.link(ann!, bob!);
    const there = lab.direction(ann!, bob!);
    const send = there.frames.push.bind(there.frames);
    // Everything but pages gets through.
    there.frames.push = (frame) => (frame[0] === 0x13 ? ((there.isOpen = false), 0) : send(frame));
    lab.deliver();
    there.frames.push = send;
    there.frames.length = 0;
    expect(lines(bob!)).toEqual([]);
    there.isOpen = true;
    ann!.core.linkDrained(bob!.core.self);
    lab.advance(500);
    expect(lines(bob!)).toEqual(["0", "1", "2", "3", "4"]);
  });

  test("fetches what is missing when an entry comes before what it builds on", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    lab.link(ann!, bob!);
    lab.settle();
    say(ann!, "lost on the way");
    lab.direction(ann!, bob!).frames.length = 0;
    say(ann!, "came");
    lab.deliver();
    expect(lines(bob!)).toEqual(["lost on the way", "came"]);
  });

  test("asks somebody else when a peer does not answer, and says so", () => {
    const lab = new Lab();
    const [ann, bob, cleo] = lab.mesh("ann", "bob", "cleo");
    lab.link(ann!, bob!);
    say(ann!, "wanted");
    lab.settle();
    lab.link(ann!, cleo!);
    // Ann's pages to Cleo vanish; everything else arrives.
    const there = lab.direction(ann!, cleo!);
    const send = there.frames.push.bind(there.frames);
    there.frames.push = (frame) => (frame[0] === 0x13 ? 0 : send(frame));
    lab.deliver();
    lab.link(bob!, cleo!);
    lab.settle();
    expect(lines(cleo!)).toEqual([]);
    lab.advance(syncLimits.pageMs + 1_000);
    expect(lines(cleo!)).toEqual(["wanted"]);
    expect(codes(cleo!)).toEqual(["page-timeout"]);
    expect(cleo!.core.faults(ann!.core.self)).toMatchObject([{ code: "page-timeout", times: 1 }]);
    expect(cleo!.closed).toEqual([]);
  });

  test("passes on what came in pages, so that a partition heals over one link", () => {
    const lab = new Lab();
    const [a, b, c, d] = lab.mesh("a", "b", "c", "d");
    lab.link(a!, b!);
    lab.link(c!, d!);
    lab.settle();
    for (let i = 0; i < 20; i += 1) say([a!, b!, c!, d!][i % 4]!, `message ${i}`);
    lab.settle();
    lab.link(b!, c!);
    lab.settle();
    for (const one of [b!, c!, d!]) expect(one.core.order()).toEqual(a!.core.order());
    expect(lines(d!)).toHaveLength(20);
  });

  test("tells of a clock that is more than a minute off, once", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    bob!.setSkew(300_000);
    lab.link(ann!, bob!);
    lab.advance(100_000);
    const told = ({ skews }: typeof ann & object) => skews.map(({ aheadMs }) => Math.round(aheadMs / 1_000));
    expect(told(ann!)).toEqual([300]);
    expect(told(bob!)).toEqual([-300]);
  });
});

describe("a restart", () => {
  test("goes on with the same chain", () => {
    const lab = new Lab();
    const [ann] = lab.mesh("ann");
    say(ann!, "before");
    const again = lab.device("ann", { signer: ann!.signer, store: ann!.store });
    say(again, "after");
    expect(lines(again)).toEqual(["before", "after"]);
    expect(again.forks).toEqual([]);
    expect(again.core.members()[0]?.forked).toBe(false);
  });

  test("without a disk begins another chain, gets the old one back, and nothing is a fork", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    lab.link(ann!, bob!);
    lab.settle();
    for (let i = 0; i < 5; i += 1) say(bob!, `old ${i}`);
    lab.settle();
    lab.unlink(ann!, bob!);
    const empty = lab.device("bob", { signer: bob!.signer });
    expect(empty.core.publish({ kind: "chat", room: "lobby", text: "too early" })).toMatchObject({
      ok: false,
      code: "no-previous",
    });
    lab.link(ann!, empty);
    lab.settle();
    say(empty, "new");
    lab.settle();
    expect(lines(ann!)).toEqual(["old 0", "old 1", "old 2", "old 3", "old 4", "new"]);
    expect(lines(empty)).toEqual(lines(ann!));
    expect(ann!.forks.concat(empty.forks)).toEqual([]);
  });

  test("with an old copy of the disk is a fork: told, both branches kept by all, and written no further", () => {
    const lab = new Lab();
    const [ann, bob, cleo] = lab.mesh("ann", "bob", "cleo");
    lab.link(ann!, bob!);
    lab.settle();
    say(bob!, "shared");
    lab.settle();
    const old = new MemoryStore();
    old.append([...bob!.store.entries()]);
    old.setNote("chain", bob!.store.note("chain"));
    for (let i = 0; i < 40; i += 1) say(bob!, `first branch ${i}`);
    lab.settle();
    lab.unlink(ann!, bob!);
    const restored = lab.device("bob", { signer: bob!.signer, store: old });
    lab.now += 10;
    for (let i = 0; i < 30; i += 1) say(restored, `second branch ${i}`);
    lab.link(ann!, restored);
    lab.settle();
    expect(ann!.forks).toEqual([{ peerId: bob!.core.self, self: false }]);
    expect(restored.forks).toEqual([{ peerId: bob!.core.self, self: true }]);
    expect(ann!.core.member(bob!.core.self)?.forked).toBe(true);
    expect(ann!.core.order()).toEqual(restored.core.order());
    expect(lines(ann!)).toHaveLength(71);
    // From here on a new chain, so that the fork does not grow.
    say(restored, "after the fork");
    lab.link(ann!, cleo!);
    lab.settle();
    expect(lines(cleo!)).toEqual(lines(restored));
    expect(lines(cleo!).at(-1)).toBe("after the fork");
    expect(cleo!.core.timeline({ room: "lobby" }, 1)[0]?.forked).toBe(true);
  });
});

describe("clocks", () => {
  const day = 24 * 3_600_000;

  test("more than 26 hours ahead hold an author's entries back until then, and harm nobody else's", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    bob!.setSkew(2 * day);
    say(bob!, "from tomorrow");
    say(ann!, "today");
    lab.link(ann!, bob!);
    lab.advance(60_000);
    expect(lines(ann!)).toEqual(["today"]);
    expect(lines(bob!)).toEqual(["today", "from tomorrow"]);
    expect(new Set(codes(ann!))).toEqual(new Set(["clock-ahead"]));
    expect(ann!.closed).toEqual([]);
    lab.now += day;
    lab.advance(60_000);
    expect(lines(ann!)).toEqual(["today", "from tomorrow"]);
  });

  test("set right again let the author go on at once, in a new chain", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    bob!.setSkew(300 * day);
    say(bob!, "next year");
    bob!.setSkew(0);
    lab.link(ann!, bob!);
    lab.settle();
    say(bob!, "now");
    lab.settle();
    expect(lines(ann!)).toEqual(["now"]);
  });

  test("that fall behind by days still write after what they know", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    lab.link(ann!, bob!);
    lab.settle();
    say(ann!, "first");
    lab.settle();
    bob!.setSkew(-300 * day);
    say(bob!, "second");
    lab.settle();
    expect(lines(ann!)).toEqual(["first", "second"]);
  });
});

describe("a store that fails", () => {
  class FailingStore extends MemoryStore {
    isFull = false;
    isBroken = false;
    cannotSync = false;
    override flush(): boolean {
      if (this.cannotSync) throw new StoreError("the disk does not sync");
      return super.flush();
    }
    override append(entries: Parameters<MemoryStore["append"]>[0]): void {
      if (this.isFull) throw new StoreError("the disk is full");
      super.append(entries);
    }
    override entries(): ReturnType<MemoryStore["entries"]> {
      if (this.isBroken) throw new StoreError("the disk is gone");
      return super.entries();
    }
  }

  test("takes and sends nothing while it is full, and is healed by sync when it is not", () => {
    const lab = new Lab();
    const [ann] = lab.mesh("ann");
    const store = new FailingStore();
    const bob = lab.device("bob", { store });
    must(ann!.core.admit(bob.core.self));
    lab.link(ann!, bob);
    lab.settle();
    store.isFull = true;
    expect(bob.core.publish({ kind: "chat", room: "lobby", text: "unsaved" })).toMatchObject({
      ok: false,
      code: "store-failed",
    });
    say(ann!, "unsaved too");
    lab.settle();
    expect(lines(bob)).toEqual([]);
    expect(lines(ann!)).toEqual(["unsaved too"]);
    expect(bob.storeFailures).toEqual(["the disk is full", "the disk is full"]);
    // Pages that cannot be stored are asked for again in their own time, and are nobody's fault.
    lab.advance(100_000);
    expect(bob.storeFailures.length).toBeLessThan(12);
    expect(codes(bob).concat(codes(ann!))).toEqual([]);
    store.isFull = false;
    say(bob, "saved");
    lab.advance(70_000);
    expect(lines(bob)).toEqual(lines(ann!));
    expect(lines(bob)).toHaveLength(2);
    expect(ann!.forks).toEqual([]);
  });

  /** Bob with a disk of the simulator, linked to Ann. What is synced by itself is synced when `pending` is called. */
  function onDisk(): { lab: Lab; ann: Device; bob: Device; store: SimDisk; pending: (() => void)[] } {
    const lab = new Lab();
    const [ann] = lab.mesh("ann");
    const pending: (() => void)[] = [];
    const store = new SimDisk((_ms, run) => pending.push(run));
    const bob = lab.device("bob", { store });
    must(ann!.core.admit(bob.core.self));
    lab.link(ann!, bob);
    lab.settle();
    return { lab, ann: ann!, bob, store, pending };
  }

  test("is synced before the author is told that an entry is held", () => {
    const { lab, ann, bob, store } = onDisk();
    const hash = say(ann, "hello");
    lab.deliver();
    expect(store.afterPowerCut(0).get(hash)).toBeUndefined();
    expect(lines(bob)).toEqual(["hello"]);
    lab.settle();
    expect(ann.core.holding(hash)).toEqual({ held: 2, of: 2 });
    expect(store.afterPowerCut(0).get(hash)).toBeDefined();
  });

  test("keeps own entries that are sent before they are synced from being forgotten unnoticed", () => {
    const { lab, ann, bob, store, pending } = onDisk();
    const first = say(bob, "synced, and with it that more may follow");
    const second = say(bob, "on its way before it is synced");
    lab.deliver();
    expect(lines(ann)).toHaveLength(2);
    const chain = store.note(chainNote);
    const lost = store.afterPowerCut(0);
    expect([lost.get(first), lost.get(second)]).toEqual([expect.anything(), undefined]);
    expect(lost.note(chainNote)).toBeUndefined();
    // A killed process has lost nothing, and goes on.
    expect([store.note(chainNote), store.get(second)]).toEqual([chain, expect.anything()]);

    lab.advance(logLimits.settleMs);
    for (const run of pending.splice(0)) run();
    const settled = store.afterPowerCut(0);
    expect([settled.note(chainNote), settled.get(second)]).toEqual([chain, expect.anything()]);

    say(bob, "the next one waits for a sync again");
    expect(store.afterPowerCut(0).note(chainNote)).toBeUndefined();
  });

  test("whose end a power cut took begins a new chain, and nobody forks", () => {
    const { lab, ann, bob, store } = onDisk();
    say(bob, "one");
    say(bob, "two");
    lab.deliver();
    lab.unlink(ann, bob);
    lab.now += 10;
    const again = lab.device("bob again", { signer: bob.signer, store: store.afterPowerCut(0) });
    say(again, "three");
    lab.link(ann, again);
    lab.settle();
    expect(lines(ann)).toEqual(["one", "two", "three"]);
    expect(lines(again)).toEqual(["one", "two", "three"]);
    expect(ann.core.member(again.core.self)?.forked).toBe(false);
  });

  test("that does not sync says nothing more of what it has", () => {
    const lab = new Lab();
    const [ann] = lab.mesh("ann");
    const store = new FailingStore();
    const bob = lab.device("bob", { store });
    must(ann!.core.admit(bob.core.self));
    lab.link(ann!, bob);
    lab.settle();
    store.cannotSync = true;
    const hash = say(ann!, "anybody there");
    lab.settle();
    lab.advance(100_000);
    expect(ann!.core.holding(hash)).toEqual({ held: 1, of: 2 });
    expect(bob.storeFailures).toEqual(["the disk does not sync"]);
    expect(bob.core.links()).toEqual([]);
  });

  test("that can no longer be read ends the core's part in the mesh and not the process", () => {
    const lab = new Lab();
    const [ann] = lab.mesh("ann");
    const store = new FailingStore();
    const bob = lab.device("bob", { store });
    must(ann!.core.admit(bob.core.self));
    lab.link(ann!, bob);
    lab.settle();
    store.isFull = true;
    store.isBroken = true;
    say(ann!, "nobody home");
    lab.settle();
    expect(bob.storeFailures).toEqual(["the disk is full", "the disk is gone"]);
    expect(bob.core.links()).toEqual([]);
    expect(bob.core.publish({ kind: "chat", room: "lobby", text: "x" })).toMatchObject({
      ok: false,
      code: "store-failed",
    });
  });
});
