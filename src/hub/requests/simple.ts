/** `ping` and `bye`. */
import { withId } from "../encode.ts";
import type { RequestHandler } from "./handler.ts";

export const ping: RequestHandler<"ping"> = {
  order: "immediate",
  cost: "free",
  beforeHello: true,
  run(exchange) {
    exchange.answer({ type: "pong", ...withId(exchange.id) });
  },
};

/** The end of a session: nick and rooms are given up at once. */
export const bye: RequestHandler<"bye"> = {
  order: "exclusive",
  cost: "free",
  beforeHello: true,
  run({ session, slot }) {
    slot.finish();
    session.flush();
    session.hangUp("bye");
  },
};
