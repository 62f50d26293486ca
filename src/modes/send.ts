/** `rtchat send`: one message, and an exit code that tells whether it is safe. */
import { Failure } from "../cli/errors.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import { systemClock } from "../protocol/clock.ts";
import { sanitizeLine } from "../protocol/sanitize.ts";
import { runPipe } from "../tui/line/pipe.ts";
import { makeClient, nickWithSuffix, wayTo, wordsOf } from "./client/connect.ts";
import { Memory } from "./client/memory.ts";
import { sendMode } from "./flags/client.ts";
import { loginNick } from "./flags/common.ts";

export const start: StartMode = modeStarter(sendMode, async (config, context) => {
  const { environment, positional } = context;
  const words = wordsOf(config.lang, environment);
  const nick = config.nick ?? loginNick(environment);
  // Without it a person sits before a program that seems to hang.
  if (positional === undefined && process.stdin.isTTY) process.stderr.write(`${words.pipeTyped}\n`);
  const result = await runPipe({
    backend: makeClient(wayTo(config, new Memory(environment)), nick, { bot: true }),
    words,
    clock: systemClock,
    room: config.room,
    history: 0,
    json: false,
    follow: false,
    whole: true,
    input: positional === undefined ? process.stdin : new Blob([positional]).stream(),
    print: () => {},
    warn: (line) => process.stderr.write(`${sanitizeLine(line)}\n`),
    format: () => [],
    stopped: context.stopped(),
    ...(config.nick === undefined ? { otherNick: () => nickWithSuffix(nick) } : {}),
  });
  if (!result.ok) throw new Failure(result.message, result.hint);
});
