/**
 * The rooms this server follows: their channels, their followers, and the check that nothing was missed unnoticed.
 *
 * A channel is subscribed before the snapshot is taken, and what comes meanwhile waits in the follower. Subscribing and
 * unsubscribing of one channel go one after the other, whatever the hub does in between.
 */
import type { Clock, Timer } from "../../protocol/clock.ts";
import { backplaneLimits } from "../../protocol/limits.ts";
import type { Logger } from "../../protocol/logger.ts";
import type {
  Done,
  HistoryPage,
  HistoryQuery,
  LogEntry,
  Mark,
  Member,
  RecordChange,
  RoomSubscriber,
  Snapshot,
} from "../backplane.ts";
import { unavailable } from "../failures.ts";
import { markLog } from "../marks.ts";
import { RoomView } from "../room-view.ts";
import { messageOf } from "./client.ts";
import type { RedisStore, Reply } from "./client.ts";
import { Follower } from "./follower.ts";
import type { FollowerLimits, FollowerSource, NumberedSnapshot } from "./follower.ts";
import { readAway } from "./people.ts";
import type { Positions } from "./positions.ts";
import { list } from "./room-scripts.ts";
import type { Gate, Scripts } from "./room-scripts.ts";

/** What followers work with. */
export interface FollowersParts {
  readonly store: Pick<RedisStore, "subscribe" | "unsubscribe">;
  readonly scripts: Scripts;
  readonly positions: Positions;
  readonly gate: Gate;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: FollowerLimits & {
    readonly checkMs: number;
    readonly checkParts: number;
    readonly checkRooms: number;
    readonly pageEntries: number;
    readonly pageBytes: number;
  };
}

export class Followers implements FollowerSource {
  readonly #parts: FollowersParts;
  readonly #followers = new Map<string, Follower>();
  /** The last step for each channel that has one under way. */
  readonly #steps = new Map<string, Promise<void>>();
  readonly #checks: Timer;
  /** Where the round of checks is. */
  #checking: Iterator<string>;

  constructor(parts: FollowersParts) {
    this.#parts = parts;
    this.#checking = this.#followers.keys();
    const { checkMs, checkParts } = parts.limits;
    this.#checks = parts.clock.every(checkMs / checkParts, () => this.#check());
  }

  subscribe(room: string, subscriber: RoomSubscriber, done: Done<{ snapshot: Snapshot }>): void {
    this.unsubscribe(room);
    const { clock, log, limits } = this.#parts;
    const follower = new Follower(new RoomView(room, subscriber), this, clock, log, limits);
    this.#followers.set(room, follower);
    void this.#begin(room, follower, done);
  }

  async #begin(room: string, follower: Follower, done: Done<{ snapshot: Snapshot }>): Promise<void> {
    try {
      await this.#step(room, () => this.#parts.scripts.repeated(() => this.#listen(room)));
      const numbered = await this.snapshot(room);
      if (follower.view.closed) return done(unavailable("the subscription was ended before it began"));
      follower.begin(numbered, () => done({ ok: true, snapshot: numbered.snapshot }));
    } catch (error) {
      if (this.#followers.get(room) === follower) this.unsubscribe(room);
      done(unavailable(messageOf(error)));
    }
  }

  async #listen(room: string): Promise<void> {
    const { store, scripts } = this.#parts;
    await store.subscribe(scripts.channel(room), this.#hear);
  }

  /**
   * The same for all rooms, because the client keeps each one that it is given until the channel is left; and looked up at
   * each message, because a channel outlives its follower when a room is left and entered again.
   */
  readonly #hear = (message: Buffer, channel: Buffer): void => {
    this.#followers.get(this.#parts.scripts.roomOf(channel))?.hear(message);
  };

  #step(room: string, run: () => Promise<void>): Promise<void> {
    const before = this.#steps.get(room) ?? Promise.resolve();
    const step = before.then(run);
    const settled = step
      .catch(() => {})
      .finally(() => {
        if (this.#steps.get(room) === settled) this.#steps.delete(room);
      });
    this.#steps.set(room, settled);
    return step;
  }

  unsubscribe(room: string): void {
    const follower = this.#followers.get(room);
    if (follower === undefined) return;
    follower.close();
    this.#followers.delete(room);
    this.#leave(room);
  }

  #leave(room: string): void {
    const { store, scripts, clock, gate, limits } = this.#parts;
    this.#step(room, async () => {
      // Unless somebody has entered it again meanwhile: then that one's step has subscribed it, or will.
      if (!this.#followers.has(room)) await store.unsubscribe(scripts.channel(room));
    }).catch(() => {
      // The connection broke before it was answered: the client subscribes again on the next what it was not told is left.
      if (!gate.stopped) clock.after(limits.catchUpRetryMs, () => this.#leave(room));
    });
  }

  /** Another connection for subscriptions: subscribes everything on it. Rejects when it breaks again. */
  async listenAgain(): Promise<void> {
    await Promise.all([...this.#followers.keys()].map((room) => this.#listen(room)));
  }

  /** Messages may have been missed. */
  catchUpAll(): void {
    for (const follower of this.#followers.values()) follower.catchUp();
  }

  /** Sets a record. Resolves when this server's subscriber has heard of it. */
  setRecord({ room, key, value, once }: RecordChange): Promise<object> {
    return this.#record("record", room, [key, value, once, String(backplaneLimits.recordChanges)]);
  }

  /** Raises a mark. Resolves likewise. */
  raiseMark(reader: string, { room, epoch, seq }: Mark): Promise<object> {
    const args = [room, epoch, ...[seq, backplaneLimits.marks, backplaneLimits.markMs].map(String)];
    return this.#record("mark", markLog(reader), args);
  }

  async #record(script: "record" | "mark", room: string, args: readonly string[]): Promise<object> {
    const [epoch, v] = await this.#parts.scripts.room(script, room, args);
    await new Promise<void>((heard) => this.changed(room, String(epoch), Number(v), heard));
    return {};
  }

  /** Runs `then` when this server's subscriber, if there is one, has heard of a change. */
  changed(room: string, epoch: string, v: number, then: () => void): void {
    const follower = this.#followers.get(room);
    if (follower === undefined) then();
    else follower.expect(epoch, v, then);
  }

  /**
   * Looks where a part of the rooms stand: in one look at all of them, every two seconds, ten thousand rooms made everybody
   * wait 40 ms.
   */
  #check(): void {
    const { gate, limits } = this.#parts;
    if (gate.closed !== undefined) return;
    const due: string[] = [];
    for (let left = Math.ceil(this.#followers.size / limits.checkParts); left > 0; left -= 1) {
      let next = this.#checking.next();
      if (next.done === true) {
        this.#checking = this.#followers.keys();
        next = this.#checking.next();
      }
      if (next.done !== true) due.push(next.value);
    }
    for (let from = 0; from < due.length; from += limits.checkRooms) {
      void this.#checkRooms(due.slice(from, from + limits.checkRooms));
    }
  }

  async #checkRooms(rooms: readonly string[]): Promise<void> {
    try {
      const replies = await this.#parts.scripts.check(rooms);
      for (const [index, room] of rooms.entries()) {
        const reply = replies[index];
        if (!Array.isArray(reply)) continue;
        const [epoch, seq, v] = reply as readonly Reply[];
        this.#followers.get(room)?.compare(String(epoch), Number(seq), Number(v));
      }
    } catch {
      // The next check, or the next connection, finds out.
    }
  }

  async snapshot(room: string): Promise<NumberedSnapshot> {
    const [epoch, seq, v, members, records] = await this.#parts.scripts.room("snapshot", room, []);
    const position = { epoch: String(epoch), seq: Number(seq) };
    this.saw(room, position.epoch, position.seq);
    return {
      snapshot: { position, members: readMembers(members), records: new Map(pairs(records)) },
      v: Number(v),
    };
  }

  /** The records of a room, for a list: without its members, who may be thousands. */
  async records(room: string): Promise<ReadonlyMap<string, string>> {
    const [, , , records] = await this.#parts.scripts.room("records", room, []);
    return new Map(pairs(records));
  }

  pageAfter(room: string, seq: number): Promise<HistoryPage> {
    const { pageEntries, pageBytes } = this.#parts.limits;
    return this.page({ room, after: seq, limit: pageEntries, maxBytes: pageBytes });
  }

  /** A page of a log. Rejects as RedisUnavailable. */
  async page({ room, after, before, limit, maxBytes }: HistoryQuery): Promise<HistoryPage> {
    const args = [after, before, limit, maxBytes].map((number) => number?.toFixed(0) ?? "");
    const [epoch, first, last, ...rest] = await this.#parts.scripts.room("history", room, args, true);
    const entries: LogEntry[] = [];
    for (let index = 0; index + 2 < rest.length; index += 3) {
      const body = rest[index + 2];
      if (body instanceof Buffer)
        entries.push({ seq: Number(rest[index]), at: Number(rest[index + 1]), body });
    }
    const page = { epoch: String(epoch), first: Number(first), last: Number(last), entries };
    this.saw(room, page.epoch, page.last);
    return page;
  }

  saw(room: string, epoch: string, seq: number): void {
    this.#parts.positions.saw(room, epoch, seq);
  }

  close(): void {
    this.#checks.stop();
    for (const follower of this.#followers.values()) follower.close();
    this.#followers.clear();
  }
}

/** A flat list of keys and values as pairs. */
export function pairs(flat: Reply | undefined): [string, string][] {
  const values = list(flat ?? []).map(String);
  return Array.from({ length: values.length / 2 }, (_, index) => [
    values[index * 2] ?? "",
    values[index * 2 + 1] ?? "",
  ]);
}

function readMembers(flat: Reply | undefined): Member[] {
  return pairs(flat).map(([session, value]) => {
    const [, nick = "", away = ""] = /^\d+:([^:]*)([^]*)$/.exec(value) ?? [];
    return { session, nick, ...readAway(away) };
  });
}
