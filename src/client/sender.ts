/**
 * From `send` to its one outcome: writes queued messages when their room is ready, repeats what a broken connection or
 * a passing refusal left unanswered, and tells the owner what became of each.
 *
 * Repeating is safe because the server remembers ids a session. When the session itself was lost (another cluster, or
 * a restart that could not honour the token), a message written in the old one may be in the log or not, and a repeat
 * could show it twice: it fails as `fate-unknown` and the owner decides.
 */

import type { Clock, Random, Timer } from "../protocol/clock.ts";
import { ProtocolError, errorKinds, isErrorCode } from "../protocol/errors.ts";
import { chatClientLimits } from "../protocol/limits.client.ts";
import { clientLimits } from "../protocol/limits.ts";
import type { Ack, ErrorMessage } from "../protocol/messages.ts";
import { quote } from "../protocol/names.ts";
import { checkText, isId } from "../protocol/texts.ts";
import type { ClientListener, Failure } from "./events.ts";
import { retryDelay } from "./retry.ts";
import { SendQueue } from "./sends.ts";
import type { PendingSend, SendExtras } from "./sends.ts";

/** What the sender asks of its session. */
export interface SenderHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: ClientListener;
  readonly newId: () => string;
  write(object: { readonly type: "send"; readonly [field: string]: unknown }): void;
  /** Extras with the author's mark, and the proof where it is needed. */
  signed(extras: SendExtras): SendExtras;
  /** May a message for this room be written now? */
  ready(room: string): boolean;
  /** The server says that this session is not in a room where it should be: join again. */
  roomLost(room: string): void;
}

export type Taken = { readonly ok: true; readonly id: string } | Failure;

export class Sender {
  readonly #host: SenderHost;
  readonly #queue = new SendQueue();
  #session: string | undefined;
  #closed = false;
  /** The server has said when it takes more; nothing is written until then. */
  #pause: Timer | undefined;

  constructor(host: SenderHost) {
    this.#host = host;
  }

  /** Messages not yet acknowledged. */
  get pending(): number {
    return this.#queue.size;
  }

  /**
   * Takes a message for a room's key or `@nick`. Its outcome comes as one `sent` event, never before this returns.
   * @param id the idempotency key; a new one if not given
   */
  send(room: string, text: string, id: string = this.#host.newId(), extras: SendExtras = {}): Taken {
    if (this.#closed) return { ok: false, code: "closed", message: "the client is closed; nothing was sent" };
    try {
      checkText(text);
    } catch (error) {
      if (error instanceof ProtocolError) {
        const { code, message, value } = error;
        return { ok: false, code, message, value };
      }
      throw error;
    }
    if (!isId(id) || this.#queue.get(id) !== undefined) {
      return {
        ok: false,
        code: "bad-message",
        message: `id ${quote(id)} is in use, empty, over ${clientLimits.idLength} characters or no Unicode; choose another`,
      };
    }
    if (!this.#queue.add(id, room, text, extras)) {
      return {
        ok: false,
        code: "queue-full",
        message: `${this.#queue.size} messages wait for their acknowledgement; wait before sending more`,
      };
    }
    this.pump();
    return { ok: true, id };
  }

  /** Writes whatever may be written now. */
  pump(): void {
    if (this.#session === undefined || this.#pause !== undefined) return;
    const taken = this.#queue.take((name) => this.#host.ready(name), this.#session);
    for (const { id, room, text, extras } of taken) {
      this.#host.write({ type: "send", room, id, text, ...this.#host.signed(extras) });
    }
  }

  /**
   * A connection was welcomed in this session: messages of a former one have an unknown fate.
   * @param freshInbox the inbox is another one than before: what counts in the former one names nothing now
   */
  welcomed(session: string, freshInbox: boolean): void {
    this.#session = session;
    for (const send of this.#queue.all()) {
      if (
        freshInbox &&
        (send.session ?? session) === session &&
        send.extras.re !== undefined &&
        send.room.startsWith("@")
      )
        this.#fail(send, "no-such-message", "the message that it is about was lost with the former session");
      if (send.session === undefined || send.session === session) continue;
      this.#fail(
        send,
        "fate-unknown",
        "the server no longer knows this session, so the message may or may not have been sent; look before sending it again",
      );
    }
    this.pump();
  }

  disconnected(): void {
    this.#pause?.stop();
    this.#pause = undefined;
    this.#session = undefined;
    this.#queue.disconnected();
  }

  /** For good: what is left fails. */
  close(code: string, message: string): void {
    this.#closed = true;
    this.disconnected();
    for (const send of this.#queue.all()) this.#fail(send, code, message);
  }

  acknowledged(ack: Ack): void {
    const send = ack.id === undefined ? undefined : this.#queue.get(ack.id);
    if (send === undefined) return;
    this.#queue.remove(send);
    this.#queue.widen();
    const { room, seq, at } = ack;
    this.#host.emit({
      kind: "sent",
      outcome: { ok: true, id: send.id, room, seq, at, duplicate: ack.duplicate ?? false },
    });
    this.#settled();
  }

  /** @returns whether the error answered a message */
  refused(error: ErrorMessage): boolean {
    const send = error.id === undefined ? undefined : this.#queue.get(error.id);
    if (send === undefined) return false;
    const mayPass = isErrorCode(error.code) && errorKinds[error.code].retry;
    send.refusals += 1;
    if (send.refusals >= chatClientLimits.sendAttempts)
      this.#fail(send, error.code, error.message, error.value);
    else if (mayPass && error.afterMs !== undefined) this.#slowDown(send, error.afterMs);
    else if (mayPass) this.#rest(send);
    else if (error.code === "not-in-room" && this.#host.ready(send.room)) {
      this.#queue.putBack(send, false);
      this.#host.roomLost(send.room);
    } else this.#fail(send, error.code, error.message, error.value);
    this.#settled();
    return true;
  }

  /** A room cannot be entered: its messages have nowhere to go. */
  failRoom(room: string, code: string, message: string): void {
    for (const send of this.#queue.all()) if (send.room === room) this.#fail(send, code, message);
    this.#settled();
  }

  /** The server counts all messages of the session together: all of them wait. */
  #slowDown(send: PendingSend, afterMs: number): void {
    this.#queue.putBack(send, false);
    this.#queue.narrow();
    this.#pause ??= this.#host.clock.after(Math.min(afterMs, chatClientLimits.backoffMostMs), () => {
      this.#pause = undefined;
      this.pump();
    });
  }

  #rest(send: PendingSend): void {
    this.#queue.putBack(send, true);
    const delay = retryDelay(send.refusals - 1, this.#host.random);
    this.#host.clock.after(delay, () => {
      send.resting = false;
      this.pump();
    });
  }

  #fail(send: PendingSend, code: string, message: string, value?: string): void {
    this.#queue.remove(send);
    this.#host.emit({
      kind: "sent",
      outcome: { ok: false, id: send.id, room: send.room, text: send.text, code, message, value },
    });
  }

  #settled(): void {
    this.pump();
    if (!this.#closed && this.#queue.takeWritable()) this.#host.emit({ kind: "writable" });
  }
}
