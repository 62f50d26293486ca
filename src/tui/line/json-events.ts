/**
 * Events as objects for `--json`: the server's own objects as they came, and three of the client's own, told apart by
 * types that no server uses: `connection` (where the connection stands), `gap` (messages that will not come by
 * themselves), and `error` with an `id` for a message or request that failed here.
 */
import type { ClientEvent } from "../../client/events.ts";

/** The objects to print for an event, in order. */
export function eventObjects(event: ClientEvent): readonly object[] {
  switch (event.kind) {
    case "received":
      return [event.message];
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
    case "told":
      return [];
  }
}
