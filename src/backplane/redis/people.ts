/**
 * Sessions in Redis: nicks, places in rooms, leases and grace.
 *
 * Nicks and sessions live in one place, each room's members with the room; a change that concerns both is two scripts.
 * They are in such an order that whoever dies in between leaves something that is put right: a place without a member
 * entry is repaired by the next claim, an end that was begun is remembered as such and finished by any server's beat.
 *
 * Calls for one session go out one after the other, in the order made.
 */
import type { BackplaneFailure, Done, Member } from "../backplane.ts";
import { nickTaken, notHere, stale, unavailable } from "../failures.ts";
import { nameKey } from "../../protocol/names.ts";
import { messageOf } from "./client.ts";
import type { Reply } from "./client.ts";
import { list } from "./room-scripts.ts";
import type { Scripts } from "./room-scripts.ts";

/** A session as this server holds it. */
interface Own {
  nick: string;
  fence: number;
  readonly rooms: Set<string>;
}

/** Told where a change of a room's members stands in the room's order. */
export type Changed = (room: string, epoch: string, v: number, then: () => void) => void;

type Result<T> = ({ readonly ok: true } & T) | BackplaneFailure;

export class People {
  readonly #server: string;
  readonly #scripts: Scripts;
  readonly #changed: Changed;
  readonly #own = new Map<string, Own>();
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

  claim(session: string, nick: string, fence: number, done: Done<{ rooms: readonly string[] }>): void {
    this.#inTurn(session, done, () => this.#claim(session, nick, fence));
  }

  async #claim(session: string, nick: string, fence: number): Promise<Result<{ rooms: readonly string[] }>> {
    const args = [session, nick, nameKey(nick), fence.toFixed(0), this.#server];
    const [state, born, places] = await this.#scripts.people("claim", ...args);
    if (state === "taken") return nickTaken(nick);
    if (state === "stale") return stale(session);
    const rooms = list(places ?? []).map(String);
    const own = this.#own.get(session);
    this.#own.set(session, { nick, fence, rooms: new Set([...(own?.rooms ?? []), ...rooms]) });
    // A rename, and whatever a server that died left undone.
    await Promise.all(rooms.map((room) => this.#put(room, session, String(born), nick)));
    return { ok: true, rooms };
  }

  async #put(room: string, session: string, born: string, nick: string): Promise<void> {
    await this.#settled(room, await this.#scripts.room("put", room, [session, born, nick]));
  }

  async #drop(room: string, session: string, born: string): Promise<void> {
    await this.#settled(room, await this.#scripts.room("drop", room, [session, born]));
  }

  /** Resolves when this server's own subscriber has heard of a change. */
  #settled(room: string, [epoch, v]: readonly Reply[]): Promise<void> {
    return new Promise((resolve) => this.#changed(room, String(epoch), Number(v), resolve));
  }

  enter(room: string, session: string, done: Done<object>): void {
    this.#inTurn<object>(session, done, async () => {
      const [state, born, nick] = await this.#scripts.people("enter", session, this.#server, room);
      if (state !== "ok") return notHere(session);
      this.#own.get(session)?.rooms.add(room);
      await this.#put(room, session, String(born), String(nick));
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

  release(session: string, failed: (reason: string) => void): void {
    this.#own.delete(session);
    this.#inTurn<object>(
      session,
      (result) => {
        if (!result.ok) failed(result.message);
      },
      async () => {
        const ending = await this.#scripts.people("release", session, this.#server);
        if (ending.length > 0) await this.#end(ending);
        return { ok: true };
      },
    );
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
    const [session, shown] = await this.#scripts.people("lookup", nameKey(nick));
    return session === undefined ? undefined : { session: String(session), nick: String(shown) };
  }

  /** Another server has the session now. */
  taken(session: string): void {
    this.#own.delete(session);
  }

  /**
   * Says everything again, because Redis may have lost some of it, or has taken this server for dead.
   * @param lost told of each session that cannot be had back
   */
  async announce(lost: (session: string) => void): Promise<void> {
    await Promise.all([...this.#own].map(([session, own]) => this.#announce(session, own, lost)));
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
      const [state, born, nick] = await this.#scripts.people("enter", session, this.#server, room);
      if (state === "ok") await this.#put(room, session, String(born), String(nick));
    }
  }
}
