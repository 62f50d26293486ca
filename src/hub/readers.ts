/**
 * How far people have read, over all devices of one person.
 *
 * A reader is the hash of a secret that the person's devices share; the server never keeps the secret, and nobody who
 * lacks it can name the reader. The marks are records of a log of the reader's own, followed while one of the devices is
 * here, so that what one device reads is told to the others on every server.
 *
 * Writes are throttled: the first mark of a room is written at once, later ones at most every `markEveryMs`, the furthest
 * of them. A server that dies in between costs that much of a position, and nothing else.
 */
import type { BackplaneFailure, Mark, RoomSubscriber, Snapshot } from "../backplane/backplane.ts";
import type { Timer } from "../protocol/clock.ts";
import { backplaneLimits } from "../protocol/limits.ts";
import type { Position } from "../protocol/messages.ts";
import { z } from "zod";
import type { Core } from "./core.ts";
import { encodeLine } from "./encode.ts";
import type { Session } from "./session.ts";

const markSchema = z.object({ epoch: z.string(), seq: z.number(), at: z.number() });

function readMark(value: string): z.output<typeof markSchema> | undefined {
  return markSchema.safeParse(JSON.parse(value)).data;
}

type Opened = { readonly ok: true; readonly reader: Reader } | BackplaneFailure;

/** One person who reads here, on one device or more. */
export class Reader implements RoomSubscriber {
  readonly name: string;
  readonly sessions = new Set<Session>();
  /** Who waits for the subscription; undefined once it stands. */
  waiting: ((result: Opened) => void)[] | undefined = [];
  readonly #core: Core;
  /** The least lately raised first; no more than the backplane keeps. */
  readonly #marks = new Map<string, Position>();
  /** Rooms that were written lately, and what is to be written when that is long enough ago. */
  readonly #resting = new Map<string, { readonly timer: Timer; next: Mark | undefined }>();

  constructor(core: Core, name: string) {
    this.#core = core;
    this.name = name;
  }

  /** All marks, by room, those that wait to be written too: a device that comes in between must not start behind. */
  get marks(): Record<string, Position> {
    const marks = new Map(this.#marks);
    for (const { next } of this.#resting.values()) {
      if (next === undefined) continue;
      const { room, epoch, seq } = next;
      const known = marks.get(room);
      if (known?.epoch !== epoch || known.seq < seq) marks.set(room, { epoch, seq });
    }
    return Object.fromEntries(marks);
  }

  /** The mark of one room. */
  mark(room: string): Position | undefined {
    return this.#marks.get(room);
  }

  take({ records }: Snapshot): void {
    this.#marks.clear();
    const marks = [...records].map(([room, value]) => ({ room, mark: readMark(value) }));
    marks.sort((one, other) => (one.mark?.at ?? 0) - (other.mark?.at ?? 0));
    for (const { room, mark } of marks) if (mark !== undefined) this.#set(room, mark);
  }

  #set(room: string, { epoch, seq }: Position): Position {
    const position = { epoch, seq };
    this.#marks.delete(room);
    this.#marks.set(room, position);
    const [oldest = room] = this.#marks.keys();
    if (this.#marks.size > backplaneLimits.marks) this.#marks.delete(oldest);
    return position;
  }

  appended(): void {}
  presence(): void {}

  record(room: string, value: string): void {
    const mark = readMark(value);
    if (mark !== undefined) this.#tell({ [room]: this.#set(room, mark) });
  }

  reset(snapshot: Snapshot): void {
    this.take(snapshot);
    this.#tell(this.marks);
  }

  #tell(positions: Record<string, Position>): void {
    const line = encodeLine({ type: "read", positions });
    for (const session of this.sessions) session.say(line);
  }

  /** Raises a mark, now or soon. @returns how far the room is read then */
  raise(mark: Mark): Position {
    const { room, epoch, seq } = mark;
    const known = this.#marks.get(room);
    if (known?.epoch === epoch && known.seq >= seq) return known;
    const resting = this.#resting.get(room);
    if (resting === undefined) this.#write(mark);
    else if (resting.next === undefined || resting.next.epoch !== epoch || resting.next.seq < seq) {
      resting.next = mark;
    }
    return { epoch, seq };
  }

  #write(mark: Mark): void {
    const { backplane, clock, limits } = this.#core;
    const timer = clock.after(limits.markEveryMs, () => {
      const next = this.#resting.get(mark.room)?.next;
      this.#resting.delete(mark.room);
      if (next !== undefined) this.#write(next);
    });
    this.#resting.set(mark.room, { timer, next: undefined });
    // Lost when the store cannot be reached: the next one is further.
    backplane.raiseMark(this.name, mark, () => {});
  }

  /** Nobody is here any more: what waits is written now. */
  close(): void {
    for (const { timer, next } of this.#resting.values()) {
      timer.stop();
      if (next !== undefined) this.#core.backplane.raiseMark(this.name, next, () => {});
    }
    this.#resting.clear();
  }
}

/** The readers of this hub. Invariant: one is subscribed exactly while a session here is its. */
export class Readers {
  readonly #core: Core;
  readonly #readers = new Map<string, Reader>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** Makes a session one of a reader's. Answers when the marks are known; may do so before it returns. */
  enter(session: Session, name: string, done: (result: Opened) => void): void {
    if (session.reader?.name !== name) this.leave(session);
    const reader = this.#readers.get(name) ?? this.#open(name);
    session.reader = reader;
    reader.sessions.add(session);
    if (reader.waiting === undefined) done({ ok: true, reader });
    else reader.waiting.push(done);
  }

  #open(name: string): Reader {
    const reader = new Reader(this.#core, name);
    this.#readers.set(name, reader);
    this.#core.backplane.subscribe(`=${name}`, reader, (result) => {
      const waiting = reader.waiting ?? [];
      reader.waiting = undefined;
      if (result.ok) reader.take(result.snapshot);
      else this.#forget(reader);
      for (const done of waiting) done(result.ok ? { ok: true, reader } : result);
    });
    return reader;
  }

  /** A subscription that failed. */
  #forget(reader: Reader): void {
    if (this.#readers.get(reader.name) === reader) this.#readers.delete(reader.name);
    for (const session of reader.sessions) if (session.reader === reader) session.reader = undefined;
    reader.sessions.clear();
  }

  /** A session is nobody's any more, or over. */
  leave(session: Session): void {
    const { reader } = session;
    session.reader = undefined;
    if (reader === undefined || !reader.sessions.delete(session) || reader.sessions.size > 0) return;
    this.#readers.delete(reader.name);
    reader.close();
    this.#core.backplane.unsubscribe(`=${reader.name}`);
  }

  /** The hub stops. */
  close(): void {
    for (const reader of this.#readers.values()) reader.close();
    this.#readers.clear();
  }
}
