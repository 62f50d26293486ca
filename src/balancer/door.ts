/**
 * The door: who may connect at all, decided before a byte is read.
 *
 * Three limits: connections in total, connections of one address, new connections a second of one address (a token
 * bucket). A v6 address counts by its /64, because that is what one customer has. Loopback is exempt from the two
 * limits by address unless they were asked for: bots, relays and tests on the same machine all share it.
 *
 * Who counts is the {@link Tally}'s business: of this process alone, or of several that share the limits.
 *
 * Invariant: whoever was admitted and has not left is counted, once in total and once by address; nobody else is.
 */
import { BlockList, isIP } from "node:net";
import { isLoopback } from "../protocol/address.ts";
import type { Clock } from "../protocol/clock.ts";
import { addressBlock } from "../protocol/ip.ts";
import { doorLimits } from "../protocol/limits.balancer.ts";
import { edgeLimits, netLimits } from "../protocol/limits.ts";
import { quote } from "../protocol/names.ts";
import { LocalTally, type Tally } from "./tally.ts";

/** Why somebody is not let in. */
export type RefusalReason = "total" | "address" | "rate" | "descriptors";

/** What the door said. */
export type Admission =
  | { readonly admitted: true }
  | { readonly admitted: false; readonly reason: RefusalReason; readonly message: string };

/** Limits of a door; 0 switches one off. */
export interface DoorOptions {
  readonly clock: Clock;
  readonly connections?: number;
  readonly perAddress?: number;
  readonly newPerSecond?: number;
  /** Apply the limits by address to loopback too. */
  readonly limitLoopback?: boolean;
  /** File descriptors that may still be opened; Infinity if unknown. */
  readonly freeDescriptors?: () => number;
  /** Counts; without it this door counts for itself. */
  readonly tally?: Tally;
}

/** What happened at a door since it was opened. */
export interface DoorCounters {
  admitted: number;
  readonly refused: Record<RefusalReason, number>;
}

/** What all connections are counted by; no address is written so. */
const ALL = "*";

/** See the head of this file. */
export class Door {
  readonly #tally: Tally;
  readonly #connections: number;
  readonly #perAddress: number;
  readonly #newPerSecond: number;
  readonly #limitLoopback: boolean;
  readonly #freeDescriptors: () => number;
  #open = 0;
  readonly counters: DoorCounters = {
    admitted: 0,
    refused: { total: 0, address: 0, rate: 0, descriptors: 0 },
  };

  constructor(options: DoorOptions) {
    this.#tally = options.tally ?? new LocalTally(options.clock);
    this.#connections = options.connections ?? edgeLimits.connections;
    this.#perAddress = options.perAddress ?? doorLimits.connectionsPerAddress;
    this.#newPerSecond = options.newPerSecond ?? doorLimits.newPerSecondPerAddress;
    this.#limitLoopback = options.limitLoopback ?? false;
    this.#freeDescriptors = options.freeDescriptors ?? (() => Infinity);
  }

  /** Connections that came in here and are open now. */
  get open(): number {
    return this.#open;
  }

  /** Asks for one more connection of `ip`. If admitted, {@link leave} must be called once when it closes. */
  enter(ip: string): Admission {
    if (this.#freeDescriptors() < netLimits.descriptorHeadroom) {
      return this.#refuse(
        "descriptors",
        "no file descriptors are left for more connections; try again later",
      );
    }
    if (!this.#tally.add(ALL, this.#connections).counted) {
      return this.#refuse(
        "total",
        `the limit of ${this.#connections} connections is reached; try again later`,
      );
    }
    const refusal = this.#enterAddress(ip);
    if (refusal !== undefined) {
      this.#tally.remove(ALL);
      return refusal;
    }
    this.#open += 1;
    this.counters.admitted += 1;
    return { admitted: true };
  }

  #enterAddress(ip: string): Admission | undefined {
    const block = addressBlock(ip);
    const limited = this.#limited(ip);
    const { counted, others } = this.#tally.add(block, limited ? this.#perAddress : 0);
    if (!counted)
      return this.#refuse("address", `${block} has ${others} connections, the limit for one address`);
    if (!limited || this.#newPerSecond === 0 || this.#tally.spend(block, this.#newPerSecond))
      return undefined;
    this.#tally.remove(block);
    return this.#refuse(
      "rate",
      `${block} opens more than ${this.#newPerSecond} connections a second; try again more slowly`,
    );
  }

  /** A connection that was admitted has closed. */
  leave(ip: string): void {
    this.#tally.remove(addressBlock(ip));
    this.#tally.remove(ALL);
    this.#open -= 1;
  }

  #limited(ip: string): boolean {
    return isLimited(this.#limitLoopback, ip);
  }

  #refuse(reason: RefusalReason, message: string): Admission {
    this.counters.refused[reason] += 1;
    return { admitted: false, reason, message };
  }
}

function isLimited(limitLoopback: boolean, ip: string): boolean {
  return limitLoopback || !isLoopback(ip);
}

/** How many connections an address may open a second at such a door; Infinity for no limit. */
export function newPerSecondOf(
  { newPerSecond = doorLimits.newPerSecondPerAddress, limitLoopback = false }: Partial<DoorOptions>,
  ip: string,
): number {
  return newPerSecond > 0 && isLimited(limitLoopback, ip) ? newPerSecond : Infinity;
}

/** A list of networks that is wrong; the message says which entry and how to write it. */
export class NetworkListError extends Error {
  override readonly name = "NetworkListError";
}

/**
 * A set of networks from `10.0.0.0/8, ::1, 2001:db8::/32`.
 * @returns whether an address is in one of them; v4-mapped v6 counts as v4
 * @throws NetworkListError
 */
export function parseNetworks(text: string): (ip: string) => boolean {
  const list = new BlockList();
  for (const entry of text.split(",").map((part) => part.trim())) {
    const [address = "", prefix, ...rest] = entry.split("/");
    const version = isIP(address);
    const most = version === 4 ? 32 : 128;
    const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
    if (version === 0 || bits < 0 || bits > most || rest.length > 0 || address.includes("%")) {
      throw new NetworkListError(
        `${quote(entry)} is not a network; write an address or a CIDR such as 10.0.0.0/8 or 2001:db8::/32`,
      );
    }
    list.addSubnet(address, bits, version === 4 ? "ipv4" : "ipv6");
  }
  return (ip) => {
    const version = isIP(ip);
    return version !== 0 && list.check(ip, version === 4 ? "ipv4" : "ipv6");
  };
}
