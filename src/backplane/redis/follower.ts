/**
 * One room as this server follows it: live events by pub/sub, truth by the log.
 *
 * Pub/sub forgets: messages are lost when a connection breaks, and nobody is told. So every event carries a number: an
 * entry its position, a change of members or records `v`. An event that comes too early, a position check that finds the
 * store ahead, or a new subscription makes the follower catch up: it takes a snapshot, tells the difference in order
 * (room-view.ts), and goes on with the events that waited meanwhile.
 *
 * Invariant: outside of catching up, the subscriber has been told exactly the first `last` entries and `v` changes.
 */
import type { Clock, Timer } from "../../protocol/clock.ts";
import type { Logger } from "../../protocol/logger.ts";
import type { HistoryPage, Snapshot } from "../backplane.ts";
import type { RoomView } from "../room-view.ts";
import { messageOf } from "./client.ts";
import { readEvent } from "./events.ts";
import type { RoomEvent } from "./events.ts";

/** A snapshot with the number of its last change. */
export interface NumberedSnapshot {
  readonly snapshot: Snapshot;
  readonly v: number;
}

/** How a follower reads the store. Rejects as RedisUnavailable when it cannot for long. */
export interface FollowerSource {
  snapshot(room: string): Promise<NumberedSnapshot>;
  pageAfter(room: string, seq: number): Promise<HistoryPage>;
  /** A position was heard. */
  saw(room: string, epoch: string, seq: number): void;
}

/** Bounds of a follower; redisLimits fits. */
export interface FollowerLimits {
  readonly behindMs: number;
  readonly waitingBytes: number;
  readonly waitingEventBytes: number;
  readonly catchUpRetryMs: number;
}

export class Follower {
  readonly view: RoomView;
  readonly #source: FollowerSource;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #limits: FollowerLimits;
  #v = 0;
  /** Messages that wait while catching up, and what they take; undefined when not catching up. */
  #waiting: Buffer[] | undefined = [];
  #waitingBytes = 0;
  #again = false;
  #behind: Timer | undefined;
  /** Who waits until a change has been told. */
  #expecting: { readonly v: number; readonly run: () => void }[] = [];

  constructor(view: RoomView, source: FollowerSource, clock: Clock, log: Logger, limits: FollowerLimits) {
    this.view = view;
    this.#source = source;
    this.#clock = clock;
    this.#log = log;
    this.#limits = limits;
  }

  /** A message of the room's channel. */
  hear(message: Buffer): void {
    if (this.view.closed) return;
    if (this.#waiting === undefined) return this.#take(readEvent(message));
    // Once one is dropped all are: what is read from the log then is what comes behind those that wait.
    this.#waitingBytes += message.length + this.#limits.waitingEventBytes;
    if (this.#waitingBytes <= this.#limits.waitingBytes) this.#waiting.push(message);
    else this.#again = true;
  }

  /** The first snapshot, after the channel was subscribed; then `told`, then what waited. */
  begin({ snapshot, v }: NumberedSnapshot, told: () => void): void {
    this.view.begin(snapshot);
    this.#v = v;
    told();
    this.#goOn();
  }

  #goOn(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#waitingBytes = 0;
    for (const [index, message] of waiting.entries()) {
      this.#take(readEvent(message));
      if (this.#holdBack(waiting.slice(index + 1))) break;
    }
    this.#told();
    if (this.#again) {
      this.#again = false;
      this.catchUp();
    }
  }

  #holdBack(rest: readonly Buffer[]): boolean {
    if (this.#waiting === undefined) return false;
    for (const message of rest) this.hear(message);
    return true;
  }

  #take(event: RoomEvent | undefined): void {
    if (event === undefined) return;
    const { view } = this;
    // Old news of an epoch that is over, or the first of a new one: a snapshot taken now tells, and holds the event too.
    if (event.epoch !== view.epoch) return this.catchUp();
    switch (event.kind) {
      case "epoch":
        break;
      case "entries": {
        const { entries } = event;
        if (entries.first > view.last + 1) return this.catchUp();
        view.appended(entries);
        this.#source.saw(view.room, event.epoch, entries.first + entries.count - 1);
        break;
      }
      case "presence":
      case "record":
        if (event.v > this.#v + 1) return this.catchUp();
        if (event.v <= this.#v) return;
        this.#v = event.v;
        if (event.kind === "presence") view.presence(event.event);
        else view.record(event.key, event.value);
        this.#told();
    }
  }

  /** Calls `run` once the change numbered `v` under this epoch has been told; soon, at the latest. */
  expect(epoch: string, v: number, run: () => void): void {
    if (this.view.closed || !this.view.begun || (epoch === this.view.epoch && v <= this.#v)) return run();
    this.#expecting.push({ v, run });
    this.#suspect();
  }

  #told(): void {
    if (this.#expecting.length === 0) return;
    const due = this.#expecting.filter(({ v }) => v <= this.#v || this.view.closed);
    this.#expecting = this.#expecting.filter(({ v }) => v > this.#v && !this.view.closed);
    for (const { run } of due) run();
  }

  /** The store's position was read: if it is ahead and stays so, something was lost. */
  compare(epoch: string, seq: number, v: number): void {
    const { view } = this;
    if (this.#waiting === undefined && (epoch !== view.epoch || seq > view.last || v > this.#v))
      this.#suspect();
  }

  /** Looks again in a moment: what is missing may be on its way. */
  #suspect(): void {
    if (this.#behind !== undefined) return;
    const { last } = this.view;
    const v = this.#v;
    this.#behind = this.#clock.after(this.#limits.behindMs, () => {
      this.#behind = undefined;
      // Moved on in the meantime: whether that was enough, the next look tells.
      if (last === this.view.last && v === this.#v) this.catchUp();
      else if (this.#expecting.length > 0) this.#suspect();
    });
  }

  /** Brings the subscriber up to date. */
  catchUp(): void {
    if (this.view.closed || !this.view.begun) return;
    if (this.#waiting !== undefined) {
      this.#again = true;
      return;
    }
    this.#waiting = [];
    void this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    const { view } = this;
    // What these wait for had been done before this snapshot is taken.
    const expecting = this.#expecting.splice(0);
    try {
      const { snapshot, v } = await this.#source.snapshot(view.room);
      if (await this.#continue(snapshot)) view.finish(snapshot);
      else view.startOver(snapshot);
      this.#v = v;
      this.#source.saw(view.room, snapshot.position.epoch, snapshot.position.seq);
      for (const { run } of expecting) run();
    } catch (error) {
      this.#expecting.push(...expecting);
      // The health line has told already; a line a room would flood the log.
      this.#log.debug("a room could not be brought up to date", { reason: messageOf(error) });
      this.#clock.after(this.#limits.catchUpRetryMs, () => this.catchUp());
    }
    this.#goOn();
  }

  /** Tells who came, and the entries up to the snapshot. @returns false when the subscriber must start over */
  async #continue(snapshot: Snapshot): Promise<boolean> {
    const { view } = this;
    if (!view.continues(snapshot)) return false;
    view.arrivals(snapshot);
    while (view.last < snapshot.position.seq && !view.closed) {
      const page = await this.#source.pageAfter(view.room, view.last);
      if (!view.continueWith(page)) return false;
    }
    return true;
  }

  /** Says nothing more. */
  close(): void {
    this.view.closed = true;
    this.#behind?.stop();
    this.#told();
  }
}
