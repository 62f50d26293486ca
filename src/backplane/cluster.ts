/**
 * What a cluster consists of, and the two things a ClusterState (state.ts) works on: where it is stored, and who is told.
 * `S` is a handle of a server.
 */
import type { LogEntry, PresenceEvent } from "./backplane.ts";

/** A session of the cluster. */
export interface Session<S> {
  readonly session: string;
  nick: string;
  /** The server that holds it; undefined in grace. */
  server: S | undefined;
  /** The id of the server that holds it, or held it before grace. */
  owner: string;
  /** Of the last claim (see Backplane.claim). */
  fence: number;
  /** See Backplane.setAway. */
  away: string | undefined;
  /** Changed by few.ts only, as are a room's subscribers. */
  readonly rooms: Room<S>[];
  /** Monotonic ms at which grace ends; meaningless with a server. */
  graceUntil: number;
}

/** What the store keeps of a session. */
export interface StoredSession extends Pick<Session<never>, "session" | "nick" | "owner" | "fence"> {
  readonly away?: string | undefined;
  readonly rooms: Iterable<string>;
}

/** What a server that came back says of one of its sessions. */
export interface Announced {
  readonly session: string;
  /** Empty while its first claim is under way. */
  readonly nick: string;
  readonly fence: number;
  readonly away?: string;
  readonly rooms: readonly string[];
  /** A claim for it is under way again: it may be here already, in whatever rooms. */
  readonly pending: boolean;
}

/** A room or an inbox that is in use. */
export interface Room<S> {
  readonly name: string;
  /** The store's number for it. */
  readonly id: number;
  /** Largest seq committed, 0 before the first. */
  last: number;
  lastAt: number;
  readonly members: Map<string, Session<S>>;
  readonly records: Map<string, string>;
  /** What the last changes of records are called (see RecordChange.once), the oldest first. Replaced, not changed. */
  changes: readonly string[];
  readonly subscribers: S[];
}

/** What a room has in the store: all but who is there. */
export interface StoredRoom {
  readonly id: number;
  readonly last: number;
  readonly lastAt: number;
  readonly records: Iterable<readonly [string, string]>;
}

/** An entry whose body is whatever the store and the announcer know to read. */
export interface EntryOf<Body> {
  readonly seq: number;
  readonly at: number;
  readonly body: Body;
}

/** A publication in the same way, its key too. */
export interface PublicationOf<Key, Body> {
  readonly room: string;
  readonly key: Key;
  readonly body: Body;
  readonly copy?: { readonly room: string; readonly body: Body } | undefined;
}

/**
 * Where entries and changes are kept. Calls may throw; the caller then discards the whole ClusterState. Keys and bodies
 * may be valid only during the call.
 */
export interface ClusterStore<S, Key = string, Body = Uint8Array> {
  load(room: string): StoredRoom;
  /**
   * Stores an entry, unless one is remembered under its key.
   * @returns the remembered one
   */
  append(room: Room<S>, key: Key, entry: EntryOf<Body>): Pick<LogEntry, "seq" | "at"> | undefined;
  /** A room that nobody uses any more is unloaded. */
  forget(room: string): void;
  putRecord(room: Room<S>, key: string, value: string): void;
  dropRecord(room: Room<S>, key: string): void;
  /** Stores a session's nick, server and state, new or changed. */
  putSession(session: Session<S>): void;
  /** Removes a session and its places in rooms. */
  dropSession(session: Session<S>): void;
  putMember(room: Room<S>, session: Session<S>): void;
  dropMember(room: Room<S>, session: Session<S>): void;
}

/** Who tells the servers. Calls come in the order in which things happened. */
export interface Announcer<S, Body = Uint8Array> {
  entry(room: Room<S>, entry: EntryOf<Body>): void;
  presence(room: Room<S>, event: PresenceEvent): void;
  record(room: Room<S>, key: string, value: string): void;
  taken(server: S, session: string): void;
  told(server: S, session: string, payload: string): void;
}
