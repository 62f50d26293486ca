/**
 * Dialling: an open connection or one clear reason, in bounded time.
 *
 * Bun.connect cannot be cancelled and names no address when it fails; both are mended here. A dial that was given up
 * (deadline or signal) and succeeds later is closed unseen.
 */
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { Socket } from "bun";
import { isLoopback } from "../protocol/address.ts";
import { netLimits } from "../protocol/limits.ts";
import { Connection, socketHandlers } from "./connection.ts";
import type { ConnectionHandlers, ConnectionSettings } from "./connection.ts";
import { descriptorsExhausted } from "./descriptors.ts";
import { describeEndpoint, type Endpoint } from "./listener.ts";
import { Handshake, tlsOptionsOf, type TlsTrust } from "./tls-trust.ts";

/** Why there is no connection. The peer is to blame unless the code is `EMFILE`, `ENOTFOUND` or `ABORTED`. */
export class DialError extends Error {
  override readonly name = "DialError";
  /** `TIMEOUT`, `ABORTED`, `EMFILE` (our own descriptors), one of tls-trust.ts, or the system's: `ECONNREFUSED`, … */
  readonly code: string;
  /** The part of the message that says why, without naming the endpoint. */
  readonly reason: string;

  constructor(where: string, reason: string, code: string) {
    super(`cannot connect to ${where}: ${reason}`);
    this.code = code;
    this.reason = reason;
  }
}

/** What {@link dial} needs. */
export interface DialOptions {
  readonly to: Endpoint;
  readonly settings: ConnectionSettings;
  /** Says who handles the connection; called when it is open and before its first byte is read. */
  opened(connection: Connection): ConnectionHandlers;
  readonly timeoutMs?: number;
  /** Gives up when aborted. */
  readonly signal?: AbortSignal;
  /** With TLS: what proves that the other side is who was dialled. */
  readonly tls?: TlsTrust;
}

/**
 * Connects.
 * @returns the open connection, after `opened` was called with it (for TLS: when the other side has proved who it is)
 * @throws DialError (as a rejection); `opened` is not called then
 */
export function dial(options: DialOptions): Promise<Connection> {
  const { to, settings, signal } = options;
  const timeoutMs = options.timeoutMs ?? netLimits.connectMs;
  const where = describeEndpoint(to);
  return new Promise<Connection>((resolve, reject) => {
    let settled = false;
    const fail = (error: DialError): void => {
      if (settled) return;
      settle();
      reject(error);
    };
    const abort = (): void => fail(new DialError(where, "gave up", "ABORTED"));
    const timer = settings.clock.after(timeoutMs, () =>
      fail(new DialError(where, `no answer within ${timeoutMs} ms; check that it runs`, "TIMEOUT")),
    );
    const settle = (): void => {
      settled = true;
      timer.stop();
      signal?.removeEventListener("abort", abort);
    };
    if (signal?.aborted === true) {
      abort();
      return;
    }
    signal?.addEventListener("abort", abort);
    const shared = {
      allowHalfOpen: true,
      ...(options.tls === undefined ? {} : { tls: tlsOptionsOf(options.tls, to) }),
      socket: {
        ...socketHandlers,
        open(socket: Socket<Connection>): void {
          const connection = new Connection(socket, settings, unseen);
          socket.data = connection;
          if (settled) {
            connection.terminate();
            return;
          }
          const open = (): void => {
            settle();
            connection.handlers = options.opened(connection);
            resolve(connection);
          };
          const { tls } = options;
          if (tls === undefined) open();
          else {
            const refuse = (code: string, reason: string) => fail(new DialError(where, reason, code));
            connection.handlers = new Handshake(connection, tls, {
              open: () => (settled ? connection.terminate() : open()),
              refuse,
            });
          }
        },
        connectError: () => {}, // The promise rejects too.
      },
    };
    const connecting =
      "path" in to
        ? Bun.connect<Connection>({ ...shared, unix: to.path })
        : Bun.connect<Connection>({ ...shared, hostname: to.host, port: to.port });
    connecting.catch((error: unknown) => fail(explain(to, error)));
  });
}

/** For a connection that opened after it was given up. */
const unseen: ConnectionHandlers = { data: () => {}, close: () => {} };

/**
 * What the system said, as far as can be told: Bun gives ECONNREFUSED for every connection that did not come about, also
 * where no network is. A resolver that cannot be asked is as good as a name that does not resolve.
 */
export function dialCode(code: string, to: Endpoint, isOffline: () => boolean): string {
  if (code === "EAI_AGAIN") return "ENOTFOUND";
  const away = "host" in to && isIP(to.host) !== 0 && !isLoopback(to.host);
  return code === "ECONNREFUSED" && away && isOffline() ? "ENETUNREACH" : code;
}

/** This machine has no network but itself. */
function hasNoNetwork(): boolean {
  try {
    return Object.values(networkInterfaces()).every((some) => some?.every(({ internal }) => internal));
  } catch {
    return false; // It takes a descriptor to ask.
  }
}

function explain(to: Endpoint, error: unknown): DialError {
  const where = describeEndpoint(to);
  const said = error instanceof Error && "code" in error ? String(error.code) : "UNKNOWN";
  if (said === "EMFILE" || said === "ENFILE" || descriptorsExhausted()) {
    const full = "this process has no file descriptors left; raise the limit (ulimit -n)";
    return new DialError(where, full, "EMFILE");
  }
  const code = dialCode(said, to, hasNoNetwork);
  return new DialError(where, reasonFor(code), code);
}

function reasonFor(code: string): string {
  switch (code) {
    case "ECONNREFUSED":
      return "nobody listens there (ECONNREFUSED); check the address and that it runs";
    case "ENOENT":
      return "there is no such socket; check the path and that it runs";
    case "ENOTFOUND":
      return "the host name does not resolve; check its spelling";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `no route to it (${code}); check the network`;
    default:
      return `${code}; check the address and that it runs`;
  }
}
