/**
 * The connections to Redis: one for commands, one for subscriptions, to a single server or a Cluster.
 *
 * Commands fail at once while there is no connection, and when it breaks: whether they were done is then unknown, and
 * the caller repeats them, which all scripts bear. The npm client reconnects by itself, resubscribes, and follows the
 * slots of a Cluster; what it does not notice (a server that hangs, a subscription that is dead while its socket lives)
 * is noticed here by time-outs and by a beat through the subscription itself.
 */
import { createClient, createCluster, ErrorReply, RESP_TYPES } from "redis";
import type { Clock, Timer } from "../../protocol/clock.ts";
import type { RedisAddress } from "./address.ts";
import { scripts } from "./scripts.ts";
import type { ScriptName } from "./scripts.ts";
import { sayWhoTraces } from "./tracing.ts";

sayWhoTraces();

/** What a script is given: text and bytes as they are. */
export type Argument = string | Uint8Array;
/** What a script gives back. */
export type Reply = string | number | Buffer | null | readonly Reply[];

/** Times of a client, ms; redisLimits fits. */
export interface ClientLimits {
  readonly connectMs: number;
  readonly commandMs: number;
  readonly reconnectMs: number;
  readonly reconnectMostMs: number;
}

/** What the owner of a client is told. */
export interface ClientHandlers {
  /** Commands can be sent (again), to the instance of Redis with this name; empty for a Cluster. */
  connected(instance: string): void;
  /** They cannot. */
  disconnected(reason: unknown): void;
  /** Subscriptions have been made again: messages may have been missed. */
  resubscribed(): void;
}

type Single = ReturnType<typeof single>;
type Cluster = ReturnType<typeof cluster>;

interface Times {
  readonly limits: ClientLimits;
  readonly random: () => number;
}

function socketOptions({ tls, ca }: RedisAddress, { limits, random }: Times) {
  const { connectMs, reconnectMs, reconnectMostMs } = limits;
  const common = {
    connectTimeout: connectMs,
    reconnectStrategy: (retries: number) =>
      Math.round((0.5 + random() / 2) * Math.min(reconnectMostMs, reconnectMs * 2 ** Math.min(retries, 10))),
  };
  return tls ? { ...common, tls: true as const, ...(ca === undefined ? {} : { ca }) } : common;
}

function shared(address: RedisAddress, times: Times) {
  return {
    ...(address.username === undefined ? {} : { username: address.username }),
    ...(address.password === undefined ? {} : { password: address.password }),
    pingInterval: Math.ceil(times.limits.commandMs / 3),
    maintNotifications: "disabled" as const,
    disableClientInfo: true,
    // A timer a command for what waits to be written; here one look at all of them does it (`#look`).
    commandOptions: { timeout: 0 },
  };
}

function single(address: RedisAddress, times: Times, disableOfflineQueue: boolean) {
  const [first = { host: "127.0.0.1", port: 6379 }] = address.hosts;
  return createClient({
    ...shared(address, times),
    database: address.database,
    disableOfflineQueue,
    socket: { ...socketOptions(address, times), host: first.host, port: first.port },
  });
}

function cluster(address: RedisAddress, times: Times) {
  const socket = socketOptions(address, times);
  return createCluster({
    rootNodes: address.hosts.map(({ host, port }) => ({
      ...shared(address, times),
      socket: { ...socket, host, port },
    })),
    defaults: { ...shared(address, times), disableOfflineQueue: true, socket },
  });
}

const binary = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };

/** An answer of Redis that will not change by asking again: credentials, rights, the database, its version. */
export function isFinal(error: unknown): boolean {
  return (
    error instanceof ErrorReply &&
    /^(NOAUTH|WRONGPASS|NOPERM|NOPROTO|ERR (AUTH|invalid password|unknown command|DB index|SELECT))/.test(
      error.message,
    )
  );
}

export class RedisStore {
  readonly #address: RedisAddress;
  readonly #times: Times;
  readonly #clock: Clock;
  readonly #handlers: ClientHandlers;
  #single: Single | undefined;
  #cluster: Cluster | undefined;
  #subscriber: Single | Cluster | undefined;
  /** Commands without an answer, and since when nothing has been answered, monotonic ms. */
  #unanswered = 0;
  #quietSince = 0;
  #watch: Timer | undefined;
  #closed = false;
  /** Scripts that Redis has had in full on this connection. */
  readonly #loaded = new Set<ScriptName>();

  constructor(
    address: RedisAddress,
    limits: ClientLimits,
    clock: Clock,
    random: () => number,
    handlers: ClientHandlers,
  ) {
    this.#address = address;
    this.#times = { limits, random };
    this.#clock = clock;
    this.#handlers = handlers;
  }

  /** Whether the store is a Redis Cluster; known after {@link connect}. */
  get isCluster(): boolean {
    return this.#cluster !== undefined;
  }

  /** Connects and finds out what is there; keeps trying until {@link close}. @throws what the client throws */
  async connect(): Promise<void> {
    const probe = this.#newSingle();
    this.#single = probe;
    await probe.connect();
    const info = await probe.sendCommand<string>(["INFO", "cluster"]);
    const isCluster = info.includes("cluster_enabled:1");
    if (isCluster && this.#address.database !== 0) {
      throw new Error(`a Redis Cluster has only database 0; leave "/${this.#address.database}" out`);
    }
    if (isCluster) {
      await this.#connectCluster();
      this.#single = undefined;
      probe.destroy();
    }
    await this.#subscribeWith(this.#newSubscriber());
    if (!isCluster) {
      probe.on("ready", () => void this.#identify(probe));
      await this.#identify(probe);
    }
    this.#watch = this.#clock.every(this.#times.limits.commandMs / 4, () => this.#look());
  }

  #newSingle(): Single {
    const client = single(this.#address, this.#times, true);
    client.on("error", (error: Error) => {
      if (client === this.#single) this.#handlers.disconnected(error);
    });
    return client;
  }

  async #identify(client: Single): Promise<void> {
    if (client === this.#single) this.#loaded.clear();
    try {
      const [server, replication] = await Promise.all([
        client.sendCommand<string>(["INFO", "server"]),
        client.sendCommand<string>(["INFO", "replication"]),
      ]);
      if (client === this.#single) this.#handlers.connected(instanceOf(server, replication));
    } catch (error) {
      // It broke again: another `ready` follows.
      if (client === this.#single) this.#handlers.disconnected(error);
    }
  }

  async #connectCluster(): Promise<void> {
    const client = cluster(this.#address, this.#times);
    this.#cluster = client;
    const current = (): boolean => client === this.#cluster;
    client.on("error", (error: Error) => current() && this.#handlers.disconnected(error));
    client.on("node-error", (error: Error) => current() && this.#handlers.disconnected(error));
    client.on("node-ready", () => {
      if (!current()) return;
      this.#loaded.clear();
      if (client.isReady) this.#handlers.connected("");
    });
    this.#loaded.clear();
    await client.connect();
    if (current()) this.#handlers.connected("");
  }

  #newSubscriber(): Single | Cluster {
    return this.isCluster ? cluster(this.#address, this.#times) : single(this.#address, this.#times, false);
  }

  async #subscribeWith(client: Single | Cluster): Promise<void> {
    this.#subscriber = client;
    let first = true;
    const ready = (): void => {
      // The client subscribes everything again before it says that it is ready.
      if (!first && client === this.#subscriber) this.#handlers.resubscribed();
    };
    client.on("error", () => {});
    client.on("ready", ready);
    client.on("node-ready", ready);
    await client.connect();
    first = false;
  }

  /** A connection on which nothing is answered is given up for another. */
  #look(): void {
    if (this.#unanswered === 0 || this.#clock.monotonic() - this.#quietSince < this.#times.limits.commandMs)
      return;
    this.#quietSince = this.#clock.monotonic();
    this.#handlers.disconnected(new Error("Redis does not answer"));
    void this.#renewCommands();
  }

  async #renewCommands(): Promise<void> {
    const [oldSingle, oldCluster] = [this.#single, this.#cluster];
    try {
      if (oldCluster === undefined) {
        const client = this.#newSingle();
        this.#single = client;
        client.on("ready", () => void this.#identify(client));
        if (oldSingle?.isOpen === true) oldSingle.destroy();
        await client.connect();
      } else {
        const connecting = this.#connectCluster();
        if (oldCluster.isOpen) oldCluster.destroy();
        await connecting;
      }
    } catch (error) {
      if (!this.#closed) this.#handlers.disconnected(error);
    }
  }

  /**
   * Runs a script. It is sent in full until it has been answered once: asked for by its hash alone it might be unknown, and
   * be overtaken by what was called after it.
   * @param asBytes gives bulk strings as buffers
   * @throws what the client throws
   */
  async run(
    name: ScriptName,
    keys: readonly string[],
    args: readonly Argument[],
    asBytes = false,
  ): Promise<Reply> {
    const { sha, source } = scripts[name];
    const rest = [
      String(keys.length),
      ...keys,
      ...args.map((one) => (typeof one === "string" ? one : buffer(one))),
    ];
    if (!this.#loaded.has(name)) {
      const reply = await this.#send(keys[0], ["EVAL", source, ...rest], asBytes);
      this.#loaded.add(name);
      return reply;
    }
    try {
      return await this.#send(keys[0], ["EVALSHA", sha, ...rest], asBytes);
    } catch (error) {
      // Another node of a Cluster, or somebody has flushed them.
      if (!(error instanceof ErrorReply && error.message.startsWith("NOSCRIPT"))) throw error;
      return this.#send(keys[0], ["EVAL", source, ...rest], asBytes);
    }
  }

  /** Sends one command about `key`. @throws what the client throws */
  command(key: string, ...args: string[]): Promise<Reply> {
    return this.#send(key, args, false);
  }

  async #send(key: string | undefined, args: (string | Buffer)[], asBytes: boolean): Promise<Reply> {
    const options = asBytes ? binary : {};
    if (this.#unanswered === 0) this.#quietSince = this.#clock.monotonic();
    this.#unanswered += 1;
    try {
      if (this.#cluster !== undefined)
        return await this.#cluster.sendCommand<Reply>(key, false, args, options);
      if (this.#single !== undefined) return await this.#single.sendCommand<Reply>(args, options);
      throw new Error("there is no connection to Redis yet");
    } finally {
      this.#unanswered -= 1;
      this.#quietSince = this.#clock.monotonic();
    }
  }

  /** Hears a channel, across reconnects. @throws what the client throws */
  async subscribe(channel: string, listener: (message: Buffer, channel: Buffer) => void): Promise<void> {
    await this.#subscriber?.subscribe(channel, listener, true);
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.#subscriber?.unsubscribe(channel);
  }

  /**
   * Gives the subscriptions' connection up for another, because it is dead though its socket lives. Nothing is subscribed
   * on the new one: the owner does that again.
   */
  async renewSubscriptions(): Promise<void> {
    const old = this.#subscriber;
    const connecting = this.#subscribeWith(this.#newSubscriber());
    if (old?.isOpen === true) old.destroy();
    await connecting;
  }

  close(): void {
    this.#closed = true;
    this.#watch?.stop();
    for (const client of [this.#single, this.#subscriber, this.#cluster]) {
      if (client?.isOpen === true) client.destroy();
    }
  }
}

const buffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * What tells a store from what it was before: its process, and its history, which has another name after each promotion. A
 * process that was a primary, was replaced, and comes back may have less than others have seen of the one in between.
 */
function instanceOf(server: string, replication: string): string {
  const [process, history] = [/run_id:(\w+)/.exec(server)?.[1], /master_replid:(\w+)/.exec(replication)?.[1]];
  return process === undefined ? "" : `${process}-${history ?? ""}`;
}

/** An error's words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
