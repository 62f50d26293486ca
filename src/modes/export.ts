/** `rtchat export`: a room's whole log as a file. */
import { createWriteStream, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { finished } from "node:stream/promises";
import { explainSystemError, Failure } from "../cli/errors.ts";
import { writeFully } from "../cli/output.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import type { Client } from "../client/client.ts";
import { systemClock } from "../protocol/clock.ts";
import { archiveFormats } from "../tui/archive/formats.ts";
import type { ArchiveFormat } from "../tui/archive/formats.ts";
import { ArchiveError, pagesUp } from "../tui/archive/pages.ts";
import { makeClient, nickWithSuffix, untilConnected, wayTo, wordsOf } from "./client/connect.ts";
import { Memory } from "./client/memory.ts";
import { exportMode } from "./flags/client.ts";
import { loginNick } from "./flags/common.ts";

/** Cells of the progress bar. */
const BAR = 30;

/** A bar on stderr, on a terminal only. */
class Progress {
  readonly #total: () => number;
  readonly #shown = process.stderr.isTTY;
  #last = 0;

  constructor(total: () => number) {
    this.#total = total;
  }

  at(seq: number, count: number): void {
    const now = systemClock.monotonic();
    if (!this.#shown || now - this.#last < 100) return;
    this.#last = now;
    const share = Math.min(1, seq / Math.max(1, this.#total()));
    const full = Math.round(share * BAR);
    const bar = "█".repeat(full) + "░".repeat(BAR - full);
    process.stderr.write(`\r${bar} ${Math.round(share * 100)} % (${count})`);
  }

  end(): void {
    if (this.#shown) process.stderr.write("\r\u001b[K");
  }
}

async function write(
  client: Client,
  room: string,
  format: ArchiveFormat,
  out: NodeJS.WritableStream,
): Promise<number> {
  const progress = new Progress(() => client.session.rooms.get(room)?.position?.seq ?? 0);
  let count = 0;
  // A page at a time: nothing is read ahead of whoever reads the export.
  const put = (text: string) => (text === "" ? undefined : writeFully(out, text));
  try {
    await put(format.head(room));
    for await (const { messages } of pagesUp(client, room)) {
      count += messages.length;
      await put(messages.map((message) => format.message(message)).join(""));
      progress.at(messages.at(-1)?.seq ?? 0, count);
    }
    await put(format.foot());
  } finally {
    progress.end();
  }
  return count;
}

/** To a file that appears when it is complete; straight to what is no file, as a pipe or a device, which stays what it is. */
async function writeFile(client: Client, room: string, format: ArchiveFormat, path: string): Promise<number> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory() === true) throw new Failure(`${path} is a folder`, "name a file in it");
  const isFile = stats?.isFile() ?? true;
  const unfinished = isFile ? `${path}.part` : path;
  const out = createWriteStream(unfinished);
  const failed = new Promise<never>((_, reject) => out.once("error", reject));
  try {
    const count = await Promise.race([write(client, room, format, out), failed]);
    out.end();
    await finished(out);
    if (isFile) renameSync(unfinished, path);
    return count;
  } catch (error) {
    out.destroy();
    if (isFile) rmSync(unfinished, { force: true });
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw explainSystemError(error, missing ? dirname(path) : path) ?? error;
  }
}

export const start: StartMode = modeStarter(exportMode, async (config, context) => {
  const { environment } = context;
  const words = wordsOf(config.lang, environment);
  const nick = config.nick ?? nickWithSuffix(loginNick(environment));
  const client = makeClient(wayTo(config, new Memory(environment)), nick, { bot: true });
  const { room, out } = config;
  const format = archiveFormats[config.format];
  try {
    await untilConnected(client, room, words);
    const count =
      out === undefined
        ? await write(client, room, format, process.stdout)
        : await writeFile(client, room, format, out);
    if (out !== undefined) process.stderr.write(`${words.exported(count, room)}: ${out}\n`);
    // Nothing on stdout looks like success; mostly the room's name is misspelt.
    else if (count === 0) process.stderr.write(`${words.exported(0, room)}\n`);
  } catch (error) {
    if (error instanceof ArchiveError) throw new Failure(words.exportFailed(room, error.message));
    throw error;
  } finally {
    client.close();
  }
});
