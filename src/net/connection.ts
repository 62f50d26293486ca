/**
 * One stream socket (TCP, Unix, TLS) behind rules that Bun's bare socket leaves to its user.
 *
 * Out: `write` keeps references until the end of the turn of the loop, then one system call takes them all; what the
 * kernel does not take is copied to the backlog and goes out on `drain`. Nothing is lost unless the connection fails.
 * The outbox is bounded: above high water the owner hears `pressure`, back at half of it `drain`; above the limit it
 * hears `overflow`, and an owner that does not care loses the connection. Each `drain` answers one `pressure`. They come
 * at the end of a turn or from the socket, never out of a write, so an owner may write while it walks its own lists.
 *
 * In: chunks go to the owner as they come; they are not reused, so slices of them stay valid. `pause` stops reading. A
 * paused socket does not see the peer's end, so an owner must never leave one paused for good.
 *
 * End: the owner hears `close` exactly once and nothing after it. `finish` flushes, shuts down our side, reads on
 * until the peer ends (closing with unread bytes would reset the connection and could cost the peer our last words),
 * and gives up at a deadline.
 *
 * Invariant: `outboxBytes` is what was written and not yet taken by the kernel; once the backlog holds anything,
 * nothing is written around it.
 */
import type { Socket, SocketHandler } from "bun";
import type { Clock, Timer } from "../protocol/clock.ts";
import { netLimits } from "../protocol/limits.ts";
import { formatAddress } from "../protocol/address.ts";
import { plainIp } from "../protocol/ip.ts";
import { ByteQueue } from "./byte-queue.ts";
import { connectionClosed, connectionOpened } from "./descriptors.ts";
import { afterEachTurn, atEndOfTurn } from "./turn.ts";

/** Why a connection is gone: the peer ended it, we did, or it broke. */
export type ConnectionEnd = "ended" | "closed" | "failed";

/** The owner of a connection. Synchronous; a throw breaks the connection (`failed`, with the error). */
export interface ConnectionHandlers {
  /** Bytes from the peer. The chunk is the owner's: it is never changed afterwards. */
  data(chunk: Uint8Array): void;
  /** The outbox rose above high water. */
  pressure?(): void;
  /** The outbox fell to half of high water, after `pressure`. */
  drain?(): void;
  /** The outbox rose above its limit. Without this handler the connection is terminated. Called once. */
  overflow?(): void;
  /** The peer will send no more, but may still read. Without this handler the connection finishes. */
  end?(): void;
  /** TLS only: the handshake is over. `ok` tells little (see tls-listen.ts); look at the certificate. */
  handshake?(ok: boolean, error: Error | null): void;
  /** The connection is gone; always the last call. */
  close(end: ConnectionEnd, error?: Error): void;
}

/** What connections of one kind have in common. */
export interface ConnectionSettings {
  readonly clock: Clock;
  readonly limits: ConnectionLimits;
  /** Called for every connection that is gone, after its handlers' `close`. */
  gone?(connection: Connection): void;
}

/** Bounds of one connection, bytes and ms. */
export interface ConnectionLimits {
  /** Most bytes of the outbox. */
  readonly outboxBytes: number;
  /** Where `pressure` begins. */
  readonly highWaterBytes: number;
  /** From `finish` to giving up. */
  readonly lingerMs: number;
}

type State = "open" | "finishing" | "closed";

/** What a peer without an address is called. */
const UNIX = "unix";

/** See the head of this file. Made by listener.ts and dial.ts. */
export class Connection {
  /** Who is told; may be replaced at any time, as when a first byte decides what the peer speaks. */
  handlers: ConnectionHandlers;
  /** Its bounds; may be replaced together with the handlers. */
  limits: ConnectionLimits;
  /** Bytes received and bytes the kernel took, since the beginning. */
  bytesIn = 0;
  bytesOut = 0;

  readonly #settings: ConnectionSettings;
  #socket: Socket<Connection>;
  #state: State = "open";
  /** Written this turn, by reference. */
  #turn: Uint8Array[] = [];
  #turnBytes = 0;
  /** Waits for the kernel; absent while the kernel keeps up, which is nearly always. */
  #backlog: ByteQueue | undefined;
  #scheduled = false;
  #pressed = false;
  #overflowed = false;
  #paused = false;
  #peerEnded = false;
  #shutDown = false;
  #linger: Timer | undefined;
  /** The peer's address, read once: each reading asks the system. */
  #ip: string | undefined;
  #remote: string | undefined;

  constructor(socket: Socket<Connection>, settings: ConnectionSettings, handlers: ConnectionHandlers) {
    this.#socket = socket;
    this.#settings = settings;
    this.limits = settings.limits;
    this.handlers = handlers;
    connectionOpened();
  }

  /** Bytes written and not yet taken by the kernel. */
  get outboxBytes(): number {
    return this.#turnBytes + (this.#backlog?.length ?? 0);
  }

  /** True until `finish`, `terminate` or `close`: what is written now will be tried. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** True once the peer has said that it will send no more. */
  get peerEnded(): boolean {
    return this.#peerEnded;
  }

  /** The peer as `ip:port` or `[v6]:port`, v4-mapped addresses as v4; `unix` for a Unix socket. */
  get remote(): string {
    const { ip } = this;
    this.#remote ??= ip === UNIX ? UNIX : formatAddress({ host: ip, port: this.#socket.remotePort });
    return this.#remote;
  }

  /** The peer's IP address alone, v4-mapped as v4; `unix` for a Unix socket. */
  get ip(): string {
    if (this.#ip !== undefined) return this.#ip;
    // Typed as a string, but a Unix socket has none, and neither has a socket that is gone already.
    const address = this.#socket.remoteAddress as string | undefined;
    this.#ip = address === undefined ? UNIX : plainIp(address);
    return this.#ip;
  }

  /** Bun's socket, for TLS matters (certificates, keying material); never write to it. */
  get socket(): Socket<Connection> {
    return this.#socket;
  }

  /** Sends `bytes` at the end of this turn. They must not be changed afterwards. Ignored unless open. */
  write(bytes: Uint8Array): void {
    if (this.#state !== "open" || bytes.length === 0) return;
    this.#turn.push(bytes);
    this.#turnBytes += bytes.length;
    this.#schedule();
    if (this.#turnBytes > netLimits.gatherBytes) this.#flush(false);
  }

  /** Sends everything written so far and then `bytes`, now. The caller may change `bytes` afterwards. */
  writeNow(bytes: Uint8Array): void {
    if (this.#state !== "open") return;
    if (this.#turnBytes > 0) this.#flush(false);
    if (bytes.length > 0) this.#put(bytes);
    if (this.#backlog !== undefined) this.#schedule();
  }

  /** The end of the turn; called by turn.ts. */
  flush(): void {
    this.#scheduled = false;
    if (this.#turnBytes > 0) this.#flush(true);
    if (this.#backlog !== undefined && this.#state === "open") this.#watch(this.#backlog.length);
  }

  /** Stops reading until {@link resume}. */
  pause(): void {
    if (this.#paused || this.#state !== "open") return;
    this.#paused = true;
    this.#socket.pause();
  }

  /** Reads on. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#state !== "closed") this.#socket.resume();
  }

  /**
   * Drops what waits in the outbox but the line that the kernel may have taken a part of, so that one more line can
   * follow cleanly. For owners whose stream is lines.
   */
  cutOutbox(): void {
    this.#turn = [];
    this.#turnBytes = 0;
    this.#backlog?.keepFirstLine();
  }

  /**
   * Sends what is in the outbox, ends our side, waits for the peer to end its side, and closes; gives up after
   * `lingerMs`. What the peer still says is not given to the owner.
   */
  finish(lingerMs: number = this.limits.lingerMs): void {
    if (this.#state !== "open") return;
    if (this.#turnBytes > 0) this.#flush(false);
    this.resume();
    this.#state = "finishing";
    // Whoever has ended their side already is gone at once, and costs no timer.
    if (this.#endWhenEmpty()) this.#linger = this.#settings.clock.after(lingerMs, () => this.#giveUp());
  }

  /** Closes at once: what the kernel has taken may arrive, the rest is lost. `close` is called before this returns. */
  close(): void {
    if (this.#state === "closed") return;
    if (this.#turnBytes > 0) this.#flush(false);
    this.#settle("closed", undefined, "end");
  }

  /** Closes at once with a reset; what is in the outbox is lost. `close` is called before this returns. */
  terminate(): void {
    if (this.#state === "closed") return;
    this.#settle("closed", undefined, "terminate");
  }

  /** Has the system probe the peer when nothing was heard for `idleMs`; a peer that is gone is then a failure. */
  keepAlive(idleMs: number): void {
    this.#socket.setKeepAlive(true, idleMs);
  }

  /** Continues as the server side of TLS; `initialData` are the peer's bytes read so far. */
  upgrade(tls: Bun.TLSOptions, initialData: Uint8Array): void {
    const options = { isServer: true, tls, initialData, data: this as Connection, socket: socketHandlers };
    [, this.#socket] = this.#socket.upgradeTLS<Connection>(options);
  }

  /** For {@link socketHandlers}. @internal */
  received(socket: Socket<Connection>, chunk: Uint8Array): void {
    // After an upgrade the raw socket still shows its ciphertext.
    if (socket !== this.#socket) return;
    this.bytesIn += chunk.length;
    if (this.#state === "open") this.handlers.data(chunk);
  }

  /** @internal */
  drained(socket: Socket<Connection>): void {
    const backlog = this.#backlog;
    if (backlog === undefined || socket !== this.#socket || this.#state === "closed") return;
    while (backlog.length > 0) {
      const front = backlog.peek();
      const taken = socket.write(front);
      if (taken <= 0) break;
      this.bytesOut += taken;
      backlog.skip(taken);
      if (taken < front.length) break;
    }
    if (backlog.length === 0) this.#backlog = undefined;
    if (this.#state === "finishing") this.#endWhenEmpty();
    else if (this.#pressed && this.outboxBytes <= this.limits.highWaterBytes / 2) {
      this.#pressed = false;
      this.handlers.drain?.();
    }
  }

  /** @internal */
  ended(socket: Socket<Connection>): void {
    if (socket !== this.#socket || this.#state === "closed") return;
    this.#peerEnded = true;
    if (this.#state === "finishing") this.#endWhenEmpty();
    else if (this.handlers.end === undefined) this.finish();
    else this.handlers.end();
  }

  /** @internal */
  shaken(ok: boolean, error: Error | null): void {
    if (this.#state === "open") this.handlers.handshake?.(ok, error);
  }

  /** @internal */
  gone(error: Error | undefined): void {
    this.#settle(error !== undefined ? "failed" : this.#state === "finishing" ? "closed" : "ended", error);
  }

  /** A handler threw: our fault, this connection's end. @internal */
  broke(error: Error): void {
    if (this.#state === "closed") return;
    this.#settle("failed", error, "terminate");
  }

  #flush(shared: boolean): void {
    const turn = this.#turn;
    const bytes = turn.length === 1 ? turn[0] : gather(turn, this.#turnBytes, shared);
    turn.length = 0;
    this.#turnBytes = 0;
    if (bytes !== undefined) this.#put(bytes);
  }

  #put(bytes: Uint8Array): void {
    if (this.#backlog === undefined) {
      const taken = this.#socket.write(bytes);
      if (taken < 0) return; // Dead: what was written is lost, and Bun's close event follows.
      this.bytesOut += taken;
      if (taken === bytes.length) return;
      this.#backlog = new ByteQueue();
      this.#backlog.append(taken === 0 ? bytes : bytes.subarray(taken));
    } else this.#backlog.append(bytes);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    atEndOfTurn(this);
  }

  #watch(waiting: number): void {
    const { highWaterBytes, outboxBytes } = this.limits;
    // This runs outside Bun's socket callbacks, where a throw of the owner would end the process.
    try {
      if (waiting > highWaterBytes && !this.#pressed) {
        this.#pressed = true;
        this.handlers.pressure?.();
      }
      if (waiting > outboxBytes && !this.#overflowed && this.#state === "open") {
        this.#overflowed = true;
        if (this.handlers.overflow === undefined) this.terminate();
        else this.handlers.overflow();
      }
    } catch (error) {
      this.broke(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** @returns true while there is something left to wait for */
  #endWhenEmpty(): boolean {
    if (this.outboxBytes > 0) return true;
    if (this.#peerEnded) this.#socket.end();
    else if (!this.#shutDown) {
      this.#shutDown = true;
      this.#socket.shutdown();
    }
    return this.#state === "finishing";
  }

  #giveUp(): void {
    // With an empty outbox only the peer's end is missing: close, and let the kernel deliver what it holds.
    this.#settle("closed", undefined, this.outboxBytes === 0 ? "end" : "terminate");
  }

  /** @param by how to close the socket, unless it is closed already; Bun calls `gone` from within, too late to count */
  #settle(end: ConnectionEnd, error?: Error, by?: "end" | "terminate"): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#linger?.stop();
    this.#turn = [];
    this.#turnBytes = 0;
    this.#backlog = undefined;
    connectionClosed();
    if (by !== undefined) this.#socket[by]();
    this.handlers.close(end, error);
    this.#settings.gone?.(this);
  }
}

/** The last gathering of this turn: members of a room have the same outbox, and share one concatenation. */
let lastParts: Uint8Array[] = [];
let lastBytes: Uint8Array | undefined;
afterEachTurn(() => {
  lastParts = [];
  lastBytes = undefined;
});

function gather(parts: Uint8Array[], length: number, shared: boolean): Uint8Array {
  if (shared && lastBytes?.length === length && same(parts, lastParts)) return lastBytes;
  const bytes = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  if (shared) {
    lastParts = parts.slice();
    lastBytes = bytes;
  }
  return bytes;
}

function same(left: readonly Uint8Array[], right: readonly Uint8Array[]): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) if (left[index] !== right[index]) return false;
  return true;
}

/** Bun's handlers for every connection: one object for all, because the connection is the socket's data. */
export const socketHandlers: SocketHandler<Connection> = {
  data: (socket, chunk) => socket.data.received(socket, chunk),
  drain: (socket) => socket.data.drained(socket),
  end: (socket) => socket.data.ended(socket),
  handshake: (socket, ok, error) => socket.data.shaken(ok, error),
  close: (socket, error) => socket.data.gone(error),
  error: (socket, error) => socket.data.broke(error),
};
