// Files between peers of the compiled binary: offered, accepted, killed on either side in the middle, and whole at the end.
import { expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/deadline.ts";
import { openLab, type Running } from "../support/lab.ts";

const lab = openLab();
/** Long enough to be stopped in the middle: an eighth of a second at half a gigabyte a second. */
const large = randomBytes(64 * 1024 * 1024);
const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function folderOf(name: string): Promise<string> {
  const folder = join(await lab.folder(), name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

async function start(name: string, ...args: readonly string[]): Promise<Running> {
  const folder = await folderOf(name);
  const running = await lab.start(
    "peer",
    "--json",
    "--nick",
    name,
    "--data",
    folder,
    "--downloads",
    join(folder, "downloads"),
    ...args,
  );
  return running;
}

const listenOf = async (running: Running): Promise<string> => (await running.ready())["listen"] ?? "";
const tell = (running: Running, object: object): void => running.write(`${JSON.stringify(object)}\n`);
const seen = (running: Running, pattern: RegExp) =>
  eventually(
    () => pattern.test(running.output.stdout),
    () => `${pattern} in\n${running.output.stdout}${running.output.stderr}`,
  );

test("killed on either side in the middle, a file goes on where it stopped, and is whole", async () => {
  const [anaFolder, benFolder] = [await folderOf("ana"), await folderOf("ben")];
  const path = join(anaFolder, "plans.bin");
  writeFileSync(path, large);
  const downloads = join(benFolder, "downloads");
  const part = (): number => {
    const [name] = readdirSync(downloads, { withFileTypes: true }).flatMap(({ name: one }) =>
      one.endsWith(".part") ? [one] : [],
    );
    return name === undefined ? 0 : statSync(join(downloads, name)).size;
  };

  let ana = await start("ana", "--listen", "127.0.0.1:0");
  const at = await listenOf(ana);
  let ben = await start("ben", "--listen", "127.0.0.1:0", "--connect", at);
  const benAt = await listenOf(ben);
  await seen(ana, /"nick":"ben","state":"join"/);
  tell(ana, { type: "file-offer", to: "ben", path });
  await seen(ben, /"type":"file",.*"name":"plans.bin".*"state":"offered"/);
  tell(ben, { type: "file-accept", number: 1 });

  // Stopped, so that it cannot be through before we kill.
  await seen(ben, /"state":"running"/);
  await eventually(
    () => part() > 0,
    () => "something has arrived",
  );
  ana.kill("SIGSTOP");
  const first = part();
  expect(first).toBeLessThan(large.length);
  await ben.stop("SIGKILL");
  ana.kill("SIGCONT");
  ben = await start("ben", "--listen", benAt, "--connect", at);
  await seen(ben, /"state":"running"/);
  const [, going = "0"] = /"done":(\d+),"state":"running"/.exec(ben.output.stdout) ?? [];
  expect(Number(going)).toBeGreaterThanOrEqual(first);

  ben.kill("SIGSTOP");
  await ana.stop("SIGKILL");
  ben.kill("SIGCONT");
  const second = part();
  expect(second).toBeGreaterThan(0);
  expect(second).toBeLessThan(large.length);
  ana = await start("ana", "--listen", at, "--connect", benAt);
  await seen(ben, /"state":"done"/);
  await seen(ana, /"state":"done"/);
  expect(readdirSync(downloads)).toEqual(["plans.bin"]);
  expect(hashOf(readFileSync(join(downloads, "plans.bin")))).toBe(hashOf(large));
  for (const peer of [ana, ben]) expect((await peer.stop()).code).toBe(0);
});

test("on screens: the offer, the bar on both sides, and where the file is", async () => {
  const [gusFolder, idaFolder] = [await folderOf("gus"), await folderOf("ida")];
  writeFileSync(join(gusFolder, "my film.mkv"), large.subarray(0, 32 * 1024 * 1024));
  const common = (name: string, folder: string) => ["--nick", name, "--data", folder, "--lang", "en"];
  const size = { columns: 100, rows: 24 };
  const gus = await lab.terminal(size, "peer", ...common("gus", gusFolder), "--listen", "127.0.0.1:0");
  await gus.see(/rtchat:\/\/127\.0\.0\.1:\d+/);
  const [, at = ""] = /rtchat:\/\/(127\.0\.0\.1:\d+)/.exec(gus.screen()) ?? [];
  const idaArgs = [
    "--plain",
    "--listen",
    "127.0.0.1:0",
    "--connect",
    at,
    "--downloads",
    join(idaFolder, "in"),
  ];
  const ida = await lab.terminal(size, "peer", ...common("ida", idaFolder), ...idaArgs);
  await ida.see(/connected to the mesh/);
  await gus.see(/ida joined/);
  gus.type(`/send ${gusFolder}/my film.mkv ida`);
  gus.press("enter");
  await gus.see(/my film\.mkv, 33\.6 MB, is offered to ida/);
  await ida.see(/gus offers my film\.mkv, 33\.6 MB; \/accept 1 or \/refuse 1/);
  ida.type("/accept");
  ida.press("enter");
  await gus.see(/my film\.mkv [▓░]{10} \d+%/);
  await ida.see(/receiving my film\.mkv from gus/);
  await gus.see(/ida has my film\.mkv, whole and checked/);
  await ida.see((text) => text.replaceAll(/\s+/g, "").includes(`${idaFolder}/in/myfilm.mkv`));
  expect(statSync(join(idaFolder, "in", "my film.mkv")).size).toBe(32 * 1024 * 1024);

  gus.type("/send /nowhere/at.all ida");
  gus.press("enter");
  await gus.see(/there is no file \/nowhere\/at\.all/);
  gus.type("/send /etc/hostname");
  gus.press("enter");
  await ida.see(/gus offers hostname/);
  ida.type("/refuse 2");
  ida.press("enter");
  await gus.see(/not sent: hostname to ida: they refused it/);
  await ida.see(/not received: hostname from gus: you refused it/);
});
