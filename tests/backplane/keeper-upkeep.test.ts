/** What an operator reads of upkeep that fails again and again. */
import { beforeEach, describe, expect, test } from "bun:test";
import { Database, SQLiteError } from "bun:sqlite";
import { StoreProblem, TermLost } from "../../src/backplane/keeper/problem.ts";
import { Upkeep } from "../../src/backplane/keeper/upkeep.ts";

describe("upkeep of the log", () => {
  let said: string[] = [];
  let upkeep: Upkeep;
  const write =
    (level: string) =>
    (text: string, fields?: Record<string, unknown>): void =>
      void said.push(`${level} ${text} ${JSON.stringify(fields)}`);

  beforeEach(() => {
    said = [];
    upkeep = new Upkeep("/data/log.sqlite", {
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
    });
  });

  /** Fails as SQLite does when the file may not grow. */
  function full(): void {
    const db = new Database(":memory:");
    db.run("CREATE TABLE t (x)");
    db.run("PRAGMA max_page_count = 2");
    db.run("INSERT INTO t VALUES (zeroblob(100000))");
  }

  test("is said to fail once, however often it is tried, and once that it works again", () => {
    expect(full).toThrow(SQLiteError);
    for (let attempt = 0; attempt < 100; attempt += 1) upkeep.run("moving", full);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/^warn upkeep of the log failed .*"moving".*is full/);
    for (let attempt = 0; attempt < 100; attempt += 1) upkeep.run("moving", () => {});
    expect(said).toEqual([said[0]!, 'info upkeep of the log works again {"kind":"moving"}']);
  });

  test("is said again when it fails of something else, and of each kind by itself", () => {
    upkeep.run("moving", full);
    upkeep.run("retention", () => {});
    upkeep.run("retention", full);
    upkeep.run("moving", () => {
      throw new StoreProblem("failing", "the disk is on fire");
    });
    expect(said).toHaveLength(3);
    expect(said[2]).toContain("on fire");
  });

  test("says nothing of a lock that is soon free or of a lost term, which others notice", () => {
    upkeep.run("moving", () => {
      throw new StoreProblem("busy", "locked");
    });
    upkeep.run("moving", () => {
      throw new TermLost();
    });
    upkeep.run("moving", () => {});
    expect(said).toEqual([]);
  });
});
