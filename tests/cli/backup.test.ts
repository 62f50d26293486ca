/** `rtchat backup`: a copy made in mid-stream, a server on it, and what people are told who saw more than it has. */
import { expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openLab } from "../support/lab.ts";
import type { Running } from "../support/lab.ts";

const lab = openLab();

interface Line {
  readonly type: string;
  readonly text?: string;
  readonly seq?: number;
  readonly recovered?: boolean;
}

async function serve(data: string, port: string): Promise<{ server: Running; listen: string }> {
  const server = await lab.start("server", "--port", port, "--data", data);
  const { listen = "" } = await server.ready();
  return { server, listen };
}

/** What a room's log has, oldest first. */
async function messagesOf(listen: string, room: string): Promise<Line[]> {
  const { stdout } = await lab.run("export", "--connect", listen, "--room", room, "--format", "jsonl");
  return stdout
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

test("a backup that is made while people write has every message up to one, and none after it", async () => {
  const data = join(await lab.folder(), "busy");
  const target = join(await lab.folder(), "busy-backup");
  const { listen } = await serve(data, "0");
  const texts = Array.from({ length: 2_000 }, (_, index) => `line ${index}`);
  const writer = await lab.startWith(
    { input: `${texts.join("\n")}\n` },
    "client",
    "--connect",
    listen,
    "--room",
    "garden",
    "--nick",
    "ana",
    "--json",
  );
  // Every answer is a line: the middle of the writing is where half of them are not there yet.
  await writer.line(/"type":"ack".*"seq":300\b/);
  const { code, stdout, stderr } = await lab.run("backup", target, "--data", data);
  expect([code, stderr]).toEqual([0, ""]);
  expect(await writer.ended()).toMatchObject({ code: 0 });
  expect(readdirSync(target).sort()).toEqual(["cluster.secret", "log.sqlite"]);
  for (const name of ["", "cluster.secret", "log.sqlite"]) {
    expect(statSync(join(target, name)).mode & 0o077).toBe(0);
  }
  const restored = await serve(target, "0");
  const kept = await messagesOf(restored.listen, "garden");
  expect(kept.length).toBeGreaterThanOrEqual(300);
  expect(kept.map(({ text }) => text)).toEqual(texts.slice(0, kept.length));
  expect(stdout).toMatch(new RegExp(`^${target}: ${kept.length.toLocaleString("en")} messages of 1 room, `));
  await restored.server.stop();
});

test("whoever saw later messages than a restored backup has is told that something is missing", async () => {
  const data = join(await lab.folder(), "restored");
  const target = join(await lab.folder(), "restored-backup");
  const before = await serve(data, "0");
  const people = ["--connect", before.listen, "--room", "garden"];
  await lab.run("send", ...people, "in the backup");
  expect(await lab.run("backup", target, "--data", data)).toMatchObject({ code: 0 });
  const reader = await lab.start("client", ...people, "--nick", "ben", "--json", "--follow");
  await reader.line(/"type":"joined"/);
  await lab.run("send", ...people, "after the backup");
  await reader.line(/after the backup/);
  await before.server.stop();
  renameSync(data, `${data}-away`);
  cpSync(target, data, { recursive: true });
  const port = before.listen.split(":").at(-1) ?? "";
  const after = await serve(data, port);
  expect(JSON.parse(await reader.line(/"type":"joined"/))).toMatchObject({ recovered: false });
  await lab.run("send", ...people, "after the restoring");
  await reader.line(/after the restoring/);
  expect((await messagesOf(after.listen, "garden")).map(({ text }) => text)).toEqual([
    "in the backup",
    "after the restoring",
  ]);
});

test("what cannot be backed up is refused, and leaves nothing behind", async () => {
  const folder = await lab.folder();
  const at = (name: string): string => join(folder, name);
  const none = await lab.run("backup", at("b1"), "--data", at("nowhere"));
  expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining("there is no log at") });
  mkdirSync(at("damaged"));
  writeFileSync(
    join(at("damaged"), "log.sqlite"),
    "no database at all, but some text that is long enough for one",
  );
  const damaged = await lab.run("backup", at("b2"), "--data", at("damaged"));
  expect(damaged).toMatchObject({ code: 1, stderr: expect.stringContaining("damaged or no database") });
  mkdirSync(at("taken"));
  const { server } = await serve(at("whole"), "0");
  const taken = await lab.run("backup", at("taken"), "--data", at("whole"));
  expect(taken).toMatchObject({ code: 1, stderr: expect.stringContaining("is there already") });
  const homeless = await lab.run("backup", at("no/b3"), "--data", at("whole"));
  expect(homeless).toMatchObject({ code: 1, stderr: expect.stringContaining(`${at("no")} does not exist`) });
  // What an earlier one left when it was killed is in nobody's way; what is somebody else's is left alone.
  mkdirSync(at("b4.part"));
  writeFileSync(join(at("b4.part"), "log.sqlite-journal"), "half");
  expect(await lab.run("backup", at("b4"), "--data", at("whole"))).toMatchObject({ code: 0 });
  mkdirSync(at("b5.part"));
  writeFileSync(join(at("b5.part"), "mine"), "precious");
  const foreign = await lab.run("backup", at("b5"), "--data", at("whole"));
  expect(foreign).toMatchObject({ code: 1, stderr: expect.stringContaining(at("b5.part")) });
  expect(existsSync(join(at("b5.part"), "mine"))).toBe(true);
  expect(readdirSync(folder).filter((name) => /^b[123]/.test(name))).toEqual([]);
  await server.stop();
});
