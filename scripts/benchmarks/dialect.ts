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
  hello(client: number): string;
  /** Words after Welcome: be in the room. Answered by Ready. */
  join(room: number): string;
  /** One message. */
  send(room: number, sequence: number, text: string): string;
  /** Answer to a Ping line. */
  pong(line: string): string;
  /** What a line (without its newline) is. */
  kind(line: Uint8Array): Kind;
  /** Words that end the connection. */
  bye: string;
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

function startsWith(line: Uint8Array, start: Uint8Array): boolean {
  if (line.length < start.length) return false;
  for (let at = 0; at < start.length; at += 1) if (line[at] !== start[at]) return false;
  return true;
}

const TYPE = ascii('{"type":"');
const M = 0x6d;
const E = 0x65;

/** rtchat's own protocol. */
export const rtchat: Dialect = {
  hello: (client) => `{"type":"hello","version":1,"nick":"n${client}"}\n`,
  join: (room) => `{"type":"join","room":"r${room}","history":0}\n`,
  send: (room, sequence, text) => `{"type":"send","room":"r${room}","id":"${sequence}","text":"${text}"}\n`,
  pong: () => "",
  kind(line) {
    if (!startsWith(line, TYPE)) return Kind.Other;
    switch (line[TYPE.length]) {
      case M:
        return line[TYPE.length + 1] === E && line[TYPE.length + 2] === 0x73 ? Kind.Delivery : Kind.Other;
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
  kind(line) {
    if (startsWith(line, MSG)) return Kind.Delivery;
    if (startsWith(line, PONG)) return Kind.Ready;
    if (startsWith(line, PING)) return Kind.Ping;
    return startsWith(line, INFO) ? Kind.Welcome : Kind.Other;
  },
  bye: "",
};

const PRIVMSG = ascii(" PRIVMSG ");
const SPACE = 0x20;

/** IRC: the word after the source tells. */
export const irc: Dialect = {
  hello: (client) => `CAP REQ :echo-message\r\nNICK n${client}\r\nUSER n${client} 0 * :n\r\nCAP END\r\n`,
  join: (room) => `JOIN #r${room}\r\n`,
  send: (room, _sequence, text) => `PRIVMSG #r${room} :${text}\r\n`,
  pong: (line) => `PONG ${line.slice(5)}\r\n`,
  kind(line) {
    if (startsWith(line, PING)) return Kind.Ping;
    const space = line.indexOf(SPACE);
    if (space === -1) return Kind.Other;
    if (startsWith(line.subarray(space), PRIVMSG)) return Kind.Delivery;
    if (line[space + 4] !== SPACE) return Kind.Other;
    const numeric = String.fromCharCode(line[space + 1] ?? 0, line[space + 2] ?? 0, line[space + 3] ?? 0);
    if (numeric === "001") return Kind.Welcome;
    return numeric === "366" ? Kind.Ready : Kind.Other;
  },
  bye: "QUIT\r\n",
};

export const dialects = { rtchat, nats, irc } as const;
export type DialectName = keyof typeof dialects;
