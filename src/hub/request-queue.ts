/**
 * One session's lines: started in order, finished in order.
 *
 * `send` is pipelined: several may be with the backplane at once, and they are finished in line order even if the
 * backplane answers in another. Every other request that needs the backplane is exclusive: it starts when all before it
 * are finished, and nothing starts until it is. Lines that come meanwhile wait here, bounded in number and bytes.
 *
 * Invariant: the slots are those of the lines `done + 1`, `done + 2`, …, started and not yet given away; a slot's answer
 * leaves together with the number of the last line finished, so that an edge that loses this hub knows exactly which
 * lines to give to the next one. Every line counts, also an empty or a refused one.
 */
import { eachLine } from "../protocol/lines.ts";
import { joinLines, NOTHING } from "./encode.ts";

/** How a line is to be started. */
export type RequestOrder = "immediate" | "pipelined" | "exclusive";

/** A line made ready to start. */
export interface Task<T> {
  readonly order: RequestOrder;
  readonly request: T;
}

/** What a queue needs of its session. */
export interface QueueOwner<T> {
  /** Reads a line. Called once a line, in order, not before all lines ahead have started. */
  prepare(line: Uint8Array): Task<T>;
  /** Starts it. The slot is to be finished, now or later, exactly once. */
  start(slot: Slot<T>, request: T): void;
  readonly answer: Give;
}

/** A queue's bounds, see limits.ts. */
export interface QueueLimits {
  readonly waitingLines: number;
  readonly waitingBytes: number;
  readonly publishesInFlight: number;
}

/** Gives answers of lines up to and with `done` to the client. */
export type Give = (bytes: Uint8Array, done: number) => void;

/** The place of one started line. */
export class Slot<T> {
  /** The line's number. */
  readonly line: number;
  readonly #queue: RequestQueue<T>;
  #answer: Uint8Array | undefined;

  constructor(queue: RequestQueue<T>, line: number) {
    this.#queue = queue;
    this.line = line;
  }

  get answer(): Uint8Array | undefined {
    return this.#answer;
  }

  /**
   * Finishes the line with its answer, which leaves as soon as all lines before it are finished.
   * @param give how the answer of an exclusive request leaves, if not as all do; the next line starts after it
   */
  finish(bytes: Uint8Array = NOTHING, give?: Give): void {
    if (this.#answer !== undefined) return;
    this.#answer = bytes;
    this.#queue.finished(this, give);
  }

  /** Lets no later line start until {@link unblock}. */
  block(): void {
    this.#queue.block(this);
  }

  unblock(): void {
    this.#queue.unblock(this);
  }
}

/** Shared by all queues that are empty, as nearly all are nearly always; and so never changed. */
const NO_LINES: Uint8Array[] = [];
const NO_SLOTS: never[] = [];

/** See above. */
export class RequestQueue<T> {
  readonly #owner: QueueOwner<T>;
  readonly #limits: QueueLimits;
  #waiting: Uint8Array[] = NO_LINES;
  #head = 0;
  #waitingBytes = 0;
  /** The line that was read and may not start yet. */
  #next: Task<T> | undefined;
  #slots: Slot<T>[] = NO_SLOTS;
  #blocker: Slot<T> | undefined;
  #done: number;
  #paused = false;
  #pumping = false;
  #closed = false;

  /** @param done lines finished elsewhere: the next one has number `done + 1` */
  constructor(owner: QueueOwner<T>, limits: QueueLimits, done = 0) {
    this.#owner = owner;
    this.#limits = limits;
    this.#done = done;
  }

  /** Lines finished and given away. */
  get done(): number {
    return this.#done;
  }

  /** Takes whole lines. @returns false if more wait than may: the session must be closed */
  push(lines: Uint8Array): boolean {
    if (this.#closed) return true;
    eachLine(lines, (line) => {
      if (this.#waiting.length === 0) this.#waiting = [line];
      else this.#waiting.push(line);
      this.#waitingBytes += line.length;
    });
    this.#pump();
    return (
      this.#waiting.length - this.#head <= this.#limits.waitingLines &&
      this.#waitingBytes <= this.#limits.waitingBytes
    );
  }

  /** Starts nothing until {@link resume}. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#pump();
  }

  /** Starts and answers nothing more. */
  close(): void {
    this.#closed = true;
    this.#waiting = NO_LINES;
    this.#slots = NO_SLOTS;
    this.#next = undefined;
  }

  /** For slots. */
  finished(slot: Slot<T>, give: Give | undefined): void {
    if (this.#closed) return;
    if (!this.#pumping || give !== undefined) this.flush(give);
    if (this.#blocker === slot) this.#blocker = undefined;
    if (!this.#pumping) this.#pump();
  }

  block(slot: Slot<T>): void {
    this.#blocker = slot;
  }

  unblock(slot: Slot<T>): void {
    if (this.#blocker !== slot) return;
    this.#blocker = undefined;
    this.#pump();
  }

  /** Starts what may start, then gives away what is finished, in one frame. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (;;) {
        const task = this.#takeNext();
        if (task === undefined) break;
        const slot = new Slot(this, this.#done + this.#slots.length + 1);
        if (this.#slots.length === 0) this.#slots = [slot];
        else this.#slots.push(slot);
        if (task.order === "exclusive") this.#blocker = slot;
        this.#owner.start(slot, task.request);
      }
    } finally {
      this.#pumping = false;
    }
    this.flush();
  }

  /** The next line if it may start now. */
  #takeNext(): Task<T> | undefined {
    if (this.#closed || this.#paused || this.#blocker !== undefined) return undefined;
    this.#next ??= this.#read();
    const task = this.#next;
    if (task === undefined) return undefined;
    if (task.order === "exclusive") this.flush();
    const most = task.order === "exclusive" ? 0 : this.#limits.publishesInFlight - 1;
    if (this.#slots.length > most) this.flush();
    if (this.#slots.length > most || this.#closed) return undefined;
    this.#next = undefined;
    return task;
  }

  #read(): Task<T> | undefined {
    const line = this.#waiting[this.#head];
    if (line === undefined) return undefined;
    this.#head += 1;
    this.#waitingBytes -= line.length;
    if (this.#head === this.#waiting.length) {
      this.#waiting = NO_LINES;
      this.#head = 0;
    } else if (this.#head > 256) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return this.#owner.prepare(line);
  }

  /** Gives away what is finished, in one frame. */
  flush(give: Give = this.#owner.answer): void {
    const slots = this.#slots;
    const first = slots[0]?.answer;
    if (first === undefined) return;
    if (slots.length === 1) {
      // The usual case by far, without the lists.
      this.#slots = NO_SLOTS;
      this.#done += 1;
      give(first, this.#done);
      return;
    }
    const answers: Uint8Array[] = [];
    let count = 0;
    for (const slot of slots) {
      if (slot.answer === undefined) break;
      count += 1;
      if (slot.answer.length > 0) answers.push(slot.answer);
    }
    this.#slots = slots.slice(count);
    this.#done += count;
    give(joinLines(answers), this.#done);
  }
}
