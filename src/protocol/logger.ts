/** What a part may write to a log: never message texts, never secrets; foreign values go into fields, not messages. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** A leveled log. Passed to every part; only `cli` knows where it ends up. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

const nothing = (): void => {};

/** A log that keeps nothing, for tests and embedding. */
export const silentLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
