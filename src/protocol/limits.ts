/**
 * Every bound of rtchat, in one place, each with its reason.
 *
 * A queue without a limit is a memory leak that waits for a slow reader; a limit without a reason is a number
 * nobody dares to change. Sizes are bytes, times are milliseconds, unless the name says otherwise. Tests may pass
 * smaller values to a part; the parts take their limits as parameters that default to these.
 */

const KiB = 1024;
const MiB = 1024 * KiB;

/** What one client may send and hold. These are part of the protocol: PROTOCOL.md repeats them. */
export const clientLimits = {
  /** One line from a client, without its newline. Eight times the largest text, so that escaping never hits it. */
  lineBytes: 64 * KiB,
  /** UTF-8 bytes of text in one message: a long e-mail paragraph, not a file. */
  textBytes: 8 * KiB,
  /** Code points in a nick or a room name: fits a column of any screen. */
  nameLength: 32,
  /** Characters of a request id: room for a UUID or a hash in any encoding. */
  idLength: 64,
  /** Code points of a topic: two lines on a narrow terminal. */
  topicLength: 300,
  /** Code points of what is said while away: it stands beside a nick. */
  awayLength: 120,
  /** Rooms one session may be in at once. A resume names them all in one trunk frame. */
  rooms: 100,
  /** Messages a join brings when the client does not say. A screenful. */
  historyDefault: 50,
  /** Messages one join or history reply may bring. */
  historyMost: 200,
  /** Members named in one `joined` or `members` reply; `memberCount` is always exact. */
  membersListed: 1_000,
  /** Rooms named in one `rooms` reply, the fullest first. */
  roomsListed: 500,
  /** Encoded messages in one reply. Bounds the line a client must accept to reply bytes + members. */
  replyBytes: 256 * KiB,
  /** From connecting to a `hello`. Slow enough for a person typing into nc, fast enough to shed idle scanners. */
  helloMs: 10_000,
} as const;

/** Two people who leave the server for a path of their own, and the relay for when there is none. */
export const introductionLimits = {
  /** Addresses in one `introduce`: a laptop on a wire, a wireless network, a VPN, each with IPv4 and several of IPv6. */
  addressesTold: 12,
  /** `introduce` a second of one session, sustained: it rings at somebody else's. */
  introductionsPerSecond: 0.5,
  /** And at once: asking several people, and what both sides say to each other before they meet. */
  introductionsBurst: 20,
  /** How long a pass lets its holder relay. Renewed by being introduced again, well before. */
  passMs: 3_600_000,
  /** `data` of one `relay`, in base64: 12 KiB of bytes, so that a chat line never waits long behind a file. */
  relayFrameCharacters: 16 * KiB,
  /** Characters of `data` that one session may have under way to one other since that one's last `ack`. What is under
   * way lies in queues that others share. Clients keep a window of a third of it. */
  relayUnderWay: 192 * KiB,
  /** Characters of `data` a second of one session, sustained and at once: a file of 10 MiB in half a minute. */
  relayPerSecond: 512 * KiB,
  relayBurst: 1 * MiB,
  /** What a frame costs of that at least: an `ack`, or one letter. */
  relayLeast: 1 * KiB,
  /** The same for all sessions of one server: relaying is a courtesy that may not crowd out the chat. */
  relayPerSecondServer: 8 * MiB,
  /** Others that one session relays with at once; the one that was quiet longest is forgotten first. */
  relayPartners: 16,
} as const;

/** Sockets of every kind. */
export const netLimits = {
  /** Most bytes kept by reference for the end of a turn; more goes to the kernel at once. Large enough for one full
   * reply, small enough to share a processor cache with its readers. */
  gatherBytes: 256 * KiB,
  /** From dialling to an open connection; backends are near. */
  connectMs: 5_000,
  /** Descriptors kept free below RLIMIT_NOFILE for trunks, files and the admin port. At the limit itself accepting
   * would spin a processor. */
  descriptorHeadroom: 128,
} as const;

/** What an edge holds for its clients. */
export const edgeLimits = {
  /** Unsent bytes of one client's outbox; beyond it the client is dropped as a slow consumer. */
  outboxBytes: 1 * MiB,
  /** How long an outbox may stay above `outboxSoftBytes` before the client is dropped. */
  outboxSoftMs: 10_000,
  /** A reader this far behind is slow, but may catch up. */
  outboxSoftBytes: 256 * KiB,
  /** Lines of one session a hub has not yet acknowledged; at the limit the edge stops reading that client. */
  unackedLines: 256,
  /** The same in bytes: the edge keeps these lines for a hand-over, so they cost memory. */
  unackedBytes: 256 * KiB,
  /** Lines of one session that a hub is given in one turn of the loop, and their bytes, but for a line that is longer. Where
   * the hub is in the same process and answers at once, a window alone would let one chunk of short lines, a quarter of a
   * million, hold everybody else up for seconds. So many is what a hub has in the backplane for one session. */
  turnLines: 64,
  turnBytes: 64 * KiB,
  /** From shutdown() to close(): time for the peer to take the last bytes. */
  lingerMs: 2_000,
  /** A client that has ended its side still gets the answers to its lines, for this long: above the time in which a hub
   * answers every line (backplaneLimits.publishMs). */
  endedMs: 15_000,
  /** How long sessions without a hub are held before they are closed. Operators may change it. */
  holdMs: 30_000,
  /** A session without a hub is told so after this long: most hand-overs take less, and concern nobody. */
  holdNoticeMs: 1_000,
  /** Sessions given to hubs in one turn, when many come at once from a hub that died. A few ms of work. */
  placedPerTurn: 256,
  /** An idle client is probed by the system after this long, so that one whose machine vanished does not stay for good. */
  keepAliveMs: 60_000,
  /** How often deadlines of clients are looked at: none of them is finer than a quarter of a second. */
  sweepMs: 250,
  /** Connections that a server's edge accepts, and a balancer's door when nothing else is said; netLimits.descriptorHeadroom
   * is kept as well. */
  connections: 18_000,
} as const;

/** The link between an edge and a hub. */
export const trunkLimits = {
  /** One frame. The largest real one is a reply of 256 KiB with a thousand members. */
  frameBytes: 4 * MiB,
  /** One frame before the link is authenticated. */
  handshakeFrameBytes: 4 * KiB,
  /** From connecting to an authenticated trunk. */
  handshakeMs: 5_000,
  /** Between two warnings that a trunk was refused, of one address and reason: who does not belong here tries again. */
  refusalWarningMs: 60_000,
  /** Of as many addresses and reasons is that known; then all are forgotten, which costs a few more warnings. */
  refusalsRemembered: 100,
  /** Edge to hub: above this the edge stops reading its clients until the trunk drains to half. */
  edgeHighWaterBytes: 1 * MiB,
  /** Hub to edge: an edge this far behind is broken; its trunk is closed and its sessions go elsewhere. */
  hubOutboxBytes: 64 * MiB,
  /** How often an edge asks a hub for its report; the answer is the heartbeat. */
  beatMs: 150,
  /** Without any frame from the hub for this long, a trunk is dead and its sessions move on. A person does not notice
   * this pause, and moving is harmless when the hub was only slow. */
  silenceMs: 600,
  /** At most for this long, where silences have been long of late (edge/patience.ts): below edgeSilenceMs, at which the hub
   * gives up. */
  silenceMostMs: 3_000,
  /** After this long a silence that was seen counts half: from the longest to the least in half a minute. */
  silenceHalfMs: 10_000,
  /** An edge asks for reports all the time; one that says nothing for this long is gone with its machine, and its
   * sessions are expected elsewhere. Longer than silenceMs: moving them is the edge's business while it lives. */
  edgeSilenceMs: 5_000,
  /** Edge to hub: a hub that takes in nothing while this much waits is dead. Far above high water, where the edge stops
   * reading its clients. */
  edgeOutboxBytes: 64 * MiB,
} as const;

/** The hub: rooms and sessions of one server. */
export const hubLimits = {
  /** Recent messages of an active room kept encoded in memory, so that most joins read no log. */
  roomCacheMessages: 256,
  /** The same in bytes, whichever comes first. */
  roomCacheBytes: 128 * KiB,
  /** Messages of one session in the backplane at once; further lines wait their turn, unread. */
  publishesInFlight: 64,
  /** Lines of one session waiting behind an unfinished request. Above edgeLimits.unackedLines by design: never reached
   * by a well-behaved edge, and a trunk that breaks the promise is closed. */
  waitingLines: 1_024,
  /** The same in bytes; above edgeLimits.unackedBytes for the same reason. */
  waitingBytes: 1 * MiB,
  /** Messages a session may send a second, sustained; a person types 5, a bot posts 50. Operators may change it. */
  messagesPerSecond: 10_000,
  /** The same at once: what comes in a second. */
  messagesBurst: 10_000,
  /** The least of that when only the rate is chosen: a paste of a screenful, sent line by line, must not be refused. */
  messagesBurstLeast: 25,
  /** The most that may be chosen for either: ten times what any hub was seen to take. */
  messagesRateMost: 1_000_000,
  /** Other requests a second, sustained: each may cost a log read or make noise for a whole room. */
  requestsPerSecond: 50,
  /** Other requests at once: joining as many rooms as one may be in, and asking for members and history of each. */
  requestsBurst: 300,
  /** Message bodies that go to an edge in one frame: what a turn brings of one room, far below a trunk's frame. */
  deliveryBytes: 128 * KiB,
  /** Encoded recent messages over all rooms; rooms that were quiet longest give theirs up first. */
  cacheBytes: 256 * MiB,
  /** A room that nobody here is in stays subscribed this long: people who reconnect find it warm. */
  roomLingerMs: 10_000,
  /** Messages a returning reader is brought in one go; one who missed more gets the newest and an honest gap. */
  catchUpMessages: 5_000,
  /** The same in bytes: half of what an edge's outbox takes, so that catching up does not make a slow consumer. */
  catchUpBytes: 512 * KiB,
  /** Reads of the log for one returning reader that bring it no further before it is given up. */
  catchUpReads: 8,
  /** Inbox entries looked through for one `history` of a direct conversation, whose reply says where to go on; or for one `re`. */
  scanEntries: 2_000,
  /** Lists of all rooms that a server asks the cluster for, a second and at once; whoever asks more often gets the last. */
  roomListsPerSecond: 5,
  roomListsBurst: 10,
  /** Entries looked through for one `search`; the reply says where to go on. Some ten ms, in parts. */
  searchEntries: 10_000,
  /** The same in bytes of bodies: long messages cost more to look through than short ones. */
  searchBytes: 4 * MiB,
  /** Entries of one part: a millisecond or two. */
  searchPart: 500,
  /** What is above where a search goes on is looked through for what it changed: so many replies' worth of it. */
  searchAbove: 5,
  /** Between two writes of how far somebody has read one room: several devices, and a busy room that is watched. */
  markEveryMs: 2_000,
  /** Members up to which `typing` is told on: in a crowd nobody can read who is about to speak. */
  typingMembers: 50,
  /** How often a second others are told that one session is typing, sustained: clients say it every four seconds. */
  typingPerSecond: 1,
  /** And at once: whoever writes several short lines begins each of them anew. */
  typingBurst: 5,
  /** How long a hub tries to take over a session while the backplane cannot be reached. */
  resumeMs: 30_000,
  /** First and longest delay between two tries of that. */
  retryMs: 100,
  retryMostMs: 2_000,
  /** A backplane degraded for less is not worth a warning: a new keeper is elected in some ms, noticed dead in 600. */
  troubleMs: 1_000,
  /** How long a `resume` token is honoured: somebody back from a month's holiday still has the same inbox. */
  tokenMs: 31 * 24 * 3_600_000,
} as const;

/** A server or balancer that was asked to stop; all of it within the 10 s after which a supervisor kills. */
export const shutdownLimits = {
  /** Clients are told to come back after this long at the earliest: another server may be on another machine. */
  afterMs: 200,
  /** And at a random moment within this, so that they do not all come back at once. */
  jitterMs: 2_000,
  /** For the last answers to the clients of a server's own edge. */
  goodbyeMs: 3_000,
  /** From the beginning until the trunks are closed, whoever is still on them. */
  handOverMs: 8_000,
  /** How often a stopping server looks whether its sessions have gone. */
  pollMs: 10,
} as const;

/** The backplane, whatever its form. */
export const backplaneLimits = {
  /** A publish unanswered for this long fails as `unavailable`; the client may repeat it with the same id. */
  publishMs: 10_000,
  /** After a server vanishes its sessions keep names and places this long, for the hand-over to bring them back. */
  graceMs: 10_000,
  /** Idempotency keys remembered, counted in the store's entries: a repeat later than this is logged again. At a
   * thousand messages a second a quarter of an hour, and 16 to 32 MiB at the keeper. */
  keyWindowEntries: 1_000_000,
  /** One entry's body: text of 8 KiB escaped at worst six-fold, plus its envelope. */
  bodyBytes: 64 * KiB,
  /** Characters of a log's name, a session's name or an idempotency key: a session and the longest request id. */
  nameCharacters: 256,
  /** Changes of a room's records of which a repeat is known: more than can be made of one room while a server is replaced. */
  recordChanges: 16,
  /** Rooms of which it is kept how far one person has read: twice what a session may be in. */
  marks: 200,
  /** How long that is kept after the last time it changed: a long holiday, as for the session's token and more. */
  markMs: 92 * 24 * 3_600_000,
  /** Between two rounds over all readers to forget what is older, at the keeper; Redis expires it by itself. */
  markRoundMs: 3_600_000,
  /** Rooms that nobody is in or listens to, kept loaded where the cluster's state lives: inboxes of people who left. */
  idleRooms: 10_000,
} as const;

/** `rtchat up` and its child processes. */
export const superviseLimits = {
  /** The log of a start has come to rest: longer than a balancer takes between its servers. */
  quietMs: 200,
  /** And if it never rests, because people are there already. */
  quietMostMs: 2_000,
  /** Pause before the first restart, at most; doubles up to `backoffMostMs`, with full jitter. */
  backoffMs: 500,
  backoffMostMs: 30_000,
  /** A child that ran this long was good: the next pause starts from the beginning. */
  stableMs: 30_000,
  /** From starting to ready. A keeper that checks a large log after a crash takes seconds. */
  readyMs: 30_000,
  /** From SIGTERM to SIGKILL: more than the 10 s in which a server drains. */
  stopMs: 12_000,
  /** How long the server that keeps the log waits for the others to go first: they take some ten ms, unless one hangs. */
  keeperLastMs: 2_000,
  /** Between two servers that are renewed: a balancer dials every half second, and wants two good checks. */
  renewPauseMs: 3_000,
  /** One line of a child's log; the rest of a longer one is dropped. */
  logLineBytes: 16 * KiB,
} as const;

/** TLS for clients. */
export const tlsLimits = {
  /** Between two looks whether the certificate's files have changed: two calls to the system, while clients come. */
  lookMs: 1_000,
  /** A certificate that has less left is warned of: two weeks are enough to find out why nobody renewed it. */
  endingMs: 14 * 24 * 3_600_000,
  /** And at most this part of its life, for those that live days: renewal begins when a third is left. */
  endingPart: 0.25,
} as const;

/** The log of a running mode. */
export const logLimits = {
  /** Lines that whoever reads stderr has not taken. Ten thousand lines are more than a pause for a page in `less`
   * explains; further ones are dropped and counted. */
  unreadBytes: 1 * MiB,
} as const;
