/**
 * What one subscriber has been told of one room, and how it is brought up to date.
 *
 * Drivers lose their connection to the store; a subscriber must not notice. A view knows the position, the members and
 * the records that its subscriber has heard of. From a later snapshot it tells the difference, so that the subscriber
 * hears what happened in between and nothing else: first who came (`arrivals`), then the missed entries (`continueWith`,
 * page by page), then the rest (`finish`). Only if the log itself cannot be continued (another epoch, a position that
 * went back, entries removed by retention) is it told to start over.
 */
import { deliveriesAfter, deliveriesOf } from "../protocol/deliveries.ts";
import type { Deliveries } from "../protocol/deliveries.ts";
import type { HistoryPage, Member, PresenceEvent, RoomSubscriber, Snapshot } from "./backplane.ts";

const NO_RECORDS: ReadonlyMap<string, string> = new Map();

export class RoomView {
  readonly room: string;
  readonly #subscriber: RoomSubscriber;
  readonly #members = new Map<string, Member>();
  /** Replaced, not changed. */
  #records: ReadonlyMap<string, string> = NO_RECORDS;
  #epoch = "";
  #last = 0;
  /** Ended by its owner: says nothing more. */
  closed = false;
  /** It has had its first snapshot. */
  begun = false;

  constructor(room: string, subscriber: RoomSubscriber) {
    this.room = room;
    this.#subscriber = subscriber;
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** Seq of the last entry told. */
  get last(): number {
    return this.#last;
  }

  /** The first snapshot, which the subscriber is given by its `done`. */
  begin(snapshot: Snapshot): void {
    this.begun = true;
    this.#know(snapshot);
  }

  #know({ position, members, records }: Snapshot): void {
    this.#epoch = position.epoch;
    this.#last = position.seq;
    this.#members.clear();
    for (const member of members) this.#members.set(member.session, member);
    this.#records = records;
  }

  /** Live entries, consecutive; those that were told already are passed over. */
  appended(entries: Deliveries): void {
    if (this.closed) return;
    const fresh = deliveriesAfter(this.#last, entries);
    if (fresh === undefined) return;
    this.#last = fresh.first + fresh.count - 1;
    this.#subscriber.appended(fresh);
  }

  presence(event: PresenceEvent): void {
    if (this.closed) return;
    const { kind, member } = event;
    if (kind === "leave") this.#members.delete(member.session);
    else this.#members.set(member.session, kind === "rename" ? { ...member, nick: event.to } : member);
    this.#subscriber.presence(event);
  }

  record(key: string, value: string): void {
    if (this.closed) return;
    this.#records = new Map(this.#records).set(key, value);
    this.#subscriber.record(key, value);
  }

  /** Whether a snapshot is a later state of the log that was told so far. */
  continues({ position }: Snapshot): boolean {
    return position.epoch === this.#epoch && position.seq >= this.#last;
  }

  /** Tells who has come, has another nick, or is away or back. */
  arrivals({ members }: Snapshot): void {
    for (const member of members) {
      const known = this.#members.get(member.session);
      if (known === undefined) {
        this.presence({ kind: "join", member });
        continue;
      }
      if (known.nick !== member.nick) this.presence({ kind: "rename", member: known, to: member.nick });
      if (known.away !== member.away) this.presence({ kind: "away", member });
    }
  }

  /**
   * Tells the entries of a page that was read after {@link last}.
   * @returns false when the log cannot be continued from there
   */
  continueWith({ epoch, entries }: HistoryPage): boolean {
    if (epoch !== this.#epoch || entries[0]?.seq !== this.#last + 1) return false;
    // Lines are numbered by counting: with a hole in between all behind it would be told under wrong numbers.
    if (entries.at(-1)?.seq !== this.#last + entries.length) return false;
    this.appended(deliveriesOf(entries));
    return true;
  }

  /** Tells what has been recorded, and who has gone. */
  finish({ members, records }: Snapshot): void {
    for (const [key, value] of records) if (this.#records.get(key) !== value) this.record(key, value);
    const present = new Set(members.map(({ session }: Member) => session));
    for (const [session, member] of this.#members) {
      if (!present.has(session)) this.presence({ kind: "leave", member });
    }
  }

  /** Nothing of what was known can be relied on. */
  startOver(snapshot: Snapshot): void {
    this.#know(snapshot);
    if (!this.closed) this.#subscriber.reset(snapshot);
  }
}
