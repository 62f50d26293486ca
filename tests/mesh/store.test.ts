/** One suite for every form of the store, and what only the file can do. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { hash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { MeshStore, StoredEntry } from "../../src/mesh/core/api.ts";
import { chainNote } from "../../src/mesh/core/own-chain.ts";
import { StoreError } from "../../src/mesh/core/store-error.ts";
import { readTail, Tail } from "../../src/mesh/store/tail.ts";
import { machineRun } from "../../src/mesh/store/machine-run.ts";
import { MemoryStore } from "../../src/mesh/store/memory.ts";
import { SqliteStore, tailSuffix, type StoreSystem } from "../../src/mesh/store/sqlite.ts";

let folder: string;
const opened: MeshStore[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rtchat-mesh-store-"));
});

afterEach(() => {
  for (const store of opened.splice(0)) store.close();
  rmSync(folder, { recursive: true, force: true });
});

const file = (): string => join(folder, "deep", "mesh.db");

function sqlite(system?: Partial<StoreSystem>): SqliteStore {
  const store = new SqliteStore(file(), system);
  opened.push(store);
  return store;
}

function entry(i: number): StoredEntry {
  const bytes = Buffer.from(`entry ${i}`);
  return { hash: hash("sha256", bytes, "hex"), bytes, receivedAt: 1_700_000_000_000 + i };
}

const entries = (from: number, to: number): StoredEntry[] =>
  Array.from({ length: to - from }, (_, i) => entry(from + i));

function texts(store: MeshStore): string[] {
  return [...store.entries()].map(({ bytes }) => Buffer.from(bytes).toString());
}

describe.each([
  ["memory", () => new MemoryStore()],
  ["SQLite", () => sqlite()],
] as const)("a store in %s", (_name, make) => {
  test("gives back what was appended, in the order of appending", () => {
    const store = make();
    store.append([entry(3), entry(1)]);
    store.append([]);
    store.append([entry(2)]);
    expect(texts(store)).toEqual(["entry 3", "entry 1", "entry 2"]);
    const [first] = store.entries();
    expect(first?.hash).toBe(entry(3).hash);
    expect(first?.receivedAt).toBe(entry(3).receivedAt);
  });

  test("finds one entry by its hash", () => {
    const store = make();
    store.append(entries(0, 5));
    expect(Buffer.from(store.get(entry(4).hash)!.bytes).toString()).toBe("entry 4");
    expect(store.get(entry(4).hash)?.receivedAt).toBe(1_700_000_000_004);
    expect(store.get(entry(5).hash)).toBeUndefined();
  });

  test("passes over what it has, and keeps the first time", () => {
    const store = make();
    store.append([entry(1)]);
    store.append([{ ...entry(1), receivedAt: 9 }, entry(2), entry(2)]);
    expect(texts(store)).toEqual(["entry 1", "entry 2"]);
    expect(store.get(entry(1).hash)?.receivedAt).toBe(1_700_000_000_001);
  });

  test("keeps notes, replaces and deletes them", () => {
    const store = make();
    expect(store.note("chain")).toBeUndefined();
    store.setNote("chain", "aa");
    store.setNote("other", "Zürich 👋");
    store.setNote("chain", "bb");
    expect(store.note("chain")).toBe("bb");
    store.setNote("chain", undefined);
    store.setNote("never there", undefined);
    expect(store.note("chain")).toBeUndefined();
    expect(store.note("other")).toBe("Zürich 👋");
  });

  test("can be appended to while it is being read", () => {
    const store = make();
    store.append(entries(0, 3));
    const seen: string[] = [];
    for (const { bytes } of store.entries()) {
      seen.push(Buffer.from(bytes).toString());
      if (seen.length === 1) store.append([entry(9)]);
    }
    expect(seen.slice(0, 3)).toEqual(["entry 0", "entry 1", "entry 2"]);
    expect(texts(store)).toHaveLength(4);
  });
});

describe("a store in a file", () => {
  test("is there again after closing, in a folder and a file that only the owner can read", () => {
    const store = sqlite();
    store.append(entries(0, 100));
    store.setNote("chain", "cc");
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "deep")).mode & 0o777).toBe(0o700);
    store.close();
    const again = sqlite();
    expect(texts(again)).toHaveLength(100);
    expect(again.note("chain")).toBe("cc");
  });

  test("closes a file that had been left open to others", () => {
    sqlite().close();
    chmodSync(file(), 0o644);
    sqlite();
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  test("cannot be opened twice, and says what to do", () => {
    sqlite().append(entries(0, 1));
    expect(() => new SqliteStore(file())).toThrow("another rtchat uses it");
    expect(() => new SqliteStore(file())).toThrow(StoreError);
  });

  test("is refused when it is damaged, is something else, or of another version", () => {
    sqlite().close();
    const path = file();
    writeFileSync(path, "this is not a database, and long enough to be looked at as one".repeat(20));
    expect(() => new SqliteStore(path)).toThrow("the file is damaged; move it away");
    rmSync(path);
    const foreign = new Database(path);
    foreign.run("CREATE TABLE theirs (x)");
    foreign.close();
    expect(() => new SqliteStore(path)).toThrow("is a database of something else");
    rmSync(path);
    sqlite().close();
    const later = new Database(path);
    later.run("PRAGMA user_version = 99");
    later.close();
    expect(() => new SqliteStore(path)).toThrow("another version of rtchat");
  });

  test("stores all of an append or nothing", () => {
    const store = sqlite();
    store.append(entries(0, 2));
    const broken = { ...entry(4), bytes: null as unknown };
    expect(() => store.append([entry(3), broken as StoredEntry])).toThrow(StoreError);
    expect(texts(store)).toEqual(["entry 0", "entry 1"]);
    store.append([entry(5)]);
    expect(texts(store)).toHaveLength(3);
  });

  test("syncs what was appended without", () => {
    const store = sqlite();
    store.append(entries(0, 3), "lax");
    store.flush();
    store.flush();
    store.append(entries(3, 6), "lax");
    store.syncSoon();
    store.flush();
    expect(texts(store)).toHaveLength(6);
  });

  test("runs one sync at a time, and one more for what came meanwhile", () => {
    const running: ((error: Error | null) => void)[] = [];
    const store = sqlite({ sync: (_descriptor, done) => running.push(done) });
    store.syncSoon(); // What an earlier process may have left.
    store.append([entry(0)], "ahead"); // Synced, with the note.
    expect(running).toHaveLength(1);
    store.append([entry(1)], "ahead");
    store.syncSoon();
    store.append([entry(2)], "ahead");
    store.syncSoon();
    expect(running).toHaveLength(1);
    running[0]?.(null);
    expect(running).toHaveLength(2);
    running[1]?.(null);
    store.syncSoon();
    expect(running).toHaveLength(2);
  });

  test("says once and for all when a sync failed, and does not trust the file afterwards", () => {
    const store = sqlite({ sync: (_descriptor, done) => done(new Error("input/output error")) });
    store.setNote(chainNote, "aa");
    store.append([entry(0)], "ahead");
    store.append([entry(1)], "ahead");
    store.syncSoon();
    for (const write of [
      () => store.append([entry(2)]),
      () => store.flush(),
      () => store.setNote("a", "b"),
    ]) {
      expect(write).toThrow(StoreError);
      expect(write).toThrow("input/output error");
    }
    store.close();
    const again = sqlite();
    expect(again.note(chainNote)).toBeUndefined();
    expect(texts(again)).toEqual(["entry 0", "entry 1"]);
  });

  test("promises nothing while what it took cannot be moved into the log, and takes no more", () => {
    const store = sqlite({ machineRun: () => "first" });
    store.append([{ ...entry(1), receivedAt: 1.5 }], "lax");
    store.syncSoon();
    expect(store.flush()).toBe(false);
    expect(() => store.append([entry(2)], "lax")).toThrow(StoreError);
    expect(texts(store)).toEqual(["entry 1"]);
    expect(store.get(entry(1).hash)).toBeDefined();
  });

  test("moves a page, and what no longer fits beside the log, into the log", () => {
    const store = sqlite({ machineRun: () => "first" });
    const large = (i: number): StoredEntry => ({ ...entry(i), bytes: new Uint8Array(15_000).fill(i) });
    store.append(
      Array.from({ length: 20 }, (_, i) => large(i)),
      "lax",
    );
    for (let i = 20; i < 60; i += 1) store.append([large(i)], "lax");
    const bytes = [...store.entries()].map((stored) => stored.bytes[0]);
    expect(bytes).toEqual(Array.from({ length: 60 }, (_, i) => i));
    store.close();
    expect(existsSync(`${file()}${tailSuffix}`)).toBe(false);
    expect([...sqlite().entries()]).toHaveLength(60);
  });

  describe("when entries went ahead of the disk", () => {
    const cut = (): string => join(folder, "cut", "mesh.db");

    /** A copy of the file as it is now; `lost`: bytes that the end of the write-ahead log has not. */
    function powerCut(lost = 0): void {
      mkdirSync(dirname(cut()), { recursive: true });
      copyFileSync(file(), cut());
      copyFileSync(`${file()}-wal`, `${cut()}-wal`);
      if (existsSync(`${file()}${tailSuffix}`))
        copyFileSync(`${file()}${tailSuffix}`, `${cut()}${tailSuffix}`);
      truncateSync(`${cut()}-wal`, statSync(`${file()}-wal`).size - lost);
    }

    /** Opens the copy in this run of the machine. */
    function afterwards(run: string | undefined): SqliteStore {
      const store = new SqliteStore(cut(), { machineRun: () => run });
      opened.push(store);
      return store;
    }

    function begun(run: string | undefined): SqliteStore {
      const store = sqlite({ machineRun: () => run, sync: () => {} });
      store.setNote(chainNote, "aa");
      store.append([entry(0)], "ahead");
      return store;
    }

    test("it knows after a power cut, although the last ones are gone", () => {
      const store = begun("first");
      powerCut();
      store.append([entry(1)], "ahead");
      const later = afterwards("second");
      expect(texts(later)).toEqual(["entry 0"]);
      expect(later.note(chainNote)).toBeUndefined();
    });

    test("it knows from whatever the power cut left of its write-ahead log", () => {
      const store = begun("first");
      const synced = statSync(`${file()}-wal`).size;
      store.append([entry(1)], "ahead");
      store.append([entry(2)], "ahead");
      store.settle();
      const written = statSync(`${file()}-wal`).size;
      for (let lost = 0; lost <= written - synced; lost += 500) {
        powerCut(lost);
        const later = afterwards("second");
        const isWhole = texts(later).length === 3;
        // Deleted means that all is there; all being there need not have been noted yet.
        if (later.note(chainNote) === "aa") expect([isWhole, lost]).toEqual([true, 0]);
        else expect(lost).toBeGreaterThan(0);
        later.close();
      }
    });

    test("it goes on after its process was killed", () => {
      const store = begun("first");
      store.append([entry(1)], "ahead");
      powerCut();
      const later = afterwards("first");
      expect([texts(later).length, later.note(chainNote)]).toEqual([2, "aa"]);
      // And still knows that they may not be synced.
      later.append([entry(2)], "ahead");
      later.close();
      expect(afterwards("second").note(chainNote)).toBe("aa");
    });

    test("it has no doubt once it was settled or closed", () => {
      const store = begun("first");
      store.settle();
      powerCut();
      expect(afterwards("second").note(chainNote)).toBe("aa");
      store.append([entry(1)], "ahead");
      store.close();
      expect(sqlite({ machineRun: () => "second" }).note(chainNote)).toBe("aa");
    });

    test("it lets none go ahead where the run of the machine has no name", () => {
      begun(undefined).append([entry(1)], "ahead");
      powerCut();
      const later = afterwards(undefined);
      expect([texts(later).length, later.note(chainNote)]).toEqual([2, "aa"]);
    });

    test("and it is opened where the run has no name, it plays safe", () => {
      begun("first");
      powerCut();
      expect(afterwards(undefined).note(chainNote)).toBeUndefined();
    });
  });

  test("has lost nothing it had promised when its process is killed", async () => {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "store-child.ts"), file()], {
      stdout: "pipe",
      stderr: "inherit",
    });
    // Each line of the child names an append that has returned.
    let promised = 0;
    let rest = "";
    for await (const chunk of child.stdout) {
      rest += Buffer.from(chunk).toString();
      promised = rest.split("\n").length - 1;
      if (promised >= 50) child.kill("SIGKILL");
    }
    await child.exited;
    const found = texts(sqlite());
    expect(promised).toBeGreaterThanOrEqual(50);
    expect(found.length).toBeGreaterThanOrEqual(promised * 3);
    expect(found.length % 3).toBe(0);
    expect(found).toEqual(entries(0, found.length).map(({ bytes }) => Buffer.from(bytes).toString()));
  });
});

describe("a tail", () => {
  const path = (): string => join(folder, "tail");
  const tag = "0123456789abcdef";

  function written(): Buffer {
    const tail = new Tail(path(), tag);
    expect(tail.append(entries(0, 2))).toBe(true);
    expect(tail.append([])).toBe(true);
    expect(tail.append(entries(2, 3))).toBe(true);
    tail.close(false);
    return readFileSync(path());
  }

  test("gives back what was appended, but not to another log", () => {
    written();
    expect(readTail(path(), tag)).toEqual(entries(0, 3));
    expect(readTail(path(), "fedcba9876543210")).toEqual([]);
    expect(readTail(join(folder, "none"), tag)).toEqual([]);
  });

  test("gives back whole appends only, wherever it was cut or spoiled", () => {
    const whole = written();
    const counts = new Set<number>();
    for (let at = 0; at < 400; at += 1) {
      for (const spoiled of [whole.subarray(0, at), Buffer.from(whole).fill(whole[at]! ^ 1, at, at + 1)]) {
        writeFileSync(path(), spoiled);
        const found = readTail(path(), tag);
        expect(found).toEqual(entries(0, found.length));
        counts.add(found.length);
      }
    }
    expect(counts).toEqual(new Set([0, 2, 3]));
  });

  test("is written over once it was moved", () => {
    const tail = new Tail(path(), tag);
    tail.append(entries(0, 3));
    tail.clear();
    tail.append(entries(3, 4));
    // What is behind belongs to what was moved.
    expect(readTail(path(), tag)[0]).toEqual(entry(3));
    tail.close(true);
    expect(readTail(path(), tag)).toEqual([]);
  });

  test("takes what there is room for", () => {
    const tail = new Tail(path(), tag);
    const large = { ...entry(0), bytes: new Uint8Array(60_000) };
    expect([1, 2, 3].map(() => tail.append([large]))).toEqual([true, true, false]);
    tail.clear();
    expect(tail.append([large])).toBe(true);
    tail.close(true);
  });
});

test.skipIf(process.platform !== "linux")("the run of the machine has one name, whoever asks", async () => {
  const name = machineRun(folder);
  expect(name).toMatch(/^[0-9a-f-]{36} \d+ \d*$/);
  const path = join(import.meta.dir, "../../src/mesh/store/machine-run.ts");
  const script = `console.log((await import(${JSON.stringify(path)})).machineRun(${JSON.stringify(folder)}))`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  expect((await child.stdout.text()).trim()).toBe(name!);
});
