/**
 * From a command line and an environment to a frozen, typed configuration.
 *
 * citty takes the arguments apart; it accepts anything, so whatever the table does not know is refused here, with the
 * nearest name that exists. A flag beats its variable, which beats the settings' file, which beats the fallback; an empty
 * variable counts as unset.
 */
import { parseArgs } from "citty";
import { quote } from "../protocol/names.ts";
import { UsageError } from "./errors.ts";
import {
  type Config,
  type Environment,
  type Flag,
  flagName,
  type Flags,
  type ModeDefinition,
  type ValueFlag,
  variableName,
} from "./flag.ts";
import type { Setting, Settings } from "./settings.ts";
import { suggest } from "./suggest.ts";

/** A parsed command line. */
export interface Parsed<Table extends Flags> {
  readonly config: Config<Table>;
  /** The word after the mode, where the mode takes one. */
  readonly positional: string | undefined;
  /** What a person wrote, by key, in the form of a variable's value; fallbacks are not in it. For handing flags on. */
  readonly written: ReadonlyMap<string, string>;
}

/** True if the arguments ask for help. */
export function wantsHelp(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? args.length : end).some((arg) => arg === "--help" || arg === "-h");
}

/**
 * Parses and validates.
 * @param args what follows the mode's name
 * @throws UsageError for the first thing that is wrong
 */
export function parseFlags<Table extends Flags>(
  mode: ModeDefinition<Table>,
  args: readonly string[],
  environment: Environment,
  settings?: Settings,
): Parsed<Table> {
  const written = takeApart(mode, args);
  const set: SetElsewhere = (key) => {
    const text = environment[variableName(key)] ?? "";
    if (text !== "") return { text, source: variableName(key) };
    return settings?.flag(mode.name, flagName(key));
  };
  const config: Record<string, unknown> = {};
  for (const [key, row] of Object.entries(mode.flags)) {
    config[key] =
      row.kind === "switch" ? readSwitch(key, written, set) : readValue(key, row, written, environment, set);
  }
  // Each key of the table was set above from its own schema, which is what Config says.
  return {
    config: Object.freeze(config) as Config<Table>,
    positional: written.positional,
    written: asVariables(mode, written, set),
  };
}

/** What was written, as variables: `--no-…` is `off`, a switch `true` or `false`. */
function asVariables(mode: ModeDefinition, written: Written, set: SetElsewhere): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [key, row] of Object.entries(mode.flags)) {
    const flag = written.flags.get(flagName(key));
    const off = row.kind === "switch" ? "false" : "off";
    const text = flag === undefined ? (set(key)?.text ?? "") : flag === false ? off : String(flag);
    if (text !== "") texts.set(key, text);
  }
  return texts;
}

/** What a variable or the settings say of a flag, by its key. */
type SetElsewhere = (key: string) => Setting | undefined;

interface Written {
  /** By flag name: the text, or true/false for switches, or false for `--no-…`. */
  readonly flags: ReadonlyMap<string, string | boolean>;
  readonly positional: string | undefined;
}

/** What was written, by flag name, or a UsageError for what the table does not know. */
function takeApart(mode: ModeDefinition, args: readonly string[]): Written {
  const rows = new Map(Object.entries(mode.flags).map(([key, row]) => [flagName(key), row]));
  const definitions = Object.fromEntries(
    [...rows].map(([name, row]) => [
      name,
      { type: row.kind === "switch" ? ("boolean" as const) : ("string" as const), alias: row.short ?? [] },
    ]),
  );
  const { _: words, ...found } = parseArgs([...args], definitions);
  const known = new Map<string, string>();
  for (const [key, row] of Object.entries(mode.flags)) {
    for (const name of [key, flagName(key), ...(row.short === undefined ? [] : [row.short])])
      known.set(name, flagName(key));
  }

  const flags = new Map<string, string | boolean>();
  for (const [spelling, value] of Object.entries(found)) {
    const name = known.get(spelling);
    const row = name === undefined ? undefined : rows.get(name);
    if (name === undefined || row === undefined) throw unknownFlag(mode, spelling, [...rows.keys()]);
    if (value === undefined || Array.isArray(value) || typeof value === "number") continue;
    checkForm(name, row, value, args);
    flags.set(name, value);
  }
  return { flags, positional: takePositional(mode, words) };
}

function unknownFlag(mode: ModeDefinition, spelling: string, names: readonly string[]): UsageError {
  const dashes = spelling.length === 1 ? "-" : "--";
  const near = spelling.length === 1 ? undefined : suggest(spelling, names);
  return new UsageError(
    `unknown flag ${dashes}${quote(spelling).slice(1, -1)}`,
    near === undefined ? `rtchat help ${mode.name} lists its flags` : `did you mean --${near}?`,
  );
}

/** Refuses forms that the parser lets pass: a value that is missing or looks like the next flag, `--switch=perhaps`. */
function checkForm(name: string, row: Flag, value: string | boolean, args: readonly string[]): void {
  if (row.kind === "switch") {
    const inline = args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
    if (inline !== undefined && inline !== "true" && inline !== "false") {
      throw new UsageError(
        `--${name} takes no value, but got ${quote(inline)}`,
        `write --${name} or leave it out`,
      );
    }
    return;
  }
  if (value === false) {
    if (row.negative === undefined)
      throw new UsageError(`--${name} cannot be switched off with --no-${name}`);
    if (args.some((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`))) {
      throw new UsageError(`--${name} and --no-${name} contradict each other`, "write one of them");
    }
    return;
  }
  if (value === "" || value === true) {
    throw new UsageError(`--${name} needs a value`, `write --${name} ${row.hint}`);
  }
  if (value.startsWith("-") && !args.includes(`--${name}=${value}`)) {
    throw new UsageError(
      `--${name} needs a value, but the flag ${quote(value)} follows`,
      `write --${name} ${row.hint}, or --${name}=${value} if that is the value`,
    );
  }
}

function takePositional(mode: ModeDefinition, words: readonly string[]): string | undefined {
  const { positional } = mode;
  if (positional?.rest === true && words.length > 0) return words.join(" ");
  const [first, ...rest] = words;
  const extra = positional === undefined ? first : rest[0];
  if (extra !== undefined) {
    throw new UsageError(`unexpected argument ${quote(extra)}`, `see rtchat help ${mode.name}`);
  }
  if (positional === undefined) return undefined;
  if (first === undefined) {
    if (!positional.required) return undefined;
    const choices = positional.choices.join(", ");
    throw new UsageError(
      `${positional.hint} is missing`,
      choices === "" ? `see rtchat help ${mode.name}` : `write one of ${choices}`,
    );
  }
  if (positional.choices.length > 0 && !positional.choices.includes(first)) {
    const near = suggest(first, positional.choices);
    const all = `write one of ${positional.choices.join(", ")}`;
    // Of a few, the nearest may be near by chance, as bash to tcsh: all of them are as quickly read.
    const isLong = positional.choices.length > FEW_CHOICES;
    const hint =
      near === undefined ? all : isLong ? `did you mean ${near}?` : `did you mean ${near}? Else ${all}`;
    throw new UsageError(`${quote(first)} is not a ${positional.hint}`, hint);
  }
  return first;
}

/** So many choices are listed also where one of them is near. */
const FEW_CHOICES = 5;

const on = new Set(["1", "true", "yes", "on"]);
const off = new Set(["0", "false", "no", "off"]);

function readSwitch(key: string, written: Written, set: SetElsewhere): boolean {
  const flag = written.flags.get(flagName(key));
  if (flag !== undefined) return flag !== false;
  const found = set(key);
  const text = found?.text.toLowerCase() ?? "";
  if (found === undefined || text === "" || off.has(text)) return false;
  if (on.has(text)) return true;
  throw new UsageError(`${found.source} is ${quote(text)}`, "set it to true or false, or unset it");
}

function readValue(
  key: string,
  row: ValueFlag,
  written: Written,
  environment: Environment,
  set: SetElsewhere,
): unknown {
  const flag = written.flags.get(flagName(key));
  if (flag === false) return false;
  if (typeof flag === "string") return validate(`--${flagName(key)}`, row, flag);
  const found = set(key);
  if (found !== undefined) {
    if (row.negative !== undefined && off.has(found.text.toLowerCase())) return false;
    return validate(found.source, row, found.text);
  }
  const fallback = typeof row.fallback === "function" ? row.fallback(environment) : row.fallback;
  return fallback === undefined ? undefined : validate(`--${flagName(key)}`, row, fallback);
}

function validate(source: string, row: ValueFlag, text: string): unknown {
  const result = row.schema.safeParse(text);
  if (result.success) return result.data;
  const reason = result.error.issues[0]?.message ?? "not valid";
  throw new UsageError(
    row.secret === true ? `${source} has a value that cannot be used` : `${source}: ${reason}`,
  );
}
