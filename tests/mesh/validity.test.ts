/**
 * What one peer can do to another with frames and entries: each fault has its named reason, hurts nobody else, and is
 * there for `/why`. The attacker is a member whose software says whatever it likes.
 */
import { beforeEach, describe, expect, test } from "bun:test";
import { toHex } from "../../src/mesh/core/bytes.ts";
import {
  encodeEntry,
  entryKinds,
  hashOf,
  signingText,
  type Entry,
  type EntryContent,
} from "../../src/mesh/core/entry.ts";
import { encodeEntries, encodeHave, encodeLinks, encodeWant } from "../../src/mesh/core/frames.ts";
import { entryLimits, floodLimits, logLimits, syncLimits } from "../../src/protocol/limits.mesh.ts";
import { codes, Lab, lines, say, startMs, type Device } from "./support.ts";

let lab: Lab;
let ann: Device;
let cleo: Device;
/** A member whose device says whatever the test likes. */
let mal: Device;
/** The entry that admits `mal`, which its first entry must name. */
let admission: string;

beforeEach(() => {
  lab = new Lab();
  const devices = lab.mesh("ann", "cleo", "mal");
  [ann, cleo, mal] = devices as [Device, Device, Device];
  admission = ann.core.order().at(-1)!;
  lab.link(ann, cleo);
  lab.link(ann, mal);
  lab.settle();
  ann.faults.length = 0;
});

/** The first entry of a new chain by `mal`, with changes. */
function first(content: Partial<EntryContent> = {}): Entry {
  return lab.forge(mal.signer, { parents: [admission], ...content });
}

/** An entry by `mal` after another one, with changes. */
function after(previous: Entry, content: Partial<EntryContent> = {}): Entry {
  return lab.forge(mal.signer, {
    sequence: previous.sequence + 1,
    previous: previous.hash,
    clock: previous.clock + 1,
    ...content,
  });
}

function push(...entries: (Entry | Uint8Array)[]): void {
  const bytes = entries.map((entry) => (entry instanceof Uint8Array ? entry : entry.bytes));
  ann.core.receive(mal.core.self, encodeEntries(0, bytes));
  lab.deliver();
}

/** `mal` is shut out with this reason, and the others do not notice. */
function expectClosed(code: string): void {
  expect(codes(ann)).toEqual([code]);
  expect(ann.closed).toEqual([mal.core.self]);
  expect(ann.core.faults(mal.core.self)[0]?.code as string).toBe(code);
  expect(ann.core.links()).toEqual([cleo.core.self]);
  say(ann, "still here");
  lab.deliver();
  expect(lines(cleo).at(-1)).toBe("still here");
  expect(cleo.faults).toEqual([]);
}

describe("an entry is taken", () => {
  test("when everything fits, and passed on", () => {
    const one = first({ body: Buffer.from("fine") });
    push(one, after(one, { body: Buffer.from("too") }));
    expect(lines(cleo)).toEqual(["fine", "too"]);
    expect(ann.faults).toEqual([]);
  });

  test("when its kind is of a later version: it is kept and passed on, and shown to nobody", () => {
    const one = first({ kind: 200, room: "", body: Buffer.from([1, 2, 3]) });
    push(one);
    expect(cleo.core.order()).toContain(one.hash);
    expect(lines(cleo)).toEqual([]);
    expect(ann.faults).toEqual([]);
  });

  test("again and again without effect", () => {
    const one = first();
    push(one);
    push(one, one);
    push(one);
    expect(lines(ann)).toEqual(["forged"]);
    expect(ann.faults).toEqual([]);
  });

  test("in whatever order the entries come", () => {
    const one = first({ body: Buffer.from("1") });
    const two = after(one, { body: Buffer.from("2") });
    const three = after(two, { body: Buffer.from("3") });
    push(three);
    push(two);
    expect(lines(ann)).toEqual([]);
    push(one);
    expect(lines(ann)).toEqual(["1", "2", "3"]);
    expect(lines(cleo)).toEqual(["1", "2", "3"]);
    expect(ann.faults).toEqual([]);
  });
});

describe("an entry closes the link that brought it", () => {
  test("when its signature is not its author's", () => {
    const one = first();
    const bytes = Buffer.from(one.bytes);
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
    push(bytes);
    expectClosed("bad-signature");
  });

  test("when a member speaks as somebody else", () => {
    push(lab.forge(mal.signer, { author: toHex(cleo.signer.publicKey), parents: [admission] }));
    expectClosed("bad-signature");
  });

  test("when it was signed for another mesh", () => {
    const other = new Lab();
    const content = first();
    push(encodeEntry(Buffer.alloc(32, 7), content, (message) => mal.signer.sign(message)));
    expect(other.meshId).toEqual(lab.meshId);
    expectClosed("bad-signature");
  });

  test("when a byte of it was changed on the way", () => {
    const bytes = Buffer.from(first({ body: Buffer.from("pay 10") }).bytes);
    const at = bytes.indexOf("10");
    bytes.write("99", at);
    push(bytes);
    expectClosed("bad-signature");
  });

  test("when its number does not follow", () => {
    const one = first();
    push(one, after(one, { sequence: 5 }));
    expectClosed("bad-chain");
  });

  test("when it goes on with somebody else's chain", () => {
    say(cleo, "mine");
    lab.deliver();
    const theirs = ann.core.order().at(-1)!;
    push(lab.forge(mal.signer, { sequence: 2, previous: theirs, clock: (startMs + lab.now) * 1000 + 99 }));
    expect(codes(ann)).toEqual(["bad-chain"]);
    expect(ann.closed).toEqual([mal.core.self]);
  });

  test("when it claims to be older than what it builds on", () => {
    const one = first();
    push(one, after(one, { clock: one.clock }));
    expectClosed("clock-order");
  });

  test("when it claims to be older than a parent", () => {
    push(first({ clock: 1 }));
    expectClosed("clock-order");
  });

  test("when a chain does not name what admitted its author", () => {
    push(first({ parents: [] }));
    expectClosed("not-admitted");
  });

  test("when a stranger wrote it and names somebody else's admission", () => {
    push(lab.forge(lab.signer(), { parents: [admission] }));
    expectClosed("not-admitted");
  });

  test("when it founds the mesh a second time with another key", () => {
    const stranger = lab.signer();
    const body = { name: "mine", nonce: toHex(lab.nonce), check: "0".repeat(64), secret: "0".repeat(128) };
    push(lab.forge(stranger, { kind: entryKinds.found, room: "", body: Buffer.from(JSON.stringify(body)) }));
    expectClosed("not-admitted");
  });

  test.each([
    ["escapes in a text", { body: Buffer.from("\u001b]0;owned\u0007") }],
    ["an empty text", { body: Buffer.alloc(0) }],
    ["a text over 8 KiB", { body: Buffer.alloc(8193, "x") }],
    ["a text that is not UTF-8", { body: Buffer.from([0xff, 0xfe]) }],
    ["a text without a room", { room: "" }],
    ["a room with a profile", { kind: entryKinds.profile, body: Buffer.from('{"nick":"x"}') }],
    ["a nick that is no text", { kind: entryKinds.profile, room: "", body: Buffer.from('{"nick":7}') }],
    [
      "a nick with an escape",
      { kind: entryKinds.profile, room: "", body: Buffer.from('{"nick":"\\u001b[1m"}') },
    ],
    ["a profile that is not JSON", { kind: entryKinds.profile, room: "", body: Buffer.from("{") }],
    ["a direct message cut short", { kind: entryKinds.direct, room: "", body: Buffer.alloc(40) }],
    [
      "seventeen addresses",
      {
        kind: entryKinds.addresses,
        room: "",
        body: Buffer.from(JSON.stringify({ addresses: Array.from({ length: 17 }, () => "h:1") })),
      },
    ],
  ] satisfies [string, Partial<EntryContent>][])("with %s", (_what, content) => {
    push(first(content));
    expectClosed("bad-entry");
  });

  test("with an escape in the room's name", () => {
    const bytes = Buffer.from(first({ room: "ABCD" }).bytes);
    bytes.write("\u001b[2J", bytes.indexOf("ABCD"));
    bytes.set(mal.signer.sign(signingText(lab.meshId, hashOf(bytes))), bytes.length - 64);
    push(bytes);
    expectClosed("bad-entry");
  });

  test("when it is cut short, or has bytes left over", () => {
    const { bytes } = first();
    push(bytes.subarray(0, 100));
    expectClosed("bad-entry");
    lab.link(cleo, mal);
    cleo.core.receive(mal.core.self, encodeEntries(0, [Buffer.concat([bytes, Buffer.alloc(3)])]));
    expect(codes(cleo)).toEqual(["bad-entry"]);
  });
});

describe("an entry from the far future", () => {
  test("is held back with a reason and costs no link", () => {
    const clock = (startMs + lab.now + logLimits.clockAheadMs + 60_000) * 1000;
    push(first({ clock }));
    expect(codes(ann)).toEqual(["clock-ahead"]);
    expect(ann.closed).toEqual([]);
    expect(lines(ann)).toEqual([]);
  });

  test("cannot use up the clock, because a clock has its own largest value", () => {
    push(first({ clock: entryLimits.clockMost }));
    say(ann, "fine");
    expect(lines(ann)).toEqual(["fine"]);
  });
});

describe("entries that wait for others", () => {
  test("are bounded, and the flooding peer pushes out only its own", () => {
    const one = (device: Device, of: string) =>
      lab.forge(device.signer, { parents: [of], body: Buffer.from(`${device.name} 1`) });
    const two = (device: Device, { hash, clock }: Entry) =>
      lab.forge(device.signer, {
        sequence: 2,
        previous: hash,
        clock: clock + 1,
        body: Buffer.from(`${device.name} 2`),
      });
    const [, forCleo] = ann.core.order();
    const [cleo1, mal1] = [one(cleo, forCleo!), one(mal, admission)];
    ann.core.receive(cleo.core.self, encodeEntries(0, [two(cleo, cleo1).bytes]));
    ann.core.receive(mal.core.self, encodeEntries(0, [two(mal, mal1).bytes]));
    for (let i = 0; i < logLimits.waitingEntries; i += 1) {
      lab.now += 10;
      const orphan = lab.forge(mal.signer, {
        sequence: 2 + i,
        previous: "ab".repeat(32),
        chain: "00000000000000bb",
      });
      ann.core.receive(mal.core.self, encodeEntries(0, [orphan.bytes]));
    }
    expect(codes(ann)).toEqual([]);
    ann.core.receive(cleo.core.self, encodeEntries(0, [cleo1.bytes]));
    ann.core.receive(mal.core.self, encodeEntries(0, [mal1.bytes]));
    expect(lines(ann).sort()).toEqual(["cleo 1", "cleo 2", "mal 1"]);
  });
});

describe("a frame", () => {
  const receive = (frame: Uint8Array): void => ann.core.receive(mal.core.self, frame);

  test.each([
    ["empty", new Uint8Array()],
    ["a digest cut short", Uint8Array.of(0x10, 1, 2)],
    ["with a count that promises more than there is", Uint8Array.of(0x11, 1, 0xff, 0xff)],
    ["with too many tips", encodeHave(true, false, Array.from({ length: 2_049 }, tip))],
    ["with bytes left over", Buffer.concat([encodeLinks([]), Buffer.alloc(1)])],
    ["with flags that mean nothing", Uint8Array.of(0x11, 9, 0, 0)],
    ["that asks for page 0", encodeWant(0, [])],
    ["with a tip that has no number", encodeHave(true, false, [{ ...tip(), sequence: 0 }])],
    ["with too many links", encodeLinks(Array.from({ length: 101 }, () => "ab".repeat(32)))],
  ])("closes the link: %s", (_what, frame) => {
    receive(frame);
    expectClosed("bad-frame");
  });

  test("over its limit closes the link", () => {
    receive(new Uint8Array(syncLimits.frameBytes + 1));
    expectClosed("frame-too-large");
  });

  test("of an unknown type is passed over, so that versions can grow", () => {
    receive(Uint8Array.of(0x1f, 1, 2, 3));
    expect(codes(ann)).toEqual(["unknown-frame"]);
    expect(ann.closed).toEqual([]);
  });

  test("from nobody in particular is ignored", () => {
    ann.core.receive(lab.device("stranger").core.self, Uint8Array.of(0x11));
    expect(ann.faults).toEqual([]);
  });

  function tip() {
    return { author: "ab".repeat(32), chain: "00".repeat(8), sequence: 1, hash: "cd".repeat(32) };
  }
});

describe("a peer that lies about what it has", () => {
  test("about others' history is asked, found out, and not believed for a while", () => {
    const promise = encodeHave(
      true,
      false,
      Array.from({ length: 5 }, (_, i) => ({
        author: toHex(cleo.signer.publicKey),
        chain: "00000000000000cc",
        sequence: 10 + i,
        hash: String(i).repeat(64),
      })),
    );
    ann.core.receive(mal.core.self, promise);
    // Mal's real core answers each page, and has nothing.
    lab.advance(3 * syncLimits.pageMs);
    expect(codes(ann)).toEqual(["empty-promise"]);
    lab.delivered.length = 0;
    ann.core.receive(mal.core.self, promise);
    lab.advance(20_000);
    expect(lab.delivered.filter(({ from, frame }) => from === "ann" && frame?.type === "want")).toEqual([]);
    expect(ann.closed).toEqual([]);
  });

  test("about its links cuts nobody off, because both ends must say so", () => {
    lab.link(cleo, mal);
    lab.unlink(cleo, mal);
    ann.core.receive(mal.core.self, encodeLinks([toHex(ann.signer.publicKey), toHex(cleo.signer.publicKey)]));
    push(first({ body: Buffer.from("for all") }));
    expect(lines(cleo)).toEqual(["for all"]);
  });
});

describe("a flood", () => {
  test("of entries is cut down to its limit, costs nobody else anything, and is fetched later at our own pace", () => {
    let last = first();
    const all = [last];
    while (all.length < floodLimits.entriesBurst + 300) {
      last = after(last, { body: Buffer.from(String(all.length)) });
      all.push(last);
    }
    for (const entry of all) push(entry);
    const taken = lines(ann).length;
    expect(taken).toBeGreaterThanOrEqual(floodLimits.entriesBurst - 10);
    expect(taken).toBeLessThanOrEqual(floodLimits.entriesBurst);
    expect(codes(ann)).toContain("flood-frames");
    say(cleo, "hello?");
    lab.deliver();
    expect(lines(ann)).toContain("hello?");
    expect(ann.closed).toEqual([]);
  });

  test("of entries in few frames is dropped by its count of entries", () => {
    const chains = Array.from({ length: 10 }, (_, i) => {
      let last = first({ chain: `000000000000000${i}` });
      const all = [last];
      while (all.length < 250) all.push((last = after(last, { chain: last.chain })));
      return all;
    });
    for (const all of chains) push(...all);
    expect(codes(ann)).toEqual(["flood-entries", "flood-entries"]);
    expect(ann.core.faults(mal.core.self)).toMatchObject([{ code: "flood-entries", times: 2 }]);
  });

  test("of large frames is dropped by its bytes", () => {
    const tip = { author: "ab".repeat(32), chain: "00".repeat(8), sequence: 1, hash: "cd".repeat(32) };
    const large = encodeHave(
      false,
      false,
      Array.from({ length: logLimits.tipsMost }, () => tip),
    );
    for (let sent = 0; sent <= floodLimits.bytesBurst; sent += large.length)
      ann.core.receive(mal.core.self, large);
    expect(codes(ann)).toEqual(["flood-bytes"]);
  });

  test("of requests is not answered", () => {
    for (let i = 0; i < floodLimits.pagesBurst + 5; i += 1)
      ann.core.receive(mal.core.self, encodeWant(i + 1, []));
    expect(codes(ann)).toEqual(Array.from({ length: 5 }, () => "flood-pages"));
  });

  test("that does not stop ends with the link", () => {
    const noise = encodeLinks([]);
    for (let i = 0; i < floodLimits.framesBurst + floodLimits.droppedFramesMost + 1; i += 1)
      ann.core.receive(mal.core.self, noise);
    expect(codes(ann).at(-1)).toBe("flood");
    expect(ann.closed).toEqual([mal.core.self]);
  });

  test("of chains is refused past the limit, unless others built on them", () => {
    const chains = Array.from({ length: logLimits.tipsPerAuthor + 3 }, (_, i) =>
      first({ chain: i.toString(16).padStart(16, "0"), clock: (startMs + lab.now) * 1000 + i }),
    );
    for (const chain of chains) push(chain);
    expect(codes(ann)).toEqual(Array.from({ length: 3 }, () => "too-many-chains"));
    expect(ann.closed).toEqual([]);
    const refused = chains.at(-1)!;
    const onIt = lab.forge(cleo.signer, {
      parents: [admissionOf(cleo), refused.hash].sort(),
      clock: refused.clock + 1,
      body: Buffer.from("built on it"),
    });
    ann.core.receive(cleo.core.self, encodeEntries(0, [onIt.bytes]));
    push(refused);
    expect(lines(ann)).toContain("built on it");
  });

  function admissionOf(device: Device): string {
    // The founder's first entries: found, then one admission a device in the order of the call.
    const [, forCleo, forMal] = ann.core.order();
    return (device === cleo ? forCleo : forMal)!;
  }
});

describe("a fork", () => {
  test("is told once a branch, kept by all, and its author is marked", () => {
    const one = first({ body: Buffer.from("one") });
    push(
      one,
      after(one, { body: Buffer.from("left") }),
      after(one, { body: Buffer.from("right"), clock: one.clock + 9 }),
    );
    expect(ann.forks).toEqual([{ peerId: mal.core.self, self: false }]);
    expect(lines(ann)).toEqual(["one", "left", "right"]);
    expect(cleo.core.order()).toEqual(ann.core.order());
    expect(cleo.core.member(mal.core.self)?.forked).toBe(true);
  });

  test("at the very first entry is one too", () => {
    push(first({ body: Buffer.from("left") }), first({ body: Buffer.from("right") }));
    expect(ann.forks).toHaveLength(1);
    expect(lines(ann).sort()).toEqual(["left", "right"]);
  });

  test("of which two peers know one branch each comes together, however long the branches are", () => {
    lab.unlink(ann, cleo);
    let last = first({ body: Buffer.from("trunk") });
    const trunk = [last];
    for (let i = 0; i < 99; i += 1) trunk.push((last = after(last)));
    const branch = (name: string): Entry[] => {
      let tip = trunk[20]!;
      return Array.from({ length: 200 }, (_, i) => (tip = after(tip, { body: Buffer.from(`${name} ${i}`) })));
    };
    push(...trunk.slice(0, 21));
    for (const entry of trunk) cleo.core.receive(ann.core.self, encodeEntries(0, [entry.bytes]));
    lab.link(cleo, mal);
    for (const entry of [...trunk.slice(0, 21), ...branch("cleo's")])
      cleo.core.receive(mal.core.self, encodeEntries(0, [entry.bytes]));
    for (const entry of branch("ann's")) push(entry);
    lab.unlink(cleo, mal);
    lab.unlink(ann, mal);
    lab.link(ann, cleo);
    lab.advance(30_000);
    expect(ann.core.order()).toEqual(cleo.core.order());
    expect(lines(cleo).filter((line) => line.startsWith("ann's"))).toHaveLength(200);
    expect(lines(ann).filter((line) => line.startsWith("cleo's"))).toHaveLength(200);
    expect(codes(ann).concat(codes(cleo))).toEqual([]);
  });

  test("far back, and two of them, are found though a page shows nothing new at first", () => {
    lab.unlink(ann, cleo);
    lab.unlink(ann, mal);
    let last = first({ body: Buffer.from("trunk") });
    const trunk = [last];
    for (let i = 0; i < 2_000; i += 1) trunk.push((last = after(last)));
    const branch = (from: number): Entry[] => {
      let tip = trunk[from]!;
      return Array.from({ length: 600 }, (_, i) => (tip = after(tip, { body: Buffer.from(`${from} ${i}`) })));
    };
    const give = (device: Device, entries: readonly Entry[]): void => {
      device.core.linkUp(mal.core.self, () => true);
      for (const entry of entries) {
        lab.now += 5;
        device.core.receive(mal.core.self, encodeEntries(0, [entry.bytes]));
      }
      device.core.linkDown(mal.core.self);
    };
    give(ann, trunk);
    give(cleo, [...trunk.slice(0, 1_900), ...branch(350), ...branch(700)]);
    lab.link(ann, cleo);
    lab.advance(30_000);
    expect(ann.core.order()).toEqual(cleo.core.order());
    expect(lines(ann)).toHaveLength(2_001 + 1_200);
    expect(codes(ann).concat(codes(cleo))).toEqual([]);
  });
});
