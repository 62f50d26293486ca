/** The command line of `rtchat balancer`. */
import { policyNames } from "../../balancer/policy.ts";
import { defineMode, flag } from "../../cli/flag.ts";
import { logFlags } from "../../cli/log.ts";
import {
  choiceSchema,
  countSchema,
  durationFrom,
  durationSchema,
  hostListSchema,
  pathSchema,
  portSchema,
  weightedListSchema,
} from "../../cli/schemas.ts";
import { balancerLimits } from "../../protocol/limits.balancer.ts";
import { edgeLimits } from "../../protocol/limits.ts";
import { adminFlag, chatPort, clusterSecretFlag, dataFlag, hostFlag, tlsFlags } from "./common.ts";
import { z } from "zod";

/** Anything; what it must be is checked where it is used, with a message that does not show it. */
const secretSchema = z.string();

export const balancerMode = defineMode({
  name: "balancer",
  summary: "the one address people connect to; spreads them over the healthy servers",
  description:
    "Accepts clients and gives each to the next healthy server in turn. When a server dies, its people are moved to " +
    "others and keep their connection. Servers may start before or after the balancer.",
  flags: {
    backends: flag(weightedListSchema, {
      hint: "LIST",
      summary: "the servers, as ports, host:port or [v6]:port, with commas; 8001*3 gets three times as many",
      fallback: "8001,8002,8003",
    }),
    backendsFile: flag(pathSchema, {
      hint: "FILE",
      summary: "read the servers from this file instead, and again at SIGHUP",
      completes: "file",
    }),
    port: flag(portSchema, {
      hint: "PORT",
      summary: "listen for clients on this port; 0 takes a free one",
      fallback: String(chatPort),
    }),
    host: hostFlag,
    ...tlsFlags,
    admin: adminFlag,
    adminHost: flag(hostListSchema, {
      hint: "NAMES",
      summary: "names by which browsers may call the admin endpoint, beside addresses and localhost",
    }),
    adminToken: flag(secretSchema, {
      hint: "TOKEN",
      summary: "ask for this token; needed when the admin endpoint is open to the network",
      secret: true,
    }),
    adminTokenFile: flag(pathSchema, {
      hint: "FILE",
      summary: "read that token from this file",
      completes: "file",
    }),
    policy: flag(choiceSchema(policyNames), {
      hint: "POLICY",
      summary: "how to choose a server: round-robin, least-sessions or two-choices",
      fallback: "round-robin",
      choices: policyNames,
    }),
    slowStart: flag(durationSchema, {
      hint: "TIME",
      summary: "from recovery to its full share of new people; 0 for at once",
      fallback: `${balancerLimits.slowStartMs / 1_000}s`,
    }),
    rebalance: flag(countSchema(0, balancerLimits.moveRate), {
      hint: "N",
      summary: "move so many people a second to a server that joins; 0 moves none",
      fallback: "0",
    }),
    checkInterval: flag(
      durationFrom(balancerLimits.checkLeastMs, "as servers report themselves a few times a second"),
      {
        hint: "TIME",
        summary: "between two health checks of a server",
        fallback: `${balancerLimits.checkMs / 1_000}s`,
      },
    ),
    hold: flag(durationSchema, {
      hint: "TIME",
      summary: "keep people waiting so long when no server is there",
      fallback: `${edgeLimits.holdMs / 1_000}s`,
    }),
    maxConnections: flag(countSchema(1, 1_000_000), {
      hint: "N",
      summary: "most connections at once",
      fallback: String(edgeLimits.connections),
    }),
    maxPerAddress: flag(countSchema(0, 1_000_000), {
      hint: "N",
      summary:
        "most connections of one address (IPv6: one /64), 0 for no limit (default 1000, none on loopback)",
    }),
    newPerSecond: flag(countSchema(0, 1_000_000), {
      hint: "N",
      summary: "new connections a second of one address, 0 for no limit (default 100, none on loopback)",
    }),
    proxyProtocolFrom: flag(pathSchema, {
      hint: "CIDR",
      summary: "expect a PROXY header, v1 or v2, from these networks, and believe it",
    }),
    workers: flag(countSchema(1, balancerLimits.workers), {
      hint: "N",
      summary: "share the port among so many processes",
      fallback: "1",
    }),
    data: dataFlag,
    clusterSecretFile: clusterSecretFlag,
    ...logFlags,
  },
  examples: [
    { command: "rtchat balancer --backends 8001,8002,8003", does: "three servers on this machine" },
    {
      command: "rtchat balancer --backends '10.0.0.5:8001,[fd00::6]:8001' --host 0.0.0.0",
      does: "open to the network",
    },
    {
      command: "rtchat balancer --host 0.0.0.0 --tls-cert fullchain.pem --tls-key privkey.pem --tls-only",
      does: "encrypted from the client to here",
    },
    {
      command: "rtchat balancer --backends '8001*3,8002' --policy least-sessions",
      does: "one server is larger",
    },
    { command: "curl -s 127.0.0.1:8080/health", does: "how the servers are doing" },
    {
      command: `curl --json '{}' 127.0.0.1:8080/api/v1/backends/8001/drain`,
      does: "empty a server before an update",
    },
  ],
});
