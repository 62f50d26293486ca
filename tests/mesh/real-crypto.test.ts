/** Cores with the keys, signatures, seals and files that people get. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadOrCreateIdentity, signWith, type Identity } from "../../src/identity/key-file.ts";
import type { MeshListener } from "../../src/mesh/core/api.ts";
import { MeshCore } from "../../src/mesh/core/core.ts";
import { newMesh } from "../../src/mesh/core/mesh-id.ts";
import { createSealer } from "../../src/mesh/core/seal.ts";
import { verifyEd25519 } from "../../src/mesh/core/verify.ts";
import { SqliteStore } from "../../src/mesh/store/sqlite.ts";

let folder: string;
const opened: SqliteStore[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rtchat-mesh-real-"));
});

afterEach(() => {
  for (const store of opened.splice(0)) store.close();
  rmSync(folder, { recursive: true, force: true });
});

const faults: string[] = [];
const listener: MeshListener = {
  inserted() {},
  membersChanged() {},
  topicChanged() {},
  holdingsChanged() {},
  secretChanged() {},
  forked: (peerId) => faults.push(`fork ${peerId}`),
  clockSkew() {},
  fault: ({ code }) => faults.push(code),
  storeFailed: (message) => faults.push(message),
};

function start(name: string, meshId: Uint8Array, identity: Identity): { core: MeshCore; store: SqliteStore } {
  const store = new SqliteStore(join(folder, name, "mesh.db"));
  opened.push(store);
  const { d } = identity.privateKey.export({ format: "jwk" });
  const core = new MeshCore({
    meshId,
    signer: { ...identity, sign: (message) => signWith(identity, message) },
    verify: verifyEd25519,
    sealer: createSealer(Buffer.from(d ?? "", "base64url"), randomBytes),
    store,
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    random: { unit: Math.random, bytes: randomBytes },
    listener,
  });
  return { core, store };
}

/** Links two cores and delivers until nothing is on its way. */
function join2(a: MeshCore, b: MeshCore): () => void {
  const frames: (() => void)[] = [];
  const send = (from: MeshCore, to: MeshCore) => (frame: Uint8Array) =>
    frames.push(() => to.receive(from.self, frame)) > 0;
  expect(a.linkUp(b.self, send(a, b)).ok).toBe(true);
  expect(b.linkUp(a.self, send(b, a)).ok).toBe(true);
  return () => {
    for (let next = frames.shift(); next !== undefined; next = frames.shift()) next();
  };
}

describe("a signature", () => {
  const key = () => loadOrCreateIdentity(join(folder, "key"));

  test("is its key's, or not", () => {
    const identity = key();
    const message = Buffer.from("message");
    const signature = signWith(identity, message);
    expect(verifyEd25519(identity.publicKey, message, signature)).toBe(true);
    expect(verifyEd25519(identity.publicKey, Buffer.from("massage"), signature)).toBe(false);
    expect(verifyEd25519(randomBytes(32), message, signature)).toBe(false);
    expect(verifyEd25519(identity.publicKey, message, randomBytes(64))).toBe(false);
  });

  test("by a key or of a form that is none is refused without a throw", () => {
    expect(verifyEd25519(new Uint8Array(32).fill(0xff), Buffer.from("x"), new Uint8Array(64))).toBe(false);
    expect(verifyEd25519(new Uint8Array(3), Buffer.from("x"), new Uint8Array(64))).toBe(false);
    expect(verifyEd25519(key().publicKey, Buffer.from("x"), new Uint8Array(5))).toBe(false);
  });
});

describe("two devices with real keys and files", () => {
  test("found, join, talk, write to each other in private, and are the same after a restart", () => {
    faults.length = 0;
    const annKey = loadOrCreateIdentity(join(folder, "ann"));
    const bobKey = loadOrCreateIdentity(join(folder, "bob"));
    const { meshId, nonce } = newMesh(annKey.peerId, randomBytes);
    const ann = start("ann", meshId, annKey);
    const bob = start("bob", meshId, bobKey);
    expect(ann.core.found("home", nonce).ok).toBe(true);
    expect(ann.core.admit(bobKey.peerId).ok).toBe(true);
    const deliver = join2(ann.core, bob.core);
    deliver();
    expect(bob.core.publish({ kind: "chat", room: "lobby", text: "hello 👋" }).ok).toBe(true);
    expect(ann.core.publish({ kind: "direct", to: bobKey.peerId, text: "between us" }).ok).toBe(true);
    deliver();
    expect(ann.core.secrets()[0]?.secret).toEqual(bob.core.secrets()[0]?.secret ?? new Uint8Array());
    const order = ann.core.order();
    expect(bob.core.order()).toEqual(order);
    for (const { store } of [ann, bob]) store.close();

    const again = [start("ann", meshId, annKey), start("bob", meshId, bobKey)] as const;
    for (const { core } of again) {
      const other = core.self === annKey.peerId ? bobKey.peerId : annKey.peerId;
      expect(core.order()).toEqual(order);
      expect(core.meshName()).toBe("home");
      expect(core.timeline({ room: "lobby" }, 9).map(({ text }) => text)).toEqual(["hello 👋"]);
      expect(core.timeline({ direct: other }, 9).map(({ text }) => text)).toEqual(["between us"]);
    }
    for (const { store } of again)
      for (const { bytes } of store.entries()) expect(Buffer.from(bytes).includes("between us")).toBe(false);
    expect(again[1].core.publish({ kind: "chat", room: "lobby", text: "still here" }).ok).toBe(true);
    expect(faults).toEqual([]);
  });

  test("refuse a file in which a byte was changed, and say what to do", () => {
    const key = loadOrCreateIdentity(join(folder, "ann"));
    const { meshId, nonce } = newMesh(key.peerId, randomBytes);
    const { core, store } = start("ann", meshId, key);
    core.found("home", nonce);
    const [entry] = store.entries();
    const bytes = Buffer.from(entry!.bytes);
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
    store.append([{ ...entry!, hash: "ab".repeat(32), bytes }]);
    store.close();
    expect(() => start("ann", meshId, key)).toThrow("the log is damaged at entry abababababab");
  });
});
