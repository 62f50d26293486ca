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
  readonly store: RedisStore;
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

/** A name as part of a key: braces would say where the key lives. */
const escaped = (name: string): string => name.replaceAll(/[{}%]/g, encodeURIComponent);

export class Scripts {
  readonly #parts: CallParts;
  readonly #peopleKeys: readonly string[];

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.#peopleKeys = peopleParts.map((part) => `${parts.prefix}{people}:${part}`);
  }

  /** The channel on which a room's events are published. */
  channel(room: string): string {
    return `${this.#parts.prefix}room:${room}`;
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
    const { store } = this.#parts;
    return this.repeated(async () => {
      const reply = await this.#room(name, room, args, asBytes, store.isCluster ? "?" : "");
      if (String(reply[0]) !== "moved" || reply.length !== 3) return reply;
      const node = String(reply[1]);
      await this.#parts.compare(`${node}-${String(reply[2])}`);
      return this.#room(name, room, args, asBytes, node);
    });
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
    const { store, positions, prefix } = this.#parts;
    const { epoch, seq } = positions.of(room);
    const keys = roomParts.map((part) => `${prefix}{${escaped(room)}}:${part}`);
    const head = [this.channel(room), randomUUID().slice(0, 18), epoch, String(seq), node];
    return list(await store.run(name, keys, [...head, ...args], asBytes));
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
