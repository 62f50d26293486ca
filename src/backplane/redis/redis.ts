/**
 * The backplane of several machines: Redis or Valkey, one server or a Cluster.
 *
 * The log of a room is a stream, and it is the truth; pub/sub brings news fast and may lose them (follower.ts). All that
 * must be atomic is in scripts (scripts.ts), which bear repetition, so a call whose connection broke is repeated until
 * it is answered or its time is over. A Redis that is new, after a restart or a failover, is served after all servers
 * have compared what they have seen with what it has (comparison.ts); then sessions are announced again, and rooms
 * brought up to date.
 */
import { randomUUID } from "node:crypto";
import { systemClock } from "../../protocol/clock.ts";
import type { Clock } from "../../protocol/clock.ts";
import { backplaneLimits } from "../../protocol/limits.ts";
import { redisLimits } from "../../protocol/limits.redis.ts";
import type { Logger } from "../../protocol/logger.ts";
import type {
  Backplane,
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
} from "../backplane.ts";
import { checkPublication, unavailable } from "../failures.ts";
import type { RedisAddress } from "./address.ts";
import { isFinal, messageOf, RedisStore } from "./client.ts";
import { Comparison } from "./comparison.ts";
import { Door } from "./door.ts";
import { Followers, pairs } from "./followers.ts";
import { People } from "./people.ts";
import { warnOfLoss } from "./persistence.ts";
import { Positions } from "./positions.ts";
import { Publisher } from "./publisher.ts";
import type { Logged } from "./publisher.ts";
import { list, Scripts } from "./room-scripts.ts";
import { Servers } from "./servers.ts";

/** Bounds of the Redis backplane; tests pass smaller ones. */
export type RedisLimits = { readonly [Name in keyof typeof redisLimits]: number };

/** How a Redis backplane is set up. */
export interface RedisOptions {
  readonly address: RedisAddress;
  readonly log: Logger;
  /** Entries kept a room, and days any is kept. Default: everything. */
  readonly keepMessages?: number;
  readonly keepDays?: number;
  readonly graceMs?: number;
  readonly keyWindowEntries?: number;
  readonly limits?: RedisLimits;
  readonly clock?: Clock;
  readonly random?: () => number;
}

export class RedisBackplane implements Backplane {
  readonly #id = randomUUID();
  readonly #address: RedisAddress;
  readonly #graceMs: number;
  readonly #startMs: number;
  readonly #retryMs: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #door = new Door();
  readonly #store: RedisStore;
  readonly #scripts: Scripts;
  readonly #publisher: Publisher;
  readonly #people: People;
  readonly #followers: Followers;
  readonly #servers: Servers;
  readonly #comparison: Comparison;
  readonly #first = Promise.withResolvers<void>();
  #listener: BackplaneListener | undefined;
  #cluster = "";
  /** How often a Redis was there; only the last time counts. */
  #attempts = 0;
  /** The Redis that was last compared with. */
  #instance: string | undefined;
  #health: BackplaneHealth = { state: "down", detail: "not started", roundTripMs: 0 };

  constructor(options: RedisOptions) {
    const limits = options.limits ?? redisLimits;
    const clock = options.clock ?? systemClock;
    const { address, log, keepMessages, keepDays } = options;
    this.#address = address;
    this.#graceMs = options.graceMs ?? backplaneLimits.graceMs;
    this.#startMs = limits.startMs;
    this.#retryMs = limits.retryMs;
    this.#clock = clock;
    this.#log = log;
    const gate = this.#door;
    const server = this.#id;
    const store = new RedisStore(address, limits, clock, options.random ?? Math.random, {
      connected: (instance) => void this.#connected(instance),
      disconnected: (reason) => this.#disconnected(reason),
      resubscribed: () => this.#followers.catchUpAll(),
    });
    this.#store = store;
    const positions = new Positions(limits.positions);
    this.#scripts = new Scripts({
      store,
      gate,
      clock,
      positions,
      prefix: `${address.prefix}:${address.database}:`,
      timeoutMs: limits.callMs,
      retryMs: limits.retryMs,
      compare: (instance) => this.#comparison.run(instance),
    });
    const scripts = this.#scripts;
    this.#followers = new Followers({ store, scripts, positions, gate, clock, log, limits });
    this.#publisher = new Publisher(scripts, positions, {
      ...limits,
      keyWindowEntries: options.keyWindowEntries ?? limits.keyWindowEntries,
      keepMessages,
      keepDays,
      now: () => clock.now(),
    });
    this.#people = new People(server, scripts, (room, epoch, v, then) => {
      this.#followers.changed(room, epoch, v, then);
    });
    const people = this.#people;
    const graceMs = this.#graceMs;
    this.#servers = new Servers(
      { server, store, scripts, people, gate, clock, log, graceMs, limits },
      {
        taken: (session) => this.#taken(session),
        told: (session, payload) => this.#listener?.told(session, payload),
        compare: (instance) => void this.#comparison.answer(instance),
        forgotten: () => void this.#announce(),
        deaf: () => void this.#renew(),
        measured: (roundTripMs) => {
          this.#health = { ...this.#health, roundTripMs };
        },
      },
    );
    this.#comparison = new Comparison({
      server,
      positions,
      scripts,
      clock,
      log,
      waitMs: limits.leaseMs * 2,
      retryMs: limits.retryMs,
      announce: (instance) => this.#servers.askToCompare(instance),
    });
  }

  get cluster(): string {
    return this.#cluster;
  }

  async start(listener: BackplaneListener): Promise<void> {
    this.#listener = listener;
    const { shown } = this.#address;
    const timer = this.#clock.after(this.#startMs, () => {
      const { detail } = this.#health;
      this.#first.reject(new Error(`cannot reach ${shown} (${detail}); check that it runs and the address`));
    });
    void this.#begin();
    try {
      await this.#first.promise;
    } catch (error) {
      this.#close();
      throw error;
    } finally {
      timer.stop();
    }
  }

  async #begin(): Promise<void> {
    try {
      await this.#store.connect();
      if (this.#door.closed !== undefined) await this.#door.closed;
      await this.#servers.listen();
      const key = this.#scripts.peopleKey("cluster");
      await this.#store.command(key, "SET", key, randomUUID(), "NX");
      this.#cluster = String(await this.#store.command(key, "GET", key));
      await this.#servers.beat();
      this.#servers.start();
      await warnOfLoss(this.#store, key, this.#log);
      this.#first.resolve();
    } catch (error) {
      this.#first.reject(
        new Error(`cannot use ${this.#address.shown}: ${messageOf(error)}`, { cause: error }),
      );
    }
  }

  /** Redis can be spoken to. A new one is compared with first. */
  async #connected(instance: string): Promise<void> {
    if (this.#door.stopped) return;
    const fresh = instance !== "" && instance !== this.#instance;
    this.#attempts += 1;
    const attempt = this.#attempts;
    try {
      if (fresh) await this.#comparison.run(instance);
    } catch (error) {
      this.#disconnected(error);
      // Gone again, and the next connection begins anew; or there, and still loading its log: then nobody else asks.
      this.#clock.after(this.#retryMs, () => {
        if (attempt === this.#attempts) void this.#connected(instance);
      });
      return;
    }
    if (attempt !== this.#attempts) return;
    const again = this.#instance !== undefined;
    this.#instance = instance;
    this.#door.open();
    this.#report("ok", `connected to ${this.#address.shown}`);
    if (!again) return;
    // Without instances to tell apart, as in a Cluster, it may be another.
    if (instance === "") await this.#comparison.answer(randomUUID());
    if ((fresh || instance === "") && this.#listener !== undefined) await this.#announce();
    this.#followers.catchUpAll();
  }

  #disconnected(reason: unknown): void {
    if (this.#door.stopped) return;
    if (isFinal(reason)) {
      const why = `${this.#address.shown} refuses: ${messageOf(reason)}; check user, password and database`;
      this.#first.reject(new Error(why, { cause: reason }));
    }
    // A Cluster serves the rooms of its other nodes meanwhile.
    if (!this.#store.isCluster) this.#door.close();
    this.#report(this.#store.isCluster ? "degraded" : "down", messageOf(reason) || "the connection is lost");
  }

  async #announce(): Promise<void> {
    try {
      await this.#people.announce((session) => this.#listener?.taken(session));
    } catch (error) {
      this.#log.warn("sessions could not be announced to Redis", { reason: messageOf(error) });
    }
  }

  #taken(session: string): void {
    this.#people.taken(session);
    this.#listener?.taken(session);
  }

  async #renew(): Promise<void> {
    this.#log.warn("the subscription to Redis is dead; it is made again");
    try {
      await this.#store.renewSubscriptions();
      await this.#servers.listen();
      await this.#followers.listenAgain();
      this.#followers.catchUpAll();
    } catch (error) {
      // Deaf still: the next beats find out.
      this.#log.warn("the subscription could not be made again", { reason: messageOf(error) });
    }
  }

  #report(state: BackplaneHealth["state"], detail: string): void {
    if (this.#health.state === state && this.#health.detail === detail) return;
    this.#health = { ...this.#health, state, detail };
    this.#listener?.health(this.#health);
  }

  health(): BackplaneHealth {
    return this.#health;
  }

  async stop(release: boolean): Promise<void> {
    if (this.#door.stopped) return;
    this.#listener = undefined;
    this.#servers.stop();
    try {
      // Publishes go out before this on the same connection; their answers come before its answer.
      if (this.#door.closed === undefined) {
        const grace = this.#graceMs.toFixed(0);
        const endings = await this.#scripts.peopleNow("bye", this.#id, release ? "release" : "grace", grace);
        await this.#people.finish(endings);
      }
    } catch (error) {
      this.#log.warn("this server could not say goodbye to Redis", { reason: messageOf(error) });
    }
    this.#close();
  }

  /** Drops everything at once and without a word, as a crash would; for tests. */
  abort(): void {
    this.#listener = undefined;
    this.#close();
  }

  #close(): void {
    this.#door.stop();
    this.#servers.stop();
    this.#followers.close();
    this.#store.close();
    this.#health = { state: "down", detail: "the backplane is stopped", roundTripMs: 0 };
  }

  /** Answers a call that was made while stopped. @returns whether it was */
  #refuse<T>(done: Done<T>): boolean {
    if (this.#listener !== undefined) return false;
    queueMicrotask(() => done(stopped));
    return true;
  }

  #ask<T>(done: Done<T>, call: () => Promise<T>): void {
    if (this.#refuse(done)) return;
    void this.#settle(done, call);
  }

  async #settle<T>(done: Done<T>, call: () => Promise<T>): Promise<void> {
    let result: Parameters<typeof done>[0];
    try {
      result = { ok: true, ...(await call()) };
    } catch (error) {
      result = unavailable(messageOf(error));
    }
    done(result);
  }

  publish(publication: Publication, done: Done<Logged>): void {
    if (this.#refuse(done)) return;
    const refusal = checkPublication(publication);
    if (refusal === undefined) this.#publisher.publish(publication, done);
    else queueMicrotask(() => done(refusal));
  }

  history(query: HistoryQuery, done: Done<{ page: HistoryPage }>): void {
    this.#ask(done, async () => ({ page: await this.#followers.page(query) }));
  }

  subscribe(room: string, subscriber: RoomSubscriber, done: Done<{ snapshot: Snapshot }>): void {
    if (!this.#refuse(done)) this.#followers.subscribe(room, subscriber, done);
  }

  unsubscribe(room: string): void {
    this.#followers.unsubscribe(room);
  }

  claim(session: string, nick: string, fence: number, done: Done<Claimed>): void {
    if (!this.#refuse(done)) this.#people.claim(session, nick, fence, done);
  }

  setAway(session: string, away: string | undefined, done: Done<object>): void {
    if (!this.#refuse(done)) this.#people.setAway(session, away, done);
  }

  release(session: string): void {
    if (this.#listener === undefined) return;
    this.#people.release(session, (reason) =>
      this.#log.debug("a session could not be ended yet; it will be when Redis answers", { reason }),
    );
  }

  lookup(nick: string, done: Done<{ member: Member | undefined }>): void {
    this.#ask(done, async () => ({ member: await this.#people.lookup(nick) }));
  }

  enter(room: string, session: string, done: Done<object>): void {
    if (!this.#refuse(done)) this.#people.enter(room, session, done);
  }

  leave(room: string, session: string, done: Done<object>): void {
    if (!this.#refuse(done)) this.#people.leave(room, session, done);
  }

  setRecord(change: RecordChange, done: Done<object>): void {
    if (this.#refuse(done)) return;
    this.#people.whileHere(change.session, done, () => this.#followers.setRecord(change));
  }

  raiseMark(reader: string, mark: Mark, done: Done<object>): void {
    this.#ask<object>(done, () => this.#followers.raiseMark(reader, mark));
  }

  rooms(limit: number, done: Done<{ rooms: readonly RoomSummary[] }>): void {
    this.#ask(done, async () => {
      const counts = pairs(list(await this.#scripts.people("rooms", String(limit))));
      const rooms = await Promise.all(
        counts.map(async ([room, members]) => {
          return { room, members: Number(members), records: await this.#followers.records(room) };
        }),
      );
      return { rooms };
    });
  }

  tell(session: string, payload: string): void {
    if (this.#listener === undefined) return;
    // Words are lost when nobody can be reached: that is their contract.
    this.#scripts.people("tell", session, payload).catch(() => {});
  }
}

const stopped = unavailable("the backplane is stopped");
