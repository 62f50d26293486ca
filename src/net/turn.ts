/**
 * The end of a turn of the event loop.
 *
 * One poll of the kernel brings data from many sockets. What they cause is gathered and written once a socket when all
 * of them have been read: a thousand frames cost one write. `setImmediate` runs after every callback of the poll, where
 * a microtask would run after each; scripts/benchmarks/NOTES.md has the figures.
 *
 * Where one socket brings what many others wait for (a trunk, the keeper), gathering from further sockets gains nothing
 * and the pass of the loop costs; there the end of the chunk is the end of the turn.
 *
 * Invariant: everything scheduled during a turn is flushed before the loop polls again, in the order scheduled, also
 * what flushing itself schedules. What is put off to the next turn comes after a poll, so that others are read between.
 */

/** Something with work for the end of the turn. Must not throw. */
export interface Flushable {
  flush(): void;
}

/** Something with more to do than one turn may hold. Must not throw. */
export interface Continuable {
  goOn(): void;
}

let queue: Flushable[] = [];
let spare: Flushable[] = [];
let scheduled = false;
let flushing = false;
const whenDone: (() => void)[] = [];
let putOff: Continuable[] = [];
let number = 0;

/** Calls `flush` once at the end of this turn. The caller sees to it that it asks only once a turn. */
export function atEndOfTurn(work: Flushable): void {
  queue.push(work);
  if (scheduled) return;
  scheduled = true;
  setImmediate(flushTurn);
}

/** A number that another turn does not have. Turns in which nothing is scheduled here may share one. */
export function currentTurn(): number {
  return number;
}

/** Calls `goOn` once in the next turn, which has another number. The caller sees to it that it asks only once. */
export function inNextTurn(work: Continuable): void {
  putOff.push(work);
  if (putOff.length === 1) setImmediate(continueTurn);
}

function continueTurn(): void {
  const works = putOff;
  putOff = [];
  number += 1;
  for (const work of works) work.goOn();
  flushSoFar();
}

/** Calls `forget` after each turn's flushing: for caches that live one turn. */
export function afterEachTurn(forget: () => void): void {
  whenDone.push(forget);
}

/** Flushes now what this turn has scheduled so far: for the end of a chunk of a trunk or of the keeper. */
export function flushSoFar(): void {
  if (queue.length > 0 && !flushing) flushQueue();
}

function flushTurn(): void {
  scheduled = false;
  number += 1;
  flushQueue();
}

function flushQueue(): void {
  flushing = true;
  while (queue.length > 0) {
    const batch = queue;
    queue = spare;
    for (const work of batch) work.flush();
    batch.length = 0;
    spare = batch;
  }
  flushing = false;
  for (const forget of whenDone) forget();
}
