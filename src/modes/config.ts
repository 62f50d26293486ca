/** `rtchat config`: every setting, its value, where that comes from, and what in the file nobody reads. */
import { sanitizeLine } from "../protocol/sanitize.ts";
import { paint } from "../cli/output.ts";
import { type Environment, flagName, type ModeDefinition, variableName } from "../cli/flag.ts";
import { modeStarter, type StartMode } from "../cli/run.ts";
import type { Settings } from "../cli/settings.ts";
import { suggest } from "../cli/suggest.ts";
import { actions } from "../tui/input/bindings.ts";
import { colourNames } from "../tui/colours.ts";
import { configurable } from "./flags/all.ts";
import { configMode } from "./flags/small.ts";

/** The password of an address, which people paste into a report of a fault; up to the last `@`, as one may be in it. */
const PASSWORD = /^([a-z]+:\/\/[^:@/]*):.*@/;

type Row = readonly [name: string, value: string, source: string];

function rowsOf(mode: ModeDefinition, environment: Environment, settings: Settings): Row[] {
  return Object.entries(mode.flags).map(([key, row]): Row => {
    const name = flagName(key);
    const variable = environment[variableName(key)] ?? "";
    const hide = row.kind === "value" && row.secret === true;
    const shown = (text: string) => (hide ? "(secret)" : text.replace(PASSWORD, "$1:(secret)@"));
    if (variable !== "") return [name, shown(variable), variableName(key)];
    const setting = settings.flag(mode.name, name);
    if (setting !== undefined) return [name, shown(setting.text), "rtchat.toml"];
    if (row.kind === "switch") return [name, "off", "default"];
    const fallback = typeof row.fallback === "function" ? row.fallback(environment) : row.fallback;
    return [name, fallback === undefined ? "-" : shown(fallback), "default"];
  });
}

/** Lines of the file that nothing reads, each with the nearest name that exists. */
function unread(settings: Settings): string[] {
  const flagsOf = (mode: ModeDefinition) => Object.keys(mode.flags).map(flagName);
  const everywhere = configurable.flatMap(flagsOf);
  const tables: Record<string, readonly string[] | undefined> = {
    ...Object.fromEntries(configurable.map((mode) => [mode.name, flagsOf(mode)])),
    colours: colourNames,
  };
  const near = (name: string, known: readonly string[]) => {
    const found = suggest(name, known);
    return found === undefined ? "" : `; did you mean ${found}?`;
  };
  const lines = settings.keys
    .filter((key) => !everywhere.includes(key))
    .map((key) => `no mode has a flag ${key}${near(key, everywhere)}`);
  for (const [table, keys] of settings.tables) {
    if (table === "keys") {
      for (const [key, action] of settings.table("keys")) {
        if (!actions.some((one) => one === action)) {
          lines.push(`keys.${key} is ${action}, which is no action${near(action, actions)}`);
        }
      }
      continue;
    }
    const known = Object.hasOwn(tables, table) ? tables[table] : undefined;
    if (known === undefined)
      lines.push(`there is no table ${table}${near(table, [...Object.keys(tables), "keys"])}`);
    else {
      for (const key of keys)
        if (!known.includes(key)) lines.push(`${table}.${key} is unknown${near(key, known)}`);
    }
  }
  return lines;
}

export const start: StartMode = modeStarter(
  configMode(configurable.map(({ name }) => name)),
  (_config, { environment, settings, positional }) => {
    const { stdout, stderr } = process;
    const lines = [`${settings.path}${settings.exists ? "" : " (not there)"}`];
    for (const mode of configurable) {
      if (positional !== undefined && positional !== mode.name) continue;
      const rows = rowsOf(mode, environment, settings);
      const widths = [0, 1].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
      lines.push("", paint(stdout, "bold", mode.name));
      for (const [name, value, source] of rows) {
        const [nameWidth = 0, valueWidth = 0] = widths;
        const padded = sanitizeLine(value).padEnd(Math.min(valueWidth, 40));
        lines.push(`  ${name.padEnd(nameWidth)}  ${padded}  ${paint(stdout, "dim", source)}`);
      }
    }
    stdout.write(`${lines.join("\n")}\n`);
    const wrong = unread(settings);
    for (const line of wrong) stderr.write(`${settings.path}: ${sanitizeLine(line)}\n`);
    return Promise.resolve(wrong.length > 0 ? 1 : 0);
  },
);
