/**
 * Which backends there are, as written: in a flag, a file, or a request.
 *
 * A backend's address is also its identity, so it is brought to one spelling: a bare port is on 127.0.0.1, v6 is
 * compressed. Reading itself is done by protocol/address.ts.
 */
import type { WeightedAddress } from "../protocol/address.ts";
import { AddressError, formatAddress, parseWeightedList } from "../protocol/address.ts";
import { plainIp } from "../protocol/ip.ts";
import { balancerLimits } from "../protocol/limits.balancer.ts";
import { quote } from "../protocol/names.ts";

/** One entry of the list of backends. Weight 0, which only the admin endpoint sets, takes no new sessions. */
export type BackendSpec = WeightedAddress;

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
    const canonical = { ...spec, host: plainIp(spec.host).toLowerCase() };
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
