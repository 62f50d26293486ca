/** The command line of `rtchat balancer`. */
import { defineMode, flag } from "../../cli/flag.ts";
import { logFlags } from "../../cli/log.ts";
import { addressListSchema, portSchema } from "../../cli/schemas.ts";
import { adminFlag, chatPort, dataFlag, hostFlag } from "./common.ts";

export const balancerMode = defineMode({
  name: "balancer",
  summary: "the one address people connect to; spreads them over the healthy servers",
  description:
    "Accepts clients and gives each to the next healthy server in turn. When a server dies, its people are moved to " +
    "others and keep their connection. Servers may start before or after the balancer.",
  flags: {
    backends: flag(addressListSchema(), {
      hint: "LIST",
      summary: "the servers, as ports, host:port or [v6]:port, separated by commas",
      fallback: "8001,8002,8003",
    }),
    port: flag(portSchema, {
      hint: "PORT",
      summary: "listen for clients on this port; 0 takes a free one",
      fallback: String(chatPort),
    }),
    host: hostFlag,
    admin: adminFlag,
    data: dataFlag,
    ...logFlags,
  },
  examples: [
    { command: "rtchat balancer --backends 8001,8002,8003", does: "three servers on this machine" },
    {
      command: "rtchat balancer --backends 10.0.0.5:8001,[fd00::6]:8001 --host 0.0.0.0",
      does: "open to the network",
    },
    { command: "curl -s 127.0.0.1:8080/health", does: "how the servers are doing" },
  ],
});
