/**
 * The lines in which clients get a room's messages.
 *
 *   {"type":"message","seq":42,"at":1764383812345,"room":"lobby",…,"text":"hello"}
 *
 * A stored body is the fields of a `message` that do not depend on its place in the log, as JSON without braces. So a line
 * is made of three pieces put side by side, without parsing anything. Lines are made once, by whoever has the log, and
 * passed on as bytes from there: by the servers of a cluster, by the balancer, to every member of the room.
 *
 * Invariant: a line ends with its only newline, since JSON has none in it. What is cut out of other deliveries lies in
 * memory of its own: rooms keep pieces, and a slice would keep the whole page that it came with.
 */

import type { Part } from "./frames.ts";

/** An entry of a log, with its place. */
export interface Placed {
  readonly seq: number;
  /** Ms since 1970. */
  readonly at: number;
  readonly body: Uint8Array;
}

/** Consecutive messages of a room, as lines. Never empty. */
export interface Deliveries {
  /** Seq of the first. */
  readonly first: number;
  readonly count: number;
  readonly lines: Uint8Array;
}

const NEWLINE = 0x0a;
const BRACE = 0x7d;
const encoder = new TextEncoder();
const HEAD = encoder.encode('{"type":"message","seq":');
/** Most bytes of a line that are not its body: two numbers have 16 digits each at most. */
const AROUND_MOST = HEAD.length + ',"at":,}\n'.length + 2 * 16;
/** `,"at":…,` of the last line: those of one turn have it in common. */
let lastAt = -1;
let lastField = new Uint8Array(0);

/** `,"at":…,` as bytes, the same object for the same time. */
export function encodeAt(at: number): Uint8Array {
  if (at !== lastAt) {
    lastAt = at;
    lastField = encoder.encode(`,"at":${at},`);
  }
  return lastField;
}

/** Writes what a line has between its head and its body, and behind that. @returns where the body begins */
function writePlace(
  into: Uint8Array,
  headEnd: number,
  { seq, at }: Pick<Placed, "seq" | "at">,
  bodyBytes: number,
): number {
  const field = encodeAt(at);
  const digits = headEnd + digitsOf(seq);
  writeDigits(into, digits, seq);
  // By hand: a call into the runtime costs more than twenty bytes do.
  for (let from = 0; from < field.length; from += 1) into[digits + from] = field[from] ?? 0;
  const start = digits + field.length;
  into[start + bodyBytes] = BRACE;
  into[start + bodyBytes + 1] = NEWLINE;
  return start;
}

/** Entries as lines. */
function encodeEntries(entries: readonly Placed[]): Uint8Array {
  let bytes = 0;
  for (const { seq, at, body } of entries) {
    bytes += HEAD.length + digitsOf(seq) + encodeAt(at).length + body.length + 2;
  }
  const lines = new Uint8Array(bytes);
  let end = 0;
  for (const entry of entries) {
    const { body } = entry;
    lines.set(HEAD, end);
    const start = writePlace(lines, end + HEAD.length, entry, body.length);
    lines.set(body, start);
    end = start + body.length + 2;
  }
  return lines;
}

/** An entry as a line. */
export function encodeEntry(entry: Placed): Uint8Array {
  return encodeEntries([entry]);
}

/** Consecutive entries, at least one, as what is delivered. */
export function deliveriesOf(entries: readonly Placed[]): Deliveries {
  return { first: entries[0]?.seq ?? 0, count: entries.length, lines: encodeEntries(entries) };
}

/** Those after `seq`; undefined when there are none. */
export function deliveriesAfter(seq: number, all: Deliveries): Deliveries | undefined {
  const known = seq - all.first + 1;
  if (known <= 0) return all;
  if (known >= all.count) return undefined;
  let start = 0;
  for (let line = 0; line < known; line += 1) start = all.lines.indexOf(NEWLINE, start) + 1;
  return { first: seq + 1, count: all.count - known, lines: cut(all.lines, start) };
}

/** The same in pieces of so many bytes at most, but for a line that is longer. */
export function* piecesOf(all: Deliveries, mostBytes: number): Generator<Deliveries> {
  const { lines } = all;
  let { first } = all;
  let [start, end, count] = [0, 0, 0];
  for (let next = lines.indexOf(NEWLINE) + 1; next > 0; next = lines.indexOf(NEWLINE, end) + 1) {
    if (next - start > mostBytes && count > 0) {
      yield { first, count, lines: cut(lines, start, end) };
      first += count;
      [start, count] = [end, 0];
    }
    end = next;
    count += 1;
  }
  yield start === 0 ? all : { first, count, lines: cut(lines, start) };
}

function cut(lines: Uint8Array, start: number, end?: number): Uint8Array {
  return new Uint8Array(lines.subarray(start, end));
}

/** Makes one line after the other in the same memory, for whoever makes a hundred thousand a second. */
export class DeliveryWriter {
  #buffer = Buffer.allocUnsafeSlow(4 * 1024);
  readonly #line: { buffer: Buffer; start: number; length: number } = {
    buffer: this.#buffer,
    start: 0,
    length: 0,
  };

  constructor() {
    this.#buffer.set(HEAD);
  }

  /** An entry whose body is a part of a buffer, as a line. @returns what is valid until the next call */
  line(seq: number, at: number, body: Part): Part {
    const most = AROUND_MOST + body.length;
    if (most > this.#buffer.length) this.#grow(most);
    const buffer = this.#buffer;
    // The head stands at its beginning all the time.
    const start = writePlace(buffer, HEAD.length, { seq, at }, body.length);
    body.buffer.copy(buffer, start, body.start, body.start + body.length);
    this.#line.length = start + body.length + 2;
    return this.#line;
  }

  #grow(length: number): void {
    this.#buffer = Buffer.allocUnsafeSlow(length * 2);
    this.#buffer.set(HEAD);
    this.#line.buffer = this.#buffer;
  }
}

/** How many digits a whole number has that is not negative. */
export function digitsOf(value: number): number {
  let digits = 1;
  for (let power = 10; power <= value; power *= 10) digits += 1;
  return digits;
}

/** Writes a number's digits so that they end before `end`. Faster than by way of a string. */
export function writeDigits(into: Uint8Array, end: number, value: number): void {
  let at = end;
  let rest = value;
  do {
    const tens = Math.floor(rest / 10);
    at -= 1;
    into[at] = 0x30 + (rest - tens * 10);
    rest = tens;
  } while (rest > 0);
}
