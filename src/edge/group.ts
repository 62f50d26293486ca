/**
 * A group on one trunk: who is in it here, and how far it has come.
 *
 * Fan-out walks `members`, a dense array. Each session keeps, beside each of its groups, its place in that array, so
 * that leaving costs a swap and not a search among thousands.
 *
 * Invariant: `members[session.slots[i]] === session` where `session.groups[i]` is this group.
 */
import type { GroupId, GroupView } from "./trunk.ts";
import type { Session } from "./session.ts";

/** See the head of this file. */
export class Group {
  readonly id: GroupId;
  readonly name: string;
  readonly epoch: string;
  seq: number;
  roster: number;
  readonly members: Session[] = [];

  constructor(id: GroupId, name: string, epoch: string, seq: number, roster: number) {
    this.id = id;
    this.name = name;
    this.epoch = epoch;
    this.seq = seq;
    this.roster = roster;
  }

  /** Where every member stands. */
  view(): GroupView {
    return { name: this.name, position: { epoch: this.epoch, seq: this.seq }, roster: this.roster };
  }

  /** Adds a session; twice is once. */
  add(session: Session): void {
    if (session.groups.includes(this)) return;
    session.groups.push(this);
    session.slots.push(this.members.length);
    this.members.push(session);
  }

  /** Removes a session, if it is here. */
  remove(session: Session): void {
    const at = session.groups.indexOf(this);
    const slot = session.slots[at];
    if (slot === undefined) return;
    // Splice, not swap: the order of a session's groups tells which of two of one name is the newer.
    session.groups.splice(at, 1);
    session.slots.splice(at, 1);
    const last = this.members.pop();
    if (last === undefined || last === session) return;
    this.members[slot] = last;
    last.slots[last.groups.indexOf(this)] = slot;
  }

  /** Removes everybody. */
  clear(): void {
    for (const session of this.members) {
      const at = session.groups.indexOf(this);
      session.groups.splice(at, 1);
      session.slots.splice(at, 1);
    }
    this.members.length = 0;
  }
}
