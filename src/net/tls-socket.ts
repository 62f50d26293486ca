/**
 * One TLS connection between two peers, after its handshake: bytes in, bytes out through a bounded outbox, one end.
 *
 * Both directions of peer mode (tls-listen.ts, tls-dial.ts) end here, so that above this file nobody knows who dialled.
 * The socket is open from birth, and every way to end it (their close, our close, an overflow, a reset) leads to
 * exactly one `closed` call; nothing is called after it. Writing never blocks and never grows without bound: what the
 * kernel does not take waits in the outbox, and an outbox over its limit ends the connection, because a peer that does
 * not read may not cost us memory.
 *
 * Bun's rules kept here: `write` buffers nothing and says how much was taken; `end()` drops what was not, so closing
 * flushes first, then shuts down, then waits a moment for the other side.
 */
import type { Address } from "../protocol/address.ts";
import type { Clock, Timer } from "../protocol/clock.ts";
import { plainIp } from "../protocol/ip.ts";
import { peerLinkLimits } from "../protocol/limits.peer.ts";

/** Why a connection ended. `code` is stable (`/why` explains it); `detail` may quote the system's words. */
export interface TlsEnd {
  readonly code: "ours" | "theirs" | "reset" | "outbox-full";
  readonly detail: string;
}

/** What happens on an open connection. Called synchronously from the socket; must not throw. */
export interface TlsSocketEvents {
  data(chunk: Uint8Array): void;
  /** The outbox, after having held something, is empty again. */
  drained(): void;
  /** Exactly once, and last. */
  closed(end: TlsEnd): void;
}

/**
 * What carries a connection: a socket of Bun's, or a pipe of whatever kind with TLS in it (tls-pipe.ts). `write` says how
 * many bytes it took, 0 when it is full (a drain follows), less when it is dead.
 */
export interface TlsCarrier {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  write(bytes: Uint8Array): number;
  shutdown(): void;
  end(): void;
  terminate(): void;
  exportKeyingMaterial(bytes: number, label: string, context: Buffer): Buffer;
}

/** An open, encrypted connection whose other side has shown a certificate. Whose it is, the caller has to judge. */
export class TlsSocket {
  /** The other side's certificate, DER. TLS has proved that they hold its private key, and nothing more. */
  readonly peerCertificate: Uint8Array;
  readonly remote: Address;
  readonly local: Address;
  /** True on the side that dialled. */
  readonly dialled: boolean;

  /** True when it runs through somebody else's pipe, and its addresses are nobody's. */
  readonly relayed: boolean;

  readonly #socket: TlsCarrier;
  readonly #clock: Clock;
  readonly #outboxBytes: number;
  readonly #outbox: Uint8Array[] = [];
  #queued = 0;
  #state: "open" | "ending" | "closed" = "open";
  #end: TlsEnd | undefined;
  #linger: Timer | undefined;
  #events: TlsSocketEvents | undefined;
  /** What came between the handshake and {@link start}. */
  #early: Uint8Array[] = [];

  constructor(options: {
    socket: TlsCarrier;
    relayed?: boolean;
    peerCertificate: Uint8Array;
    dialled: boolean;
    clock: Clock;
    outboxBytes?: number;
  }) {
    const { socket } = options;
    this.#socket = socket;
    this.#clock = options.clock;
    this.#outboxBytes = options.outboxBytes ?? peerLinkLimits.outboxBytes;
    this.peerCertificate = options.peerCertificate;
    this.dialled = options.dialled;
    this.relayed = options.relayed === true;
    this.remote = { host: plainIp(socket.remoteAddress), port: socket.remotePort };
    this.local = { host: plainIp(socket.localAddress), port: socket.localPort };
  }

  /** Bytes waiting for the kernel. */
  get queuedBytes(): number {
    return this.#queued;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Names the one who listens. Call once, in the callback that brought the socket. */
  start(events: TlsSocketEvents): void {
    this.#events = events;
    for (const chunk of this.#early.splice(0)) events.data(chunk);
  }

  /**
   * Keying material of this very connection (RFC 8446, 7.5): equal on both sides, unknown to everybody else, so a proof
   * made over it cannot be carried to another connection.
   */
  exportKey(label: string, bytes = 32): Uint8Array {
    return new Uint8Array(this.#socket.exportKeyingMaterial(bytes, label, Buffer.alloc(0)));
  }

  /** Takes `bytes` for sending, in order; they must not change afterwards. False when the connection is not open. */
  send(bytes: Uint8Array): boolean {
    if (this.#state !== "open") return false;
    let rest = bytes;
    if (this.#outbox.length === 0) {
      const written = this.#socket.write(rest);
      if (written < 0) return false; // A dead socket: its close handler follows.
      if (written === rest.length) return true;
      rest = rest.subarray(written);
    }
    this.#outbox.push(rest);
    this.#queued += rest.length;
    if (this.#queued <= this.#outboxBytes) return true;
    this.destroy({ code: "outbox-full", detail: `${this.#queued} bytes were waiting to be read` });
    return false;
  }

  /** Sends what is queued, then closes. `closed` follows, at the latest after the linger time. */
  end(detail: string): void {
    if (this.#state !== "open") return;
    this.#state = "ending";
    this.#end = { code: "ours", detail };
    this.#linger = this.#clock.after(peerLinkLimits.lingerMs, () => this.#socket.terminate());
    if (this.#outbox.length === 0) this.#socket.shutdown();
  }

  /** Closes at once; what is queued is lost. */
  destroy(end: TlsEnd): void {
    if (this.#state === "closed") return;
    this.#finish(end);
    this.#socket.terminate();
  }

  /** For the socket's handlers only. */
  handleData(chunk: Uint8Array): void {
    if (this.#state !== "open") return;
    if (this.#events === undefined) this.#early.push(chunk);
    else this.#events.data(chunk);
  }

  /** For the socket's handlers only. */
  handleDrain(): void {
    if (this.#state === "closed" || this.#outbox.length === 0) return;
    while (this.#outbox[0] !== undefined) {
      const chunk = this.#outbox[0];
      const written = this.#socket.write(chunk);
      if (written <= 0) return;
      this.#queued -= written;
      if (written < chunk.length) {
        this.#outbox[0] = chunk.subarray(written);
        return;
      }
      this.#outbox.shift();
    }
    if (this.#state === "ending") this.#socket.shutdown();
    else this.#events?.drained();
  }

  /** For the socket's handlers only: the other side sent its end. Nothing half-open is kept. */
  handleEnd(): void {
    this.#end ??= { code: "theirs", detail: "the other side closed the connection" };
    this.#socket.end();
  }

  /** For the socket's handlers only. */
  handleClose(error: Error | undefined): void {
    const code = error !== undefined && "code" in error ? String(error.code) : "";
    const reset: TlsEnd = {
      code: "reset",
      detail: code === "" ? "the connection broke" : `the connection broke (${code})`,
    };
    this.#finish(
      error === undefined
        ? (this.#end ?? { code: "theirs", detail: "the other side closed the connection" })
        : (this.#end ?? reset),
    );
  }

  #finish(end: TlsEnd): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#linger?.stop();
    this.#outbox.length = 0;
    this.#queued = 0;
    this.#events?.closed(end);
  }
}
