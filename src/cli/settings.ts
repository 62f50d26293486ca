/**
 * The file of settings that nobody needs: `rtchat.toml` in `$XDG_CONFIG_HOME/rtchat`
 * (https://specifications.freedesktop.org/basedir-spec/latest/), or where RTCHAT_CONFIG says.
 *
 *     nick = "ana"              # any flag by its name, for every mode that has it
 *     [client]                  # for one mode only
 *     room = "garden"
 *     [keys]                    # the screen's keys
 *     "ctrl-g" = "next-unread"
 *     [colours]
 *     mention = 5
 *
 * A flag beats its variable, which beats the mode's table here, which beats the top of the file. Values are text to
 * the flag's own schema, whatever TOML's type, so they are checked, and refused, like flags.
 */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { UsageError } from "./errors.ts";
import type { Environment } from "./flag.ts";

/** The variable that names another file. */
export const settingsVariable = "RTCHAT_CONFIG";

/** A setting as it stands in the file. */
export interface Setting {
  readonly text: string;
  /** For messages: `nick in ~/.config/rtchat/rtchat.toml`. */
  readonly source: string;
}

/** The file, or what stands for one that is not there. */
export interface Settings {
  readonly path: string;
  readonly exists: boolean;
  /** The value for a flag of a mode. @param name as `cluster-secret-file` */
  flag(mode: string, name: string): Setting | undefined;
  /** A table that is no mode's: texts and numbers by key. */
  table(name: string): ReadonlyMap<string, string>;
  /** Every key at the top, and every table with its keys, for whoever looks for misspelt ones. */
  readonly keys: readonly string[];
  readonly tables: ReadonlyMap<string, readonly string[]>;
}

type Table = Readonly<Record<string, unknown>>;

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value as a flag would be written; lists with commas. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint")
    return String(value);
  if (!Array.isArray(value)) return undefined;
  const parts = value.map((part: unknown) => textOf(part));
  return parts.includes(undefined) ? undefined : parts.join(",");
}

/** The person's home folder; an empty HOME names none, and files must not land wherever a program starts. */
export function homeFolder(environment: Environment): string {
  const home = environment["HOME"] ?? "";
  return home === "" ? homedir() : home;
}

/** Where the file is looked for. */
function settingsPath(environment: Environment): string {
  const given = environment[settingsVariable] ?? "";
  if (given !== "") return given;
  const base = environment["XDG_CONFIG_HOME"] ?? "";
  return join(isAbsolute(base) ? base : join(homeFolder(environment), ".config"), "rtchat", "rtchat.toml");
}

function load(path: string, asked: boolean): Table | undefined {
  let source: string;
  try {
    source = readFileSync(path, "utf8");
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (missing && !asked) return undefined;
    if (error instanceof Error && "code" in error && error.code === "EACCES") {
      // Mostly a home that is somebody else's, as under `sudo -u`: that is to be mended, not the file.
      throw new UsageError(
        `no permission to read the settings in ${path}`,
        "make the file readable, or set RTCHAT_CONFIG or HOME to what is yours",
      );
    }
    const reason = missing ? "it does not exist" : error instanceof Error ? error.message : String(error);
    throw new UsageError(`cannot read the settings in ${path}: ${reason}`, "mend or remove that file");
  }
  try {
    const parsed: unknown = Bun.TOML.parse(source);
    return isTable(parsed) ? parsed : {};
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`the settings in ${path} are not TOML: ${reason}`, "mend or remove that file");
  }
}

/**
 * Reads the file.
 * @throws UsageError when it is there and cannot be read, or was named and is not there
 */
export function readSettings(environment: Environment): Settings {
  const path = settingsPath(environment);
  const loaded = load(path, (environment[settingsVariable] ?? "") !== "");
  const top = loaded ?? {};
  const look = (table: Table, name: string, place: string): Setting | undefined => {
    if (!Object.hasOwn(table, name)) return undefined;
    const text = textOf(table[name]);
    const source = `${place}${name} in ${path}`;
    if (text === undefined) throw new UsageError(`${source} is neither a text, a number nor a list of them`);
    return { text, source };
  };
  const tableOf = (name: string): Table => {
    const table = Object.hasOwn(top, name) ? top[name] : undefined;
    return isTable(table) ? table : {};
  };
  const entries = Object.entries(top);
  return {
    path,
    exists: loaded !== undefined,
    flag: (mode, name) => look(tableOf(mode), name, `${mode}.`) ?? look(top, name, ""),
    table: (name) => {
      const table = tableOf(name);
      return new Map(Object.keys(table).map((key) => [key, look(table, key, `${name}.`)?.text ?? ""]));
    },
    keys: entries.filter(([, value]) => !isTable(value)).map(([key]) => key),
    tables: new Map(entries.flatMap(([key, value]) => (isTable(value) ? [[key, Object.keys(value)]] : []))),
  };
}
