/** The addresses in an introduction, of which nothing is believed but that they are worth a try. */
import { isIP } from "node:net";
import { AddressError, formatAddress, parseAddress, type Address } from "../../../protocol/address.ts";
import { introductionLimits } from "../../../protocol/limits.ts";
import type { Introduction } from "../../../protocol/messages.ts";

/**
 * Where somebody says that they are: IP addresses only, because a name would have this machine ask others about it, and
 * no more than the protocol allows. The host that the server sees is tried with the port of the first.
 */
export function toldAddresses({ addresses = [], seen }: Introduction): readonly Address[] {
  const told = addresses.slice(0, introductionLimits.addressesTold).flatMap(readAddress);
  const [first] = told;
  const all =
    first === undefined || seen === undefined || isIP(seen) === 0
      ? told
      : [...told, { ...first, host: seen }];
  return [...new Map(all.map((address) => [formatAddress(address), address])).values()];
}

function readAddress(text: string): Address[] {
  try {
    const address = parseAddress(text);
    return isIP(address.host) === 0 ? [] : [address];
  } catch (error) {
    if (error instanceof AddressError) return [];
    throw error;
  }
}
