/** The command line of `rtchat server`. */
import { defineMode, flag } from "../../cli/flag.ts";
import { logFlags } from "../../cli/log.ts";
import { choiceSchema, countSchema, nickSchema, parsedBy, portSchema } from "../../cli/schemas.ts";
import { type RedisAddress, parseRedisAddress } from "../../backplane/redis/address.ts";
import { hubLimits } from "../../protocol/limits.ts";
import { quote } from "../../protocol/names.ts";
import { clusterSecretFlag, dataFlag, hostFlag, operatorSecretFlag, tlsFlags } from "./common.ts";

const backplanes = ["keeper", "memory"] as const;
const durabilities = ["process", "power"] as const;

/** Where the cluster's logs are: one of two words, or a Redis. */
function parseBackplane(text: string): "keeper" | "memory" | RedisAddress {
  if (text === "keeper" || text === "memory") return text;
  if (/^rediss?:/.test(text)) return parseRedisAddress(text);
  throw new RangeError(`${quote(text)} is none of keeper, memory and redis://HOST:PORT`);
}

export const serverMode = defineMode({
  name: "server",
  summary: "a chat backend: rooms, history, presence, direct messages",
  description:
    "Serves chat to balancers and, on the same port, to clients directly. Servers on one machine that use the same " +
    "data folder form one cluster: people on different servers are in the same rooms.",
  flags: {
    port: flag(portSchema, {
      hint: "PORT",
      summary: "listen on this port; 0 takes a free one",
      fallback: "8001",
    }),
    host: hostFlag,
    name: flag(nickSchema, {
      hint: "NAME",
      summary: "be called this in logs and health reports (default: made from the address)",
    }),
    ...tlsFlags,
    data: dataFlag,
    backplane: flag(parsedBy(parseBackplane), {
      hint: "KIND",
      summary:
        "keeper: messages are kept in the data folder; memory: they are gone when the server stops; " +
        "redis://HOST:PORT (or rediss://, a password, a database, a Cluster): for servers on several machines",
      fallback: "keeper",
      choices: backplanes,
    }),
    clusterSecretFile: clusterSecretFlag,
    durability: flag(choiceSchema(durabilities), {
      hint: "KIND",
      summary:
        "what an acknowledgement survives: process, the end of every process; power, also a power cut (each waits for the disk)",
      fallback: "process",
      choices: durabilities,
    }),
    keepMessages: flag(countSchema(1, 1_000_000_000), {
      hint: "N",
      summary: "keep only the newest N messages of each room (default: all)",
    }),
    keepDays: flag(countSchema(1, 36_500), {
      hint: "N",
      summary: "keep only messages of the last N days (default: all)",
    }),
    rateMessages: flag(countSchema(1, hubLimits.messagesRateMost), {
      hint: "N",
      summary: "messages a second that one client may send, sustained",
      fallback: String(hubLimits.messagesPerSecond),
    }),
    burstMessages: flag(countSchema(1, hubLimits.messagesRateMost), {
      hint: "N",
      summary: `and at once, after a pause (default: those of one second, at least ${hubLimits.messagesBurstLeast})`,
    }),
    operatorSecretFile: operatorSecretFlag(
      "who has the secret in this file may put others out and ban addresses (give it to all servers)",
    ),
    ...logFlags,
  },
  examples: [
    { command: "rtchat server --port 8001", does: "the first server of a cluster" },
    { command: "rtchat server --port 8002", does: "a second one on the same machine, same rooms" },
    {
      command:
        "RTCHAT_BACKPLANE=redis://:PASSWORD@10.0.0.9 rtchat server --host 10.0.0.5 --cluster-secret-file secret",
      does: "one of several machines; a variable keeps the password out of the process list",
    },
    { command: "rtchat server --rate-messages 5", does: "nobody may flood a room" },
    { command: "rtchat server --backplane memory --port 9000", does: "a chat that leaves nothing behind" },
  ],
});
