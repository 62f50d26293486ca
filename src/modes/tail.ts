/** `rtchat tail`: the last messages of a room, and with --follow those that come. */
import { Failure } from "../cli/errors.ts";
import { BoundedLines } from "../cli/output.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import { systemClock } from "../protocol/clock.ts";
import { pipeLimits } from "../protocol/limits.client.ts";
import type { Message } from "../protocol/messages.ts";
import { ArchiveError, newest } from "../tui/archive/pages.ts";
import { noPaint } from "../tui/colours.ts";
import { LineFormat, jsonLine } from "../tui/line/format.ts";
import { makeClient, nickWithSuffix, untilConnected, wayTo, wordsOf } from "./client/connect.ts";
import { Memory } from "./client/memory.ts";
import { tailMode } from "./flags/client.ts";
import { loginNick } from "./flags/common.ts";

/** Messages shown when nobody says how many, as `tail` does. */
const LINES = 10;

export const start: StartMode = modeStarter(tailMode, async (config, context) => {
  const { environment } = context;
  const words = wordsOf(config.lang, environment);
  const nick = config.nick ?? nickWithSuffix(loginNick(environment));
  const client = makeClient(wayTo(config, new Memory(environment)), nick);
  const format = new LineFormat(words, noPaint);
  const reader = new BoundedLines(process.stdout, pipeLimits.stdoutBytes);
  const print = (message: Message): void => {
    const lines = config.json ? [jsonLine(message)] : format.message(message, "", config.room);
    reader.write(lines.join("\n"));
  };
  // What comes while the past is being read waits for its turn.
  let live: Message[] | undefined = [];
  let shown = 0;
  const follow = (message: Message): void => {
    if (message.room !== config.room || message.seq <= shown) return;
    if (live === undefined) print(message);
    else live.push(message);
  };
  client.on((event) => {
    if (event.kind === "gap" && live === undefined) process.stderr.write(`${format.gap(event.gap)}\n`);
    if (event.kind !== "received") return;
    if (event.message.type === "message") follow(event.message);
    else if (event.message.type === "joined" && event.rejoined) event.message.messages.forEach(follow);
  });
  const from = config.since === undefined ? 0 : systemClock.now() - config.since;
  const most = config.lines ?? (config.since === undefined ? LINES : Number.MAX_SAFE_INTEGER);
  try {
    await untilConnected(client, config.room, words);
    const messages = await newest(client, config.room, from, most);
    for (const message of messages) print(message);
    shown = messages.at(-1)?.seq ?? 0;
    const waited = live;
    live = undefined;
    if (!config.follow) return;
    for (const message of waited) follow(message);
    await Promise.race([context.stopped(), reader.behind]);
    if (reader.isBehind) throw new Failure(words.pipeUnread, words.pipeUnreadHint);
  } catch (error) {
    if (error instanceof ArchiveError) throw new Failure(words.exportFailed(config.room, error.message));
    throw error;
  } finally {
    client.close();
  }
});
