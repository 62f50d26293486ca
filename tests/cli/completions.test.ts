/** Completion scripts, from the real binary into real shells. */
import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { renderCompletions, shells } from "../../src/cli/completions.ts";
import { defineMode, flag } from "../../src/cli/flag.ts";
import { pathSchema } from "../../src/cli/schemas.ts";
import { openLab } from "../support/lab.ts";
import { findService } from "../support/services.ts";

const lab = openLab();
const bash = findService("bash");
const zsh = findService("zsh");
const fish = findService("fish");
const scripts: Record<string, string> = {};

beforeAll(async () => {
  for (const shell of shells) {
    const { code, stdout } = await lab.run("completions", shell);
    expect(code).toBe(0);
    scripts[shell] = join(await lab.folder(), `rtchat.${shell}`);
    await Bun.write(scripts[shell], stdout);
  }
});

/** Runs a shell's script and gives what it printed, sorted. */
async function printed(command: readonly string[]): Promise<string[]> {
  const running = await lab.startWith({ command, input: "" });
  const { code, stdout, stderr } = await running.ended();
  expect(stderr).toBe("");
  expect(code).toBe(0);
  return stdout.split("\n").filter(Boolean).sort();
}

/** What a line completes to: `line` as typed, the last word being completed. */
const cases: readonly (readonly [line: string, words: readonly string[]])[] = [
  ["rtchat se", ["send", "server"]],
  ["rtchat server --ba", ["--backplane"]],
  ["rtchat server --backplane ", ["keeper", "memory"]],
  ["rtchat server --backplane k", ["keeper"]],
  ["rtchat server --port ", []],
  ["rtchat balancer --no", ["--no-admin"]],
  ["rtchat completions ", ["bash", "fish", "zsh"]],
  ["rtchat completions z", ["zsh"]],
  ["rtchat nosuch --", []],
];

/** Where a word may stand, a flag may too: bash offers both, fish flags only after a dash. */
const takesWord = (line: string) => line === "rtchat completions ";

describe.skipIf(bash === undefined)("bash", () => {
  const complete = (...words: string[]) =>
    printed([
      bash!,
      "--norc",
      "-c",
      `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rtchat; printf '%s\\n' "\${COMPREPLY[@]}"`,
      scripts["bash"]!,
      ...words,
    ]);

  test.each(cases)("%s", async (line, words) => {
    const found = await complete(...line.split(" "));
    expect(found.filter((word) => !(takesWord(line) && word.startsWith("--")))).toEqual([...words]);
  });

  test("completes after =, which bash passes as a word of its own", async () => {
    expect(await complete("rtchat", "server", "--backplane", "=", "m")).toEqual(["memory"]);
    expect(await complete("rtchat", "server", "--backplane", "=")).toEqual(["keeper", "memory"]);
  });

  test("completes folders with spaces in their names", async () => {
    const folder = join(await lab.folder(), "a b");
    await Bun.write(join(folder, "x"), "");
    expect(await complete("rtchat", "server", "--data", folder.slice(0, -2))).toEqual([folder]);
  });

  test("registers itself", async () => {
    expect(
      await printed([bash!, "--norc", "-c", `source "$0"; complete -p rtchat`, scripts["bash"]!]),
    ).toEqual(["complete -F _rtchat rtchat"]);
  });
});

describe.skipIf(fish === undefined)("fish", () => {
  test.each(cases)("%s", async (line, words) => {
    const found = await printed([
      fish!,
      "--no-config",
      "-c",
      `source ${scripts["fish"]}; complete -C '${line}'`,
    ]);
    const names = found
      .map((row) => row.split("\t")[0])
      .filter((word) => !(takesWord(line) && word?.startsWith("--")));
    expect(names).toEqual([...words]);
  });

  test("shows summaries", async () => {
    const found = await printed([
      fish!,
      "--no-config",
      "-c",
      `source ${scripts["fish"]}; complete -C 'rtchat server --por'`,
    ]);
    expect(found).toEqual(["--port\tlisten on this port; 0 takes a free one"]);
  });
});

describe.skipIf(zsh === undefined)("zsh", () => {
  test("completes modes, flags and values at a real prompt", async () => {
    const folder = await lab.folder();
    const setup = `PS1='> '; autoload -U compinit; compinit -D -u; source ${scripts["zsh"]}; clear`;
    const screen = await lab.terminalWith(
      { command: [zsh!, "-f", "-i"], env: { ZDOTDIR: folder } },
      { columns: 100, rows: 24 },
    );
    await screen.see(/%|#|>/);
    screen.type(`${setup}\r`);
    await screen.see(/^> ?$/);
    const completes = async (typed: string, shown: RegExp) => {
      screen.type(`${typed}\t`);
      await screen.see(shown);
      screen.press("ctrl-u");
      screen.type("clear\r");
      await screen.see(/^> ?$/);
    };
    await completes("rtchat ser", /^> rtchat server/);
    await completes("rtchat server --backp", /^> rtchat server --backplane=/);
    await completes("rtchat server --backplane k", /^> rtchat server --backplane keeper/);
    await completes("rtchat completions b", /^> rtchat completions bash/);
    await completes("rtchat balancer --no-", /^> rtchat balancer --no-admin/);
    screen.type("exit\r");
    expect(await screen.ended()).toBe(0);
  });
});

test("words with quotes, brackets, colons and backslashes do not break a script", async () => {
  const mode = defineMode({
    name: "odd",
    summary: `isn't it: [odd] \\ "$(touch nowhere)"`,
    description: "",
    flags: { file: flag(pathSchema, { hint: "A:[B]", summary: `don't: [x] \\ \`y\``, completes: "file" }) },
    examples: [],
  });
  for (const [shell, program] of [
    ["bash", bash],
    ["zsh", zsh],
    ["fish", fish],
  ] as const) {
    if (program === undefined) continue;
    const path = join(await lab.folder(), `odd.${shell}`);
    await Bun.write(path, renderCompletions(shell, [mode]));
    expect(await printed([program, "-n", path])).toEqual([]);
  }
});
