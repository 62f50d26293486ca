/**
 * One room as this server follows it, across keepers.
 *
 * It knows what its subscriber has heard: the position, the members, the records. When a new keeper gives a snapshot, the
 * difference becomes events, so that the subscriber hears what happened in between and nothing else: first who came, then
 * the missed entries (read from the file, a page at a time), then who went. Only if the log itself cannot be continued
 * (another epoch, entries removed by retention) is it told to start over.
 */
import type { LogEntry, Member, PresenceEvent, RoomSubscriber, Snapshot } from "../backplane.ts";
import type { LogReader } from "./reader.ts";

/** Entries of one page of recovery: about two milliseconds of reading. */
const PAGE_ENTRIES = 500;
const PAGE_BYTES = 1024 * 1024;

export class Subscription {
  readonly room: string;
  readonly #subscriber: RoomSubscriber;
  readonly #members = new Map<string, string>();
  #records = new Map<string, string>();
  #epoch = "";
  #last = 0;
  /** Ended by its owner: says nothing more. */
  closed = false;
  /** It has had its first snapshot. */
  begun = false;
  /** The number the present keeper has given the room. */
  number = -1;

  constructor(room: string, subscriber: RoomSubscriber) {
    this.room = room;
    this.#subscriber = subscriber;
  }

  /** The first snapshot, which the subscriber is given by its `done`. */
  begin(snapshot: Snapshot, number: number): void {
    this.begun = true;
    this.number = number;
    this.#know(snapshot);
  }

  #know({ position, members, records }: Snapshot): void {
    this.#epoch = position.epoch;
    this.#last = position.seq;
    this.#members.clear();
    for (const { session, nick } of members) this.#members.set(session, nick);
    this.#records = new Map(records);
  }

  entry(entry: LogEntry): void {
    if (this.closed || entry.seq <= this.#last) return;
    this.#last = entry.seq;
    this.#subscriber.entry(entry);
  }

  presence(event: PresenceEvent): void {
    if (this.closed) return;
    const { kind, member } = event;
    if (kind === "leave") this.#members.delete(member.session);
    else this.#members.set(member.session, kind === "rename" ? event.to : member.nick);
    this.#subscriber.presence(event);
  }

  record(key: string, value: string): void {
    if (this.closed) return;
    this.#records.set(key, value);
    this.#subscriber.record(key, value);
  }

  /** A snapshot of another keeper: says what has changed. Entries are told by the generator, a page a step. */
  *recover(snapshot: Snapshot, reader: LogReader): Generator<void, void, void> {
    if (this.closed) return;
    const { position, members, records } = snapshot;
    if (position.epoch !== this.#epoch || position.seq < this.#last) return this.startOver(snapshot);
    this.#arrivals(members);
    while (this.#last < position.seq && !this.closed) {
      if (!this.#page(reader)) return this.startOver(snapshot);
      yield;
    }
    for (const [key, value] of records) if (this.#records.get(key) !== value) this.record(key, value);
    this.#departures(new Set(members.map(({ session }) => session)));
  }

  /** @returns false when the log cannot be continued from where the subscriber stands */
  #page(reader: LogReader): boolean {
    const page = reader.page({
      room: this.room,
      after: this.#last,
      limit: PAGE_ENTRIES,
      maxBytes: PAGE_BYTES,
    });
    if (page.epoch !== this.#epoch || page.entries[0]?.seq !== this.#last + 1) return false;
    for (const entry of page.entries) this.entry(entry);
    return true;
  }

  #arrivals(members: readonly Member[]): void {
    for (const member of members) {
      const nick = this.#members.get(member.session);
      if (nick === undefined) this.presence({ kind: "join", member });
      else if (nick !== member.nick) {
        this.presence({ kind: "rename", member: { session: member.session, nick }, to: member.nick });
      }
    }
  }

  #departures(present: ReadonlySet<string>): void {
    for (const [session, nick] of this.#members) {
      if (!present.has(session)) this.presence({ kind: "leave", member: { session, nick } });
    }
  }

  /** Nothing of what was known can be relied on. */
  startOver(snapshot: Snapshot): void {
    this.#know(snapshot);
    if (!this.closed) this.#subscriber.reset(snapshot);
  }
}
