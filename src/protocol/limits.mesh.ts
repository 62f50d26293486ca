/**
 * The bounds of peer mode, each with its reason; the companion of limits.ts for what no server ever sees.
 *
 * Those marked (protocol) are checked on what others send, so every peer must hold the same value: changing one means a
 * new version of the mesh protocol. The others are local and may differ from peer to peer. Sizes are bytes and times
 * milliseconds, unless the name says otherwise.
 */

const KiB = 1024;
const MiB = 1024 * KiB;
const HOUR = 3_600_000;

/** One entry of the log. All (protocol). */
export const entryLimits = {
  /** A whole encoded entry: the largest body, sixteen parents and the fixed part. */
  entryBytes: 20 * KiB,
  /** The body: a text of 8 KiB sealed, or the keys of a rotation for fifty members, with room to grow. */
  bodyBytes: 16 * KiB,
  /** A room name in UTF-8: 32 code points of at most four bytes. */
  roomBytes: 128,
  /** Causal parents besides the author's own previous entry. More heads than this wait for the next entry. */
  parentsMost: 16,
  /** Entries of one author's chain; a 32-bit sequence is a message a second for 136 years. */
  sequenceMost: 0xffff_ffff,
  /** Largest clock, in microseconds: what a JSON number holds exactly, the year 2255. */
  clockMost: Number.MAX_SAFE_INTEGER,
} as const;

/** The log as one peer keeps it. */
export const logLimits = {
  /**
   * How far ahead of the own clock an entry may be. Beyond it the entry is held back until time catches up. A machine
   * whose time zone is set wrong is off by up to 26 hours (UTC-12 to UTC+14) and must still be heard at once.
   */
  clockAheadMs: 26 * HOUR,
  /** Entries that wait for a missing parent; when full the oldest is dropped, and a later sync brings it again. */
  waitingEntries: 2_048,
  /** The same in bytes. */
  waitingBytes: 8 * MiB,
  /** Chains and branches of one author: one a lost disk, one a fork. More are refused unless others built on them. */
  tipsPerAuthor: 64,
  /**
   * After the last own entry, until the store is settled: while it is not, a power cut costs one of those 64 chains, and
   * after it the next own entry waits for a sync. Much longer than between lines of a program that writes many.
   */
  settleMs: 1_000,
  /** Chains and branches in the whole mesh, of those that are not their author's first; as many fit one frame. */
  tipsMost: 2_048,
} as const;

/** A log on disk. */
export const storeLimits = {
  /** The tail that is moved into the log every tick: some hundred messages. */
  tailBytes: 128 * KiB,
  /** An append that goes to the tail; larger ones are pages, of which the log takes a whole one as cheaply. */
  tailAppendBytes: 32 * KiB,
} as const;

/** Who belongs to a mesh. */
export const membershipLimits = {
  /** Active members. A full mesh of 50 is 1,225 links; beyond that people want a server. */
  members: 50,
  /**
   * Keys that one removal seals the new secret to: 198 bytes each, so that all fit one body. Somebody gone bad may have
   * admitted more than the mesh may have, and must be removable all the same.
   */
  sealedMost: 80,
  /** Addresses one member announces: a few interfaces in two families, and names. (protocol) */
  addressesPerMember: 16,
  /** Characters of one `host:port`: a DNS name of 253 and a port. (protocol) */
  addressLength: 262,
} as const;

/** What is exchanged on a link. */
export const syncLimits = {
  /** One frame. A list of all tips is the largest: 2,048 × 78 bytes. (protocol) */
  frameBytes: 256 * KiB,
  /** Entries in one frame. (protocol) */
  entriesPerFrame: 256,
  /** Encoded entries in one page of an answer; small enough that chat between two pages is not held up. */
  pageBytes: 64 * KiB,
  /** Own entries named in a wish for one chain; with gaps growing four-fold, 16 reach back 2^32 entries. (protocol) */
  locatorMost: 32,
  /** The same in one frame: with 2,048 tips missing, two each still fit. */
  locatorsMost: 4_096,
  /** Branches followed for one page, from what is wished back to what is known: a few milliseconds. */
  stepsMost: 16_384,
  /** Tips that one peer claims and we lack, remembered: of those that a log may hold too many of, some frames full. */
  missingMost: 8_192,
  /** A page that comes within this is prompt: peers who answer so are asked in turn. */
  promptMs: 1_000,
  /** So many times as long as a page was late its sender is not asked while others can be: a quarter of the time at most. */
  restFactor: 3,
  /** Between two rounds of anti-entropy on one link. */
  antiEntropyMs: 30_000,
  /** A round starts up to this much earlier, by chance, so that fifty peers do not speak at once. */
  antiEntropyJitterMs: 5_000,
  /** Between two digests sent to one peer out of turn. */
  gapMs: 1_000,
  /** A link that ended may have swallowed what was sent on it this long before; no keep-alive is slower to notice. */
  sparedMs: 60_000,
  /** An unanswered page is asked of somebody else. Long enough for a page over a modem. */
  pageMs: 10_000,
  /** Pages without anything new, before a peer's claims are not believed for `disbeliefMs`. */
  emptyPagesMost: 3,
  /** How long. */
  disbeliefMs: 5 * 60_000,
  /** Receipts to authors are gathered this long, so that a burst of messages costs one frame back. */
  receiptMs: 150,
  /** What came in pages is made known this much later: after a partition everybody fetches the same, and needs no news. */
  newsMs: 1_000,
  /** The list of own links is announced at most this often. */
  linksMs: 500,
} as const;

/** What one peer may send unasked. Pages that we asked for are not counted. */
export const floodLimits = {
  /** New entries a second, sustained. Above it they are dropped and fetched later at our own pace. */
  entriesPerSecond: 500,
  /** Entries in one burst. */
  entriesBurst: 2_000,
  /** Frames a second, sustained, of any type. */
  framesPerSecond: 500,
  /** Frames in one burst. */
  framesBurst: 2_000,
  /** Bytes a second in frames that nobody asked for, sustained: decoding costs by the byte. */
  bytesPerSecond: 2 * MiB,
  /** Bytes in one burst. */
  bytesBurst: 16 * MiB,
  /** Pages a second we ask one peer for, half of what it answers, so that fetching a long log is never a flood. */
  pagesAskedPerSecond: 50,
  /** Pages asked for in one burst. */
  pagesAskedBurst: 100,
  /** Pages a second we answer; each costs us up to `pageBytes` and a look into the store. */
  pagesPerSecond: 100,
  /** Pages in one burst. */
  pagesBurst: 200,
  /**
   * Entries that say who belongs are gone through from the first, and everybody is described anew, whenever one comes:
   * so many of them cost as much as taking one other entry, or as asking for a page. In a mesh that has what it may have
   * that is nothing; who admits ten thousand keys may do so twice a second and no more.
   */
  governingPerEntry: 40,
  governingPerPage: 400,
  /** Frames dropped for flooding, before the link is closed. */
  droppedFramesMost: 10_000,
  /** So long after a link ended its peer's use of all this is remembered: more than any of it takes to refill. */
  rememberMs: 60_000,
  /** Between two times that people are told of one peer's clock. */
  skewPauseMs: 5 * 60_000,
  /** Faults of a peer remembered for `/why`. */
  faultsRemembered: 20,
} as const;

/** Dialling. */
export const dialLimits = {
  /** First pause after a failure, of one address. Doubles up to `backoffMostMs`, half of it by chance. */
  backoffFirstMs: 1_000,
  /** Longest pause. A laptop that wakes up is found within a minute. */
  backoffMostMs: 60_000,
  /** Attempts at once, so that a mesh of fifty does not open fifty sockets in one instant. */
  concurrent: 8,
  /** The same of one peer, who may announce addresses at which nobody ever answers. */
  concurrentPerPeer: 3,
  /** The peer with the larger key lets the other one dial first for this long. */
  courtesyMs: 5_000,
  /** Between two addresses of one peer that are tried side by side (RFC 8305 says 250; a VPN may need longer). */
  staggerMs: 500,
  /** After a link ended, the first attempt is up to this much later, so that a mesh does not redial as one. */
  lostJitterMs: 500,
} as const;
