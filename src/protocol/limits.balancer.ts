/** Limits of the balancer, its door and its admin endpoint, by the rules of limits.ts. */

const KiB = 1024;
const MiB = 1024 * KiB;

/** The balancer: choosing, checking, moving. */
export const balancerLimits = {
  /** Backends in one list: each costs a trunk and a check; above this a second tier is the better shape. */
  backends: 256,
  /** Largest weight, as in HAProxy and nginx: finer shares than 1/256 cannot be told apart. */
  weight: 256,
  /** From dialling to a connected trunk socket. Long enough for two lost SYNs (1 s + 2 s), then the next backend. */
  connectMs: 5_000,
  /** Between two checks of a backend, give or take `checkJitter`, so that many balancers do not check in step. */
  checkMs: 2_000,
  /** The least that may be chosen for it: a check asks whether a report has come since the last one, and they come every
   * `trunkLimits.beatMs`; with a shorter interval good servers would be called silent. */
  checkLeastMs: 500,
  /** Part of an interval by which each check may come earlier or later. */
  checkJitter: 0.2,
  /** Between checks while a backend is on its way up or down: the verdict should not wait for the slow rhythm. */
  fastCheckMs: 500,
  /** Dials in the fast rhythm after a trunk ended, before the slow one: a restarted server is back in seconds. */
  fastDials: 10,
  /** How long a server cannot reach its log before its people are moved to one that can: where all share the trouble, all
   * have noticed by then, and moving would help nobody. */
  noLogMs: 3_000,
  /** A round trip of a check that is worth a word: people notice as much in every answer. */
  slowMs: 250,
  /** Message rates kept a backend, one a check: two minutes of them. */
  rates: 60,
  /** Good checks in a row that bring a backend back: one may be luck. */
  rise: 2,
  /** Bad checks in a row that take a backend out: one may be a lost packet, two a pause for garbage. */
  fall: 3,
  /** Session failures in a row that eject a backend whose checks are good. */
  ejectAfter: 5,
  /** Failures further apart than this are not in a row: one a minute is bad luck, not a bad backend. */
  failuresApartMs: 60_000,
  /** A trunk that dies this soon after it came up counts as a session failure: a backend that flaps. */
  flapMs: 10_000,
  /** First ejection; the n-th lasts n times as long. */
  ejectMs: 30_000,
  /** Longest ejection: after five minutes anything deserves a new try. */
  ejectMsMost: 300_000,
  /** From recovery to full weight: caches warm, and a backend that breaks under load breaks with few sessions. */
  slowStartMs: 10_000,
  /** Weight at the beginning of a slow start, as a part of the full one. */
  slowStartLeast: 0.1,
  /** Sessions a second that a drain moves if nothing is said: 10,000 sessions in under a minute and a half. */
  drainRate: 128,
  /** When a drain moves all that is left at once. */
  drainDeadlineMs: 120_000,
  /** A server that stops gives its edges about this long before it closes its trunks (see shutdownMs). */
  hubDrainMs: 5_000,
  /** Between two steps of a drain or rebalance: small enough that a rate of ten a second looks even. */
  moveTickMs: 100,
  /** Most sessions a second that anybody may ask a drain or a rebalance for: a hand-over costs the hub a few reads. */
  moveRate: 10_000,
  /** Names are resolved again this often: the usual time to live of cloud load-balanced names. */
  resolveMs: 30_000,
  /** From SIGTERM to closing whoever is still there: below the ten seconds after which service managers kill. */
  shutdownMs: 8_000,
  /** Clients of a balancer that stops come back after this long, and a random part of `comeBackJitterMs`: another
   * balancer may be there at once, this one's successor in a second or two. */
  comeBackMs: 200,
  comeBackJitterMs: 2_000,
  /** In about this long a worker that was replaced has sent all its clients to its successor, but for those that the door
   * would not let in as fast. A hundred and sixty a second of ten thousand, as in a drain. */
  retireMs: 60_000,
  /** How often workers that leave are asked what they have counted, which is lost with them. */
  retireLookMs: 1_000,
  /** How long new workers may take to reach the servers before they are given up and the old ones stay. */
  warmMs: 5_000,
  /** How often it is looked whether they have. */
  warmPollMs: 50,
  /** A list of backends, or a token, in a file: as many of the longest names as there may be backends, and comments. */
  namedFileBytes: 1 * MiB,
  /** Processes of one balancer: more than cores is waste, more than this a typing error. */
  workers: 64,
} as const;

/** The door: what a stranger may take before saying anything. */
export const doorLimits = {
  /** Open connections of one address (v6: one /64, the smallest block a customer gets). A large office behind one NAT. */
  connectionsPerAddress: 1_000,
  /** New connections a second of one address, sustained; the whole of such an office reconnects in ten seconds. */
  newPerSecondPerAddress: 100,
  /** Saved-up allowance of that rate, in seconds of it. */
  burstSeconds: 2,
  /** Addresses remembered at once; the longest idle is forgotten first. 100 bytes each. */
  addresses: 65_536,
  /** A PROXY header: v1 has at most 107 bytes, v2 in practice below 600; more is not a proxy. */
  proxyHeaderBytes: 2_048,
} as const;

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
