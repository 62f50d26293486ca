import { expect, test } from "bun:test";
import { homedir } from "node:os";
import { pathOf, readSend } from "../../src/modes/files/commands.ts";

test.each<[string, string[], string, string | undefined]>([
  ["report.pdf", [], "report.pdf", undefined],
  ["report.pdf bob", [], "report.pdf", "bob"],
  ["my report.pdf", ["my report.pdf"], "my report.pdf", undefined],
  ["my report.pdf bob", ["my report.pdf"], "my report.pdf", "bob"],
  ['"my report.pdf" bob', [], "my report.pdf", "bob"],
  ["'my report.pdf'", [], "my report.pdf", undefined],
])("/send %s", (rest, there, path, nick) => {
  const paths = new Set(there.map(pathOf));
  expect(readSend(rest, (one) => paths.has(one))).toEqual({ path, nick });
});

test("a path is typed as in a shell", () => {
  expect(pathOf("~/a\\ b")).toBe(`${homedir()}/a b`);
  expect(pathOf("/a/../b")).toBe("/b");
});
