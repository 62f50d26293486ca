/**
 * `rtchat tail`: the last messages of a room, and with --follow those that come.
 *
 * The past is written a page at a time, and the next page is not asked for before whoever reads has taken the last: so
 * a long past costs no memory. What comes meanwhile is in a page that is still to be asked for; only what comes while
 * the last page is under way may be missing from it, and is kept until it is there.
 */
import { Failure } from "../cli/errors.ts";
import { BoundedLines, writeFully } from "../cli/output.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import { systemClock } from "../protocol/clock.ts";
import { pipeLimits } from "../protocol/limits.client.ts";
import type { Message } from "../protocol/messages.ts";
import { jsonLine } from "../protocol/sanitize.ts";
import { ArchiveError, pagesUp, rangeOfNewest } from "../tui/archive/pages.ts";
import { noPaint } from "../tui/colours.ts";
import { LineFormat } from "../tui/line/format.ts";
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
  const client = makeClient(wayTo(config, new Memory(environment)), nick, { bot: true });
  const format = new LineFormat(words, noPaint);
  const reader = new BoundedLines(process.stdout, pipeLimits.stdoutBytes);
  const lines = (message: Message): string =>
    config.json ? jsonLine(message) : format.message(message, "", config.room).join("\n");
  /** What comes is in a page to come, or perhaps not in the page under way, or printed as it comes. */
  let state: "later" | "asked" | "live" = "later";
  const waiting: Message[] = [];
  let shown = 0;
  const follow = (message: Message): void => {
    if (message.room !== config.room || message.seq <= shown) return;
    if (state === "live") reader.write(lines(message));
    else if (state === "asked") waiting.push(message);
  };
  client.on((event) => {
    if (event.kind === "gap" && state === "live") process.stderr.write(`${format.gap(event.gap)}\n`);
    if (event.kind !== "received") return;
    if (event.message.type === "message") follow(event.message);
    else if (event.message.type === "joined" && event.rejoined) event.message.messages.forEach(follow);
  });
  const from = config.since === undefined ? 0 : systemClock.now() - config.since;
  const most = config.lines ?? (config.since === undefined ? LINES : Number.MAX_SAFE_INTEGER);
  try {
    await untilConnected(client, config.room, words);
    const { until, ...range } = await rangeOfNewest(client, config.room, from, most);
    const asking = (): void => {
      waiting.length = 0;
      state = "asked";
    };
    const pages = pagesUp(client, config.room, config.follow ? { ...range, asking } : { ...range, until });
    for await (const { messages, more } of pages) {
      shown = messages.at(-1)?.seq ?? shown;
      if (more || !config.follow) {
        state = "later";
        await writeFully(process.stdout, messages.map((message) => `${lines(message)}\n`).join(""));
        continue;
      }
      state = "live";
      for (const message of messages) reader.write(lines(message));
      for (const message of waiting) follow(message);
    }
    if (!config.follow) return;
    await Promise.race([context.stopped(), reader.behind]);
    if (reader.isBehind) throw new Failure(words.pipeUnread, words.pipeUnreadHint);
  } catch (error) {
    if (error instanceof ArchiveError) throw new Failure(words.exportFailed(config.room, error.message));
    throw error;
  } finally {
    client.close();
  }
});
