/**
 * The rooms that somebody here is in, and for a short while those that nobody is in any more.
 *
 * Invariant: a room is in the map from its first `acquire` to the end of its linger, so there is never a second
 * subscription of one room; `users` counts the acquires that were granted or are waiting, less the releases.
 */
import type { BackplaneFailure } from "../backplane/backplane.ts";
import type { Timer } from "../protocol/clock.ts";
import type { Core } from "./core.ts";
import { Room } from "./room.ts";

type Acquired = { readonly ok: true; readonly room: Room } | BackplaneFailure;

interface Entry {
  readonly room: Room;
  users: number;
  linger: Timer | undefined;
  /** Not subscribed, because the subscription was found wanting and another is on its way. */
  lost: boolean;
  /** Until it is open. */
  waiting: ((result: Acquired) => void)[] | undefined;
}

/** See above. */
export class Rooms {
  readonly #core: Core;
  readonly #entries = new Map<string, Entry>();
  #sweeping: Iterator<Entry> | undefined;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Rooms, inboxes not counted. */
  get count(): number {
    let count = 0;
    for (const { room } of this.#entries.values()) if (!room.isInbox) count += 1;
    return count;
  }

  /** Gives the room, subscribed. Each success is to be matched by one {@link release}. May answer before it returns. */
  acquire(log: string, name: string, done: (result: Acquired) => void): void {
    const entry = this.#entries.get(log) ?? this.#open(log, name);
    entry.users += 1;
    entry.linger?.stop();
    entry.linger = undefined;
    if (entry.room.state === "opening") (entry.waiting ??= []).push(done);
    else done({ ok: true, room: entry.room });
  }

  /**
   * Somebody needs the room no more.
   * @param lingers it is kept for a while when nobody else needs it, because that often changes soon
   */
  release(room: Room, lingers = true): void {
    const entry = this.#entries.get(room.log);
    if (entry === undefined || entry.room !== room) return;
    entry.users -= 1;
    if (entry.users > 0) return;
    // One that is not subscribed yet cannot be unsubscribed yet.
    if (lingers || entry.lost) this.#linger(entry);
    else this.#close(entry);
  }

  /**
   * The backplane broke its promise about a room: subscribes it anew, which ends in a reset. Until then the room is as it
   * was, and whoever waits for something of it waits.
   */
  resubscribe(room: Room): void {
    const entry = this.#entries.get(room.log);
    if (entry === undefined || entry.room !== room || entry.lost) return;
    entry.lost = true;
    const { backplane, clock, limits } = this.#core;
    backplane.unsubscribe(room.log);
    const attempt = (): void => {
      if (room.state === "closed") return;
      backplane.subscribe(room.log, room, (result) => {
        if (room.state === "closed") return;
        if (result.ok) {
          entry.lost = false;
          room.reset(result.snapshot);
        } else clock.after(limits.retryMostMs, attempt);
      });
    };
    attempt();
  }

  #linger(entry: Entry): void {
    const { clock, limits } = this.#core;
    entry.linger = clock.after(limits.roomLingerMs, () => {
      if (entry.lost) this.#linger(entry);
      else this.#close(entry);
    });
  }

  /** Ends all subscriptions. */
  close(): void {
    for (const entry of this.#entries.values()) {
      entry.linger?.stop();
      this.#close(entry);
    }
  }

  /** Takes the caches of rooms that were quiet since the last look, until all together are within their bound. */
  trim(): void {
    const { cacheBudget, limits } = this.#core;
    // Two rounds: the first may find every room active, and marks them all quiet.
    let left = this.#entries.size * 2;
    while (cacheBudget.bytes > limits.cacheBytes && left > 0) {
      left -= 1;
      this.#sweeping ??= this.#entries.values();
      const next = this.#sweeping.next();
      if (next.done === true) {
        this.#sweeping = undefined;
        continue;
      }
      const { room } = next.value;
      if (!room.active) room.recent.clear(room.seq);
      room.active = false;
    }
  }

  #open(log: string, name: string): Entry {
    const room = new Room(this.#core, log, name);
    const entry: Entry = { room, users: 0, linger: undefined, lost: false, waiting: undefined };
    this.#entries.set(log, entry);
    this.#core.backplane.subscribe(log, room, (result) => {
      if (room.state === "closed") return;
      if (result.ok) room.open(result.snapshot);
      else this.#entries.delete(log);
      const waiting = entry.waiting ?? [];
      entry.waiting = undefined;
      for (const done of waiting) done(result.ok ? { ok: true, room } : result);
    });
    return entry;
  }

  #close(entry: Entry): void {
    const { room, waiting = [] } = entry;
    entry.waiting = undefined;
    this.#entries.delete(room.log);
    if (room.state !== "opening" && !entry.lost) this.#core.backplane.unsubscribe(room.log);
    room.close();
    const message = "the server is stopping; try again elsewhere";
    for (const done of waiting) done({ ok: false, code: "unavailable", message });
  }
}
