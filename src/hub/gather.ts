/**
 * What a reader of a room is to be given: everything after a position, or the newest.
 *
 * The answer comes in a turn in which the gathered lines end exactly where the room stands, so the caller can give them
 * and put the reader into the group in that turn. What the cache does not hold is read from the log; entries that arrive
 * during the read are in the cache by then, and the two are put together by seq. If the cache has moved on too far
 * meanwhile, the log is read again from where the reading ended.
 *
 * Invariant: a job is answered exactly once, when it leaves the list; whoever reads for it looks whether it is still there.
 *
 * One read of a room is under way at a time. It fills the cache, so that of a thousand sessions that come over from a
 * dead server one reads the log and the others are served from memory.
 */
import type { BackplaneFailure, HistoryPage } from "../backplane/backplane.ts";
import type { Position } from "../protocol/messages.ts";
import type { Core } from "./core.ts";
import { encodeEntry } from "../protocol/deliveries.ts";
import { sizeOf } from "./encode.ts";
import type { Room } from "./room.ts";

/** What was found: messages in order, the last of which is the room's newest. */
export interface Found {
  readonly ok: true;
  /** Nothing is missing before the first line (or nothing was asked for). */
  readonly recovered: boolean;
  readonly lines: readonly Uint8Array[];
}
export type Gathered = Found | BackplaneFailure;

interface Job {
  /** Where the reader stands; undefined for the newest. */
  since: Position | undefined;
  /** How many of the newest, with no `since` or when what is after it is gone. */
  readonly newest: number;
  readonly done: (result: Gathered) => void;
  readonly during: "live" | "resetting";
  recovered: boolean;
  /** Read from the log, ending with the message `end`. */
  lines: Uint8Array[];
  end: number;
  reads: number;
}

/** See above. */
export class Gatherer {
  readonly #core: Core;
  readonly #room: Room;
  #jobs: Job[] = [];
  #reading = false;

  constructor(core: Core, room: Room) {
    this.#core = core;
    this.#room = room;
  }

  /**
   * Everything after `since`. If that is not to be had (another epoch, removed by retention, more than the limits for
   * catching up): the `newest`, with `recovered: false`. May answer before it returns.
   */
  since(since: Position, newest: number, done: (result: Gathered) => void): void {
    const job: Job = {
      since,
      newest,
      done,
      during: "live",
      recovered: true,
      lines: [],
      end: since.seq,
      reads: 0,
    };
    this.#add(job);
  }

  /** The newest messages, at most so many and no more than one reply takes. May answer before it returns. */
  newest(newest: number, during: Job["during"], done: (result: Gathered) => void): void {
    this.#add({ since: undefined, newest, done, during, recovered: true, lines: [], end: 0, reads: 0 });
  }

  /** Looks again whether jobs can be answered: the room is live again, or closed. */
  check(): void {
    const jobs = this.#jobs;
    this.#jobs = [];
    for (const job of jobs) if (!this.#settle(job)) this.#jobs.push(job);
    this.#read();
  }

  #add(job: Job): void {
    if (this.#settle(job)) return;
    this.#jobs.push(job);
    this.#read();
  }

  /** Answers a job if that is possible now. */
  #settle(job: Job): boolean {
    const room = this.#room;
    if (room.state === "closed") return this.#fail(job, "the room was closed meanwhile; try again");
    if (room.state !== "live" && room.state !== job.during) return false;
    if (job.since !== undefined) {
      if (job.since.epoch !== room.epoch) this.#giveUp(job);
      else if (job.end <= room.seq && room.seq - job.since.seq > this.#core.limits.catchUpMessages) {
        this.#giveUp(job);
      }
    }
    return job.since === undefined ? this.#settleNewest(job) : this.#settleSince(job);
  }

  #settleSince(job: Job): boolean {
    const { recent, seq } = this.#room;
    if (job.end > seq || job.end < recent.after) {
      if (job.reads > this.#core.limits.catchUpReads)
        return this.#fail(job, "the log does not answer completely; try again");
      return false;
    }
    job.lines.push(...recent.since(job.end));
    if (sizeOf(job.lines) > this.#core.limits.catchUpBytes) {
      this.#giveUp(job);
      return this.#settleNewest(job);
    }
    return answer(job, job.lines);
  }

  #settleNewest(job: Job): boolean {
    const { recent, seq, first } = this.#room;
    const { replyBytes } = this.#core.limits;
    const start = Math.max(seq - job.newest, first - 1, 0);
    if (job.lines.length > 0 && job.end >= recent.after && job.end <= seq) {
      return answer(job, trim([...job.lines, ...recent.since(job.end)], job.newest, replyBytes));
    }
    if (recent.after <= start || recent.bytes >= replyBytes || job.reads > this.#core.limits.catchUpReads) {
      return answer(job, trim(recent.since(start), job.newest, replyBytes));
    }
    job.lines = [];
    return false;
  }

  /** What is after `since` is not to be had: the newest it is, and honest about it. */
  #giveUp(job: Job): void {
    job.since = undefined;
    job.recovered = false;
    job.lines = [];
    job.end = 0;
    job.reads = 0;
  }

  #fail(job: Job, message: string): true {
    job.done({ ok: false, code: "unavailable", message });
    return true;
  }

  /** Reads the log for the first job that may go on. */
  #read(): void {
    const room = this.#room;
    const job = this.#jobs.find(({ during }) => room.state === "live" || room.state === during);
    if (this.#reading || job === undefined) return;
    const { limits, backplane } = this.#core;
    const { recent, seq } = room;
    this.#reading = true;
    job.reads += 1;
    const query =
      job.since === undefined
        ? {
            room: room.log,
            before: recent.after + 1,
            limit: Math.max(1, job.newest - (seq - recent.after)),
            maxBytes: limits.replyBytes,
          }
        : { room: room.log, after: job.end, limit: limits.catchUpMessages, maxBytes: limits.catchUpBytes };
    backplane.history(query, (result) => {
      this.#reading = false;
      // A reset, or the room's end, may have answered it meanwhile.
      if (this.#jobs.includes(job)) this.#haveRead(job, result);
      this.check();
    });
  }

  #haveRead(job: Job, result: { readonly ok: true; readonly page: HistoryPage } | BackplaneFailure): void {
    if (result.ok) {
      this.#take(job, result.page);
      return;
    }
    this.#jobs = this.#jobs.filter((other) => other !== job);
    job.done(result);
  }

  #take(job: Job, page: HistoryPage): void {
    const room = this.#room;
    if (page.epoch !== room.epoch) {
      // The log was replaced; the room will be reset, or was reset while this was read.
      if (job.since !== undefined) this.#giveUp(job);
      return;
    }
    room.first = page.first;
    if (job.since !== undefined) {
      if (page.last < job.end || page.first > job.end + 1) {
        this.#giveUp(job);
        return;
      }
      // Where the reader is ahead of this server, the room will come to that place by itself.
      if (job.end > room.seq) {
        this.#jobs = this.#jobs.filter((other) => other !== job);
        room.whenReached({ epoch: page.epoch, seq: job.end }, () => this.#add(job));
        return;
      }
    }
    const lines: Uint8Array[] = [];
    let end = 0;
    for (const entry of page.entries) {
      if (entry.seq > room.seq) break;
      if (job.since !== undefined && entry.seq !== job.end + lines.length + 1) break;
      lines.push(encodeEntry(entry));
      end = entry.seq;
    }
    if (lines.length === 0) return;
    room.recent.extend(lines, end);
    if (job.since === undefined) job.lines = lines;
    else job.lines.push(...lines);
    job.end = end;
    if (job.since !== undefined && sizeOf(job.lines) > this.#core.limits.catchUpBytes) this.#giveUp(job);
  }
}

function answer(job: Job, lines: readonly Uint8Array[]): true {
  job.done({ ok: true, recovered: job.recovered, lines });
  return true;
}

/** The newest lines that fit, at least one. */
function trim(lines: readonly Uint8Array[], most: number, maxBytes: number): readonly Uint8Array[] {
  let start = lines.length;
  let bytes = 0;
  while (start > 0 && lines.length - start < most) {
    bytes += lines[start - 1]?.length ?? 0;
    if (bytes > maxBytes && start < lines.length) break;
    start -= 1;
  }
  return lines.slice(start);
}
