/**
 * The sessions this server holds, as it will announce them to the next keeper.
 *
 * What was asked counts as done (a session is in a room from `enter` on), because unanswered calls are repeated after
 * the announcement: so the repeat changes nothing, and nobody hears a leave and a join for it.
 */
import type { Claimed } from "../backplane.ts";
import { addOnce, removeFrom } from "../few.ts";
import type { Announced } from "../cluster.ts";

interface Own {
  /** Undefined until its first claim has been answered. */
  nick: string | undefined;
  fence: number;
  away: string | undefined;
  readonly rooms: string[];
  /** Claims under way. */
  pending: number;
}

export class OwnSessions {
  readonly #sessions = new Map<string, Own>();

  claiming(session: string): void {
    const own = this.#sessions.get(session) ?? {
      nick: undefined,
      fence: 0,
      away: undefined,
      rooms: [],
      pending: 0,
    };
    own.pending += 1;
    this.#sessions.set(session, own);
  }

  claimed(session: string, nick: string, fence: number, { rooms, away }: Claimed): void {
    const own = this.#sessions.get(session);
    if (own === undefined) return;
    own.pending -= 1;
    if (own.nick === undefined) {
      for (const room of rooms) addOnce(own.rooms, room);
      own.away = away;
    }
    own.nick = nick;
    own.fence = Math.max(own.fence, fence);
  }

  notClaimed(session: string): void {
    const own = this.#sessions.get(session);
    if (own === undefined) return;
    own.pending -= 1;
    if (own.pending === 0 && own.nick === undefined) this.#sessions.delete(session);
  }

  entering(session: string, room: string): void {
    const own = this.#sessions.get(session);
    if (own !== undefined) addOnce(own.rooms, room);
  }

  left(session: string, room: string): void {
    const own = this.#sessions.get(session);
    if (own !== undefined) removeFrom(own.rooms, room);
  }

  away(session: string, away: string | undefined): void {
    const own = this.#sessions.get(session);
    if (own !== undefined) own.away = away;
  }

  /** It was released. */
  released(session: string): void {
    this.#sessions.delete(session);
  }

  /** Another server has taken it over; a claim of ours that is under way may bring it back. */
  taken(session: string): void {
    const own = this.#sessions.get(session);
    if (own === undefined) return;
    own.nick = undefined;
    own.away = undefined;
    own.rooms.length = 0;
    if (own.pending === 0) this.#sessions.delete(session);
  }

  has(session: string): boolean {
    return this.#sessions.has(session);
  }

  announce(): Announced[] {
    return [...this.#sessions].map(([session, { nick, fence, away, rooms, pending }]) => ({
      session,
      fence,
      nick: nick ?? "",
      ...(away === undefined ? {} : { away }),
      rooms: [...rooms],
      pending: pending > 0,
    }));
  }
}
