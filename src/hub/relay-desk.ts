/**
 * What one session relays: with whom, and how much of it is under way.
 *
 * Made when a session first relays, is acknowledged or ends an introduction; all others pay nothing for it. What it knows
 * is lost when the session moves to another server, and nothing depends on it but how soon a flood is stopped: a pass
 * says who agreed, and the bound on what is under way begins anew.
 *
 * Invariant: between two acks of a partner at most `relayUnderWay` characters go to them, so that neither the words
 * between servers nor the partner's outbox can be filled by somebody whom they do not keep up with.
 */
import { TokenBucket } from "./bucket.ts";
import type { Core } from "./core.ts";
import { readPass } from "./pass.ts";

interface Partner {
  /** Characters of data since the last ack. */
  underWay: number;
  /** Nothing more of theirs is wanted. */
  refused: boolean;
}

/** Why data is not taken. */
export type RelayRefusal = "not-introduced" | "relay-full" | "rate-limited";

/** See above. */
export class RelayDesk {
  readonly #core: Core;
  readonly #owner: string;
  readonly #bucket: TokenBucket;
  /** The least lately used first. */
  readonly #partners = new Map<string, Partner>();
  /** The pass that was read last, because it nearly always comes again. */
  #last: { readonly text: string; readonly to: string; readonly until: number } | undefined;

  /** @param owner the session's name */
  constructor(core: Core, owner: string) {
    this.#core = core;
    this.#owner = owner;
    const { relayPerSecond, relayBurst } = core.limits;
    this.#bucket = new TokenBucket(relayPerSecond, relayBurst, core.clock.monotonic());
  }

  /** The session that a pass leads to; undefined if it is no good. */
  route(pass: string): string | undefined {
    const now = this.#core.clock.now();
    if (this.#last?.text !== pass) {
      const read = readPass(this.#core.secret, pass);
      if (read === undefined || read.holder !== this.#owner) return undefined;
      this.#last = { text: pass, to: read.to, until: read.until };
    }
    return this.#last.until > now ? this.#last.to : undefined;
  }

  /** Counts a frame on its way to a partner, with so much data. @returns why it may not go */
  send(to: string, characters: number): RelayRefusal | undefined {
    const partner = this.#partner(to);
    if (partner.underWay + characters > this.#core.limits.relayUnderWay) return "relay-full";
    const now = this.#core.clock.monotonic();
    // What brings no data costs something all the same, so that nothing here is free to flood with.
    const cost = Math.max(characters, this.#core.limits.relayLeast);
    if (!this.#bucket.take(now, cost)) return "rate-limited";
    if (!this.#core.relayBucket.take(now, cost)) return "rate-limited";
    partner.underWay += characters;
    return undefined;
  }

  /** A partner has taken in what was sent. */
  acked(from: string): void {
    const partner = this.#partners.get(from);
    if (partner !== undefined) partner.underWay = 0;
  }

  /** Wants nothing of a partner any more, or wants it again. */
  refuse(from: string, refused: boolean): void {
    this.#partner(from).refused = refused;
  }

  /** Whether something of a partner is to be passed on. */
  takes(from: string): boolean {
    return this.#partners.get(from)?.refused !== true;
  }

  #partner(name: string): Partner {
    const partner = this.#partners.get(name) ?? { underWay: 0, refused: false };
    this.#partners.delete(name);
    this.#partners.set(name, partner);
    const [oldest] = this.#partners.keys();
    if (this.#partners.size > this.#core.limits.relayPartners && oldest !== undefined) {
      this.#partners.delete(oldest);
    }
    return partner;
  }
}
