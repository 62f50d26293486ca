/**
 * Who may use the admin endpoint, decided before any route.
 *
 * On loopback without a token everybody on the machine may. That makes browsers the danger: a page from anywhere can
 * send requests to 127.0.0.1. Therefore the Host must be one of ours (against DNS rebinding), changes must be JSON and
 * must not come from a page of another origin, and no CORS header is ever sent. Beyond loopback there is a token, as
 * a bearer or, for browsers, as a cookie that {@link SessionCookies} hands out; wrong ones are counted by address.
 *
 * Probes (/livez, /readyz) need no token: they tell nothing but a word.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { isIP } from "node:net";
import { isLoopback, parseHost } from "../protocol/address.ts";
import type { Clock } from "../protocol/clock.ts";
import { addressBlock } from "../protocol/ip.ts";
import { adminLimits } from "../protocol/limits.balancer.ts";

/** A set-up that would be open to strangers; the message says what to do. */
export class AdminConfigError extends Error {
  override readonly name = "AdminConfigError";
}

/**
 * Checks that an endpoint on `host` is safe to open.
 * @throws AdminConfigError beyond loopback without a token, and for tokens that can be guessed
 */
export function checkExposure(host: string, token: string | undefined): void {
  if (token !== undefined && token.length < adminLimits.tokenLength) {
    throw new AdminConfigError(
      `the admin token has ${token.length} characters; use at least ${adminLimits.tokenLength}, such as from: openssl rand -hex 16`,
    );
  }
  if (token === undefined && !isLoopback(host)) {
    throw new AdminConfigError(
      `the admin endpoint on ${host} would be open to the network; ` +
        "give --admin-token or --admin-token-file, or listen on 127.0.0.1",
    );
  }
}

/** The host of a Host header or a URL, without port and brackets; undefined if it cannot be one. */
function hostOf(header: string): string | undefined {
  const [, v6, name] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::\d{1,5})?$/.exec(header.trim()) ?? [];
  try {
    return parseHost(v6 ?? name ?? "");
  } catch {
    return undefined;
  }
}

/**
 * Whether a Host header names this endpoint. Addresses always do: a page can rebind its own name to 127.0.0.1, but not
 * make a browser send an address as Host.
 * @param names further names that are ours
 */
export function isOwnHost(header: string | undefined, names: readonly string[]): boolean {
  const host = header === undefined ? undefined : hostOf(header);
  return host !== undefined && (isIP(host) !== 0 || host === "localhost" || names.includes(host));
}

/** Whether a request that changes something comes from a page of another origin. Programs send no Origin. */
export function isForeignOrigin(origin: string | undefined, hostHeader: string | undefined): boolean {
  if (origin === undefined) return false;
  const url = URL.parse(origin);
  return url === null || url.host.toLowerCase() !== (hostHeader ?? "").trim().toLowerCase();
}

/** Equal, in a time that tells nothing about where they differ. */
export function sameSecret(one: string, other: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

/** Counts wrong tokens in fixed windows, by what one customer has of addresses. Bounded: the oldest are forgotten first. */
export class FailureLimit {
  readonly #clock: Clock;
  readonly #failures = new Map<string, { count: number; since: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Seconds to wait before the next try; 0 if it may be now. */
  wait(address: string): number {
    const block = addressBlock(address);
    const entry = this.#failures.get(block);
    if (entry === undefined) return 0;
    const left = entry.since + adminLimits.failureWindowMs - this.#clock.monotonic();
    if (left <= 0) this.#failures.delete(block);
    return left > 0 && entry.count >= adminLimits.failuresPerWindow ? Math.ceil(left / 1_000) : 0;
  }

  fail(address: string): void {
    const block = addressBlock(address);
    const entry = this.#failures.get(block) ?? { count: 0, since: this.#clock.monotonic() };
    entry.count += 1;
    this.#failures.delete(block);
    this.#failures.set(block, entry);
    if (this.#failures.size > adminLimits.failureAddresses) {
      const [oldest] = this.#failures.keys();
      if (oldest !== undefined) this.#failures.delete(oldest);
    }
  }
}

/** Browsers that gave the right token: random cookies, of which only digests are kept, in memory. */
export class SessionCookies {
  readonly #clock: Clock;
  /** Digest to end of validity, monotonic ms. */
  readonly #known = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A new cookie value. */
  issue(): string {
    const value = randomBytes(32).toString("base64url");
    this.#known.set(digestOf(value), this.#clock.monotonic() + adminLimits.cookieMs);
    if (this.#known.size > adminLimits.cookies) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    return value;
  }

  /** Digests are looked up, so the time taken tells nothing about the value. */
  accepts(value: string | undefined): boolean {
    if (value === undefined) return false;
    const until = this.#known.get(digestOf(value));
    return until !== undefined && until > this.#clock.monotonic();
  }

  revoke(value: string): void {
    this.#known.delete(digestOf(value));
  }
}

function digestOf(value: string): string {
  return createHash("sha256").update(value).digest("base64url");
}
