/**
 * The rooms of one session, by what clients call them.
 *
 * A session is in its inbox and a room or two, and may be in a hundred (clientLimits.rooms): looking through a list costs
 * no more than hashing a name, and takes an eighth of the memory of a Map. The list is replaced, not changed, so that it
 * may be walked while rooms are left.
 */
import type { Group } from "./group.ts";

const NONE: readonly Group[] = [];

/** See above. */
export class Memberships {
  #groups: readonly Group[] = NONE;

  get size(): number {
    return this.#groups.length;
  }

  /** The groups, as they are now, in the order they were joined. */
  get all(): readonly Group[] {
    return this.#groups;
  }

  get(room: string): Group | undefined {
    for (const group of this.#groups) if (group.room.name === room) return group;
    return undefined;
  }

  has(room: string): boolean {
    return this.get(room) !== undefined;
  }

  /** Adds a group, in the place of one of the same room. */
  add(group: Group): void {
    this.#groups = [...this.#groups.filter(({ room }) => room.name !== group.room.name), group];
  }

  /** Removes the group of a room. */
  delete(room: string): void {
    const left = this.#groups.filter((group) => group.room.name !== room);
    this.#groups = left.length === 0 ? NONE : left;
  }
}
