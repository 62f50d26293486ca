/** The ways to sit before a mesh: the full screen, lines on a terminal, a pipe. */
import { Failure } from "../../cli/errors.ts";
import type { Config, Environment } from "../../cli/flag.ts";
import { BoundedLines, coloursOf } from "../../cli/output.ts";
import { suggest } from "../../cli/suggest.ts";
import { systemClock } from "../../protocol/clock.ts";
import { pipeLimits } from "../../protocol/limits.client.ts";
import { clientLimits } from "../../protocol/limits.ts";
import { sanitizeLine } from "../../protocol/sanitize.ts";
import { paintFor } from "../../tui/colours.ts";
import { eventLines } from "../../tui/line/event-lines.ts";
import { LineFormat } from "../../tui/line/format.ts";
import { LineChat } from "../../tui/line/line-chat.ts";
import { runPipe } from "../../tui/line/pipe.ts";
import { LineTerminal } from "../../tui/line/terminal.ts";
import type { Words } from "../../tui/language/words.ts";
import type { peerMode } from "../flags/peer.ts";
import type { MeshBackend } from "./backend.ts";

/** What every way needs. */
export interface ScreenParts {
  readonly backend: MeshBackend;
  readonly config: Config<typeof peerMode.flags>;
  readonly environment: Environment;
  readonly words: Words;
  /** Told to a person at the start. */
  readonly greeting: readonly string[];
  readonly isPipe: boolean;
  readonly stopped: Promise<unknown>;
}

/** Runs until the person quits, stdin ends, or the program is told to end. @throws Failure for what was not delivered */
export async function runScreens(parts: ScreenParts): Promise<void> {
  const { config, environment, isPipe } = parts;
  if (isPipe) await runInPipe(parts);
  else if (config.plain || environment["TERM"] === "dumb") await runLines(parts);
  else await runFullScreen(parts);
}

async function runFullScreen({
  backend,
  config,
  environment,
  words,
  greeting,
  stopped,
}: ScreenParts): Promise<void> {
  // Loaded by those who look at it: a pipe starts without.
  const { runScreen } = await import("../../tui/screen/run.ts");
  // More than the own ID: an invite, which no row of a terminal holds.
  const lines = greeting.length > 1 ? [...greeting, words.screen.copying] : greeting;
  queueMicrotask(() => backend.tell(lines));
  await runScreen({
    backend,
    words,
    clock: systemClock,
    room: config.room,
    suggest,
    input: process.stdin,
    output: process.stdout,
    environment,
    abilities: { colours: coloursOf(environment), links: environment["TERM"] !== "linux" },
    stopped,
  });
}

async function runLines({
  backend,
  config,
  environment,
  words,
  greeting,
  stopped,
}: ScreenParts): Promise<void> {
  const quit = Promise.withResolvers<void>();
  const terminal = new LineTerminal({
    input: process.stdin,
    output: process.stdout,
    typed: (line) => chat.typed(line),
    complete: (before) => chat.complete(before),
    quit: () => quit.resolve(),
    dumb: environment["TERM"] === "dumb",
  });
  const chat = new LineChat({
    backend,
    screen: terminal,
    words,
    paint: paintFor(coloursOf(environment)),
    room: config.room,
    suggest,
    quit: () => quit.resolve(),
  });
  chat.start();
  backend.tell(greeting);
  await Promise.race([quit.promise, stopped]);
  terminal.close();
  backend.close();
}

async function runInPipe({ backend, config, environment, words, stopped }: ScreenParts): Promise<void> {
  const { stdout, stderr } = process;
  const format = new LineFormat(words, paintFor(coloursOf(environment)));
  const reader = new BoundedLines(stdout, pipeLimits.stdoutBytes);
  const result = await runPipe({
    backend,
    words,
    clock: systemClock,
    room: config.room,
    history: config.json || config.follow ? clientLimits.historyDefault : 0,
    json: config.json,
    follow: config.follow,
    // A stream of Bun's own brings a line sooner than `process.stdin` does (scripts/benchmarks/NOTES.md).
    input: Bun.stdin.stream(),
    print: (line) => reader.write(line),
    warn: (line) => stderr.write(`${sanitizeLine(line)}\n`),
    format: (event) => eventLines(event, format, backend.nick, config.room),
    stopped: Promise.race([stopped, reader.behind]),
  });
  if (reader.isBehind) throw new Failure(words.pipeUnread, words.pipeUnreadHint);
  if (!result.ok) throw new Failure(result.message, result.hint);
}
