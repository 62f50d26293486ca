/**
 * Networks: an IP address with how many of its first bits count, in one spelling each.
 *
 * A set of networks is asked for an address by cutting the address to each length that the set has, so that asking costs
 * the same whether there is one network or a thousand.
 */
import { isIP } from "node:net";
import { groupsOf, plainIp } from "./ip.ts";

/** Bits of an address, by the family. */
const LENGTHS = { 4: 32, 6: 128 } as const;
/** What an IPv6 address without a length means: the smallest block that a customer has. */
const CUSTOMER_BITS = 64;

interface Cut {
  readonly family: 4 | 6;
  readonly bits: bigint;
}

/** A network. */
export interface Network extends Cut {
  readonly length: number;
  /** `203.0.113.0/24`, `2001:db8::/32`: equal for equal networks. */
  readonly text: string;
}

function bitsOf(ip: string): Cut | undefined {
  const plain = plainIp(ip);
  const family = isIP(plain);
  if (family === 4) {
    const bits = plain.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
    return { family, bits };
  }
  if (family !== 6 || plain.includes("%")) return undefined;
  return {
    family,
    bits: BigInt(
      `0x${groupsOf(plain)
        .map((group) => group.padStart(4, "0"))
        .join("")}`,
    ),
  };
}

function cut({ family, bits }: Cut, length: number): bigint {
  const rest = BigInt(LENGTHS[family] - length);
  return (bits >> rest) << rest;
}

function spell(family: 4 | 6, bits: bigint): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 255n).join(".");
  const hex = bits.toString(16).padStart(32, "0");
  return plainIp((hex.match(/.{4}/g) ?? []).join(":"));
}

/**
 * Reads `203.0.113.7`, `203.0.113.0/24`, `2001:db8::1` or `2001:db8::/32`; bits behind the length are dropped. An IPv6
 * address alone means its /64.
 * @returns undefined for anything else
 */
export function parseNetwork(text: string): Network | undefined {
  const [ip = "", written, ...rest] = text.split("/");
  const address = bitsOf(ip);
  if (address === undefined || rest.length > 0) return undefined;
  if (written !== undefined && !/^(0|[1-9]\d{0,2})$/.test(written)) return undefined;
  const most = LENGTHS[address.family];
  // IPv4 that is written inside IPv6 has that one's lengths; shorter than the prefix is no network of IPv4.
  const inside = address.family === 4 && ip.includes(":") ? LENGTHS[6] - LENGTHS[4] : 0;
  const otherwise = address.family === 4 ? most : CUSTOMER_BITS;
  const length = written === undefined ? otherwise : Number(written) - inside;
  if (length < 0 || length > most) return undefined;
  const bits = cut(address, length);
  return { family: address.family, bits, length, text: `${spell(address.family, bits)}/${length}` };
}

/** Whether a network has an address. */
export function contains(network: Network, ip: string): boolean {
  const address = bitsOf(ip);
  return address?.family === network.family && cut(address, network.length) === network.bits;
}

/** What is known of networks, asked for by address. */
export class NetworkMap<Value> {
  readonly #values = new Map<string, { readonly network: Network; readonly value: Value }>();
  /** How many networks there are of each family and length. */
  readonly #lengths = new Map<string, { readonly family: 4 | 6; readonly length: number; count: number }>();

  get size(): number {
    return this.#values.size;
  }

  set(network: Network, value: Value): void {
    this.delete(network);
    this.#values.set(network.text, { network, value });
    const { family, length } = network;
    const known = this.#lengths.get(`${family}/${length}`);
    if (known === undefined) this.#lengths.set(`${family}/${length}`, { family, length, count: 1 });
    else known.count += 1;
  }

  /** @returns false if it was not there */
  delete({ text, family, length }: Network): boolean {
    if (!this.#values.delete(text)) return false;
    const known = this.#lengths.get(`${family}/${length}`);
    if (known !== undefined) {
      known.count -= 1;
      if (known.count === 0) this.#lengths.delete(`${family}/${length}`);
    }
    return true;
  }

  has({ text }: Network): boolean {
    return this.#values.has(text);
  }

  clear(): void {
    this.#values.clear();
    this.#lengths.clear();
  }

  /** What is known of the networks that an address is in, in no order. */
  *find(ip: string): Generator<Value> {
    if (this.#values.size === 0) return;
    const address = bitsOf(ip);
    if (address === undefined) return;
    for (const { family, length } of this.#lengths.values()) {
      if (family !== address.family) continue;
      const found = this.#values.get(`${spell(family, cut(address, length))}/${length}`);
      if (found !== undefined) yield found.value;
    }
  }

  /** All there is, in the order in which it was set. */
  *entries(): Generator<readonly [Network, Value]> {
    for (const { network, value } of this.#values.values()) yield [network, value];
  }
}
