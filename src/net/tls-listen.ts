/**
 * The peer port: strangers come in, {@link TlsSocket}s with a certificate go on, everything else gets a named refusal.
 *
 * The port accepts plain TCP and looks at the first byte. A TLS handshake is upgraded in place; anything else (a
 * browser, a chat client, noise) is told in its own protocol where it went wrong, and closed. That way a wrong port is
 * an explanation and not a riddle.
 *
 * Everybody is a stranger until the layer above calls `admitted`: strangers are few at a time, fewer from one address,
 * and live under a deadline, so that a flood of half-open handshakes costs a bounded amount and keeps nobody out who is
 * already in. Bun reports a handshake as good when the client sent no certificate at all, so its absence is refused
 * here, explicitly.
 */
import type { Socket, TCPSocketListener } from "bun";
import type { Address } from "../protocol/address.ts";
import type { Clock, Timer } from "../protocol/clock.ts";
import { plainIp } from "../protocol/ip.ts";
import { peerLinkLimits } from "../protocol/limits.peer.ts";
import { farewellTo, failureOf, strangerOf, tlsFirstByte, type TlsFailure } from "./tls-failure.ts";
import { tls13, type TlsIdentity } from "./tls-dial.ts";
import { TlsSocket } from "./tls-socket.ts";

/** A peer port. Callbacks are synchronous and must not throw. */
export interface TlsListenOptions {
  /** Undefined: all addresses, IPv6 and IPv4. */
  readonly host: string | undefined;
  /** 0: one that is free, see {@link TlsListener.port}. */
  readonly port: number;
  readonly identity: TlsIdentity;
  readonly clock: Clock;
  /** Sentence for people who reached the port with another program. */
  readonly hint: string;
  readonly pendingMost?: number;
  readonly pendingPerAddress?: number;
  readonly handshakeMs?: number;
  readonly outboxBytes?: number;
  /**
   * A connection with a certificate. Call `admitted` when it is known to be a friend's: until then it counts as
   * pending. How long it may be that, is for whoever takes it to say, and to end.
   */
  accepted(socket: TlsSocket, admitted: () => void): void;
  refused(remote: Address, failure: TlsFailure): void;
}

/** An open port. */
export interface TlsListener {
  readonly port: number;
  /** Stops accepting; connections that were handed on stay. */
  stop(): void;
}

/**
 * Opens the port.
 * @throws Error with the system's `code` (EADDRINUSE, EACCES, EADDRNOTAVAIL) when it cannot
 */
export function listenTls(options: TlsListenOptions): TlsListener {
  const door = new Door(options);
  return { port: door.port, stop: () => door.stop() };
}

/** One connection, from accept to close. */
interface Visit {
  /** What to terminate: the plain socket, and after the upgrade the TLS one (ending the plain one then does nothing). */
  live: { terminate(): void };
  readonly remote: Address;
  readonly deadline: Timer;
  phase: "first-byte" | "handshake" | "handed-on" | "over";
  pending: boolean;
  socket: TlsSocket | undefined;
}

class Door {
  readonly #options: TlsListenOptions;
  readonly #listener: TCPSocketListener<Visit | undefined>;
  readonly #perAddress = new Map<string, number>();
  readonly #visits = new Set<Visit>();

  constructor(options: TlsListenOptions) {
    this.#options = options;
    this.#listener = Bun.listen<Visit | undefined>({
      hostname: options.host ?? "::",
      port: options.port,
      allowHalfOpen: true,
      socket: {
        open: (raw) => this.#arrive(raw),
        data: (raw, chunk) => this.#firstBytes(raw, chunk),
        drain: () => {},
        end: (raw) => {
          // Once TLS runs, its own handler sees the end.
          if (raw.data?.phase === "first-byte" || raw.data?.phase === "over") raw.end();
        },
        close: (raw) => this.#leave(raw.data),
        error: (raw) => raw.terminate(),
      },
    });
  }

  get port(): number {
    return this.#listener.port;
  }

  stop(): void {
    this.#listener.stop(false);
    for (const visit of this.#visits) {
      if (visit.phase !== "handed-on") visit.live.terminate();
    }
  }

  #arrive(raw: Socket<Visit | undefined>): void {
    const { pendingMost, pendingPerAddress, handshakeMs } = { ...peerLinkLimits, ...this.#options };
    const remote = { host: plainIp(raw.remoteAddress), port: raw.remotePort };
    const fromThere = this.#perAddress.get(remote.host) ?? 0;
    const pending = [...this.#perAddress.values()].reduce((sum, count) => sum + count, 0);
    if (pending >= pendingMost || fromThere >= pendingPerAddress) {
      raw.terminate();
      const detail = `${fromThere} pending from that address, ${pending} in all`;
      this.#options.refused(remote, { code: "too-many-pending", detail });
      return;
    }
    this.#perAddress.set(remote.host, fromThere + 1);
    const deadline = this.#options.clock.after(handshakeMs, () => {
      this.#refuse(visit, { code: "handshake-timeout", detail: "they did not finish in time" });
      visit.live.terminate();
    });
    const visit: Visit = {
      live: raw,
      remote,
      deadline,
      phase: "first-byte",
      pending: true,
      socket: undefined,
    };
    raw.data = visit;
    this.#visits.add(visit);
  }

  #firstBytes(raw: Socket<Visit | undefined>, chunk: Buffer): void {
    const visit = raw.data;
    // After the upgrade this handler still sees the ciphertext: nothing to do with it.
    if (visit?.phase !== "first-byte") return;
    if (chunk[0] === tlsFirstByte) {
      visit.phase = "handshake";
      this.#upgrade(visit, raw, chunk);
      return;
    }
    const failure = strangerOf(chunk);
    const farewell = farewellTo(failure, this.#options.hint);
    this.#refuse(visit, failure);
    // Best effort, and small enough for any socket buffer: what is not taken now is not owed to them.
    if (farewell !== "") raw.write(farewell);
    raw.shutdown();
    this.#options.clock.after(peerLinkLimits.lingerMs, () => visit.live.terminate());
  }

  #upgrade(visit: Visit, plain: Socket<Visit | undefined>, initialData: Buffer): void {
    const { identity } = this.#options;
    const upgrade = {
      isServer: true,
      // Without the bytes already read the handshake would wait for them for ever.
      initialData,
      data: visit,
      tls: { ...identity, requestCert: true, rejectUnauthorized: false, minVersion: tls13 },
      socket: {
        handshake: (raw: Socket<Visit>, ok: boolean, error: Error | null) =>
          this.#shaken(visit, raw, ok, error),
        data: (_raw: Socket<Visit>, chunk: Buffer) => visit.socket?.handleData(chunk),
        drain: () => visit.socket?.handleDrain(),
        end: (raw: Socket<Visit>) => {
          if (visit.socket === undefined) raw.end();
          else visit.socket.handleEnd();
        },
        close: (_raw: Socket<Visit>, error?: Error) => {
          visit.socket?.handleClose(error);
          this.#leave(visit);
        },
        error: (_raw: Socket<Visit>, error: Error) => {
          visit.socket?.handleClose(error);
          visit.live.terminate();
        },
      },
    };
    [, visit.live] = plain.upgradeTLS<Visit>(upgrade);
  }

  /** @param ok the handshake is finished; without that a certificate may be there, and nobody has proved to hold its key */
  #shaken(visit: Visit, raw: Socket<Visit>, ok: boolean, error: Error | null): void {
    if (visit.phase !== "handshake") return;
    const certificate: Uint8Array | undefined = raw.getPeerCertificate()?.raw;
    if (certificate === undefined || !ok) {
      // A handshake that finished without a certificate is reported as good.
      const failure: TlsFailure = { code: "no-certificate", detail: "they showed no certificate" };
      this.#refuse(visit, ok ? failure : failureOf(error));
      raw.terminate();
      return;
    }
    visit.deadline.stop();
    visit.phase = "handed-on";
    const { clock, outboxBytes } = this.#options;
    visit.socket = new TlsSocket({
      socket: raw,
      peerCertificate: new Uint8Array(certificate),
      dialled: false,
      clock,
      ...(outboxBytes === undefined ? {} : { outboxBytes }),
    });
    this.#options.accepted(visit.socket, () => this.#uncount(visit));
  }

  #refuse(visit: Visit, failure: TlsFailure): void {
    if (visit.phase === "over" || visit.phase === "handed-on") return;
    visit.phase = "over";
    visit.deadline.stop();
    this.#options.refused(visit.remote, failure);
  }

  #leave(visit: Visit | undefined): void {
    if (visit === undefined) return;
    this.#refuse(visit, { code: "closed-early", detail: "they hung up" });
    this.#visits.delete(visit);
    this.#uncount(visit);
  }

  #uncount(visit: Visit): void {
    if (!visit.pending) return;
    visit.pending = false;
    const left = (this.#perAddress.get(visit.remote.host) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(visit.remote.host);
    else this.#perAddress.set(visit.remote.host, left);
  }
}
