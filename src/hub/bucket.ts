/** A token bucket: `rate` a second, sustained, and `burst` at once. */
export class TokenBucket {
  readonly #rate: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  /** @param now monotonic ms */
  constructor(rate: number, burst: number, now: number) {
    this.#rate = rate;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Takes a token, or several at once. @returns false, and takes none, if there are fewer */
  take(now: number, tokens = 1): boolean {
    const earned = ((now - this.#at) * this.#rate) / 1_000;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#at = now;
    if (this.#tokens < tokens) return false;
    this.#tokens -= tokens;
    return true;
  }

  /** After a refusal: whole ms until there are as many. */
  waitMs(tokens = 1): number {
    return Math.ceil(((tokens - this.#tokens) * 1_000) / this.#rate);
  }
}
