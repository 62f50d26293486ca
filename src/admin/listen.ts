/** The admin endpoint on a socket. */
import type { Address } from "../protocol/address.ts";
import { formatAddress } from "../protocol/address.ts";
import { createAdmin } from "./app.ts";
import type { AdminOptions } from "./context.ts";
import { checkExposure } from "./guard.ts";

/** A running endpoint. */
export interface AdminServer {
  readonly address: string;
  /** Closes the socket and every open stream. */
  stop(): Promise<void>;
}

/**
 * Opens the endpoint.
 * @throws AdminConfigError if it would be open to strangers; the system's error (EADDRINUSE, EACCES) if it cannot listen
 */
export function listenAdmin(at: Address, options: AdminOptions): AdminServer {
  checkExposure(at.host, options.token);
  const app = createAdmin({ ...options, hostNames: [...(options.hostNames ?? []), at.host] });
  const server = Bun.serve({
    hostname: at.host,
    port: at.port,
    // Event streams write every second; anything else that is silent this long is gone.
    idleTimeout: 30,
    development: false,
    fetch: (request, self) => app.fetch(request, { address: self.requestIP(request)?.address ?? "" }),
  });
  return {
    address: formatAddress({ host: at.host, port: server.port ?? at.port }),
    stop: () => server.stop(true),
  };
}
