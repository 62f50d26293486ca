/**
 * The bounds of peer mode's links, invites and node, each with its reason; limits.mesh.ts has those of the mesh's log.
 * Sizes are bytes and times milliseconds, unless the name says otherwise.
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/** Links between peers: strangers at the door, and what one link may hold. */
export const peerLinkLimits = {
  /** One frame before both sides have proved that they belong together: two keys and a proof, with room to grow. */
  strangerFrameBytes: 1 * KiB,
  /** One frame of an admitted peer. The largest is a page of history. */
  frameBytes: 1 * MiB,
  /** Connections between accept and admission. Fifty peers that all come back at once fit. */
  pendingMost: 64,
  /** The same from one address: several peers behind one VPN gateway or on one test machine. */
  pendingPerAddress: 32,
  /** From accept to the end of TLS, and again from there to admission. */
  handshakeMs: 5_000,
  /** From dialling to the end of TLS. Longer than three lost SYNs on a bad wireless link. */
  connectMs: 8_000,
  /** Unsent bytes of one link; beyond it the link is closed, and anti-entropy catches up on the next one. */
  outboxBytes: 8 * MiB,
  /** Above it no further frames of the mesh are taken until the outbox is empty; the core asks for the rest later. */
  outboxSoftBytes: 1 * MiB,
  /** What TLS in a relay's pipe may keep unsent before the link's own outbox does: a full window of the relay. */
  pipeKeptBytes: 64 * KiB,
  /** Between two pings. Keeps NAT and firewall state alive, which may be dropped after 30 s. */
  pingMs: 10_000,
  /** Pings answered; those of a link that works come every few seconds. */
  pingsPerSecond: 2,
  pingsAtOnce: 20,
  /** Pings that were too many, before the link is closed. */
  pingsDroppedMost: 1_000,
  /** Links that one peer may have while it does not decide which of them is kept; the oldest goes. */
  perPeerMost: 4,
  /** Without a byte from the other side for this long the link is dead: two pings unanswered. */
  silenceMs: 25_000,
  /** The same for a link that a newer connection of the same peer puts in doubt. */
  probeMs: 2_000,
  /** From shutdown to close: time for the peer to take the last bytes. */
  lingerMs: 2_000,
} as const;

/** Invites to a mesh. */
export const inviteLimits = {
  /** How long an invite is good: until tomorrow, so that it can be mailed today. */
  lifeMs: 24 * 3_600_000,
  /** How long after that a used or expired one is still recognised. */
  rememberMs: 30 * 24 * 3_600_000,
  /** Invites remembered; beyond it the oldest are forgotten, and let nobody in. */
  issuedMost: 500,
} as const;

/** What a running peer does by itself. */
export const peerNodeLimits = {
  /** Between two looks at what is due: dialling, and the core's own timers. */
  tickMs: 100,
  /** So long after its founding a mesh may be given up for another one, in which its members meet again. */
  youngMs: 10 * 60_000,
  /** After a start with addresses to join, so long a peer waits for an answer before it hosts others itself. */
  hostPatienceMs: 2_000,
  /** So long somebody who was let in may take to fetch the log, before the host may give up its mesh for another one. */
  guestMs: 3_000,
  /** Without the log for this long (to twice as long, by chance) after being let in on first use, a peer starts anew. */
  logWaitMs: 4_000,
  /** Between two looks at the machine's own addresses: a laptop changes networks. */
  interfacesMs: 10_000,
  /** What the kernel said of them serves so long: to ask takes longer than all else that showing a message does. */
  interfacesAgeMs: 1_000,
  /** Things written before the mesh's log is here; beyond it the person is told to wait. */
  draftsMost: 1_000,
  /** From a disk that refused them to the next attempt: each reads the log anew. */
  draftsPauseMs: 10_000,
  /** Strangers turned away, remembered for `/why`. */
  turnedAwayRemembered: 50,
} as const;

/** Two people of one server who talk directly. */
export const directLimits = {
  /** Direct addresses are tried this long before the relay is used as well: a few round trips, and two lost packets. */
  patienceMs: 1_500,
  /** From the end of a relayed link, or of a direct one, to the next stream; doubles while nothing comes of it. */
  relayAgainMs: 500,
  relayPauseMostMs: 30_000,
  /** How often it is looked at what is due. */
  tickMs: 200,
  /** Somebody who was asked is asked again, because introductions can get lost. */
  askAgainMs: 20_000,
  /** And given up after this long: people look at their screens that often, or are not there. */
  askForMs: 120_000,
  /** An introduction without a link is said again after this, doubling up to the other. */
  meetAgainMs: 4_000,
  meetAgainMostMs: 60_000,
  /** With a link all the same, so that the pass for the relay never gets old: three times within its life. */
  renewMs: 20 * 60_000,
  /** The same person rings once in this time, however often they ask. */
  ringMs: 60_000,
  /** And so many people in all: who makes a hundred nicks does not get a hundred lines. */
  ringsMost: 8,
  /** Somebody who asked may be answered for this long. */
  rungForMs: 600_000,
  /** People who asked, remembered; beyond it the one who asked longest ago is forgotten. */
  askersMost: 32,
  /** People one talks to directly at once: each is a port, a mesh and perhaps a relay. */
  pairsMost: 16,
  /** Without any link for this long it is said that there is no way now; a change of paths takes less. */
  quietMs: 3_000,
  /** A message the other does not have after this makes one doubt the link: it is probed. */
  doubtMs: 3_000,
  /** What was delivered is as a rule among this many. */
  nearMost: 64,
  /** What two have said, in memory: a hundred thousand messages. Beyond it the path is full, whoever filled it. */
  logBytes: 32 * MiB,
  /** Messages shown, remembered so that a log that comes again is not shown again. */
  shownMost: 10_000,
  /** Messages of a direct path between two that the server numbers. */
  betweenMost: 1_000_000,
} as const;

/** A path through a server between two people who were introduced; introductionLimits has what the server allows. */
export const relayLimits = {
  /** Bytes in one frame: what fits `relayFrameCharacters` in base64. */
  frameBytes: 12 * KiB,
  /** Bytes sent and not acknowledged: four frames. More would only wait longer in the server's queues. */
  windowBytes: 48 * KiB,
  /** Bytes got after which an ack goes out at once: half a window, so that a sender never stands still. */
  ackBytes: 24 * KiB,
  /** The first byte that is not acknowledged waits no longer than this. */
  ackMs: 100,
  /** Without an ack for this long the stream is broken: a hand-over takes less, and loses what was under way. */
  silenceMs: 5_000,
  /** Characters a second and at once: three quarters of what the server allows, because clocks and queues differ. */
  paceCharacters: 384 * KiB,
  paceBurst: 512 * KiB,
} as const;

/** A peer's line and JSON mode. */
export const peerConsoleLimits = {
  /** Lines of its own log that a peer looks through for one `search`: some ten ms; the answer says where to go on. */
  searchLines: 2_000,
  /** And reads at once. */
  searchPage: 250,
  /** How long a guest's name may take before the guest is told of without one. */
  guestNameMs: 2_000,
  /** Between two looks at what nobody else holds yet. */
  lookMs: 1_000,
  /** What a screen shows as the time to the next attempt, before the first link: that of a first failure. */
  retryShownMs: 1_000,
  /** After the end of stdin: how long to wait until somebody else holds what was written. Several rounds of dialling. */
  heldMs: 30_000,
  /** Own messages of one run of which it is known under which id they were written, and told how many members hold them.
   * Of older ones neither is told any more: with somebody who never comes back, no message is ever held by all. */
  sendsRemembered: 10_000,
} as const;

/** LAN discovery. */
export const lanLimits = {
  /** UDP port of beacons: the number of the TCP port that peers listen on by default. */
  port: 5_002,
  /** From the start to the first beacon: the port is open by then. */
  firstBeaconMs: 300,
  /** Between two beacons. One datagram of 50 bytes; somebody who opens a laptop is found at once. */
  beaconMs: 5_000,
  /** Beacons looked at a second; each costs two hashes. Fifty peers send ten. */
  beaconsPerSecond: 100,
  /** Own beacons recognised when they come back: those of a minute. */
  ownBeaconsRemembered: 12,
  /** Strangers told of in one run. Beyond it somebody is playing. */
  nearbyTold: 20,
  /** An address that no beacon named for this long is no longer dialled. */
  foundForMs: 60_000,
  /** Addresses kept; the oldest goes. */
  foundMost: 64,
} as const;

/** Files sent straight from peer to peer. */
export const transferLimits = {
  /** Largest file. More takes days on a home line, and a file system may not hold it. */
  fileBytes: 1024 * 1024 * MiB,
  /** One piece of a file. A chat message never waits behind more than one of it in the queue, 3 ms at 100 Mbit/s. */
  chunkBytes: 32 * KiB,
  /**
   * Sent and not yet on the receiver's disk: what the receiver must hold in memory, and what a message may wait behind in
   * the sender's kernel (20 ms at 100 Mbit/s). At 5 ms of round trip it allows 50 MB/s.
   */
  windowBytes: 256 * KiB,
  /** No chunk is given to a link whose outbox holds more than this: messages go first. */
  outboxBytes: 32 * KiB,
  /** Transfers at a time from one peer; what is accepted beyond it waits for its turn. */
  incomingPerPeer: 2,
  /** Offers and accepted files of one peer that are not here yet. Beyond it offers are refused. */
  pendingPerPeer: 8,
  /** The same of all peers together. */
  pendingMost: 64,
  /** New offers of one peer that are shown, in a row and again each minute; more are refused unseen. */
  offersAtOnce: 8,
  offersPerMinute: 8,
  /** Name in an offer. Longer than any file system has. */
  offeredNameCharacters: 512,
  /** Name on our disk: 255 bytes less a number, a key and `.part`. */
  nameBytes: 200,
  stopCodeBytes: 40,
  /** Read at once when a file is hashed. */
  hashBytes: 256 * KiB,
  /** Between two reports of one transfer's progress. */
  progressMs: 250,
  /** An unfinished transfer is forgotten after this long. */
  rememberMs: 7 * 24 * 3_600_000,
  /** Finished ones that are remembered, so that a sender who missed the end hears of it. */
  finishedMost: 100,
  /** Transfers that ended and are still listed. */
  endedListed: 20,
} as const;
