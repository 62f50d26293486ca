/** The command line of `rtchat status`. */
import { z } from "zod";
import { defineMode, flag, toggle } from "../../cli/flag.ts";
import { httpEndpointSchema } from "../../cli/schemas.ts";

export const statusMode = defineMode({
  name: "status",
  summary: "show how a balancer and its servers are doing",
  description:
    "Asks a balancer's admin endpoint. Exits 0 while people can be served, 1 when not or when nobody answers, so that " +
    "it serves as a health check too.",
  flags: {
    admin: flag(httpEndpointSchema, {
      hint: "URL",
      summary: "the admin endpoint, as a port, host:port or URL",
      fallback: "http://127.0.0.1:8080",
    }),
    adminToken: flag(z.string(), { hint: "TOKEN", summary: "its token, if it asks for one", secret: true }),
    watch: toggle({ summary: "show it again every second, until Ctrl-C", short: "w" }),
    json: toggle({ summary: "print one JSON object (with --watch one a line)" }),
  },
  examples: [
    { command: "rtchat status", does: "one look" },
    { command: "rtchat status --watch", does: "keep looking" },
    { command: "rtchat status --json | jq '.backends[] | {id, state, sessions}'", does: "for a script" },
  ],
});
