/** Everybody with whom this client has, or may have, a direct path: kept few, and found by what is said of them. */
import { directLimits } from "../../../protocol/limits.peer.ts";
import type { Introduction } from "../../../protocol/messages.ts";
import { nameKey } from "../../../protocol/names.ts";
import { newPartner, type Partner } from "./partner.ts";

/** See above. */
export class Partners {
  readonly #all = new Set<Partner>();

  /** When our person was told that somebody asks, by pair; the latest last. */
  readonly #rungAt = new Map<string, number>();

  get all(): readonly Partner[] {
    return [...this.#all];
  }

  has(partner: Partner): boolean {
    return this.#all.has(partner);
  }

  /** The one of that nick. */
  find(nick: string): Partner | undefined {
    const key = nameKey(nick);
    return this.all.find((partner) => nameKey(partner.nick) === key);
  }

  /** Whose word this is: by the pair, else by the nick if it can be theirs. */
  whoSaid({ pair, nick, key, end }: Introduction): Partner | undefined {
    const named = this.all.find((partner) => partner.pair === pair);
    if (named !== undefined) return named;
    const partner = this.find(nick);
    // A word of one session cannot end what was agreed with another.
    if (end === true && partner?.pair !== undefined) return undefined;
    if (key !== undefined && partner?.key !== undefined && partner.key !== key) return undefined;
    return partner;
  }

  /** Somebody new. Of those who only asked, the one who did so first may be forgotten for it. */
  add(nick: string): Partner {
    const partner = newPartner(nick);
    this.#all.add(partner);
    const askers = this.all.filter(({ weAgree, isOver, path }) => !weAgree && !isOver && path === undefined);
    const [oldest] = askers;
    if (askers.length > directLimits.askersMost && oldest !== undefined) this.#all.delete(oldest);
    return partner;
  }

  /** Whether our person may be told that somebody asks; counts as told. @param now monotonic ms */
  mayRing({ pair = "" }: Partner, now: number): boolean {
    const recent = [...this.#rungAt].filter(([, at]) => now - at < directLimits.ringMs);
    if (recent.length >= directLimits.ringsMost || recent.some(([rung]) => rung === pair)) return false;
    this.#rungAt.delete(pair);
    this.#rungAt.set(pair, now);
    const [oldest] = this.#rungAt.keys();
    if (this.#rungAt.size > directLimits.askersMost && oldest !== undefined) this.#rungAt.delete(oldest);
    return true;
  }

  /** @returns false if there was no such one */
  delete(partner: Partner): boolean {
    return this.#all.delete(partner);
  }

  /** Takes all away. */
  clear(): readonly Partner[] {
    const all = this.all;
    this.#all.clear();
    return all;
  }
}
