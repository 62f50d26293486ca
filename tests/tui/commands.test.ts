/** Which commands a chat has. */
import { expect, test } from "bun:test";
import type { Command } from "../../src/tui/commands/command.ts";
import { commands, commandsOf } from "../../src/tui/commands/table.ts";

test("a kind of chat adds commands before help and quit, and leaves out what it cannot do", () => {
  const peers: Command = { name: "peers", aliases: [], completes: "nothing", run() {} };
  const names = commandsOf({ commands: [peers], lacks: ["away", "search"] }).map(({ name }) => name);
  expect(names.slice(-3)).toEqual(["peers", "help", "quit"]);
  expect(names).toHaveLength(commands.length - 1);
  expect(names).not.toContain("away");
  expect(names).not.toContain("search");
  expect(commandsOf({})).toEqual(commands);
});

test("no two commands have a name or an alias in common", () => {
  const all = commands.flatMap(({ name, aliases }) => [name as string, ...aliases]);
  expect(new Set(all).size).toBe(all.length);
});
