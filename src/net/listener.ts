/**
 * Listening, with refusals that explain themselves.
 *
 * A listener accepts until it or the process has as many connections as allowed; above that, newcomers hear one line
 * and are closed at once, so that accepting never meets the end of the descriptors (see descriptors.ts).
 */
import { unlinkSync } from "node:fs";
import type { Socket } from "bun";
import { formatAddress, type Address } from "../protocol/address.ts";
import { Connection, socketHandlers } from "./connection.ts";
import type { ConnectionHandlers, ConnectionSettings } from "./connection.ts";
import { connectionsExhausted } from "./descriptors.ts";

/** A listening socket that this process inherited, and where it is, as people write it (see held-socket.ts). */
export interface Inherited {
  readonly descriptor: number;
  readonly address: string;
}

/** Where a listener may be. */
export type ListenEndpoint = Endpoint | Inherited;

/** A TCP address or the path of a Unix socket. */
export type Endpoint = Address | { readonly path: string };

/** The endpoint as people write it. */
export function describeEndpoint(endpoint: ListenEndpoint): string {
  if ("descriptor" in endpoint) return endpoint.address;
  return "path" in endpoint ? endpoint.path : formatAddress(endpoint);
}

/** Why there is no listener; the message says what to do. `code` is the system's, if it gave one. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code: string | undefined;

  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

/** What {@link listen} needs. */
export interface ListenOptions {
  readonly at: ListenEndpoint;
  readonly settings: ConnectionSettings;
  /** A newcomer: says who handles it. Called before its first byte is read. */
  accept(connection: Connection): ConnectionHandlers;
  /** Most connections of this listener at once. */
  readonly connectionsMost?: number;
  /** Last words for a newcomer above a limit, encoded. Called for each; small enough for an empty socket buffer. */
  refuse?(remote: string): Uint8Array;
  /** Several processes may listen at the same address and share the newcomers. Off: a second one is refused. */
  readonly reusePort?: boolean;
  readonly tls?: Bun.TLSOptions;
}

/** An open door. */
export interface Listener {
  /** The real port, also when 0 was asked; 0 for a Unix socket. */
  readonly port: number;
  /** Where, as people write it, with the real port. */
  readonly address: string;
  /** The listening socket's, until {@link stop}. */
  readonly descriptor: number;
  /** Connections accepted here and still open. */
  readonly connections: number;
  /** Accepts no more; connections stay. */
  stop(): void;
}

/**
 * Starts listening.
 * @throws ListenError
 */
export function listen(options: ListenOptions): Listener {
  const most = options.connectionsMost ?? Infinity;
  let connections = 0;
  const settings: ConnectionSettings = {
    ...options.settings,
    gone(connection) {
      connections -= 1;
      options.settings.gone?.(connection);
    },
  };
  const shared = {
    allowHalfOpen: true,
    reusePort: options.reusePort === true,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    socket: {
      ...socketHandlers,
      open(socket: Socket<Connection>): void {
        connections += 1;
        const connection = new Connection(socket, settings, nobody);
        socket.data = connection;
        if (connections > most || connectionsExhausted()) {
          if (options.refuse !== undefined) connection.writeNow(options.refuse(connection.remote));
          connection.close();
        } else connection.handlers = options.accept(connection);
      },
    },
  };
  try {
    const { at } = options;
    if ("descriptor" in at) {
      // Bun's types do not know the descriptor, and want a path, which is not looked at beside one.
      const inherited = { ...shared, unix: "", fd: at.descriptor };
      const listener = Bun.listen<Connection>(inherited);
      const [, port] = /:(\d+)$/.exec(at.address) ?? [];
      return door(listener, Number(port ?? 0), at.address, () => connections);
    }
    if ("path" in at) {
      const listener = Bun.listen<Connection>({ ...shared, unix: at.path });
      return door(listener, 0, at.path, () => connections);
    }
    const { host, port } = at;
    const listener = Bun.listen<Connection>({ ...shared, hostname: host, port });
    return door(listener, listener.port, formatAddress({ host, port: listener.port }), () => connections);
  } catch (error) {
    throw explain(options.at, error);
  }
}

/** For connections that are refused: nothing to tell anybody. */
const nobody: ConnectionHandlers = { data: () => {}, close: () => {} };

function door(
  listener: { stop(): void; readonly fd?: number },
  port: number,
  address: string,
  connections: () => number,
): Listener {
  return {
    port,
    address,
    get descriptor() {
      return listener.fd ?? -1;
    },
    get connections() {
      return connections();
    },
    stop: () => listener.stop(),
  };
}

function explain(at: ListenEndpoint, error: unknown): ListenError {
  const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
  const where = `cannot listen on ${describeEndpoint(at)}`;
  return new ListenError(`${where}: ${reason(at, code)}`, code);
}

function reason(at: ListenEndpoint, code: string | undefined): string {
  if ("path" in at) {
    if (code === "EADDRINUSE") return "the file exists; remove it if no other process listens there";
    if (code === "ENOENT") return "its folder does not exist; create it";
    if (code === "EINVAL") return "the path is too long for a socket; choose one under 100 bytes";
    return `${code ?? "the system refused"}; check the folder's permissions`;
  }
  switch (code) {
    case "EADDRINUSE":
      return "the port is in use; stop the other program or choose another port";
    case "EACCES":
      return "not permitted; choose a port above 1023 or grant the privilege to bind low ports";
    case "EADDRNOTAVAIL":
      return "this machine has no such address; choose one of its own, or 0.0.0.0 for all";
    case "EMFILE":
    case "ENFILE":
      return "no file descriptors are left; raise the limit (ulimit -n)";
    case undefined:
      return "the host name does not resolve; check its spelling or write an IP address";
    default:
      return `the system answered ${code}; check the address`;
  }
}

/** Removes a Unix socket's file, if there. For the start of a process that knows that it is the only one. */
export function removeSocketFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
