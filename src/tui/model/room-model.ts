/** What a screen keeps of one room or conversation; chat-model.ts keeps them in step with the chat. */
import { screenLimits } from "../../protocol/limits.client.ts";
import type { SendExtras } from "../backend.ts";
import { Changes, isChange } from "./changes.ts";
import { RoomLog } from "./log.ts";

/** A message that was typed and is not in the log yet. */
export interface Pending {
  readonly id: string;
  readonly text: string;
  readonly state: "sending" | "failed";
  readonly extras: SendExtras | undefined;
  /** Why it failed. */
  readonly reason: string;
}

/** A room or a conversation with one person, as the screen knows it. */
export class RoomModel {
  /** A room's key, or `@nick`. */
  readonly name: string;
  readonly log = new RoomLog();
  readonly changes = new Changes();
  /** Who is writing, by nick, until when (monotonic ms). */
  readonly typing = new Map<string, number>();
  pending: readonly Pending[] = [];
  unread = 0;
  mentions = 0;
  /** Everything up to this seq was seen by the person; undefined before anything was. */
  readSeq: number | undefined;
  /** Where the line "new from here" stands: after this seq. */
  markerSeq: number | undefined;
  /** What this device had read when last it showed more than it had read: all it tells of since is as far. */
  caughtUpSeq = 0;
  /** The server may have older messages than the log's oldest. */
  more = true;
  /** A page of older messages is on its way. */
  loading = false;
  muted = false;

  constructor(name: string) {
    this.name = name;
  }

  /** Somebody is writing, now (monotonic ms) and for a while. */
  types(nick: string, now: number): void {
    this.typing.set(nick, now + screenLimits.typingMs);
  }

  /** A message is under way; what only changes another one is none. */
  get isSending(): boolean {
    return this.pending.some(({ state, extras }) => state === "sending" && !isChange(extras ?? {}));
  }

  /** Takes away what was not sent. */
  takeFailed(): readonly Pending[] {
    const failed = this.pending.filter(({ state }) => state === "failed");
    this.pending = this.pending.filter(({ state }) => state !== "failed");
    return failed;
  }

  /** The person looks at the end: all that is there is read. */
  readAll(): void {
    this.unread = 0;
    this.mentions = 0;
    const newest = this.log.newestSeq;
    if (newest === undefined || newest === this.readSeq) return;
    this.readSeq = newest;
    this.caughtUpSeq = newest;
  }

  /** The log was started anew, and its newest messages follow. */
  forget(): void {
    this.log.forgetMessages();
    this.changes.forget();
    this.readSeq = undefined;
    this.markerSeq = undefined;
    this.more = true;
  }

  /** The log was started anew: nothing more can be said about what was said until now, but it stays to be read. */
  retire(): void {
    const by = this.log.retire();
    this.changes.retire(by);
    // What failed may be sent again, and must not be about a message that has got the number since.
    this.pending = this.pending.map((one) => {
      const re = one.extras?.re;
      return re === undefined ? one : { ...one, extras: { ...one.extras, re: { ...re, seq: re.seq - by } } };
    });
    if (this.readSeq !== undefined) this.readSeq -= by;
    if (this.markerSeq !== undefined) this.markerSeq -= by;
    this.caughtUpSeq -= by;
    this.more = false;
  }

  get isDirect(): boolean {
    return this.name.startsWith("@");
  }
}

/**
 * Keeps the number of messages in memory within its limit, at the cost of the room that has the most.
 * @returns how many messages are gone
 */
export function trimFullest(room: RoomModel, rooms: Iterable<RoomModel>): number {
  let fullest = room;
  for (const one of rooms) if (one.log.messages > fullest.log.messages) fullest = one;
  const before = fullest.log.messages;
  // A tenth at once, so that this is not done for every message.
  fullest.log.trim(Math.floor(before * 0.9));
  fullest.more = true;
  return before - fullest.log.messages;
}
