/**
 * A small, scripted chat server for the client's tests: enough of PROTOCOL.md to be joined, resumed and broken, over any
 * transport (simulated pipes here, real sockets in sockets.test.ts). It keeps its logs while connections come and go, as
 * a cluster does, and lets a test decide what goes wrong: acks that are swallowed, history that is gone, refusals.
 */
import type { Message, ServerMessage } from "../../src/protocol/messages.ts";
import { INBOX } from "../../src/protocol/messages.ts";
import { nameKey } from "../../src/protocol/names.ts";
import { parseRequest } from "../../src/protocol/requests.ts";
import type { Request, RequestOf } from "../../src/protocol/messages.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { LineSplitter, eachLine } from "../../src/protocol/lines.ts";

interface Session {
  readonly name: string;
  nick: string;
  readonly inbox: Message[];
  connection: FakeConnection | undefined;
}

/** What a server needs of a connection. */
export interface FakeTransport {
  write(text: string): void;
  /** Flushes and closes. */
  end(): void;
}

/** One client's connection, seen from the server. */
export class FakeConnection {
  readonly received: Request[] = [];
  readonly rooms = new Set<string>();
  /** Nothing that comes is heard any more, as after a cut. */
  deaf = false;
  session: Session | undefined;
  readonly #server: FakeServer;
  readonly #transport: FakeTransport;
  readonly #splitter = new LineSplitter();

  constructor(server: FakeServer, transport: FakeTransport) {
    this.#server = server;
    this.#transport = transport;
  }

  data(chunk: Uint8Array): void {
    const lines = this.#splitter.push(chunk);
    if (lines === undefined) return;
    eachLine(lines, (line) => {
      if (this.deaf) return;
      let request: Request;
      try {
        request = parseRequest(line);
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error;
        this.say({ type: "error", code: error.code, message: error.message });
        return;
      }
      this.received.push(request);
      this.#server.handle(this, request);
    });
  }

  say(message: ServerMessage): void {
    this.raw(JSON.stringify(message));
  }
  raw(line: string): void {
    this.#transport.write(`${line}\n`);
  }
  end(): void {
    this.#transport.end();
  }
  closed(): void {
    this.#server.gone(this);
  }
}

export class FakeServer {
  readonly epoch: string;
  readonly connections = new Set<FakeConnection>();
  readonly logs = new Map<string, Message[]>();
  /** Every connection there ever was. */
  readonly history: FakeConnection[] = [];
  /** Forget every session: resume tokens are refused from now on. */
  forgetful = false;
  /** A test's say in one request: true if it has dealt with it. */
  intercept: (connection: FakeConnection, request: Request) => boolean = () => false;
  /** Messages below this seq are gone. */
  firstKept = 1;
  readonly #sessions = new Map<string, Session>();
  readonly #keys = new Map<string, Message>();
  readonly #at: () => number;

  constructor(epoch = "e1", at: () => number = () => 1_700_000_000_000) {
    this.epoch = epoch;
    this.#at = at;
  }

  accept(transport: FakeTransport): FakeConnection {
    const connection = new FakeConnection(this, transport);
    this.connections.add(connection);
    this.history.push(connection);
    return connection;
  }

  gone(connection: FakeConnection): void {
    this.connections.delete(connection);
    if (connection.session?.connection === connection) connection.session.connection = undefined;
  }

  log(room: string): Message[] {
    let log = this.logs.get(room);
    if (log === undefined) this.logs.set(room, (log = []));
    return log;
  }

  /** Logs a message by somebody who is not connected here. */
  post(room: string, from: string, text: string): void {
    this.#publish(room, from, text, undefined);
  }

  /** A direct message from somebody who is not connected here. */
  postDirect(to: string, from: string, text: string): void {
    for (const session of this.#sessions.values()) {
      if (nameKey(session.nick) === nameKey(to)) this.#deliver(session, `@${from}`, from, text);
    }
  }

  #deliver(session: Session, room: string, from: string, text: string, id?: string): Message {
    const seq = session.inbox.length + 1;
    const named = id === undefined ? {} : { id };
    const message: Message = { type: "message", room, seq, ...named, from, at: this.#at(), text };
    session.inbox.push(message);
    session.connection?.say(message);
    return message;
  }

  #publish(room: string, from: string, text: string, id: string | undefined, re?: Message["re"]): Message {
    const log = this.log(room);
    const named = id === undefined ? {} : { id };
    const message: Message = {
      type: "message",
      room,
      seq: log.length + 1,
      ...named,
      from,
      at: this.#at(),
      text,
      ...(re === undefined ? {} : { re }),
    };
    log.push(message);
    for (const connection of this.connections) if (connection.rooms.has(room)) connection.say(message);
    return message;
  }

  handle(connection: FakeConnection, request: Request): void {
    if (this.intercept(connection, request)) return;
    if (request.type === "hello") {
      this.#hello(connection, request);
      return;
    }
    const id = request.id === undefined ? {} : { id: request.id };
    const { session } = connection;
    if (session === undefined) {
      connection.say({ type: "error", code: "hello-first", message: "say hello first", ...id });
      return;
    }
    switch (request.type) {
      case "join":
        this.#join(connection, session, request);
        return;
      case "leave":
        connection.rooms.delete(nameKey(request.room));
        connection.say({ type: "left", room: nameKey(request.room), ...id });
        return;
      case "send":
        this.#send(connection, session, request);
        return;
      case "ping":
        connection.say({ type: "pong", ...id });
        return;
      case "rooms": {
        const rooms = [...this.logs.keys()].map((room) => ({ room, members: 1, topic: "" }));
        connection.say({ type: "rooms", rooms, ...id });
        return;
      }
      case "members": {
        const members = this.#members(nameKey(request.room));
        connection.say({
          type: "members",
          room: nameKey(request.room),
          members,
          memberCount: members.length,
          ...id,
        });
        return;
      }
      case "history": {
        const { before = Number.MAX_SAFE_INTEGER, after = 0, limit } = request;
        const room = nameKey(request.room);
        const all = this.log(room).filter(({ seq }) => seq < before && seq > after && seq >= this.firstKept);
        const messages = request.after === undefined ? all.slice(-limit) : all.slice(0, limit);
        const more = messages.length < all.length;
        connection.say({ type: "history", room, epoch: this.epoch, messages, more, ...id });
        return;
      }
      case "nick":
        session.nick = request.nick;
        connection.say({ type: "nick", nick: request.nick, ...id });
        return;
      case "topic":
        for (const one of this.connections) {
          if (one.rooms.has(nameKey(request.room))) {
            one.say({
              type: "topic",
              room: nameKey(request.room),
              text: request.text,
              by: session.nick,
              at: this.#at(),
              ...(one === connection ? id : {}),
            });
          }
        }
        return;
      case "identify":
        connection.say({ type: "read", positions: {}, ...id });
        return;
      case "read":
        connection.say({ type: "read", positions: { [request.room]: request.position }, ...id });
        return;
      case "typing":
        connection.say({ type: "typing", room: nameKey(request.room), nick: session.nick, ...id });
        return;
      case "bye":
        connection.end();
        return;
      default:
        // A server that is older than the client: what it does not know it refuses.
        connection.say({ type: "error", code: "unknown-type", message: `no ${request.type} here`, ...id });
    }
  }

  #hello(connection: FakeConnection, request: RequestOf<"hello">): void {
    const known = this.forgetful ? undefined : this.#sessions.get(request.resume ?? "");
    const taken = [...this.#sessions.values()].find(
      (one) => one !== known && one.connection !== undefined && nameKey(one.nick) === nameKey(request.nick),
    );
    const id = request.id === undefined ? {} : { id: request.id };
    if (known === undefined && taken !== undefined) {
      connection.say({ type: "error", code: "nick-taken", message: `nick ${request.nick} is taken`, ...id });
      return;
    }
    const session = known ?? {
      name: `s${this.#sessions.size + 1}`,
      nick: request.nick,
      inbox: [],
      connection: undefined,
    };
    const token = `token-${session.name}`;
    this.#sessions.set(token, session);
    session.connection = connection;
    connection.session = session;
    connection.say({
      type: "welcome",
      version: 1,
      server: "fake",
      cluster: "c1",
      session: session.name,
      nick: session.nick,
      resume: token,
      resumed: known !== undefined,
      inbox: { epoch: this.epoch, seq: session.inbox.length },
      ...id,
    });
  }

  #members(room: string): string[] {
    return [...this.connections].filter((one) => one.rooms.has(room)).map((one) => one.session?.nick ?? "");
  }

  #join(connection: FakeConnection, session: Session, request: RequestOf<"join">): void {
    const room = request.room === INBOX ? INBOX : nameKey(request.room);
    const log = room === INBOX ? session.inbox : this.log(room);
    const { since, history } = request;
    const continues = since !== undefined && since.epoch === this.epoch && since.seq + 1 >= this.firstKept;
    const kept = log.filter(({ seq }) => seq >= this.firstKept);
    const messages = continues
      ? kept.filter(({ seq }) => seq > since.seq)
      : history === 0
        ? []
        : kept.slice(-history);
    if (room !== INBOX) connection.rooms.add(room);
    const members = room === INBOX ? [] : this.#members(room);
    connection.say({
      type: "joined",
      room,
      epoch: this.epoch,
      seq: log.length,
      members,
      memberCount: members.length,
      topic: "",
      messages,
      recovered: since === undefined || continues,
      ...(request.id === undefined ? {} : { id: request.id }),
    });
  }

  #send(connection: FakeConnection, session: Session, request: RequestOf<"send">): void {
    const { id, text } = request;
    const named = id === undefined ? {} : { id };
    const key = `${session.name} ${request.room} ${id}`;
    const before = id === undefined ? undefined : this.#keys.get(key);
    if (before !== undefined) {
      const { seq, at, room } = before;
      connection.say({ type: "ack", ...named, room, seq, at, duplicate: true });
      return;
    }
    let message: Message;
    if (request.room.startsWith("@")) {
      const to = [...this.#sessions.values()].find(
        ({ nick }) => `@${nameKey(nick)}` === nameKey(request.room),
      );
      if (to === undefined) {
        connection.say({ type: "error", code: "no-such-nick", message: "nobody has this nick", ...named });
        return;
      }
      if (to !== session) this.#deliver(to, `@${session.nick}`, session.nick, text, id);
      message = this.#deliver(session, `@${to.nick}`, session.nick, text, id);
    } else {
      const room = nameKey(request.room);
      if (!connection.rooms.has(room)) {
        connection.say({ type: "error", code: "not-in-room", message: `not in ${room}`, ...named });
        return;
      }
      message = this.#publish(room, session.nick, text, id, request.re);
    }
    this.#keys.set(key, message);
    connection.say({ type: "ack", ...named, room: message.room, seq: message.seq, at: message.at });
  }
}
