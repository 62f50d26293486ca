/** Who belongs, who may do what, and that all peers come to the same answer. */
import { describe, expect, test } from "bun:test";
import { peerIdOf } from "../../src/identity/peer-id.ts";
import { toHex } from "../../src/mesh/core/bytes.ts";
import { encodeEntries } from "../../src/mesh/core/frames.ts";
import { entryKinds } from "../../src/mesh/core/entry.ts";
import { membershipLimits } from "../../src/protocol/limits.mesh.ts";
import { MeshSeals } from "../../src/mesh/core/secrets.ts";
import { simulatedSealer } from "./sim/crypto.ts";
import { codes, Lab, lines, must, say, type Device } from "./support.ts";

const secretOf = (device: Device) => toHex(device.core.secrets()[0]?.secret ?? new Uint8Array());
const roles = (device: Device) =>
  device.core.members().map(({ role, removedBy }) => (removedBy === undefined ? role : "removed"));

describe("a new mesh", () => {
  test("has a name, one member and a secret", () => {
    const lab = new Lab();
    const [ann] = lab.mesh("ann");
    expect(ann!.core.meshName()).toBe("a mesh");
    expect(roles(ann!)).toEqual(["founder"]);
    expect(ann!.core.secrets()).toHaveLength(1);
    expect(ann!.core.secrets()[0]!.secret).toHaveLength(32);
    expect(ann!.secrets).toEqual([secretOf(ann!)]);
  });

  test("is founded by the key its ID was made with, and once", () => {
    const lab = new Lab();
    const [ann] = lab.mesh("ann");
    expect(ann!.core.found("again", lab.nonce)).toMatchObject({ ok: false, code: "already-founded" });
    expect(lab.device("bob").core.found("mine", lab.nonce)).toMatchObject({
      ok: false,
      code: "not-authorised",
    });
  });

  test("takes a first contact while its log is empty, and nobody unknown afterwards", () => {
    const lab = new Lab();
    const [ann] = lab.mesh("ann");
    const bob = lab.device("bob");
    expect(bob.core.standing(ann!.core.self)).toBe("open");
    expect(ann!.core.standing(bob.core.self)).toBe("unknown");
    expect(ann!.core.linkUp(bob.core.self, () => true)).toMatchObject({ ok: false, code: "not-a-member" });
    expect(ann!.core.linkUp(ann!.core.self, () => true)).toMatchObject({ ok: false, code: "own-key" });
    must(ann!.core.admit(bob.core.self));
    expect(ann!.core.standing(bob.core.self)).toBe("member");
    expect(ann!.core.admit(bob.core.self)).toMatchObject({ ok: false, code: "already-member" });
  });
});

describe("a newcomer", () => {
  test("gets log, members and the secret by its admission alone", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    expect(bob!.core.meshName()).toBe("a mesh");
    expect(roles(bob!)).toEqual(["founder", "member"]);
    expect(secretOf(bob!)).toBe(secretOf(ann!));
    expect(bob!.secrets).toEqual([secretOf(ann!)]);
    expect(bob!.core.member(bob!.core.self)).toMatchObject({ admittedBy: ann!.core.self, presence: "self" });
  });

  test("may admit others", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    const cleo = lab.device("cleo");
    must(bob!.core.admit(cleo.core.self));
    lab.link(bob!, cleo);
    lab.link(ann!, bob!);
    lab.settle();
    say(cleo, "hello");
    lab.settle();
    expect(lines(ann!)).toEqual(["hello"]);
    expect(secretOf(cleo)).toBe(secretOf(ann!));
  });

  test("is refused when the mesh is full", () => {
    const lab = new Lab();
    const names = Array.from({ length: membershipLimits.members }, (_, i) => `m${i}`);
    const [ann] = lab.mesh(...names);
    expect(ann!.core.members()).toHaveLength(membershipLimits.members);
    expect(ann!.core.admit(lab.device("late").core.self)).toMatchObject({
      ok: false,
      code: "too-many-members",
    });
    // The largest removal there can be still fits one entry, and everybody else can open the new secret.
    must(ann!.core.remove(ann!.core.members()[7]!.peerId));
    must(ann!.core.admit(lab.device("late").core.self));
  });
});

describe("nicks and addresses", () => {
  test("are what the latest entry says, the same for all", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    lab.link(ann!, bob!);
    lab.settle();
    must(bob!.core.publish({ kind: "profile", nick: "Bobby" }));
    must(bob!.core.publish({ kind: "addresses", addresses: ["10.0.0.7:5002", "[fe80::1]:5002"] }));
    must(bob!.core.publish({ kind: "profile", nick: "Bob" }));
    lab.deliver();
    expect(ann!.core.member(bob!.core.self)).toMatchObject({
      nick: "Bob",
      nickShared: false,
      addresses: ["10.0.0.7:5002", "[fe80::1]:5002"],
    });
    must(bob!.core.publish({ kind: "addresses", addresses: [] }));
    lab.deliver();
    expect(ann!.core.member(bob!.core.self)?.addresses).toEqual([]);
  });

  test("that two members share are marked, whatever their case and width", () => {
    const lab = new Lab();
    const [ann, bob, cleo] = lab.mesh("ann", "bob", "cleo");
    must(ann!.core.publish({ kind: "profile", nick: "Sam" }));
    must(bob!.core.publish({ kind: "profile", nick: "ＳＡＭ" }));
    lab.link(ann!, bob!);
    lab.link(ann!, cleo!);
    lab.settle();
    expect(cleo!.core.members().map(({ nickShared }) => nickShared)).toEqual([true, true, false]);
    must(ann!.core.remove(bob!.core.self));
    lab.settle();
    // Who is there may have the name alone; what somebody removed wrote must not be taken for theirs.
    expect(cleo!.core.members().map(({ nickShared }) => nickShared)).toEqual([false, true, false]);
  });

  test("that nobody could use are refused, and shown as none when another program wrote them", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    expect(ann!.core.publish({ kind: "profile", nick: "two words" })).toMatchObject({ code: "bad-text" });
    const addresses = Array.from({ length: 17 }, (_, i) => `h:${i}`);
    expect(ann!.core.publish({ kind: "addresses", addresses })).toMatchObject({ code: "bad-text" });
    lab.link(ann!, bob!);
    lab.settle();
    const admission = ann!.core.order().at(-1)!;
    const odd = lab.forge(bob!.signer, {
      kind: entryKinds.profile,
      parents: [admission],
      room: "",
      body: Buffer.from('{"nick":"two words"}'),
    });
    ann!.core.receive(bob!.core.self, encodeEntries(0, [odd.bytes]));
    expect(ann!.core.order()).toContain(odd.hash);
    expect(ann!.core.member(bob!.core.self)?.nick).toBeUndefined();
  });
});

describe("removal", () => {
  test("sticks, ends the link, and gives those who stay a new secret", () => {
    const lab = new Lab();
    const [ann, bob, cleo] = lab.mesh("ann", "bob", "cleo");
    for (const other of [bob!, cleo!]) lab.link(ann!, other);
    lab.settle();
    const old = secretOf(ann!);
    must(ann!.core.remove(bob!.core.self));
    lab.deliver();
    expect(ann!.closed).toEqual([bob!.core.self]);
    expect(ann!.core.links()).toEqual([cleo!.core.self]);
    expect(secretOf(ann!)).not.toBe(old);
    expect(secretOf(cleo!)).toBe(secretOf(ann!));
    expect(cleo!.secrets).toEqual([old, secretOf(ann!)]);
    expect(cleo!.core.secrets().map(({ generation }) => generation)).toEqual([1, 0]);
    expect(secretOf(bob!)).toBe(old);
    expect(roles(cleo!)).toEqual(["founder", "removed", "member"]);
    for (const device of [ann!, cleo!]) {
      expect(device.core.standing(bob!.core.self)).toBe("removed");
      expect(device.core.linkUp(bob!.core.self, () => true)).toMatchObject({ code: "removed-member" });
      expect(device.core.admit(bob!.core.self)).toMatchObject({ ok: false, code: "removed-member" });
    }
    // Bob was told, and his own program stops.
    expect(bob!.core.standing(bob!.core.self)).toBe("removed");
    expect(bob!.core.publish({ kind: "chat", room: "lobby", text: "?" })).toMatchObject({
      code: "removed-member",
    });
    const again = lab.device("ann", { signer: ann!.signer, store: ann!.store });
    expect(again.core.standing(bob!.core.self)).toBe("removed");
    expect(secretOf(again)).toBe(secretOf(cleo!));
  });

  test("is for founder and admins; a member cannot, and nobody can remove the founder", () => {
    const lab = new Lab();
    const [ann, bob, cleo] = lab.mesh("ann", "bob", "cleo");
    for (const other of [bob!, cleo!]) lab.link(ann!, other);
    lab.settle();
    expect(bob!.core.remove(cleo!.core.self)).toMatchObject({ ok: false, code: "not-authorised" });
    expect(bob!.core.appoint(bob!.core.self)).toMatchObject({ ok: false, code: "not-authorised" });
    must(ann!.core.appoint(bob!.core.self));
    lab.deliver();
    expect(bob!.core.member(bob!.core.self)?.role).toBe("admin");
    expect(bob!.core.remove(ann!.core.self)).toMatchObject({ ok: false, code: "not-authorised" });
    must(bob!.core.remove(cleo!.core.self));
    lab.deliver();
    expect(roles(ann!)).toEqual(["founder", "admin", "removed"]);
    expect(ann!.core.remove(lab.device("stranger").core.self)).toMatchObject({ code: "not-a-member" });
  });

  test("by somebody who may not stands in the log and has no effect", () => {
    const lab = new Lab();
    const [ann, bob, cleo] = lab.mesh("ann", "bob", "cleo");
    for (const other of [bob!, cleo!]) lab.link(ann!, other);
    lab.settle();
    const admission = ann!.core.order()[1]!;
    const body = { member: toHex(cleo!.signer.publicKey), check: "0".repeat(64), secrets: {} };
    const coup = lab.forge(bob!.signer, {
      kind: entryKinds.remove,
      parents: [admission],
      room: "",
      body: Buffer.from(JSON.stringify(body)),
    });
    ann!.core.receive(bob!.core.self, encodeEntries(0, [coup.bytes]));
    lab.deliver();
    expect(cleo!.core.order()).toContain(coup.hash);
    expect(roles(cleo!)).toEqual(["founder", "member", "member"]);
    expect(secretOf(cleo!)).toBe(secretOf(ann!));
  });

  test("cannot be blocked by a member whose key is none", () => {
    const lab = new Lab();
    const [ann, bob] = lab.mesh("ann", "bob");
    const broken = peerIdOf(new Uint8Array(32).fill(0xff));
    expect(ann!.core.admit(broken)).toMatchObject({ ok: false, code: "bad-text" });
    const admit = lab.forge(bob!.signer, {
      kind: entryKinds.admit,
      parents: [ann!.core.order()[1]!],
      room: "",
      body: Buffer.from(JSON.stringify({ member: "ff".repeat(32) })),
    });
    lab.link(ann!, bob!);
    ann!.core.receive(bob!.core.self, encodeEntries(0, [admit.bytes]));
    expect(ann!.core.member(broken)?.role).toBe("member");
    lab.settle();
    must(ann!.core.remove(bob!.core.self));
    must(ann!.core.remove(broken));
    expect(roles(ann!)).toEqual(["founder", "removed", "removed"]);
  });

  test("of each other by two admins at once ends the same everywhere: the earlier counts", () => {
    const lab = new Lab();
    const [ann, bob, cleo, dan] = lab.mesh("ann", "bob", "cleo", "dan");
    for (const other of [bob!, cleo!]) {
      lab.link(ann!, other);
      must(ann!.core.appoint(other.core.self));
    }
    lab.settle();
    for (const other of [bob!, cleo!]) lab.unlink(ann!, other);
    must(bob!.core.remove(cleo!.core.self));
    lab.now += 10;
    must(cleo!.core.remove(bob!.core.self));
    lab.link(ann!, cleo!);
    lab.settle();
    expect(roles(ann!)).toEqual(["founder", "removed", "admin", "member"]);
    // Bob's earlier removal arrives by a detour through Dan, who had not heard of the later one.
    lab.link(bob!, dan!);
    lab.settle();
    expect(roles(dan!)).toEqual(["founder", "admin", "removed", "member"]);
    lab.link(dan!, ann!);
    lab.settle();
    expect(roles(ann!)).toEqual(roles(dan!));
    expect(roles(dan!)).toEqual(["founder", "admin", "removed", "member"]);
    expect(secretOf(dan!)).toBe(secretOf(ann!));
    expect(ann!.closed).toEqual([cleo!.core.self]);
  });

  test("does not undo what the removed wrote before they knew, and marks what came later", () => {
    const lab = new Lab();
    const [ann, bob, cleo] = lab.mesh("ann", "bob", "cleo");
    lab.link(bob!, cleo!);
    lab.settle();
    say(bob!, "before");
    lab.settle();
    must(ann!.core.remove(bob!.core.self));
    lab.now += 1_000;
    say(bob!, "after, unaware");
    lab.settle();
    say(cleo!, "answer");
    lab.link(ann!, cleo!);
    lab.settle();
    expect(lines(ann!)).toEqual(["before", "after, unaware", "answer"]);
    expect(lines(cleo!)).toEqual(lines(ann!));
    const marks = ann!.core.timeline({ room: "lobby" }, 9).map(({ afterRemoval }) => afterRemoval);
    expect(marks).toEqual([false, true, false]);
    expect(cleo!.closed).toEqual([bob!.core.self]);
  });

  test("takes with it those whom the removed admits afterwards, until somebody else admits them", () => {
    const lab = new Lab();
    const [ann, bob, cleo] = lab.mesh("ann", "bob", "cleo");
    lab.link(bob!, cleo!);
    lab.settle();
    must(ann!.core.remove(bob!.core.self));
    lab.now += 1_000;
    const dan = lab.device("dan");
    must(bob!.core.admit(dan.core.self));
    lab.deliver();
    lab.link(cleo!, dan);
    lab.settle();
    say(dan, "hello");
    lab.settle();
    lab.link(ann!, cleo!);
    lab.settle();
    expect(cleo!.closed).toEqual([bob!.core.self, dan.core.self]);
    expect(codes(cleo!)).toEqual(["removed-member", "not-a-member"]);
    expect(ann!.core.standing(dan.core.self)).toBe("unknown");
    expect(lines(ann!)).toEqual(["hello"]);
    must(cleo!.core.admit(dan.core.self));
    expect(cleo!.core.standing(dan.core.self)).toBe("member");
  });

  test("of somebody whose admission had no effect holds against admissions by those who have not heard of it", () => {
    const lab = new Lab();
    const [ann, bob, cleo, eve] = lab.mesh("ann", "bob", "cleo", "eve");
    must(ann!.core.appoint(cleo!.core.self));
    lab.link(ann!, cleo!);
    lab.settle();
    lab.unlink(ann!, cleo!);
    must(ann!.core.remove(bob!.core.self));
    lab.now += 1_000;
    const dan = lab.device("dan");
    must(bob!.core.admit(dan.core.self));
    lab.link(bob!, cleo!);
    lab.settle();
    must(cleo!.core.remove(dan.core.self));
    lab.now += 1_000;
    must(eve!.core.admit(dan.core.self));
    for (const other of [cleo!, eve!]) lab.link(ann!, other);
    lab.settle();
    for (const device of [ann!, cleo!, eve!]) {
      expect(device.core.standing(dan.core.self)).toBe("removed");
      expect(device.core.member(dan.core.self)).toBeUndefined();
    }
  });

  test("while somebody is being admitted elsewhere: the newcomer gets the new secret as well", () => {
    const lab = new Lab();
    const [ann, bob, cleo] = lab.mesh("ann", "bob", "cleo");
    const dan = lab.device("dan");
    must(ann!.core.remove(cleo!.core.self));
    must(bob!.core.admit(dan.core.self));
    lab.link(bob!, dan);
    lab.settle();
    expect(secretOf(dan)).toBe(secretOf(bob!));
    expect(secretOf(dan)).not.toBe(secretOf(ann!));
    lab.link(ann!, bob!);
    lab.settle();
    expect(secretOf(dan)).toBe(secretOf(ann!));
    expect(secretOf(bob!)).toBe(secretOf(ann!));
    const grants = lab.delivered.length;
    lab.advance(60_000);
    expect(lab.delivered.slice(grants).filter(({ frame }) => frame?.type === "entries")).toEqual([]);
  });

  test("hands on no false secret: one that does not fit the removal's own mark is not believed", () => {
    const lab = new Lab();
    const [ann, bob, cleo] = lab.mesh("ann", "bob", "cleo");
    for (const other of [bob!, cleo!]) lab.link(ann!, other);
    lab.settle();
    const [found, , forCleo] = ann!.core.order();
    // Sealed to bob as it should be: only the mark tells that it is another secret.
    const key = cleo!.signer.publicKey;
    const seals = new MeshSeals(lab.meshId, key, simulatedSealer(key));
    const seal = seals.sealSecret(bob!.signer.publicKey, new Uint8Array(32).fill(7));
    const fake = lab.forge(cleo!.signer, {
      kind: entryKinds.grant,
      parents: [forCleo!],
      room: "",
      body: Buffer.from(
        JSON.stringify({ member: toHex(bob!.signer.publicKey), rotation: found, secret: seal }),
      ),
    });
    ann!.core.receive(cleo!.core.self, encodeEntries(0, [fake.bytes]));
    lab.deliver();
    expect(bob!.core.order()).toContain(fake.hash);
    expect(secretOf(bob!)).toBe(secretOf(ann!));
    expect(codes(bob!)).toEqual([]);
  });
});
