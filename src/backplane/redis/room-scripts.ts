/**
 * Calling room scripts: keys and channel from the room's name, the epoch's guard, and trying again.
 *
 * A call is repeated until its deadline while Redis cannot be reached or cannot serve; every script bears that. In a
 * Cluster a room that has moved to another node is served after all servers have compared their positions with it.
 */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../protocol/clock.ts";
import { isFinal, messageOf } from "./client.ts";
import type { Argument, RedisStore, Reply } from "./client.ts";
import type { Positions } from "./positions.ts";
import { peopleParts, roomParts } from "./scripts.ts";
import type { ScriptName } from "./scripts.ts";

/** Redis could not serve a call until its deadline. */
class RedisUnavailable extends Error {
  override readonly name = "RedisUnavailable";
}

/** When calls may be made. */
export interface Gate {
  /** Undefined while calls may be made; else resolves when they may. */
  readonly closed: Promise<void> | undefined;
  /** No more calls. */
  readonly stopped: boolean;
}

/** What calls are made with. */
export interface CallParts {
  readonly store: Pick<RedisStore, "run" | "isCluster">;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly positions: Positions;
  /** Begins all keys and channels: other programs and databases are kept apart by it. */
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly retryMs: number;
  /** All servers compare their positions with this instance of the store. Resolves when they have. */
  compare(instance: string): Promise<void>;
}

/** Some entries of a room, as the script `publish` is given them. */
export interface RoomBatch {
  readonly room: string;
  readonly args: readonly Argument[];
}

/** A name as part of a key: braces would say where the key lives. */
const escaped = (name: string): string => name.replaceAll(/[{}%]/g, encodeURIComponent);

/** An epoch for a room that begins one. */
const newEpoch = (): string => randomUUID().slice(0, 18);

export class Scripts {
  readonly #parts: CallParts;
  readonly #peopleKeys: readonly string[];
  /** A proxy spreads rooms over several servers, as a Cluster would: each has its own script. */
  #apart = false;
  /** Of what stands before a room's name in its channel's. */
  readonly #channelBytes: number;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.#channelBytes = Buffer.byteLength(this.channel(""));
    this.#peopleKeys = peopleParts.map((part) => `${parts.prefix}{people}:${part}`);
  }

  /** The channel on which a room's events are published. */
  channel(room: string): string {
    return `${this.#parts.prefix}room:${room}`;
  }

  /** The room of such a channel. */
  roomOf(channel: Buffer): string {
    return channel.toString("utf8", this.#channelBytes);
  }

  /** The channel of one server, or of all. */
  serverChannel(server: string): string {
    return `${this.#parts.prefix}server:${server}`;
  }

  /** Any key that lives with the people's. */
  peopleKey(name: string): string {
    return `${this.#parts.prefix}{people}:${name}`;
  }

  /**
   * Runs a room script.
   * @throws RedisUnavailable
   */
  room(
    name: ScriptName,
    room: string,
    args: readonly Argument[],
    asBytes = false,
  ): Promise<readonly Reply[]> {
    return this.repeated(() => this.#served(name, room, args, asBytes));
  }

  async #served(
    name: ScriptName,
    room: string,
    args: readonly Argument[],
    asBytes = false,
  ): Promise<readonly Reply[]> {
    const reply = await this.#room(name, room, args, asBytes, this.#parts.store.isCluster ? "?" : "");
    if (String(reply[0]) !== "moved" || reply.length !== 3) return reply;
    const node = String(reply[1]);
    await this.#parts.compare(`${node}-${String(reply[2])}`);
    return this.#room(name, room, args, asBytes, node);
  }

  /** Compares what was seen of a room with what the store has; once, whoever may call. @throws what the client throws */
  async compareRoom(room: string): Promise<void> {
    await this.#room("check", room, [], false, this.#parts.store.isCluster ? "*" : "");
  }

  async #room(
    name: ScriptName,
    room: string,
    args: readonly Argument[],
    asBytes: boolean,
    node: string,
  ): Promise<readonly Reply[]> {
    const [channel, epoch, seq] = this.#seen(room);
    const head = [channel, newEpoch(), epoch, seq, node];
    return list(await this.#parts.store.run(name, this.#keys(room), [...head, ...args], asBytes));
  }

  #keys(room: string): string[] {
    const place = `${this.#parts.prefix}{${escaped(room)}}:`;
    return roomParts.map((part) => place + part);
  }

  /** The room's channel, and what was seen of it. */
  #seen(room: string): [channel: string, epoch: string, seq: string] {
    const { epoch, seq } = this.#parts.positions.of(room);
    return [this.channel(room), epoch, String(seq)];
  }

  /** Whether batches of several rooms can be published together: in a Cluster they lie on different nodes. */
  get canJoin(): boolean {
    return !this.#apart && !this.#parts.store.isCluster;
  }

  /**
   * Publishes a batch of each of some rooms, of one in a Cluster.
   * @param settings what they have in common
   * @returns for each a reply or an error (see the script), or null when it was not tried
   * @throws RedisUnavailable
   */
  publish(settings: readonly string[], batches: readonly RoomBatch[]): Promise<readonly Reply[]> {
    return this.repeated(() => this.#publish(settings, batches));
  }

  /**
   * The same for one room of which an error was told: repeated until its time is over, as all calls are.
   * @throws RedisUnavailable
   */
  publishAgain(settings: readonly string[], batch: RoomBatch, told: Reply): Promise<readonly Reply[]> {
    let reply = told;
    return this.repeated(async () => {
      if (reply === null) [reply = null] = await this.#publish(settings, [batch]);
      if (Array.isArray(reply)) return reply as readonly Reply[];
      const error: unknown = reply;
      reply = null;
      throw error;
    });
  }

  async #publish(settings: readonly string[], batches: readonly RoomBatch[]): Promise<readonly Reply[]> {
    const [first] = batches;
    if (first === undefined) return [];
    const parts = batches.flatMap(({ room, args }) => [...this.#seen(room), ...args]);
    if (batches.length === 1) return this.#served("publish", first.room, [...settings, ...parts]);
    const keys = batches.flatMap(({ room }) => this.#keys(room));
    const [channel, epoch, seq] = this.#seen(first.room);
    const head = [channel, newEpoch(), epoch, seq, "", ...settings];
    return this.#joined("publish", keys, [...head, ...parts], batches);
  }

  /**
   * Looks where some rooms stand, once.
   * @returns for each an error or epoch, seq, v
   * @throws what the client throws
   */
  async check(rooms: readonly string[]): Promise<readonly Reply[]> {
    const [first, ...others] = rooms;
    if (first === undefined) return [];
    if (others.length === 0) return this.#served("check", first, []);
    if (!this.canJoin)
      return (await Promise.all(rooms.map((room) => this.#served("check", room, [])))).flat();
    const keys = rooms.map((room) => this.#keys(room)[0] ?? "");
    const [channel, epoch, seq] = this.#seen(first);
    const seen = others.flatMap((room) => this.#seen(room));
    return this.#joined("check", keys, [channel, newEpoch(), epoch, seq, "", ...seen], rooms);
  }

  /** Runs a script about several rooms; null for each when that cannot be done here. */
  async #joined(
    name: ScriptName,
    keys: readonly string[],
    args: readonly Argument[],
    rooms: readonly unknown[],
  ): Promise<readonly Reply[]> {
    try {
      return list(await this.#parts.store.run(name, keys, args));
    } catch (error) {
      if (!messageOf(error).startsWith("CROSSSLOT")) throw error;
      this.#apart = true;
      return rooms.map(() => null);
    }
  }

  /**
   * Runs a people script.
   * @throws RedisUnavailable
   */
  people(name: ScriptName, ...args: readonly string[]): Promise<readonly Reply[]> {
    return this.repeated(() => this.peopleNow(name, ...args));
  }

  /** Runs a people script once, whoever may call. @throws what the client throws */
  async peopleNow(name: ScriptName, ...args: readonly string[]): Promise<readonly Reply[]> {
    return list(await this.#parts.store.run(name, this.#peopleKeys, [this.#parts.prefix, ...args]));
  }

  /**
   * Makes a call that bears repetition, until it is answered or its time is over.
   * @throws RedisUnavailable
   */
  async repeated<T>(call: () => Promise<T>): Promise<T> {
    const { clock, gate, timeoutMs, retryMs } = this.#parts;
    const deadline = clock.monotonic() + timeoutMs;
    for (;;) {
      if (gate.stopped) throw new RedisUnavailable("the backplane is stopped");
      try {
        if (gate.closed !== undefined) await within(gate.closed, clock, deadline);
        return await call();
      } catch (error) {
        if (isFinal(error) || clock.monotonic() + retryMs >= deadline) {
          throw new RedisUnavailable(`Redis cannot be reached now (${messageOf(error)}); try again`, {
            cause: error,
          });
        }
        await new Promise<void>((resolve) => clock.after(retryMs, resolve));
      }
    }
  }
}

async function within(promise: Promise<void>, clock: Clock, deadline: number): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = clock.after(Math.max(0, deadline - clock.monotonic()), () =>
    late.reject(new Error("there is no connection")),
  );
  try {
    await Promise.race([promise, late.promise]);
  } finally {
    timer.stop();
  }
}

/** A script's reply, which is always a list unless it is a number. */
export function list(reply: Reply): readonly Reply[] {
  return Array.isArray(reply) ? (reply as readonly Reply[]) : [reply];
}
