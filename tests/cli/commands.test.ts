/** The command line as a person meets it, through the compiled binary. */
import { describe, expect, test } from "bun:test";
import { version } from "../../package.json";
import type { ModeDefinition } from "../../src/cli/flag.ts";
import { flagName } from "../../src/cli/flag.ts";
import { renderHelp, renderOverview } from "../../src/cli/help.ts";
import type { Stream } from "../../src/cli/output.ts";
import { parseFlags } from "../../src/cli/parse.ts";
import { suggest } from "../../src/cli/suggest.ts";
import { allModes } from "../../src/modes/flags/all.ts";
import { openLab } from "../support/lab.ts";

const lab = openLab();

describe("rtchat", () => {
  test.each(["--version", "-V"])("%s", async (flag) => {
    expect(await lab.run(flag)).toEqual({ code: 0, signal: null, stdout: `rtchat ${version}\n`, stderr: "" });
  });

  test.each([[[]], [["help"]], [["--help"]], [["-h"]]])("%p shows all modes", async (args) => {
    const { code, stdout, stderr } = await lab.run(...args);
    expect([code, stderr]).toEqual([0, ""]);
    for (const { name, summary } of allModes) {
      expect(stdout.replaceAll(/\s+/g, " ")).toContain(` ${name} ${summary}`);
    }
  });

  test.each([
    [["srver"], `rtchat: there is no mode "srver"\nhint: did you mean rtchat server?\n`],
    [["--prot"], `rtchat: there is no flag "--prot" before a mode\nhint: rtchat help lists the modes: `],
    [
      ["completions", "tcsh"],
      `rtchat completions: "tcsh" is not a SHELL\nhint: did you mean bash? Else write one of bash, zsh, fish\n`,
    ],
    [["help", "servr"], `rtchat help: "servr" is not a MODE\nhint: did you mean server?\n`],
    [["completions"], `rtchat completions: SHELL is missing\nhint: write one of bash, zsh, fish\n`],
    [["id", "--dta", "x"], `rtchat id: unknown flag --dta\nhint: did you mean --data?\n`],
    [["up", "--servers", "0"], `rtchat up: --servers: "0" is not a whole number from 1 to 64\n`],
    [["up", "--port", "99999"], `rtchat up: --port: "99999" is not a port; write a number from 0 to 65535\n`],
    [
      ["up", "--servers", "2", "--server-ports", "18001,18001"],
      `rtchat up: --server-ports: 18001 is named twice\nhint: every process needs a port of its own\n`,
    ],
    [
      ["up", "--port", "18000", "--admin", "18000"],
      `rtchat up: --port and --admin are both 127.0.0.1:18000\nhint: people and operators need a port each\n`,
    ],
    [
      ["up", "--server-ports", "1,2"],
      `rtchat up: --server-ports names 2 ports for 3 servers\nhint: name one a server, or change --servers\n`,
    ],
    [
      ["up", "--backplane", "memory"],
      "rtchat up: --backplane memory is one server's own, and 3 are asked for\n",
    ],
    [["\u001b[31mred"], String.raw`rtchat: there is no mode "\u001b[31mred"`],
  ])("%p is a usage error", async (args, message) => {
    const { code, stdout, stderr } = await lab.run(...args);
    expect(stderr).toStartWith(message);
    expect([code, stdout]).toEqual([2, ""]);
  });

  test("takes flags from variables, and names them when they are wrong", async () => {
    const running = await lab.startWith({ input: "", env: { RTCHAT_DATA: "/dev/null/x" } }, "id");
    const { code, stderr } = await running.ended();
    expect(code).toBe(1);
    expect(stderr).toStartWith("rtchat id: ");
    const wrong = await lab.startWith({ input: "", env: { RTCHAT_SERVERS: "many" } }, "up");
    expect((await wrong.ended()).stderr).toStartWith(
      `rtchat up: RTCHAT_SERVERS: "many" is not a whole number`,
    );
  });

  test("makes a key once and shows its ID", async () => {
    const first = await lab.run("id");
    expect(first.stderr).toStartWith("made a new key in ");
    const again = await lab.run("id");
    expect(again).toEqual({ ...first, stderr: "" });
    expect(again.stdout).toMatch(/^rt1[a-z0-9-]+\n$/);
  });

  test("ends quietly when the reader of its output goes away", async () => {
    const script = `set -o pipefail; "$0" completions bash | true; echo "$?"`;
    for (let n = 0; n < 5; n += 1) {
      const running = await lab.startWith({
        command: [
          "/bin/bash",
          "-c",
          script,
          await import("../support/binary.ts").then((m) => m.rtchatBinary()),
        ],
        input: "",
      });
      const { stdout, stderr } = await running.ended();
      expect(stderr).toBe("");
      // 0 when all of it fitted into the pipe before the reader left.
      expect(["0\n", "141\n"]).toContain(stdout);
    }
  });

  test("uses colour on a terminal only, and not with NO_COLOR", async () => {
    expect((await lab.run("help")).stdout).not.toContain("\u001b");
    const colourful = await lab.terminal({ columns: 90, rows: 40 }, "help");
    await colourful.see(/Modes:/);
    await colourful.ended();
    expect(colourful.raw).toContain("\u001b[1mModes:");
    const plain = await lab.terminalWith({ env: { NO_COLOR: "1" } }, { columns: 90, rows: 40 }, "help");
    await plain.see(/Modes:/);
    await plain.ended();
    expect(plain.raw).not.toContain("\u001b[");
  });
});

test.each(allModes.map((mode) => [mode.name]))("the executable has the mode %s", async (name) => {
  const { code, stdout, stderr } = await lab.run(name, "--help");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toStartWith(`rtchat ${name}: `);
});

describe("the help of each mode", () => {
  const page = (mode: ModeDefinition, columns?: number) =>
    renderHelp(mode, {}, Object.assign(Object.create(process.stdout), { isTTY: false, columns }) as Stream);

  test.each(allModes.map((mode) => [mode.name, mode] as const))("%s names every flag", (_name, mode) => {
    const text = page(mode);
    for (const [key, row] of Object.entries(mode.flags)) {
      expect(text).toContain(`--${flagName(key)}`);
      expect(text.replaceAll(/\s+/g, " ")).toContain(row.summary);
    }
    expect(mode.examples.length).toBeGreaterThan(0);
  });

  test.each(allModes.map((mode) => [mode.name, mode] as const))("%s fits its columns", (_name, mode) => {
    const prose = (columns: number) =>
      page(mode, columns)
        .split("\n")
        .filter((line) => !/^ {2}\S/.test(line) && !line.startsWith("Every flag"));
    for (const columns of [60, 80]) {
      expect(prose(columns).filter((line) => line.length > columns)).toEqual([]);
    }
  });

  test("has examples that work as written", () => {
    for (const mode of allModes) {
      for (const { command } of mode.examples) {
        const [, name, rest] = /rtchat (\w+)\s*([^|<>)]*)/.exec(command) ?? [];
        const shown = allModes.find((one) => one.name === name);
        if (shown === undefined) {
          expect(command).toStartWith("curl ");
          continue;
        }
        // As a shell hands them over: zsh would take a star or a bracket without quotes for a pattern.
        const words = (rest ?? "").split(" ").map((word) => word.replace(/^'(.*)'$/, "$1"));
        parseFlags(shown, words.filter(Boolean), {});
      }
    }
  });

  test("is the same by all ways to ask for it", async () => {
    const asked = await Promise.all([
      lab.run("help", "up"),
      lab.run("up", "--help"),
      lab.run("up", "--port", "-h"),
    ]);
    for (const { code, stdout } of asked) {
      expect(code).toBe(0);
      expect(stdout).toBe(asked[0].stdout);
    }
    expect(asked[0].stdout).toStartWith("rtchat up: a whole cluster in one command");
  });

  test("summaries are one line, in lower case, without a final full stop", () => {
    for (const mode of allModes) {
      const summaries = [mode.summary, ...Object.values(mode.flags).map((row) => row.summary)];
      for (const summary of summaries) expect(summary).toMatch(/^[a-z][^\n]*[^.\n]$/);
    }
    expect(renderOverview(allModes, process.stdout)).toContain("rtchat help MODE");
  });
});

test("a suggestion is near or none", () => {
  const words = ["server", "balancer", "client", "peer", "up", "help"];
  expect(suggest("sever", words)).toBe("server");
  expect(suggest("Balancr", words)).toBe("balancer");
  expect(suggest("cli", words)).toBe("client");
  expect(suggest("pear", words)).toBe("peer");
  expect(suggest("xyzzy", words)).toBeUndefined();
  expect(suggest("", words)).toBeUndefined();
});
