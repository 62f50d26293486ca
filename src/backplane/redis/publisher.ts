/**
 * Publishing: a room's publications in batches, one batch of a room under way at a time.
 *
 * What comes while a batch is under way forms the next, so that a busy room costs one script a round trip, and the order
 * of calls is kept also when a batch has to be repeated.
 *
 * A message with a copy lies in two logs, which are not always on one node: so it takes three scripts. The first writes
 * down, where the message is to lie, to which log its copy goes, or says that it lies there already; then the copy is
 * logged, then the message. A repeat finds what was written down and completes just that, whoever has the nick by now.
 */
import type { BackplaneFailure, Done, Publication, Snapshot } from "../backplane.ts";
import { redisLimits } from "../../protocol/limits.redis.ts";
import { unavailable } from "../failures.ts";
import { messageOf } from "./client.ts";
import type { Argument, Reply } from "./client.ts";
import type { Positions } from "./positions.ts";
import type { Scripts } from "./room-scripts.ts";

/** The answer to a publish. */
export interface Logged {
  readonly position: Snapshot["position"];
  readonly at: number;
  readonly duplicate: boolean;
}

/** One entry of a batch. */
interface Item {
  readonly key: string;
  readonly body: Uint8Array;
  readonly done: (result: ({ readonly ok: true } & Logged) | BackplaneFailure) => void;
}

/** A message whose copy is to go to a log. */
interface ToAddress {
  readonly key: string;
  readonly body: Uint8Array;
  readonly to: string;
  readonly done: (result: ({ readonly ok: true; readonly to: string } & Logged) | BackplaneFailure) => void;
}

/** Bounds and retention; redisLimits fits the first four. */
export interface PublisherSettings {
  readonly keyWindowEntries: number;
  readonly batchEntries: number;
  readonly batchBytes: number;
  readonly publishesUnderWay: number;
  readonly keepMessages: number | undefined;
  readonly keepDays: number | undefined;
  readonly now: () => number;
}

const DAY_MS = 24 * 3_600_000;
/** Parts of a reply (scripts.ts): before the repeats, and of each of them. */
const FIXED = 3;
const REPEATED = 3;

export class Publisher {
  readonly #scripts: Scripts;
  readonly #positions: Positions;
  readonly #settings: PublisherSettings;
  /** What waits, by room; a room is here as long as a batch of it is under way. */
  readonly #rooms = new Map<string, Item[]>();
  /** The same for messages whose copy has no address yet. */
  readonly #addresses = new Map<string, ToAddress[]>();
  #underWay = 0;

  constructor(scripts: Scripts, positions: Positions, settings: PublisherSettings) {
    this.#scripts = scripts;
    this.#positions = positions;
    this.#settings = settings;
  }

  /** Publishes; see the head of this file for one with a copy. */
  publish({ room, key, body, copy }: Publication, done: Done<Logged>): void {
    if (copy === undefined || copy.room === room) return this.#add(room, { key, body, done });
    this.#address(room, {
      key,
      body: copy.body,
      to: copy.room,
      done: (addressed) => {
        if (!addressed.ok || addressed.duplicate) return done(addressed);
        this.#add(addressed.to, {
          key,
          body: copy.body,
          done: (result) => {
            if (result.ok) this.#add(room, { key, body, done });
            else done(result);
          },
        });
      },
    });
  }

  #address(room: string, item: ToAddress): void {
    if (this.#underWay >= this.#settings.publishesUnderWay) {
      queueMicrotask(() => item.done(unavailable("too much is under way at Redis; try again")));
      return;
    }
    this.#underWay += 1;
    const waiting = this.#addresses.get(room);
    if (waiting !== undefined) {
      waiting.push(item);
      return;
    }
    const items = [item];
    this.#addresses.set(room, items);
    queueMicrotask(() => void this.#sendAddresses(room, items));
  }

  async #sendAddresses(room: string, waiting: ToAddress[]): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, this.#settings.batchEntries);
      const pairs = batch.flatMap(({ key, to }) => [key, to]);
      try {
        const most = String(redisLimits.copiesAddressed);
        const reply = await this.#scripts.room("address", room, [most, ...pairs]);
        const epoch = String(reply[0]);
        this.#underWay -= batch.length;
        for (const [index, { done }] of batch.entries()) {
          const [to, seq, at] = reply.slice(1 + index * 3, 4 + index * 3);
          const position = { epoch, seq: Number(seq) };
          done({ ok: true, to: String(to), position, at: Number(at), duplicate: position.seq > 0 });
        }
      } catch (error) {
        this.#underWay -= batch.length;
        for (const { done } of batch) done(unavailable(messageOf(error)));
      }
    }
    this.#addresses.delete(room);
  }

  #add(room: string, item: Item): void {
    if (this.#underWay >= this.#settings.publishesUnderWay) {
      queueMicrotask(() => item.done(unavailable("too much is under way at Redis; try again")));
      return;
    }
    this.#underWay += 1;
    const waiting = this.#rooms.get(room);
    if (waiting !== undefined) {
      waiting.push(item);
      return;
    }
    const items = [item];
    this.#rooms.set(room, items);
    // Whatever else this turn of the loop brings for the room goes along.
    queueMicrotask(() => void this.#send(room, items));
  }

  async #send(room: string, waiting: Item[]): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, this.#fitting(waiting));
      let told: readonly Reply[] | BackplaneFailure;
      try {
        told = await this.#scripts.room("publish", room, this.#argumentsOf(batch));
      } catch (error) {
        told = unavailable(messageOf(error));
      }
      this.#underWay -= batch.length;
      if ("ok" in told) for (const { done } of batch) done(told);
      else this.#tell(room, batch, told);
    }
    this.#rooms.delete(room);
  }

  /** How many of those that wait go into one script. */
  #fitting(waiting: readonly Item[]): number {
    const { batchEntries, batchBytes } = this.#settings;
    let bytes = 0;
    for (const [index, { body }] of waiting.entries()) {
      bytes += body.length;
      if (index > 0 && (index >= batchEntries || bytes > batchBytes)) return index;
    }
    return waiting.length;
  }

  /** What the script is given: bodies in one piece, because each argument of its own costs the client a write. */
  #argumentsOf(batch: readonly Item[]): Argument[] {
    const { keyWindowEntries, keepMessages, keepDays, now } = this.#settings;
    const oldest = keepDays === undefined ? 0 : now() - keepDays * DAY_MS;
    const args: Argument[] = [keyWindowEntries, keepMessages ?? 0, oldest].map((number) => number.toFixed(0));
    args.push(batch.map(({ body }) => body.length).join(" "), Buffer.concat(batch.map(({ body }) => body)));
    for (const { key } of batch) args.push(key);
    return args;
  }

  /** Answers a batch, from the script's reply. */
  #tell(room: string, batch: readonly Item[], reply: readonly Reply[]): void {
    const epoch = String(reply[0]);
    const at = Number(reply[2]);
    let next = Number(reply[1]);
    this.#positions.saw(room, epoch, next - 1 + batch.length - (reply.length - FIXED) / REPEATED);
    let place = FIXED;
    for (const [index, { done }] of batch.entries()) {
      if (reply[place] === index + 1) {
        const position = { epoch, seq: Number(reply[place + 1]) };
        done({ ok: true, position, at: Number(reply[place + 2]), duplicate: true });
        place += REPEATED;
      } else {
        done({ ok: true, position: { epoch, seq: next }, at, duplicate: false });
        next += 1;
      }
    }
  }

  /** Publications without an answer. */
  get underWay(): number {
    return this.#underWay;
  }
}
