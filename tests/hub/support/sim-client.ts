/**
 * A person in the simulation, and the judge of everything that person is told.
 *
 * The judge holds the client to nothing but PROTOCOL.md: answers come one a line, in line order; the next message of a
 * log has the next seq and is what the log has there; whoever comes was not there, whoever goes was.
 */
import type { Random } from "../../../src/protocol/clock.ts";
import type { Joined, Message, Position, Presence, ServerMessage } from "../../../src/protocol/messages.ts";
import { SimConnection } from "./sim-edge.ts";
import type { SimTrunk } from "./sim-edge.ts";

/** What the judge may ask about the truth. */
export interface Truth {
  /** The text at a place of a log, undefined if there is none. */
  now(): number;
  textAt(log: string, epoch: string | undefined, seq: number): string | undefined;
  /** Whether a text has this place in a log, in any epoch. */
  isLogged(log: string, seq: number, text: string): boolean;
  wrong(what: string, client: SimClient): never;
}

interface Expected {
  readonly type: string;
  readonly id: string | undefined;
  readonly room: string | undefined;
  readonly text: string | undefined;
  readonly since: Position | undefined;
}

interface Ask extends Partial<Omit<Expected, "type">> {
  readonly type: string;
  readonly version?: number;
  readonly nick?: string;
  readonly resume?: string;
  readonly limit?: number;
}

interface View {
  position: Position;
  members: Set<string>;
}

export class SimClient {
  readonly name: string;
  nick: string;
  session = "";
  resume: string | undefined;
  connection: SimConnection | undefined;
  welcomed = false;
  /** Rooms that this client means to be in, on this connection or the next. */
  readonly wanted = new Set<string>();
  readonly views = new Map<string, View>();
  /** Rooms of which a join or leave was not answered, or with unavailable: it may be carried out, and undone. */
  readonly unsure = new Set<string>();
  inbox: Position | undefined;
  /** Requests without an answer, in order. */
  expected: Expected[] = [];
  /** Sends with an id that were not acknowledged: id to [room, text]. */
  readonly unacknowledged = new Map<string, { readonly room: string; readonly text: string }>();
  readonly acknowledged: string[] = [];
  gaps = 0;
  /** The end of the conversation, for whoever has to find out what went wrong. */
  readonly trace: string[] = [];
  #count = 0;
  readonly #truth: Truth;

  constructor(name: string, truth: Truth) {
    this.name = name;
    this.nick = name;
    this.#truth = truth;
  }

  #note(line: string): void {
    if (!line.startsWith(`< {"type":"message"`)) this.trace.push(line.slice(0, 200));
    if (this.trace.length > 60) this.trace.shift();
  }

  get #wrong(): (what: string) => never {
    return (what) => this.#truth.wrong(`${this.name} (${this.nick}): ${what}`, this);
  }

  newId(): string {
    this.#count += 1;
    return `${this.name}-${this.#count}`;
  }

  /** A new connection: says who it is, where it stood, and what was not acknowledged. */
  connect(trunk: SimTrunk): void {
    this.welcomed = false;
    this.expected = [];
    for (const room of this.views.keys()) if (!this.wanted.has(room)) this.views.delete(room);
    this.connection = new SimConnection(
      trunk,
      this.#truth.now(),
      this.newId(),
      (line) => this.#hear(line),
      (code) => this.#closed(code),
    );
    const resume = this.resume === undefined ? {} : { resume: this.resume };
    this.ask({ type: "hello", version: 1, nick: this.nick, id: this.newId(), ...resume });
  }

  ask(request: Ask): void {
    const { type, id, room, text, since } = request;
    this.expected.push({ type, id, room, text, since });
    this.connection?.say(request);
    this.#note(`> ${JSON.stringify(request)} to ${this.connection?.trunk.name}`);
  }

  join(room: string): void {
    this.wanted.add(room);
    const since = this.views.get(room)?.position;
    this.ask({ type: "join", room, id: this.newId(), ...(since === undefined ? {} : { since }) });
  }

  send(room: string, withId: boolean, random: Random): void {
    const text = `${this.newId()} ${"x".repeat(Math.floor(random() * 30))}`;
    const id = withId ? this.newId() : undefined;
    if (id !== undefined) this.unacknowledged.set(id, { room, text });
    this.ask({ type: "send", room, text, ...(id === undefined ? {} : { id }) });
  }

  /** The connection ends by this client's doing. */
  leaveServer(reason: "failed" | "ended"): void {
    this.connection?.end(reason);
    this.#disconnected();
  }

  #disconnected(): void {
    for (const { type, room } of this.expected) {
      if (room !== undefined && (type === "join" || type === "leave")) this.unsure.add(room);
    }
    this.connection = undefined;
    this.welcomed = false;
    this.expected = [];
  }

  #closed(code: string): void {
    if (code !== "bye" && code !== "session-lost") this.#wrong(`closed with ${code}`);
    this.#disconnected();
  }

  #hear(line: string): void {
    this.#note(`< ${line}`);
    const message = JSON.parse(line) as ServerMessage;
    switch (message.type) {
      case "message":
        this.#message(message);
        return;
      case "presence":
        this.#presence(message);
        return;
      case "joined":
        this.#joined(message);
        return;
      case "topic":
        if (message.id !== undefined) this.#answers("topic", message.id);
        return;
      case "members":
        if (message.id !== undefined) this.#answers("members", message.id);
        this.#view(message.room).members = new Set(message.members);
        return;
      case "ack":
        this.#ack(message.id, message.room, message.seq);
        return;
      case "welcome":
        this.#answers("hello", message.id);
        this.#welcome(message.session, message.resume, message.nick, message.resumed, message.inbox);
        return;
      case "nick":
        if (message.id !== undefined) this.#answers("nick", message.id);
        this.nick = message.nick;
        return;
      case "left":
        this.#answers("leave", message.id);
        this.unsure.delete(message.room);
        this.views.delete(message.room);
        return;
      case "error":
        this.#error(message.code, message.id);
        return;
      case "history":
        this.#answers("history", message.id);
        for (const [index, { seq }] of message.messages.entries()) {
          if (seq !== (message.messages[0]?.seq ?? 0) + index) this.#wrong("history is not contiguous");
        }
        return;
      case "rooms":
      case "found":
      case "whois":
      case "typing":
      case "introduce":
      case "introduction":
      case "relay":
      case "away":
      case "read":
      case "operator":
      case "kick":
      case "ban":
      case "unban":
      case "bans":
      case "pong":
      case "going-away":
      case "notice":
        this.#wrong(`did not ask for ${message.type}`);
    }
  }

  #answers(type: string, id: string | undefined): Expected {
    const expected = this.expected.shift();
    if (expected === undefined || expected.type !== type || expected.id !== id) {
      return this.#wrong(`expected an answer to ${JSON.stringify(expected)}, got one to ${type} ${id}`);
    }
    return expected;
  }

  #view(room: string): View {
    return this.views.get(room) ?? this.#wrong(`hears of ${room} and is not in it`);
  }

  #welcome(session: string, resume: string, nick: string, resumed: boolean, inbox: Position): void {
    if (this.session !== "" && (!resumed || session !== this.session)) this.#wrong("was not resumed");
    this.session = session;
    this.resume = resume;
    this.nick = nick;
    this.welcomed = true;
    const missed = this.inbox?.epoch === inbox.epoch && this.inbox.seq < inbox.seq;
    if (missed) this.ask({ type: "join", room: "@", id: this.newId(), since: this.inbox });
    else this.inbox = inbox;
    for (const room of this.wanted) this.join(room);
    for (const [id, { room, text }] of this.unacknowledged) this.ask({ type: "send", room, id, text });
  }

  #message({ room, seq, text }: Message): void {
    const direct = room.startsWith("@");
    // What comes before the inbox is caught up, the answer to that brings too.
    if (direct && this.expected.some((one) => one.type === "join" && one.room === "@")) return;
    if (direct && this.inbox === undefined) this.#wrong("a direct message before welcome");
    const log = direct ? `@${this.session}` : room;
    const position = direct ? this.inbox : this.#view(room).position;
    if (seq !== (position?.seq ?? 0) + 1) this.#wrong(`got ${seq} of ${room} at ${position?.seq}`);
    const next = { epoch: position?.epoch ?? "", seq };
    if (this.#truth.textAt(log, next.epoch, seq) !== text) this.#wrong(`${room} ${seq} is not in the log`);
    if (direct) this.inbox = next;
    else this.#view(room).position = next;
  }

  #joined(joined: Joined): void {
    const { room, epoch, seq, recovered, messages, id } = joined;
    const since = id === undefined ? undefined : this.#answers("join", id).since;
    if (id === undefined && recovered) this.#wrong("an unasked joined that tells of no gap");
    if (!recovered) this.gaps += 1;
    const start = seq - messages.length;
    const log = room === "@" ? `@${this.session}` : room;
    for (const [index, message] of messages.entries()) {
      if (message.seq !== start + index + 1) this.#wrong(`joined ${room} with a hole`);
      const text = this.#truth.textAt(log, epoch, message.seq);
      if (text !== message.text) this.#wrong(`joined ${room} with ${message.seq}, which is not in the log`);
    }
    const continued = since !== undefined && since.epoch === epoch && start === since.seq;
    if (recovered && since !== undefined && !continued) this.#wrong(`joined ${room} with a silent gap`);
    if (room === "@") {
      this.inbox = { epoch, seq };
      return;
    }
    const members = new Set(joined.members);
    if (!members.has(this.nick) && this.expected.every(({ type }) => type !== "nick")) {
      this.#wrong(`joined ${room} and is not in it`);
    }
    this.views.set(room, { position: { epoch, seq }, members });
    this.unsure.delete(room);
  }

  #presence({ room, nick, state, to }: Presence): void {
    const { members } = this.#view(room);
    const was = members.has(nick);
    if (state === "join") {
      if (was) this.#wrong(`${nick} came to ${room} and was there`);
      members.add(nick);
      return;
    }
    if (!was) this.#wrong(`${nick} did ${state} in ${room} and was not there`);
    members.delete(nick);
    if (state === "rename" && to !== undefined) members.add(to);
  }

  #ack(id: string | undefined, room: string, seq: number): void {
    const { text } = this.#answers("send", id);
    const log = room.startsWith("@") ? `@${this.session}` : room;
    if (!this.#truth.isLogged(log, seq, text ?? "")) this.#wrong(`an ack for ${id}, which is not in the log`);
    if (id !== undefined) this.unacknowledged.delete(id);
    this.acknowledged.push(text ?? "");
  }

  #error(code: string, id: string | undefined): void {
    if (code === "session-lost") return;
    const expected = this.expected.shift();
    if (expected === undefined || expected.id !== id) {
      return this.#wrong(`an error ${code} for ${id}, unasked`);
    }
    const { type, room } = expected;
    const allowed: Record<string, readonly string[]> = {
      hello: ["nick-taken"],
      nick: ["nick-taken"],
      join: [],
      leave: ["not-in-room"],
      send: ["not-in-room", "no-such-nick"],
      topic: ["not-in-room"],
      members: ["not-in-room"],
      history: ["not-in-room"],
    };
    if (code !== "unavailable" && !allowed[type]?.includes(code)) this.#wrong(`${type} failed with ${code}`);
    if (code === "unavailable" && (type === "join" || type === "leave")) this.unsure.add(room ?? "");
    if (type === "hello") {
      // Somebody has the nick by now: another try with a new one.
      if (code === "nick-taken") this.nick = `${this.name}${this.newId().length}${this.#count}`;
      const resume = this.resume === undefined ? {} : { resume: this.resume };
      this.ask({ type: "hello", version: 1, nick: this.nick, id: this.newId(), ...resume });
    } else if (type === "join" && room !== undefined) {
      if (room === "@") this.ask({ type: "join", room, id: this.newId(), since: this.inbox });
      else if (this.wanted.has(room)) this.join(room);
    } else if (type === "send" && id !== undefined) {
      const send = this.unacknowledged.get(id);
      if (code === "unavailable" && send !== undefined) this.ask({ type: "send", id, ...send });
      else this.unacknowledged.delete(id);
    } else if (type === "leave" && code === "unavailable" && room !== undefined) {
      if (!this.wanted.has(room)) this.ask({ type: "leave", room, id: this.newId() });
    } else if (type === "leave" && code === "not-in-room" && room !== undefined) this.views.delete(room);
  }
}
