/** Who spoke lately, and of whom this person wants to read nothing. */
import { screenLimits } from "../../protocol/limits.client.ts";
import type { Message } from "../../protocol/messages.ts";
import { nameKey } from "../../protocol/names.ts";
import { NameSet } from "./habits.ts";
import type { KeptHabits } from "./habits.ts";
import { mentions } from "./mentions.ts";

export class People {
  /** The latest last. */
  readonly #recent = new Set<string>();
  /** One string for each nick. */
  readonly #names = new Map<string, string>();
  readonly #ignored: NameSet;

  /** Words that are as good as one's nick. */
  readonly highlights: NameSet;

  /** @param habits of an earlier run */
  constructor({ ignored, highlights }: Pick<KeptHabits, "ignored" | "highlights">) {
    this.#ignored = new NameSet(ignored);
    this.highlights = new NameSet(highlights);
  }

  /** Whether a text speaks to this person. */
  callsMe(text: string, me: string): boolean {
    return mentions(text, me, this.highlights.names);
  }

  /** Somebody spoke. */
  spoke(nick: string): void {
    this.#recent.delete(nick);
    this.#recent.add(nick);
    if (this.#recent.size <= screenLimits.recentNicks) return;
    const [oldest] = this.#recent;
    if (oldest !== undefined) this.#recent.delete(oldest);
  }

  /**
   * A message as it is kept by the hundred thousand: only what is shown, and each nick's string once. What a newer
   * server added, and the ids of others, are not.
   */
  kept({ seq, from, at, text, action, re, unverified }: Message, room: string): Message {
    let nick = this.#names.get(from);
    if (nick === undefined) {
      nick = from;
      this.#names.set(from, from);
      if (this.#names.size > screenLimits.recentNicks * 10) this.#names.clear();
    }
    const message: Message = { type: "message", room, seq, from: nick, at, text };
    if (action === undefined && re === undefined && unverified === undefined) return message;
    return {
      ...message,
      ...(action === undefined ? {} : { action }),
      ...(re === undefined ? {} : { re }),
      ...(unverified === undefined ? {} : { unverified }),
    };
  }

  /** Nicks to complete with: who spoke last first, then the others; `me` not, and each once. */
  candidates(others: Iterable<string>, me: string): string[] {
    const seen = new Set([nameKey(me)]);
    return [...[...this.#recent].reverse(), ...others].filter((nick) => {
      const key = nameKey(nick);
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
  }

  ignores(nick: string): boolean {
    return this.#ignored.has(nick);
  }

  /** @returns whether they are ignored now */
  toggleIgnored(nick: string): boolean {
    return this.#ignored.toggle(nick);
  }

  /** Of whom nothing is read. */
  get ignored(): readonly string[] {
    return this.#ignored.names;
  }
}
