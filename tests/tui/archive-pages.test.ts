/** A log read page by page: how much is asked for, and how much is held. */
import { expect, test } from "bun:test";
import type { Message } from "../../src/protocol/messages.ts";
import { pagesUp, rangeOfNewest, type LogSource } from "../../src/tui/archive/pages.ts";
import type { AnswerHandler, PlainRequest } from "../../src/tui/backend.ts";

/** A log of which message n was written at the time 1000 n, without the first `gone`. */
class Log {
  asked = 0;
  largest = 0;
  refusals = 0;
  constructor(
    readonly length: number,
    readonly gone = 0,
  ) {}

  get backend(): LogSource {
    const rooms = new Map([["big", { state: "joined" as const }]]);
    return { session: { rooms, request: this.#request }, connection: { state: "idle" }, on: () => () => {} };
  }

  readonly #request = (request: PlainRequest, done?: AnswerHandler): { ok: true; id: string } => {
    this.asked += 1;
    if (this.refusals > 0) {
      this.refusals -= 1;
      queueMicrotask(() => done?.({ ok: false, code: "rate-limited", message: "too fast", afterMs: 5 }));
      return { ok: true, id: "1" };
    }
    if (request.type !== "history") throw new Error(`asked for ${request.type}`);
    const { before = this.length + 1, after, limit = 50 } = request;
    const top = Math.min(before - 1, this.length);
    const least = Math.max(this.gone, after ?? 0) + 1;
    const first = after === undefined ? Math.max(least, top - limit + 1) : least;
    const last = Math.min(top, first + limit - 1);
    const messages: Message[] = [];
    for (let seq = first; seq <= last; seq += 1)
      messages.push({ type: "message", room: "big", seq, at: seq * 1_000, from: "bot", text: `${seq}` });
    this.largest = Math.max(this.largest, messages.length);
    const more = after === undefined ? first > least : last < top;
    queueMicrotask(() =>
      done?.({ ok: true, message: { type: "history", room: "big", epoch: "e", messages, more } }),
    );
    return { ok: true, id: "1" };
  };
}

async function newest(log: Log, from: number, most: number): Promise<readonly number[]> {
  const range = await rangeOfNewest(log.backend, "big", from, most);
  const seqs: number[] = [];
  for await (const { messages } of pagesUp(log.backend, "big", range))
    seqs.push(...messages.map(({ seq }) => seq));
  return seqs;
}

test("the beginning of a million messages is found by few requests of one message", async () => {
  const log = new Log(1_000_000);
  expect(await rangeOfNewest(log.backend, "big", 1_000 * 123_456, Number.MAX_SAFE_INTEGER)).toMatchObject({
    after: 123_455,
    until: 1_000_000,
  });
  expect([log.asked <= 22, log.largest]).toEqual([true, 1]);
});

test("no page is asked for before the last one was taken, and none is kept", async () => {
  const log = new Log(1_000_000);
  const range = await rangeOfNewest(log.backend, "big", 1, Number.MAX_SAFE_INTEGER);
  const before = log.asked;
  let [pages, next] = [0, 1];
  for await (const { messages, more } of pagesUp(log.backend, "big", range)) {
    pages += 1;
    if (log.asked - before !== pages || messages[0]?.seq !== next || messages.length > 200)
      throw new Error("read ahead");
    next += messages.length;
    expect(more).toBe(next <= 1_000_000);
  }
  expect([pages, next]).toEqual([5_000, 1_000_001]);
});

test("what is newest is the same by time, by number, and by both, whatever was removed", async () => {
  for (const gone of [0, 3, 40]) {
    const log = new Log(40, gone);
    const all = Array.from({ length: 40 - gone }, (_, index) => gone + index + 1);
    for (const from of [0, 1, 3_000, 3_001, 20_500, 40_000, 40_001])
      for (const most of [1, 7, 40, Number.MAX_SAFE_INTEGER])
        expect(await newest(log, from, most)).toEqual(all.filter((seq) => seq * 1_000 >= from).slice(-most));
  }
});

test("a server that says when it gives more is waited for", async () => {
  const log = new Log(3);
  log.refusals = 4;
  expect(await newest(log, 0, 10)).toEqual([1, 2, 3]);
});
