/**
 * Events as objects for `--json`: the server's own objects as they came, and three of the client's own, told apart by
 * types that no server uses: `connection` (where the connection stands), `gap` (messages that will not come by
 * themselves), and `error` with an `id` for a message or request that failed here.
 */
import type { ClientEvent } from "../../client/events.ts";
import type { Welcome } from "../../protocol/messages.ts";

/**
 * A `welcome` without its resume token. Who holds the token can take the session over, output is kept in files and
 * shown to others, and the client resumes by itself.
 */
function withoutToken({ resume: _, ...welcome }: Welcome): object {
  return welcome;
}

/** The objects to print for an event, in order. */
export function eventObjects(event: ClientEvent): readonly object[] {
  switch (event.kind) {
    case "received":
      return [event.message.type === "welcome" ? withoutToken(event.message) : event.message];
    case "unknown":
      return [event.object];
    case "gap":
      return [{ type: "gap", ...event.gap }];
    case "connection":
      return [{ type: "connection", ...event.connection }];
    case "sent": {
      // An ack was printed as the server said it.
      if (event.outcome.ok) return [];
      const { id, room, code, message } = event.outcome;
      return [{ type: "error", code, message, id, room }];
    }
    case "writable":
    case "progress":
    case "told":
      return [];
  }
}
