/** Writing the database back beside SQLite: by a descriptor that SQLite has, and without costing it its locks. */
import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { descriptorsOf, flush } from "../../src/backplane/keeper/checkpoint/flush.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "rtchat-checkpoint-")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Whether another process gets the write lock. */
function isFree(file: string): boolean {
  const script = `
    const { Database } = require("bun:sqlite");
    const db = new Database(${JSON.stringify(file)});
    db.run("PRAGMA busy_timeout = 0");
    try { db.run("BEGIN IMMEDIATE"); console.log("free"); } catch { console.log("taken"); }`;
  return Bun.spawnSync([process.execPath, "-e", script]).stdout.toString().trim() === "free";
}

describe.skipIf(process.platform !== "linux")("the database", () => {
  test("is written back while SQLite has it locked, and stays locked", () => {
    const file = join(folder, "a.sqlite");
    const db = new Database(file, { create: true });
    db.run("PRAGMA journal_mode = WAL");
    db.run("CREATE TABLE t (a)");
    db.run("BEGIN IMMEDIATE");
    const descriptors = descriptorsOf(file);
    expect(descriptors.length).toBeGreaterThan(0);
    expect(isFree(file)).toBe(false);
    expect(flush(file, descriptors)).toBe(true);
    expect(isFree(file)).toBe(false);
    db.run("COMMIT");
    expect(isFree(file)).toBe(true);
    db.close();
    expect(flush(file, descriptors)).toBe(false);
  });

  test("is found by another name", () => {
    const file = join(folder, "b.sqlite");
    const db = new Database(file, { create: true });
    db.run("CREATE TABLE t (a)");
    symlinkSync(folder, join(folder, "link"));
    expect(descriptorsOf(join(folder, "link", "b.sqlite"))).toEqual(descriptorsOf(file));
    expect(descriptorsOf(file).length).toBeGreaterThan(0);
    expect(descriptorsOf(join(folder, "none"))).toEqual([]);
    db.close();
  });
});
