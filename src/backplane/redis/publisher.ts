/**
 * Publishing: a room's publications in batches, one batch of a room under way at a time.
 *
 * What comes while a batch is under way forms the next, so that a busy room costs one batch a round trip, and the order
 * of calls is kept also when a batch has to be repeated. Batches of several rooms go in one script, except in a Cluster:
 * most of what a script costs, here and at Redis, it costs whatever it does.
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
import { list } from "./room-scripts.ts";
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

/** Bounds and retention; redisLimits fits the first five. */
export interface PublisherSettings {
  readonly keyWindowEntries: number;
  readonly batchEntries: number;
  readonly batchBytes: number;
  readonly publishesUnderWay: number;
  readonly publishBytesUnderWay: number;
  readonly keepMessages: number | undefined;
  readonly keepDays: number | undefined;
  readonly now: () => number;
}

/** What waits of a room, as much as goes into one script. */
interface Batch {
  readonly room: string;
  readonly items: readonly Item[];
}

const DAY_MS = 24 * 3_600_000;
/** Parts of a reply (scripts.ts): before the repeats, and of each of them. */
const FIXED = 3;
const REPEATED = 3;

export class Publisher {
  readonly #scripts: Scripts;
  readonly #positions: Positions;
  readonly #settings: PublisherSettings;
  /** What waits, by room; a room is here as long as a batch of it is ready or under way. */
  readonly #rooms = new Map<string, Item[]>();
  /** Rooms with something that may go now. */
  readonly #ready: string[] = [];
  /** The same for messages whose copy has no address yet. */
  readonly #addresses = new Map<string, ToAddress[]>();
  #underWay = 0;
  #bytes = 0;

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

  /** Takes something on, unless there is too much: then it is refused. */
  #takesOn({
    body,
    done,
  }: Pick<Item, "body"> & { readonly done: (failure: BackplaneFailure) => void }): boolean {
    const { publishesUnderWay, publishBytesUnderWay } = this.#settings;
    if (this.#underWay >= publishesUnderWay || this.#bytes + body.length > publishBytesUnderWay) {
      queueMicrotask(() => done(unavailable("too much is under way at Redis; try again")));
      return false;
    }
    this.#underWay += 1;
    this.#bytes += body.length;
    return true;
  }

  #areOver(items: readonly Pick<Item, "body">[]): void {
    this.#underWay -= items.length;
    for (const { body } of items) this.#bytes -= body.length;
  }

  #address(room: string, item: ToAddress): void {
    if (!this.#takesOn(item)) return;
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
      const most = String(redisLimits.copiesAddressed);
      let told: readonly Reply[] | BackplaneFailure;
      try {
        told = await this.#scripts.room("address", room, [most, ...pairs]);
      } catch (error) {
        told = unavailable(messageOf(error));
      }
      this.#areOver(batch);
      for (const [index, { done }] of batch.entries()) {
        if ("ok" in told) done(told);
        else {
          const [to, seq, at] = told.slice(1 + index * 3, 4 + index * 3);
          const position = { epoch: String(told[0]), seq: Number(seq) };
          done({ ok: true, to: String(to), position, at: Number(at), duplicate: position.seq > 0 });
        }
      }
    }
    this.#addresses.delete(room);
  }

  #add(room: string, item: Item): void {
    if (!this.#takesOn(item)) return;
    const waiting = this.#rooms.get(room);
    if (waiting !== undefined) waiting.push(item);
    else {
      this.#rooms.set(room, [item]);
      this.#isReady(room);
    }
  }

  /** A room's next batch may go: with whatever else this turn of the loop brings, for it and for others. */
  #isReady(room: string): void {
    this.#ready.push(room);
    if (this.#ready.length === 1) queueMicrotask(() => this.#sendReady());
  }

  #sendReady(): void {
    let batches: Batch[] = [];
    let [entries, bytes] = [0, 0];
    for (const room of this.#ready.splice(0)) {
      const waiting = this.#rooms.get(room) ?? [];
      const count = this.#fitting(waiting, entries, bytes);
      if (batches.length > 0 && (count === 0 || !this.#scripts.canJoin)) {
        void this.#send(batches);
        batches = [];
        [entries, bytes] = [0, 0];
      }
      const items = waiting.splice(0, count || this.#fitting(waiting, 0, 0));
      entries += items.length;
      for (const { body } of items) bytes += body.length;
      batches.push({ room, items });
    }
    if (batches.length > 0) void this.#send(batches);
  }

  /** How many of those that wait go into a script that holds so much already: of an empty one, one at least. */
  #fitting(waiting: readonly Item[], entries: number, bytes: number): number {
    const { batchEntries, batchBytes } = this.#settings;
    let [room, left] = [batchEntries - entries, batchBytes - bytes];
    for (const [index, { body }] of waiting.entries()) {
      room -= 1;
      left -= body.length;
      if ((room < 0 || left < 0) && entries + index > 0) return index;
    }
    return waiting.length;
  }

  async #send(batches: readonly Batch[]): Promise<void> {
    const parts = batches.map(({ room, items }) => ({ room, args: argumentsOf(items) }));
    let replies: readonly Reply[];
    try {
      replies = await this.#scripts.publish(this.#common(), parts);
    } catch (error) {
      const failure = unavailable(messageOf(error));
      for (const batch of batches) this.#fail(batch, failure);
      return;
    }
    for (const [index, batch] of batches.entries()) {
      const reply = replies[index];
      if (Array.isArray(reply)) this.#tell(batch, reply as readonly Reply[]);
      else void this.#sendAgain(batch, reply ?? null);
    }
  }

  /** What went wrong in a room may be over soon: it is tried until the time of its publishes is over. */
  async #sendAgain(batch: Batch, told: Reply): Promise<void> {
    const args = argumentsOf(batch.items);
    try {
      const reply = await this.#scripts.publishAgain(this.#common(), { room: batch.room, args }, told);
      this.#tell(batch, list(reply));
    } catch (error) {
      this.#fail(batch, unavailable(messageOf(error)));
    }
  }

  /** What all rooms of a script have in common. */
  #common(): string[] {
    const { keyWindowEntries, keepMessages, keepDays, now } = this.#settings;
    const oldest = keepDays === undefined ? 0 : now() - keepDays * DAY_MS;
    return [keyWindowEntries, keepMessages ?? 0, oldest].map((number) => number.toFixed(0));
  }

  #fail(batch: Batch, failure: BackplaneFailure): void {
    this.#isOver(batch);
    for (const { done } of batch.items) done(failure);
  }

  /** A batch has been answered: the room's next one may go. */
  #isOver({ room, items }: Batch): void {
    this.#areOver(items);
    if (this.#rooms.get(room)?.length === 0) this.#rooms.delete(room);
    else this.#isReady(room);
  }

  /** Answers a batch, from the script's reply. */
  #tell(batch: Batch, reply: readonly Reply[]): void {
    const { room, items } = batch;
    this.#isOver(batch);
    const epoch = String(reply[0]);
    const at = Number(reply[2]);
    let next = Number(reply[1]);
    this.#positions.saw(room, epoch, next - 1 + items.length - (reply.length - FIXED) / REPEATED);
    let place = FIXED;
    for (const [index, { done }] of items.entries()) {
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

/** A batch as the script is given it: bodies in one piece, because each argument of its own costs the client a write. */
function argumentsOf(items: readonly Item[]): Argument[] {
  const lengths = items.map(({ body }) => body.length).join(" ");
  const args: Argument[] = [String(items.length), lengths, Buffer.concat(items.map(({ body }) => body))];
  for (const { key } of items) args.push(key);
  return args;
}
