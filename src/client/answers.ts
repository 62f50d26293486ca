/**
 * Requests that wait for their answer: history, members, rooms, nick, topic, leave.
 *
 * Unlike messages they are not repeated over connections: a person who asked for the room list wants it now or an
 * explanation. So each is answered exactly once: by the server, by the end of the connection, or by a timer.
 */
import type { Clock, Timer } from "../protocol/clock.ts";
import { chatClientLimits } from "../protocol/limits.client.ts";
import type { ServerMessage } from "../protocol/messages.ts";
import type { Failure } from "./events.ts";

export type Answer = { readonly ok: true; readonly message: ServerMessage } | Failure;
export type AnswerHandler = (answer: Answer) => void;

export class AnswerTable {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, { readonly done: AnswerHandler; readonly timer: Timer }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get full(): boolean {
    return this.#waiting.size >= chatClientLimits.requests;
  }

  has(id: string): boolean {
    return this.#waiting.has(id);
  }

  /** Remembers who asked. The id must be new. */
  expect(id: string, done: AnswerHandler): void {
    const timer = this.#clock.after(chatClientLimits.requestMs, () =>
      this.settle(id, {
        ok: false,
        code: "timeout",
        message: `no answer after ${chatClientLimits.requestMs / 1000} s; try again`,
      }),
    );
    this.#waiting.set(id, { done, timer });
  }

  /** Gives the answer to whoever asked under this id. Ids that nobody waits for are ignored. */
  settle(id: string, answer: Answer): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    waiting.timer.stop();
    waiting.done(answer.ok ? answer : { ...answer, id });
  }

  /** The connection is gone, and with it every answer. */
  failAll(failure: Failure): void {
    for (const id of this.#waiting.keys()) this.settle(id, failure);
  }
}
