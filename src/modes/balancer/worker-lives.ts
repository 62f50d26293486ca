/**
 * What the workers of one balancer have counted, over all their lives.
 *
 * A worker that dies takes its sessions along, but what it had counted was shown, and a counter that goes backwards is
 * read as a restart of everything. So the last picture of each worker is kept: while it does not answer its counters
 * stand as they were, and once it answers as a new process, or has left its place to another, they are added for good to
 * those of the lives that are over. What a worker counted after it was last asked is lost with it.
 *
 * Invariant: from one picture to the next no counter falls.
 */
import { addSnapshots, countersOf } from "../../balancer/snapshot.ts";
import type { Snapshot } from "../../balancer/view.ts";

/** See the head of this file. */
export class WorkerLives {
  /** The newest picture of each worker. */
  readonly #last = new Map<number, Snapshot>();
  /** Sums over the lives that are over. */
  #over: Snapshot | undefined;

  /**
   * Takes what the workers said, by their numbers, undefined where one did not answer.
   * @returns all as one, in which the first that answered tells what is no sum; undefined when nobody answered
   */
  picture(answers: ReadonlyMap<number, Snapshot | undefined>): Snapshot | undefined {
    const counted: Snapshot[] = [];
    for (const [number, answer] of answers) {
      const last = this.#last.get(number);
      if (answer === undefined) {
        if (last !== undefined) counted.push(countersOf(last));
        continue;
      }
      if (last !== undefined && last.startedAt !== answer.startedAt) this.#end(last);
      this.#last.set(number, answer);
    }
    const [first, ...rest] = [...answers.values()].filter((answer) => answer !== undefined);
    if (first === undefined) return undefined;
    const live = rest.reduce(addSnapshots, first);
    if (this.#over !== undefined) counted.push(this.#over);
    return counted.reduce((sum, one) => addSnapshots(sum, onlyOf(one, live)), live);
  }

  /** A worker has left its place for good. */
  left(number: number): void {
    const last = this.#last.get(number);
    this.#last.delete(number);
    if (last !== undefined) this.#end(last);
  }

  #end(last: Snapshot): void {
    const counters = countersOf(last);
    this.#over = this.#over === undefined ? counters : addSnapshots(this.#over, counters);
  }
}

/** A picture without backends that are in no list any more. */
function onlyOf(counters: Snapshot, live: Snapshot): Snapshot {
  const listed = new Set(live.backends.map(({ id }) => id));
  return { ...counters, backends: counters.backends.filter(({ id }) => listed.has(id)) };
}
