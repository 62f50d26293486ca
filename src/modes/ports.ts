/** Ports to listen on: free ones for the servers behind `rtchat up`, and what is said of one that cannot be had. */
import { createServer } from "node:net";
import { cannotListen, Failure } from "../cli/errors.ts";
import { codeOf } from "../identity/private-file.ts";
import { ListenError } from "../net/listener.ts";
import { type Address, formatAddress } from "../protocol/address.ts";

/** The system's code if nothing can listen there right now, else undefined. Another process may come a moment later. */
function obstacle(address: Address): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    // Bun gives no code for a name that does not resolve.
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "ENOTFOUND"));
    probe.listen({ host: address.host, port: address.port, exclusive: true }, () =>
      probe.close(() => resolve(undefined)),
    );
  });
}

/** True if something could listen there right now. */
export async function isFree(address: Address): Promise<boolean> {
  return (await obstacle(address)) === undefined;
}

/**
 * Told before anything else is begun, because what is begun has effects: files, a lease, lines of a log.
 * @param flag named in the error
 * @throws Failure if the address is taken or not this machine's
 */
export async function requireFree(address: Address, flag: string): Promise<void> {
  const code = address.port === 0 ? undefined : await obstacle(address);
  if (code === undefined) return;
  const at = formatAddress(address);
  throw cannotListen(at, flag, code) ?? new Failure(`cannot listen on ${at}: the system answers ${code}`);
}

/** What to throw for an error of `net/listener.ts`, as a person wants to hear it; any other error as it is. */
export function listenFailure(error: unknown, at: Address, flag: string): unknown {
  if (!(error instanceof ListenError)) return error;
  return systemListenFailure(error, at, flag) ?? new Failure(error.message, "", { cause: error });
}

/** The same for whatever else has the system's code; undefined for codes nobody can act on. */
export function systemListenFailure(error: unknown, at: Address, flag: string): Failure | undefined {
  return cannotListen(formatAddress(at), flag, codeOf(error));
}

/**
 * `count` free ports on loopback, the first ones after `after` that are not taken and not in `avoid`.
 * @throws Failure when there are none left
 */
export async function nextFreePorts(
  count: number,
  after: number,
  avoid: ReadonlySet<number>,
): Promise<number[]> {
  const ports: number[] = [];
  for (let port = after + 1; ports.length < count && port <= 65_535; port += 1) {
    if (!avoid.has(port) && (await isFree({ host: "127.0.0.1", port }))) ports.push(port);
  }
  if (ports.length < count) {
    throw new Failure(`there are no ${count} free ports after ${after}`, "choose them with --server-ports");
  }
  return ports;
}
