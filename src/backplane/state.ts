/**
 * The cluster as one place sees it: rooms, who is in them, who owns which nick, which server holds which session.
 *
 * The memory driver and the keeper both have exactly one such place, and what it decides is the same in both, so it is
 * written once. It does no I/O: entries and changes go to a `ClusterStore` (arrays, or SQLite inside a transaction), and
 * what servers must hear goes to an `Announcer` (direct calls, or frames that are sent after the commit). Servers are
 * opaque handles of type `S`; what keys and bodies are is up to store and announcer.
 *
 * Invariants: a nick's likeness key maps to the session that shows it, and to no other; a session is in the member list of
 * exactly the rooms it lists; a session without a server is in grace, and `expire` ends it when its time has come.
 */
import { backplaneLimits } from "../protocol/limits.ts";
import { likenessKey } from "../protocol/look-alikes.ts";
import { nameKey } from "../protocol/names.ts";
import type {
  BackplaneFailure,
  Claimed,
  Mark,
  Member,
  PresenceEvent,
  RecordChange,
  RoomSummary,
  Snapshot,
} from "./backplane.ts";
import type { Announced, Announcer, ClusterStore, EntryOf } from "./cluster.ts";
import type { PublicationOf, Room, Session, StoredSession } from "./cluster.ts";
import { addOnce, removeFrom } from "./few.ts";
import { CHANGES, readChanges } from "./changes.ts";
import { markLog, oldestMark, raisedMark } from "./marks.ts";
import { nickTaken, notHere, stale } from "./failures.ts";

/** Where a publication ended up. */
export interface Published {
  readonly seq: number;
  readonly at: number;
  readonly duplicate: boolean;
}

/** Settings of a ClusterState. */
export interface ClusterOptions {
  readonly epoch: string;
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly graceMs?: number;
  /** Rooms nobody is in or listens to that are kept loaded; the least recently loaded go first. */
  readonly idleRooms?: number;
}

const memberOf = ({ session, nick, away }: Session<unknown>): Member =>
  away === undefined ? { session, nick } : { session, nick, away };

export class ClusterState<S extends { readonly id: string }, Key = string, Body = Uint8Array> {
  readonly epoch: string;
  readonly #sessions = new Map<string, Session<S>>();
  /** By what those that look alike have in common. */
  readonly #nicks = new Map<string, Session<S>>();
  readonly #inGrace = new Set<Session<S>>();
  readonly #rooms = new Map<string, Room<S>>();
  readonly #store: ClusterStore<S, Key, Body>;
  readonly #announce: Announcer<S, Body>;
  readonly #options: Required<ClusterOptions>;

  constructor(store: ClusterStore<S, Key, Body>, announce: Announcer<S, Body>, options: ClusterOptions) {
    this.#store = store;
    this.#announce = announce;
    this.#options = { graceMs: backplaneLimits.graceMs, idleRooms: backplaneLimits.idleRooms, ...options };
    this.epoch = options.epoch;
  }

  /** All sessions, in no order. */
  get sessions(): Iterable<Session<S>> {
    return this.#sessions.values();
  }

  /** All rooms that are loaded, in no order. */
  get loaded(): Iterable<Room<S>> {
    return this.#rooms.values();
  }

  /** A session by its name. */
  session(name: string): Session<S> | undefined {
    return this.#sessions.get(name);
  }

  /** Puts back what was stored; announces and stores nothing. The session is in grace from now on. */
  restore({ session, nick, owner, fence, away, rooms }: StoredSession): void {
    const restored: Session<S> = {
      session,
      nick,
      server: undefined,
      owner,
      fence,
      away,
      rooms: [],
      graceUntil: 0,
    };
    this.#startGrace(restored);
    this.#sessions.set(session, restored);
    this.#nicks.set(likenessKey(nick), restored);
    for (const name of rooms) {
      const room = this.room(name);
      addOnce(restored.rooms, room);
      room.members.set(session, restored);
    }
  }

  /** A room, loaded if need be. */
  room(name: string): Room<S> {
    const known = this.#rooms.get(name);
    if (known !== undefined) return known;
    const { id, last, lastAt, records: stored } = this.#store.load(name);
    const records = new Map(stored);
    const changes = readChanges(records.get(CHANGES));
    records.delete(CHANGES);
    const room: Room<S> = {
      name,
      id,
      last,
      lastAt,
      members: new Map(),
      records,
      changes,
      subscribers: [],
    };
    this.#rooms.set(name, room);
    if (this.#rooms.size % this.#options.idleRooms === 0) this.#forgetIdle(name);
    return room;
  }

  #forgetIdle(but: string): void {
    for (const [name, room] of this.#rooms) {
      if (room.members.size > 0 || room.subscribers.length > 0 || name === but) continue;
      this.#rooms.delete(name);
      this.#store.forget(name);
    }
  }

  publish(publication: PublicationOf<Key, Body>): Published {
    const { copy, key, room } = publication;
    const published = this.#append(room, key, publication.body);
    // A repeat finds both there. A copy for another log means that the nick is somebody else's by now: not for them.
    if (!published.duplicate && copy !== undefined && copy.room !== room) {
      this.#append(copy.room, key, copy.body);
    }
    return published;
  }

  #append(name: string, key: Key, body: Body): Published {
    const room = this.room(name);
    // The wall clock may go back; a log's times must not.
    const entry: EntryOf<Body> = { seq: room.last + 1, at: Math.max(this.#options.now(), room.lastAt), body };
    const known = this.#store.append(room, key, entry);
    if (known !== undefined) return { seq: known.seq, at: known.at, duplicate: true };
    room.last = entry.seq;
    room.lastAt = entry.at;
    this.#announce.entry(room, entry);
    return { seq: entry.seq, at: entry.at, duplicate: false };
  }

  subscribe(server: S, name: string): Snapshot {
    const room = this.room(name);
    addOnce(room.subscribers, server);
    return this.snapshot(room);
  }

  snapshot(room: Room<S>): Snapshot {
    return {
      position: { epoch: this.epoch, seq: room.last },
      members: [...room.members.values()].map(memberOf),
      records: new Map(room.records),
    };
  }

  unsubscribe(server: S, name: string): void {
    const room = this.#rooms.get(name);
    if (room !== undefined) removeFrom(room.subscribers, server);
  }

  /** @returns the session as it was found, or why it cannot have the nick */
  claim(server: S, name: string, nick: string, fence: number): BackplaneFailure | ({ ok: true } & Claimed) {
    const known = this.#sessions.get(name);
    if (known !== undefined && fence < known.fence) return stale(name);
    const key = likenessKey(nick);
    const owner = this.#nicks.get(key);
    if (owner !== undefined && owner.session !== name) {
      return nickTaken(nick);
    }
    const session = known ?? {
      session: name,
      nick,
      server,
      owner: server.id,
      fence,
      away: undefined,
      rooms: [],
      graceUntil: 0,
    };
    const before = session.server;
    if (known === undefined) this.#sessions.set(name, session);
    const moved = session.owner !== server.id || session.fence !== fence;
    session.fence = fence;
    this.#hold(session, server);
    if (before !== undefined && before !== server) this.#announce.taken(before, name);
    const old = session.nick;
    if (old !== nick) {
      this.#nicks.delete(likenessKey(old));
      const event: PresenceEvent = { kind: "rename", member: memberOf(session), to: nick };
      session.nick = nick;
      for (const room of session.rooms) this.#announce.presence(room, event);
    }
    this.#nicks.set(key, session);
    if (known === undefined || moved || old !== nick) this.#store.putSession(session);
    const rooms = session.rooms.map((room) => room.name);
    return session.away === undefined ? { ok: true, rooms } : { ok: true, rooms, away: session.away };
  }

  #hold(session: Session<S>, server: S): void {
    session.server = server;
    session.owner = server.id;
    this.#inGrace.delete(session);
  }

  /**
   * A server has come back and says which sessions it holds, in which rooms: what it ended meanwhile ends now, what it
   * began begins, what is as it was makes no noise. Sessions that are another server's by now are reported taken.
   */
  announce(server: S, sessions: readonly Announced[]): void {
    const said = new Set<string>();
    for (const announced of sessions) {
      said.add(announced.session);
      const known = this.#sessions.get(announced.session);
      const elsewhere = known !== undefined && known.owner !== server.id;
      // Whoever is about to claim a session does not hold it yet: that it is elsewhere is no news to it.
      if (elsewhere && announced.nick === "") continue;
      if (elsewhere) this.#announce.taken(server, announced.session);
      else if (!announced.pending) this.#takeBack(server, announced);
      else if (known !== undefined) this.#hold(known, server);
    }
    for (const session of this.#inGrace) {
      if (session.owner === server.id && !said.has(session.session)) this.#end(session);
    }
  }

  #takeBack(server: S, { session, nick, fence, away, rooms }: Announced): void {
    const claimed = this.claim(server, session, nick, fence);
    // Its grace was over and the nick is somebody else's: it is gone for good.
    if (!claimed.ok) return this.#announce.taken(server, session);
    for (const room of claimed.rooms) if (!rooms.includes(room)) this.leave(server, room, session);
    for (const room of rooms) this.enter(server, room, session);
    this.setAway(server, session, away);
  }

  /** Holds what this server held before, as it was: for a state rebuilt under connected servers. */
  rebind(server: S): void {
    for (const session of this.#inGrace) if (session.owner === server.id) this.#hold(session, server);
  }

  /** Ends a session if no other server has taken it over. */
  release(server: S, name: string): void {
    const session = this.#sessions.get(name);
    if (session?.owner === server.id) this.#end(session);
  }

  #end(session: Session<S>): void {
    this.#sessions.delete(session.session);
    this.#inGrace.delete(session);
    this.#nicks.delete(likenessKey(session.nick));
    this.#store.dropSession(session);
    const event: PresenceEvent = { kind: "leave", member: memberOf(session) };
    for (const room of session.rooms) {
      room.members.delete(session.session);
      this.#announce.presence(room, event);
    }
    session.rooms.length = 0;
  }

  setAway(server: S, name: string, away: string | undefined): BackplaneFailure | undefined {
    const session = this.#sessions.get(name);
    if (session?.server !== server) return notHere(name);
    if (session.away === away) return undefined;
    session.away = away;
    this.#store.putSession(session);
    const event: PresenceEvent = { kind: "away", member: memberOf(session) };
    for (const room of session.rooms) this.#announce.presence(room, event);
    return undefined;
  }

  lookup(nick: string): Member | undefined {
    const owner = this.#nicks.get(likenessKey(nick));
    // Who only looks like the one that is meant is somebody else.
    return owner === undefined || nameKey(owner.nick) !== nameKey(nick) ? undefined : memberOf(owner);
  }

  enter(server: S, name: string, sessionName: string): BackplaneFailure | undefined {
    const session = this.#sessions.get(sessionName);
    if (session?.server !== server) {
      return notHere(sessionName);
    }
    const room = this.room(name);
    if (!addOnce(session.rooms, room)) return undefined;
    room.members.set(sessionName, session);
    this.#store.putMember(room, session);
    this.#announce.presence(room, { kind: "join", member: memberOf(session) });
    return undefined;
  }

  /** Takes a session out of a room; nothing if it is not in it, or on another server. */
  leave(server: S, name: string, sessionName: string): void {
    const session = this.#sessions.get(sessionName);
    const room = this.#rooms.get(name);
    if (session?.server !== server || room === undefined || !removeFrom(session.rooms, room)) return;
    room.members.delete(sessionName);
    this.#store.dropMember(room, session);
    this.#announce.presence(room, { kind: "leave", member: memberOf(session) });
  }

  /** @returns why not */
  setRecord(server: S, change: RecordChange): BackplaneFailure | undefined {
    const { key, value, session, once } = change;
    if (this.#sessions.get(session)?.server !== server) return notHere(session);
    const room = this.room(change.room);
    if (room.changes.includes(once)) return undefined;
    room.changes = [...room.changes, once].slice(-backplaneLimits.recordChanges);
    this.#store.putRecord(room, CHANGES, JSON.stringify(room.changes));
    this.#putRecord(room, key, value);
    return undefined;
  }

  #putRecord(room: Room<S>, key: string, value: string): void {
    this.#store.putRecord(room, key, value);
    room.records.set(key, value);
    this.#announce.record(room, key, value);
  }

  /** See Backplane.raiseMark. */
  raiseMark(reader: string, mark: Mark): void {
    const room = this.room(markLog(reader));
    const value = raisedMark(room.records.get(mark.room), mark, this.#options.now());
    if (value === undefined) return;
    this.#putRecord(room, mark.room, value);
    if (room.records.size <= backplaneLimits.marks) return;
    const oldest = oldestMark(room.records);
    if (oldest === undefined) return;
    this.#store.dropRecord(room, oldest);
    room.records.delete(oldest);
  }

  rooms(limit: number): RoomSummary[] {
    return [...this.#rooms.values()]
      .filter((room) => room.members.size > 0)
      .sort((a, b) => b.members.size - a.members.size || (a.name < b.name ? -1 : 1))
      .slice(0, limit)
      .map((room) => ({
        room: room.name,
        members: room.members.size,
        records: new Map(room.records),
      }));
  }

  tell(name: string, payload: string): void {
    const server = this.#sessions.get(name)?.server;
    if (server !== undefined) this.#announce.told(server, name, payload);
  }

  /** A server is gone: its subscriptions end, its sessions end too, or go into grace. */
  vanish(server: S, release: boolean): void {
    for (const room of this.#rooms.values()) removeFrom(room.subscribers, server);
    for (const session of this.#sessions.values()) {
      if (release && session.owner === server.id) this.#end(session);
      else if (session.server === server) this.#startGrace(session);
    }
  }

  #startGrace(session: Session<S>): void {
    session.server = undefined;
    this.#inGrace.add(session);
    session.graceUntil = this.#options.monotonic() + this.#options.graceMs;
  }

  /** Ends the sessions whose grace is over. */
  expire(): void {
    const now = this.#options.monotonic();
    for (const session of this.#inGrace) if (session.graceUntil <= now) this.#end(session);
  }
}
