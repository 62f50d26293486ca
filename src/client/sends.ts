/**
 * Messages on their way: taken from the owner, not yet acknowledged.
 *
 * A message stays here from `send` until an ack or a final refusal, however many connections that takes, under one id,
 * so that a repeat is recognised by the server and logged once. Order: first in, first out, in each room; a message
 * that waits for its turn again (a refusal that may pass) holds back the later ones of its room. Only what was on the wire
 * together with it may come before it then, because the server has taken that already.
 *
 * How many are on the wire follows what the server takes, as TCP follows a path: one after a refusal for being too fast,
 * and one more for every two full flights that were acknowledged.
 *
 * Bounded: more than chatClientLimits.pendingSends or pendingBytes are refused, and the owner hears when to go on.
 */
import { chatClientLimits } from "../protocol/limits.client.ts";
import type { About } from "../protocol/messages.ts";

/** What a message may have beside its text; see PROTOCOL.md, `send`. */
export interface SendExtras {
  readonly action?: true | undefined;
  readonly re?: About | undefined;
  readonly by?: string | undefined;
  readonly proof?: string | undefined;
}

/** One message on its way. */
export interface PendingSend {
  readonly id: string;
  /** As on the wire: a room's key, or `@nick`. */
  readonly room: string;
  readonly text: string;
  readonly extras: SendExtras;
  readonly bytes: number;
  /** Written on this connection and not yet answered. */
  inFlight: boolean;
  /** The session in which it was first written; undefined if it never was. */
  session: string | undefined;
  /** Refusals that may pass, so far. */
  refusals: number;
  /** Waits for a timer after such a refusal. */
  resting: boolean;
}

/** Bounds of a queue; see limits.client.ts for each. */
type SendLimits = Readonly<Record<"pendingSends" | "pendingBytes" | "sendsInFlight", number>>;

export class SendQueue {
  readonly #limits: SendLimits;
  readonly #pending = new Map<string, PendingSend>();
  #bytes = 0;
  #inFlight = 0;
  /** So many may be on the wire. */
  #window: number;
  #refused = false;

  constructor(limits: SendLimits = chatClientLimits) {
    this.#limits = limits;
    this.#window = limits.sendsInFlight;
  }

  /** Messages taken and not yet answered. */
  get size(): number {
    return this.#pending.size;
  }

  get(id: string): PendingSend | undefined {
    return this.#pending.get(id);
  }

  /** All of them, oldest first. */
  all(): PendingSend[] {
    return [...this.#pending.values()];
  }

  /** Takes a message, or says false: the queue is full. The id must be new. */
  add(id: string, room: string, text: string, extras: SendExtras = {}): boolean {
    const bytes = Buffer.byteLength(text) + id.length + room.length;
    if (this.#pending.size >= this.#limits.pendingSends || this.#bytes + bytes > this.#limits.pendingBytes) {
      this.#refused = true;
      return false;
    }
    this.#bytes += bytes;
    this.#pending.set(id, {
      id,
      room,
      text,
      extras,
      bytes,
      inFlight: false,
      session: undefined,
      refusals: 0,
      resting: false,
    });
    return true;
  }

  /** The server has refused one for being too fast. */
  narrow(): void {
    this.#window = 1;
  }

  /** The server has taken one. */
  widen(): void {
    this.#window = Math.min(this.#limits.sendsInFlight, this.#window + 0.5 / this.#window);
  }

  /** Forgets a message that was answered for good. */
  remove(send: PendingSend): void {
    if (!this.#pending.delete(send.id)) return;
    this.#bytes -= send.bytes;
    if (send.inFlight) this.#inFlight -= 1;
  }

  /** True once after a refusal by {@link add}, when half of the queue is free again. */
  takeWritable(): boolean {
    const { pendingSends, pendingBytes } = this.#limits;
    if (!this.#refused || this.#pending.size > pendingSends / 2 || this.#bytes > pendingBytes / 2)
      return false;
    this.#refused = false;
    return true;
  }

  /** The message is back in the queue: it waits for a timer, or may be written again at once. */
  putBack(send: PendingSend, resting: boolean): void {
    if (send.inFlight) this.#inFlight -= 1;
    send.inFlight = false;
    send.resting = resting;
  }

  /** The connection is gone: everything has to be written again. Timers of resting messages run on. */
  disconnected(): void {
    for (const send of this.#pending.values()) send.inFlight = false;
    this.#inFlight = 0;
  }

  /**
   * Marks and gives the messages that may be written now, in order.
   * @param ready whether the session may send to this room now
   * @param session the session that writes
   */
  take(ready: (room: string) => boolean, session: string): PendingSend[] {
    const taken: PendingSend[] = [];
    const held = new Set<string>();
    for (const send of this.#pending.values()) {
      if (this.#inFlight + 1 > this.#window) break;
      if (!send.inFlight && !held.has(send.room)) {
        if (!send.resting && ready(send.room)) {
          send.inFlight = true;
          send.session ??= session;
          this.#inFlight += 1;
          taken.push(send);
        } else held.add(send.room);
      }
      // A repeat may be refused again: nothing overtakes it meanwhile.
      if (send.refusals > 0) held.add(send.room);
    }
    return taken;
  }
}
