/**
 * How rtchat speaks on the command line. The rules:
 *
 * - What was asked for goes to stdout; everything about how it went goes to stderr. A pipe gets exactly the data.
 * - An error is one line, `rtchat MODE: what happened`, then a hint with what to do next. No final full stop.
 * - Colour only where a terminal reads it: never into a pipe, never with NO_COLOR set.
 * - Nothing from outside (flags, addresses, other people's text) reaches a terminal with control characters in it.
 * - A reader that goes away (`| head`) ends the program quietly: it has what it wanted.
 */
import { styleText } from "node:util";
import { sanitizeLine, sanitizeText } from "../protocol/sanitize.ts";
import { exitCodes, explainSystemError, Failure } from "./errors.ts";
import type { Environment } from "./flag.ts";

/** The styles we use, by node:util's names. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "blue" | "magenta" | "cyan";

/** A stream of a process, as far as speaking needs it. */
export interface Stream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** `text` in a style, if `stream` is a terminal that shows colour. */
export function paint(stream: Stream, style: Style, text: string): string {
  return styleText(style, text, { stream });
}

/** How many colours stdout shows: 2 where nobody looks, or wants any. */
export function coloursOf(environment: Environment): number {
  const { stdout } = process;
  if (!stdout.isTTY || (environment["NO_COLOR"] ?? "") !== "") return 2;
  return 2 ** stdout.getColorDepth();
}

/** Columns for prose on `stream`: the terminal's, within 40 to 100; 80 where there is no terminal. */
export function proseColumns(stream: Stream): number {
  return Math.min(100, Math.max(40, stream.columns ?? 80));
}

/**
 * Writes a failure to stderr in the form of the rules above.
 * @param mode "" when no mode was reached
 * @returns the exit code
 */
export function reportFailure(error: unknown, mode: string, stderr: Stream = process.stderr): number {
  const failure = error instanceof Failure ? error : explainSystemError(error);
  const name = mode === "" ? "rtchat" : `rtchat ${mode}`;
  const lead = paint(stderr, "red", `${name}:`);
  if (failure === undefined) {
    const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
    stderr.write(
      `${lead} a fault of rtchat itself, please report it with these lines\n${sanitizeText(trace)}\n`,
    );
    return exitCodes.failure;
  }
  stderr.write(`${lead} ${sanitizeLine(failure.message)}\n`);
  if (failure.hint !== "") stderr.write(`${paint(stderr, "dim", "hint:")} ${sanitizeLine(failure.hint)}\n`);
  return failure.exitCode;
}

/**
 * Makes a vanished reader harmless. Without this, writing to a closed pipe is an unhandled error with a stack trace.
 * @param onGone called at most once, when stdout's reader is gone; stderr's is ignored
 */
export function handleBrokenPipes(onGone: () => void): void {
  let gone = false;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    if (!gone) onGone();
    gone = true;
  });
  process.stderr.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

/**
 * Writes and resolves when it has left this process: how to wait for a slow reader. Bun's stdout and stderr never ask
 * for a pause (`write` returns true, `writableNeedDrain` is false) and hold in memory whatever a pipe does not take.
 */
export function writeFully(stream: Stream, text: string): Promise<void> {
  return new Promise((resolve) => stream.write(text, () => resolve()));
}

/**
 * Lines for a reader who may be slow or has stopped reading. What has not left this process is counted here, because a
 * stream of Bun does not (see {@link writeFully}).
 */
export class BoundedLines {
  readonly #stream: Stream;
  readonly #most: number;
  readonly #behind = Promise.withResolvers<void>();
  #waiting = 0;
  #isBehind = false;

  /** @param most characters that may wait */
  constructor(stream: Stream, most: number) {
    this.#stream = stream;
    this.#most = most;
  }

  /** More was waiting than may. Whoever writes should then stop. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /** Resolves, if ever, when the reader is behind. */
  get behind(): Promise<void> {
    return this.#behind.promise;
  }

  write(line: string): void {
    const text = `${line}\n`;
    this.#waiting += text.length;
    this.#stream.write(text, () => {
      this.#waiting -= text.length;
    });
    if (this.#waiting <= this.#most) return;
    this.#isBehind = true;
    this.#behind.resolve();
  }
}

/**
 * Ends stdout and stderr; resolves when everything written to them has left this process, or cannot. Without it
 * process.exit() loses what a pipe has not taken yet. (An empty write's callback comes too early to tell.)
 */
export async function endOutput(): Promise<void> {
  const ended = (stream: NodeJS.WriteStream) => new Promise<void>((resolve) => stream.end(() => resolve()));
  await Promise.all([ended(process.stdout), ended(process.stderr)]);
}
