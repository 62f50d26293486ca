/** A set of small numbers, a bit each: one a link, of up to all entries of a run, is looked into for every entry sent. */
export class NumberSet {
  #words = new Uint32Array(64);

  /** Puts a whole number from 0 into the set; false when it is there already. */
  add(number: number): boolean {
    const word = number >>> 5;
    if (word >= this.#words.length) {
      const grown = new Uint32Array(2 * (word + 1));
      grown.set(this.#words);
      this.#words = grown;
    }
    const bit = 1 << (number & 31);
    const bits = this.#words[word] ?? 0;
    if ((bits & bit) !== 0) return false;
    this.#words[word] = bits | bit;
    return true;
  }
}
