/** Which commands a chat has. */
import { expect, test } from "bun:test";
import type { Command } from "../../src/tui/commands/command.ts";
import { excerpt } from "../../src/tui/commands/excerpt.ts";
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

test("what a search shows of a message is the part that it was for", () => {
  const log = Array.from({ length: 100 }, (_, n) => `line ${n} of the log`).join("\n");
  expect(excerpt(log, "line 77")).toBe("line 77 of the log");
  expect(excerpt(log, "LOG 99")).toBe("line 99 of the log");
  expect(excerpt("first\nsecond", "nowhere")).toBe("first");
  expect(excerpt("short", "")).toBe("short");
  const long = `${"begin ".repeat(100)}Größe ${"end ".repeat(100)}`;
  expect(excerpt(long, "grosse")).toMatch(/^….*Größe.*…$/);
  expect(excerpt(long, "grosse").length).toBeLessThanOrEqual(102);
  expect(excerpt(long, "begin")).toStartWith("begin begin");
  expect(excerpt(`${"x".repeat(99)}${"👍".repeat(200)}`, "x")).toMatch(/^x{99}…$/);
});
