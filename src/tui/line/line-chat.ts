/**
 * Chat as lines: what happens is printed below what happened, and what is typed is a message or a command.
 *
 * Knows no terminal: it is given lines and gives lines, so that it is the same over readline, over a dumb terminal and
 * in tests. A message is shown when the server has it, at its place in the room's order; only what was not sent is
 * told beside that.
 */
import type { ClientEvent, ConnectionState, SendOutcome, Task } from "../../client/events.ts";
import { errorKinds, isErrorCode } from "../../protocol/errors.ts";
import { INBOX, type Joined, type Message, type ServerMessage } from "../../protocol/messages.ts";
import { screenLimits } from "../../protocol/limits.client.ts";
import { nameKey } from "../../protocol/names.ts";
import { cleanOutgoing } from "../../protocol/sanitize.ts";
import type { ChatBackend, SendExtras } from "../backend.ts";
import type { Paint } from "../colours.ts";
import type { CommandContext } from "../commands/command.ts";
import { parseTyped } from "../commands/parse.ts";
import { commandsOf, runCommand } from "../commands/table.ts";
import { complete } from "../completion.ts";
import type { Completion } from "../completion.ts";
import { failureIn, reasonIn, type Words } from "../language/words.ts";
import { Absences } from "../model/absences.ts";
import { isChange } from "../model/changes.ts";
import { HabitTeller, NameSet, NO_HABITS, type HabitKeeping } from "../model/habits.ts";
import { hasSuccessor, isOwn } from "../model/notes.ts";
import { People } from "../model/people.ts";
import { formatBytes, percent, progressBar } from "../progress.ts";
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
  /** What a person finds as they left it. */
  readonly habits?: HabitKeeping;
  readonly suggest: CommandContext["suggest"];
  readonly quit: () => void;
  readonly timeZone?: string;
}

export class LineChat {
  readonly #options: LineChatOptions;
  readonly #format: LineFormat;
  readonly #oldest = new Map<string, number>();
  readonly #people: People;
  readonly #absences = new Absences();
  readonly #muted: NameSet;
  readonly #habits: HabitTeller | undefined;
  /** The latest messages of all rooms, for commands about them. */
  readonly #kept: Message[] = [];
  readonly #spoken: Message[] = [];
  /** For which room or conversation a message is under way, by its id. */
  readonly #sending = new Map<string, string>();
  #target: string | undefined;
  #rooms: readonly string[] = [];
  #wasOnline = false;
  /** The person knows that the nick is tried again. */
  #nickHeld = false;
  /** Quarters of what takes a while that were told, by its key. */
  readonly #quarters = new Map<string, number>();
  /** The next failure is the loss of a connection that was good. */
  #lost = false;

  constructor(options: LineChatOptions) {
    this.#options = options;
    this.#format = new LineFormat(options.words, options.paint, options.timeZone);
    const { kept = NO_HABITS } = options.habits ?? {};
    this.#people = new People(kept);
    this.#muted = new NameSet(kept.muted);
    this.#habits = options.habits && new HabitTeller(options.habits);
  }

  /** Begins: joins, connects, and prints whatever happens from now on. */
  start(): void {
    const { backend, room, habits } = this.#options;
    backend.on((event) => this.#hear(event));
    for (const one of habits?.kept.rooms ?? []) backend.session.join(one);
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
      close: (conversation) => nameKey(this.#target ?? "") === nameKey(conversation),
      say: (...lines) =>
        this.#print(
          ...lines.map((line) =>
            line.startsWith("  ") ? this.#format.listed(line) : this.#format.info(line),
          ),
        ),
      complain: (line) => this.#print(this.#format.warning(line)),
      send: (target, text, extras) => this.#send(target, text, extras),
      latest: (room, fits) =>
        // `@Bob` and `@bob` are one conversation; rooms are keys already.
        this.#kept.findLast((one) => nameKey(one.room) === nameKey(room) && !isChange(one) && fits(one)),
      isSending: (room) => [...this.#sending.values()].includes(nameKey(room)),
      jump: (room, seq) => this.#jump(room, seq),
      ignore: (nick) => this.#people.toggleIgnored(nick),
      highlights: this.#people.highlights,
      mute: (room) => this.#mute(room),
      spoken: this.#spoken,
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
    this.#keepHabits();
  }

  /** After what may have changed them. */
  #keepHabits(): void {
    const rooms = [...this.#options.backend.session.rooms.keys()];
    const front = rooms.find((room) => room === this.#target);
    const [{ ignored, highlights }, muted] = [this.#people, this.#muted.names];
    this.#habits?.now({ rooms, front, ignored, muted, highlights: highlights.names });
  }

  /** What Tab offers for the text before the cursor. */
  complete(before: string): Completion {
    const { session } = this.#options.backend;
    const room = session.rooms.get(this.#target ?? "");
    return complete(before, {
      commands: commandsOf(this.#options.backend),
      nicks: this.#people.candidates(room?.members.values() ?? [], session.nick),
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

  #mute(room: string): boolean | undefined {
    if (!room.startsWith("@") && !this.#options.backend.session.rooms.has(room)) return undefined;
    return this.#muted.toggle(room);
  }

  /** Prints a message with what was said around it. */
  #jump(room: string, seq: number): void {
    const around = screenLimits.searchShown / 2;
    const bounds = { after: Math.max(0, seq - around - 1), before: seq + around + 1 };
    const taken = this.#options.backend.session.request(
      { type: "history", room, limit: screenLimits.searchShown + 1, ...bounds },
      (answer) => {
        if (!answer.ok) this.#print(this.#format.warning(failureIn(this.#options.words, answer)));
        else if (answer.message.type === "history") this.#showHistory(room, answer.message.messages);
      },
    );
    if (!taken.ok) this.#print(this.#format.warning(failureIn(this.#options.words, taken)));
  }

  #send(target: string, text: string, extras?: SendExtras): void {
    for (const piece of splitText(text)) {
      const taken = this.#options.backend.session.send(target, piece, undefined, extras);
      if (!taken.ok) {
        this.#notSent(target, piece, failureIn(this.#options.words, taken));
        return;
      }
      if (!isChange(extras ?? {})) this.#sending.set(taken.id, nameKey(target));
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
        if (event.gap.room === INBOX && event.gap.after === undefined) this.#forgetDirect();
        this.#print(this.#format.gap(event.gap));
        return;
      case "sent":
        this.#sent(event.outcome);
        break;
      case "told":
        if (event.from !== undefined && this.#people.ignores(event.from)) break;
        this.#print(
          ...event.lines.map((line) =>
            event.warning ? this.#format.warning(line) : this.#format.info(line),
          ),
        );
        break;
      case "progress":
        this.#progress(event.tasks);
        break;
      case "unknown":
      case "writable":
    }
  }

  /** Another inbox: what comes now is counted anew. */
  #forgetDirect(): void {
    const others = this.#kept.splice(0).filter(({ room }) => !room.startsWith("@"));
    this.#kept.push(...others);
    for (const room of this.#oldest.keys()) if (room.startsWith("@")) this.#oldest.delete(room);
  }

  /** A line at each quarter: lines cannot be drawn again. */
  #progress(tasks: readonly Task[]): void {
    for (const { key, name, done, total } of tasks) {
      const quarter = total === 0 ? 0 : Math.floor((4 * done) / total);
      const before = this.#quarters.get(key);
      this.#quarters.set(key, Math.max(quarter, before ?? 0));
      if (before === undefined || quarter <= before || quarter === 4) continue;
      const { files, locale } = this.#options.words;
      const sizes = [formatBytes(done, locale), formatBytes(total, locale)] as const;
      const bar = progressBar(done, total, screenLimits.progressCells);
      this.#print(this.#format.info(files.progress(name, bar, percent(done, total), ...sizes)));
    }
    const keys = new Set(tasks.map(({ key }) => key));
    for (const key of this.#quarters.keys()) if (!keys.has(key)) this.#quarters.delete(key);
  }

  #sent(outcome: SendOutcome): void {
    this.#sending.delete(outcome.id);
    if (!outcome.ok) this.#notSent(outcome.room, outcome.text, failureIn(this.#options.words, outcome));
  }

  #connection(connection: ConnectionState): void {
    const { words } = this.#options;
    switch (connection.state) {
      case "idle":
      case "connecting":
        return;
      case "online":
        this.#wasOnline = true;
        if (connection.first)
          this.#print(this.#format.info(words.online(connection.server, connection.nick)));
        // Whoever was not told that it was lost, because a successor was there already, need not know.
        else if (!this.#lost) this.#print(this.#format.info(words.onlineAgain(connection.server)));
        this.#lost = true;
        return;
      case "waiting": {
        const { address, retryInMs } = connection;
        const reason = reasonIn(words, connection, this.#options.backend.session.nick);
        if (connection.code === "nick-taken") {
          if (!this.#nickHeld)
            this.#print(this.#format.warning(words.nickHeld(reason)), this.#format.info(words.nickOther));
          this.#nickHeld = true;
          return;
        }
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
        this.#nickHeld = false;
        this.#print(
          this.#format.warning(
            words.nickRefused(failureIn(words, { ...connection, value: connection.nick })),
          ),
        );
        return;
      case "closed":
        if (connection.code !== "closed") {
          this.#print(this.#format.warning(words.closed(failureIn(words, connection))));
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
        if (message.bot !== true && !isOwn(message, this.#options.backend.session.nick)) {
          this.#print(this.#format.presence(message));
        }
        return;
      case "topic":
        this.#print(this.#format.topic(message));
        return;
      case "error":
        // What ends the connection is told by the connection's state.
        if (!isErrorCode(message.code) || !errorKinds[message.code].closes) {
          this.#print(this.#format.warning(failureIn(words, message)));
        }
        return;
      case "ack":
        for (const { nick, text } of this.#absences.news(message)) {
          this.#print(this.#format.info(words.isAway(nick, text)));
        }
        return;
      case "away":
        if (message.room === undefined && message.id === undefined && !message.away) {
          this.#print(this.#format.info(words.youBack));
        }
        return;
      case "notice":
        this.#print(this.#format.info(words.serverSays(message.message)));
        return;
      case "going-away":
        if (!hasSuccessor(message)) this.#print(this.#format.info(words.goingAway));
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
    this.#people.spoke(from);
    this.#kept.push(message);
    if (this.#kept.length > screenLimits.keptByLines) this.#kept.shift();
    const me = this.#options.backend.session.nick;
    if (nameKey(from) !== nameKey(me) && (room.startsWith("@") || this.#people.callsMe(message.text, me))) {
      this.#spoken.push(message);
      if (this.#spoken.length > screenLimits.mentions) this.#spoken.shift();
    }
    if (!room.startsWith("@")) this.#options.backend.session.markRead?.(room, seq);
    if (this.#people.ignores(from) || this.#muted.has(room)) return;
    this.#print(...this.#format.message(message, me, this.#target));
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
