/**
 * Members that wait for the same length of time, in the order in which they began to: the first is due first, so looking
 * for those that are due costs nothing while there are none.
 */
export class Deadlines<T> {
  readonly #since = new Map<T, number>();

  get size(): number {
    return this.#since.size;
  }

  has(member: T): boolean {
    return this.#since.has(member);
  }

  /** Since when a member waits, ms. */
  since(member: T): number | undefined {
    return this.#since.get(member);
  }

  /** Adds a member that begins to wait now; one that waits already goes on as it is. */
  add(member: T, now: number): void {
    if (!this.#since.has(member)) this.#since.set(member, now);
  }

  /** Removes a member. @returns false if it was not there */
  delete(member: T): boolean {
    return this.#since.delete(member);
  }

  /** The members that began at `before` or earlier, oldest first. The set may be changed while this is read. */
  *due(before: number): Generator<T> {
    for (const [member, since] of this.#since) {
      if (since > before) return;
      yield member;
    }
  }

  /** All members, oldest first. */
  all(): T[] {
    return [...this.#since.keys()];
  }
}
