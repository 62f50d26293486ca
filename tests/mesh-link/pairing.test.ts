import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { isPeerId, peerIdOf } from "../../src/identity/peer-id.ts";
import {
  formatInvite,
  InviteError,
  looksLikeInvite,
  parseInvite,
  type Invite,
} from "../../src/mesh/pairing/invite.ts";
import { IssuedInvites } from "../../src/mesh/pairing/issued-invites.ts";
import { StateFileError } from "../../src/mesh/pairing/json-file.ts";
import { KnownPeers } from "../../src/mesh/pairing/known-peers.ts";
import { verificationWords } from "../../src/mesh/pairing/words.ts";
import { inviteLimits } from "../../src/protocol/limits.peer.ts";
import { Cleanup } from "./support.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const peer = (fill: number) => peerIdOf(new Uint8Array(32).fill(fill));
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const addresses = fc.uniqueArray(
  fc.record({
    host: fc.oneof(fc.ipV4(), fc.constantFrom("fd00::1", "2001:db8::5", "chat.example.org")),
    port: fc.integer({ min: 1, max: 65_535 }),
  }),
  { minLength: 1, maxLength: 8, selector: ({ host, port }) => `${host} ${port}` },
);
const invites: fc.Arbitrary<Invite> = fc.record({
  addresses,
  peerId: bytes(32).map(peerIdOf),
  meshId: bytes(32),
  token: bytes(16),
  expiresAt: fc.integer({ min: 0, max: 0xffff_ffff }).map((seconds) => seconds * 1000),
});

describe("an invite", () => {
  test("says the same after it was written down and read", () => {
    fc.assert(
      fc.property(invites, (invite) => {
        const text = formatInvite(invite);
        expect(parseInvite(text)).toEqual(invite);
        expect(parseInvite(` ${text.slice(0, 50)}\n  ${text.slice(50)} `)).toEqual(invite);
        expect(looksLikeInvite(text)).toBe(true);
        expect(text).toMatch(/^[\w:/.,[\]-]+$/); // Nothing that a mail program or a quoted shell word breaks.
      }),
    );
  });

  test("is refused when any character was changed, lost or added", () => {
    fc.assert(
      fc.property(invites, fc.nat(), fc.constantFrom("x", "7", "", "qq"), (invite, place, by) => {
        const text = formatInvite(invite);
        const at = "rtchat://".length + (place % (text.length - "rtchat://".length));
        const damaged = text.slice(0, at) + by + text.slice(at + 1);
        fc.pre(damaged.toLowerCase() !== text.toLowerCase());
        expect(() => parseInvite(damaged)).toThrow(InviteError);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["http://example.org", "is not a whole invite"],
    ["rtchat://1.2.3.4:5002", "is not a whole invite"],
    ["rtchat://1.2.3.4:5002/rt1x/AAAA", "of version 0"],
    ["rtchat://1.2.3.4:5002/rt1x/AQAA", "damaged or cut off"],
    ["\u001B[2J", '"\\u001b[2J" is not a whole invite'],
  ])("%j is refused", (text, problem) => {
    expect(() => parseInvite(text)).toThrow(problem);
  });
});

describe("issued invites", () => {
  const memory = () => {
    let kept: string | undefined;
    return { read: () => kept, write: (text: string) => void (kept = text) };
  };
  const token = (fill: number) => new Uint8Array(16).fill(fill);

  test("let one key in, that key again, and no other", () => {
    const issued = new IssuedInvites(memory());
    issued.issue(token(1), 1_000, 0);
    expect(issued.redeem(token(2), peer(1), 10)).toBe("invite-unknown");
    expect(issued.redeem(token(1), peer(1), 10)).toBe("ok");
    expect(issued.redeem(token(1), peer(1), 5_000)).toBe("ok");
    expect(issued.redeem(token(1), peer(2), 10)).toBe("invite-used");
  });

  test("run out, are remembered across a restart, and are forgotten later", () => {
    const notes = memory();
    new IssuedInvites(notes).issue(token(1), 1_000, 0);
    expect(new IssuedInvites(notes).redeem(token(1), peer(1), 1_000)).toBe("invite-expired");
    new IssuedInvites(notes).issue(token(2), 2_000, 1_000 + inviteLimits.rememberMs);
    expect(new IssuedInvites(notes).redeem(token(1), peer(1), 0)).toBe("invite-unknown");
    expect(notes.read()).not.toContain(Buffer.from(token(2)).toString("base64url"));
  });

  test("are unused when using them could not be written down", () => {
    const notes = memory();
    new IssuedInvites(notes).issue(token(1), 1_000, 0);
    const full = new IssuedInvites({
      read: () => notes.read(),
      write: () => {
        throw new Error("disk full");
      },
    });
    expect(() => full.redeem(token(1), peer(1), 0)).toThrow("disk full");
    expect(new IssuedInvites(notes).redeem(token(1), peer(2), 0)).toBe("ok");
  });

  test("a damaged note invites nobody", () => {
    expect(new IssuedInvites({ read: () => "{oops", write: () => {} }).redeem(token(1), peer(1), 0)).toBe(
      "invite-unknown",
    );
  });
});

describe("known peers", () => {
  test("remember keys, addresses and checks across a restart, for the owner only", () => {
    const path = join(cleanup.directory(), "known-peers.json");
    const known = new KnownPeers(path);
    const address = { host: "10.0.0.5", port: 5002 };
    known.meet(peer(1), "first-use", 100);
    known.meet(peer(1), "member", 200);
    known.pin(address, peer(1));
    known.pin(address, peer(2)); // The first one stays.
    known.verify(peer(1), 300);
    const again = new KnownPeers(path);
    expect(again.get(peer(1))).toEqual({
      peerId: peer(1),
      learned: "first-use",
      firstSeen: 100,
      verifiedAt: 300,
    });
    expect(again.pinOf(address)).toBe(peer(1));
    expect(again.forget(address)).toBe(true);
    expect(again.forget(address)).toBe(false);
    expect(new KnownPeers(path).pinOf(address)).toBeUndefined();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(path, ".."))).toEqual(["known-peers.json"]);
  });

  test("remember the key that a cluster vouched for under a name, until it is forgotten", () => {
    const path = join(cleanup.directory(), "known-peers.json");
    const known = new KnownPeers(path);
    for (const [cluster, name] of [
      ["c1", "bob"],
      ["__proto__", "constructor"],
    ] as const) {
      expect(known.vouchedFor(cluster, name)).toBeUndefined();
      known.vouch(cluster, name, peer(1), 5);
      known.vouch(cluster, name, peer(2), 6);
      expect(new KnownPeers(path).vouchedFor(cluster, name)).toBe(peer(1));
      expect(known.forgetName(cluster, name)).toBe(true);
      expect(known.forgetName(cluster, name)).toBe(false);
      expect(new KnownPeers(path).vouchedFor(cluster, name)).toBeUndefined();
    }
    expect(known.get(peer(1))).toMatchObject({ learned: "server", verifiedAt: undefined });
    expect(known.vouchedFor("c2", "bob")).toBeUndefined();
  });

  test("are not lost when two programs change the same file", () => {
    const path = join(cleanup.directory(), "known-peers.json");
    const [one, two] = [new KnownPeers(path), new KnownPeers(path)];
    one.vouch("c1", "bob", peer(1), 5);
    two.meet(peer(2), "invite", 6);
    one.verify(peer(1), 7);
    two.pin({ host: "192.0.2.1", port: 5 }, peer(2));
    two.verify(peer(2), 8);
    one.vouch("c1", "eve", peer(3), 9);
    const all = new KnownPeers(path);
    expect([peer(1), peer(2), peer(3)].map((id) => all.get(id)?.verifiedAt)).toEqual([7, 8, undefined]);
    expect(all.vouchedFor("c1", "bob")).toBe(peer(1));
    expect(all.pinOf({ host: "192.0.2.1", port: 5 })).toBe(peer(2));
  });

  test("are as they were when the disk takes only a part of them", () => {
    const path = join(cleanup.directory(), "known-peers.json");
    const known = new KnownPeers(path);
    for (let number = 1; number <= 20; number += 1) known.meet(peer(number), "invite", number);
    const before = readFileSync(path, "utf8");
    // A limit of the system stands for a disk that fills up: it takes the first bytes, and says no to the rest.
    const write = `
      import { writeJsonFile } from ${JSON.stringify(join(import.meta.dir, "../../src/mesh/pairing/json-file.ts"))};
      try { writeJsonFile(process.env.FILE, "x".repeat(100_000)); } catch (error) { console.log(error.name); }`;
    const child = Bun.spawnSync(
      ["/bin/sh", "-c", `trap "" XFSZ; ulimit -f 16; exec "$0" -e "$1"`, process.execPath, write],
      { env: { ...process.env, FILE: path } },
    );
    expect(child.stdout.toString()).toBe("StateFileError\n");
    expect(readFileSync(path, "utf8")).toBe(before);
    expect(new KnownPeers(path).get(peer(20))?.learned).toBe("invite");
  });

  test("refuse a damaged file and leave it as it is", () => {
    const path = join(cleanup.directory(), "known-peers.json");
    for (const damaged of [
      "",
      "{}",
      '{"version":2,"addresses":{},"peers":[]}',
      '{"version":1,"addresses":{"a":"rt1x"},"peers":[]}',
    ]) {
      writeFileSync(path, damaged);
      expect(() => new KnownPeers(path)).toThrow(StateFileError);
      expect(readFileSync(path, "utf8")).toBe(damaged);
    }
  });
});

describe("verification words", () => {
  const vector = z.object({ one: z.string(), other: z.string(), mesh: z.hex(), words: z.string() });
  const text = readFileSync(join(import.meta.dir, "../vectors/verification-words.jsonl"), "utf8");
  for (const line of text.trim().split("\n")) {
    const row = vector.parse(JSON.parse(line));
    test(row.words, () => {
      if (!isPeerId(row.one) || !isPeerId(row.other)) throw new Error("the vector has no peer IDs");
      const mesh = Buffer.from(row.mesh, "hex");
      expect(verificationWords(row.one, row.other, mesh).join(" ")).toBe(row.words);
      expect(verificationWords(row.other, row.one, mesh).join(" ")).toBe(row.words);
    });
  }

  test("differ for another key and for another mesh", () => {
    const mesh = new Uint8Array(32);
    const words = verificationWords(peer(1), peer(2), mesh);
    expect(words).toHaveLength(12);
    expect(verificationWords(peer(1), peer(3), mesh)).not.toEqual(words);
    expect(verificationWords(peer(1), peer(2), new Uint8Array(32).fill(1))).not.toEqual(words);
  });
});
