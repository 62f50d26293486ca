/**
 * UDP broadcast on the local networks: the only place that sends a datagram.
 *
 * node:dgram and not Bun.udpSocket, because only the former shares the port: several peers on one machine must all hear
 * a broadcast. Nothing is sent before the socket is bound; errors of single datagrams (an interface that has just gone)
 * are passed over, because the next beacon is sent soon.
 */
import { createSocket } from "node:dgram";
import type { NetworkInterfaceInfo } from "node:os";

/** A broadcast socket. */
export interface Broadcast {
  /** Sends to everybody on the network that `address` is the broadcast address of. */
  send(datagram: Uint8Array, address: string): void;
  close(): void;
}

/** What a broadcast socket tells. Synchronous; must not throw. */
export interface BroadcastEvents {
  received(datagram: Uint8Array, from: string): void;
  /** It cannot be used; nothing is called afterwards. */
  failed(error: Error): void;
}

/** Opens a socket on `port` of all IPv4 addresses, shared with others on this machine that do the same. */
export function openBroadcast(port: number, events: BroadcastEvents): Broadcast {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  let isBound = false;
  let isClosed = false;
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    socket.close();
  };
  socket.on("message", (datagram, { address }) => {
    if (!isClosed) events.received(datagram, address);
  });
  socket.on("error", (error) => {
    if (isClosed) return;
    close();
    events.failed(error);
  });
  socket.bind({ port, address: "0.0.0.0" }, () => {
    if (isClosed) return;
    socket.setBroadcast(true);
    isBound = true;
  });
  return {
    send(datagram, address) {
      if (isBound && !isClosed) socket.send(datagram, port, address, () => {});
    },
    close,
  };
}

/** The broadcast addresses of the machine's own IPv4 networks (RFC 919), loopback left out. */
export function broadcastAddresses(
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
): string[] {
  const found = Object.values(interfaces)
    .flatMap((infos) => infos ?? [])
    .filter(({ family, internal }) => family === "IPv4" && !internal)
    .map(({ address, netmask }) => {
      const mask = netmask.split(".").map(Number);
      return address
        .split(".")
        .map((part, index) => Number(part) | (~(mask[index] ?? 255) & 255))
        .join(".");
    });
  return [...new Set(found)];
}
