/**
 * The end of a turn of the event loop.
 *
 * One poll of the kernel brings data from many sockets. What they cause is gathered and written once a socket when all
 * of them have been read: a thousand frames cost one write. `setImmediate` runs after every callback of the poll, where
 * a microtask would run after each; scripts/bench/NOTES.md has the figures.
 *
 * Invariant: everything scheduled during a turn is flushed before the loop polls again, in the order scheduled, also
 * what flushing itself schedules.
 */

/** Something with work for the end of the turn. Must not throw. */
export interface Flushable {
  flush(): void;
}

let queue: Flushable[] = [];
let spare: Flushable[] = [];
let scheduled = false;
const whenDone: (() => void)[] = [];

/** Calls `flush` once at the end of this turn. The caller sees to it that it asks only once a turn. */
export function atEndOfTurn(work: Flushable): void {
  queue.push(work);
  if (scheduled) return;
  scheduled = true;
  setImmediate(flushTurn);
}

/** Calls `forget` after each turn's flushing: for caches that live one turn. */
export function afterEachTurn(forget: () => void): void {
  whenDone.push(forget);
}

function flushTurn(): void {
  while (queue.length > 0) {
    const batch = queue;
    queue = spare;
    for (const work of batch) work.flush();
    batch.length = 0;
    spare = batch;
  }
  scheduled = false;
  for (const forget of whenDone) forget();
}
