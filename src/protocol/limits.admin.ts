/** Limits of the admin endpoint, by the rules of limits.ts. */

const KiB = 1024;

/** The admin endpoint. */
export const adminLimits = {
  /** A request's body: a whole list of backends with room to spare. */
  bodyBytes: 64 * KiB,
  /** Shortest token accepted: 16 random characters cannot be guessed at the rate below. */
  tokenLength: 16,
  /** Wrong tokens of one address in a window before it has to wait. */
  failuresPerWindow: 10,
  failureWindowMs: 60_000,
  /** Addresses whose failures are remembered. */
  failureAddresses: 4_096,
  /** How long a browser that gave the token stays signed in, and how many at once. */
  cookieMs: 12 * 3_600_000,
  cookies: 64,
  /** Open event streams: dashboards, not an API for crowds. */
  streams: 64,
  /** Between two pictures on an event stream. */
  streamMs: 1_000,
  /** Sessions on one page of the list. */
  sessionsPage: 100,
  sessionsPageMost: 1_000,
} as const;
