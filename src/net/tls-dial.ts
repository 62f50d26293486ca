/**
 * Dialling: from an address to a {@link TlsSocket} or one named failure, in bounded time.
 *
 * `Bun.connect` cannot be cancelled and reports trouble in four places (the promise, `connectError`, the handshake
 * callback, `close`); here exactly one of `opened` and `failed` is called, whatever happens first, and an attempt that
 * was given up is closed as soon as it can be. The client's `ok` flag is false for every self-signed certificate, so
 * it says nothing: what counts is that the handshake finished and a certificate is there. It may be there although the
 * handshake failed, with nothing to prove that it is theirs.
 */
import type { Address } from "../protocol/address.ts";
import type { Clock, Timer } from "../protocol/clock.ts";
import { peerLinkLimits } from "../protocol/limits.peer.ts";
import { failureOf, isFinished, type TlsFailure } from "./tls-failure.ts";
import { TlsSocket } from "./tls-socket.ts";

/** PEM texts that present this side. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/** TLS 1.3 as Bun wants it. */
export const tls13 = 0x0304;

/** An attempt to dial. Exactly one of the callbacks is called, once, never before this function returned. */
export interface DialOptions {
  readonly endpoint: Address;
  readonly identity: TlsIdentity;
  readonly clock: Clock;
  /** From the start to the end of the TLS handshake. */
  readonly timeoutMs?: number;
  readonly outboxBytes?: number;
  opened(socket: TlsSocket): void;
  failed(failure: TlsFailure): void;
}

/** Starts dialling. `abort` gives up silently: neither callback is called after it. */
export function dialTls(options: DialOptions): { abort(): void } {
  const attempt = new Attempt(options);
  attempt.start();
  return attempt;
}

class Attempt {
  readonly #options: DialOptions;
  readonly #deadline: Timer;
  #connected = false;
  #raw: { terminate(): void } | undefined;
  #settled = false;
  #socket: TlsSocket | undefined;

  constructor(options: DialOptions) {
    this.#options = options;
    this.#deadline = options.clock.after(options.timeoutMs ?? peerLinkLimits.connectMs, () => {
      this.#fail(
        this.#connected
          ? { code: "handshake-timeout", detail: "connected, but the TLS handshake did not finish" }
          : { code: "connect-timeout", detail: "no answer" },
      );
    });
  }

  abort(): void {
    if (this.#settled) return;
    this.#settle();
    this.#raw?.terminate();
  }

  start(): void {
    const { endpoint, identity, clock, outboxBytes } = this.#options;
    const tls = { ...identity, rejectUnauthorized: false, minVersion: tls13 };
    const connecting = Bun.connect({
      hostname: endpoint.host,
      port: endpoint.port,
      tls,
      allowHalfOpen: true,
      socket: {
        open: (raw) => {
          this.#connected = true;
          this.#raw = raw;
          if (this.#settled) raw.terminate();
        },
        handshake: (raw, _ok, error) => {
          if (this.#settled) return;
          const certificate: Uint8Array | undefined = raw.getPeerCertificate()?.raw;
          if (certificate === undefined || !isFinished(error)) {
            this.#fail(failureOf(error ?? new Error("the other side showed no certificate")));
            return;
          }
          this.#settle();
          this.#socket = new TlsSocket({
            socket: raw,
            peerCertificate: new Uint8Array(certificate),
            dialled: true,
            clock,
            ...(outboxBytes === undefined ? {} : { outboxBytes }),
          });
          this.#options.opened(this.#socket);
        },
        data: (_raw, chunk) => this.#socket?.handleData(chunk),
        drain: () => this.#socket?.handleDrain(),
        end: (raw) => {
          if (this.#socket === undefined) raw.end();
          else this.#socket.handleEnd();
        },
        close: (_raw, error) => {
          this.#socket?.handleClose(error);
          this.#fail(
            error === undefined ? { code: "closed-early", detail: "they hung up" } : failureOf(error),
          );
        },
        error: (_raw, error) => {
          this.#socket?.handleClose(error);
          this.#fail(failureOf(error));
        },
        connectError: (_raw, error) => this.#fail(failureOf(error)),
      },
    });
    connecting.catch((error: unknown) => this.#fail(failureOf(error)));
  }

  #settle(): void {
    this.#settled = true;
    this.#deadline.stop();
  }

  #fail(failure: TlsFailure): void {
    if (this.#settled) return;
    this.#settle();
    this.#raw?.terminate();
    this.#options.failed(failure);
  }
}
