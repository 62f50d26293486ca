/**
 * Everything a chat screen says, in English: the catalogue that other languages follow. Values are sentences without a
 * final full stop where they stand on a line of their own. What goes into them is sanitised by whoever shows them.
 */
import { englishPeers } from "./english-peers.ts";

export const english = {
  /** For Intl: dates, times, numbers. */
  locale: "en-GB",

  connecting: (address: string) => `connecting to ${address}`,
  online: (server: string, nick: string) => `connected to ${server} as ${nick}; /help shows the commands`,
  onlineAgain: (server: string) => `connected again, to ${server}`,
  waiting: (address: string, reason: string, seconds: string) =>
    `no connection to ${address}: ${reason}; trying again in ${seconds}`,
  lost: (reason: string, seconds: string) => `connection lost: ${reason}; trying again in ${seconds}`,
  seconds: (count: string) => `${count} s`,
  nickHeld: (message: string) =>
    `${message}; if it was yours a moment ago it comes free within 10 s, so it is tried again until then`,
  nickOther: "take another at once with /nick NAME",
  nickRefused: (message: string) => `${message}; choose another with /nick NAME`,
  closed: (message: string) => `disconnected: ${message}`,
  startOne: "start a chat on this machine with rtchat up, or name another address with --connect",

  /** Why there is no connection, by its code; others are told in the words of the system. */
  reasons: {
    ECONNREFUSED: "nobody listens there",
    ENOTFOUND: "the host name does not resolve",
    EHOSTUNREACH: "no route to it",
    ENETUNREACH: "the network is unreachable",
    TIMEOUT: "no answer in time",
    ENDED: "the server ended it",
    NOT_RTCHAT: "something else than rtchat answers there",
    RESET: "it was cut",
    SILENT: "nothing was heard for too long",
    TLS_UNTRUSTED: "nobody we trust vouches for its certificate; name its authority with --tls-ca",
    TLS_HOST: "its certificate is made out for another name",
    TLS_EXPIRED: "its certificate has ended",
    TLS_PIN: "its certificate is not the one of --tls-pin",
    TLS_NONE: "it takes no TLS",
    TLS_FAILED: "the TLS handshake failed",
    "going-away": "the server stops",
    "no-backend": "no server is there behind the balancer",
    "too-many-connections": "the server is full",
  },

  /** What was refused, by its code, with the value that it is about; others are told in the server's words. */
  errors: {
    "nick-taken": (nick) =>
      nick === undefined ? "this nick is taken" : `the nick ${nick} is taken, or looks like one that is`,
    // The protocol's words name its requests, which nobody types here.
    "no-such-nick": (nick) =>
      `nobody ${nick === undefined ? "with this nick" : `called ${nick}`} is connected; /names shows who is here`,
    // A mesh names people by their keys.
    "not-a-member": () => "they are not in this mesh any more",
  } as Readonly<Record<string, (value: string | undefined) => string>>,

  joinedRoom: (room: string, members: string) => `you are in ${room} with ${members}`,
  alone: (room: string) => `you are in ${room}, alone so far`,
  people: (count: number) => (count === 1 ? "1 person" : `${count} people`),
  leftRoom: (room: string) => `you left ${room}`,
  came: (nick: string, room: string) => `${nick} joined ${room}`,
  went: (nick: string, room: string) => `${nick} left ${room}`,
  renamed: (nick: string, to: string) => `${nick} is now called ${to}`,
  youRenamed: (to: string) => `you are now called ${to}`,
  topicIs: (room: string, topic: string) => `topic of ${room}: ${topic}`,
  noTopic: (room: string) => `${room} has no topic; set one with /topic TEXT`,
  topicSet: (by: string, room: string, topic: string) => `${by} set the topic of ${room}: ${topic}`,
  topicCleared: (by: string, room: string) => `${by} removed the topic of ${room}`,
  gap: (room: string) => `some messages of ${room} are missing here; /history may bring them`,
  gapCount: (count: number, room: string) =>
    `${count === 1 ? "1 message" : `${count} messages`} of ${room} missing here; /history may bring them`,
  gapNew: (room: string) => `the log of ${room} was started anew; earlier messages are not in it`,
  gapDirect: "direct messages that came meanwhile may be missing",
  notSent: (room: string, text: string, reason: string) =>
    `not sent to ${room}: ${text === "" ? "" : `${text}: `}${reason}`,
  goingAway: "the server is about to stop; another connection follows by itself",
  serverSays: (message: string) => `server: ${message}`,
  youDirect: (nick: string) => `you → ${nick}`,
  directYou: (nick: string) => `${nick} → you`,
  now: (room: string) => `you now write to ${room}`,

  noRoom: "you are in no room; /join one first",
  unknownCommand: (name: string, near: string | undefined) =>
    near === undefined
      ? `there is no command /${name}; /help shows those there are`
      : `there is no command /${name}; did you mean /${near}?`,
  usage: (usage: string) => `write it as ${usage}`,
  notIn: (room: string) => `you are not in ${room}`,
  members: (room: string, count: number) => `${count === 1 ? "1 person" : `${count} people`} in ${room}:`,
  andMore: (count: number) => `and ${count} more`,
  roomsHead: (count: number) => `${count === 1 ? "1 room" : `${count} rooms`}:`,
  noRooms: "there is no room with anybody in it",
  noHistory: (room: string) => `nothing earlier in ${room}`,
  historyHead: (room: string) => `earlier in ${room}:`,
  historyEnd: "end of the earlier messages",
  noHelp: (words: string) => `no command has to do with ${words}`,
  helpHead: "commands, or just type and press Enter to send:",
  helpDirect: "a line that begins with two slashes is sent with one",

  pipeUnacknowledged: (count: number) =>
    `${count === 1 ? "1 message was" : `${count} messages were`} not acknowledged`,
  pipeRefused: (count: number) => `${count === 1 ? "1 message was" : `${count} messages were`} refused`,
  pipeUnread: "whoever reads stdout does not keep up, and what waits for them has become too much",
  pipeUnreadHint: "read faster, or write to a file",
  pipeHint: "what was not acknowledged may be sent again; nothing was said to be safe that is not",
  noAnswer: (seconds: string) => `no answer within ${seconds}`,
  held: "no server is there behind it",
  waitingHeld: (address: string) => `${address} has no server now and keeps this place; waiting`,
  pipeOffline: (address: string, reason: string) => `cannot reach ${address}: ${reason}`,
  pipeLost: (address: string, reason: string, seconds: string) =>
    `the connection to ${address} is gone for ${seconds}: ${reason}`,
  pipeNothing: "there was nothing to send",
  pipeTyped: "type the message; Ctrl-D on an empty line sends it",

  pipeTooLong: (most: number) => `the text is over ${most} characters; send it as a file`,
  pipeNick: "choose another with --nick",
  exported: (count: number, room: string) => `${count === 1 ? "1 message" : `${count} messages`} of ${room}`,
  exportFailed: (room: string, reason: string) => `cannot read all of ${room}: ${reason}`,

  nothingToChange: "there is no message of yours here to change",
  stillSending: "your last message is still on its way; change it when it is there",
  nothingToAnswer: "there is no message here to answer",
  fromBefore:
    "that was said before the server lost its messages, so nothing can be said about it; quote it instead",
  deletedText: "(message deleted)",
  found: (count: number, looked: number) =>
    `${count === 1 ? "1 message" : `${count} messages`} found among the last ${looked}:`,
  foundNone: (looked: number, more: boolean) =>
    more ? `nothing found among the last ${looked} messages` : `nothing found in all ${looked} messages`,
  foundElsewhere: (room: string) => `after /join ${room}, /jump NUMBER goes to one; say more words for fewer`,
  foundMore: "/jump NUMBER goes to one; say more words for fewer",
  whoisHere: (nick: string, rooms: string) =>
    rooms === "" ? `${nick} is connected; you share no room` : `${nick} is connected; you meet in ${rooms}`,
  whoisGone: (nick: string) => `nobody called ${nick} is connected`,
  kickedOut: (nick: string) => `${nick} was put out`,
  bannedNow: (who: string) => `${who} may not connect; /bans shows who may not, /unban ADDRESS lifts it`,
  banLifted: (address: string) => `${address} may connect again`,
  noBans: "nobody is banned",
  banForGood: "for good",
  banUntil: (minute: string) => `until ${minute}`,
  banLine: (address: string, end: string, by: string, reason: string) =>
    `${address} ${end}, by ${by}${reason === "" ? "" : `: ${reason}`}`,
  deviceHow: "write this on your other device, in the chat of rtchat client:",
  deviceSecret: "then both know what you have read. Who has this code is you: show it to nobody",
  deviceBad: "that is no device code, or has a typing mistake; /device on the other device shows it",
  deviceSame: "this device is yours like the other: what you read on one is read on both",
  youAway: (text: string) =>
    text === ""
      ? "you are away; /back or a message ends it"
      : `you are away: ${text}; /back or a message ends it`,
  youBack: "you are back",
  notAway: "you are not away",
  isAway: (nick: string, text: string) => (text === "" ? `${nick} is away` : `${nick} is away: ${text}`),
  nickBot: (nick: string) => `${nick} (bot)`,
  nickAway: (nick: string, text: string) => (text === "" ? `${nick} (away)` : `${nick} (away: ${text})`),
  ignored: (nick: string) => `you read nothing of ${nick} from now on; the same again to undo`,
  notIgnored: (nick: string) => `you read ${nick} again`,
  muted: (room: string) => `${room} is silent from now on; the same again to undo`,
  notMuted: (room: string) => `${room} may be heard again`,
  highlighted: (word: string) => `${word} is as good as your name from now on; the same again to undo`,
  notHighlighted: (word: string) => `${word} is a word like others again`,
  highlightsHead: "as good as your name:",
  noHighlights: "only your name speaks to you; /highlight WORD adds a word",
  noMentions: "nobody has spoken to you yet",
  mentionsHead: "messages that speak to you:",

  files: {
    offered: (nick: string, name: string, size: string, number: number) =>
      `${nick} offers ${name}, ${size}; /accept ${number} or /refuse ${number}`,
    youOffer: (nick: string, name: string, size: string, number: number) =>
      `${name}, ${size}, is offered to ${nick}; /cancel ${number} takes it back`,
    youAccepted: (name: string) => `${name} is accepted; it comes when it is its turn`,
    accepted: (nick: string, name: string) => `${nick} accepted ${name}`,
    receiving: (nick: string, name: string) => `receiving ${name} from ${nick}`,
    cut: (nick: string, name: string) => `${name} stands still; it goes on when ${nick} is back`,
    goesOn: (name: string, percent: string) => `${name} goes on at ${percent}`,
    received: (nick: string, name: string, path: string) =>
      `${name} from ${nick} is whole and checked: ${path}`,
    sent: (nick: string, name: string) => `${nick} has ${name}, whole and checked`,
    notReceived: (nick: string, name: string, reason: string) =>
      `not received: ${name} from ${nick}: ${reason}`,
    notSent: (nick: string, name: string, reason: string) => `not sent: ${name} to ${nick}: ${reason}`,
    progress: (name: string, bar: string, percent: string, done: string, size: string) =>
      `${name} ${bar} ${percent}, ${done} of ${size}`,
    youStopped: {
      refused: "you refused it",
      cancelled: "you cancelled it",
      "too-large": "it is larger than may be sent",
      "no-space": "there is not enough room on this disk",
      disk: "it could not be read or written here",
      changed: "it is not any more what was offered",
      "wrong-hash": "what came is not what was offered, and was thrown away",
      "bad-chunk": "what came does not fit what was offered, and was thrown away",
    },
    theyStopped: {
      refused: "they refused it",
      cancelled: "they cancelled it",
      "too-many": "too many files wait there already",
      "too-large": "it is larger than they take",
      "no-space": "there is not enough room on their disk",
      disk: "it could not be read or written there",
      changed: "it is not any more what was offered",
      "wrong-hash": "what came there is not what was offered; if it changed meanwhile, send it again",
      "bad-chunk": "what was sent did not fit what was offered",
      unknown: "they know nothing of it any more; send it again",
    },
    stopped: "it was stopped",
    toWhom: "to whom? write /send FILE NICK",
    whatFile: (path: string) => `there is no file ${path}`,
    isFolder: (path: string) => `${path} is a folder; pack it into one file first`,
    noLink: (nick: string) =>
      `there is no direct connection to ${nick}, and files go no other way; /why ${nick} tells what was tried`,
    toYourself: "that is you",
    tooMany: (nick: string) => `too many files for ${nick} are under way; wait for one, or /cancel one`,
    none: "no files are under way",
    whichOffer: "which? /files shows the numbers",
    noOffer: "nobody has offered you a file",
    noSuch: (number: string) => `no file has the number ${number}; /files shows those there are`,
    notOffered: (number: string) => `number ${number} is not waiting for your answer`,
    listed: (number: number, direction: string, nick: string, name: string, size: string, state: string) =>
      `${number}. ${direction} ${nick}: ${name}, ${size}, ${state}`,
    to: "to",
    from: "from",
    states: {
      reading: "being read",
      offered: "offered",
      waiting: "waiting",
      running: "under way",
      done: "done",
      stopped: "stopped",
    },
  },

  peers: englishPeers,

  about: { reply: "reply", edit: "edit", delete: "deletion", reaction: "reaction" },

  screen: {
    offline: "offline",
    away: "away",
    bot: "bot",
    connecting: "connecting",
    reconnecting: (seconds: string) => `reconnecting in ${seconds}`,
    noTopic: "no topic",
    below: (count: number) => (count === 1 ? "1 message below" : `${count} messages below`),
    newFrom: "new from here",
    searching: (query: string) => `in what you sent: ${query}`,
    notInHistory: (query: string) => `nothing you sent has ${query}`,
    copying: "to copy it in one go, press Alt+L and select it with the mouse",
    // At the foot of the bare screen.
    bare: "Page Up and Page Down turn pages, any other key leads back",
    sending: "sending",
    failed: (reason: string) => `not sent: ${reason}; Alt+R sends it again, Alt+X drops it`,
    pasted: (lines: number, pieces: number) => {
      const many = lines > 1;
      const them = many ? "them" : "it";
      const as = pieces > 1 ? `${pieces} messages` : "one message";
      return `${many ? `${lines} lines` : "a long line"} pasted: Enter sends ${them} as ${as}, e edits ${them} first, Esc forgets ${them}`;
    },
    // Short: it must fit a terminal of 40 columns, three rows of it.
    pasteCut: (characters: number, pieces: number) =>
      `too long, cut after ${characters} characters: Enter sends ${pieces} messages, e edits them first, Esc forgets`,
    edited: "(edited)",
    deleted: "message deleted",
    // As short as can be: there is no room.
    tooSmall: "too small",
    loading: "fetching older messages",
    beginning: (room: string) => `the beginning of ${room}`,
    rooms: "rooms",
    quitAgain: "press Ctrl-C again to quit, or write /quit",
    nickQuestion: "What shall others call you?",
    nickHint: "letters, digits, - and _; it is remembered, and /nick changes it",
    directTitle: (nick: string) => `conversation with ${nick}`,
    alone: "nobody else",
  },

  direct: {
    asSaid: (nick: string) =>
      `what was said past the server stays as it was said; quote it in a message, or write to ${nick} through the server: /p2p off ${nick}`,
    saidDirectly: "that was said past the server and stays as it was said; quote it in a message",
    asks: (nick: string, hidden: boolean) =>
      `${nick} asks to talk directly, past the server: /p2p ${nick} agrees${hidden ? "" : ", and shows them this machine's addresses"}; /p2p off ${nick} declines`,
    asked: (nick: string) => `asked ${nick} to talk directly; a path opens when they agree`,
    agreed: (nick: string) => `${nick} agrees; looking for a path`,
    declined: (nick: string) => `${nick} does not want to talk directly now`,
    silent: (nick: string) =>
      `${nick} has not answered: away, not willing, or with an older rtchat; /p2p ${nick} asks again`,
    connected: (nick: string, address: string, vpn: boolean) =>
      `you and ${nick} write to each other directly now, ${vpn ? "over a VPN, " : ""}to ${address}, encrypted; the server sees nothing of it`,
    relayed: (nick: string) =>
      `you and ${nick} write to each other through the server's relay now, sealed: the server cannot read it`,
    vouched: (nick: string) =>
      `the key is what the server says it is, nobody has checked it: compare words with /verify ${nick}`,
    verified: (nick: string) => `the key of ${nick} is verified on this device`,
    waiting: (nick: string) =>
      `no way to ${nick} at present; what you write waits for one. /why ${nick} tells more, /p2p off ${nick} goes back to the server`,
    over: (nick: string) =>
      `${nick} has ended the direct path. Nothing goes to them until you decide: /p2p off ${nick} writes through the server, which can read it; /p2p ${nick} asks again`,
    isOver: (nick: string) => `the direct path is over; /p2p off ${nick} writes through the server`,
    off: (nick: string) => `what you write to ${nick} goes through the server, which can read it`,
    notDelivered: (nick: string) => `the direct path ended before ${nick} had it`,
    failed: (nick: string, reason: string) => `no direct path to ${nick}: ${reason}`,
    ownKey: (nick: string) =>
      `${nick} shows this device's own key: two programs with one data folder; give one of them its own --data DIR`,
    keyChanged: (nick: string) =>
      `REFUSED: the key of ${nick} is not the one remembered. Somebody else may have taken the name, or the server lies`,
    knownKey: "known",
    foundKey: "now  ",
    keyAdvice: (nick: string) =>
      `if you know why (a new device), /p2p forget ${nick} and then /p2p ${nick}; if not, do not`,
    forgotten: (nick: string) =>
      `the key of ${nick} is forgotten; the next one is believed, so compare words`,
    notKnown: (nick: string) => `no key is remembered for ${nick} here`,
    notOn: (nick: string) => `there is no direct path to ${nick}; /p2p ${nick} asks for one`,
    none: "no direct paths; /p2p NICK asks for one",
    head: "direct paths:",
    offWhom: "with whom? write /p2p off NICK",
    whyWhom: "about whom? write /why NICK",
    yourself: "that is you",
    tooMany: (most: number) => `${most} direct paths are as many as can be; end one with /p2p off NICK`,
    tooOld: "this server cannot introduce people: it runs an older rtchat",
    switchedOff: "direct paths are switched off here, by --p2p off",
    compare: (nick: string) =>
      `compare these words with ${nick}, by voice; they see the same with /verify and your name:`,
    compared: (nick: string) =>
      `if all twelve are equal, write /verify ${nick} yes; if not, somebody is between you`,
    wordsLater: (nick: string) => `there are no words yet: ${nick} was not reached so far`,
    relayFailed: (reason: string) => `the relay: ${reason}`,
    renamed: (nick: string, to: string) => `${nick} is now called ${to}; the direct path is the same`,
    filesFirst: (nick: string) => `files go directly or not at all: ask ${nick} with /p2p ${nick} first`,
    titleDirect: (address: string) => `directly to ${address}`,
    titleRelayed: "sealed, through the server's relay",
    titleWaiting: "direct, no way at present",
    titleOver: "the direct path is over",
    titleAsked: "asked, no answer so far",
    titleAsks: "asks to talk directly",
    titleVerified: "key verified",
    titleUnverified: "key not verified",
  },

  commands: {
    join: ["/join ROOM", "enter a room and write there"],
    leave: ["/leave [ROOM]", "leave a room, or put a conversation away"],
    msg: ["/msg NICK TEXT", "say something to one person only"],
    nick: ["/nick NAME", "be called something else"],
    names: ["/names [ROOM]", "who is here"],
    rooms: ["/rooms", "which rooms there are"],
    topic: ["/topic [TEXT]", "show or set what this room is about; a single - removes it"],
    history: ["/history [COUNT]", "show earlier messages"],
    me: ["/me TEXT", "say what you do: /me waves"],
    reply: ["/reply [@NICK] TEXT", "answer the last message of somebody, or of NICK"],
    edit: ["/edit TEXT", "put another text in place of your last message"],
    delete: ["/delete", "take back your last message"],
    react: ["/react EMOJI [@NICK]", "react to the last message of somebody, or of NICK"],
    search: ["/search WORDS [from:NICK] [in:ROOM]", "find messages; /jump goes to one"],
    jump: ["/jump NUMBER", "show a message that was found, with what was said around it"],
    whois: ["/whois NICK", "whether somebody is connected, and where you meet"],
    away: ["/away [TEXT]", "be away, with something to tell others; a message of yours ends it"],
    kick: ["/kick NICK [REASON]", "end somebody's session; they may come back"],
    ban: [
      "/ban NICK|ADDRESS [TIME|forever] [REASON]",
      "let nobody in from an address or network, for a day if you do not say",
    ],
    unban: ["/unban ADDRESS", "let them in again"],
    bans: ["/bans", "which addresses may not connect"],
    device: ["/device [CODE]", "make another device yours too, so that both know what you have read"],
    back: ["/back", "be back"],
    ignore: ["/ignore NICK", "read nothing of somebody, or everything again"],
    highlight: ["/highlight [WORD]", "let a word be as good as your name, or not any more"],
    mute: ["/mute [ROOM]", "let a room be silent, or not any more"],
    mentions: ["/mentions", "the messages that speak to you"],
    p2p: [
      "/p2p [NICK | off NICK | forget NICK]",
      "talk to somebody past the server, encrypted; off goes back",
    ],
    peers: ["/peers", "who is in the mesh, how they are reached, whose key is checked"],
    why: ["/why [NAME]", "what went wrong at each address that was tried"],
    verify: ["/verify NAME [yes]", "twelve words to compare; with yes, mark the name as checked"],
    invite: ["/invite [FILE]", "make an invite that lets one person in, on the screen or in a file"],
    lock: ["/lock", "let in only who has an invite"],
    unlock: ["/unlock", "let in whoever knows an address"],
    remove: ["/remove NAME", "put somebody out for good; the mesh gets a new secret"],
    connect: ["/connect ADDRESS", "dial somebody now"],
    id: ["/id", "show your own peer ID"],
    send: ["/send FILE [NICK]", "offer somebody a file, straight to their machine"],
    accept: ["/accept [NUMBER]", "take a file that was offered"],
    refuse: ["/refuse [NUMBER]", "do not take a file that was offered"],
    cancel: ["/cancel NUMBER", "stop a file that is under way, on both sides"],
    files: ["/files", "the files that are offered or under way"],
    help: ["/help [WORDS]", "show the commands, or those that have to do with some words"],
    quit: ["/quit", "end the program"],
  },
} as const;
