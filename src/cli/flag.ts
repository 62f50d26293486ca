/**
 * The declarative table of flags from which everything else is made: parsing, validation, environment variables, help
 * and shell completions. A mode declares each flag once:
 *
 *     flags: { port: flag(portSchema, { hint: "PORT", summary: "listen here", fallback: "8001" }) }
 *
 * The key gives all names: `clusterSecretFile` is `--cluster-secret-file` and RTCHAT_CLUSTER_SECRET_FILE. The schema
 * reads the text a person wrote; a fallback is text too, goes through the same schema, and is what help shows.
 */
import type { z } from "zod";

/** What the operating system passed. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What help and completions know of a flag. */
export interface FlagOptions {
  /** The value's name in help, in capitals: `PORT`. */
  readonly hint: string;
  /** One line for help, without a final full stop. */
  readonly summary: string;
  /** The value, as a person would write it, when neither flag nor variable is given. */
  readonly fallback?: string | ((environment: Environment) => string);
  /** How help shows a fallback that depends on the environment. */
  readonly fallbackShown?: string;
  /** One letter for `-p`. */
  readonly short?: string;
  /** Makes `--no-…` (and `off` in the variable) mean this: its line in help. The value is then false. */
  readonly negative?: string;
  /** The values a shell may complete. */
  readonly choices?: readonly string[];
  /** What else a shell may complete. */
  readonly completes?: "file" | "folder";
  /** The value must never be shown, not even in the error about it. */
  readonly secret?: boolean;
}

/** A flag with a value. */
export interface ValueFlag extends FlagOptions {
  readonly kind: "value";
  readonly schema: z.ZodType<unknown, string>;
}

/** A flag without a value: on or off, off by default. */
export interface Switch {
  readonly kind: "switch";
  readonly summary: string;
  readonly short?: string;
}

/** Any row of a table. */
export type Flag = ValueFlag | Switch;

/** A table of flags; the keys are in camel case. */
export type Flags = Readonly<Record<string, Flag>>;

/** The value of one row: what its schema gives, undefined where nothing was written, false for `--no-…`. */
export type FlagValue<Row extends Flag> = Row extends { readonly schema: infer Schema extends z.ZodType }
  ? | z.output<Schema>
    | (Row extends { readonly fallback: unknown } ? never : undefined)
    | (Row extends { readonly negative: string } ? false : never)
  : boolean;

/** What a table is parsed into. */
export type Config<Table extends Flags> = { readonly [Key in keyof Table]: FlagValue<Table[Key]> };

/** A row for a flag with a value. */
export function flag<Schema extends z.ZodType<unknown, string>, const Options extends FlagOptions>(
  schema: Schema,
  options: Options,
): Options & { readonly kind: "value"; readonly schema: Schema } {
  return { ...options, kind: "value", schema };
}

/** A row for a flag that is on or off. */
export function toggle(options: Omit<Switch, "kind">): Switch {
  return { ...options, kind: "switch" };
}

/** `clusterSecretFile` → `cluster-secret-file`. */
export function flagName(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `clusterSecretFile` → `RTCHAT_CLUSTER_SECRET_FILE`. */
export function variableName(key: string): string {
  return `RTCHAT_${flagName(key).replaceAll("-", "_").toUpperCase()}`;
}

/** A word after the mode's name that is not a flag: `rtchat help server`. */
export interface Positional {
  readonly hint: string;
  readonly summary: string;
  /** The words it may be; none where the mode itself checks what it is. */
  readonly choices: readonly string[];
  readonly required: boolean;
  /** All words that are no flags, joined by spaces, as for a text that nobody quoted. */
  readonly rest?: true;
}

/** A command line with what it does, for help. */
export interface Example {
  readonly command: string;
  readonly does: string;
}

/** Everything the command line knows of a mode. */
export interface ModeDefinition<Table extends Flags = Flags> {
  readonly name: string;
  /** One line, in lower case, without a final full stop. */
  readonly summary: string;
  /** A paragraph for its own help. */
  readonly description: string;
  readonly flags: Table;
  readonly positional?: Positional;
  readonly examples: readonly Example[];
}

/** Checks nothing; keeps the exact type of the table. */
export function defineMode<const Table extends Flags>(
  definition: ModeDefinition<Table>,
): ModeDefinition<Table> {
  return definition;
}
