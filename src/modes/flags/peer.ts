/** The command line of `rtchat peer`. */
import { defineMode, flag, toggle } from "../../cli/flag.ts";
import { logFlags } from "../../cli/log.ts";
import { addressListSchema, addressSchema } from "../../cli/schemas.ts";
import { dataFlag, nickFlag, peerPort } from "./common.ts";

export const peerMode = defineMode({
  name: "peer",
  summary: "chat with no server at all: direct and encrypted",
  description:
    "Connects people's machines to each other over mutual TLS. Each device has its own key, made at first use; its ID " +
    "is the key itself, so what you verify once stays verified.",
  flags: {
    listen: flag(addressSchema(), {
      hint: "[HOST:]PORT",
      summary: "let peers connect here; 0 takes a free port",
      fallback: String(peerPort),
    }),
    connect: flag(addressListSchema({ port: peerPort }), {
      hint: "LIST",
      summary: "connect to these peers",
      short: "c",
    }),
    nick: nickFlag,
    json: toggle({ summary: "print every event as one line of JSON" }),
    data: dataFlag,
    ...logFlags,
  },
  examples: [
    { command: "rtchat peer --listen 0.0.0.0:5002 --nick ana", does: "wait for others" },
    { command: "rtchat peer --connect 192.168.1.20 --nick ben", does: "connect to ana's machine" },
  ],
});
