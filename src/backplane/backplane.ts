/**
 * The backplane: what connects the hubs of a cluster.
 *
 * It keeps an ordered, durable log a room, tells every subscribed hub of new entries, and holds what must be unique or
 * common in the cluster: who owns a nick, who is in which room, each room's records (its topic). The drivers (memory,
 * keeper, redis) pass one conformance suite, which is the exact form of what these comments promise.
 *
 * Shapes and order, for all drivers:
 * - Logs are named by strings: a room's key, or `@` and an account for an inbox. Entries have seq 1, 2, 3, … within an
 *   epoch; an entry is committed before anybody hears of it, the publisher included.
 * - A subscriber hears every entry after its snapshot exactly once, in order, without gaps. When the driver cannot keep
 *   that (history gone, epoch changed), it calls `reset` with a new snapshot and goes on from there.
 * - Calls are answered through `done`, exactly once, never before the call returns, in any order. Publishes of one
 *   caller to one log are committed in call order. `done` is called with a failure (never thrown) when the store cannot
 *   be reached in time; a publish that failed as `unavailable` may have been committed, and repeating it with the same
 *   key tells.
 * - Byte arrays handed over are never changed afterwards by either side.
 */
import type { Deliveries } from "../protocol/deliveries.ts";
import type { Position } from "../protocol/messages.ts";
import type { Wanted } from "../protocol/search.ts";

/** One entry of a log. Its `body` is a message's JSON fields without the braces, of which drivers only make lines. */
export interface LogEntry {
  readonly seq: number;
  /** When it was committed, ms since 1970, never less than the entry's before it. */
  readonly at: number;
  readonly body: Uint8Array;
}

/** Somebody in a room. `session` is the cluster-wide session name, unique; `nick` is unique by its key. */
export interface Member {
  readonly session: string;
  readonly nick: string;
  /** Away, with this to say to others (may be empty); absent for who is not. */
  readonly away?: string;
}

/** A change of a room's members. */
export type PresenceEvent =
  | { readonly kind: "join" | "leave"; readonly member: Member }
  /** `member.nick` is the old nick. */
  | { readonly kind: "rename"; readonly member: Member; readonly to: string }
  /** `member.away` tells whether the member is away now. */
  | { readonly kind: "away"; readonly member: Member };

/** A room as of one moment. */
export interface Snapshot {
  readonly position: Position;
  readonly members: readonly Member[];
  /** The room's records, by key. Values are JSON of the hub's making. */
  readonly records: ReadonlyMap<string, string>;
}

/** What a hub hears of a room it subscribed. Called synchronously, in the order committed. */
export interface RoomSubscriber {
  /** Consecutive entries, as lines for clients: what one turn brought, as far as the driver has it together. */
  appended(entries: Deliveries): void;
  presence(event: PresenceEvent): void;
  record(key: string, value: string): void;
  /** Continuity was lost: forget what was known of the room, this is how it stands. */
  reset(snapshot: Snapshot): void;
}

/** What a hub hears that belongs to no room. */
export interface BackplaneListener {
  /** Another server has taken this session over by claiming for it: close it here, release nothing. */
  taken(session: string): void;
  /** A word from another hub for a session of this one (see {@link Backplane.tell}). */
  told(session: string, payload: string): void;
  /** Reachability changed; for logs, health and readiness. */
  health(health: BackplaneHealth): void;
}

/** How the store is reached at present. */
export interface BackplaneHealth {
  readonly state: "ok" | "degraded" | "down";
  /** One sentence for an operator. */
  readonly detail: string;
  /** Last round trip, ms; 0 before the first. */
  readonly roundTripMs: number;
}

/** A failure that `done` may be given. */
export interface BackplaneFailure {
  readonly ok: false;
  readonly code: "unavailable" | "nick-taken" | "stale" | "internal";
  /** One sentence for a person: what happened and what to do. */
  readonly message: string;
  /** See ProtocolError. */
  readonly value?: string;
}

/** A session as its claim found it. */
export interface Claimed {
  /** The rooms it is in already. */
  readonly rooms: readonly string[];
  /** See {@link Member}. */
  readonly away?: string;
}

export type Done<T> = (result: ({ readonly ok: true } & T) | BackplaneFailure) => void;

/** Something to log. */
export interface Publication {
  readonly room: string;
  /** Idempotency key, unique for what is meant: a second publication to this log with it is answered with the first. */
  readonly key: string;
  readonly body: Uint8Array;
  /**
   * A second log that gets the same message in its own words (a direct message's other inbox), under the same key. Both
   * are committed before `done`; together where the store can, else the copy first, so that a repeat completes both: the
   * copy in the log that the first attempt named, because the nick may be somebody else's by now. A copy to the same log
   * is left out.
   */
  readonly copy?: { readonly room: string; readonly body: Uint8Array };
}

/** Which part of a log. Bounds are exclusive. With neither: the newest. With `after`: the oldest after it. */
export interface HistoryQuery {
  readonly room: string;
  readonly before?: number;
  readonly after?: number;
  /** Most entries. */
  readonly limit: number;
  /** Most bytes of bodies; at least one entry is given if there is one. */
  readonly maxBytes: number;
}

/** Part of a log, ascending. */
export interface HistoryPage {
  readonly epoch: string;
  /** Smallest seq still kept; entries below were removed by retention. Position + 1 for an empty log. */
  readonly first: number;
  /** Largest seq committed. */
  readonly last: number;
  readonly entries: readonly LogEntry[];
}

/** A room of the cluster, for a list. */
export interface RoomSummary {
  readonly room: string;
  readonly members: number;
  readonly records: ReadonlyMap<string, string>;
}

/** A record to be set. */
export interface RecordChange {
  readonly room: string;
  readonly key: string;
  readonly value: string;
  /** Who sets it. */
  readonly session: string;
  /** Unique for what is meant: a repeat of one of the room's last `recordChanges` changes nothing, whatever stands now. */
  readonly once: string;
}

/** How far somebody has read a room. */
export interface Mark {
  readonly room: string;
  readonly epoch: string;
  readonly seq: number;
}

/** What to look for in a log of messages, downwards. */
export interface SearchQuery {
  readonly room: string;
  /** Exclusive. */
  readonly before: number;
  readonly wanted: Wanted;
  /** Most messages. */
  readonly limit: number;
  /** Bytes of bodies after which no more are looked for. */
  readonly maxBytes: number;
}

/** What was found, ascending. */
export interface SearchPage {
  readonly epoch: string;
  /** With bodies as the messages are now: of one that was edited, with its present text. */
  readonly entries: readonly LogEntry[];
  /** Messages that were looked through, by an index or one by one. */
  readonly looked: number;
  /** With more to look through: the `before` that goes on. */
  readonly next?: number;
}

/** An ability that not every driver has: finding messages without reading all of them. */
export interface Searcher {
  search(query: SearchQuery, done: Done<{ found: SearchPage }>): void;
}

/** One server's connection to its cluster. */
export interface Backplane {
  /** The cluster's id: equal on all servers that share the store, stable over restarts. */
  readonly cluster: string;
  /** Undefined where a hub has to walk down the log. */
  readonly searcher?: Searcher;
  /** Connects; resolves when usable. Rejects with a clear Error when the store can never work as configured. */
  start(listener: BackplaneListener): Promise<void>;
  /**
   * Disconnects after answering or failing what is under way.
   * @param release `true` gives up this server's sessions at once; `false` leaves them in grace for another server
   */
  stop(release: boolean): Promise<void>;

  publish(publication: Publication, done: Done<{ position: Position; at: number; duplicate: boolean }>): void;
  history(query: HistoryQuery, done: Done<{ page: HistoryPage }>): void;

  /**
   * Subscribes this server to a room; one subscriber a room. Events follow the snapshot. Fails as `unavailable` if it is
   * ended by {@link unsubscribe} before it is answered.
   */
  subscribe(room: string, subscriber: RoomSubscriber, done: Done<{ snapshot: Snapshot }>): void;
  /** Ends a subscription; the subscriber hears nothing more, at once. */
  unsubscribe(room: string): void;

  /**
   * Makes `nick` the nick of `session`, which from now on lives on this server. If the session had another nick, that one
   * is given up and its rooms hear a rename. Fails with `nick-taken` when another session owns an equal nick.
   * Answers with the rooms the session is in already (one that moved here, or came back), and whether it is away: whoever
   * resumed it decides which of the rooms it still means to be in.
   * @param fence rises with every connection of the session and every move of one. A claim with a smaller fence than the
   *   session's last changes nothing and fails as `stale`: a server that was paused wakes up and acts for a connection
   *   that has long gone on elsewhere.
   */
  claim(session: string, nick: string, fence: number, done: Done<Claimed>): void;
  /** Ends a session: its nick is free and its rooms hear that it left. Ignored if another server has taken it over. */
  release(session: string): void;
  /**
   * Makes a claimed session away, or with undefined not away: all rooms it is in hear of it, this server's own
   * subscribers before `done`, unless nothing changed. It stays so until it is said otherwise or the session ends.
   */
  setAway(session: string, away: string | undefined, done: Done<object>): void;
  /** Who owns a nick, in or out of grace. */
  lookup(nick: string, done: Done<{ member: Member | undefined }>): void;

  /**
   * Puts a claimed session into a room. Subscribers hear `join` unless it was in the room already (a hand-over); this
   * server's own subscriber has heard it before `done`.
   */
  enter(room: string, session: string, done: Done<object>): void;
  leave(room: string, session: string, done: Done<object>): void;

  /**
   * Sets one of a room's records for a session of this server; every subscriber hears it, this server's own before `done`.
   * Fails as `internal` when the session is not here: a server that was paused and wakes up must not set what is old.
   */
  setRecord(change: RecordChange, done: Done<object>): void;
  /**
   * Raises how far a reader has read a room: a record of the log `=` and the reader, under the room's name, JSON of epoch,
   * seq and at, which subscribers hear like any other. Within an epoch it never goes back; one of another epoch replaces
   * it. Kept are the marks of `marks` rooms, those raised last, for `markMs` after that.
   */
  raiseMark(reader: string, mark: Mark, done: Done<object>): void;
  /** Rooms that have a member, the fullest first. */
  rooms(limit: number, done: Done<{ rooms: readonly RoomSummary[] }>): void;

  /** Sends a payload to whichever hub has the session; lost if none has. */
  tell(session: string, payload: string): void;
  health(): BackplaneHealth;
}
