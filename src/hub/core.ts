/**
 * What the parts of one hub share: what it was given, who is here, which rooms are open, and how a session begins and
 * ends for the cluster.
 *
 * Invariant: `sessions` has the one connection that speaks for a session claimed by this hub; a session is in `#grace`
 * only while no connection here does. Whoever claims a session takes it from both.
 */
import type { Backplane, BackplaneFailure, Claimed, Done } from "../backplane/backplane.ts";
import type { Clock, Random, Timer } from "../protocol/clock.ts";
import type { Logger } from "../protocol/logger.ts";
import { Bans } from "./bans.ts";
import { TokenBucket } from "./bucket.ts";
import type { Group } from "./group.ts";
import { HelloDeadlines } from "./hello-deadlines.ts";
import { defaultHubLimits } from "./options.ts";
import type { HubLimits, HubOptions } from "./options.ts";
import { Readers } from "./readers.ts";
import type { CacheBudget } from "./recent.ts";
import type { RequestHandlers } from "./requests/handler.ts";
import { persist } from "./retry.ts";
import type { Room } from "./room.ts";
import { RoomLists } from "./room-lists.ts";
import { Rooms } from "./rooms.ts";
import type { Session } from "./session.ts";

/** What becomes of a session whose connection ends. */
export type Fate =
  /** It is over: its nick is free and its rooms hear that it left. */
  | "release"
  /** It keeps nick and rooms for a while, for the connection that comes after. */
  | "grace"
  /** Somebody else has it already. */
  | "forget";

type Result = { readonly ok: true } | BackplaneFailure;

const NAME_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const nothing = (): void => {};

/** See above. */
export class Core {
  readonly backplane: Backplane;
  readonly server: string;
  readonly build: string;
  readonly secret: Uint8Array;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: HubLimits;
  readonly handlers: RequestHandlers;
  readonly rooms: Rooms;
  readonly readers: Readers;
  readonly bans: Bans;
  /** The operators' secret; undefined where nobody is one. */
  readonly operatorSecret: string | undefined;
  /** Sessions that have not said hello. */
  readonly helloDeadlines: HelloDeadlines;
  readonly cacheBudget: CacheBudget = { bytes: 0 };
  /** What all sessions together may relay. */
  readonly relayBucket: TokenBucket;
  readonly roomLists: RoomLists;
  /** Sessions welcomed or taken over here, by name. */
  readonly sessions = new Map<string, Session>();
  /** Messages taken from clients since start. */
  messages = 0;
  readonly random: Random;
  readonly #grace = new Map<string, Timer>();
  /** Claims without an answer, by session. */
  readonly #claims = new Map<string, number>();

  constructor(options: HubOptions, handlers: RequestHandlers) {
    this.backplane = options.backplane;
    this.server = options.server;
    this.build = options.build;
    this.secret = options.secret;
    this.clock = options.clock;
    this.logger = options.logger;
    this.limits = { ...defaultHubLimits, ...options.limits };
    this.handlers = handlers;
    this.random = options.random;
    this.rooms = new Rooms(this);
    this.readers = new Readers(this);
    this.bans = new Bans(this);
    this.operatorSecret = options.operatorSecret;
    const rate = this.limits.relayPerSecondServer;
    this.relayBucket = new TokenBucket(rate, rate, this.clock.monotonic());
    this.roomLists = new RoomLists(this);
    this.helloDeadlines = new HelloDeadlines(options.clock, this.limits.helloMs);
  }

  /** A name that will not come again: so many characters of 5 bits. */
  newName(length: number): string {
    let name = "";
    for (let at = 0; at < length; at += 1) {
      name += NAME_ALPHABET[Math.floor(this.random() * NAME_ALPHABET.length)];
    }
    return name;
  }

  /** Claims a session for this server (see Backplane.claim). */
  claim(name: string, nick: string, fence: number, done: Done<Claimed>): void {
    this.#claims.set(name, (this.#claims.get(name) ?? 0) + 1);
    const answered: typeof done = (result) => {
      const left = (this.#claims.get(name) ?? 0) - 1;
      if (left > 0) this.#claims.set(name, left);
      else this.#claims.delete(name);
      done(result);
    };
    this.backplane.claim(name, nick, fence, answered);
  }

  /** A claim has succeeded: this connection speaks for its session from now on. */
  register(session: Session): void {
    this.#grace.get(session.name)?.stop();
    this.#grace.delete(session.name);
    const before = this.sessions.get(session.name);
    if (before === session) return;
    this.sessions.set(session.name, session);
    before?.close("replaced", "the session goes on over a newer connection; use that one");
  }

  /** The connection that spoke for a session is gone. */
  unregister(session: Session, fate: Fate): void {
    if (this.sessions.get(session.name) !== session) return;
    this.sessions.delete(session.name);
    this.settle(session.name, fate);
  }

  /**
   * Ends a claimed session that no connection here speaks for, or keeps it for the grace time. With a claim for it under
   * way, for a connection that came after, that is for whoever gets the answer to decide.
   */
  settle(name: string, fate: Fate): void {
    if (fate === "forget" || this.sessions.has(name) || this.#claims.has(name)) return;
    this.#grace.get(name)?.stop();
    this.#grace.delete(name);
    if (fate === "release") {
      this.backplane.release(name);
      return;
    }
    const end = (): void => {
      this.#grace.delete(name);
      this.backplane.release(name);
    };
    this.#grace.set(name, this.clock.after(this.limits.graceMs, end));
  }

  /** Another server has claimed the session. */
  taken(name: string): void {
    this.#grace.get(name)?.stop();
    this.#grace.delete(name);
    const session = this.sessions.get(name);
    this.sessions.delete(name);
    session?.close("replaced", "the session goes on over a newer connection; use that one");
  }

  /**
   * A session may be in rooms at the backplane that it is not in here: it came back and has not joined them again, or a
   * join failed half-way. After the grace time, in which most are joined, it leaves those that it still is not in.
   */
  leaveStrays(session: Session, rooms: readonly string[]): void {
    if (rooms.every((room) => session.memberships.has(room))) return;
    this.clock.after(this.limits.graceMs, () => {
      for (const room of rooms) this.#withdraw(session, room);
    });
  }

  #withdraw(session: Session, room: string): void {
    const attempt = (done: (result: Result) => void): void => {
      // Whoever has ended is out of all rooms, or expected back in them.
      const settled = session.closed || session.memberships.has(room) || session.entering === room;
      if (settled) done({ ok: true });
      else this.backplane.leave(room, session.name, done);
    };
    persist(this, session, attempt, nothing);
  }

  /** A session that is in a room here must be in it at the backplane too. */
  enterAgain(session: Session, room: string): void {
    const attempt = (done: (result: Result) => void): void => {
      const settled = session.closed || !session.memberships.has(room) || session.leaving === room;
      if (settled) done({ ok: true });
      else this.backplane.enter(room, session.name, done);
    };
    persist(this, session, attempt, nothing);
  }

  /**
   * Gives a group a new number, for a room whose epoch changed. Its sessions are in one or the other at all times.
   * @param bytes what brings them over
   */
  renewGroup(group: Group, bytes: Uint8Array): void {
    const before = group.id;
    group.id = group.attachment.defineGroup(group.room);
    for (const session of group.sessions.all()) group.edge.join(session.id, group.id, bytes, session.done);
    group.edge.drop(before);
  }

  /** After a reset: whoever is in the room here and not in its list is put there again. */
  enterMissing(room: Room): void {
    if (room.isInbox) return;
    for (const group of room.groups) {
      for (const session of group.sessions.all()) {
        if (!room.roster.has(session.name)) this.enterAgain(session, room.name);
      }
    }
  }

  /** Stops all timers and subscriptions. */
  close(): void {
    for (const timer of this.#grace.values()) timer.stop();
    this.#grace.clear();
    this.helloDeadlines.stop();
    this.readers.close();
    this.bans.close();
    this.rooms.close();
  }
}
