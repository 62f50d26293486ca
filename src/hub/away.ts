/** Being away: what is told of it, and coming back by saying something. */
import type { Member } from "../backplane/backplane.ts";
import type { Away } from "../protocol/messages.ts";
import type { Core } from "./core.ts";
import { encodeLine, withId } from "./encode.ts";
import type { Session } from "./session.ts";

/** What is told of somebody, to a room, or without one to the person's own client. */
export function awayMessage({ nick, away }: Pick<Member, "nick" | "away">, room?: string, id?: string): Away {
  return {
    type: "away",
    ...withId(id),
    ...(room === undefined ? {} : { room }),
    nick,
    away: away !== undefined,
    ...(away === undefined || away === "" ? {} : { text: away }),
  };
}

/** Who says something is there: the session is back, and its client hears that it is. */
export function comeBack(core: Core, session: Session): void {
  const { away } = session;
  if (away === undefined) return;
  // At once, so that the next message does not ask again.
  session.away = undefined;
  core.backplane.setAway(session.name, undefined, (result) => {
    if (session.closed) return;
    // Unreachable just now: the next message tries again.
    if (!result.ok) session.away ??= away;
    else session.say(encodeLine(awayMessage({ nick: session.nick })));
  });
}
