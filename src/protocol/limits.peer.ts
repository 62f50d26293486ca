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
  /** Things written before the mesh's log is here; beyond it the person is told to wait. */
  draftsMost: 1_000,
  /** Strangers turned away, remembered for `/why`. */
  turnedAwayRemembered: 50,
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
  /** How long a guest's name may take before the guest is told of without one. */
  guestNameMs: 2_000,
  /** Between two looks at what nobody else holds yet. */
  lookMs: 1_000,
  /** What a screen shows as the time to the next attempt, before the first link: that of a first failure. */
  retryShownMs: 1_000,
  /** After the end of stdin: how long to wait until somebody else holds what was written. Several rounds of dialling. */
  heldMs: 30_000,
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
