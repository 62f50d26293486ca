/**
 * What names a backend: `8001`, `host:8001`, `[::1]:8001`, each with `*3` behind it for a weight.
 *
 * The written form is also the identity. It is therefore brought to one spelling (a bare port is on 127.0.0.1, v6 is
 * compressed and bracketed, host names are lower case), so that a backend cannot be in a list twice by two spellings.
 */
import { isIP } from "node:net";
import { balancerLimits } from "../protocol/limits.ts";
import { quote } from "../protocol/names.ts";

/** One entry of the list of backends. */
export interface BackendSpec {
  /** An address without brackets, or a host name in lower case. */
  readonly host: string;
  readonly port: number;
  /** Share of sessions relative to the others; 0 takes no new sessions. */
  readonly weight: number;
}

/** An entry that cannot be used; the message says which and what would do. */
export class BackendAddressError extends Error {
  override readonly name = "BackendAddressError";
}

const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/;
const forms =
  'a backend is a port, host:port or [v6]:port, with an optional weight behind it, such as "8001*3"';

/** `127.0.0.1:8001`, `[::1]:8001`: how an address and a port are shown and compared. */
export function formatAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** One spelling for each v6 address (RFC 5952), as the URL standard's parser gives it. */
function canonicalHost(host: string): string {
  if (isIP(host) !== 6 || host.includes("%")) return host.toLowerCase();
  return new URL(`http://[${host}]/`).hostname.slice(1, -1);
}

function parseWhole(text: string, most: number): number | undefined {
  if (!/^\d{1,6}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= most ? value : undefined;
}

/**
 * Reads one entry.
 * @throws BackendAddressError
 */
export function parseBackend(text: string): BackendSpec {
  const trimmed = text.trim();
  const [, address = "", weightText] = /^([^*]*)(?:\*(.*))?$/s.exec(trimmed) ?? [];
  const weight = weightText === undefined ? 1 : parseWhole(weightText.trim(), balancerLimits.weight);
  if (weight === undefined) {
    throw new BackendAddressError(
      `weight of backend ${quote(trimmed)} is not a whole number from 0 to ${balancerLimits.weight}`,
    );
  }
  const split = /^(?:(?:\[([^\]]*)\]|([^:[\]]*)):)?([^:]*)$/s.exec(address.trim());
  const port = parseWhole(split?.[3] ?? "", 65_535);
  const v6 = split?.[1];
  const host = (v6 ?? split?.[2] ?? "127.0.0.1").toLowerCase();
  const fits = v6 === undefined ? isIP(host) === 4 || isHostName(host) : isIP(v6) === 6;
  if (split === null || port === undefined || port === 0 || !fits) {
    throw new BackendAddressError(`backend ${quote(trimmed)} is not usable; ${forms}`);
  }
  return { host: canonicalHost(host), port, weight };
}

/** A name, and not four numbers that are no address (`1.2.3.999`). */
function isHostName(host: string): boolean {
  return HOST_NAME.test(host) && !/^[\d.]+$/.test(host);
}

/**
 * Reads a comma- or space-separated list, or lines with `#` comments.
 * @throws BackendAddressError on a bad entry, a repeated one, or too many
 */
export function parseBackends(text: string): BackendSpec[] {
  const entries = text
    .split("\n")
    .map((line) => line.replace(/#.*$/, ""))
    .join(",")
    .split(/[,\s]+/)
    .filter((entry) => entry !== "");
  return checkList(entries.map(parseBackend));
}

/**
 * What holds for a list as a whole.
 * @throws BackendAddressError
 */
export function checkList(specs: readonly BackendSpec[]): BackendSpec[] {
  if (specs.length > balancerLimits.backends) {
    throw new BackendAddressError(
      `${specs.length} backends are too many; the limit is ${balancerLimits.backends}`,
    );
  }
  const seen = new Set<string>();
  for (const spec of specs) {
    const id = formatAddress(spec.host, spec.port);
    if (seen.has(id))
      throw new BackendAddressError(`backend ${quote(id)} is named twice; name it once, with a weight`);
    seen.add(id);
  }
  return [...specs];
}

/** The key that limits and logs use for an address: v4 whole, v6 by its /64, v4-mapped v6 as v4. */
export function addressBlock(ip: string): string {
  const version = isIP(ip);
  if (version !== 6) return ip;
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
