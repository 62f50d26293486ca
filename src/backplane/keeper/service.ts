/**
 * The keeper at work: it takes what one turn of the loop brought from all servers, commits it as one transaction, and
 * only then answers and tells the others, with one write a socket.
 *
 * Chunks are kept as they come and decoded inside the transaction, so that nothing is decided before the term has been
 * checked. If the transaction fails, every question of the turn is answered as `unavailable`, what had been prepared to
 * be sent is thrown away, and the state is rebuilt from the file.
 *
 * A turn takes so many bytes at most, and what is left over is another turn's: so under load servers read answers and
 * write more while the keeper works, instead of each waiting for the other, and nobody's answer waits for everybody's.
 *
 * Invariants: between turns the peers' writers are empty, and memory equals the file; after `TermLost` nothing is sent.
 */
import { SQLiteError } from "bun:sqlite";
import type { Clock, Timer } from "../../protocol/clock.ts";
import type { FrameReader } from "../../protocol/frames.ts";
import type { keeperLimits } from "../../protocol/limits.keeper.ts";
import type { Logger } from "../../protocol/logger.ts";
import type { Connection, ConnectionHandlers } from "../../net/connection.ts";
import { unavailable } from "../failures.ts";
import { ClusterState } from "../state.ts";
import { Peer } from "./peer.ts";
import { problemOf, TermLost } from "./problem.ts";
import type { Part } from "../../protocol/frames.ts";
import type { StoreProblem } from "./problem.ts";
import { announcer, postpone, readOnly, serve, TurnRecord } from "./requests.ts";
import type { KeeperState } from "./requests.ts";
import type { KeeperStore, Written } from "./store.ts";
import { KEEPER_VERSION, Op } from "./wire.ts";
import type { Hello, Welcome } from "./wire.ts";

/** Bounds of the service; keeperLimits fits. */
export type ServiceLimits = Pick<
  { readonly [Name in keyof typeof keeperLimits]: number },
  "beatMs" | "serverSilenceMs" | "storeRetryMs" | "downMs" | "turnBytes" | "syncedTurnBytes"
>;

/** What a service needs. */
export interface ServiceOptions {
  readonly store: KeeperStore;
  readonly file: string;
  readonly term: number;
  readonly cluster: string;
  readonly epoch: string;
  readonly graceMs: number;
  readonly clock: Clock;
  readonly limits: ServiceLimits;
  readonly log: Logger;
  /** Between turns: what the last one wrote. Upkeep does its slices here. */
  turned(written: Written): void;
  /** Whether every commit is synced. */
  synced(): boolean;
  /** Switches to syncing every commit, and writes that down. @throws SQLiteError: only the second was not done */
  sync(): void;
  /** The end: another keeper has been elected, or the store cannot go on. Called once. */
  ended(reason: TermLost | StoreProblem): void;
}

interface Arrival {
  readonly peer: Peer;
  /** Undefined: the connection is gone. */
  readonly chunk: Uint8Array | undefined;
}

export class KeeperService {
  readonly #options: ServiceOptions;
  readonly #peers = new Set<Peer>();
  readonly #record = new TurnRecord();
  readonly #ticker: Timer;
  #state: KeeperState;
  #arrived: Arrival[] = [];
  #scheduled = false;
  #tickedAt: number;
  #held = false;
  #ended = false;
  /** Why the store cannot be written, and until when (monotonic ms) nobody tries. */
  #failing: { readonly why: string; readonly until: number } | undefined;
  /** Since when another program has had the lock, monotonic ms. */
  #busySince: number | undefined;
  #wantsSync = false;
  /** What time it is in this turn: asked once, because every entry wants to know. */
  #now: number | undefined;
  /** The first store error of this turn; what follows it in the turn is only taken on. */
  #broken: SQLiteError | undefined;

  constructor(options: ServiceOptions) {
    this.#options = options;
    this.#state = this.#rebuild();
    this.#tickedAt = options.clock.monotonic();
    this.#ticker = options.clock.every(options.limits.beatMs, () => this.#tick());
  }

  /** Servers connected that have not said goodbye. */
  get servers(): number {
    return [...this.#peers].filter(({ id, finished }) => id !== "" && !finished).length;
  }

  #rebuild(): KeeperState {
    const { store, epoch, graceMs, clock } = this.#options;
    const state: KeeperState = new ClusterState<Peer, Part, Part>(store, announcer, {
      epoch,
      graceMs,
      now: () => (this.#now ??= clock.now()),
      monotonic: () => clock.monotonic(),
    });
    for (const stored of store.sessions()) state.restore(stored);
    for (const peer of this.#peers) {
      if (peer.id !== "") state.rebind(peer);
      for (const room of peer.rooms) state.subscribe(peer, room);
    }
    return state;
  }

  /** A server has connected. */
  accept(connection: Connection): ConnectionHandlers {
    const peer = new Peer(connection, this.#options.clock.monotonic());
    this.#peers.add(peer);
    return {
      data: (chunk) => this.#arrive(peer, chunk),
      close: () => this.#arrive(peer, undefined),
    };
  }

  #arrive(peer: Peer, chunk: Uint8Array | undefined): void {
    if (this.#ended) return;
    peer.heardAt = this.#options.clock.monotonic();
    const { turnBytes } = this.#options.limits;
    if (chunk === undefined || chunk.length <= turnBytes) this.#arrived.push({ peer, chunk });
    else {
      for (let at = 0; at < chunk.length; at += turnBytes) {
        this.#arrived.push({ peer, chunk: chunk.subarray(at, at + turnBytes) });
      }
    }
    this.#schedule();
  }

  /** What one turn takes of what has arrived. */
  #nextArrivals(): Arrival[] {
    const { limits } = this.#options;
    // A sync costs the same for few and many: what is there shares one.
    const turnBytes = this.#options.synced() ? limits.syncedTurnBytes : limits.turnBytes;
    let bytes = 0;
    let count = 0;
    for (const { chunk } of this.#arrived) {
      bytes += chunk?.length ?? 0;
      if (count > 0 && bytes > turnBytes) break;
      count += 1;
    }
    return this.#arrived.splice(0, count);
  }

  #schedule(): void {
    if (this.#scheduled || this.#ended) return;
    this.#scheduled = true;
    setImmediate(() => this.turn());
  }

  /** No turns until `release`: for a checkpoint that has to catch up. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#schedule();
  }

  #tick(): void {
    const { clock, limits, log } = this.#options;
    const now = clock.monotonic();
    // After a sleep of our own (SIGSTOP, a laptop's lid) what they said meanwhile has not been read yet.
    const asleep = now - this.#tickedAt > 2 * limits.beatMs;
    this.#tickedAt = now;
    for (const peer of this.#peers) {
      if (asleep) peer.heardAt = now;
      if (now - peer.heardAt > limits.serverSilenceMs) {
        log.warn("a server is silent: its sessions go into grace", { server: peer.id });
        peer.connection.terminate();
      } else peer.beat();
    }
    // Also with nothing to do: grace may be over, and the term is checked.
    this.#schedule();
  }

  /** One turn. Scheduled by itself; public for the upkeep's sake of knowing where it stands. */
  turn(): void {
    this.#scheduled = false;
    this.#now = undefined;
    if (this.#ended || this.#held) return;
    const { store, clock } = this.#options;
    if (this.#failing !== undefined && clock.monotonic() < this.#failing.until) return this.#refuseAll();
    try {
      store.begin();
    } catch (error) {
      return this.#cannotBegin(error);
    }
    this.#busySince = undefined;
    let written: Written;
    try {
      this.#catchUp();
      for (const { peer, chunk } of this.#nextArrivals()) this.#take(peer, chunk, this.#serve);
      if (this.#broken !== undefined) throw this.#broken;
      this.#state.expire();
      ({ written } = store);
      store.commit();
    } catch (error) {
      return this.#failed(error);
    }
    this.#record.clear();
    if (this.#failing !== undefined) this.#recovered();
    this.#sendAll();
    if (this.#wantsSync) this.#sync();
    this.#options.turned(written);
    if (this.#arrived.length > 0) this.#schedule();
  }

  /** Does what was put off while the store could not be written. */
  #catchUp(): void {
    for (const { peer, ending } of this.#record.endings) {
      if ("session" in ending) this.#state.release(peer, ending.session);
      else if ("release" in ending) this.#state.vanish(peer, ending.release);
      else if (!peer.finished) this.#state.announce(peer, ending.announced);
    }
  }

  #sendAll(): void {
    for (const peer of this.#peers) {
      peer.flush();
      peer.welcomed = peer.id !== "";
      if (peer.finished) peer.connection.finish();
    }
  }

  #take(peer: Peer, chunk: Uint8Array | undefined, frame: (peer: Peer, reader: FrameReader) => void): void {
    if (chunk === undefined) {
      this.#peers.delete(peer);
      this.#state.vanish(peer, false);
      return;
    }
    if (peer.finished) return;
    try {
      peer.decoder.push(chunk, (reader) => frame(peer, reader));
    } catch (error) {
      // A fault of ours as well, in one server's frame: the others must not suffer from it.
      this.#options.log.error("a server's frame cannot be served: its connection is closed", {
        server: peer.id,
        error: error instanceof Error ? error.message : String(error),
      });
      peer.finished = true;
    }
  }

  readonly #serve = (peer: Peer, reader: FrameReader): void => {
    if (peer.finished) return;
    if (this.#broken !== undefined) return this.#postpone(peer, reader);
    try {
      if (peer.id !== "") serve(this.#state, peer, reader, this.#record, this.#options.store.ahead);
      else this.#welcome(peer, reader);
    } catch (error) {
      // Caught here, so that the rest of the chunk is still decoded.
      if (!(error instanceof SQLiteError)) throw error;
      this.#broken = error;
      // Of several publishes in a frame, those behind the one that failed.
      if (reader.op === Op.Publish) this.#postpone(peer, reader);
    }
  };

  readonly #postpone = (peer: Peer, reader: FrameReader): void => {
    if (peer.finished) return;
    if (peer.id !== "") postpone(peer, reader, this.#record);
    else this.#welcome(peer, reader);
  };

  readonly #refuse = (peer: Peer, reader: FrameReader): void => {
    if (peer.id === "" || !readOnly.has(reader.op)) return this.#postpone(peer, reader);
    const { size } = this.#record;
    try {
      serve(this.#state, peer, reader, this.#record, this.#options.store.ahead);
      this.#record.answered(size);
    } catch (error) {
      // Who asked is recorded, and will be refused.
      if (!(error instanceof SQLiteError)) throw error;
    }
  };

  #welcome(peer: Peer, reader: FrameReader): void {
    if (reader.op !== Op.Hello) throw new RangeError(`operation ${reader.op} before hello`);
    const hello = reader.json() as Hello;
    if (hello.version !== KEEPER_VERSION) {
      const message = `the servers of this data folder speak keeper version ${KEEPER_VERSION}, this one ${hello.version}; run the same rtchat for all`;
      peer.writer.begin(Op.Refuse).text(message).end();
      peer.finished = true;
      return;
    }
    for (const other of this.#peers) {
      if (other === peer || other.id !== hello.server) continue;
      // It has lost that connection, and we have not noticed yet.
      this.#state.vanish(other, false);
      other.finished = true;
    }
    peer.id = hello.server;
    if (hello.power) this.#wantsSync = true;
    const { term, cluster, epoch } = this.#options;
    peer.writer
      .begin(Op.Welcome)
      .json({ term, cluster, epoch } satisfies Welcome)
      .end();
    this.#record.endings.push({ peer, ending: { announced: hello.sessions } });
    if (this.#canWrite) this.#state.announce(peer, hello.sessions);
    else this.#state.rebind(peer);
  }

  #sync(): void {
    try {
      this.#options.sync();
      this.#wantsSync = false;
    } catch (error) {
      // Commits are synced already; that they are is written down after one of the next turns.
      const problem = problemOf(error, this.#options.file);
      if (problem.kind !== "busy") this.#fail(problem);
    }
  }

  #cannotBegin(error: unknown): void {
    if (error instanceof TermLost) return this.end(error);
    const problem = problemOf(error, this.#options.file);
    const { clock, limits } = this.#options;
    this.#busySince ??= clock.monotonic();
    if (problem.kind === "busy" && clock.monotonic() - this.#busySince < limits.downMs) {
      // A candidate, or a person with a sqlite3 shell who is soon done: what has arrived waits.
      this.#scheduled = true;
      clock.after(1, () => this.turn());
      return;
    }
    this.#fail(problem);
    this.#refuseAll();
  }

  get #canWrite(): boolean {
    return this.#broken === undefined && this.#options.store.db.inTransaction;
  }

  /** The transaction failed after something was done in it. */
  #failed(error: unknown): void {
    const { store, file } = this.#options;
    this.#broken = undefined;
    for (const peer of this.#peers) {
      // With what is thrown away goes the welcome of those who came in this turn: they come again.
      if (peer.writer.length > 0 && !peer.welcomed) peer.finished = true;
      peer.discard();
    }
    try {
      store.rollback();
      const problem = problemOf(error, file);
      this.#state = this.#rebuild();
      this.#fail(problem);
      this.#record.refuse(unavailable(problem.message));
      this.#sendAll();
    } catch (second) {
      this.end(problemOf(second, file));
    }
  }

  #fail(problem: StoreProblem): void {
    const { clock, limits, log } = this.#options;
    if (this.#failing?.why !== problem.message) {
      log.error("the log cannot be written", { problem: problem.message });
      this.#status(problem.message);
    }
    this.#failing = { why: problem.message, until: clock.monotonic() + limits.storeRetryMs };
  }

  #recovered(): void {
    this.#failing = undefined;
    this.#options.log.info("the log can be written again");
    this.#status("");
  }

  #status(why: string): void {
    for (const { id, writer } of this.#peers) if (id !== "") writer.begin(Op.Status).text(why).end();
  }

  /** Answers what has arrived while nothing can be written. */
  #refuseAll(): void {
    for (const { peer, chunk } of this.#arrived.splice(0)) this.#take(peer, chunk, this.#refuse);
    this.#record.refuse(unavailable(this.#failing?.why ?? "the log cannot be written; try again"));
    this.#sendAll();
  }

  /** Stops serving at once: every connection is cut, nothing more is sent. */
  end(reason: TermLost | StoreProblem | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ticker.stop();
    for (const { connection } of this.#peers) connection.terminate();
    this.#peers.clear();
    if (reason !== undefined) this.#options.ended(reason);
  }
}
