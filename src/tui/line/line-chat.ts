/**
 * Chat as lines: what happens is printed below what happened, and what is typed is a message or a command.
 *
 * Knows no terminal: it is given lines and gives lines, so that it is the same over readline, over a dumb terminal and
 * in tests. A message is shown when the server has it, at its place in the room's order; only what was not sent is
 * told beside that.
 */
import type { ClientEvent, ConnectionState, SendOutcome } from "../../client/events.ts";
import { errorKinds, isErrorCode } from "../../protocol/errors.ts";
import type { Joined, Message, ServerMessage } from "../../protocol/messages.ts";
import { nameKey } from "../../protocol/names.ts";
import { cleanOutgoing } from "../../protocol/sanitize.ts";
import type { ChatBackend } from "../backend.ts";
import type { Paint } from "../colours.ts";
import type { CommandContext } from "../commands/command.ts";
import { parseTyped } from "../commands/parse.ts";
import { commandsOf, runCommand } from "../commands/table.ts";
import { complete } from "../completion.ts";
import type { Completion } from "../completion.ts";
import type { Words } from "../language/words.ts";
import { splitText } from "../split.ts";
import { LineFormat } from "./format.ts";

/** Where lines go. */
export interface LineScreen {
  /** Whole lines, without their newlines, below everything before. */
  print(lines: readonly string[]): void;
  /** What stands before the cursor. */
  prompt(text: string): void;
}

export interface LineChatOptions {
  readonly backend: ChatBackend;
  readonly screen: LineScreen;
  readonly words: Words;
  readonly paint: Paint;
  /** The room to begin in. */
  readonly room: string;
  readonly suggest: CommandContext["suggest"];
  readonly quit: () => void;
  readonly timeZone?: string;
}

/** Nicks remembered for completion beyond the members of the room in front. */
const RECENT_NICKS = 50;

export class LineChat {
  readonly #options: LineChatOptions;
  readonly #format: LineFormat;
  readonly #oldest = new Map<string, number>();
  /** Who spoke last, the latest first. */
  #recent: string[] = [];
  #target: string | undefined;
  #rooms: readonly string[] = [];
  #wasOnline = false;
  /** The next failure is the loss of a connection that was good. */
  #lost = false;

  constructor(options: LineChatOptions) {
    this.#options = options;
    this.#format = new LineFormat(options.words, options.paint, options.timeZone);
  }

  /** Begins: joins, connects, and prints whatever happens from now on. */
  start(): void {
    const { backend, room } = this.#options;
    backend.on((event) => this.#hear(event));
    this.#target = backend.session.join(room).name;
    this.#showPrompt();
    backend.connect();
  }

  #print(...lines: readonly string[]): void {
    if (lines.length > 0) this.#options.screen.print(lines);
  }

  #showPrompt(): void {
    this.#options.screen.prompt(`${this.#target ?? ""}> `);
  }

  get #context(): CommandContext {
    const { backend, words, suggest, quit } = this.#options;
    return {
      backend,
      words,
      target: this.#target,
      focus: (target) => this.#focus(target),
      say: (...lines) =>
        this.#print(
          ...lines.map((line) =>
            line.startsWith("  ") ? this.#format.listed(line) : this.#format.info(line),
          ),
        ),
      complain: (line) => this.#print(this.#format.warning(line)),
      send: (target, text) => this.#send(target, text),
      showHistory: (room, messages) => this.#showHistory(room, messages),
      oldest: (room) => this.#oldest.get(room),
      suggest,
      quit,
    };
  }

  /** A line was typed. */
  typed(line: string): void {
    const typed = parseTyped(cleanOutgoing(line));
    if (typed.kind === "command") runCommand(this.#context, typed.name, typed.rest);
    else if (typed.kind === "text") {
      if (this.#target === undefined) this.#print(this.#format.warning(this.#options.words.noRoom));
      else this.#send(this.#target, typed.text);
    }
  }

  /** What Tab offers for the text before the cursor. */
  complete(before: string): Completion {
    const { session } = this.#options.backend;
    const room = session.rooms.get(this.#target ?? "");
    const mine = nameKey(session.nick);
    const nicks = [...new Set([...this.#recent, ...(room?.members.values() ?? [])])];
    return complete(before, {
      commands: commandsOf(this.#options.backend),
      nicks: nicks.filter((nick) => nameKey(nick) !== mine),
      joined: [...session.rooms.keys()],
      rooms: this.#rooms,
    });
  }

  #focus(target: string): void {
    if (target === this.#target) return;
    this.#target = target;
    this.#showPrompt();
    this.#print(this.#format.info(this.#options.words.now(target)));
  }

  #send(target: string, text: string): void {
    for (const piece of splitText(text)) {
      const taken = this.#options.backend.session.send(target, piece);
      if (taken.ok) continue;
      this.#notSent(target, piece, taken.message);
      return;
    }
  }

  #notSent(room: string, text: string, reason: string): void {
    const [first = ""] = text.split("\n");
    const short = first.length > 60 || first !== text ? `${first.slice(0, 60)}…` : first;
    this.#print(this.#format.warning(this.#options.words.notSent(room, short, reason)));
  }

  #hear(event: ClientEvent): void {
    switch (event.kind) {
      case "connection":
        this.#connection(event.connection);
        return;
      case "received":
        this.#received(event.message, event.rejoined);
        return;
      case "gap":
        this.#print(this.#format.gap(event.gap));
        return;
      case "sent":
        this.#sent(event.outcome);
        break;
      case "told":
        this.#print(
          ...event.lines.map((line) =>
            event.warning ? this.#format.warning(line) : this.#format.info(line),
          ),
        );
        break;
      case "unknown":
      case "writable":
    }
  }

  #sent(outcome: SendOutcome): void {
    if (!outcome.ok) this.#notSent(outcome.room, outcome.text, outcome.message);
  }

  #connection(connection: ConnectionState): void {
    const { words } = this.#options;
    switch (connection.state) {
      case "idle":
      case "connecting":
        return;
      case "online":
        this.#wasOnline = true;
        this.#lost = true;
        this.#print(
          this.#format.info(
            connection.first
              ? words.online(connection.server, connection.nick)
              : words.onlineAgain(connection.server),
          ),
        );
        return;
      case "waiting": {
        const { address, reason, retryInMs } = connection;
        const seconds = words.seconds(String(Math.ceil(retryInMs / 1_000)));
        const text = this.#lost ? words.lost(reason, seconds) : words.waiting(address, reason, seconds);
        this.#lost = false;
        this.#print(this.#format.warning(text));
        if (!this.#wasOnline && connection.attempt === 1 && connection.code === "ECONNREFUSED") {
          this.#print(this.#format.info(words.startOne));
        }
        return;
      }
      case "needs-nick":
        this.#print(this.#format.warning(words.nickRefused(connection.message)));
        return;
      case "closed":
        if (connection.code !== "closed") {
          this.#print(this.#format.warning(words.closed(connection.message)));
          this.#options.quit();
        }
    }
  }

  #received(message: ServerMessage, rejoined: boolean): void {
    const { words } = this.#options;
    switch (message.type) {
      case "message":
        this.#message(message);
        return;
      case "joined":
        this.#joined(message, rejoined);
        return;
      case "presence":
        if (nameKey(message.to ?? message.nick) !== nameKey(this.#options.backend.session.nick)) {
          this.#print(this.#format.presence(message));
        }
        return;
      case "topic":
        this.#print(this.#format.topic(message));
        return;
      case "error":
        // What ends the connection is told by the connection's state.
        if (!isErrorCode(message.code) || !errorKinds[message.code].closes) {
          this.#print(this.#format.warning(message.message));
        }
        return;
      case "notice":
        this.#print(this.#format.info(words.serverSays(message.message)));
        return;
      case "going-away":
        this.#print(this.#format.info(words.goingAway));
        return;
      case "rooms":
        this.#rooms = message.rooms.map(({ room }) => room);
        break;
      default:
    }
  }

  #message(message: Message): void {
    const { room, seq, from } = message;
    if (!this.#oldest.has(room)) this.#oldest.set(room, seq);
    this.#recent = [from, ...this.#recent.filter((nick) => nick !== from)].slice(0, RECENT_NICKS);
    this.#print(...this.#format.message(message, this.#options.backend.session.nick, this.#target));
  }

  #joined(joined: Joined, rejoined: boolean): void {
    const { words } = this.#options;
    const oldest = joined.messages[0]?.seq;
    if (oldest !== undefined && !this.#oldest.has(joined.room)) this.#oldest.set(joined.room, oldest);
    for (const message of joined.messages) this.#message(message);
    if (rejoined) return;
    const lines = [
      joined.memberCount <= 1
        ? words.alone(joined.room)
        : words.joinedRoom(joined.room, words.people(joined.memberCount)),
    ];
    if (joined.topic !== "") lines.push(words.topicIs(joined.room, joined.topic));
    this.#print(...lines.map((line) => this.#format.info(line)));
  }

  #showHistory(room: string, messages: readonly Message[]): void {
    const { words, backend } = this.#options;
    const [first] = messages;
    if (first !== undefined) this.#oldest.set(room, first.seq);
    const lines = messages.flatMap((one) => this.#format.message(one, backend.session.nick, room));
    this.#print(this.#format.info(words.historyHead(room)), ...lines, this.#format.info(words.historyEnd));
  }
}
