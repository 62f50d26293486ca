/**
 * How to talk to each server under test: the same load in the words of each protocol.
 *
 * A dialect gives the bytes to say and classifies the lines that come back; it keeps no time and no sockets. Lines are
 * classified by a few bytes, because at 300,000 lines a second a parser would measure itself.
 */

/** What one received line means to the load. */
export enum Kind {
  Other,
  Welcome,
  Ready,
  Delivery,
  Ping,
  Ack,
}

/** One protocol. Rooms are numbers; nicks are unique by the client's number. */
export interface Dialect {
  /** First words of a connection. */
  hello(nick: string): string;
  /** Words after Welcome: be in the room. Answered by Ready. */
  join(room: number): string;
  /** One message. */
  send(room: number, sequence: number, text: string): string;
  /** Answer to a Ping line. */
  pong(line: string): string;
  /** What the line from `start` to `end` (its newline) is. */
  kind(bytes: Uint8Array, start: number, end: number): Kind;
  /** A delivery's text is the line after the one that announces it. */
  readonly textFollows: boolean;
  /** Words that end the connection. */
  bye: string;
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function has(bytes: Uint8Array, from: number, end: number, word: Uint8Array): boolean {
  if (end - from < word.length) return false;
  for (let at = 0; at < word.length; at += 1) if (bytes[from + at] !== word[at]) return false;
  return true;
}

const TYPE = ascii('{"type":"');
const M = 0x6d;
const E = 0x65;

/** rtchat's own protocol. */
export const rtchat: Dialect = {
  hello: (nick) => `{"type":"hello","version":1,"nick":"${nick}"}\n`,
  join: (room) => `{"type":"join","room":"r${room}","history":0}\n`,
  send: (room, sequence, text) => `{"type":"send","room":"r${room}","id":"${sequence}","text":"${text}"}\n`,
  pong: () => "",
  kind(bytes, start, end) {
    if (!has(bytes, start, end, TYPE)) return Kind.Other;
    const word = start + TYPE.length;
    switch (bytes[word]) {
      case M:
        return bytes[word + 1] === E && bytes[word + 2] === 0x73 ? Kind.Delivery : Kind.Other;
      case 0x6a:
        return Kind.Ready;
      case 0x77:
        return Kind.Welcome;
      case 0x61:
        return Kind.Ack;
      default:
        return Kind.Other;
    }
  },
  textFollows: false,
  bye: '{"type":"bye"}\n',
};

const MSG = ascii("MSG ");
const PONG = ascii("PONG");
const PING = ascii("PING");
const INFO = ascii("INFO ");

/** NATS: a room is a subject. The line after `MSG …` is the text, which starts with no keyword. */
export const nats: Dialect = {
  hello: () => 'CONNECT {"verbose":false,"pedantic":false,"echo":true}\r\n',
  join: (room) => `SUB room.${room} 1\r\nPING\r\n`,
  send: (room, _sequence, text) => `PUB room.${room} ${text.length}\r\n${text}\r\n`,
  pong: () => "PONG\r\n",
  kind(bytes, start, end) {
    if (has(bytes, start, end, MSG)) return Kind.Delivery;
    if (has(bytes, start, end, PONG)) return Kind.Ready;
    if (has(bytes, start, end, PING)) return Kind.Ping;
    return has(bytes, start, end, INFO) ? Kind.Welcome : Kind.Other;
  },
  textFollows: true,
  bye: "",
};

const PRIVMSG = ascii(" PRIVMSG ");
const SPACE = 0x20;

/** IRC: the word after the source tells. */
export const irc: Dialect = {
  hello: (nick) => `CAP REQ :echo-message\r\nNICK ${nick}\r\nUSER ${nick} 0 * :n\r\nCAP END\r\n`,
  join: (room) => `JOIN #r${room}\r\n`,
  send: (room, _sequence, text) => `PRIVMSG #r${room} :${text}\r\n`,
  pong: (line) => `PONG ${line.slice(5)}\r\n`,
  kind(bytes, start, end) {
    if (has(bytes, start, end, PING)) return Kind.Ping;
    const space = bytes.indexOf(SPACE, start);
    if (space === -1 || space > end) return Kind.Other;
    if (has(bytes, space, end, PRIVMSG)) return Kind.Delivery;
    if (bytes[space + 4] !== SPACE) return Kind.Other;
    const numeric = String.fromCharCode(bytes[space + 1] ?? 0, bytes[space + 2] ?? 0, bytes[space + 3] ?? 0);
    if (numeric === "001") return Kind.Welcome;
    return numeric === "366" ? Kind.Ready : Kind.Other;
  },
  textFollows: false,
  bye: "QUIT\r\n",
};

export const dialects = { rtchat, nats, irc } as const;
export type DialectName = keyof typeof dialects;
