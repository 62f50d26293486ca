/** Limits of the keeper, by the rules of limits.ts. */

const KiB = 1024;
const MiB = 1024 * KiB;

/** The keeper and its servers. */
export const keeperLimits = {
  /** One frame: the snapshot of a room with some hundred thousand members. */
  frameBytes: 64 * MiB,
  /** One frame of consecutive entries of a room: about where another is begun. */
  entriesBytes: 128 * KiB,
  /** One frame of publishes: about where another is begun. Small beside a turn's bytes, which may cut a frame in two. */
  publishesBytes: 16 * KiB,
  /** Rooms that a server has a number for towards the keeper; with more it begins again and names them anew. */
  roomNumbers: 16_384,
  /** What the keeper takes on in one turn: several hundred publishes, a millisecond, of which a commit's own cost is a small
   * part. */
  turnBytes: 128 * KiB,
  /** The same where each commit waits for the disk. */
  syncedTurnBytes: 4 * MiB,
  /** Unsent bytes to one server, or to the keeper; beyond it the other side hangs, and the connection is closed. */
  outboxBytes: 64 * MiB,
  /** Calls of one server under way; further ones fail at once. All its sessions with all they may have in flight. */
  callsUnderWay: 200_000,
  /** The same in bytes of bodies: what a server keeps to repeat after a takeover. */
  callBytesUnderWay: 64 * MiB,
  /** One page of what a room missed while a keeper was gone: about two milliseconds of reading, in a turn of its own. */
  recoveryEntries: 500,
  recoveryBytes: 1 * MiB,
  /** Frames of the keeper that wait while that is read; above it the server reads no more of them, until half is handled. A
   * chunk of a socket, half a MiB, comes on top. What it leaves unread waits with the kernel and in `outboxBytes`. */
  waitingBytes: 4 * MiB,
  /** What each of them costs beside its bytes. */
  waitingFrameBytes: 128,
  /** The keeper is heard at least this often, however quiet it is. */
  beatMs: 150,
  /** A keeper that was not heard for so many beats in a row, and is stopped or gone or cannot be seen, hangs: another is
   * elected. */
  silentBeats: 4,
  /** The same for one whose process is seen to run: a slow disk can make a commit take seconds. */
  patientBeats: 34,
  /** From dialling to the keeper's welcome. A new one loads a million keys first. */
  helloMs: 5_000,
  /** Without a keeper that can write for this long a server says that its log is down; shorter pauses are takeovers. For as
   * long a keeper waits for a lock of another program before it says so, and refuses what has arrived. */
  downMs: 2_000,
  /** How long a stopping server waits for its last answers. */
  lingerMs: 1_000,
  /** A server pings this often; also how often the round trip is measured. */
  pingMs: 1_000,
  /** A server that was not heard for this long hangs: its sessions go into grace, for other servers to take over. */
  serverSilenceMs: 5_000,
  /** Between two attempts to be elected while another holds the lock. */
  candidateMs: 20,
  /** A write lock held this long by a keeper that is stopped (SIGSTOP) will not be given back: it is killed. */
  stuckLockMs: 1_500,
  /** After a failed write (a full disk) the next attempt comes this much later; calls until then fail at once. */
  storeRetryMs: 500,
  /** Between two lines in the log that say that history cannot be read: readers ask again and again. */
  unreadableMs: 60_000,
  /** Journal entries, their bytes, and their age at which they are moved to where each room's log lies together. The
   * more there are of a room, the less each costs; but every server that reads history has them in memory. */
  journalEntries: 16_384,
  journalBytes: 8 * MiB,
  journalMs: 5_000,
  /** Entries of a room that are moved together become rows of up to so many bytes (a single entry may be longer): rows are
   * nearly free then, and a page of history, which takes whole rows apart, reads little more than it needs. */
  blockBytes: 16 * KiB,
  /** One slice of moving or trimming. Publishes wait no longer than this for it. */
  sliceMs: 1,
  /** Messages indexed for the search in one transaction of the index: some ms, in a thread of its own. */
  indexEntries: 500,
  /**
   * How many times as long as it works the indexing rests, while there is more to do: a twentieth of one core at most,
   * some 2,000 messages a second. Under load a fifth was a sixth of what a delivery cost; what is not indexed yet is
   * found all the same, by looking at it.
   */
  indexRest: 19,
  /** From an election to the indexing, and with nothing left to do until it looks again. What came meanwhile is found
   * without the index. */
  indexEveryMs: 2_000,
  /** Messages that a search looks at one by one, where the index does not help; its answer says where to go on. */
  searchEntries: 10_000,
  /** The same in time: a very common word may have a million candidates. */
  searchMs: 1_000,
  /** Searches of one server that wait for their turn; further ones fail at once. */
  searchesUnderWay: 64,
  /** A search thread that nobody has asked for this long ends: eight megabytes for nothing. */
  searchIdleMs: 60_000,
  /** Written bytes after which a checkpoint runs, beside the commits. */
  walBytes: 16 * MiB,
  /** Written bytes after which commits wait until a checkpoint has caught up, so that the WAL starts over; a quarter more
   * while a checkpoint that runs is waited for. */
  walMostBytes: 256 * MiB,
} as const;
