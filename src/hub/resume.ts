/**
 * A session that comes over from another hub, while its client's connection stays open at the edge.
 *
 * The edge brings the session's token, the position of each group it was in, and then the lines that were not finished.
 * This hub claims the session, goes to each room, gives the client what the room said after its position, and puts it
 * into the group in the turn in which nothing is missing. Only then are the lines looked at: their sends have the keys
 * they had before, so a message that the other hub logged is not logged again. Nobody in the rooms hears of any of this.
 */
import type { BackplaneFailure, Claimed } from "../backplane/backplane.ts";
import type { GroupView, Handover } from "../edge/trunk.ts";
import { INBOX } from "../protocol/messages.ts";
import type { Core } from "./core.ts";
import { encodeLine, joinLines } from "./encode.ts";
import type { Found, Gathered } from "./gather.ts";
import { countFitting, encodeJoined, membersOf } from "./joined.ts";
import { persist } from "./retry.ts";
import type { Room } from "./room.ts";
import type { Session } from "./session.ts";
import { fenceOf, readToken } from "./token.ts";
import type { ResumeClaims } from "./token.ts";
import { topicMessage } from "./topic.ts";

const LOST = "the session could not be carried over; connect again";

/** Takes over a session. Its lines wait until that is done. */
export function resume(core: Core, session: Session, handover: Handover): void {
  const claims = readToken(core.secret, handover.token);
  if (handover.token === "" || (claims !== undefined && handover.done < claims.helloLine)) {
    // Its hello was not answered, and is given again; there is nothing to take over but the count of its lines. If it is
    // refused this time, the token must not make the next hub believe that it was not.
    if (handover.token !== "") session.edge.token(session.id, "");
    session.awaitHello();
    return;
  }
  if (claims === undefined) {
    core.logger.warn("a session came over with a token of another cluster", {
      edge: session.attachment.name,
    });
    session.close("session-lost", LOST);
    return;
  }
  session.hold();
  persist<{ readonly ok: true } & Claimed>(
    core,
    session,
    (done) => core.claim(claims.session, claims.nick, fenceOf(claims.madeAt, handover.moves), done),
    (result) => {
      if (session.closed) {
        core.settle(claims.session, "grace");
      } else if (result.ok) {
        session.away = result.away;
        takeOver(core, session, claims, handover);
        core.leaveStrays(session, result.rooms);
      } else if (result.code === "stale") session.close("replaced", "the session goes on elsewhere");
      else {
        session.close("session-lost", LOST);
        // Without an answer it may have been claimed all the same: whoever does not come back must not stay for good.
        core.settle(claims.session, "grace");
      }
    },
  );
}

function takeOver(core: Core, session: Session, claims: ResumeClaims, handover: Handover): void {
  session.name = claims.session;
  session.nick = claims.nick;
  session.helloLine = claims.helloLine;
  session.madeAt = claims.madeAt;
  session.operator = claims.operator === true;
  core.register(session);
  if (core.bans.refuse(session)) return;
  if (claims.reader !== undefined) identifyAgain(core, session, claims.reader);
  const views = viewsByName(handover.groups);
  if (!views.has(INBOX)) views.set(INBOX, undefined);
  let left = views.size;
  const back = (): void => {
    left -= 1;
    if (left > 0 || session.closed) return;
    session.setReady();
    session.release();
  };
  for (const [name, view] of views) returnTo(core, session, name, view, back);
}

/**
 * Says whose session it is, which the client has said elsewhere. Positions are told when they change; a hub that cannot
 * follow them just now is no reason to lose the session, or to make it wait.
 */
function identifyAgain(core: Core, session: Session, reader: string): void {
  const attempt = (done: (result: { readonly ok: true } | BackplaneFailure) => void): void => {
    // The client may have said another name meanwhile.
    if (session.closed || session.reader !== undefined) done({ ok: true });
    else core.readers.enter(session, reader, done);
  };
  persist(core, session, attempt, () => {});
}

/** One view a name. An edge that lost a hub while a group was renewed has two: the later is the new epoch's. */
function viewsByName(groups: readonly GroupView[]): Map<string, GroupView | undefined> {
  const views = new Map<string, GroupView | undefined>();
  for (const view of groups) views.set(view.name, view);
  return views;
}

/** Brings a session back to one group. */
function returnTo(
  core: Core,
  session: Session,
  name: string,
  view: GroupView | undefined,
  back: () => void,
): void {
  const { backplane, rooms, limits } = core;
  const log = name === INBOX ? `${INBOX}${session.name}` : name;
  const lost = (): void => session.close("session-lost", LOST);
  const gather = (room: Room): void => {
    const attempt = (done: (result: Gathered) => void): void => {
      if (session.closed) done({ ok: true, recovered: true, lines: [] });
      else if (view === undefined) room.gatherer.newest(0, "live", done);
      else room.gatherer.since(view.position, limits.historyDefault, done);
    };
    persist<Found>(core, session, attempt, (result) => {
      if (session.closed) rooms.release(room);
      else if (result.ok) {
        give(core, session, room, view, result);
        back();
      } else {
        rooms.release(room);
        lost();
      }
    });
  };
  persist<{ ok: true; room: Room }>(
    core,
    session,
    (done) => rooms.acquire(log, name, done),
    (acquired) => {
      if (!acquired.ok) lost();
      else if (session.closed) rooms.release(acquired.room);
      else if (name === INBOX) gather(acquired.room);
      else {
        persist(
          core,
          session,
          (done) => backplane.enter(log, session.name, done),
          (entered) => {
            if (entered.ok && !session.closed) gather(acquired.room);
            else {
              rooms.release(acquired.room);
              lost();
            }
          },
        );
      }
    },
  );
}

/** What the client missed, up to where the room stands, and the way into its group. */
function give(
  core: Core,
  session: Session,
  room: Room,
  view: GroupView | undefined,
  { recovered, lines }: Found,
): void {
  const news: Uint8Array[] = [];
  if (!recovered) news.push(encodeJoined(core, room, { recovered, lines }));
  else {
    let seq = room.seq - lines.length;
    for (let rest = lines; rest.length > 0;) {
      const count = countFitting(rest, core.limits);
      seq += count;
      session.edge.replay(session.id, room.name, joinLines(rest.slice(0, count)), seq);
      rest = rest.slice(count);
    }
    if (view !== undefined && view.roster !== room.digest) news.push(...changes(core, room));
  }
  // A client that was dropped by what it was just given is gone by now.
  if (session.closed) core.rooms.release(room);
  else session.attachment.enter(session, room, joinLines(news), session.done);
}

/** What may have changed without a message: members, and the topic. */
function changes(core: Core, room: Room): Uint8Array[] {
  if (room.isInbox) return [];
  const lines = [encodeLine({ type: "members", room: room.name, ...membersOf(core, room) })];
  if (room.topic !== undefined) lines.push(encodeLine(topicMessage(room.name, room.topic)));
  return lines;
}
