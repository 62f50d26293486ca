/**
 * One term of office of one keeper, from the election to the end, in its worker thread.
 *
 * `run` is one synchronous stretch: listen, be elected, load, serve. So whoever reads the new socket's path in the file
 * finds somebody behind it. Upkeep (moving entries, retention, checkpoints) runs between turns, a slice at a time.
 */
import type { Database } from "bun:sqlite";
import { chmodSync } from "node:fs";
import type { Clock, Timer } from "../../protocol/clock.ts";
import type { keeperLimits } from "../../protocol/limits.keeper.ts";
import type { Logger } from "../../protocol/logger.ts";
import type { ConnectionHandlers } from "../../net/connection.ts";
import { listen } from "../../net/listener.ts";
import type { Listener } from "../../net/listener.ts";
import { Checkpointer, walBytesOf } from "./checkpointer.ts";
import { Compactor } from "./compactor.ts";
import { MarkExpiry } from "./mark-expiry.ts";
import { fileIdentity } from "./file-identity.ts";
import { markDurable, takeOffice } from "./office.ts";
import { problemOf } from "./problem.ts";
import type { StoreProblem, TermLost } from "./problem.ts";
import { ownIdentity } from "./process-identity.ts";
import type { Holder } from "./reader.ts";
import { Sweeper } from "./retention.ts";
import { openForWriting, pageBytesOf } from "./schema.ts";
import { KeeperService } from "./service.ts";
import { openSocket, removeOldSockets, removeSocket } from "./socket-path.ts";
import { KeeperStore } from "./store.ts";
import type { Written } from "./store.ts";
import { Upkeep } from "./upkeep.ts";
import type { UpkeepKind } from "./upkeep.ts";

/** Bounds of a keeper; keeperLimits is one of these, tests pass smaller ones. */
export type KeeperLimits = { readonly [Name in keyof typeof keeperLimits]: number };

/** What a keeper is set up with. Plain data: it crosses to the worker. */
export interface TenureSettings {
  /** The data directory, absolute. */
  readonly directory: string;
  readonly file: string;
  readonly power: boolean;
  readonly graceMs: number;
  readonly keyWindowEntries: number;
  readonly keepMessages: number | undefined;
  readonly keepDays: number | undefined;
  readonly limits: KeeperLimits;
}

/** How a candidacy ended. */
export type Outcome =
  | { readonly won: true; readonly tenure: Tenure }
  | { readonly won: false; readonly holder: Holder };

/** Outbox settings of the keeper's connections. */
function connectionSettings(clock: Clock, limits: KeeperLimits) {
  return {
    clock,
    limits: {
      outboxBytes: limits.outboxBytes,
      highWaterBytes: limits.outboxBytes / 2,
      lingerMs: limits.lingerMs,
    },
  };
}

/** What a new epoch means to an operator. */
const BROKEN = "positions in the log begin anew: people are told that something may be missing";

const nobodyYet: ConnectionHandlers = { data: () => {}, close: () => {} };

export class Tenure {
  readonly term: number;
  readonly #settings: TenureSettings;
  readonly #log: Logger;
  readonly #store: KeeperStore;
  readonly #service: KeeperService;
  readonly #compactor: Compactor;
  readonly #sweeper: Sweeper;
  readonly #markExpiry: MarkExpiry;
  readonly #checkpointer: Checkpointer;
  readonly #pageBytes: number;
  readonly #upkeep: Upkeep;
  readonly #door: { listener: Listener; path: string };
  readonly #sweep: Timer;
  #upkeepScheduled = false;
  #durable: boolean;
  #over = false;

  /**
   * Runs for office and, if elected, serves.
   * @param ended told once when it is over other than by {@link stop}
   * @throws StoreProblem; `busy` when another has the lock just now
   */
  static run(
    settings: TenureSettings,
    seenTerm: number,
    clock: Clock,
    log: Logger,
    ended: (reason: TermLost | StoreProblem) => void,
  ): Outcome {
    const { file, directory, limits } = settings;
    let db: Database | undefined;
    let door: { listener: Listener; path: string } | undefined;
    let tenure: Tenure | undefined;
    try {
      const random = () => Buffer.from(crypto.getRandomValues(new Uint8Array(10))).toString("hex");
      const seed = (crypto.getRandomValues(new Uint32Array(1))[0] ?? 1) >>> 1;
      db = openForWriting(file, { cluster: random(), epoch: random(), seed });
      door = openSocket(directory, seenTerm + 1, (path) =>
        listen({
          at: { path },
          settings: connectionSettings(clock, limits),
          accept: (connection) => tenure?.accept(connection) ?? nobodyYet,
        }),
      );
      const { path } = door;
      chmodSync(path, 0o600);
      const identity = ownIdentity();
      // Where the system does not tell one boot from the next, only what is synced is safe.
      const power = settings.power || identity.boot === "";
      const { holder, newEpoch } = takeOffice(db, {
        seenTerm,
        socket: path,
        identity,
        file: fileIdentity(file),
        power,
        newEpoch: random(),
      });
      if (holder.term !== seenTerm + 1 || holder.socket !== path) {
        closeDoor(door, directory);
        db.close();
        return { won: false, holder };
      }
      if (newEpoch !== undefined) log.warn(BROKEN, { why: newEpoch });
      removeOldSockets(path, holder.term);
      tenure = new Tenure(db, settings, holder, door, clock, log, ended);
      return { won: true, tenure };
    } catch (error) {
      if (door !== undefined) closeDoor(door, directory);
      db?.close();
      throw problemOf(error, file);
    }
  }

  private constructor(
    db: Database,
    settings: TenureSettings,
    holder: Holder,
    door: { listener: Listener; path: string },
    clock: Clock,
    log: Logger,
    ended: (reason: TermLost | StoreProblem) => void,
  ) {
    const { limits, keyWindowEntries, keepMessages, keepDays, graceMs, file } = settings;
    const { term, seed, cluster, epoch } = holder;
    this.term = term;
    this.#settings = settings;
    this.#log = log;
    this.#door = door;
    this.#durable = holder.durable === 1;
    this.#store = new KeeperStore(db, { term, seed, keyWindowEntries });
    this.#compactor = new Compactor(this.#store, clock, limits, keyWindowEntries);
    this.#sweeper = new Sweeper(this.#store, clock, { keepMessages, keepDays });
    this.#markExpiry = new MarkExpiry(this.#store, clock);
    this.#service = new KeeperService({
      store: this.#store,
      file,
      term,
      cluster,
      epoch,
      graceMs,
      clock,
      limits,
      log,
      turned: (written) => this.#turned(written),
      synced: () => this.#durable,
      sync: () => this.#sync(),
      ended: (reason) => {
        this.#close();
        ended(reason);
      },
    });
    this.#pageBytes = pageBytesOf(db);
    this.#checkpointer = new Checkpointer(file, limits, log, {
      hold: () => this.#service.hold(),
      release: () => this.#service.release(),
    });
    this.#upkeep = new Upkeep(file, log);
    this.#sweep = clock.every(limits.beatMs, () => this.#sweepSlice());
  }

  accept(connection: Parameters<KeeperService["accept"]>[0]): ConnectionHandlers {
    return this.#service.accept(connection);
  }

  #turned({ bytes, rows }: Written): void {
    if (bytes + rows > 0) this.#checkpointer.wrote(walBytesOf(bytes, rows, this.#pageBytes));
    this.#scheduleMoving();
  }

  #scheduleMoving(): void {
    if (this.#upkeepScheduled || this.#over || !this.#compactor.due) return;
    this.#upkeepScheduled = true;
    setImmediate(() => {
      this.#upkeepScheduled = false;
      this.#work("moving", () => {
        const { bytes, rooms } = this.#compactor.slice();
        this.#checkpointer.wrote(walBytesOf(bytes, rooms * 2, this.#pageBytes));
        this.#scheduleMoving();
      });
    });
  }

  #sweepSlice(): void {
    if (this.#markExpiry.due) this.#work("expiry", () => this.#markExpiry.slice());
    if (!this.#sweeper.wanted) return;
    this.#work("retention", () => this.#sweeper.slice(this.#settings.limits.sliceMs));
  }

  /** Runs a slice, unless the log is not to be touched just now. */
  #work(kind: UpkeepKind, slice: () => void): void {
    if (this.#over || this.#checkpointer.holding) return;
    this.#upkeep.run(kind, slice);
  }

  #sync(): void {
    if (this.#durable) return;
    markDurable(this.#store.db, this.term);
    this.#durable = true;
  }

  /** Ends in order: what was committed is marked as safe if nobody takes over at once. */
  stop(): void {
    if (this.#over) return;
    const alone = this.#service.servers === 0;
    this.#service.end(undefined);
    try {
      if (alone) {
        // Nobody waits for this thread any more. Other servers that end take the lock for some ms: Bun runs a checkpoint
        // on every database that is open when a process exits.
        this.#store.db.run(`PRAGMA busy_timeout = ${this.#settings.limits.lingerMs}`);
        if (!this.#durable) markDurable(this.#store.db, this.term);
        this.#store.db.run("PRAGMA wal_checkpoint(TRUNCATE)");
      }
    } catch (error) {
      this.#log.warn("the log could not be synced at the end", {
        problem: problemOf(error, this.#settings.file).message,
      });
    }
    this.#close();
  }

  /** Ends at once, marking nothing. */
  abort(): void {
    this.#service.end(undefined);
    this.#close();
  }

  #close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#sweep.stop();
    this.#checkpointer.close();
    closeDoor(this.#door, this.#settings.directory);
    this.#store.db.close();
  }
}

function closeDoor({ listener, path }: { listener: Listener; path: string }, directory: string): void {
  listener.stop();
  removeSocket(path, directory);
}
