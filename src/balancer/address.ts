/**
 * Which backends there are, as written: in a flag, a file, or a request; and the keys that addresses are counted by.
 *
 * A backend's address is also its identity, so it is brought to one spelling: a bare port is on 127.0.0.1, v6 is
 * compressed. Reading itself is done by protocol/address.ts.
 */
import { isIP } from "node:net";
import type { WeightedAddress } from "../protocol/address.ts";
import { AddressError, formatAddress, parseWeightedList } from "../protocol/address.ts";
import { balancerLimits } from "../protocol/limits.ts";
import { quote } from "../protocol/names.ts";

/** One entry of the list of backends. Weight 0, which only the admin endpoint sets, takes no new sessions. */
export type BackendSpec = WeightedAddress;

/** One spelling for each v6 address (RFC 5952), as the URL standard's parser gives it. */
function canonicalHost(host: string): string {
  if (isIP(host) !== 6) return host.toLowerCase();
  // Zones, and a few forms that isIP takes, are no URL hosts.
  return URL.parse(`http://[${host}]/`)?.hostname.slice(1, -1) ?? host.toLowerCase();
}

/**
 * What holds for a list as a whole: not too long, no port 0, nobody twice by two spellings.
 * @throws AddressError
 */
export function checkBackends(specs: readonly BackendSpec[]): BackendSpec[] {
  if (specs.length > balancerLimits.backends) {
    throw new AddressError(`${specs.length} backends are too many; the limit is ${balancerLimits.backends}`);
  }
  const seen = new Set<string>();
  return specs.map((spec) => {
    const canonical = { ...spec, host: canonicalHost(spec.host) };
    const id = formatAddress(canonical);
    if (spec.port === 0)
      throw new AddressError(`backend ${quote(id)} has port 0; name the port it listens on`);
    if (seen.has(id))
      throw new AddressError(`backend ${quote(id)} is named twice; name it once, with a weight`);
    seen.add(id);
    return canonical;
  });
}

/**
 * Reads a list from a file: entries as in the flag, by lines or commas, `#` begins a comment. May be empty.
 * @throws AddressError on a bad or repeated entry, or too many
 */
export function parseBackendsFile(text: string): BackendSpec[] {
  const entries = text
    .split("\n")
    .flatMap((line) => line.replace(/#.*$/, "").split(","))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
  return checkBackends(entries.flatMap((entry) => parseWeightedList(entry)));
}

/** The key by which limits count an address: v4 whole, v6 by its /64, v4-mapped v6 as v4. */
export function addressBlock(ip: string): string {
  if (isIP(ip) !== 6) return ip;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip);
  if (mapped?.[1] !== undefined) return mapped[1];
  const groups = expand(ip.replace(/%.*$/, ""));
  return `${groups.slice(0, 4).join(":")}::/64`;
}

/** The eight groups of a v6 address, without leading zeros. */
function expand(ip: string): string[] {
  const canonical = canonicalHost(ip);
  const [head = "", tail] = canonical.split("::");
  const before = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array.from({ length: missing }, () => "0"), ...after];
}
