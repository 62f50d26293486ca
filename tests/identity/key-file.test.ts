import { afterEach, beforeEach, expect, test } from "bun:test";
import { generateKeyPairSync, verify, createPublicKey } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCredentials, peerIdOfCertificate } from "../../src/identity/certificate.ts";
import { IdentityError, loadOrCreateIdentity, signWith } from "../../src/identity/key-file.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "rtchat-identity-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

test("the key is made once, for the owner only, and is the same ever after", () => {
  const first = loadOrCreateIdentity(join(directory, "new", "data"));
  expect(first.created).toBe(true);
  expect(statSync(first.path).mode & 0o777).toBe(0o600);
  expect(statSync(join(directory, "new", "data")).mode & 0o777).toBe(0o700);
  const second = loadOrCreateIdentity(join(directory, "new", "data"));
  expect(second.created).toBe(false);
  expect(second.peerId).toBe(first.peerId);
  expect(readdirSync(join(directory, "new", "data"))).toEqual(["identity.pem"]);
});

test("processes that start at the same moment end with one key", async () => {
  const module = join(import.meta.dir, "../../src/identity/key-file.ts");
  const script = `import { loadOrCreateIdentity } from ${JSON.stringify(module)};
    console.log(loadOrCreateIdentity(${JSON.stringify(directory)}).peerId);`;
  const racers = Array.from({ length: 6 }, () =>
    Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" }),
  );
  const ids = await Promise.all(racers.map((racer) => new Response(racer.stdout).text()));
  expect(new Set(ids).size).toBe(1);
  expect(ids[0]).toStartWith("rt1");
});

test("a key that others can read is refused, and told how to fix", () => {
  const { path } = loadOrCreateIdentity(directory);
  for (const mode of [0o640, 0o604, 0o666]) {
    chmodSync(path, mode);
    expect(() => loadOrCreateIdentity(directory)).toThrow(`mode 0${mode.toString(8)}, wanted 0600`);
  }
  chmodSync(path, 0o600);
  expect(loadOrCreateIdentity(directory).created).toBe(false);
});

test("a damaged key is refused and left as it is", () => {
  const { path } = loadOrCreateIdentity(directory);
  const whole = readFileSync(path, "utf8");
  for (const damaged of ["", "hello", whole.slice(0, 60), whole.replace("MC4C", "MC5C")]) {
    writeFileSync(path, damaged);
    expect(() => loadOrCreateIdentity(directory)).toThrow("is damaged: put a backup in its place");
    expect(readFileSync(path, "utf8")).toBe(damaged);
  }
});

test("a key of another kind, a directory in its place, and an impossible directory are named", () => {
  const path = join(directory, "identity.pem");
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  writeFileSync(path, rsa.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  expect(() => loadOrCreateIdentity(directory)).toThrow("holds a key of type rsa, wanted ed25519");
  rmSync(path);
  mkdirSync(path);
  expect(() => loadOrCreateIdentity(directory)).toThrow("is not a regular file");
  rmSync(path, { recursive: true });
  writeFileSync(join(directory, "file"), "");
  expect(() => loadOrCreateIdentity(join(directory, "file"))).toThrow(IdentityError);
});

test("a named pipe in its place is refused, where reading it would wait for ever", () => {
  expect(Bun.spawnSync(["mkfifo", "-m", "600", join(directory, "identity.pem")]).exitCode).toBe(0);
  const module = join(import.meta.dir, "../../src/identity/key-file.ts");
  const script = `import { loadOrCreateIdentity } from ${JSON.stringify(module)};
    try { loadOrCreateIdentity(${JSON.stringify(directory)}); } catch (error) { console.log(error.message); }`;
  // In a process of its own: one that waits in the system cannot be told to stop waiting.
  const { stdout } = Bun.spawnSync([process.execPath, "-e", script], { timeout: 20_000 });
  expect(stdout.toString()).toContain("is not a regular file: move it away");
});

test("signatures verify against the key in the ID", () => {
  const identity = loadOrCreateIdentity(directory);
  const message = new TextEncoder().encode("hello");
  const signature = signWith(identity, message);
  expect(signature).toHaveLength(64);
  expect(verify(null, message, createPublicKey(identity.privateKey), signature)).toBe(true);
});

test("the certificate carries exactly the identity's key", async () => {
  const identity = loadOrCreateIdentity(directory);
  const { cert, key } = await makeCredentials(identity);
  const der = Buffer.from(cert.split("\n").slice(1, -1).join(""), "base64");
  expect(peerIdOfCertificate(der)).toBe(identity.peerId);
  expect(key).toBe(readFileSync(identity.path, "utf8"));
  expect(peerIdOfCertificate(der.subarray(0, 100))).toBeUndefined();
  expect(peerIdOfCertificate(Buffer.from("GET / HTTP/1.1"))).toBeUndefined();
});
