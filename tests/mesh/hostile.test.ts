/** A member gone bad: whatever it claims, asks for or admits costs the others little, and cuts off nobody but itself. */
import { beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { toHex } from "../../src/mesh/core/bytes.ts";
import { entryKinds, hashOf, type Entry } from "../../src/mesh/core/entry.ts";
import {
  decodeFrame,
  encodeDigest,
  encodeEntries,
  encodeHave,
  encodeWant,
} from "../../src/mesh/core/frames.ts";
import { Graph } from "../../src/mesh/core/graph.ts";
import { Meter, PeerLink } from "../../src/mesh/core/link.ts";
import { Sync } from "../../src/mesh/core/sync.ts";
import { StoreError } from "../../src/mesh/core/store-error.ts";
import { MemoryStore } from "../../src/mesh/store/memory.ts";
import { floodLimits, logLimits, membershipLimits, syncLimits } from "../../src/protocol/limits.mesh.ts";
import { codes, Lab, lines, must, say, startMs, type Device } from "./support.ts";

let lab: Lab;
let ann: Device;
let bob: Device;
let mal: Device;

beforeEach(() => {
  lab = new Lab();
  [ann, bob, mal] = lab.mesh("ann", "bob", "mal") as [Device, Device, Device];
});

const hashed = (text: string) => createHash("sha256").update(text).digest("hex");

/** The entry that admits a device, as ann's log has it. */
function admissionOf(device: Device): string {
  const key = toHex(device.signer.publicKey);
  const found = ann.core
    .order()
    .find((hash) => Buffer.from(ann.store.get(hash)!.bytes).toString("latin1").includes(`"member":"${key}"`));
  return found!;
}

/** Entries of mal that admit as many keys, one after the other. */
function admitMany(count: number): { entries: Entry[]; signers: ReturnType<Lab["signer"]>[] } {
  const signers = Array.from({ length: count }, () => lab.signer());
  const entries: Entry[] = [];
  for (const [i, { publicKey }] of signers.entries()) {
    const before = entries.at(-1);
    entries.push(
      lab.forge(mal.signer, {
        kind: entryKinds.admit,
        room: "",
        body: Buffer.from(JSON.stringify({ member: toHex(publicKey) })),
        sequence: i + 1,
        clock: (startMs + lab.now) * 1000 + i,
        ...(before === undefined ? { parents: [admissionOf(mal)] } : { previous: before.hash }),
      }),
    );
  }
  return { entries, signers };
}

/** Gives entries to a device over its link with mal, within what a link may bring. */
function push(to: Device, entries: readonly Entry[]): void {
  for (let at = 0; at < entries.length; at += 200) {
    to.core.receive(
      mal.core.self,
      encodeEntries(
        0,
        entries.slice(at, at + 200).map(({ bytes }) => bytes),
      ),
    );
    lab.advance(500);
  }
}

describe("who admits more than a mesh may have", () => {
  test("can be removed all the same, and the others get the new secret", () => {
    lab.link(ann, mal);
    lab.link(ann, bob);
    push(ann, admitMany(120).entries);
    expect(ann.core.members()).toHaveLength(123);
    must(ann.core.remove(mal.core.self));
    const before = ann.core.order().length;
    lab.settle();
    expect(ann.core.standing(mal.core.self)).toBe("removed");
    expect(toHex(bob.core.secrets()[0]!.secret)).toBe(toHex(ann.core.secrets()[0]!.secret));
    expect(bob.core.secrets()).toHaveLength(2);
    // Who has not shown up yet is no reason to write on and on.
    expect(ann.core.order().length - before).toBeLessThan(membershipLimits.members);
  });

  test("is taken less of the more there is: each makes the others go through all of them", () => {
    lab.link(ann, bob);
    ann.core.linkUp(mal.core.self, () => true);
    const { entries } = admitMany(2_400);
    push(ann, entries.slice(0, 2_000));
    lab.now += 60_000;
    expect(ann.core.members()).toHaveLength(2_003);
    const before = ann.core.order().length;
    for (const { bytes } of entries.slice(2_000)) ann.core.receive(mal.core.self, encodeEntries(0, [bytes]));
    expect(ann.core.order().length - before).toBeLessThan(50);
    expect(codes(ann)).toContain("flood-entries");
    say(bob, "and bob");
    lab.deliver();
    expect(lines(ann)).toContain("and bob");
  });

  test("cuts nobody off by the many links of their keys", () => {
    lab.link(ann, mal);
    lab.link(ann, bob);
    const { entries, signers } = admitMany(300);
    push(ann, entries);
    lab.settle();
    for (const signer of signers) expect(ann.core.linkUp(signer.peerId, () => true).ok).toBe(true);
    lab.settle();
    expect(bob.closed).toEqual([]);
    say(ann, "still here");
    lab.deliver();
    expect(lines(bob)).toEqual(["still here"]);
  });
});

describe("who starts more chains than a log may have", () => {
  test("by sending what builds on them first, cuts nobody off, and the log still comes together", () => {
    const cleo = lab.device("cleo");
    must(ann.core.admit(cleo.core.self));
    lab.link(ann, bob);
    lab.settle();
    lab.unlink(ann, bob);
    lab.link(ann, mal);
    const chains = Array.from({ length: logLimits.tipsMost + 100 }, (_, i) => {
      const chain = i.toString(16).padStart(16, "0");
      const clock = (startMs + lab.now) * 1000 + i;
      const first = lab.forge(mal.signer, { chain, clock, parents: [admissionOf(mal)] });
      return [lab.forge(mal.signer, { chain, sequence: 2, previous: first.hash, clock: clock + 1 }), first];
    });
    push(ann, chains.flat());
    expect(ann.core.order().length).toBeGreaterThan(2 * logLimits.tipsMost);
    lab.unlink(ann, mal);
    say(ann, "after the flood");
    lab.link(ann, bob);
    lab.link(bob, cleo);
    lab.advance(3 * syncLimits.antiEntropyMs);
    expect([...ann.closed, ...bob.closed, ...cleo.closed]).toEqual([]);
    expect(cleo.core.order()).toEqual(ann.core.order());
    // Who comes now has a chain all the same, although there are too many.
    const dora = lab.device("dora");
    must(cleo.core.admit(dora.core.self));
    lab.link(cleo, dora);
    lab.advance(3 * syncLimits.antiEntropyMs);
    say(dora, "let me speak too");
    lab.settle();
    expect(lines(ann)).toContain("let me speak too");
  });
});

describe("who gives one more chain than may be to each of two", () => {
  test("does not make them disbelieve each other", () => {
    const chains = Array.from({ length: logLimits.tipsPerAuthor + 1 }, (_, i) =>
      lab.forge(mal.signer, {
        chain: i.toString(16).padStart(16, "0"),
        clock: (startMs + lab.now) * 1000 + i,
        parents: [admissionOf(mal)],
      }),
    );
    for (const [device, taken] of [
      [ann, chains.slice(1)],
      [bob, chains.slice(0, -1)],
    ] as const) {
      lab.link(device, mal);
      push(device, taken);
      lab.unlink(device, mal);
    }
    lab.link(ann, bob);
    lab.advance(3 * syncLimits.antiEntropyMs);
    expect([...codes(ann), ...codes(bob)]).not.toContain("empty-promise");
    lab.unlink(ann, bob);
    for (let i = 0; i < 5; i += 1) say(ann, `line ${i}`);
    lab.link(ann, bob);
    lab.settle();
    expect(lines(bob).filter((line) => line.startsWith("line"))).toHaveLength(5);
    expect(ann.closed.concat(bob.closed)).toEqual([]);
  });
});

describe("who asks for pages", () => {
  test("of two parts of one chain gets both, and not what lies between them and is known", () => {
    const pages: string[][] = [];
    ann.core.linkUp(mal.core.self, (bytes) => {
      const frame = decodeFrame(bytes);
      if (frame?.type === "entries" && frame.page !== 0)
        pages.push(frame.entries.map((entry) => hashOf(entry)));
      return true;
    });
    for (let i = 0; i < 10; i += 1) say(ann, `line ${i}`);
    const said = ann.core.order().slice(-10);
    const wishes = [
      { tip: said[9]!, locator: [said[7]!] },
      { tip: said[2]!, locator: [said[0]!] },
      { tip: said[3]!, locator: [said[1]!] },
    ];
    ann.core.receive(mal.core.self, encodeWant(1, wishes));
    expect(pages).toEqual([[1, 2, 3, 8, 9].map((index) => said[index]!)]);
  });

  test("of one chain a thousand times over in one request keeps nobody busy", () => {
    lab.link(ann, mal);
    for (let i = 0; i < 300; i += 1) say(ann, `line ${i}`);
    const tip = ann.core.order().at(-1)!;
    const wishes = Array.from({ length: logLimits.tipsMost }, () => ({ tip, locator: [] }));
    // What it costs us, and not what else the machine has to do.
    const before = process.cpuUsage();
    for (let page = 1; page <= 5; page += 1) ann.core.receive(mal.core.self, encodeWant(page, wishes));
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(500);
  });
});

describe("who claims to have what there is not", () => {
  test("and shows what is known, again and again with other claims, is not remembered for ever", () => {
    const graph = new Graph();
    const author = toHex(ann.signer.publicKey);
    const node = graph.add(lab.forge(ann.signer, {}), { previous: undefined, parents: [] });
    const link = new PeerLink(graph.author(toHex(mal.signer.publicKey)), () => true, new Meter(0));
    const sync = new Sync({
      links: new Map([[link.key, link]]),
      random: { unit: () => 0, bytes: (length) => new Uint8Array(length) },
      graph: () => graph,
      isWaiting: () => false,
      isMissed: () => false,
      bytesOf: () => undefined,
      now: () => startMs,
      monotonic: () => 0,
      fault() {},
      holdsMore() {},
    });
    for (let round = 0; round < 20; round += 1) {
      const tips = Array.from({ length: 100 }, (_, i) => {
        return { author, chain: node.segment.chain, sequence: 9, hash: hashed(`${round} ${i}`) };
      });
      sync.onHave(link, { type: "have", full: true, answer: false, tips });
      sync.onPage(link, [{ status: "known", node }]);
    }
    expect(link.onPath.size).toBeLessThanOrEqual(100);
  });
});

describe("who floods, is closed or leaves, and comes back at once", () => {
  const relink = () => {
    ann.core.linkDown(mal.core.self);
    ann.core.linkUp(mal.core.self, () => true);
  };
  const drops = (code: string) => codes(ann).filter((one) => one === code).length;

  test("has no more entries, frames, bytes and pages than who stays", () => {
    relink();
    const digest = encodeDigest(startMs, new Uint8Array(32));
    for (let i = 0; i < floodLimits.framesBurst + 1; i += 1) ann.core.receive(mal.core.self, digest);
    expect(drops("flood-frames")).toBe(1);
    relink();
    ann.core.receive(mal.core.self, digest);
    expect(drops("flood-frames")).toBe(2);
    lab.now += 60_000;
    relink();
    ann.core.receive(mal.core.self, digest);
    expect(drops("flood-frames")).toBe(2);
  });

  test("has a clock that is told of now and then, and not with every word it says", () => {
    relink();
    for (let i = 0; i < 200; i += 1) {
      if (i % 20 === 0) relink();
      ann.core.receive(
        mal.core.self,
        encodeDigest(startMs + (i % 2 === 0 ? 7 : -7) * 3_600_000, new Uint8Array(32)),
      );
    }
    expect(ann.skews).toHaveLength(1);
  });
});

describe("who writes with a clock as far ahead as it may be", () => {
  test("holds up those who build on it only by as much as clocks differ", () => {
    bob.setSkew(-4_000);
    lab.link(ann, mal);
    const clock = (startMs + lab.now + logLimits.clockAheadMs) * 1000;
    push(ann, [lab.forge(mal.signer, { clock, parents: [admissionOf(mal)] })]);
    say(ann, "on time");
    lab.link(ann, bob);
    lab.settle();
    expect(codes(bob)).toContain("clock-ahead");
    lab.advance(6_000);
    expect(lines(bob)).toContain("on time");
  });
});

describe("who answers as late as it may", () => {
  test("takes no more time from somebody who fetches the log than those who answer at once", () => {
    for (let i = 0; i < 300; i += 1) say(ann, `${i} ${"x".repeat(8_000)}`);
    let last: Entry | undefined;
    let count = 0;
    const late = (page: number): void => {
      count += 1;
      last = lab.forge(mal.signer, {
        sequence: count,
        clock: (startMs + lab.now) * 1000,
        ...(last === undefined ? { parents: [admissionOf(mal)] } : { previous: last.hash }),
      });
      bob.core.receive(mal.core.self, encodeEntries(page, [last.bytes]));
      claim();
    };
    const claim = (): void => {
      const tip = {
        author: toHex(mal.signer.publicKey),
        chain: "00000000000000aa",
        sequence: 9,
        hash: hashed(`${count}`),
      };
      bob.core.receive(mal.core.self, encodeHave(false, false, [tip]));
    };
    const asked: { page: number; at: number }[] = [];
    bob.core.linkUp(mal.core.self, (bytes) => {
      const frame = decodeFrame(bytes);
      if (frame?.type === "want") asked.push({ page: frame.page, at: lab.now });
      return true;
    });
    claim();
    lab.link(ann, bob);
    const began = lab.now;
    for (let left = true; left && lab.now - began < 300_000; left = lines(bob).length < 300) {
      lab.advance(50);
      const [first] = asked;
      if (first !== undefined && lab.now - first.at >= syncLimits.pageMs - 100) late(asked.shift()!.page);
    }
    expect(lab.now - began).toBeLessThan(4 * syncLimits.pageMs);
  });
});

describe("a disk that is full", () => {
  test("is not asked again with everything that comes, for each time the whole log is read", () => {
    class FullStore extends MemoryStore {
      isFull = false;
      reads = 0;
      override entries() {
        this.reads += 1;
        return super.entries();
      }
      override append(entries: Parameters<MemoryStore["append"]>[0]) {
        if (this.isFull) throw new StoreError("the disk is full");
        super.append(entries);
      }
    }
    const store = new FullStore();
    const cleo = lab.device("cleo", { store });
    must(ann.core.admit(cleo.core.self));
    lab.link(ann, cleo);
    lab.settle();
    store.isFull = true;
    store.reads = 0;
    say(ann, "said meanwhile");
    const entry = ann.store.get(ann.core.order().at(-1)!)!.bytes;
    for (let i = 0; i < 100; i += 1) cleo.core.receive(ann.core.self, encodeEntries(0, [entry]));
    expect(store.reads).toBeLessThan(3);
    expect(lines(cleo)).toEqual([]);
    store.isFull = false;
    lab.advance(3 * syncLimits.antiEntropyMs);
    expect(lines(cleo)).toEqual(["said meanwhile"]);
  });
});

describe("who forks again and again", () => {
  test("is told of now and then, and not each time", () => {
    lab.link(ann, mal);
    const base = lab.forge(mal.signer, { parents: [admissionOf(mal)] });
    const branches = Array.from({ length: 50 }, (_, i) =>
      lab.forge(mal.signer, {
        sequence: 2,
        previous: base.hash,
        clock: base.clock + 1,
        body: Buffer.from(`${i}`),
      }),
    );
    push(ann, [base, ...branches]);
    expect(lines(ann)).toHaveLength(51);
    expect(ann.forks.length).toBeGreaterThan(1);
    expect(ann.forks.length).toBeLessThan(8);
  });
});
