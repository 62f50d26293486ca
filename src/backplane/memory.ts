/**
 * The backplane in one process's memory: for tests, simulations and throw-away rooms.
 *
 * A `MemoryStore` is a cluster; each `MemoryBackplane` made from it is one server's connection to it. What the store says
 * to a server goes through that server's one queue, in order, and is delivered after the call that caused it returned.
 * A simulation gives the queue a delay and injects faults; both come from its own clock and seeded randomness.
 *
 * Invariant: the queue of a backplane holds what was decided and not yet delivered, in the order decided; so a snapshot
 * comes before the events after it, and an event before the `done` of what caused it.
 */
import { systemClock } from "../protocol/clock.ts";
import type { Clock } from "../protocol/clock.ts";
import { deliveriesOf } from "../protocol/deliveries.ts";
import { backplaneLimits } from "../protocol/limits.ts";
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
  Member,
  Publication,
  RecordChange,
  RoomSubscriber,
  RoomSummary,
  Snapshot,
} from "./backplane.ts";
import { checkPublication, unavailable } from "./failures.ts";
import { MemoryLogs } from "./memory-logs.ts";
import { ClusterState } from "./state.ts";
import type { Announcer, Room } from "./cluster.ts";

/** Settings of a store. All have defaults. */
export interface MemoryStoreOptions {
  readonly clock?: Clock;
  readonly cluster?: string;
  readonly graceMs?: number;
  readonly keyWindowEntries?: number;
  /** Entries kept a room; default all. */
  readonly keepMessages?: number;
}

/** The calls that are answered. */
export type MemoryOperation =
  | "publish"
  | "history"
  | "subscribe"
  | "claim"
  | "setAway"
  | "lookup"
  | "enter"
  | "leave"
  | "setRecord"
  | "raiseMark"
  | "rooms";

/** Settings of one server's connection. */
export interface MemoryBackplaneOptions {
  /** How long what the store says takes to arrive, ms; asked for each. Order is kept. Default: the next microtask. */
  readonly delayMs?: () => number;
  /** Makes a call fail as `unavailable`: `refused` was not done, `unanswered` was. */
  readonly fault?: (operation: MemoryOperation) => "refused" | "unanswered" | undefined;
}

/** A cluster in memory. */
export class MemoryStore {
  readonly cluster: string;
  readonly clock: Clock;
  readonly logs: MemoryLogs;
  readonly #graceMs: number;
  #epoch = 1;
  #servers = 0;
  #state: ClusterState<MemoryBackplane>;

  constructor(options: MemoryStoreOptions = {}) {
    this.clock = options.clock ?? systemClock;
    this.cluster = options.cluster ?? "memory";
    this.#graceMs = options.graceMs ?? backplaneLimits.graceMs;
    this.logs = new MemoryLogs(
      options.keyWindowEntries ?? backplaneLimits.keyWindowEntries,
      options.keepMessages ?? Infinity,
    );
    this.#state = this.#newState();
  }

  #newState(): ClusterState<MemoryBackplane> {
    return new ClusterState<MemoryBackplane>(this.logs, announcer, {
      epoch: `${this.cluster}-${this.#epoch}`,
      now: () => this.clock.now(),
      monotonic: () => this.clock.monotonic(),
      graceMs: this.#graceMs,
    });
  }

  /** A name for one more server. */
  nextId(): string {
    this.#servers += 1;
    return `server-${this.#servers}`;
  }

  get state(): ClusterState<MemoryBackplane> {
    return this.#state;
  }

  /** A server has gone: its sessions end, or are ended when their grace is over. */
  vanish(backplane: MemoryBackplane, release: boolean): void {
    this.#state.vanish(backplane, release);
    if (!release) this.clock.after(this.#graceMs, () => this.#state.expire());
  }

  /** Loses the logs, as a store that came back from an old copy would; every subscriber is reset. */
  changeEpoch(): void {
    const before = this.#state;
    this.#epoch += 1;
    this.logs.clear();
    this.#state = this.#newState();
    const servers = new Set<MemoryBackplane>();
    for (const { session, nick, rooms, server, owner, fence, away } of before.sessions) {
      const names = [...rooms].map((room) => room.name);
      this.#state.restore({ session, nick, owner, fence, away, rooms: names });
      if (server === undefined) continue;
      this.#state.claim(server, session, nick, fence);
      servers.add(server);
    }
    for (const room of before.loaded) for (const server of room.subscribers) servers.add(server);
    for (const server of servers) server.resubscribe();
    this.clock.after(this.#graceMs, () => this.#state.expire());
  }
}

const announcer: Announcer<MemoryBackplane> = {
  entry: (room, entry) => {
    if (room.subscribers.length === 0) return;
    const told = deliveriesOf([entry]);
    eachSubscription(room, (subscriber) => subscriber.appended(told));
  },
  presence: (room, event) => eachSubscription(room, (subscriber) => subscriber.presence(event)),
  record: (room, key, value) => eachSubscription(room, (subscriber) => subscriber.record(key, value)),
  taken: (server, session) => server.hear((listener) => listener.taken(session)),
  told: (server, session, payload) => server.hear((listener) => listener.told(session, payload)),
};

function eachSubscription(room: Room<MemoryBackplane>, say: (subscriber: RoomSubscriber) => void): void {
  for (const server of room.subscribers) server.hearRoom(room.name, say);
}

/** One server's connection to a {@link MemoryStore}. */
export class MemoryBackplane implements Backplane {
  readonly cluster: string;
  readonly id: string;
  readonly #store: MemoryStore;
  readonly #options: MemoryBackplaneOptions;
  readonly #subscribers = new Map<string, RoomSubscriber>();
  readonly #queue: (() => void)[] = [];
  #listener: BackplaneListener | undefined;
  #draining = false;

  constructor(store: MemoryStore, options: MemoryBackplaneOptions = {}) {
    this.#store = store;
    this.#options = options;
    this.cluster = store.cluster;
    this.id = store.nextId();
  }

  start(listener: BackplaneListener): Promise<void> {
    this.#listener = listener;
    return Promise.resolve();
  }

  stop(release: boolean): Promise<void> {
    this.vanish(release);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#later(resolve);
    return promise;
  }

  /** Cuts the server off at once and without a word to it, as a crash would. */
  vanish(release = false): void {
    this.#listener = undefined;
    this.#subscribers.clear();
    this.#store.vanish(this, release);
  }

  /** Delivers in order, after the caller has returned. */
  #later(run: () => void): void {
    this.#queue.push(run);
    const delay = this.#options.delayMs;
    if (delay !== undefined) {
      // Timers may fire out of order when delays differ; each delivers whatever is oldest, so order is kept.
      this.#store.clock.after(delay(), () => this.#queue.shift()?.());
    } else if (!this.#draining) {
      this.#draining = true;
      queueMicrotask(() => this.#drain());
    }
  }

  #drain(): void {
    this.#draining = false;
    const batch = this.#queue.splice(0);
    for (const run of batch) run();
  }

  /** Queues something the listener hears, if it still listens then. */
  hear(say: (listener: BackplaneListener) => void): void {
    this.#later(() => {
      if (this.#listener !== undefined) say(this.#listener);
    });
  }

  /** Queues something a room's subscriber hears, if the same one is still subscribed then. */
  hearRoom(room: string, say: (subscriber: RoomSubscriber) => void): void {
    const subscriber = this.#subscribers.get(room);
    if (subscriber === undefined) return;
    this.#later(() => {
      if (this.#subscribers.get(room) === subscriber) say(subscriber);
    });
  }

  /** Subscribes everything again in the store's new state, and says so. */
  resubscribe(): void {
    for (const room of this.#subscribers.keys()) {
      const snapshot = this.#store.state.subscribe(this, room);
      this.hearRoom(room, (subscriber) => subscriber.reset(snapshot));
    }
  }

  /** Runs a call now and answers later, unless a fault is injected. */
  #answer<T>(
    operation: MemoryOperation,
    done: Done<T>,
    run: () => ({ ok: true } & T) | BackplaneFailure,
  ): void {
    const fault = this.#options.fault?.(operation);
    let result: ({ ok: true } & T) | BackplaneFailure;
    if (this.#listener === undefined) result = unavailable("the backplane is stopped");
    else if (fault === "refused") result = unavailable("the store cannot be reached; try again");
    else {
      result = run();
      if (fault === "unanswered") result = unavailable("the store did not answer; try again");
    }
    this.#later(() => done(result));
  }

  publish(
    publication: Publication,
    done: Done<{ position: Snapshot["position"]; at: number; duplicate: boolean }>,
  ): void {
    this.#answer("publish", done, () => {
      const { state } = this.#store;
      const refusal = checkPublication(publication);
      if (refusal !== undefined) return refusal;
      const { seq, at, duplicate } = state.publish(publication);
      return { ok: true, position: { epoch: state.epoch, seq }, at, duplicate };
    });
  }

  history(query: HistoryQuery, done: Done<{ page: HistoryPage }>): void {
    this.#answer("history", done, () => {
      const { last } = this.#store.state.room(query.room);
      return { ok: true, page: this.#store.logs.page(query, this.#store.state.epoch, last) };
    });
  }

  subscribe(room: string, subscriber: RoomSubscriber, done: Done<{ snapshot: Snapshot }>): void {
    const answered: typeof done = (result) => {
      const current = this.#subscribers.get(room) === subscriber;
      if (result.ok && !current) return done(unavailable("the subscription was ended before it began"));
      if (!result.ok && current) this.unsubscribe(room);
      done(result);
    };
    this.#answer("subscribe", answered, () => {
      this.#subscribers.set(room, subscriber);
      return { ok: true, snapshot: this.#store.state.subscribe(this, room) };
    });
  }

  unsubscribe(room: string): void {
    this.#subscribers.delete(room);
    this.#store.state.unsubscribe(this, room);
  }

  claim(session: string, nick: string, fence: number, done: Done<Claimed>): void {
    this.#answer("claim", done, () => this.#store.state.claim(this, session, nick, fence));
  }

  release(session: string): void {
    this.#store.state.release(this, session);
  }

  setAway(session: string, away: string | undefined, done: Done<object>): void {
    this.#answer("setAway", done, () => this.#store.state.setAway(this, session, away) ?? { ok: true });
  }

  lookup(nick: string, done: Done<{ member: Member | undefined }>): void {
    this.#answer("lookup", done, () => ({ ok: true, member: this.#store.state.lookup(nick) }));
  }

  enter(room: string, session: string, done: Done<object>): void {
    this.#answer("enter", done, () => this.#store.state.enter(this, room, session) ?? { ok: true });
  }

  leave(room: string, session: string, done: Done<object>): void {
    this.#answer("leave", done, () => {
      this.#store.state.leave(this, room, session);
      return { ok: true };
    });
  }

  setRecord(change: RecordChange, done: Done<object>): void {
    this.#answer("setRecord", done, () => this.#store.state.setRecord(this, change) ?? { ok: true });
  }

  raiseMark(reader: string, mark: Mark, done: Done<object>): void {
    this.#answer("raiseMark", done, () => {
      this.#store.state.raiseMark(reader, mark);
      return { ok: true };
    });
  }

  rooms(limit: number, done: Done<{ rooms: readonly RoomSummary[] }>): void {
    this.#answer("rooms", done, () => ({ ok: true, rooms: this.#store.state.rooms(limit) }));
  }

  tell(session: string, payload: string): void {
    if (this.#listener !== undefined) this.#store.state.tell(session, payload);
  }

  health(): BackplaneHealth {
    return this.#listener === undefined
      ? { state: "down", detail: "the backplane is stopped", roundTripMs: 0 }
      : { state: "ok", detail: "everything is in this process's memory", roundTripMs: 0 };
  }
}
