/**
 * What a client knows of each room: its position in the log, and who is there.
 *
 * Invariant: a room's position is that of the last message given to the owner, or of the gap that was reported. So
 * "everything up to here was seen or reported missing" always holds, and `since` on a join asks for exactly the rest.
 * A message at or below the position was seen before and is dropped; one that skips a seq makes a gap first.
 */
import { nameKey } from "../protocol/names.ts";
import type { Away, Joined, Members, Message, Position, Presence } from "../protocol/messages.ts";
import type { Gap } from "./events.ts";

/** A room as its owner may see it. */
export interface RoomView {
  /** The room's key, or INBOX. */
  readonly name: string;
  /** `joining`: asked for, not yet answered on this connection. */
  readonly state: "joining" | "joined";
  readonly position: Position | undefined;
  /** Nicks by their keys: everybody who was listed. */
  readonly members: ReadonlyMap<string, string>;
  /** What members who are away say, by the keys of their nicks. */
  readonly away: ReadonlyMap<string, string>;
  /** Which members are programs, by the keys of their nicks. */
  readonly bots: ReadonlySet<string>;
  /** Exact, also when more are in the room than a server lists. */
  readonly memberCount: number;
  readonly topic: string;
}

/** One log that a client follows: a room, or its own inbox of direct messages. */
export class Room implements RoomView {
  readonly name: string;
  state: "joining" | "joined" = "joining";
  position: Position | undefined;
  memberCount = 0;
  topic = "";
  /** How many messages a first join asks for. */
  readonly history: number;
  readonly #members = new Map<string, string>();
  readonly #away = new Map<string, string>();
  readonly #bots = new Set<string>();

  constructor(name: string, history: number) {
    this.name = name;
    this.history = history;
  }

  get members(): ReadonlyMap<string, string> {
    return this.#members;
  }
  get away(): ReadonlyMap<string, string> {
    return this.#away;
  }
  get bots(): ReadonlySet<string> {
    return this.#bots;
  }

  /**
   * A live message.
   * @returns whether it is new, and the gap before it if there is one
   */
  accept(message: Message): { readonly fresh: boolean; readonly gap?: Gap } {
    const position = this.position;
    // What comes before the join's answer, the answer brings too, in order with what came before it.
    if (this.state !== "joined" || position === undefined) return { fresh: false };
    if (message.seq <= position.seq) return { fresh: false };
    this.position = { epoch: position.epoch, seq: message.seq };
    if (message.seq === position.seq + 1) return { fresh: true };
    return { fresh: true, gap: { room: this.name, after: position.seq, before: message.seq } };
  }

  /**
   * The answer to a join, or a server's word that the room stands differently now.
   * @returns the messages not seen before, and the gap before them if there is one
   */
  join(joined: Joined): { readonly messages: readonly Message[]; readonly gap?: Gap } {
    const before = this.position;
    this.state = "joined";
    this.topic = joined.topic;
    this.list(joined);
    // A log that is shorter than what was seen of it is another log, whatever it calls itself.
    const same = before?.epoch === joined.epoch && joined.seq >= before.seq;
    const messages = same ? joined.messages.filter((one) => one.seq > before.seq) : joined.messages;
    const last = messages.at(-1);
    this.position = { epoch: joined.epoch, seq: Math.max(joined.seq, last?.seq ?? 0, same ? before.seq : 0) };
    if (before === undefined) return { messages };
    const gap = this.#gapBetween(before, same, joined, messages);
    return gap === undefined ? { messages } : { messages, gap };
  }

  #gapBetween(
    before: Position,
    same: boolean,
    joined: Joined,
    messages: readonly Message[],
  ): Gap | undefined {
    const first = messages[0]?.seq;
    if (!same) return { room: this.name, after: undefined, before: first };
    let expected = before.seq + 1;
    // Not trusting `recovered`: what counts is whether the sequence goes on.
    for (const one of messages) {
      if (one.seq !== expected) return { room: this.name, after: expected - 1, before: one.seq };
      expected += 1;
    }
    if (joined.seq >= expected) return { room: this.name, after: expected - 1, before: undefined };
    return undefined;
  }

  /** A member list replaces what was known. */
  list(members: Pick<Members, "members" | "memberCount" | "away" | "bots">): void {
    this.#members.clear();
    for (const nick of members.members) this.#members.set(nameKey(nick), nick);
    this.#away.clear();
    for (const [nick, text] of Object.entries(members.away ?? {})) this.#away.set(nameKey(nick), text);
    this.#bots.clear();
    for (const nick of members.bots ?? []) this.#bots.add(nameKey(nick));
    this.memberCount = Math.max(members.memberCount, this.#members.size);
  }

  /** Somebody is away, or back. */
  absence({ nick, away, text = "" }: Away): void {
    if (away) this.#away.set(nameKey(nick), text);
    else this.#away.delete(nameKey(nick));
  }

  /** Somebody came, went, or changed nick. Hearing it twice changes nothing. */
  presence(event: Presence): void {
    const key = nameKey(event.nick);
    const known = this.#members.has(key);
    // Beyond the listed members nobody can tell whether a nick was there; the count then follows the events.
    const complete = this.memberCount === this.#members.size;
    switch (event.state) {
      case "join":
        if (!known) {
          this.#members.set(key, event.nick);
          this.memberCount += 1;
        }
        if (event.bot === true) this.#bots.add(key);
        return;
      case "leave":
        this.#members.delete(key);
        this.#away.delete(key);
        this.#bots.delete(key);
        if (known || !complete) this.memberCount = Math.max(this.memberCount - 1, this.#members.size);
        return;
      case "rename":
        if (event.to === undefined) return;
        this.#members.delete(key);
        this.#renameAway(key, nameKey(event.to));
        if (this.#bots.delete(key)) this.#bots.add(nameKey(event.to));
        if (known || !complete) this.#members.set(nameKey(event.to), event.to);
        this.memberCount = Math.max(this.memberCount, this.#members.size);
    }
  }

  #renameAway(from: string, to: string): void {
    const text = this.#away.get(from);
    this.#away.delete(from);
    if (text !== undefined) this.#away.set(to, text);
  }

  /** The connection is gone: the room must be joined again. Position and members stay for the screen. */
  suspend(): void {
    this.state = "joining";
  }
}
