/**
 * IP addresses as keys: whatever counts, limits or compares by address does it by one spelling of each.
 *
 * An IPv4 client of a dual-stack listener, or of a proxy that has one, is reported as IPv6 (`::ffff:10.0.0.1`,
 * `::ffff:a00:1`). Taken as it comes, it would be a stranger to every list of IPv4 networks, and all of them together
 * would be one customer, because they differ in nothing but their last 32 bits.
 */
import { isIP } from "node:net";

/**
 * The one spelling: IPv4 as it is, IPv4 inside IPv6 as IPv4, other IPv6 as RFC 5952 has it (which the URL standard's
 * parser gives). What is no address, or has a zone, is returned as it is.
 */
export function plainIp(ip: string): string {
  if (!ip.includes(":")) return ip;
  const canonical = URL.parse(`http://[${ip}]/`)?.hostname.slice(1, -1) ?? ip;
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical);
  if (mapped === null) return canonical;
  const [high, low] = [Number.parseInt(mapped[1] ?? "", 16), Number.parseInt(mapped[2] ?? "", 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** The key by which limits count an address: IPv4 whole, IPv6 by its /64, the smallest block that a customer has. */
export function addressBlock(ip: string): string {
  const plain = plainIp(ip.replace(/%.*$/, ""));
  if (isIP(plain) !== 6) return plain;
  return `${groupsOf(plain).slice(0, 4).join(":")}::/64`;
}

/** The eight groups of an IPv6 address in its one spelling, without leading zeros. */
export function groupsOf(ip: string): string[] {
  const [head = "", tail] = ip.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array.from({ length: missing }, () => "0"), ...after];
}
