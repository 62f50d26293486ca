/** The command lines of the modes that talk to a server: client, send, tail, export. */
import { defineMode, flag, toggle } from "../../cli/flag.ts";
import {
  choiceSchema,
  countSchema,
  durationSchema,
  nickSchema,
  parsedBy,
  pathSchema,
  roomSchema,
  serverListSchema,
} from "../../cli/schemas.ts";
import { parsePin } from "../../net/tls-trust.ts";
import { quote } from "../../protocol/names.ts";
import { chatPort, dataFlagFor, downloadsFlag, operatorSecretFlag } from "./common.ts";

/** Languages of the screens, by their codes. */
const languages = ["en", "es"] as const;

/** How a client talks past the server. */
const p2pModes = ["auto", "relay", "off"] as const;

/** The language of the screens. */
export const langFlag = flag(choiceSchema(languages), {
  hint: "CODE",
  summary: "speak this language (default: as LANG says)",
  choices: languages,
});

const connectFlag = flag(serverListSchema({ port: chatPort }), {
  hint: "LIST",
  summary: `connect to the first of these addresses that answers, with TLS to tls://HOST:PORT (default: the last one used, else 127.0.0.1:${chatPort})`,
  short: "c",
});

function requirePin(text: string): string {
  const pin = parsePin(text);
  if (pin === undefined) {
    throw new RangeError(`${quote(text)} is no SHA-256 fingerprint; write its 64 hex digits`);
  }
  return pin;
}

const nickFlag = (fallback: string) =>
  flag(nickSchema, { hint: "NICK", summary: `be called this (default: ${fallback})`, short: "n" });

const roomFlag = flag(roomSchema, {
  hint: "ROOM",
  summary: "join this room",
  fallback: "lobby",
  short: "r",
});

const tlsFlags = {
  tls: toggle({ summary: "connect with TLS, whatever the addresses say" }),
  tlsCa: flag(pathSchema, {
    hint: "FILE",
    summary:
      "with TLS: trust this authority, or this very certificate (PEM), instead of the system's authorities",
    completes: "file",
  }),
  tlsPin: flag(parsedBy(requirePin), {
    hint: "SHA256",
    summary: "with TLS: trust the certificate with this fingerprint and no other",
  }),
};

const shared = {
  connect: connectFlag,
  ...tlsFlags,
  nick: nickFlag("your login name"),
  room: roomFlag,
  lang: langFlag,
};

export const clientMode = defineMode({
  name: "client",
  summary: "chat in the terminal, or from a pipe",
  description:
    "Connects to a balancer or straight to a server. On a terminal it is a chat window; in a pipe each line of stdin " +
    "is sent, and the exit code is 0 only if every one was acknowledged. Without --follow it gives up when no server can " +
    "be reached for 5 s, or for 60 s once it was connected or a balancer keeps its place; a nick that a crashed run still holds is waited for.",
  flags: {
    ...shared,
    nick: nickFlag("asked for once on a terminal, else your login name"),
    room: flag(roomSchema, {
      hint: "ROOM",
      summary: "join this room and no other (default: on a terminal those of last time, else lobby)",
      short: "r",
    }),
    json: toggle({
      summary: "print every event as one line of JSON; take text or protocol objects on stdin",
    }),
    plain: toggle({ summary: "on a terminal: lines below each other instead of the full screen" }),
    follow: toggle({ summary: "stay when stdin ends", short: "f" }),
    bot: toggle({
      summary:
        "be listed as a program, whose coming and going nobody is told of, as send, tail and export are",
    }),
    p2p: flag(choiceSchema(p2pModes), {
      hint: "HOW",
      summary:
        "talk past the server with /p2p: auto is directly where that works, relay tells nobody this machine's addresses, off not at all",
      fallback: "auto",
      choices: p2pModes,
    }),
    operatorSecretFile: operatorSecretFlag(
      "with the operators' secret from this file: /kick, /ban, /unban, /bans",
    ),
    downloads: downloadsFlag,
    data: dataFlagFor("keep this device's key and the keys of others in this folder"),
  },
  examples: [
    { command: "rtchat client --nick ana", does: "chat in the lobby of this machine's cluster" },
    { command: "rtchat client --connect chat.example.org --room garden", does: "somewhere else" },
    { command: "rtchat client --connect tls://chat.example.org", does: "encrypted, if it has a certificate" },
    {
      command: "echo 'backup done' | rtchat client --nick bot",
      does: "send a line, exit 0 when it is safe in the log",
    },
    {
      command: "rtchat client --nick reader --json --follow < /dev/null",
      does: "every event, for a program",
    },
  ],
});

export const sendMode = defineMode({
  name: "send",
  summary: "send one message; the exit code tells whether it is safe",
  description:
    "Sends its argument, or all of stdin as one message, and exits 0 when it is in the log. Without --nick, a nick that " +
    "is taken gets a suffix.",
  flags: shared,
  positional: {
    hint: "TEXT",
    summary: "the message; without it stdin is",
    choices: [],
    required: false,
    rest: true,
  },
  examples: [
    { command: 'rtchat send --room ops "deploy done"', does: "tell the room" },
    { command: "uptime | rtchat send --room ops --nick web1", does: "what a command says, as one message" },
  ],
});

export const tailMode = defineMode({
  name: "tail",
  summary: "print the last messages of a room, and stay if asked",
  description:
    "Prints messages as lines, or as the protocol's JSON; with --follow it stays and prints what comes.",
  flags: {
    ...shared,
    since: flag(durationSchema, { hint: "TIME", summary: "those of the last 10m, 2h, 7d" }),
    lines: flag(countSchema(1, 1_000_000), {
      hint: "N",
      summary: "at most this many (default: 10, or all of --since)",
    }),
    follow: toggle({ summary: "stay and print what comes", short: "f" }),
    json: toggle({ summary: "as one object a line" }),
  },
  examples: [
    { command: "rtchat tail --room ops --since 10m", does: "what happened in the last ten minutes" },
    { command: "rtchat tail --room ops --follow --json | jq .text", does: "for a program" },
  ],
});

const formats = ["jsonl", "md", "html"] as const;

export const exportMode = defineMode({
  name: "export",
  summary: "write all messages of a room as JSON lines, Markdown or HTML",
  description: "Reads the whole log from its beginning. Exits 1 if it could not be read to the end.",
  flags: {
    ...shared,
    format: flag(choiceSchema(formats), {
      hint: "FORMAT",
      summary: "jsonl, md or html",
      fallback: "jsonl",
      choices: formats,
    }),
    out: flag(pathSchema, {
      hint: "FILE",
      summary: "write to this file, which appears when it is complete (default: stdout)",
      short: "o",
      completes: "file",
    }),
  },
  examples: [
    { command: "rtchat export --room ops --format html --out ops.html", does: "a page to keep" },
    { command: "rtchat export --room ops | gzip > ops.jsonl.gz", does: "an archive" },
  ],
});
