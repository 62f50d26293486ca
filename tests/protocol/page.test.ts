/** PROTOCOL.md says what the code does: its tables are made from the code, its examples are checked by the schemas. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { errorKinds } from "../../src/protocol/errors.ts";
import { clientLimits, hubLimits, introductionLimits } from "../../src/protocol/limits.ts";
import { requestSchemas } from "../../src/protocol/request-schemas.ts";
import { checkRequest } from "../../src/protocol/requests.ts";

const page = readFileSync(join(import.meta.dir, "../../src/protocol/PROTOCOL.md"), "utf8");

/** What stands between two marks, without the empty lines around it. */
function section(name: string): string {
  const parts = new RegExp(`<!-- ${name}: begin[^\n]*-->\n([^]*?)<!-- ${name}: end -->`).exec(page);
  return (parts?.[1] ?? "").trim();
}

const yes = (value: boolean): string => (value ? "yes" : "");

test("the table of errors is the one in errors.ts", () => {
  const rows = Object.entries(errorKinds).map(([code, kind]) => {
    const { meaning, retry, closes, comeBack } = kind;
    return `| \`${code}\` | ${meaning} | ${yes(retry)} | ${yes(closes)} | ${yes(comeBack)} |`;
  });
  const table = ["| code | meaning | retry | closes | come back |", "|---|---|---|---|---|", ...rows];
  expect(section("errors")).toBe(table.join("\n"));
});

test("the table of limits is the one in limits.ts", () => {
  const KiB = 1024;
  const rows: [string, string][] = [
    ["a client's line", `${clientLimits.lineBytes / KiB} KiB`],
    ["a text", `${clientLimits.textBytes / KiB} KiB`],
    ["a nick, a room's name", `${clientLimits.nameLength} code points`],
    ["an `id`", `${clientLimits.idLength} characters`],
    ["a topic", `${clientLimits.topicLength} code points`],
    ["an `away` text", `${clientLimits.awayLength} code points`],
    ["rooms a session", `${clientLimits.rooms}`],
    [
      "messages in a `joined` or `history`",
      `${clientLimits.historyMost}, ${clientLimits.replyBytes / KiB} KiB`,
    ],
    ["nicks in a `joined` or `members`", `${clientLimits.membersListed}`],
    ["rooms in a `rooms`", `${clientLimits.roomsListed}`],
    ["messages after a `since`", `${hubLimits.catchUpMessages}, ${hubLimits.catchUpBytes / KiB} KiB`],
    ["from connecting to `hello`", `${clientLimits.helloMs / 1_000} s`],
    ["messages a second", `${hubLimits.messagesPerSecond}, ${hubLimits.messagesBurst} at once`],
    ["other requests a second", `${hubLimits.requestsPerSecond}, ${hubLimits.requestsBurst} at once`],
    [
      "`introduce` a second",
      `${introductionLimits.introductionsPerSecond}, ${introductionLimits.introductionsBurst} at once`,
    ],
    [
      "relayed `data` a second",
      `${introductionLimits.relayPerSecond / KiB} KiB, ${introductionLimits.relayBurst / KiB} KiB at once`,
    ],
  ];
  const table = ["| what | at most |", "|---|---|", ...rows.map(([what, most]) => `| ${what} | ${most} |`)];
  expect(section("limits")).toBe(table.join("\n"));
});

test("every request has a row with all of its fields", () => {
  for (const [type, schema] of Object.entries(requestSchemas)) {
    const row = page.split("\n").find((line) => line.startsWith(`| \`${type}\` |`));
    expect(row, type).toBeDefined();
    for (const field of Object.keys(schema.shape)) {
      if (field !== "type" && field !== "id") expect(row, type).toContain(`\`${field}`);
    }
  }
});

test("the requests of the example are requests", () => {
  const examples = page.split("\n").filter((line) => line.startsWith("> {"));
  expect(examples).toHaveLength(4);
  for (const example of examples) expect(() => checkRequest(JSON.parse(example.slice(2)))).not.toThrow();
});
