/**
 * What comes from the keeper: answers to calls, events for subscriptions.
 *
 * Frames are handled in the order they come. After a takeover each room is subscribed again, and while missed entries are
 * being read, a page a turn, later frames wait; so a subscriber hears everything in order, and before the `done` of what
 * caused it. What waits is bounded: above it the owner is told to read no more, so that the rest stays with the kernel and
 * the keeper, in its order, until there is room again. Nothing is refused or dropped here; what the keeper will not hold
 * for a server that hangs (its outbox is bounded too) ends the connection, and the next one begins where this one stood.
 *
 * Invariant: frames are handled in the order in which they came; while a recovery is under way none is.
 */
import type { Deliveries } from "../../protocol/deliveries.ts";
import { FrameReader } from "../../protocol/frames.ts";
import type { FrameWriter } from "../../protocol/frames.ts";
import { keeperLimits } from "../../protocol/limits.keeper.ts";
import type { Logger } from "../../protocol/logger.ts";
import type { BackplaneFailure, Done, PresenceEvent, RoomSubscriber, Snapshot } from "../backplane.ts";
import { unavailable } from "../failures.ts";
import { PublishCall } from "./calls.ts";
import type { Call, CallTable } from "./calls.ts";
import { StoreProblem } from "./problem.ts";
import type { LogReader } from "./reader.ts";
import { Subscription } from "./subscription.ts";
import { fromWire, Op } from "./wire.ts";
import type { WireFailure, WireSnapshot } from "./wire.ts";

/** What belongs to no room. */
export interface InboundHandlers {
  taken(session: string): void;
  told(session: string, payload: string): void;
  /** Why the log cannot be written, empty when it can. */
  status(why: string): void;
  /** So much waits here that nothing more is to be read, until {@link InboundHandlers.relief}. */
  pressure(): void;
  /** Half of it has been handled. */
  relief(): void;
}

/** Bounds; keeperLimits fits. */
export type InboundLimits = Pick<
  { readonly [Name in keyof typeof keeperLimits]: number },
  "waitingBytes" | "waitingFrameBytes" | "recoveryEntries" | "recoveryBytes"
>;

/** A snapshot and the number its room has from now on. */
interface Numbered {
  readonly room: number;
  readonly snapshot: Snapshot;
}

/** A room that is brought up to a snapshot, a page a step. */
interface Recovery {
  readonly steps: Generator<void, void, void>;
  readonly subscription: Subscription;
  readonly snapshot: Snapshot;
}

export class Inbound {
  readonly #calls: CallTable;
  readonly #reader: Pick<LogReader, "page">;
  readonly #log: Logger;
  readonly #limits: InboundLimits;
  readonly #handlers: InboundHandlers;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Subscriptions by the number the present keeper has given their room. */
  readonly #rooms = new Map<number, Subscription>();
  /** Rooms being subscribed again, by the number of the question. */
  readonly #again = new Map<number, Subscription>();
  /** Rooms that could not be subscribed again, to be asked for later. */
  #refused: Subscription[] = [];
  /** Reads missed entries; undefined when nothing is missed. */
  #recovery: Recovery | undefined;
  /** Frames that wait for that, from `#head` on, and what they take. */
  #waiting: FrameReader[] = [];
  #head = 0;
  #waitingBytes = 0;
  #pressed = false;
  #epoch = "";

  constructor(
    calls: CallTable,
    reader: Pick<LogReader, "page">,
    log: Logger,
    handlers: InboundHandlers,
    limits: InboundLimits = keeperLimits,
  ) {
    this.#calls = calls;
    this.#reader = reader;
    this.#log = log;
    this.#handlers = handlers;
    this.#limits = limits;
  }

  /** A keeper has welcomed this server: subscribes everything again. */
  welcomed(writer: FrameWriter, epoch: string): void {
    this.#epoch = epoch;
    for (const subscription of this.#subscriptions.values()) {
      // One that has not begun is a call under way, and repeated with those.
      if (subscription.begun) this.#ask(writer, subscription);
    }
  }

  /** Asks again for what was refused. */
  retry(writer: FrameWriter): void {
    for (const subscription of this.#refused.splice(0))
      if (!subscription.closed) this.#ask(writer, subscription);
  }

  #ask(writer: FrameWriter, subscription: Subscription): void {
    const number = this.#calls.nextNumber();
    this.#again.set(number, subscription);
    writer.begin(Op.Subscribe).u32(number).text(subscription.room).end();
  }

  /** The keeper is gone. What waits is dropped: calls are repeated, entries are read from the file. */
  lost(): void {
    this.#recovery = undefined;
    this.#waiting = [];
    this.#head = 0;
    this.#waitingBytes = 0;
    this.#pressed = false;
    this.#refused = [];
    this.#rooms.clear();
    this.#again.clear();
  }

  /** Nothing is said any more. */
  close(): void {
    for (const subscription of this.#subscriptions.values()) subscription.closed = true;
    this.#subscriptions.clear();
    this.lost();
  }

  /** The call that begins a subscription, which hears what follows its answer. */
  subscribe(room: string, subscriber: RoomSubscriber, done: Done<{ snapshot: Snapshot }>): Call {
    const subscription = new Subscription(room, subscriber);
    this.unsubscribe(room);
    this.#subscriptions.set(room, subscription);
    return {
      bytes: 0,
      write: (writer, number) => writer.begin(Op.Subscribe).u32(number).text(room).end(),
      answered: (answer) => {
        const { room: number, snapshot } = answer as Numbered;
        if (subscription.closed) return done(unavailable("the subscription was ended before it began"));
        this.#rooms.set(number, subscription);
        subscription.begin(snapshot);
        subscription.number = number;
        done({ ok: true, snapshot });
      },
      failed: (failure: BackplaneFailure) => {
        if (this.#subscriptions.get(room) === subscription) this.unsubscribe(room);
        done(failure);
      },
    };
  }

  /** @returns whether there was a subscription to end */
  unsubscribe(room: string): boolean {
    const subscription = this.#subscriptions.get(room);
    if (subscription === undefined) return false;
    subscription.closed = true;
    this.#subscriptions.delete(room);
    if (this.#rooms.get(subscription.number) === subscription) this.#rooms.delete(subscription.number);
    return true;
  }

  frame(reader: FrameReader): void {
    if (this.#recovery === undefined) return this.#handle(reader);
    // The reader is used again for the next frame: keep a copy.
    const rest = reader.rest();
    const bytes = new Uint8Array(1 + rest.length);
    bytes[0] = reader.op;
    bytes.set(rest, 1);
    const copy = new FrameReader();
    copy.aim(bytes, 0, bytes.length);
    this.#waiting.push(copy);
    this.#waitingBytes += this.#cost(copy);
    if (this.#pressed || this.#waitingBytes <= this.#limits.waitingBytes) return;
    this.#pressed = true;
    this.#handlers.pressure();
  }

  #cost(waiting: FrameReader): number {
    return waiting.buffer.length + this.#limits.waitingFrameBytes;
  }

  #handle(reader: FrameReader): void {
    switch (reader.op) {
      case Op.Entries:
        this.#rooms.get(reader.u32())?.appended(readDeliveries(reader));
        break;
      case Op.Published:
        while (!reader.isAtEnd) this.#published(reader);
        break;
      case Op.Presence:
        this.#rooms.get(reader.u32())?.presence(reader.json() as PresenceEvent);
        break;
      case Op.Record:
        this.#rooms.get(reader.u32())?.record(reader.field(), reader.text());
        break;
      case Op.Taken:
        this.#handlers.taken(reader.text());
        break;
      case Op.Told:
        this.#handlers.told(reader.field(), reader.text());
        break;
      case Op.Status:
        this.#handlers.status(reader.text());
        break;
      default:
        this.#answer(reader, reader.u32());
    }
  }

  #published(reader: FrameReader): void {
    let number = reader.u32();
    const count = reader.u32();
    const duplicate = reader.u8() === 1;
    const at = reader.f64();
    for (let left = count; left > 0; left -= 1) {
      const position = { epoch: this.#epoch, seq: reader.f64() };
      const call = this.#calls.take(number);
      if (call instanceof PublishCall) call.published(position, at, duplicate);
      number = (number + 1) >>> 0;
    }
  }

  #answer(reader: FrameReader, number: number): void {
    switch (reader.op) {
      case Op.Answer:
        this.#calls.take(number)?.answered(reader.json());
        break;
      case Op.Failed:
        this.#failed(number, { ok: false, ...(reader.json() as WireFailure) });
        break;
      case Op.Snapshot: {
        const room = reader.u32();
        const snapshot = fromWire(reader.json() as WireSnapshot, this.#epoch);
        const again = this.#again.get(number);
        if (again === undefined) this.#calls.take(number)?.answered({ room, snapshot } satisfies Numbered);
        else this.#resume(number, again, { room, snapshot });
        break;
      }
      default:
        this.#log.warn("the keeper says something unknown", { operation: reader.op });
    }
  }

  #failed(number: number, failure: BackplaneFailure): void {
    const again = this.#again.get(number);
    this.#again.delete(number);
    if (again === undefined) this.#calls.take(number)?.failed(failure);
    else this.#refused.push(again);
  }

  #resume(number: number, subscription: Subscription, { room, snapshot }: Numbered): void {
    this.#again.delete(number);
    if (subscription.closed) return;
    this.#rooms.set(room, subscription);
    subscription.number = room;
    const steps = subscription.recover(snapshot, this.#reader, this.#limits);
    this.#recover({ steps, subscription, snapshot });
  }

  /** Reads a page, and on in the next turns; frames wait meanwhile. @returns whether it is done */
  #recover(recovery: Recovery): boolean {
    const { steps, subscription, snapshot } = recovery;
    let over = true;
    try {
      over = steps.next().done === true;
    } catch (error) {
      if (!(error instanceof StoreProblem)) throw error;
      this.#log.error("missed entries cannot be read: the room starts over", { problem: error.message });
      subscription.startOver(snapshot);
    }
    this.#recovery = over ? undefined : recovery;
    if (!over) {
      setImmediate(() => {
        // If the keeper was lost meanwhile, its successor has begun another recovery.
        if (this.#recovery === recovery && this.#recover(recovery)) this.#goOn();
      });
    }
    return over;
  }

  /** Handles what has waited, until it is handled or one of it has begun another recovery. */
  #goOn(): void {
    while (this.#recovery === undefined) {
      const reader = this.#waiting[this.#head];
      if (reader === undefined) {
        this.#waiting = [];
        this.#head = 0;
        break;
      }
      this.#head += 1;
      this.#waitingBytes -= this.#cost(reader);
      this.#handle(reader);
    }
    if (!this.#pressed || this.#waitingBytes > this.#limits.waitingBytes / 2) return;
    this.#pressed = false;
    this.#handlers.relief();
  }
}

/** The entries of a frame, after its room. Copied: hubs keep them, and a slice would keep all that came with them. */
function readDeliveries(reader: FrameReader): Deliveries {
  return { first: reader.f64(), count: reader.u32(), lines: reader.copy() };
}
