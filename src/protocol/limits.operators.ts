/** Limits of operators, by the rules of limits.ts. */

/** What operators may do to others. */
export const operatorLimits = {
  /** Characters of their secret: more than can be guessed at a request's rate, whoever chose it. */
  secretLeast: 16,
  secretMost: 128,
  /** Wrong ones of one connection, after which it is closed: each is a line in the server's log. */
  wrongSecrets: 3,
  /** Characters of the reason that is told to whoever is put out: a line. */
  reasonLength: 200,
  /** Seconds a ban may be for: a year and a day; longer is for good. */
  banSeconds: 367 * 86_400,
  /** Bans that hold at once. Every server has all of them in memory, and one reply names all. */
  bans: 1_000,
  /** Shortest network that may be banned, bits: a sixteenth of a percent of all addresses of IPv4, a provider's of IPv6. */
  networkBits: { 4: 8, 6: 16 },
} as const;
