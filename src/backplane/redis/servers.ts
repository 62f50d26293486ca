/**
 * This server among the servers: its sign of life, its channel, and the common duties that any server may do.
 *
 * A beat renews the lease, brings sessions whose server or grace is over to their end, and travels through this server's
 * own subscription: if it does not come back, the subscription is dead though its socket lives.
 */
import type { Clock, Timer } from "../../protocol/clock.ts";
import type { Logger } from "../../protocol/logger.ts";
import { messageOf } from "./client.ts";
import type { RedisStore } from "./client.ts";
import type { People } from "./people.ts";
import type { Gate, Scripts } from "./room-scripts.ts";

/** What this server hears on its channel. */
export interface ServerHandlers {
  taken(session: string): void;
  told(session: string, payload: string): void;
  /** Another server asks everybody to compare positions with an instance. */
  compare(instance: string): void;
  /** Others have taken this server for dead: it must announce itself. */
  forgotten(): void;
  /** The subscription is dead. */
  deaf(): void;
  measured(roundTripMs: number): void;
}

/** What beating needs. */
export interface ServersParts {
  readonly server: string;
  readonly store: RedisStore;
  readonly scripts: Scripts;
  readonly people: People;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly log: Logger;
  readonly graceMs: number;
  readonly limits: {
    readonly beatMs: number;
    readonly leaseMs: number;
    readonly endingMs: number;
    readonly deafMs: number;
  };
}

/** The channel that all servers hear. */
const ALL = "all";

export class Servers {
  readonly #parts: ServersParts;
  readonly #handlers: ServerHandlers;
  #timer: Timer | undefined;
  #heardAt = 0;
  #known = false;
  #beating = false;
  #stopped = false;

  constructor(parts: ServersParts, handlers: ServerHandlers) {
    this.#parts = parts;
    this.#handlers = handlers;
  }

  /** Subscribes the server's channels; again on another connection. Rejects when that breaks. */
  async listen(): Promise<void> {
    const { store, scripts, server, clock } = this.#parts;
    const hear = (message: Buffer): void => this.#hear(message.toString());
    await store.subscribe(scripts.serverChannel(server), hear);
    await store.subscribe(scripts.serverChannel(ALL), hear);
    this.#heardAt = clock.monotonic();
  }

  /** Begins to beat. */
  start(): void {
    const { clock, limits } = this.#parts;
    this.#heardAt = clock.monotonic();
    this.#timer = clock.every(limits.beatMs, () => void this.beat());
  }

  #hear(message: string): void {
    this.#heardAt = this.#parts.clock.monotonic();
    const [kind = "", first = ""] = message.split(" ", 2);
    if (kind === "taken") this.#handlers.taken(first);
    if (kind === "compare") this.#handlers.compare(first);
    if (kind === "told") this.#handlers.told(first, message.slice(kind.length + first.length + 2));
  }

  /** One beat. Never rejects. */
  async beat(): Promise<void> {
    const { clock, gate, limits, log } = this.#parts;
    if (this.#beating || gate.closed !== undefined) {
      // Nothing can be heard while there is no connection.
      this.#heardAt = clock.monotonic();
      return;
    }
    this.#beating = true;
    try {
      await this.#beat();
      if (clock.monotonic() - this.#heardAt > limits.deafMs) {
        this.#heardAt = clock.monotonic();
        this.#handlers.deaf();
      }
    } catch (error) {
      if (!gate.stopped) log.debug("a beat failed", { reason: messageOf(error) });
    } finally {
      this.#beating = false;
    }
  }

  async #beat(): Promise<void> {
    const { clock, scripts, store, people, server, graceMs, limits } = this.#parts;
    const from = clock.monotonic();
    const args = [limits.leaseMs, graceMs, limits.endingMs].map(String);
    const [known, ...endings] = await scripts.peopleNow("beat", server, ...args);
    this.#handlers.measured(clock.monotonic() - from);
    const channel = scripts.serverChannel(server);
    await store.command(channel, "PUBLISH", channel, "beat");
    // After a goodbye it is not known either: what it had must not come back.
    if (this.#known && known === 0 && !this.#stopped) this.#handlers.forgotten();
    this.#known = true;
    await people.finish(endings);
    people.payOwed((reason) => this.#parts.log.debug("a session could not be ended yet", { reason }));
  }

  /** Asks all servers to compare their positions with an instance. Rejects when Redis goes away. */
  async askToCompare(instance: string): Promise<void> {
    const { store, scripts } = this.#parts;
    const channel = scripts.serverChannel(ALL);
    await store.command(channel, "PUBLISH", channel, `compare ${instance}`);
  }

  /** No more beats: before the goodbye, or the next one would take back what that gave up. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.stop();
  }
}
