/**
 * The log of a running mode: one line an event on stderr, for people or, with --log-format json, for machines.
 *
 *     12:03:11.042 info  ready address=127.0.0.1:8001
 *     {"time":"2026-01-31T12:03:11.042Z","level":"info","message":"ready","address":"127.0.0.1:8001"}
 *
 * Values from outside belong into fields. They are quoted where needed and lose control characters here (in JSON they
 * are escaped), so that a nick or an address can forge neither a line nor a field, nor command a terminal.
 *
 * A balancer writes a line a session, thousands a second. So the first line of a turn of the loop is written at once and
 * those that follow it are gathered and written together at the turn's end, or with the next warning. And a reader that
 * stops reading (`2>&1 | less`) must cost no memory: what a pipe has not taken is bounded, further lines are dropped,
 * and the first line after that says how many.
 *
 * Invariant: lines leave in the order they were logged; what is held, gathered and unread together, is at most the limit
 * and one line.
 */
import { createConsola, type ConsolaReporter, type LogObject, LogLevels } from "consola/core";
import { logLimits } from "../protocol/limits.ts";
import type { LogFields, Logger } from "../protocol/logger.ts";
import { quote } from "../protocol/names.ts";
import { jsonLine, sanitizeLine } from "../protocol/sanitize.ts";
import { flag } from "./flag.ts";
import { paint, type Stream, type Style } from "./output.ts";
import { choiceSchema } from "./schemas.ts";

const levels = ["debug", "info", "warn", "error"] as const;
const formats = ["text", "json"] as const;

/** From which level on lines are written. */
export type LogLevel = (typeof levels)[number];

/** For people, or one JSON object a line. */
export type LogFormat = (typeof formats)[number];

/** The rows every mode with a log has in its table. */
export const logFlags = {
  logLevel: flag(choiceSchema(levels), {
    hint: "LEVEL",
    summary: "write this level and above to stderr: debug, info, warn or error",
    fallback: "info",
    choices: levels,
  }),
  logFormat: flag(choiceSchema(formats), {
    hint: "FORMAT",
    summary: "text for people, json for machines; times are UTC",
    fallback: "text",
    choices: formats,
  }),
};

const styles: Readonly<Record<LogLevel, Style>> = {
  debug: "dim",
  info: "green",
  warn: "yellow",
  error: "red",
};
/** Of a value in a line for people: our own longest sentences say last what to do, and must not lose that. */
const VALUE_CHARACTERS = 500;
const plain = /^[^\s"=\\]+$/;

/** The same, at a glance: ASCII that needs neither cleaning nor quotes. */
const surelyPlain = /^[!#-<>-[\]-~]+$/;

function formatValue(value: string): string {
  if (value.length <= VALUE_CHARACTERS && surelyPlain.test(value)) return value;
  const clean = sanitizeLine(value);
  return clean === value && plain.test(value) ? value : quote(value, VALUE_CHARACTERS);
}

function formatFields(fields: LogFields): string {
  let text = "";
  for (const key of Object.keys(fields)) {
    const value = fields[key];
    if (value === undefined) continue;
    text += ` ${key}=${typeof value === "string" ? formatValue(value) : String(value)}`;
  }
  return text;
}

/** Makes one line, without its newline, of what was logged at `at`, ms since 1970. */
export type LineFormat = (at: number, level: LogLevel, message: string, fields: LogFields) => string;

/** Lines for people, in colour where `stream` shows any. */
export function textLines(stream: Stream): LineFormat {
  // Whether a stream shows colour is asked once: asking costs more than the rest of the line.
  const names = Object.fromEntries(
    levels.map((level) => [level, paint(stream, styles[level], level.padEnd(5))]),
  ) as Record<LogLevel, string>;
  let shownAt = Number.NaN;
  let shown = "";
  return (at, level, message, fields) => {
    if (at !== shownAt) {
      shownAt = at;
      shown = paint(stream, "dim", new Date(at).toISOString().slice(11, 23));
    }
    return `${shown} ${names[level]} ${sanitizeLine(message)}${formatFields(fields)}`;
  };
}

/** Lines for machines. Fields cannot replace time, level or message. */
export const jsonLines: LineFormat = (at, level, message, fields) =>
  jsonLine({ ...fields, time: new Date(at).toISOString(), level, message });

/** A log that ends somewhere. */
export interface Log extends Logger {
  /** Writes what is gathered: before something else is written to the same stream, or it is ended. */
  flush(): void;
}

/** What a log works with; by default the process's own. */
export interface LogOptions {
  readonly stream?: Stream;
  readonly now?: () => number;
  readonly limits?: { readonly unreadBytes: number };
}

/** A log that writes lines of `level` and above to a stream, by default stderr. */
export function createLog(level: LogLevel, format: LogFormat, options: LogOptions = {}): Log {
  const { stream = process.stderr, now = Date.now } = options;
  const writer = new LineWriter(stream, options.limits ?? logLimits, (lost) =>
    line(now(), "warn", "log lines were dropped, because nobody read them", { lost }),
  );
  const line = format === "json" ? jsonLines : textLines(stream);
  const reporter: ConsolaReporter = {
    log({ type, args }: LogObject) {
      const [message, fields] = args as [string, LogFields];
      const name = levels.find((known) => known === type) ?? "info";
      writer.write(line(now(), name, message, fields), name === "warn" || name === "error");
    },
  };
  // No throttling: consola would fold repeated lines, and an access log repeats itself.
  const log = createConsola({ level: LogLevels[level], reporters: [reporter], throttle: 0 });
  if (stream === process.stderr) process.once("exit", () => writer.flush());
  return {
    debug: (message, fields = {}) => log.debug(message, fields),
    info: (message, fields = {}) => log.info(message, fields),
    warn: (message, fields = {}) => log.warn(message, fields),
    error: (message, fields = {}) => log.error(message, fields),
    flush: () => writer.flush(),
  };
}

/** Gathers lines, and bounds what waits: see the head of this file. */
class LineWriter {
  readonly #stream: Stream;
  readonly #limits: { readonly unreadBytes: number };
  readonly #complaint: (lost: number) => string;
  #gathered = "";
  /** Given to the stream, and not yet gone from this process. */
  #unread = 0;
  #lost = 0;
  #inTurn = false;

  /** @param complaint the line that says that so many were lost */
  constructor(stream: Stream, limits: { readonly unreadBytes: number }, complaint: (lost: number) => string) {
    this.#stream = stream;
    this.#limits = limits;
    this.#complaint = complaint;
  }

  /** @param urgent at once, with all that is gathered */
  write(line: string, urgent: boolean): void {
    if (this.#unread + this.#gathered.length > this.#limits.unreadBytes) {
      this.#lost += 1;
      return;
    }
    if (this.#lost > 0) {
      this.#gathered += `${this.#complaint(this.#lost)}\n`;
      this.#lost = 0;
    }
    this.#gathered += `${line}\n`;
    if (urgent || !this.#inTurn) this.flush();
    if (this.#inTurn) return;
    this.#inTurn = true;
    setImmediate(() => {
      this.#inTurn = false;
      this.flush();
    });
  }

  flush(): void {
    const text = this.#gathered;
    if (text === "") return;
    this.#gathered = "";
    // A mode that has ended its output may still have something under way that logs.
    if (!this.#stream.writable) return;
    // In UTF-16 units: what is foreign in a line is bounded, so bytes are about the same.
    this.#unread += text.length;
    this.#stream.write(text, () => {
      this.#unread -= text.length;
    });
  }
}
