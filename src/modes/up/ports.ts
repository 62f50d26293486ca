/** Free ports for the servers behind `rtchat up`, and early news of one that is taken. */
import { createServer } from "node:net";
import { Failure } from "../../cli/errors.ts";
import { type Address, formatAddress } from "../../protocol/address.ts";

/** True if something could listen there right now. Another process may take it a moment later. */
export function isFree(address: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ host: address.host, port: address.port, exclusive: true }, () =>
      probe.close(() => resolve(true)),
    );
  });
}

/**
 * @param flag named in the error
 * @throws Failure if the address is taken or not this machine's
 */
export async function requireFree(address: Address, flag: string): Promise<void> {
  if (address.port === 0 || (await isFree(address))) return;
  throw new Failure(
    `cannot listen on ${formatAddress(address)}: another process does, or it is not an address of this machine`,
    `stop the other one (ss -ltnp shows it), or choose another with ${flag}`,
  );
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
