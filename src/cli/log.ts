/**
 * The log of a running mode: one line an event on stderr, for people or, with --log-format json, for machines.
 *
 *     12:03:11.042 info  ready address=127.0.0.1:8001
 *     {"time":"2026-01-31T12:03:11.042Z","level":"info","message":"ready","address":"127.0.0.1:8001"}
 *
 * Values from outside belong into fields. They are quoted where needed and lose control characters here, so that a
 * nick or an address can forge neither a line nor a field.
 */
import { type ConsolaReporter, createConsola, type LogObject, LogLevels } from "consola/core";
import type { LogFields, Logger } from "../protocol/logger.ts";
import { quote } from "../protocol/names.ts";
import { sanitizeLine } from "../protocol/sanitize.ts";
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
    summary: "text for people, json for machines",
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

function formatFields(fields: LogFields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => {
      const text = typeof value === "string" ? value : String(value);
      const clean = sanitizeLine(text);
      return ` ${key}=${clean === text && plain.test(text) ? text : quote(text, VALUE_CHARACTERS)}`;
    })
    .join("");
}

/** One line for people, without its newline. */
export function formatText(
  stream: Stream,
  at: Date,
  level: LogLevel,
  message: string,
  fields: LogFields,
): string {
  const time = paint(stream, "dim", at.toISOString().slice(11, 23));
  return `${time} ${paint(stream, styles[level], level.padEnd(5))} ${sanitizeLine(message)}${formatFields(fields)}`;
}

/** One line for machines, without its newline. Fields cannot replace time, level or message. */
export function formatJson(at: Date, level: LogLevel, message: string, fields: LogFields): string {
  return JSON.stringify({ ...fields, time: at.toISOString(), level, message });
}

/** A log that writes to `stream`, by default stderr. */
export function createLog(level: LogLevel, format: LogFormat, stream: Stream = process.stderr): Logger {
  const reporter: ConsolaReporter = {
    log({ type, date, args }: LogObject) {
      const [message, fields] = args as [string, LogFields];
      const name = levels.find((known) => known === type) ?? "info";
      const line =
        format === "json"
          ? formatJson(date, name, message, fields)
          : formatText(stream, date, name, message, fields);
      stream.write(`${line}\n`);
    },
  };
  // No throttling: consola would fold repeated lines, and an access log repeats itself.
  const log = createConsola({ level: LogLevels[level], reporters: [reporter], throttle: 0 });
  return {
    debug: (message, fields = {}) => log.debug(message, fields),
    info: (message, fields = {}) => log.info(message, fields),
    warn: (message, fields = {}) => log.warn(message, fields),
    error: (message, fields = {}) => log.error(message, fields),
  };
}
