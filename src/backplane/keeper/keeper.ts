/**
 * The embedded backplane of one machine: servers that share a data directory elect one of them keeper of the log.
 *
 * This is a server's side. Writing calls go to the keeper over its Unix socket (link.ts, calls.ts), events come back the
 * same way, history is read from the file (reader.ts). When the keeper dies, calls under way are repeated to the next
 * one, sessions are announced to it, and subscriptions continue where they stood (inbound.ts): a hub notices a pause and
 * nothing else.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { systemClock } from "../../protocol/clock.ts";
import type { Clock, Timer } from "../../protocol/clock.ts";
import type { FrameWriter } from "../../protocol/frames.ts";
import { backplaneLimits } from "../../protocol/limits.ts";
import { keeperLimits } from "../../protocol/limits.keeper.ts";
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
import { CallTable, PublishCall } from "./calls.ts";
import type { Call, Logged } from "./calls.ts";
import { Candidate } from "./candidate.ts";
import { History } from "./history.ts";
import { Inbound } from "./inbound.ts";
import { KeeperLink } from "./link.ts";
import { OwnSessions } from "./own-sessions.ts";
import { problemOf, StoreProblem } from "./problem.ts";
import { PublicationWriter } from "./publications.ts";
import { LogReader } from "./reader.ts";
import { SearchThread } from "./search/thread.ts";
import type { KeeperLimits, TenureSettings } from "./tenure.ts";
import { KEEPER_VERSION, Op, summaryFromWire } from "./wire.ts";
import type { Welcome, WireSummary } from "./wire.ts";

/** Name of the log file in the data directory. */
export const logFile = "log.sqlite";

/** How a keeper backplane is set up. */
export interface KeeperOptions {
  /** The data directory; made with mode 0700 if there is none. */
  readonly directory: string;
  readonly log: Logger;
  /** `power`: an answer means that the disk has it. Default `process`: that it survives every process. */
  readonly durability?: "process" | "power";
  /** Entries kept a room, and days any is kept. Default: everything. Those of the server that is keeper count. */
  readonly keepMessages?: number;
  readonly keepDays?: number;
  readonly graceMs?: number;
  readonly keyWindowEntries?: number;
  readonly limits?: KeeperLimits;
  readonly clock?: Clock;
}

export class KeeperBackplane implements Backplane {
  readonly searcher: SearchThread;
  readonly #id = randomUUID();
  readonly #settings: TenureSettings;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #calls: CallTable;
  readonly #reader: LogReader;
  readonly #history: History;
  readonly #candidate: Candidate;
  readonly #link: KeeperLink;
  readonly #sessions = new OwnSessions();
  readonly #inbound: Inbound;
  readonly #publications = new PublicationWriter();
  #listener: BackplaneListener | undefined;
  #started = Promise.withResolvers<void>();
  #welcome: Welcome | undefined;
  #announced: readonly string[] = [];
  #ticker: Timer | undefined;
  #health: BackplaneHealth = { state: "down", detail: "not started", roundTripMs: 0 };
  /** Since when nothing can be written. */
  #lostAt: number | undefined;
  /** While stopping: what is said to the keeper, and to the next one if it dies before it has heard it. */
  #goodbye: { readonly release: boolean; readonly over: PromiseWithResolvers<void> } | undefined;

  constructor(options: KeeperOptions) {
    const directory = resolve(options.directory);
    const limits = options.limits ?? keeperLimits;
    const file = join(directory, logFile);
    this.#clock = options.clock ?? systemClock;
    this.#log = options.log;
    this.#settings = {
      directory,
      file,
      limits,
      power: options.durability === "power",
      graceMs: options.graceMs ?? backplaneLimits.graceMs,
      keyWindowEntries: options.keyWindowEntries ?? backplaneLimits.keyWindowEntries,
      keepMessages: options.keepMessages,
      keepDays: options.keepDays,
    };
    this.#calls = new CallTable(this.#clock, limits, backplaneLimits.publishMs);
    this.#reader = new LogReader(file);
    this.#history = new History(this.#reader, file, this.#log, this.#clock);
    this.searcher = new SearchThread({ directory, file, limits }, this.#clock, this.#log);
    this.#candidate = new Candidate(this.#settings, this.#clock, this.#log, (inOffice) =>
      this.searcher.index(inOffice),
    );
    const told = {
      taken: (session: string) => {
        this.#sessions.taken(session);
        this.#listener?.taken(session);
      },
      told: (session: string, payload: string) => this.#listener?.told(session, payload),
      status: (why: string) => this.#status(why),
      pressure: () => this.#link.pause(),
      relief: () => this.#link.resume(),
    };
    this.#inbound = new Inbound(this.#calls, this.#reader, this.#log, told, limits);
    this.#link = new KeeperLink(
      { file, reader: this.#reader, candidate: this.#candidate, clock: this.#clock, limits },
      {
        hello: () => this.#hello(),
        welcomed: (welcome) => this.#welcomed(welcome),
        frame: (reader) => (reader.op === Op.Farewell ? this.#left() : this.#inbound.frame(reader)),
        measured: (roundTripMs) => {
          this.#health = { ...this.#health, roundTripMs };
        },
        lost: () => this.#lost(),
        trouble: (problem) => this.#trouble(problem),
      },
    );
  }

  get cluster(): string {
    return this.#welcome?.cluster ?? "";
  }

  /** The term of the keeper this server is connected to, or was last; 0 before the first. */
  get term(): number {
    return this.#welcome?.term ?? 0;
  }

  async start(listener: BackplaneListener): Promise<void> {
    const { directory, limits } = this.#settings;
    this.#listener = listener;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw problemOf(error, directory);
    }
    this.#ticker = this.#clock.every(limits.beatMs, () => this.#tick());
    void this.#link.run();
    // A lock that is never given back would keep us here for ever.
    const timer = this.#clock.after(backplaneLimits.publishMs, () => {
      const detail = "another program holds its lock; close whatever has it open, such as a sqlite3 shell";
      this.#started.reject(
        new StoreProblem("busy", `no keeper could be elected for ${this.#settings.file}: ${detail}`),
      );
    });
    try {
      await this.#started.promise;
    } catch (error) {
      await this.stop(false);
      throw error;
    } finally {
      timer.stop();
    }
  }

  #tick(): void {
    this.#calls.expire();
    const { writer } = this.#link;
    if (writer !== undefined) this.#inbound.retry(writer);
    if (this.#lostAt !== undefined && this.#clock.monotonic() - this.#lostAt > this.#settings.limits.downMs) {
      this.#report("down", this.#health.detail);
    }
  }

  async stop(release: boolean): Promise<void> {
    if (this.#listener !== undefined && this.#welcome !== undefined) {
      const over = Promise.withResolvers<void>();
      this.#goodbye = { release, over };
      this.#sayGoodbye();
      // One that hangs is not waited for.
      const timer = this.#clock.after(this.#settings.limits.lingerMs, over.resolve);
      await over.promise;
      timer.stop();
    }
    this.#close();
    await Promise.all([this.#candidate.stop("stop"), this.searcher.close()]);
  }

  /**
   * When all servers stop at the same time, the keeper may be gone before it hears this: then another is looked for, and
   * the last server left elects itself. So the end is said to somebody, and the last one marks the log as safe.
   */
  #sayGoodbye(): void {
    if (this.#goodbye === undefined) return;
    const release = this.#goodbye.release ? 1 : 0;
    this.#link.writer?.begin(Op.Goodbye).u8(release).end();
  }

  /** The keeper has heard it, says what is left to say, and closes. */
  #left(): void {
    this.#link.leave();
    void this.#link.ended().then(() => this.#goodbye?.over.resolve());
  }

  /** Drops everything at once and without a word, as a crash would; for tests. */
  async abort(): Promise<void> {
    this.#close();
    await Promise.all([this.#candidate.stop("abort"), this.searcher.close()]);
  }

  #close(): void {
    this.#listener = undefined;
    this.#link.stop();
    this.#ticker?.stop();
    this.#inbound.close();
    this.#calls.failAll(stopped);
    this.#reader.close();
    this.#health = { state: "down", detail: "the backplane is stopped", roundTripMs: 0 };
  }

  #hello() {
    const sessions = this.#sessions.announce();
    this.#announced = sessions.map(({ session }) => session);
    return { version: KEEPER_VERSION, server: this.#id, power: this.#settings.power, sessions };
  }

  #welcomed(welcome: Welcome): void {
    const writer = this.#link.writer;
    if (writer === undefined) return;
    this.#publications.startOver();
    this.#welcome = welcome;
    // What ended between the hello and now was announced, and is not meant to live.
    for (const session of this.#announced) {
      if (!this.#sessions.has(session)) writer.begin(Op.Release).text(session).end();
    }
    this.#inbound.welcomed(writer, welcome.epoch);
    this.#calls.repeat(writer);
    this.#status("");
    this.#started.resolve();
    this.#sayGoodbye();
  }

  #lost(): void {
    this.#lostAt = this.#clock.monotonic();
    this.#inbound.lost();
    this.#report("degraded", "the keeper is gone; another is being elected");
  }

  #trouble(problem: StoreProblem): void {
    this.#log.error("no keeper can be reached", { problem: problem.message });
    this.#report("down", problem.message);
    this.#started.reject(problem);
  }

  #report(state: BackplaneHealth["state"], detail: string): void {
    if (this.#health.state === state && this.#health.detail === detail) return;
    this.#health = { ...this.#health, state, detail };
    this.#listener?.health(this.#health);
  }

  health(): BackplaneHealth {
    return this.#health;
  }

  #status(why: string): void {
    // As without a keeper: what is not over soon is not a pause but a failure.
    this.#lostAt = why === "" ? undefined : (this.#lostAt ?? this.#clock.monotonic());
    if (why === "") this.#report("ok", `connected to the keeper of term ${this.term}`);
    else this.#report("degraded", why);
  }

  #add(call: Call): void {
    if (this.#listener === undefined) queueMicrotask(() => call.failed(stopped));
    else if (!this.#calls.add(call, this.#link.writer)) {
      queueMicrotask(() => call.failed(unavailable("too much is under way at the log; try again")));
    }
  }

  #ask<T>(done: Done<T>, write: (writer: FrameWriter, number: number) => void): void {
    this.#add({
      bytes: 0,
      write,
      answered: (answer) => done({ ok: true, ...(answer as T) }),
      failed: done,
    });
  }

  publish(publication: Publication, done: Done<Logged>): void {
    const refusal = checkPublication(publication);
    if (refusal !== undefined) {
      queueMicrotask(() => done(refusal));
      return;
    }
    this.#add(new PublishCall(publication, this.#publications, done));
  }

  history(query: HistoryQuery, done: Done<{ page: HistoryPage }>): void {
    const result = this.#listener === undefined ? stopped : this.#history.page(query);
    queueMicrotask(() => done(result));
  }

  subscribe(room: string, subscriber: RoomSubscriber, done: Done<{ snapshot: Snapshot }>): void {
    this.#add(this.#inbound.subscribe(room, subscriber, done));
  }

  unsubscribe(room: string): void {
    if (this.#inbound.unsubscribe(room)) this.#link.writer?.begin(Op.Unsubscribe).text(room).end();
  }

  claim(session: string, nick: string, fence: number, done: Done<Claimed>): void {
    this.#sessions.claiming(session);
    this.#ask<Claimed>(
      (result) => {
        if (result.ok) this.#sessions.claimed(session, nick, fence, result);
        else this.#sessions.notClaimed(session);
        done(result);
      },
      (writer, number) => writer.begin(Op.Claim).u32(number).f64(fence).field(session).text(nick).end(),
    );
  }

  setAway(session: string, away: string | undefined, done: Done<object>): void {
    this.#sessions.away(session, away);
    const [state, words] = away === undefined ? [0, ""] : [1, away];
    this.#ask(done, (writer, number) =>
      writer.begin(Op.SetAway).u32(number).u8(state).field(session).text(words).end(),
    );
  }

  release(session: string): void {
    this.#sessions.released(session);
    this.#link.writer?.begin(Op.Release).text(session).end();
  }

  lookup(nick: string, done: Done<{ member: Member | undefined }>): void {
    this.#ask<{ member?: Member }>(
      (result) => done(result.ok ? { ok: true, member: result.member } : result),
      (writer, number) => writer.begin(Op.Lookup).u32(number).text(nick).end(),
    );
  }

  enter(room: string, session: string, done: Done<object>): void {
    this.#sessions.entering(session, room);
    this.#ask<object>(
      (result) => {
        if (!result.ok) this.#sessions.left(session, room);
        done(result);
      },
      (writer, number) => writer.begin(Op.Enter).u32(number).field(room).text(session).end(),
    );
  }

  leave(room: string, session: string, done: Done<object>): void {
    this.#sessions.left(session, room);
    this.#ask(done, (writer, number) => writer.begin(Op.Leave).u32(number).field(room).text(session).end());
  }

  setRecord(change: RecordChange, done: Done<object>): void {
    this.#ask(done, (writer, number) => writer.begin(Op.SetRecord).u32(number).json(change).end());
  }

  raiseMark(reader: string, { room, epoch, seq }: Mark, done: Done<object>): void {
    this.#ask(done, (writer, number) => {
      writer.begin(Op.RaiseMark).u32(number).field(reader).field(room).field(epoch).f64(seq).end();
    });
  }

  rooms(limit: number, done: Done<{ rooms: readonly RoomSummary[] }>): void {
    this.#ask<{ rooms: readonly WireSummary[] }>(
      (result) => done(result.ok ? { ok: true, rooms: result.rooms.map(summaryFromWire) } : result),
      (writer, number) => writer.begin(Op.Rooms).u32(number).u32(limit).end(),
    );
  }

  tell(session: string, payload: string): void {
    this.#link.writer?.begin(Op.Tell).field(session).text(payload).end();
  }
}

const stopped = unavailable("the backplane is stopped");
