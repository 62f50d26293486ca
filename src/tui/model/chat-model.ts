/**
 * The chat as a screen shows it: rooms in order, what each shows, what is unread, and what is on its way.
 *
 * Hears the client's events and keeps what they add up to; knows nothing of rows, columns or keys. Everything in it is
 * as it came: sanitising belongs to whoever draws.
 *
 * Invariants: a room is listed from when it is wanted until it is left; `unread` counts messages of others above
 * `readSeq`; a message that was typed is in exactly one place: on its way (`pending`), in the log, or failed and shown
 * as such until it is sent again or dropped.
 */
import type { ClientEvent, ConnectionState, Gap, SendOutcome, Task } from "../../client/events.ts";
import { errorKinds, isErrorCode } from "../../protocol/errors.ts";
import { screenLimits } from "../../protocol/limits.client.ts";
import { INBOX } from "../../protocol/messages.ts";
import type { Joined, Message, ServerMessage } from "../../protocol/messages.ts";
import { nameKey, parseRoom } from "../../protocol/names.ts";
import type { RoomView, SendExtras } from "../backend.ts";
import { Absences } from "./absences.ts";
import { isChange } from "./changes.ts";
import { NameSet, NO_HABITS } from "./habits.ts";
import { ConnectionNotes } from "./connection-notes.ts";
import { itemOf } from "./log-page.ts";
import { failureIn } from "../language/words.ts";
import { loadOlder } from "./older.ts";
import { hasSuccessor, isOwn, presenceNote, topicNote } from "./notes.ts";
import { People } from "./people.ts";
import { further, Reading, readElsewhere } from "./reading.ts";
import type { Weight } from "./reading.ts";
import type { ChatModelOptions } from "./options.ts";
import { RoomModel, trimFullest } from "./room-model.ts";

export class ChatModel {
  readonly #options: ChatModelOptions;
  readonly #rooms = new Map<string, RoomModel>();
  readonly people: People;
  /** Rooms and conversations that are silent. */
  readonly muted: NameSet;
  readonly #absences = new Absences();
  /** Messages that spoke to this person, the oldest first. */
  readonly spoken: Message[] = [];
  /** What takes a while, and how far it is. */
  tasks: readonly Task[] = [];
  /** The room in front. */
  #active: string;
  /** The person looks at the end of the room in front. */
  #looking = true;
  readonly #connectionNotes: ConnectionNotes;
  #messages = 0;
  readonly #reading = new Reading();
  #closed: string | undefined;

  constructor(options: ChatModelOptions, room: string) {
    this.#options = options;
    this.#connectionNotes = new ConnectionNotes(options.words);
    const { habits = NO_HABITS } = options;
    const { rooms, muted } = habits;
    this.people = new People(habits);
    this.muted = new NameSet(muted);
    for (const name of new Set([...rooms, room])) this.#open(options.backend.session.join(name).name);
    this.#active = parseRoom(room);
    options.backend.on((event) => {
      this.#hear(event);
      this.#tellRead();
      options.changed();
    });
  }

  get rooms(): readonly RoomModel[] {
    return [...this.#rooms.values()];
  }
  get active(): RoomModel {
    return this.#open(this.#active);
  }
  get connection(): ConnectionState {
    return this.#options.backend.connection;
  }
  get me(): string {
    return this.#options.backend.session.nick;
  }
  get away(): boolean {
    return this.#options.backend.session.away !== undefined;
  }
  /** What the server knows of a room; undefined for conversations. */
  view(room: RoomModel): RoomView | undefined {
    return this.#options.backend.session.rooms.get(room.name);
  }
  /** Why the chat is over, if it is. */
  get closed(): string | undefined {
    return this.#closed;
  }

  /** Nicks to complete with. */
  nicks(): string[] {
    return this.people.candidates(this.view(this.active)?.members.values() ?? [], this.me);
  }

  #open(name: string): RoomModel {
    let room = this.#rooms.get(name);
    if (room === undefined) {
      room = new RoomModel(name);
      room.muted = this.muted.has(name);
      this.#rooms.set(name, room);
    }
    return room;
  }

  /** `@Bob` and `@bob` are one conversation. */
  #direct(name: string): RoomModel {
    const key = nameKey(name);
    for (const room of this.#rooms.values()) if (room.isDirect && nameKey(room.name) === key) return room;
    return this.#open(name);
  }

  #find(name: string): RoomModel | undefined {
    return name.startsWith("@") ? this.#direct(name) : this.#rooms.get(name);
  }

  /** Brings a room or conversation to the front. */
  focus(name: string): void {
    const room = name.startsWith("@") ? this.#direct(name) : this.#open(name);
    if (room.name === this.#active) return;
    const before = this.#rooms.get(this.#active);
    if (before !== undefined) before.markerSeq = undefined;
    this.#tellRead(true);
    this.#active = room.name;
    room.markerSeq = room.unread > 0 ? room.readSeq : undefined;
    this.#read(room);
    this.#options.changed();
  }

  /** A room was left, or a conversation closed. @returns false if there was none */
  forget(name: string): boolean {
    const known = [...this.#rooms.keys()].find((key) => nameKey(key) === nameKey(name)) ?? name;
    const forgotten = this.#rooms.delete(known);
    if (this.#active === known) {
      const next = this.rooms[0]?.name;
      if (next === undefined) this.#open(this.#active);
      else this.focus(next);
    }
    this.#options.changed();
    return forgotten;
  }

  /**
   * Whether the person looks: the terminal has the focus, and the end of the room is on the screen. What comes while
   * nobody looks is unread, below the marker.
   */
  look(looking: boolean): void {
    if (looking === this.#looking) return;
    this.#looking = looking;
    const room = this.active;
    if (looking) this.#read(room);
    else if (room.unread === 0) room.markerSeq = room.readSeq;
  }

  #read(room: RoomModel): void {
    if (!this.#looking) return;
    room.readAll();
    this.#tellRead();
  }

  /** The person's other devices are to know how far the room in front was read. */
  #tellRead(leaving = false): void {
    const room = this.#rooms.get(this.#active);
    if (room?.readSeq === undefined || room.readSeq === 0 || room.isDirect) return;
    this.#options.backend.session.markRead?.(room.name, room.readSeq, leaving);
  }

  /** How a message counts, if it is not read. */
  #weigh(message: Message, isDirect: boolean): Weight {
    if (isChange(message) || this.people.ignores(message.from)) return "nothing";
    if (nameKey(message.from) === nameKey(this.me)) return "nothing";
    return isDirect || this.people.callsMe(message.text, this.me) ? "spoken" : "unread";
  }

  /** Sends to a room or `@nick`, and shows it as on its way; who writes wants the connection now. */
  send(target: string, text: string, extras?: SendExtras): void {
    const room = this.#find(target) ?? this.#open(target);
    const taken = this.#options.backend.session.send(room.name, text, undefined, extras);
    // What could not be said of a message that stays as it was said cannot be said later either.
    if (!taken.ok && taken.code === "as-said") return this.note(taken.message, true);
    const id = taken.ok ? taken.id : `unsent-${room.pending.length}`;
    const state = taken.ok ? "sending" : "failed";
    const reason = taken.ok ? "" : failureIn(this.#options.words, taken);
    room.pending = [...room.pending, { id, text, extras, state, reason }];
    room.markerSeq = undefined;
    if (this.connection.state !== "online") this.#options.backend.retryNow();
    this.#options.changed();
  }

  /** Sends again what failed in a room. @returns how many */
  retry(room: RoomModel): number {
    const failed = room.takeFailed();
    for (const { text, extras } of failed) this.send(room.name, text, extras);
    return failed.length;
  }

  /** Gives up what failed in a room. @returns the texts */
  dropFailed(room: RoomModel): string[] {
    const failed = room.takeFailed();
    this.#options.changed();
    return failed.map(({ text }) => text);
  }

  /** Who is writing in a room now. */
  typing(room: RoomModel): string[] {
    const now = this.#options.clock.monotonic();
    return [...room.typing]
      .filter(([nick, until]) => until > now && !this.people.ignores(nick))
      .map(([nick]) => nick);
  }

  /** Says something in the room in front. */
  note(text: string, warning = false, room: RoomModel = this.active): void {
    room.log.add({ kind: "note", text, at: this.#options.clock.now(), warning });
    this.#options.changed();
  }

  /** See {@link loadOlder}. */
  loadOlder(room: RoomModel, then: () => void = () => {}): void {
    const { backend, changed } = this.#options;
    loadOlder(room, backend.session, {
      came: (count) => {
        this.#messages += count;
        then();
      },
      changed,
    });
  }

  #hear(event: ClientEvent): void {
    switch (event.kind) {
      case "connection":
        this.#connected(event.connection);
        break;
      case "received":
        this.#received(event.message, event.rejoined);
        break;
      case "gap":
        this.#gap(event.gap);
        break;
      case "sent":
        this.#sent(event.outcome);
        break;
      case "progress":
        this.tasks = event.tasks;
        break;
      case "told":
        if (event.from !== undefined && this.people.ignores(event.from)) break;
        for (const line of event.lines) this.note(line, event.warning);
        break;
      default:
    }
  }

  #gap(gap: Gap): void {
    if (gap.room === INBOX) {
      if (gap.after === undefined) for (const one of this.rooms) if (one.isDirect) one.retire();
      this.note(this.#options.words.gapDirect, true);
      return;
    }
    const room = this.#rooms.get(gap.room);
    if (room === undefined) return;
    if (gap.after === undefined) room.forget();
    room.log.add({ kind: "gap", gap });
  }

  #connected(connection: ConnectionState): void {
    for (const { text, warning } of this.#connectionNotes.news(connection, this.me)) this.note(text, warning);
    if (connection.state === "closed" && connection.code !== "closed")
      this.#closed = failureIn(this.#options.words, connection);
  }

  #sent(outcome: SendOutcome): void {
    const room = this.#find(outcome.room);
    if (room === undefined) return;
    room.pending = outcome.ok
      ? room.pending.filter(({ id }) => id !== outcome.id)
      : room.pending.map((one) =>
          one.id === outcome.id
            ? { ...one, state: "failed", reason: failureIn(this.#options.words, outcome) }
            : one,
        );
  }

  #received(message: ServerMessage, rejoined: boolean): void {
    const { words } = this.#options;
    switch (message.type) {
      case "message":
        this.#message(message, true);
        break;
      case "joined":
        this.#joined(message, rejoined);
        break;
      case "left":
        this.forget(message.room);
        break;
      case "presence":
        if (message.bot === true || isOwn(message, this.me)) break;
        this.#noteIn(message.room, presenceNote(words, message));
        break;
      case "topic":
        this.#noteIn(message.room, topicNote(words, message));
        break;
      case "error":
        // What ends the connection is told by the connection's state.
        if (!isErrorCode(message.code) || !errorKinds[message.code].closes)
          this.note(failureIn(words, message), true);
        break;
      case "ack":
        for (const one of this.#absences.news(message))
          this.#noteIn(message.room, words.isAway(one.nick, one.text));
        break;
      case "away":
        if (message.room === undefined && message.id === undefined && !message.away) this.note(words.youBack);
        break;
      case "read":
        this.#reading.hear(message.positions);
        for (const room of this.#rooms.values()) {
          const seq = this.#reading.of(room.name, this.view(room)?.position?.epoch);
          readElsewhere(room, seq ?? 0, (one) => this.#weigh(one, false));
        }
        break;
      case "typing":
        if (nameKey(message.nick) === nameKey(this.me)) break;
        this.#rooms.get(message.room)?.types(message.nick, this.#options.clock.monotonic());
        break;
      case "notice":
        this.note(words.serverSays(message.message));
        break;
      case "going-away":
        if (!hasSuccessor(message)) this.note(words.goingAway);
        break;
      default:
    }
  }

  #noteIn(name: string, text: string): void {
    const room = this.#find(name);
    if (room !== undefined) this.note(text, false, room);
  }

  #joined(joined: Joined, rejoined: boolean): void {
    if (joined.room === INBOX) {
      for (const message of joined.messages) this.#message(message, true);
      return;
    }
    const room = this.#open(joined.room);
    if (!rejoined) {
      const remembered = this.#options.remembered?.(joined.room, joined.epoch) ?? room.readSeq;
      room.readSeq = further(remembered, this.#reading.of(joined.room, joined.epoch));
      room.more = (joined.messages[0]?.seq ?? 1) > 1;
      // Of an empty room all is read: what comes later is new, also in another run.
      if (joined.seq === 0) room.readSeq ??= 0;
    }
    for (const message of joined.messages) this.#message(message, rejoined);
    if (rejoined || room.name !== this.#active) return;
    const newest = room.log.newestSeq ?? 0;
    const read = room.readSeq;
    room.markerSeq = read !== undefined && read < newest ? read : undefined;
    this.#read(room);
  }

  /** @param live news, not history: counts as unread and may alert */
  #message(message: Message, live: boolean): void {
    const room = message.room.startsWith("@") ? this.#direct(message.room) : this.#rooms.get(message.room);
    if (room === undefined) return;
    room.log.add(itemOf(this.people.kept(message, room.name)));
    room.typing.delete(message.from);
    this.#count(room);
    if (isChange(message)) room.changes.apply(message);
    this.people.spoke(message.from);
    if (nameKey(message.from) === nameKey(this.me)) {
      if (message.id !== undefined) room.pending = room.pending.filter(({ id }) => id !== message.id);
      room.readSeq = message.seq;
      return;
    }
    const weight = this.#weigh(message, room.isDirect);
    const spoken = weight === "spoken";
    const beyond = room.readSeq === undefined ? live : message.seq > room.readSeq;
    if (room.name === this.#active && this.#looking && live) room.readSeq = message.seq;
    else if (beyond && weight !== "nothing") {
      room.unread += 1;
      if (spoken) room.mentions += 1;
    }
    if (spoken) {
      this.spoken.push(message);
      if (this.spoken.length > screenLimits.mentions) this.spoken.shift();
    }
    if (live && spoken && !room.muted) {
      this.#options.alert({ room: room.name, from: message.from, text: message.text });
    }
  }

  #count(room: RoomModel): void {
    this.#messages += 1;
    if (this.#messages > screenLimits.messages) this.#messages -= trimFullest(room, this.#rooms.values());
  }
}
