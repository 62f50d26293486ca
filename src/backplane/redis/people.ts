/**
 * Sessions in Redis: nicks, places in rooms, leases and grace.
 *
 * Nicks and sessions live in one place, each room's members with the room; a change that concerns both is two scripts.
 * They are in such an order that whoever dies in between leaves something that is put right: a place without a member
 * entry is repaired by the next claim, an end that was begun is remembered as such and finished by any server's beat.
 *
 * Calls for one session go out one after the other, in the order made.
 */
import type { BackplaneFailure, Claimed, Done, Member } from "../backplane.ts";
import { nickTaken, notHere, stale, unavailable } from "../failures.ts";
import { likenessKey } from "../../protocol/look-alikes.ts";
import { redisLimits } from "../../protocol/limits.redis.ts";
import { nameKey } from "../../protocol/names.ts";
import { messageOf } from "./client.ts";
import type { Reply } from "./client.ts";
import { list } from "./room-scripts.ts";
import type { Scripts } from "./room-scripts.ts";

/** A session as this server holds it. */
interface Own {
  nick: string;
  fence: number;
  away: string | undefined;
  readonly rooms: Set<string>;
}

/** Being away as the scripts keep it: a colon and the words, or nothing. */
const written = (away: string | undefined): string => (away === undefined ? "" : `:${away}`);
/** The other way round, as a part of a member. */
export function readAway(stored: string): { readonly away?: string } {
  return stored === "" ? {} : { away: stored.slice(1) };
}

/** Told where a change of a room's members stands in the room's order. */
export type Changed = (room: string, epoch: string, v: number, then: () => void) => void;

type Result<T> = ({ readonly ok: true } & T) | BackplaneFailure;

export class People {
  readonly #server: string;
  readonly #scripts: Scripts;
  readonly #changed: Changed;
  readonly #own = new Map<string, Own>();
  /** Sessions to be ended that Redis could not end yet. Nobody claims any while it is away, so these are few. */
  readonly #owed = new Set<string>();
  /** The last call for each session that has one under way. */
  readonly #queues = new Map<string, Promise<void>>();

  constructor(server: string, scripts: Scripts, changed: Changed) {
    this.#server = server;
    this.#scripts = scripts;
    this.#changed = changed;
  }

  /** Runs a call for a session after those before it, and answers; a call that throws fails as unavailable. */
  #inTurn<T>(session: string, done: Done<T>, call: () => Promise<Result<T>>): void {
    const before = this.#queues.get(session) ?? Promise.resolve();
    const run = async (): Promise<void> => {
      await before;
      let result: Result<T>;
      try {
        result = await call();
      } catch (error) {
        result = unavailable(messageOf(error));
      }
      if (this.#queues.get(session) === running) this.#queues.delete(session);
      done(result);
    };
    const running = run();
    this.#queues.set(session, running);
  }

  claim(session: string, nick: string, fence: number, done: Done<Claimed>): void {
    this.#inTurn(session, done, () => this.#claim(session, nick, fence));
  }

  async #claim(session: string, nick: string, fence: number): Promise<Result<Claimed>> {
    const args = [session, nick, likenessKey(nick), fence.toFixed(0), this.#server];
    const [state, born, places, stored] = await this.#scripts.people("claim", ...args);
    if (state === "taken") return nickTaken(nick);
    if (state === "stale") return stale(session);
    this.#owed.delete(session);
    const rooms = list(places ?? []).map(String);
    const own = this.#own.get(session);
    const away = String(stored ?? "");
    this.#own.set(session, {
      nick,
      fence,
      away: own === undefined ? readAway(away).away : own.away,
      rooms: new Set([...(own?.rooms ?? []), ...rooms]),
    });
    // A rename, and whatever a server that died left undone.
    await Promise.all(rooms.map((room) => this.#put(room, session, String(born), nick, away)));
    return { ok: true, rooms, ...readAway(away) };
  }

  async #put(room: string, session: string, born: string, nick: string, away: string): Promise<void> {
    await this.#settled(room, await this.#scripts.room("put", room, [session, born, nick, away]));
  }

  async #drop(room: string, session: string, born: string): Promise<void> {
    await this.#settled(room, await this.#scripts.room("drop", room, [session, born]));
  }

  /** Resolves when this server's own subscriber has heard of a change. */
  #settled(room: string, [epoch, v]: readonly Reply[]): Promise<void> {
    return new Promise((resolve) => this.#changed(room, String(epoch), Number(v), resolve));
  }

  setAway(session: string, away: string | undefined, done: Done<object>): void {
    this.#inTurn<object>(session, done, async () => {
      const own = this.#own.get(session);
      if (own !== undefined) own.away = away;
      return (await this.#setAway(session, away)) ? { ok: true } : notHere(session);
    });
  }

  /** @returns false if the session is not here */
  async #setAway(session: string, away: string | undefined): Promise<boolean> {
    const [state, born, nick, rooms] = await this.#scripts.people(
      "away",
      session,
      this.#server,
      written(away),
    );
    if (state !== "ok") return false;
    const put = (room: Reply) => this.#put(String(room), session, String(born), String(nick), written(away));
    await Promise.all(list(rooms ?? []).map(put));
    return true;
  }

  enter(room: string, session: string, done: Done<object>): void {
    this.#inTurn<object>(session, done, async () => {
      const [state, born, nick, away] = await this.#scripts.people("enter", session, this.#server, room);
      if (state !== "ok") return notHere(session);
      this.#own.get(session)?.rooms.add(room);
      await this.#put(room, session, String(born), String(nick), String(away));
      return { ok: true };
    });
  }

  /**
   * Does something elsewhere for a session that is here, which no script could look at together. In between it may be
   * taken over, and the same be done there: what is done must be the same under the same name.
   */
  whileHere(session: string, done: Done<object>, act: () => Promise<object>): void {
    this.#inTurn<object>(session, done, async () => {
      const [state] = await this.#scripts.people("here", session, this.#server);
      if (state !== "ok") return notHere(session);
      await act();
      return { ok: true };
    });
  }

  leave(room: string, session: string, done: Done<object>): void {
    this.#inTurn<object>(session, done, async () => {
      this.#own.get(session)?.rooms.delete(room);
      const [state, born] = await this.#scripts.people("leave", session, this.#server, room);
      if (state === "ok") await this.#drop(room, session, String(born));
      return { ok: true };
    });
  }

  /** Ends a session; what cannot be done now is owed, because its grace never begins while this server lives. */
  release(session: string, failed: (reason: string) => void): void {
    this.#own.delete(session);
    this.#inTurn<object>(
      session,
      (result) => {
        if (result.ok) return;
        this.#owed.add(session);
        failed(result.message);
      },
      async () => {
        // Again: a claim that was under way has noted the session meanwhile.
        this.#own.delete(session);
        const ending = await this.#scripts.people("release", session, this.#server);
        this.#owed.delete(session);
        if (ending.length > 0) await this.#end(ending);
        return { ok: true };
      },
    );
  }

  /** Redis answers: ends some of the sessions that it could not end before. */
  payOwed(failed: (reason: string) => void): void {
    let left: number = redisLimits.owedAtOnce;
    for (const session of this.#owed) {
      // Its turn comes by itself.
      if (this.#queues.has(session)) continue;
      this.release(session, failed);
      left -= 1;
      if (left === 0) return;
    }
  }

  /** Finishes an end that a script has begun: the session leaves its rooms. */
  async #end(ending: readonly Reply[]): Promise<void> {
    const [session, born] = [String(ending[0]), String(ending[1])];
    await Promise.all(list(ending[3] ?? []).map((room) => this.#drop(String(room), session, born)));
    await this.#scripts.people("ended", session, born);
  }

  /** Finishes the ends in a reply. */
  async finish(endings: readonly Reply[]): Promise<void> {
    await Promise.all(endings.map((ending) => this.#end(list(ending))));
  }

  async lookup(nick: string): Promise<Member | undefined> {
    const [session, shown, away] = await this.#scripts.people("lookup", likenessKey(nick));
    if (session === undefined || nameKey(String(shown)) !== nameKey(nick)) return undefined;
    return { session: String(session), nick: String(shown), ...readAway(String(away ?? "")) };
  }

  /** Another server has the session now. */
  taken(session: string): void {
    this.#own.delete(session);
    this.#owed.delete(session);
  }

  /**
   * Says everything again, because Redis may have lost some of it, or has taken this server for dead.
   * @param lost told of each session that cannot be had back
   */
  async announce(lost: (session: string) => void): Promise<void> {
    const call = (session: string) =>
      new Promise<void>((resolve, reject) => {
        const done = (result: Result<object>): void =>
          result.ok ? resolve() : reject(new Error(result.message));
        this.#inTurn<object>(session, done, async () => {
          const own = this.#own.get(session);
          if (own !== undefined) await this.#announce(session, own, lost);
          return { ok: true };
        });
      });
    await Promise.all([...this.#own.keys()].map(call));
  }

  async #announce(session: string, own: Own, lost: (session: string) => void): Promise<void> {
    const claimed = await this.#claim(session, own.nick, own.fence);
    if (!claimed.ok) {
      this.#own.delete(session);
      lost(session);
      return;
    }
    for (const room of own.rooms) {
      if (claimed.rooms.includes(room)) continue;
      const [state, born, nick, away] = await this.#scripts.people("enter", session, this.#server, room);
      if (state === "ok") await this.#put(room, session, String(born), String(nick), String(away));
    }
    if (own.away !== claimed.away) await this.#setAway(session, own.away);
  }
}
