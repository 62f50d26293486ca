/** Limits of the Redis backplane, by the rules of limits.ts. */

export const redisLimits = {
  /** From dialling to an open connection. */
  connectMs: 5_000,
  /** Commands unanswered for this long, with nothing answered meanwhile: the connection is given up for another. */
  commandMs: 3_000,
  /**
   * First and longest wait before connecting again. The longest is what everybody waits for who writes when Redis is back, and
   * all it costs is eight refused connections a second and server.
   */
  reconnectMs: 50,
  reconnectMostMs: 250,
  /** A server that starts and cannot reach Redis for this long does not start: whoever starts it should see why. */
  startMs: 10_000,
  /** A call that Redis could not serve for this long fails as `unavailable`; as backplaneLimits.publishMs. */
  callMs: 10_000,
  /** Between two tries of a call while Redis cannot serve it. */
  retryMs: 50,
  /** A server's sign of life; a server whose last is older than the lease is gone, and its sessions go into grace. */
  beatMs: 1_000,
  leaseMs: 4_000,
  /** An end of a session that its server began and did not finish is finished by others after this. */
  endingMs: 5_000,
  /** Between two comparisons of a followed room's position with the store's: what a lost message may cost. */
  checkMs: 2_000,
  /** In so many parts, each in its own turn, and so many rooms in one script: a tenth of a millisecond of Redis's time. */
  checkParts: 16,
  checkRooms: 64,
  /** Behind by a message for this long, a room is brought up to date: the message may still be under way. */
  behindMs: 100,
  /** Messages of one room that wait while it is brought up to date, and what each costs beside its bytes; further ones are
   * dropped, and it is brought up to date once more. */
  waitingBytes: 4 * 1_024 * 1_024,
  waitingEventBytes: 128,
  /** When that failed because the store is away for long: until the next attempt. */
  catchUpRetryMs: 1_000,
  /** A subscription that did not bring this server's own sign of life for this long is dead, and made again. */
  deafMs: 4_000,
  /** Idempotency keys remembered a room, counted in its entries. About 120 bytes of Redis's memory each. */
  keyWindowEntries: 100_000,
  /** Direct messages of one inbox of which it is remembered where their copy goes, until they are logged: more than one
   * session may have under way; what is left is of sessions that ended in the middle. */
  copiesAddressed: 1_000,
  /** Publishes in one script, of one room or several: below a millisecond of Redis's time. */
  batchEntries: 64,
  /** The same in bytes. */
  batchBytes: 256 * 1_024,
  /** Publishes waiting or under way in one server; further ones fail at once. */
  publishesUnderWay: 200_000,
  /** The same in bytes of bodies: what a server keeps to repeat while Redis is away; as keeperLimits.callBytesUnderWay. */
  publishBytesUnderWay: 64 * 1_024 * 1_024,
  /** Entries and bytes of one page while a room is brought up to date. */
  pageEntries: 200,
  pageBytes: 512 * 1_024,
  /** Rooms compared at a time: some ms of Redis's time. */
  comparedAtOnce: 256,
  /** Ends of sessions that Redis could not do and that are tried at one beat, likewise. */
  owedAtOnce: 200,
  /** Instances of which it is remembered that positions were compared with them: nodes of a Cluster, since their last failovers. */
  comparisons: 1_024,
  /** Rooms whose highest position a server remembers, to find out if the store has lost some. */
  positions: 50_000,
} as const;
