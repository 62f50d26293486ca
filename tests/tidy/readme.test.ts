/** The README says what the program says. */
import { USAGE as TORTURE_USAGE } from "../torture/options.ts";
import { expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { flagName } from "../../src/cli/flag.ts";
import { parseFlags } from "../../src/cli/parse.ts";
import { allModes } from "../../src/modes/flags/all.ts";

const readme = await Bun.file(join(resolve(import.meta.dir, "../.."), "README.md")).text();
const shown = allModes.filter((mode) => mode.name !== "help");

/** Words as a shell would take them: some are quoted, because zsh reads a star or a bracket as a pattern. */
const wordsOf = (text: string): string[] =>
  text
    .trim()
    .split(/\s+/)
    .map((word) => word.replace(/^'(.*)'$/, "$1"))
    .filter(Boolean);

/** Every `rtchat MODE …` in a block of shell lines, up to a pipe, a redirection or a comment. */
const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)]
  .flatMap(([, block = ""]) => block.split("\n"))
  .flatMap((line) => [...line.matchAll(/\brtchat (\w+)([^|<>#;&]*)/g)])
  .map(([line, name = "", flags = ""]) => ({ line, name, flags: wordsOf(flags) }));

test("its table of modes is the table of help", () => {
  const rows = [...readme.matchAll(/^\| `rtchat (\w+)` \| (.*) \|$/gm)].map(([, name, summary]) => [
    name,
    summary,
  ]);
  expect(rows).toEqual(shown.map((mode) => [mode.name, mode.summary]));
});

test("its commands are accepted as written", () => {
  expect(commands.length).toBeGreaterThan(5);
  for (const { line, name, flags } of commands) {
    const mode = allModes.find((one) => one.name === name);
    expect([line, mode?.name]).toEqual([line, name]);
    if (mode !== undefined) parseFlags(mode, flags, {});
  }
});

test("no shell takes what it shows for a pattern of file names", () => {
  for (const { line, flags } of commands) {
    const quoted = new Set([...line.matchAll(/'([^']*)'/g)].map(([, text]) => text));
    expect([line, flags.filter((word) => /[*?[]/.test(word) && !quoted.has(word))]).toEqual([line, []]);
  }
});

test("it names no flag that no mode has", () => {
  const checker = [...TORTURE_USAGE.matchAll(/--([a-z-]+)/g)].map(([, name = ""]) => name);
  const known = new Set([...allModes.flatMap((mode) => Object.keys(mode.flags).map(flagName)), ...checker]);
  const ours = readme
    .split("\n")
    .filter((line) => !/\bscripts\/|\bcurl\b/.test(line))
    .join("\n");
  const named = [...ours.matchAll(/(?<![\w-])--(?:no-)?([a-z][a-z0-9-]*)/g)].map(([, name = ""]) => name);
  const others = new Set(["help", "version"]);
  expect(named.filter((name) => !known.has(name) && !others.has(name))).toEqual([]);
});
