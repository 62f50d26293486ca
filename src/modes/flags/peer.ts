/** The command line of `rtchat peer`. */
import { defineMode, flag, toggle } from "../../cli/flag.ts";
import { addressListSchema, addressSchema, nickSchema, roomSchema } from "../../cli/schemas.ts";
import { langFlag } from "./client.ts";
import { dataFlagFor, downloadsFlag, peerPort } from "./common.ts";

export const peerMode = defineMode({
  name: "peer",
  summary: "chat with no server at all: direct and encrypted",
  description:
    "Connects people's machines to each other over mutual TLS. Each device has its own key, made at first use; its ID " +
    "is the key itself, so what you verify once stays verified. Who knows one peer's address knows the whole mesh soon " +
    "after; everybody keeps its history, and it is complete again after a time apart.",
  flags: {
    listen: flag(addressSchema({ host: "::" }), {
      hint: "[HOST:]PORT",
      summary: "let peers connect here; a bare port is on all addresses, 0 takes a free one",
      fallback: String(peerPort),
    }),
    connect: flag(addressListSchema({ port: peerPort }), {
      hint: "LIST",
      summary: "connect to these peers, trusting on first use the key that answers",
      short: "c",
    }),
    announce: flag(addressListSchema({ port: peerPort }), {
      hint: "LIST",
      summary: "tell others these addresses and not this machine's own, where a port is forwarded",
    }),
    nick: flag(nickSchema, {
      hint: "NICK",
      summary: "be called this; otherwise what you were called last, or your login name",
      short: "n",
    }),
    room: flag(roomSchema, { hint: "ROOM", summary: "write to this room", fallback: "lobby", short: "r" }),
    inviteOnly: toggle({ summary: "let in only who has an invite" }),
    lan: toggle({ summary: "look for members on the local networks by UDP broadcast, and be found there" }),
    forget: flag(addressListSchema({ port: peerPort }), {
      hint: "LIST",
      summary: "forget the keys remembered for these addresses, after a refusal that you can explain",
    }),
    json: toggle({ summary: "print every event as one line of JSON, and take JSON on stdin" }),
    plain: toggle({ summary: "on a terminal: lines below each other instead of the full screen" }),
    follow: toggle({ summary: "stay after the end of stdin", short: "f" }),
    lang: langFlag,
    downloads: downloadsFlag,
    data: dataFlagFor("keep this device's key and messages in this folder, one for each running peer"),
  },
  positional: {
    hint: "INVITE",
    summary: "join by an invite, in quotes: 'rtchat://…'",
    choices: [],
    required: false,
  },
  examples: [
    { command: "rtchat peer --nick ana", does: "wait for others, and print an invite" },
    {
      command: "rtchat peer 'rtchat://…' --nick ben",
      does: "join ana with her invite: her key is known beforehand",
    },
    { command: "rtchat peer --connect 192.168.1.20 --nick ben", does: "join ana by her address alone" },
    {
      command: "echo done | rtchat peer --connect 192.168.1.20 --json",
      does: "say one thing; exit 0 once somebody else holds it",
    },
  ],
});
