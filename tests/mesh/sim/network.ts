/**
 * Simulated time and links. Events happen in order of their time; a link delivers frames in order after a delay, refuses
 * them while too many are under way, and loses what is under way when it is cut.
 */
import type { Random } from "../../../src/protocol/clock.ts";

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Simulated milliseconds, with a queue of what will happen. */
export class Timeline {
  now = 0;
  readonly #heap: Event[] = [];
  #order = 0;

  /** Runs `run` after `delay` ms. */
  after(delay: number, run: () => void): void {
    const heap = this.#heap;
    const event = { at: this.now + delay, order: this.#order++, run };
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  /** Lets time pass until `end`. */
  runUntil(end: number): void {
    while (this.#heap.length > 0 && this.#heap[0]!.at <= end) {
      const event = this.#pop();
      this.now = event.at;
      event.run();
    }
    this.now = end;
  }

  #pop(): Event {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** One end of a link: what happens when a frame arrives there, and when it may send again. */
export interface End {
  receive(frame: Uint8Array): void;
  drained(): void;
}

/** One direction of a link. */
export class Pipe {
  readonly #time: Timeline;
  readonly #random: Random;
  readonly #to: End;
  readonly #from: End;
  readonly #delay: number;
  readonly #capacity: number;
  #underWay = 0;
  #isFull = false;
  #isCut = false;
  #lastArrival = 0;

  constructor(parts: {
    time: Timeline;
    random: Random;
    from: End;
    to: End;
    delay: number;
    capacity: number;
  }) {
    this.#time = parts.time;
    this.#random = parts.random;
    this.#from = parts.from;
    this.#to = parts.to;
    this.#delay = parts.delay;
    this.#capacity = parts.capacity;
  }

  send(frame: Uint8Array): boolean {
    if (this.#isCut) return true; // Written into a dead socket: accepted, and lost.
    if (this.#underWay >= this.#capacity) {
      this.#isFull = true;
      return false;
    }
    this.#underWay += 1;
    const delay = this.#delay * (1 + this.#random());
    this.#lastArrival = Math.max(this.#lastArrival, this.#time.now + delay);
    this.#time.after(this.#lastArrival - this.#time.now, () => this.#arrive(frame));
    return true;
  }

  cut(): void {
    this.#isCut = true;
  }

  #arrive(frame: Uint8Array): void {
    if (this.#isCut) return;
    this.#underWay -= 1;
    this.#to.receive(frame);
    if (!this.#isFull || this.#underWay > this.#capacity / 2 || this.#isCut) return;
    this.#isFull = false;
    this.#from.drained();
  }
}
