// An invite in a file: only for its owner, and never over another file.
import { afterEach, expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseInvite } from "../../src/mesh/pairing/invite.ts";
import { peerCommands } from "../../src/modes/peer/commands.ts";
import type { CommandContext } from "../../src/tui/commands/command.ts";
import { english } from "../../src/tui/language/english.ts";
import { startPeer } from "./peers.ts";
import { Cleanup } from "./support.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

test("/invite FILE writes an invite that only its owner can read, and overwrites nothing", async () => {
  const ana = await startPeer(cleanup, { nick: "ana" });
  const said: string[] = [];
  const context = {
    words: english,
    say: (...lines: string[]) => said.push(...lines),
    complain: (line: string) => said.push(`! ${line}`),
  } as Partial<CommandContext> as CommandContext;
  const invite = peerCommands(ana.node, 5_002, () => undefined).find(({ name }) => name === "invite");
  const path = join(cleanup.directory(), "for-ben");
  invite?.run(context, path);
  expect(said).toEqual([english.peers.inviteWritten(path), '  rtchat peer "$(cat for-ben)"']);
  expect(parseInvite(readFileSync(path, "utf8")).peerId).toBe(ana.id);
  expect(statSync(path).mode & 0o777).toBe(0o600);

  said.length = 0;
  writeFileSync(path, "something of mine");
  invite?.run(context, path);
  expect(said).toEqual([`! ${english.peers.fileExists(path)}`]);
  expect(readFileSync(path, "utf8")).toBe("something of mine");
  said.length = 0;
  invite?.run(context, "/no/such/folder/x");
  expect(said).toEqual([`! ${english.peers.fileNotWritten("/no/such/folder/x", "ENOENT")}`]);
});
