/**
 * Bounds of the programs at the client's end: the headless client, and the command line around it. Same rules as
 * limits.ts: bytes and milliseconds, each with its reason.
 */
const MiB = 1024 * 1024;

/** The headless client: what one program that talks to a server holds and waits for. */
export const chatClientLimits = {
  /** One line from a server: a reply of 256 KiB, a thousand members, and room for later versions. */
  lineBytes: 2 * MiB,
  /** Sends not yet acknowledged, over all rooms; beyond it `send` refuses and `writable` tells when to go on. */
  pendingSends: 1_000,
  /** The same in bytes of text: an hour offline with a chatty bot must not eat the machine. */
  pendingBytes: 2 * MiB,
  /** Sends on the wire and not yet answered: what a hub has in the backplane for one session, hubLimits.publishesInFlight. */
  sendsInFlight: 64,
  /** Times a send is repeated after a refusal that may pass, before the caller is told that it failed. */
  sendAttempts: 8,
  /** Requests other than sends waiting for their answer. */
  requests: 128,
  /** From a request to giving up on its answer: above backplaneLimits.publishMs, so that the server's own refusal wins. */
  requestMs: 15_000,
  /** Unsent bytes of the connection: sendsInFlight of the longest texts and every request, escaped at worst. */
  outboxBytes: 8 * MiB,
  /** From dialling to an open connection, an address. */
  dialMs: 5_000,
  /** From an open connection to `welcome`. */
  welcomeMs: 10_000,
  /** The same when a balancer has said that it keeps our place: longer than it does, so that its own word wins. */
  heldMs: 120_000,
  /** Nothing heard for this long: a ping is sent. Below the time-outs of home routers, 60 s and up. */
  pingMs: 20_000,
  /** Nothing heard for this long: the connection is dead and another is made. Wi-Fi that moves takes 2 to 5 s. */
  silenceMs: 30_000,
  /** First and longest delay between rounds over all addresses; the delay itself is a random part of it. */
  backoffMs: 500,
  backoffMostMs: 30_000,
  /** A connection this old was good: the next backoff starts from the beginning. */
  stableMs: 5_000,
  /**
   * A nick is held for backplaneLimits.graceMs by a session whose connection broke, this session's or that of a run
   * before it that crashed: how long `nick-taken` is taken as "try again".
   */
  nickRetryMs: 15_000,
  /** The longest delay between two such tries: somebody sits there and waits. */
  nickBackoffMostMs: 2_000,
  /** Between two times that the server is told how far one room was read. */
  readEveryMs: 3_000,
  /** From `bye` to closing all the same. */
  byeMs: 2_000,
  /** The longest delay that a `going-away` may ask for; more is a broken or hostile server. */
  goingAwayMostMs: 120_000,
  /** How long a server whose successor is there already may take for its last answers, and the least time between two such
   * successions that a client goes along with at once. */
  lastAnswersMs: 1_000,
} as const;

/** `rtchat client` in a pipe. */
export const pipeLimits = {
  /** Lines read from stdin and not yet acknowledged: twice what is on the wire, so that the wire never waits for us. */
  unacknowledged: 128,
  /** Reading stdin without giving way to sockets and signals: unnoticed beside a network, and a tenth lost at most. */
  turnMs: 10,
  /** From the start to the first welcome: enough for a server that is just being restarted. */
  firstConnectMs: 5_000,
  /** Without a connection after there was one, or while a balancer has no server: a machine's reboot. */
  offlineMs: 60_000,
  /** Characters of stdin that `rtchat send` takes as one text: 16 messages; what is longer is a file. */
  wholeCharacters: 128 * 1_024,
  /** Messages of one page when a log is read from end to end. */
  exportPage: 200,
  /** Times that a page is asked for again before an export gives up. */
  exportAttempts: 5,
  /** Longest pause before such a try that a server may ask for. */
  exportWaitMostMs: 10_000,
  /** Bytes that a reader of stdout may be behind; beyond it the run ends rather than eat the machine's memory. */
  stdoutBytes: 64 * MiB,
} as const;

/** The full screen. */
export const screenLimits = {
  /** Messages kept in memory over all rooms; older ones are fetched again by scrolling up. Packed they take some 15 MB. */
  messages: 100_000,
  /** So many messages within this time are a flood, which leaves garbage to collect at once: five times the busiest room. */
  floodMessages: 10_000,
  floodMs: 10_000,
  /** Items of a packed page of a log: one is unpacked in a fifth of a millisecond. */
  logPage: 256,
  /** Pages a room that are not packed: what the screen shows, and what it may show at the next key. */
  logPagesOpen: 3,
  /** Sent lines that Up brings back, a room. */
  history: 200,
  /** Cells of a bar that shows how far something is, and of the name before it. */
  progressCells: 10,
  taskNameCells: 20,
  /** States of the line being typed that undo goes back over. */
  undo: 200,
  /** Killed texts that yank-pop goes round. */
  kills: 20,
  /** Rows of the input line; longer texts scroll in it. */
  inputRows: 6,
  /** Lines of a paste from which on it is asked whether it is meant. */
  pasteLines: 2,
  /** UTF-16 units taken of a paste: more than thirty messages; what is longer is cut, said to be, and better sent as a file. */
  pasteCharacters: 256 * 1_024,
  /** Messages of one page when scrolling up. */
  pageMessages: 100,
  /** Between two pictures for what others do; what oneself types is shown at once. */
  frameMs: 40,
  /** From the first of several things that happen to the picture of them all: what one read of the socket brings. */
  frameGatherMs: 4,
  /**
   * The same on a slow machine or a slow line: so many times what one picture took, so that a key rarely has to wait for
   * a picture of what others do; and at most this, so that it still looks alive.
   */
  frameShare: 8,
  frameMostMs: 250,
  /** Written for what others do: half of what a line of 1 Mbit/s takes, so that one's own keys find it free. */
  frameBytesPerSecond: 64 * 1_024,
  /** After an Escape byte: nothing more came, so it was the key. Longer than a slow line's gap, shorter than patience. */
  escapeMs: 60,
  /** Less than this and no sentence can be read. */
  columnsLeast: 10,
  /** A message and the line being typed. */
  rowsLeast: 2,
  /** With fewer rows the title gives way to messages, ... */
  titleRows: 6,
  /** ... and then the status. */
  statusRows: 4,
  /** From this width on there are columns for rooms and members. */
  panelColumns: 110,
  /** Columns of such a panel. */
  panelWidth: 20,
  /** Items whose rows are remembered: several screens of the largest terminal. */
  laidOut: 500,
  /** Nicks remembered for completion beyond a room's members. */
  recentNicks: 100,
  /** Messages of all rooms that line mode keeps for /reply and the like. */
  keptByLines: 500,
  /** Mentions kept for their list. */
  mentions: 200,
  /** Somebody who was writing this long ago has stopped. */
  typingMs: 6_000,
  /** Between two `typing` of one's own. */
  typingEveryMs: 4_000,
  /** Pages of the log that a jump to an old message may load. */
  jumpPages: 50,
  /** Messages that one search shows. */
  searchShown: 20,
  /** Replies of the server that one search asks for before it says how far it looked. */
  searchReplies: 10,
} as const;
