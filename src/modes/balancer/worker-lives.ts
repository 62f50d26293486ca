/**
 * What the workers of one balancer have counted, over all their lives.
 *
 * A worker that dies takes its sessions along, but what it had counted was shown, and a counter that goes backwards is
 * read as a restart of everything. So the last picture of each worker is kept: while it does not answer its counters
 * stand as they were, and once it answers as a new process they are added for good to those of the lives that are over.
 * What a worker counted after it was last asked is lost with it.
 *
 * Invariant: from one picture to the next no counter falls.
 */
import { addSnapshots, countersOf } from "../../balancer/snapshot.ts";
import type { Snapshot } from "../../balancer/view.ts";

/** See the head of this file. */
export class WorkerLives {
  /** The newest picture of each worker. */
  readonly #last: (Snapshot | undefined)[];
  /** Sums over the lives that are over. */
  #over: Snapshot | undefined;

  constructor(workers: number) {
    this.#last = Array.from({ length: workers }, () => undefined);
  }

  /**
   * Takes what the workers said, each at its place, undefined where one did not answer.
   * @returns all as one; undefined when nobody answered
   */
  picture(answers: readonly (Snapshot | undefined)[]): Snapshot | undefined {
    const counted: Snapshot[] = [];
    for (const [index, answer] of answers.entries()) {
      const last = this.#last[index];
      if (answer === undefined) {
        if (last !== undefined) counted.push(countersOf(last));
        continue;
      }
      if (last !== undefined && last.startedAt !== answer.startedAt) this.#end(last);
      this.#last[index] = answer;
    }
    const [first, ...rest] = answers.filter((answer) => answer !== undefined);
    if (first === undefined) return undefined;
    const live = rest.reduce(addSnapshots, first);
    if (this.#over !== undefined) counted.push(this.#over);
    return counted.reduce((sum, one) => addSnapshots(sum, onlyOf(one, live)), live);
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
