/**
 * The door: who may connect at all, decided before a byte is read.
 *
 * Three limits: connections in total, connections of one address, new connections a second of one address (a token
 * bucket). A v6 address counts by its /64, because that is what one customer has. Loopback is exempt from the two
 * limits by address unless they were asked for: bots, relays and tests on the same machine all share it.
 *
 * Invariant: `#open` holds exactly the addresses with open connections; `#buckets` at most `addresses` entries, the
 * least recently used forgotten first (its bucket would most likely have filled up again).
 */
import { BlockList, isIP } from "node:net";
import { isLoopback } from "../protocol/address.ts";
import type { Clock } from "../protocol/clock.ts";
import { addressBlock } from "../protocol/ip.ts";
import { doorLimits, edgeLimits, netLimits } from "../protocol/limits.ts";
import { quote } from "../protocol/names.ts";

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
}

/** What happened at a door since it was opened. */
export interface DoorCounters {
  admitted: number;
  readonly refused: Record<RefusalReason, number>;
}

interface Bucket {
  tokens: number;
  /** Monotonic ms of the last refill. */
  at: number;
}

/** See the head of this file. */
export class Door {
  readonly #clock: Clock;
  readonly #connections: number;
  readonly #perAddress: number;
  readonly #newPerSecond: number;
  readonly #limitLoopback: boolean;
  readonly #freeDescriptors: () => number;
  readonly #open = new Map<string, number>();
  readonly #buckets = new Map<string, Bucket>();
  #total = 0;
  readonly counters: DoorCounters = {
    admitted: 0,
    refused: { total: 0, address: 0, rate: 0, descriptors: 0 },
  };

  constructor(options: DoorOptions) {
    this.#clock = options.clock;
    this.#connections = options.connections ?? edgeLimits.connections;
    this.#perAddress = options.perAddress ?? doorLimits.connectionsPerAddress;
    this.#newPerSecond = options.newPerSecond ?? doorLimits.newPerSecondPerAddress;
    this.#limitLoopback = options.limitLoopback ?? false;
    this.#freeDescriptors = options.freeDescriptors ?? (() => Infinity);
  }

  /** Connections open now. */
  get open(): number {
    return this.#total;
  }

  /** Asks for one more connection of `ip`. If admitted, {@link leave} must be called once when it closes. */
  enter(ip: string): Admission {
    if (this.#connections > 0 && this.#total >= this.#connections) {
      return this.#refuse(
        "total",
        `the limit of ${this.#connections} connections is reached; try again later`,
      );
    }
    if (this.#freeDescriptors() < netLimits.descriptorHeadroom) {
      return this.#refuse(
        "descriptors",
        "no file descriptors are left for more connections; try again later",
      );
    }
    const block = addressBlock(ip);
    if (this.#limited(ip)) {
      const open = this.#open.get(block) ?? 0;
      if (this.#perAddress > 0 && open >= this.#perAddress) {
        return this.#refuse("address", `${block} has ${open} connections, the limit for one address`);
      }
      if (!this.#takeToken(block)) {
        return this.#refuse(
          "rate",
          `${block} opens more than ${this.#newPerSecond} connections a second; try again more slowly`,
        );
      }
    }
    this.#open.set(block, (this.#open.get(block) ?? 0) + 1);
    this.#total += 1;
    this.counters.admitted += 1;
    return { admitted: true };
  }

  /** A connection that was admitted has closed. */
  leave(ip: string): void {
    const block = addressBlock(ip);
    const open = this.#open.get(block);
    if (open === undefined) return;
    if (open === 1) this.#open.delete(block);
    else this.#open.set(block, open - 1);
    this.#total -= 1;
  }

  #limited(ip: string): boolean {
    return this.#limitLoopback || !isLoopback(ip);
  }

  #refuse(reason: RefusalReason, message: string): Admission {
    this.counters.refused[reason] += 1;
    return { admitted: false, reason, message };
  }

  #takeToken(block: string): boolean {
    if (this.#newPerSecond === 0) return true;
    const now = this.#clock.monotonic();
    const most = this.#newPerSecond * doorLimits.burstSeconds;
    const bucket = this.#buckets.get(block) ?? { tokens: most, at: now };
    this.#buckets.delete(block);
    this.#buckets.set(block, bucket);
    if (this.#buckets.size > doorLimits.addresses) {
      const [oldest] = this.#buckets.keys();
      if (oldest !== undefined) this.#buckets.delete(oldest);
    }
    bucket.tokens = Math.min(most, bucket.tokens + ((now - bucket.at) / 1_000) * this.#newPerSecond);
    bucket.at = now;
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
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
