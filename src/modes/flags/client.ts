/** The command line of `rtchat client`. */
import { defineMode, flag, toggle } from "../../cli/flag.ts";
import { addressListSchema, roomSchema } from "../../cli/schemas.ts";
import { chatPort, nickFlag } from "./common.ts";

export const clientMode = defineMode({
  name: "client",
  summary: "chat in the terminal, or from a pipe",
  description:
    "Connects to a balancer or straight to a server. On a terminal it is a chat window; in a pipe each line of stdin " +
    "is sent, and the exit code is 0 only if every one was acknowledged.",
  flags: {
    connect: flag(addressListSchema({ port: chatPort }), {
      hint: "LIST",
      summary: "connect to the first of these addresses that answers",
      fallback: `127.0.0.1:${chatPort}`,
      short: "c",
    }),
    nick: nickFlag,
    room: flag(roomSchema, { hint: "ROOM", summary: "join this room", fallback: "lobby", short: "r" }),
    json: toggle({
      summary: "print every event as one line of JSON; take text or protocol objects on stdin",
    }),
    plain: toggle({ summary: "on a terminal: lines below each other instead of the full screen" }),
    follow: toggle({ summary: "stay when stdin ends", short: "f" }),
  },
  examples: [
    { command: "rtchat client --nick ana", does: "chat in the lobby of this machine's cluster" },
    { command: "rtchat client --connect chat.example.org --room garden", does: "somewhere else" },
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
