/**
 * A set that mostly has one member.
 *
 * Every session is alone in the group of its inbox, and a Set for one costs more memory than everything else the group
 * consists of. So the first member is kept by itself, and only a second one makes a Set.
 *
 * Invariant: `#one` is a member while there is no Set; the Set, once made, has all members.
 */
export class Few<T extends object> {
  #one: T | undefined;
  #many: Set<T> | undefined;

  get size(): number {
    return this.#many?.size ?? (this.#one === undefined ? 0 : 1);
  }

  has(member: T): boolean {
    return this.#many?.has(member) ?? this.#one === member;
  }

  add(member: T): void {
    if (this.#many !== undefined) this.#many.add(member);
    else if (this.#one === undefined) this.#one = member;
    else if (this.#one !== member) {
      this.#many = new Set([this.#one, member]);
      this.#one = undefined;
    }
  }

  /** @returns false if it was not a member */
  delete(member: T): boolean {
    if (this.#many !== undefined) return this.#many.delete(member);
    if (this.#one !== member) return false;
    this.#one = undefined;
    return true;
  }

  /** The members as they are now, in the order they came. */
  all(): readonly T[] {
    if (this.#many !== undefined) return [...this.#many];
    return this.#one === undefined ? [] : [this.#one];
  }
}
