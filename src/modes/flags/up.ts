/** The command line of `rtchat up`. */
import { defineMode, flag } from "../../cli/flag.ts";
import { logFlags } from "../../cli/log.ts";
import { countSchema, portListSchema, portSchema } from "../../cli/schemas.ts";
import { balancerMode } from "./balancer.ts";
import { serverMode } from "./server.ts";
import { adminFlag, chatPort, dataFlag, hostFlag, tlsFlags } from "./common.ts";

export const upMode = defineMode({
  name: "up",
  summary: "a whole cluster in one command: servers and a balancer, supervised",
  description:
    "Starts servers and a balancer as child processes, restarts those that die, shows one log of all, and stops them " +
    "together on Ctrl-C. Any other flag of a server or a balancer can be given as its variable.",
  flags: {
    servers: flag(countSchema(1, 64), { hint: "N", summary: "start this many servers", fallback: "3" }),
    port: flag(portSchema, {
      hint: "PORT",
      summary: "people connect to this port; 0 takes a free one",
      fallback: String(chatPort),
    }),
    host: hostFlag,
    ...tlsFlags,
    serverPorts: flag(portListSchema, {
      hint: "LIST",
      summary:
        "the servers' own ports, one each (default: those after --port, or others where these are taken)",
    }),
    admin: adminFlag,
    adminToken: balancerMode.flags.adminToken,
    adminTokenFile: balancerMode.flags.adminTokenFile,
    policy: balancerMode.flags.policy,
    backplane: serverMode.flags.backplane,
    rateMessages: serverMode.flags.rateMessages,
    burstMessages: serverMode.flags.burstMessages,
    data: dataFlag,
    ...logFlags,
  },
  examples: [
    { command: "rtchat up", does: "three servers, people connect to 127.0.0.1:8000" },
    { command: "rtchat up --host 0.0.0.0 --servers 2", does: "two servers, open to the network" },
    {
      command: "rtchat up --host 0.0.0.0 --tls-cert fullchain.pem --tls-key privkey.pem --tls-only",
      does: "encrypted from the client to the balancer",
    },
    { command: "RTCHAT_HOLD=1m rtchat up", does: "with a flag that only the balancer has" },
  ],
});
