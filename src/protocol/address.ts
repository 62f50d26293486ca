/**
 * Addresses as people write them.
 *
 * `8001`, `127.0.0.1:8001`, `chat.example.org:8001`, `[::1]:8001`, and lists of these with commas. Parsing is strict and
 * quotes what it refuses, because a misread address fails much later and far away ("connection refused").
 *
 * Invariant: parseAddress(formatAddress(a)) equals a, for every address this module returns.
 */
import { isIP } from "node:net";
import { plainIp } from "./ip.ts";
import { balancerLimits } from "./limits.balancer.ts";
import { quote } from "./names.ts";

/** Where to listen or connect. `host` is an IP address without brackets or a DNS name in lower case. */
export interface Address {
  readonly host: string;
  /** 0 to 65535; 0 means "any free port", which makes sense only for listening. */
  readonly port: number;
}

/** What a written address lacks. */
export interface AddressDefaults {
  /** For a bare port. Default 127.0.0.1. */
  readonly host?: string;
  /** For a bare host; without it a port must be written. */
  readonly port?: number;
}

/** An address that cannot be read: the message quotes it and shows how to write it. */
export class AddressError extends Error {
  override readonly name = "AddressError";
}

const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
const IPV4_LIKE = /^[\d.]+$/;

/**
 * A port number.
 * @throws AddressError unless it is a whole number from 0 to 65535, written in digits
 */
export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port < 0 || port > 65_535) {
    throw new AddressError(`${quote(text)} is not a port; write a number from 0 to 65535`);
  }
  return port;
}

/**
 * A host: an IPv4 address, an IPv6 address without brackets, or a DNS name (returned in lower case, without a final dot).
 * @throws AddressError
 */
export function parseHost(text: string): string {
  if (isIP(text) !== 0) return text;
  const name = text.toLowerCase().replace(/\.$/, "");
  const isName =
    name.length <= 253 && !IPV4_LIKE.test(name) && name.split(".").every((label) => LABEL.test(label));
  if (!isName) throw new AddressError(`${quote(text)} is not a host name or an IP address`);
  return name;
}

/**
 * One address: `port`, `host:port`, `[v6]:port`, or `host` where a default port is given.
 * @throws AddressError
 */
export function parseAddress(text: string, defaults: AddressDefaults = {}): Address {
  const host = defaults.host ?? "127.0.0.1";
  if (text === "") throw new AddressError(`"" is not an address; write a port, host:port or [v6]:port`);
  if (/^\d+$/.test(text)) return { host, port: parsePort(text) };

  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed) {
    const [, v6 = "", port] = bracketed;
    if (isIP(v6) !== 6) throw new AddressError(`${quote(v6)} in ${quote(text)} is not an IPv6 address`);
    return { host: v6, port: portOf(text, port, defaults) };
  }
  if (isIP(text) === 6) {
    throw new AddressError(`${quote(text)} is ambiguous; write an IPv6 address in brackets: [${text}]:PORT`);
  }
  const colon = text.lastIndexOf(":");
  if (colon === -1) return { host: parseHost(text), port: portOf(text, undefined, defaults) };
  if (colon === 0)
    throw new AddressError(`${quote(text)} names no host; write ${text.slice(1)} or host${text}`);
  return { host: parseHost(text.slice(0, colon)), port: portOf(text, text.slice(colon + 1), defaults) };
}

function portOf(text: string, port: string | undefined, defaults: AddressDefaults): number {
  if (port !== undefined) return parsePort(port);
  if (defaults.port === undefined) throw new AddressError(`${quote(text)} names no port; write ${text}:PORT`);
  return defaults.port;
}

/**
 * Addresses separated by commas; spaces around them are ignored. At least one, each only once.
 * @throws AddressError
 */
export function parseAddressList(text: string, defaults: AddressDefaults = {}): readonly Address[] {
  const seen = new Set<string>();
  return splitList(text).map((part) => {
    const address = parseAddress(part, defaults);
    refuseTwice(seen, address, text);
    return address;
  });
}

/** Where a client connects: an address, with TLS or without. */
export interface ServerAddress extends Address {
  readonly tls?: true;
}

const TLS_SCHEME = /^tls:\/\//i;

/**
 * Addresses of servers separated by commas; `tls://` before one asks for TLS.
 * @throws AddressError
 */
export function parseServerList(text: string, defaults: AddressDefaults = {}): readonly ServerAddress[] {
  const seen = new Set<string>();
  return splitList(text).map((part) => {
    const address = parseAddress(part.replace(TLS_SCHEME, ""), defaults);
    refuseTwice(seen, address, text);
    return TLS_SCHEME.test(part) ? { ...address, tls: true } : address;
  });
}

/** What {@link parseServerList} reads back. */
export function formatServer(address: ServerAddress): string {
  return `${address.tls === true ? "tls://" : ""}${formatAddress(address)}`;
}

/** A backend with its share: of weight 2 it gets twice as many sessions as one of weight 1. */
export interface WeightedAddress extends Address {
  /** 1 to 256, as in HAProxy. */
  readonly weight: number;
}

/**
 * Addresses with optional weights: `8001*3,8002`.
 * @throws AddressError
 */
export function parseWeightedList(text: string, defaults: AddressDefaults = {}): readonly WeightedAddress[] {
  const seen = new Set<string>();
  return splitList(text).map((part) => {
    const star = part.lastIndexOf("*");
    const written = star === -1 ? "1" : part.slice(star + 1);
    const weight = /^\d{1,3}$/.test(written) ? Number(written) : 0;
    if (weight < 1 || weight > balancerLimits.weight) {
      throw new AddressError(
        `${quote(written)} in ${quote(part)} is not a weight; write a number from 1 to ${balancerLimits.weight}`,
      );
    }
    const address = parseAddress(star === -1 ? part : part.slice(0, star), defaults);
    refuseTwice(seen, address, text);
    return { ...address, weight };
  });
}

function splitList(text: string): string[] {
  const parts = text.split(",").map((part) => part.trim());
  if (parts.some((part) => part === "")) {
    throw new AddressError(
      `${quote(text)} is not a list of addresses; write them with single commas: 8001,8002`,
    );
  }
  return parts;
}

function refuseTwice(seen: Set<string>, address: Address, text: string): void {
  const written = formatAddress(address);
  if (seen.has(written))
    throw new AddressError(`${written} is twice in ${quote(text)}; name each address once`);
  seen.add(written);
}

/** `host:port`, with brackets around an IPv6 address: what {@link parseAddress} reads back. */
export function formatAddress(address: Address): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/**
 * True if only this machine can reach a listener on `host`. A name other than `localhost` is not looked up, so
 * `127.0.0.1.example.org` is not loopback.
 */
export function isLoopback(host: string): boolean {
  const ip = plainIp(host);
  return host === "localhost" || ip === "::1" || (isIP(ip) === 4 && ip.startsWith("127."));
}
