/**
 * TLS between two peers inside a pipe: any Duplex that brings bytes in order or ends, as a relay does.
 *
 * It is the same handshake as over TCP (tls-dial.ts, tls-listen.ts): TLS 1.3, both sides with a certificate, whose
 * absence is refused explicitly, and the same {@link TlsSocket} afterwards; only whose bytes they are differs. Whoever
 * carries the pipe sees TLS records and nothing else.
 *
 * Node's TLS keeps what the pipe does not take; so that this stays bounded, nothing more is written while it keeps more
 * than `pipeKeptBytes`, and the rest waits in the TlsSocket's own outbox, which has a limit.
 */
import type { Duplex } from "node:stream";
import { connect, TLSSocket } from "node:tls";
import type { Clock } from "../protocol/clock.ts";
import { peerLinkLimits } from "../protocol/limits.peer.ts";
import { failureOf, type TlsFailure } from "./tls-failure.ts";
import type { TlsIdentity } from "./tls-dial.ts";
import { TlsSocket, type TlsCarrier } from "./tls-socket.ts";

/** How TLS begins in a pipe. Exactly one of the callbacks is called, once, never before the call returned. */
export interface TlsPipeOptions {
  readonly pipe: Duplex;
  /** The side that speaks first. */
  readonly dials: boolean;
  readonly identity: TlsIdentity;
  readonly clock: Clock;
  /** Names the path where an address would stand. */
  readonly name: string;
  opened(socket: TlsSocket): void;
  failed(failure: TlsFailure): void;
}

/** Begins the handshake. The pipe is destroyed when it fails, and when the connection ends. */
export function tlsInPipe(options: TlsPipeOptions): void {
  const { pipe, dials, identity, clock, name } = options;
  const shared = { ...identity, rejectUnauthorized: false, minVersion: "TLSv1.3" as const };
  const tls = dials
    ? connect({ ...shared, socket: pipe })
    : new TLSSocket(pipe, { ...shared, isServer: true, requestCert: true });
  let socket: TlsSocket | undefined;
  let settled = false;
  let broken: Error | undefined;
  const fail = (failure: TlsFailure): void => {
    if (settled) return;
    settled = true;
    deadline.stop();
    tls.destroy();
    pipe.destroy();
    options.failed(failure);
  };
  const deadline = clock.after(peerLinkLimits.connectMs, () =>
    fail({ code: "handshake-timeout", detail: "the TLS handshake through the relay did not finish" }),
  );
  const shaken = (): void => {
    if (settled) return;
    const certificate: unknown = tls.getPeerCertificate()?.raw;
    if (!(certificate instanceof Uint8Array)) {
      fail({ code: "no-certificate", detail: "they showed no certificate" });
      return;
    }
    settled = true;
    deadline.stop();
    socket = new TlsSocket({
      socket: carrierOf(tls, pipe, name),
      relayed: true,
      peerCertificate: new Uint8Array(certificate),
      dialled: dials,
      clock,
    });
    options.opened(socket);
  };
  tls.on(dials ? "secureConnect" : "secure", shaken);
  tls.on("data", (chunk: Buffer) => socket?.handleData(chunk));
  tls.on("drain", () => socket?.handleDrain());
  tls.on("end", () => socket?.handleEnd());
  tls.on("error", (error) => {
    broken = error;
    fail(failureOf(error));
  });
  const gone = (): void => {
    fail({ code: "closed-early", detail: "the relay ended during the handshake" });
    socket?.handleClose(broken);
    pipe.destroy();
    tls.destroy();
  };
  tls.on("close", gone);
  // A pipe that breaks does not always take the TLS around it along.
  pipe.on("error", (error) => (broken ??= error));
  pipe.on("close", gone);
}

function carrierOf(tls: TLSSocket, pipe: Duplex, name: string): TlsCarrier {
  const terminate = (): void => {
    tls.destroy();
    pipe.destroy();
  };
  return {
    remoteAddress: name,
    remotePort: 0,
    localAddress: name,
    localPort: 0,
    write: (bytes) => {
      if (tls.destroyed) return -1;
      if (tls.writableLength > peerLinkLimits.pipeKeptBytes) return 0;
      tls.write(bytes);
      return bytes.length;
    },
    shutdown: () => tls.end(),
    end: terminate,
    terminate,
    exportKeyingMaterial: (bytes, label, context) => tls.exportKeyingMaterial(bytes, label, context),
  };
}
