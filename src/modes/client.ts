/**
 * `rtchat client`: a headless client with lines around it. On a terminal one types and reads; in a pipe stdin is sent
 * and the exit code tells.
 */
import { version } from "../../package.json";
import { Failure } from "../cli/errors.ts";
import type { Config, Environment } from "../cli/flag.ts";
import { modeStarter, type ModeContext, type StartMode } from "../cli/run.ts";
import { suggest } from "../cli/suggest.ts";
import { Client } from "../client/client.ts";
import { netDial } from "../client/net-dial.ts";
import { systemClock } from "../protocol/clock.ts";
import { pipeLimits } from "../protocol/limits.client.ts";
import { clientLimits } from "../protocol/limits.ts";
import { sanitizeLine } from "../protocol/sanitize.ts";
import { paintFor } from "../tui/colours.ts";
import type { Paint } from "../tui/colours.ts";
import { eventLines } from "../tui/line/event-lines.ts";
import { LineFormat } from "../tui/line/format.ts";
import { LineChat } from "../tui/line/line-chat.ts";
import { runPipe } from "../tui/line/pipe.ts";
import { LineTerminal } from "../tui/line/terminal.ts";
import { wordsFor } from "../tui/language/words.ts";
import type { Words } from "../tui/language/words.ts";
import { clientMode } from "./flags/client.ts";

type ClientConfig = Config<(typeof clientMode)["flags"]>;

export const start: StartMode = modeStarter(clientMode, async (config, context) => {
  const words = wordsFor(languageOf(context.environment));
  const client = makeClient(config);
  const { stdin, stdout } = process;
  if (config.json || !stdin.isTTY || !stdout.isTTY) await runInPipe(client, config, context, words);
  else if (config.plain || context.environment["TERM"] === "dumb") {
    await runLines(client, config, context, words);
  } else await runFullScreen(client, config, context, words);
});

/** What the environment says of the person's language, in the order of POSIX. */
function languageOf(environment: Environment): string | undefined {
  return ["LC_ALL", "LC_MESSAGES", "LANG"].map((name) => environment[name]).find((value) => value);
}

function makeClient(config: ClientConfig): Client {
  // Unique over all runs of all programs of this session: 40 random bits, then a count.
  const run = Buffer.from(crypto.getRandomValues(new Uint8Array(5))).toString("hex");
  let count = 0;
  return new Client({
    addresses: config.connect,
    nick: config.nick,
    client: `rtchat/${version}`,
    dial: netDial(systemClock),
    clock: systemClock,
    random: Math.random,
    newId: () => {
      count += 1;
      return `${run}-${count}`;
    },
  });
}

function paintOf(environment: Environment): Paint {
  return paintFor(coloursOf(environment));
}

function coloursOf(environment: Environment): number {
  const { stdout } = process;
  if (!stdout.isTTY || (environment["NO_COLOR"] ?? "") !== "") return 2;
  return 2 ** stdout.getColorDepth();
}

async function runFullScreen(
  client: Client,
  config: ClientConfig,
  context: ModeContext,
  words: Words,
): Promise<void> {
  // Ink and React are loaded by those who look at them: a pipe starts without.
  const { runScreen } = await import("../tui/screen/run.ts");
  const { environment } = context;
  const { closed, unacknowledged } = await runScreen({
    backend: client,
    words,
    clock: systemClock,
    room: config.room,
    suggest,
    input: process.stdin,
    output: process.stdout,
    environment,
    abilities: { colours: coloursOf(environment), links: environment["TERM"] !== "linux" },
    stopped: context.stopped(),
  });
  if (closed !== undefined) throw new Failure(closed);
  if (unacknowledged > 0) throw new Failure(words.pipeUnacknowledged(unacknowledged));
}

async function runLines(
  client: Client,
  config: ClientConfig,
  context: ModeContext,
  words: Words,
): Promise<void> {
  const quit = Promise.withResolvers<void>();
  const terminal = new LineTerminal({
    input: process.stdin,
    output: process.stdout,
    typed: (line) => chat.typed(line),
    complete: (before) => chat.complete(before),
    quit: () => quit.resolve(),
  });
  const chat = new LineChat({
    backend: client,
    screen: terminal,
    words,
    paint: paintOf(context.environment),
    room: config.room,
    suggest,
    quit: () => quit.resolve(),
  });
  chat.start();
  await Promise.race([quit.promise, context.stopped()]);
  const { connection } = client;
  const unsent = client.session.unacknowledged;
  terminal.close();
  client.close();
  if (connection.state === "closed") throw new Failure(connection.message);
  if (unsent > 0) throw new Failure(words.pipeUnacknowledged(unsent));
}

async function runInPipe(
  client: Client,
  config: ClientConfig,
  context: ModeContext,
  words: Words,
): Promise<void> {
  const { stdin, stdout, stderr } = process;
  const format = new LineFormat(words, paintOf(context.environment));
  const tooSlow = Promise.withResolvers<void>();
  const result = await runPipe({
    backend: client,
    words,
    clock: systemClock,
    room: config.room,
    history: config.json || config.follow ? clientLimits.historyDefault : 0,
    json: config.json,
    follow: config.follow,
    input: stdin,
    print: (line) => {
      stdout.write(`${line}\n`);
      if (stdout.writableLength > pipeLimits.stdoutBytes) tooSlow.resolve();
    },
    warn: (line) => stderr.write(`${sanitizeLine(line)}\n`),
    format: (event) => eventLines(event, format, client.session.nick, config.room),
    stopped: Promise.race([context.stopped(), tooSlow.promise]),
  });
  if (!result.ok) throw new Failure(result.message, result.hint);
}
