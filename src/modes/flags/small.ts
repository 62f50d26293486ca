/** The command lines of the modes that print something and end. */
import { defineMode, toggle } from "../../cli/flag.ts";
import { shells } from "../../cli/completions.ts";
import { dataFlag, dataFlagFor } from "./common.ts";

export const idMode = defineMode({
  name: "id",
  summary: "show this device's peer ID, making its key at first use",
  description:
    "The ID is the public key of this device in a readable form with a checksum. Compare it with what others see to " +
    "know that you talk to each other and to nobody between you.",
  flags: {
    data: dataFlagFor("keep this device's key in this folder"),
    json: toggle({ summary: "print it as one line of JSON" }),
  },
  examples: [
    { command: "rtchat id", does: "read it to a friend over the phone" },
    {
      command: "rtchat id --json",
      does: "for programs: the ID, the key's file, whether it was made just now",
    },
  ],
});

export const backupMode = defineMode({
  name: "backup",
  summary: "copy a data folder's messages while its servers run",
  description:
    "Makes a new folder with the log as it is at this moment and the cluster's secret. To restore it, stop the servers, " +
    "move their data folder away, and put a copy of the backup in its place. People who saw later messages than it has are told " +
    "that something is missing.",
  flags: { data: dataFlag },
  positional: { hint: "FOLDER", summary: "make this folder", choices: [], required: true },
  examples: [
    { command: "rtchat backup /var/backups/rtchat-monday", does: "name another folder each time" },
    { command: "rtchat up --data /tmp/copy-of-monday", does: "look into a copy of one" },
  ],
});

export const completionsMode = defineMode({
  name: "completions",
  summary: "print a shell's completion script",
  description: "Pressing Tab then completes modes, flags and their values.",
  flags: {},
  positional: { hint: "SHELL", summary: "the shell to complete in", choices: shells, required: true },
  examples: [
    { command: "source <(rtchat completions bash)", does: "in ~/.bashrc" },
    { command: "source <(rtchat completions zsh)", does: "in ~/.zshrc, after compinit" },
    { command: "rtchat completions fish | source", does: "in ~/.config/fish/config.fish" },
  ],
});

export const configMode = (names: readonly string[]) =>
  defineMode({
    name: "config",
    summary: "show every setting and where it comes from",
    description:
      "Settings are flags, variables, or lines of rtchat.toml, in this order; nobody needs any. Misspelt lines of the " +
      "file are named.",
    flags: {},
    positional: { hint: "MODE", summary: "show one mode's settings only", choices: names, required: false },
    examples: [
      { command: "rtchat config client", does: "the client's settings" },
      { command: "RTCHAT_NICK=bob rtchat config client", does: "with a variable that beats the file" },
    ],
  });

/** help's own row; its argument is the name of any mode. */
export const helpMode = (names: readonly string[]) =>
  defineMode({
    name: "help",
    summary: "show this overview, or the help of one mode",
    description: "The same as rtchat MODE --help.",
    flags: {},
    positional: {
      hint: "MODE",
      summary: "the mode to explain",
      choices: [...names, "help"],
      required: false,
    },
    examples: [{ command: "rtchat help server", does: "all flags of the server" }],
  });
