/** Certificates in files that are renewed while a server runs. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TlsFiles, TlsFilesError } from "../../src/identity/tls-files.ts";
import type { Clock } from "../../src/protocol/clock.ts";
import { tlsLimits } from "../../src/protocol/limits.ts";
import type { Logger } from "../../src/protocol/logger.ts";
import { type Issued, newAuthority } from "../support/authority.ts";
import { ManualClock } from "../support/manual-clock.ts";

let directory: string;
let names: { cert: string; key: string };
let first: Issued;
let second: Issued;
let soon: Issued;
let ended: Issued;
const DAY_MS = 24 * 3_600_000;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "rtchat-tls-files-"));
  const authority = await newAuthority();
  first = await authority.issue(["localhost"], 60 * DAY_MS);
  second = await authority.issue(["localhost"], 90 * DAY_MS);
  soon = await authority.issue(["localhost"], 13 * DAY_MS);
  ended = await authority.issue(["localhost"], -1_000);
});
afterAll(() => rmSync(directory, { recursive: true }));

function put({ cert, key }: { cert?: string; key?: string }): void {
  if (cert !== undefined) writeFileSync(names.cert, cert);
  if (key !== undefined) writeFileSync(names.key, key);
}

let clock: ManualClock;
let today: number;
let said: string[];
let count = 0;
beforeEach(() => {
  count += 1;
  names = { cert: join(directory, `${count}.crt`), key: join(directory, `${count}.key`) };
  clock = new ManualClock();
  today = Date.now();
  said = [];
});

function open(): TlsFiles {
  const say = (message: string): void => void said.push(message);
  const log: Logger = { debug: say, info: say, warn: say, error: say };
  // Certificates end by the calendar.
  const calendar: Clock = {
    now: () => today,
    monotonic: () => clock.monotonic(),
    after: (ms, run) => clock.after(ms, run),
    every: (ms, run) => clock.every(ms, run),
  };
  return new TlsFiles(names, calendar, log);
}

function refusal(): string {
  try {
    open();
  } catch (error) {
    if (error instanceof TlsFilesError) return error.message;
    throw error;
  }
  throw new Error("it was taken");
}

test("a renewed pair serves from the next look on, and is looked for at most once a while", () => {
  put(first);
  const files = open();
  put(second);
  clock.advance(tlsLimits.lookMs - 1);
  expect(files.current.cert).toBe(first.cert);
  clock.advance(1);
  expect(files.current).toEqual({ cert: second.cert, key: second.key });
  expect(said).toEqual(["the certificate was read again"]);
  clock.advance(tlsLimits.lookMs);
  expect(files.current.cert).toBe(second.cert);
  expect(said).toHaveLength(1);
});

test("asking until when it is good is a look too, so that figures are right while nobody comes", () => {
  put(first);
  const files = open();
  const before = files.validity;
  put(second);
  expect(files.validity).toEqual(before);
  clock.advance(tlsLimits.lookMs);
  expect(Date.parse(files.validity.notAfter) - Date.parse(before.notAfter)).toBeGreaterThan(29 * DAY_MS);
});

test("one that nobody renews is told once when its end is near and once when it has ended", () => {
  put(soon);
  const files = open();
  const look = (): void => {
    clock.advance(tlsLimits.lookMs);
    void files.current;
  };
  for (let more = 0; more < 3; more += 1) look();
  expect(said).toEqual(["the certificate ends soon; renew it"]);
  today += 14 * DAY_MS;
  for (let more = 0; more < 3; more += 1) look();
  expect(said.slice(1)).toEqual(["the certificate has ended, clients refuse it; renew it"]);
  put(second);
  look();
  expect(said.slice(2)).toEqual(["the certificate was read again"]);
});

test("a renewal by one whose end is near too is told of that as well", () => {
  put(soon);
  const files = open();
  expect(said).toEqual(["the certificate ends soon; renew it"]);
  rmSync(names.cert);
  put(soon);
  clock.advance(tlsLimits.lookMs);
  void files.current;
  expect(said.slice(1)).toEqual(["the certificate was read again", "the certificate ends soon; renew it"]);
});

test("a pair that is wrong changes nothing and is said once; half-way through a renewal is such a pair", () => {
  put(first);
  const files = open();
  put({ cert: second.cert });
  for (let look = 0; look < 3; look += 1) {
    clock.advance(tlsLimits.lookMs);
    expect(files.current).toEqual({ cert: first.cert, key: first.key });
  }
  expect(said).toEqual([
    `the certificate stays as it was: ${names.key} is not the key of ${names.cert}; give the two files that were made together`,
  ]);
  put({ key: second.key });
  clock.advance(tlsLimits.lookMs);
  expect(files.current.key).toBe(second.key);
  rmSync(names.cert);
  clock.advance(tlsLimits.lookMs);
  expect(files.current.key).toBe(second.key);
  expect(said.at(-1)).toContain("there is no such file");
});

describe("what will not do is named:", () => {
  const encrypted = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "secret",
  });
  const cases: readonly (readonly [string, () => { cert?: string; key?: string }, RegExp])[] = [
    ["no certificate file", () => ({ key: first.key }), /cannot read .*crt: there is no such file/],
    ["no key file", () => ({ cert: first.cert }), /cannot read .*key: there is no such file/],
    ["text that is no certificate", () => ({ ...first, cert: "hello" }), /crt is not a certificate/],
    ["a certificate for a key", () => ({ ...first, key: first.cert }), /key is not a private key/],
    ["a key with a passphrase", () => ({ ...first, key: encrypted }), /unencrypted/],
    ["another's key", () => ({ ...first, key: second.key }), /is not the key of/],
    ["a certificate that has ended", () => ended, /ended on \d{4}-\d\d-\d\d; renew it/],
  ];
  for (const [what, files, message] of cases) {
    test(what, () => {
      put(files());
      expect(refusal()).toMatch(message);
    });
  }

  test("a folder", () => {
    put(first);
    rmSync(names.cert);
    mkdirSync(names.cert);
    expect(refusal()).toContain("it is a folder");
  });
});
