/** The cluster's secret: one for all who share a folder, refused when it is odd. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  clusterSecretFile,
  ClusterSecretError,
  loadClusterSecret,
} from "../../src/identity/cluster-secret.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rtchat-secret-"));
  path = join(folder, "data", clusterSecretFile);
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("the cluster secret", () => {
  test("is made once, with 32 bytes that only its owner can read", () => {
    const made = loadClusterSecret(path, true);
    expect(made.length).toBe(32);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(loadClusterSecret(path, true)).toEqual(made);
  });

  test("is the same for many processes that start at once", async () => {
    const module = join(import.meta.dir, "../../src/identity/cluster-secret.ts");
    const script = `const { loadClusterSecret } = await import(${JSON.stringify(module)});
      console.log(Buffer.from(loadClusterSecret(${JSON.stringify(path)}, true)).toString("hex"));`;
    const runs = Array.from({ length: 4 }, () =>
      Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" }),
    );
    const secrets = await Promise.all(runs.map((run) => new Response(run.stdout).text()));
    expect(secrets[0]).toMatch(/^[0-9a-f]{64}\n$/);
    expect(new Set(secrets).size).toBe(1);
  });

  test("is refused when others can read it", () => {
    loadClusterSecret(path, true);
    chmodSync(path, 0o644);
    expect(() => loadClusterSecret(path, true)).toThrow(/mode 0644, wanted 0600/);
  });

  test.each(["", "hello\n", "00".repeat(31), "zz".repeat(32)])("is refused when damaged: %j", (text) => {
    mkdirSync(join(folder, "data"));
    writeFileSync(path, text, { mode: 0o600 });
    expect(() => loadClusterSecret(path, true)).toThrow(ClusterSecretError);
  });

  test("is not made where an operator named a file that must exist", () => {
    expect(() => loadClusterSecret(path, false)).toThrow(/copy it from another machine/);
  });

  test("says so when the folder cannot be used", () => {
    writeFileSync(join(folder, "data"), "a file where a folder should be");
    expect(() => loadClusterSecret(path, true)).toThrow(/cluster secret .*: check/);
  });
});
