/** Data folders that were copied, moved or restored: which log is whose, and whether positions may be believed. */
import { afterAll, expect, test } from "bun:test";
import { cpSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ALWAYS_COPY, fileIdentity, isCopy } from "../../src/backplane/keeper/file-identity.ts";
import { logFile } from "../../src/backplane/keeper/keeper.ts";
import { silentLogger } from "../../src/protocol/logger.ts";
import { Server, text } from "../conformance/backplane-support.ts";
import { keeperCluster } from "./keeper-support.ts";

const folder = mkdtempSync(join(tmpdir(), "rtchat-copy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function textsOf(server: Server): Promise<string[]> {
  return (await server.page({ room: "lobby" })).entries.map(({ body }) => text(body));
}

test("a server on a copy keeps the copy, in an epoch of its own, while the original is kept on", async () => {
  const cluster = await keeperCluster();
  const original = await new Server(cluster.server()).start();
  const { position: before } = await original.publish("lobby", "to both");
  const directory = join(folder, "copy");
  cpSync(cluster.directory, directory, { recursive: true, filter: (path) => !path.endsWith(".sock") });
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) };
  const copy = await new Server(cluster.server({ directory, log })).start();
  const { position: here } = await original.publish("lobby", "to the original");
  const { position: there } = await copy.publish("lobby", "to the copy");
  expect(await textsOf(original)).toEqual(["to both", "to the original"]);
  expect(await textsOf(copy)).toEqual(["to both", "to the copy"]);
  expect(here).toEqual({ epoch: before.epoch, seq: 2 });
  expect(there.seq).toBe(2);
  expect(there.epoch).not.toBe(before.epoch);
  expect(warnings).toEqual([expect.stringContaining("positions in the log begin anew")]);
  // The next server on the copy finds its keeper as anywhere.
  const second = await new Server(cluster.server({ directory })).start();
  expect((await second.publish("lobby", "again")).position).toEqual({ epoch: there.epoch, seq: 3 });
  await cluster.close();
});

test("a folder that was moved goes on where it was", async () => {
  const cluster = await keeperCluster();
  const before = await new Server(cluster.server()).start();
  const { position } = await before.publish("lobby", "one");
  await before.plane.stop(true);
  const directory = join(folder, "moved");
  renameSync(cluster.directory, directory);
  const after = await new Server(cluster.server({ directory })).start();
  expect((await after.publish("lobby", "two")).position).toEqual({ epoch: position.epoch, seq: 2 });
  await cluster.close();
});

test("a file is itself under another name, and a copy of it is another", () => {
  const [one, two, three] = ["one", "two", "three"].map((name) => join(folder, name + logFile));
  Bun.spawnSync(["sh", "-c", `echo x > ${one}`]);
  const identity = fileIdentity(one!);
  renameSync(one!, two!);
  expect(isCopy(identity, fileIdentity(two!))).toBe(false);
  cpSync(two!, three!);
  expect(isCopy(identity, fileIdentity(three!))).toBe(true);
});

test("what is not known of a file counts for neither side", () => {
  expect(isCopy("", "7:100")).toBe(false);
  expect(isCopy("7:", "7:100")).toBe(false);
  expect(isCopy("7:100", "7:")).toBe(false);
  expect(isCopy("7:100", "7:101")).toBe(true);
  expect(isCopy("7:100", "8:100")).toBe(true);
  expect(isCopy("7:", "8:")).toBe(true);
  expect(isCopy(ALWAYS_COPY, "7:100")).toBe(true);
});
