/** The table of flags, tried on a small mode with one row of each kind. */
import { describe, expect, test } from "bun:test";
import { UsageError } from "../../src/cli/errors.ts";
import { type Config, defineMode, flag, flagName, toggle, variableName } from "../../src/cli/flag.ts";
import { parseFlags, wantsHelp } from "../../src/cli/parse.ts";
import {
  addressSchema,
  choiceSchema,
  countSchema,
  durationSchema,
  portSchema,
} from "../../src/cli/schemas.ts";

const mode = defineMode({
  name: "trial",
  summary: "a mode for this test",
  description: "It does nothing.",
  flags: {
    port: flag(portSchema, { hint: "PORT", summary: "port", fallback: "8001", short: "p" }),
    admin: flag(addressSchema(), { hint: "ADDRESS", summary: "admin", fallback: "8080", negative: "none" }),
    kind: flag(choiceSchema(["keeper", "memory"]), { hint: "KIND", summary: "kind", fallback: "keeper" }),
    hold: flag(durationSchema, { hint: "TIME", summary: "hold" }),
    dataFolder: flag(countSchema(1, 9), {
      hint: "N",
      summary: "from the environment",
      fallback: (environment) => environment["SIZE"] ?? "3",
    }),
    adminToken: flag(countSchema(1, 2), { hint: "TOKEN", summary: "secret", secret: true }),
    json: toggle({ summary: "json", short: "j" }),
    follow: toggle({ summary: "follow" }),
  },
  examples: [],
});
type Trial = Config<(typeof mode)["flags"]>;

function parse(line: string, environment: Record<string, string> = {}): Trial {
  return parseFlags(mode, line === "" ? [] : line.split(" "), environment).config;
}

/** What parsing complains about: the message, and the hint in brackets. */
function complaint(line: string, environment: Record<string, string> = {}): string {
  try {
    parse(line, environment);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    expect(error.exitCode).toBe(2);
    return `${error.message} [${error.hint}]`;
  }
  return "";
}

const defaults: Trial = {
  port: 8001,
  admin: { host: "127.0.0.1", port: 8080 },
  kind: "keeper",
  hold: undefined,
  dataFolder: 3,
  adminToken: undefined,
  json: false,
  follow: false,
};

describe("flags", () => {
  test("have their fallbacks", () => {
    expect(parse("")).toEqual(defaults);
    expect(parse("", { SIZE: "7" }).dataFolder).toBe(7);
  });

  test("are read in every usual form", () => {
    expect(parse("--port 9 --kind memory --json")).toEqual({
      ...defaults,
      port: 9,
      kind: "memory",
      json: true,
    });
    expect(parse("--port=9 -j")).toEqual({ ...defaults, port: 9, json: true });
    expect(parse("-p 9 --data-folder=2")).toEqual({ ...defaults, port: 9, dataFolder: 2 });
    expect(parse("-p9 --dataFolder 2")).toEqual({ ...defaults, port: 9, dataFolder: 2 });
    expect(parse("-jp 9")).toEqual({ ...defaults, port: 9, json: true });
    expect(parse("--hold 90s").hold).toBe(90_000);
    expect(parse("--port 9 --port 10").port).toBe(10);
  });

  test("may be switched off where the table says so", () => {
    expect(parse("--no-admin").admin).toBe(false);
    expect(parse("--admin 0.0.0.0:1").admin).toEqual({ host: "0.0.0.0", port: 1 });
    expect(parse("--no-json").json).toBe(false);
    expect(parse("--json=false").json).toBe(false);
    expect(complaint("--no-port")).toBe("--port cannot be switched off with --no-port []");
  });

  test("beat their variables, which beat the fallbacks; an empty variable is unset", () => {
    expect(parse("", { RTCHAT_PORT: "7", RTCHAT_JSON: "yes", RTCHAT_FOLLOW: "off" })).toEqual({
      ...defaults,
      port: 7,
      json: true,
    });
    expect(parse("--port 9", { RTCHAT_PORT: "7" }).port).toBe(9);
    expect(parse("--no-json", { RTCHAT_JSON: "1" }).json).toBe(false);
    expect(parse("", { RTCHAT_PORT: "", RTCHAT_JSON: "" })).toEqual(defaults);
    expect(parse("", { RTCHAT_ADMIN: "off" }).admin).toBe(false);
    expect(parse("", { RTCHAT_DATA_FOLDER: "5" }).dataFolder).toBe(5);
  });

  test("are remembered as they were written, for a child", () => {
    const environment = { RTCHAT_KIND: "memory", RTCHAT_PORT: "7", RTCHAT_HOLD: "", OTHER: "x" };
    const { written } = parseFlags(mode, ["--port", "9", "--no-admin", "--json", "--no-follow"], environment);
    expect(Object.fromEntries(written)).toEqual({
      port: "9",
      admin: "off",
      kind: "memory",
      json: "true",
      follow: "false",
    });
    const again = Object.fromEntries([...written].map(([key, text]) => [variableName(key), text]));
    expect(parse("", again)).toEqual({ ...defaults, port: 9, admin: false, kind: "memory", json: true });
  });

  test("give a frozen configuration", () => {
    expect(Object.isFrozen(parse(""))).toBe(true);
  });
});

describe("what is refused, with which words", () => {
  test.each([
    ["--prot 9", "unknown flag --prot [did you mean --port?]"],
    ["--Port 9", "unknown flag --Port [did you mean --port?]"],
    ["--datafolder 9", "unknown flag --datafolder [did you mean --data-folder?]"],
    ["--no-amdin", "unknown flag --amdin [did you mean --admin?]"],
    ["--admin 1 --no-admin", "--admin and --no-admin contradict each other [write one of them]"],
    ["--no-admin --admin=1", "--admin and --no-admin contradict each other [write one of them]"],
    ["--zzzzzz", "unknown flag --zzzzzz [rtchat help trial lists its flags]"],
    ["-x", "unknown flag -x [rtchat help trial lists its flags]"],
    ["8001", `unexpected argument "8001" [see rtchat help trial]`],
    ["--json 8001", `unexpected argument "8001" [see rtchat help trial]`],
    ["-- --port", `unexpected argument "--port" [see rtchat help trial]`],
    ["--port", "--port needs a value [write --port PORT]"],
    ["--port=", "--port needs a value [write --port PORT]"],
    [
      "--port --json",
      `--port needs a value, but the flag "--json" follows [write --port PORT, or --port=--json if that is the value]`,
    ],
    ["--port=-1", `--port: "-1" is not a port; write a number from 0 to 65535 []`],
    ["--port 80000", `--port: "80000" is not a port; write a number from 0 to 65535 []`],
    ["--kind redis", `--kind: "redis" is none of keeper, memory []`],
    ["--hold 5", `--hold: "5" is not a time; write it as 500ms, 30s, 5m, 2h or 7d []`],
    ["--data-folder 10", `--data-folder: "10" is not a whole number from 1 to 9 []`],
    ["--json=perhaps", `--json takes no value, but got "perhaps" [write --json or leave it out]`],
    ["--admin-token 12345", "--admin-token has a value that cannot be used []"],
    ["--admin :80", `--admin: ":80" names no host; write 80 or host:80 []`],
    ["--constructor", "unknown flag --constructor [rtchat help trial lists its flags]"],
  ])("%s", (line, message) => {
    expect(complaint(line)).toBe(message);
  });

  test("a variable is named by its own name", () => {
    expect(complaint("", { RTCHAT_PORT: "x" })).toStartWith(`RTCHAT_PORT: "x" is not a port`);
    expect(complaint("", { RTCHAT_JSON: "maybe" })).toBe(
      `RTCHAT_JSON is "maybe" [set it to true or false, or unset it]`,
    );
    expect(complaint("", { RTCHAT_ADMIN_TOKEN: "12345" })).toBe(
      "RTCHAT_ADMIN_TOKEN has a value that cannot be used []",
    );
  });
});

describe("a word after the mode", () => {
  const positional = { hint: "SHELL", summary: "shell", choices: ["bash", "fish"], required: true };
  const shell = (required: boolean, ...args: string[]) =>
    parseFlags({ ...mode, positional: { ...positional, required } }, args, {}).positional;

  test("is one of its choices", () => {
    expect(shell(true, "bash")).toBe("bash");
    expect(shell(false)).toBeUndefined();
    expect(() => shell(true)).toThrow("SHELL is missing");
    expect(() => shell(true, "zsh")).toThrow(`"zsh" is not a SHELL`);
    expect(() => shell(true, "bash", "fish")).toThrow(`unexpected argument "fish"`);
  });
});

test("help is asked for anywhere before --", () => {
  expect(wantsHelp(["--port", "1", "-h"])).toBe(true);
  expect(wantsHelp(["--help"])).toBe(true);
  expect(wantsHelp(["--", "--help"])).toBe(false);
  expect(wantsHelp([])).toBe(false);
});

test("a key gives the flag and the variable", () => {
  expect(flagName("clusterSecretFile")).toBe("cluster-secret-file");
  expect(variableName("clusterSecretFile")).toBe("RTCHAT_CLUSTER_SECRET_FILE");
});
