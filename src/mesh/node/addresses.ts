/**
 * Where this device can be reached, and over what kind of path a link runs. Pure: the machine's interfaces come in.
 *
 * Announced are the addresses of the machine's own interfaces when the port listens on all of them, else the one it
 * listens on. Loopback and link-local addresses mean another machine to everybody else, so they are announced only
 * where there is nothing better (a machine without a network, several peers on it).
 */
import type { NetworkInterfaceInfo } from "node:os";
import { formatAddress, isLoopback, type Address } from "../../protocol/address.ts";
import { membershipLimits } from "../../protocol/limits.mesh.ts";

/** As `os.networkInterfaces()` gives them. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** The kind of path: on this machine, over a VPN, over any other network, or through somebody's relay. */
export type Path = "local" | "vpn" | "direct" | "relay";

/** Interface names of VPN software: WireGuard, OpenVPN, Tailscale, ZeroTier, Nebula, macOS utun, PPP. */
const vpnInterface = /^(wg|tun|tap|utun|tailscale|zt|nebula|ppp|nordlynx|proton)/i;

/**
 * Addresses to announce, as text, best first.
 * @param listen where the port listens; `host` undefined means all addresses
 */
export function ownAddresses(
  listen: { host: string | undefined; port: number },
  interfaces: Interfaces,
): readonly string[] {
  const { host, port } = listen;
  if (host !== undefined && !isAny(host)) return [formatAddress({ host, port })];
  const all = Object.values(interfaces).flatMap((infos) => infos ?? []);
  const usable = all.filter(({ address, internal }) => !internal && !isLinkLocal(address));
  // A container without a network still has loopback, and other peers may run in it.
  const found = usable.length > 0 ? usable : all.filter(({ address }) => isLoopback(address));
  const ipv4First = found.toSorted((a, b) => Number(isIPv6(a.address)) - Number(isIPv6(b.address)));
  const addresses = ipv4First.map(({ address }) => formatAddress({ host: address, port }));
  return [...new Set(addresses)].slice(0, membershipLimits.addressesPerMember);
}

/** The interfaces on which a port that listens on `host` (undefined: all) can be reached. */
export function reachable(interfaces: Interfaces, host: string | undefined): Interfaces {
  if (host === undefined || isAny(host)) return interfaces;
  const kept = Object.entries(interfaces).map(([name, infos]) => [
    name,
    infos?.filter(({ address }) => address === host),
  ]);
  return Object.fromEntries(kept) as Interfaces;
}

/** The path of a connection, by the interface its local end is on. */
export function pathOf(local: Address, remote: Address, interfaces: Interfaces): Path {
  if (isLoopback(local.host) || local.host === remote.host) return "local";
  for (const [name, infos] of Object.entries(interfaces)) {
    if (infos?.some(({ address }) => address === local.host) === true && vpnInterface.test(name))
      return "vpn";
  }
  return isSharedAddressSpace(remote.host) ? "vpn" : "direct";
}

function isAny(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function isIPv6(address: string): boolean {
  return address.includes(":");
}

function isLinkLocal(address: string): boolean {
  return /^fe[89ab][0-9a-f]:/i.test(address) || address.startsWith("169.254.");
}

/** 100.64.0.0/10 (RFC 6598): what overlay networks hand out. */
function isSharedAddressSpace(address: string): boolean {
  const match = /^100\.(\d+)\./.exec(address);
  const second = Number(match?.[1]);
  return match !== null && second >= 64 && second <= 127;
}
