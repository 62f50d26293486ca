/** The bench's flags: wrong ones are refused with what would be right, and the help tells all of them. */
import { describe, expect, test } from "bun:test";
import { fill } from "../../scripts/benchmarks/configs.ts";
import { OptionError, readOptions, sectionNames, usage } from "../../scripts/benchmarks/options.ts";
import { scenarios } from "../../scripts/benchmarks/scenarios.ts";
import { needs } from "../../scripts/benchmarks/targets.ts";

const refusal = (...argv: string[]): string => {
  try {
    readOptions(argv);
  } catch (error) {
    if (error instanceof OptionError) return error.message;
  }
  return "not refused";
};

describe("flags", () => {
  test("quick is the default; full takes longer and keeps its results", () => {
    const [quick, full] = [readOptions([]), readOptions(["--full"])];
    expect(quick).toEqual(readOptions(["--quick"]));
    expect(quick).toMatchObject({ only: undefined, against: undefined, out: undefined });
    expect(full.pace.rounds).toBeGreaterThanOrEqual(5);
    expect(full.out).toBe("dist/bench");
  });

  test("runs, their length, scenarios and opponents are chosen", () => {
    const chosen = readOptions([
      "--runs",
      "7",
      "--seconds",
      "0.5",
      "--only",
      "S2, S10",
      "--against",
      "rtchat,irc",
    ]);
    expect(chosen.pace).toMatchObject({ rounds: 7, runMs: 500, warmMs: 500 });
    expect([...(chosen.only ?? [])]).toEqual(["S2", "S10"]);
    expect([...(chosen.against ?? [])]).toEqual(["rtchat", "irc"]);
  });

  test.each([
    [["--fast"], "--fast"],
    [["S1"], "S1"],
    [["--quick", "--full"], "exclude each other"],
    [["--only", "S12"], 'does not know "S12"; it takes S1, S2'],
    [["--only", ""], 'does not know ""'],
    [["--against", "slack"], 'does not know "slack"; it takes rtchat'],
    [["--runs", "0"], 'from 1 to 1000, not "0"'],
    [["--runs", "two"], 'not "two"'],
    [["--seconds", "0"], '0.1 to 600, not "0"'],
    [["--seconds", "soon"], 'not "soon"'],
    [["--runs"], "--runs"],
  ])("%p is refused", (argv, reason) => {
    expect(refusal(...argv)).toContain(reason);
  });

  test("the help names every flag, scenario and entrant", () => {
    const flags = ["quick", "full", "only", "against", "runs", "seconds", "out", "help"];
    for (const flag of flags) expect(usage).toContain(`--${flag}`);
    for (const name of [...sectionNames, ...Object.keys(needs)]) expect(usage).toContain(`  ${name}  `);
    expect(Math.max(...usage.split("\n").map((line) => line.length))).toBeLessThanOrEqual(120);
  });
});

test("every bar names entrants of its scenario, and asks for one thing", () => {
  for (const { bars, entrants, figures } of scenarios) {
    const names = entrants.map((entrant) => entrant.name);
    for (const bar of bars) {
      expect(names).toContain(bar.ours ?? "rtchat");
      for (const name of bar.against) expect(names).toContain(name);
      expect(figures).toContain(bar.figure);
      expect([bar.least, bar.most].filter((limit) => limit !== undefined)).toHaveLength(1);
    }
  }
});

test("clients of every load fill their rooms, and timing takes one in a power of two", () => {
  for (const { load } of scenarios.flatMap((scenario) => scenario.entrants)) {
    expect(load.clients % load.rooms).toBe(0);
    expect(Math.log2(load.sampleEvery) % 1).toBe(0);
    if (load.kind === "talk") expect(load.window > 0).toBe(load.rate === 0);
  }
});

describe("configurations", () => {
  test("a template's names and lists are filled in", () => {
    const template = "port {{port}}\n{{#backends}}server s{{number}} 127.0.0.1:{{backend}}\nend";
    expect(fill(template, { port: 1 }, { backends: [7, 8] })).toBe(
      "port 1\nserver s1 127.0.0.1:7\nserver s2 127.0.0.1:8\nend",
    );
  });

  test("a name without a value is an error, not an empty configuration", () => {
    expect(() => fill("port {{port}}", {})).toThrow('the template asks for "port"');
  });
});
