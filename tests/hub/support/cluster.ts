/**
 * A cluster in memory whose every answer waits to be let through, for tests of the hub.
 *
 * What a server hears of a room, and the answers that are ordered with it (subscribe, claim, enter, leave, records), wait
 * in one queue a server, in order. The other answers (publish, history, lookup, rooms) wait beside it and may be let
 * through in any order, as the interface allows. `settle` lets everything through; `step` one thing, chosen at random.
 */
import type {
  Backplane,
  BackplaneFailure,
  BackplaneHealth,
  BackplaneListener,
  Claimed,
  Done,
  HistoryPage,
  HistoryQuery,
  Mark,
  LogEntry,
  Member,
  PresenceEvent,
  Publication,
  RecordChange,
  RoomSubscriber,
  RoomSummary,
  Snapshot,
} from "../../../src/backplane/backplane.ts";
import { markLog, raisedMark } from "../../../src/backplane/marks.ts";
import type { Clock, Random } from "../../../src/protocol/clock.ts";
import { deliveriesOf } from "../../../src/protocol/deliveries.ts";
import { nameKey } from "../../../src/protocol/names.ts";

interface StoredSession {
  nick: string;
  fence: number;
  away?: string | undefined;
  server: FakeBackplane;
  readonly rooms: Set<string>;
}

interface Log {
  first: number;
  readonly entries: LogEntry[];
  readonly keys: Map<string, LogEntry>;
  readonly records: Map<string, string>;
  readonly changes: Set<string>;
  readonly subscribers: Map<FakeBackplane, RoomSubscriber>;
}

const memberOf = (session: string, { nick, away }: StoredSession): Member =>
  away === undefined ? { session, nick } : { session, nick, away };

const failure: BackplaneFailure = {
  ok: false,
  code: "unavailable",
  message: "the disk that holds /data/log.sqlite is full; free some space",
};

/** The store that all servers share. */
export class FakeCluster {
  epoch = "e1";
  readonly clock: Clock;
  readonly logs = new Map<string, Log>();
  readonly sessions = new Map<string, StoredSession>();
  readonly servers: FakeBackplane[] = [];

  constructor(clock: Clock) {
    this.clock = clock;
  }

  server(): FakeBackplane {
    const server = new FakeBackplane(this);
    this.servers.push(server);
    return server;
  }

  log(room: string): Log {
    let log = this.logs.get(room);
    if (log === undefined) {
      log = {
        first: 1,
        entries: [],
        keys: new Map(),
        records: new Map(),
        changes: new Set(),
        subscribers: new Map(),
      };
      this.logs.set(room, log);
    }
    return log;
  }

  last(room: string): number {
    const { first, entries } = this.log(room);
    return first + entries.length - 1;
  }

  append(room: string, key: string, body: Uint8Array): { entry: LogEntry; duplicate: boolean } {
    const log = this.log(room);
    const known = log.keys.get(key);
    if (known !== undefined) return { entry: known, duplicate: true };
    const entry = { seq: this.last(room) + 1, at: this.clock.now(), body };
    log.entries.push(entry);
    log.keys.set(key, entry);
    for (const [server, subscriber] of log.subscribers) {
      server.hearsEntry(room, subscriber, entry);
    }
    return { entry, duplicate: false };
  }

  members(room: string): Member[] {
    const members: Member[] = [];
    for (const [session, stored] of this.sessions)
      if (stored.rooms.has(room)) members.push(memberOf(session, stored));
    return members;
  }

  snapshot(room: string): Snapshot {
    const position = { epoch: this.epoch, seq: this.last(room) };
    return { position, members: this.members(room), records: new Map(this.log(room).records) };
  }

  announce(room: string, event: PresenceEvent): void {
    for (const [server, subscriber] of this.log(room).subscribers) {
      server.hears(room, subscriber, () => subscriber.presence(event));
    }
  }

  /** Ends a session. */
  end(session: string): void {
    const known = this.sessions.get(session);
    if (known === undefined) return;
    this.sessions.delete(session);
    const event: PresenceEvent = { kind: "leave", member: { session, nick: known.nick } };
    for (const room of known.rooms) this.announce(room, event);
  }

  /** The grace of a server that is gone is over. */
  expire(server: FakeBackplane): void {
    for (const [session, known] of this.sessions) if (known.server === server) this.end(session);
  }

  /** Retention: removes the entries before `seq`. */
  trim(room: string, seq: number): void {
    const log = this.log(room);
    log.entries.splice(0, seq - log.first);
    log.first = seq;
  }

  /** All logs are lost: a new epoch begins, and every subscriber is told. */
  newEpoch(epoch: string): void {
    this.epoch = epoch;
    for (const [room, log] of this.logs) {
      log.first = 1;
      log.entries.length = 0;
      log.keys.clear();
      for (const [server, subscriber] of log.subscribers) {
        const snapshot = this.snapshot(room);
        server.hears(room, subscriber, () => subscriber.reset(snapshot));
      }
    }
  }

  /** Lets everything through, and what follows from it. */
  settle(): void {
    for (let round = 0; round < 100_000; round += 1) {
      if (!this.servers.some((server) => server.step(0))) return;
    }
    throw new Error("the cluster does not come to rest");
  }

  /** Lets one thing through. @returns false if nothing waits */
  step(random: Random): boolean {
    const busy = this.servers.filter((server) => server.waiting > 0);
    return busy[Math.floor(random() * busy.length)]?.step(random()) ?? false;
  }
}

type Answer<T> = ({ ok: true } & T) | BackplaneFailure;

/** One server's connection. */
export class FakeBackplane implements Backplane {
  readonly cluster = "test";
  readonly calls: string[] = [];
  /** Names of the calls that fail at present. */
  readonly failing = new Set<string>();
  /** These are carried out and then fail. */
  readonly unanswered = new Set<string>();
  state: BackplaneHealth["state"] = "ok";
  listener: BackplaneListener | undefined;
  readonly #cluster: FakeCluster;
  #ordered: (() => void)[] = [];
  #loose: (() => void)[] = [];
  /** Entries that were told last: more may join them as long as they are the last in `#ordered`. */
  #batch: { subscriber: RoomSubscriber; entries: LogEntry[]; run: () => void } | undefined;

  constructor(cluster: FakeCluster) {
    this.#cluster = cluster;
  }

  get waiting(): number {
    return this.#ordered.length + this.#loose.length;
  }

  /** Lets through the oldest of the ordered, or some other answer. @param choice in [0, 1) */
  step(choice: number): boolean {
    const at = Math.floor(choice * (this.#loose.length + 1)) - 1;
    const run = at < 0 || this.#loose.length === 0 ? this.#ordered.shift() : this.#loose.splice(at, 1)[0];
    const next = run ?? this.#loose.shift();
    next?.();
    return next !== undefined;
  }

  hears(room: string, subscriber: RoomSubscriber, run: () => void): void {
    this.#ordered.push(() => {
      if (this.#cluster.log(room).subscribers.get(this) === subscriber) run();
    });
  }

  /** Entries that follow each other and were not heard yet are heard together, as drivers may tell them. */
  hearsEntry(room: string, subscriber: RoomSubscriber, entry: LogEntry): void {
    const batch = this.#batch;
    const goesOn = batch?.subscriber === subscriber && this.#ordered.at(-1) === batch.run;
    if (goesOn) {
      batch.entries.push(entry);
      return;
    }
    const entries = [entry];
    this.hears(room, subscriber, () => subscriber.appended(deliveriesOf(entries)));
    const run = this.#ordered.at(-1);
    this.#batch = run === undefined ? undefined : { subscriber, entries, run };
  }

  start(listener: BackplaneListener): Promise<void> {
    this.listener = listener;
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.die();
    return Promise.resolve();
  }

  /** The process is gone: nothing it asked for is answered, and what nobody takes over ends after a while. */
  die(): void {
    this.#cluster.clock.after(10_000, () => this.#cluster.expire(this));
    this.listener = undefined;
    this.#ordered = [];
    this.#loose = [];
    for (const log of this.#cluster.logs.values()) log.subscribers.delete(this);
  }

  #answer<T>(
    call: string,
    detail: string,
    queue: "ordered" | "loose",
    done: Done<T>,
    run: () => Answer<T>,
  ): void {
    this.calls.push(`${call} ${detail}`);
    let result: Answer<T> = failure;
    if (this.listener === undefined) return;
    if (!this.failing.has(call)) result = run();
    if (this.unanswered.has(call)) result = failure;
    const answer = (): void => done(result);
    if (queue === "ordered") this.#ordered.push(answer);
    else this.#loose.push(answer);
  }

  publish(
    { room, key, body, copy }: Publication,
    done: Done<{ position: Snapshot["position"]; at: number; duplicate: boolean }>,
  ): void {
    this.#answer("publish", `${room} ${key}`, "loose", done, () => {
      if (copy !== undefined) this.#cluster.append(copy.room, key, copy.body);
      const { entry, duplicate } = this.#cluster.append(room, key, body);
      const position = { epoch: this.#cluster.epoch, seq: entry.seq };
      return { ok: true, position, at: entry.at, duplicate };
    });
  }

  history(query: HistoryQuery, done: Done<{ page: HistoryPage }>): void {
    const { room, before = Infinity, after } = query;
    this.#answer("history", `${room} ${before} ${after}`, "loose", done, () => {
      const { first, entries } = this.#cluster.log(room);
      const within = entries.filter(({ seq }) => seq < before && seq > (after ?? 0));
      const chosen: LogEntry[] = [];
      let bytes = 0;
      while (chosen.length < query.limit) {
        const entry = after === undefined ? within.pop() : within.shift();
        if (entry === undefined) break;
        bytes += entry.body.length;
        if (bytes > query.maxBytes && chosen.length > 0) break;
        if (after === undefined) chosen.unshift(entry);
        else chosen.push(entry);
      }
      const page = { epoch: this.#cluster.epoch, first, last: this.#cluster.last(room), entries: chosen };
      return { ok: true, page };
    });
  }

  subscribe(room: string, subscriber: RoomSubscriber, done: Done<{ snapshot: Snapshot }>): void {
    this.#answer("subscribe", room, "ordered", done, () => {
      const { subscribers } = this.#cluster.log(room);
      if (subscribers.has(this)) throw new Error(`${room} is subscribed twice`);
      subscribers.set(this, subscriber);
      return { ok: true, snapshot: this.#cluster.snapshot(room) };
    });
  }

  unsubscribe(room: string): void {
    this.calls.push(`unsubscribe ${room}`);
    if (this.listener === undefined) return;
    if (!this.#cluster.log(room).subscribers.delete(this)) throw new Error(`${room} was not subscribed`);
  }

  claim(session: string, nick: string, fence: number, done: Done<Claimed>): void {
    this.#answer<Claimed>("claim", nick, "ordered", done, () => {
      const { sessions } = this.#cluster;
      for (const [name, other] of sessions) {
        if (name === session || nameKey(other.nick) !== nameKey(nick)) continue;
        return { ok: false, code: "nick-taken", message: `${nick} is somebody else` };
      }
      const known = sessions.get(session);
      if (known === undefined) {
        sessions.set(session, { nick, fence, server: this, rooms: new Set() });
        return { ok: true, rooms: [] };
      }
      if (fence < known.fence) return { ok: false, code: "stale", message: "the session goes on elsewhere" };
      known.fence = fence;
      const { server, nick: before } = known;
      known.server = this;
      known.nick = nick;
      if (server !== this) server.tellTaken(session);
      if (before !== nick) {
        const event: PresenceEvent = { kind: "rename", member: { session, nick: before }, to: nick };
        for (const room of known.rooms) this.#cluster.announce(room, event);
      }
      const { away } = known;
      return { ok: true, rooms: [...known.rooms], ...(away === undefined ? {} : { away }) };
    });
  }

  setAway(session: string, away: string | undefined, done: Done<object>): void {
    this.#answer("setAway", session, "ordered", done, () => {
      const known = this.#cluster.sessions.get(session);
      if (known?.server !== this) return { ok: false, code: "internal", message: `${session} is not here` };
      if (known.away === away) return { ok: true };
      known.away = away;
      const event: PresenceEvent = { kind: "away", member: memberOf(session, known) };
      for (const room of known.rooms) this.#cluster.announce(room, event);
      return { ok: true };
    });
  }

  tellTaken(session: string): void {
    this.#ordered.push(() => this.listener?.taken(session));
  }

  release(session: string): void {
    this.calls.push(`release ${session}`);
    if (this.listener === undefined) return;
    if (this.#cluster.sessions.get(session)?.server === this) this.#cluster.end(session);
  }

  lookup(nick: string, done: Done<{ member: Member | undefined }>): void {
    this.#answer("lookup", nick, "loose", done, () => {
      for (const [session, other] of this.#cluster.sessions) {
        if (nameKey(other.nick) === nameKey(nick)) return { ok: true, member: memberOf(session, other) };
      }
      return { ok: true, member: undefined };
    });
  }

  enter(room: string, session: string, done: Done<object>): void {
    this.#answer("enter", room, "ordered", done, () => {
      const known = this.#cluster.sessions.get(session);
      if (known?.server !== this) return { ok: false, code: "internal", message: `${session} is not here` };
      if (known.rooms.has(room)) return { ok: true };
      known.rooms.add(room);
      this.#cluster.announce(room, { kind: "join", member: memberOf(session, known) });
      return { ok: true };
    });
  }

  leave(room: string, session: string, done: Done<object>): void {
    this.#answer("leave", room, "ordered", done, () => {
      const known = this.#cluster.sessions.get(session);
      if (known?.server === this && known.rooms.delete(room)) {
        this.#cluster.announce(room, { kind: "leave", member: { session, nick: known.nick } });
      }
      return { ok: true };
    });
  }

  setRecord({ room, key, value, session, once }: RecordChange, done: Done<object>): void {
    this.#answer("setRecord", room, "ordered", done, () => {
      if (this.#cluster.sessions.get(session)?.server !== this)
        return { ok: false, code: "internal", message: `${session} is not here` };
      const { changes } = this.#cluster.log(room);
      if (!changes.has(once)) this.#putRecord(room, key, value);
      changes.add(once);
      return { ok: true };
    });
  }

  #putRecord(room: string, key: string, value: string): void {
    const { records, subscribers } = this.#cluster.log(room);
    records.set(key, value);
    for (const [server, subscriber] of subscribers) {
      server.hears(room, subscriber, () => subscriber.record(key, value));
    }
  }

  raiseMark(reader: string, mark: Mark, done: Done<object>): void {
    const log = markLog(reader);
    const value = raisedMark(this.#cluster.log(log).records.get(mark.room), mark, this.#cluster.clock.now());
    const operation = value === undefined ? "raiseMark" : "setRecord";
    this.#answer(operation, value === undefined ? reader : log, "ordered", done, () => {
      if (value !== undefined) this.#putRecord(log, mark.room, value);
      return { ok: true };
    });
  }

  rooms(limit: number, done: Done<{ rooms: readonly RoomSummary[] }>): void {
    this.#answer("rooms", String(limit), "loose", done, () => {
      const rooms: RoomSummary[] = [];
      for (const [room, { records }] of this.#cluster.logs) {
        const members = this.#cluster.members(room).length;
        if (members > 0) rooms.push({ room, members, records });
      }
      return { ok: true, rooms: rooms.sort((a, b) => b.members - a.members).slice(0, limit) };
    });
  }

  tell(session: string, payload: string): void {
    this.calls.push("tell");
    this.#cluster.sessions.get(session)?.server.tellWord(session, payload);
  }

  tellWord(session: string, payload: string): void {
    this.#ordered.push(() => this.listener?.told(session, payload));
  }

  health(): BackplaneHealth {
    return { state: this.state, detail: "as the test says", roundTripMs: 1.5 };
  }
}
